"""The command `zeren`: `serve`, and the others in `app.commands`, whose libraries a server has no use for."""

import sys
from multiprocessing import get_context
from typing import Annotated

import typer
import uvicorn

from app.logs import log_config
from app.settings import Settings
from app.shape import is_up_to_date


def main() -> None:
    """Run a command; what is refused is told in a sentence and ends with status 1."""
    commands = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    commands.callback()(zeren)
    commands.command()(serve)
    try:
        if sys.argv[1:2] != ["serve"]:
            from app.commands import commands as others

            commands.add_typer(others)
        commands()
    except Exception as error:
        _end_with(error)


def _end_with(error: Exception) -> None:
    """Tell what is foreseen; raise what is not."""
    from app.terminal import explain, fail

    sentence = explain(error)
    if sentence is None:
        raise error
    fail(sentence)


def zeren() -> None:
    """Serve Zeren, and look after it."""


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="How many processes.", min=1)] = 1,
) -> None:
    """Serve the API over HTTP."""
    settings = Settings.from_environment()
    if not is_up_to_date(settings.database_url):
        bring_up_to_date(settings)
    uvicorn.run(
        "app.main:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http="app.protocol:Protocol",
        ws="none",
        proxy_headers=False,  # nothing here depends on the caller's address, or on how the proxy was reached
        timeout_graceful_shutdown=60,  # seconds: no batch takes longer, and no stalled sender holds up a restart
        access_log=False,
        server_header=False,
        log_config=log_config(settings.log_level),
    )


def bring_up_to_date(settings: Settings) -> None:
    """Migrate the database where the settings say so, or refuse to serve it."""
    if not settings.migrate_on_start:
        from app.terminal import NOT_UP_TO_DATE, fail

        fail(NOT_UP_TO_DATE)
    # in a process of its own: what serves, or looks after those that do, never loads what migrates
    migrating = get_context("spawn").Process(target=migrate_apart)
    migrating.start()
    migrating.join()
    if migrating.exitcode:
        sys.exit(1)


def migrate_apart() -> None:
    """Migrate the database of the settings, as the whole of a process."""
    try:
        from app.migrating import migrate, open_database

        with open_database(migrated=False) as database:
            migrate(database)
    except Exception as error:
        _end_with(error)
