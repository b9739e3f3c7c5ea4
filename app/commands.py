"""The commands of `zeren` but `serve`: migrate, seed, import, values, key, openapi."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel, Field, ValidationError
from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.auth import Caller
from app.clients.service import create_key, list_keys, revoke_key
from app.errors import InvalidRequest
from app.imports.schemas import ImportQuery, ImportReport
from app.imports.service import import_document, read_plan
from app.main import create_app
from app.migrating import migrate, open_database
from app.problems import fault_of
from app.schemas import Input
from app.seeding import load_plan, load_units, read_register, shipped_plan
from app.settings import Settings
from app.terminal import Format, err, out, own_language
from app.types import Code, Scope, UnitReference
from app.units.names import resolve_units
from app.values_cli import values

commands = typer.Typer()
keys = typer.Typer(no_args_is_help=True, help="Make, list and revoke keys of calling systems.")
commands.add_typer(keys, name="key")
commands.add_typer(values, name="values")
Checked = TypeVar("Checked", bound=BaseModel)


def _validated(model: type[Checked], **fields: object) -> Checked:
    """Options as the request they stand for; those that nobody gave are left out."""
    try:
        return model.model_validate({name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        raise InvalidRequest(*(fault_of({**one, "loc": ("body", *one["loc"])}) for one in error.errors())) from error


@commands.command("migrate")
def migrate_database() -> None:
    """Bring the database to the shape that this version needs."""
    with open_database(migrated=False) as database:
        migrate(database, track=_shown)
    err.print("The database is up to date.")


def _shown(parts: Sequence[Sequence[int]]) -> Iterable[Sequence[int]]:
    words = "Documents of targets"
    return track(parts, words, console=err, transient=True, disable=not err.is_terminal)


@commands.command("seed")
def seed() -> None:
    """Load the plan that comes with the service, and its unit register; what is there already stays."""
    caller = Caller.command_line()
    folder = shipped_plan()
    with open_database() as database, database.writing() as session:
        rows = read_register(folder)
        new = load_units(session, caller, rows, lambda some: track(some, "Units", console=err, transient=True))
        report = load_plan(session, caller, folder, own_language())
    err.print(f"{new} new units of {len(rows)}.")
    err.print(_counts(report) if report is not None else "The plan is there already.", soft_wrap=True)


@commands.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="The document: plain text.", exists=True, dir_okay=False)],
    plan: Annotated[str, typer.Option(help="The plan's code; a new one makes a new plan.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report what would happen, and leave nothing.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to print the report.")] = Format.text,
    title: Annotated[str | None, typer.Option(help="The title, instead of the document's own.")] = None,
    year: Annotated[int | None, typer.Option(help="The year, instead of the title's own.")] = None,
    issuer: Annotated[str | None, typer.Option(help="Who published it.")] = None,
    region_code: Annotated[str | None, typer.Option(help="The administrative division, GB/T 2260.")] = None,
) -> None:
    """Import a plan document into the database."""
    given = {"title": title, "year": year, "issuer": issuer, "region_code": region_code}
    query = _validated(ImportQuery, plan=plan, dry_run=dry_run, source=file.name, **given)
    with open_database() as database, err.status("Reading the document"), database.writing() as session:
        document = read_plan(file.read_bytes())
        report, _ = import_document(session, Caller.command_line(), document, query, own_language())
    if format_ is Format.json:
        print(json.dumps(report.model_dump(mode="json"), ensure_ascii=False, indent=2))  # noqa: T201 - the result
    else:
        _print_report(report)


def _print_report(report: ImportReport) -> None:
    """A report for a reader: the counts, and what to look at."""
    out.print(_counts(report), soft_wrap=True)
    for finding in report.findings:
        near = f" → {', '.join(finding.suggestions)}" if finding.suggestions else ""
        place = f"line {finding.line}: " if finding.line is not None else ""
        out.print(f"{finding.severity.value:8}{place}{finding.detail}{near}", markup=False, soft_wrap=True)


def _counts(report: ImportReport) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in report.counts.model_dump().items())
    return f"{report.plan} ({report.state.value}): {counts}"


class KeyRequest(Input):
    """What `zeren key create` is asked for."""

    client: Code
    units: list[UnitReference]
    days: int | None = Field(default=None, ge=1, le=36500)


@keys.command("create")
def create(
    client: Annotated[str, typer.Argument(help="The client's code; a new one makes a new client.")],
    scope: Annotated[list[Scope], typer.Option(help="What the key may do; may be given several times.")],
    unit: Annotated[list[str] | None, typer.Option(help="A unit the client speaks for: code, name or alias.")] = None,
    days: Annotated[int | None, typer.Option(help="How long the key lives; for good by default.")] = None,
) -> None:
    """Make a key and print it, and nothing else, on standard output; it cannot be shown again."""
    asked = _validated(KeyRequest, client=client, units=unit or [], days=days)
    expires_at = datetime.now(UTC) + timedelta(days=asked.days) if asked.days is not None else None
    with open_database() as database, database.writing() as session:
        found = resolve_units(session, {f"--unit {name}": name for name in asked.units})
        units = [row.id for row in found.values()]
        key = create_key(session, Caller.command_line(), asked.client, scope, units, expires_at)
    print(key)  # noqa: T201 - the result; only once it is committed


@keys.command("list")
def show() -> None:
    """List all keys, without their secrets."""
    with open_database() as database, database.reading() as session:
        facts = list_keys(session)
    table = Table("prefix", "client", "scopes", "units", "created", "expires", "revoked", box=None)
    for key in facts:
        times = [
            f"{at:%Y-%m-%d %H:%M}" if at is not None else "" for at in (key.created_at, key.expires_at, key.revoked_at)
        ]
        table.add_row(key.prefix, key.client, " ".join(key.scopes), ", ".join(key.units), *times)
    # a pipe has no width: nothing in it is cut short
    (out if out.is_terminal else Console(highlight=False, width=1000)).print(table)


@keys.command("revoke")
def revoke(
    prefix: Annotated[str, typer.Argument(help="The part of the key between its underscores, as `key list` shows it.")],
) -> None:
    """End a key at once and for good."""
    with open_database() as database, database.writing() as session:
        revoke_key(session, Caller.command_line(), prefix)
    err.print(f"Key {prefix} is revoked.")


@commands.command("openapi")
def print_openapi() -> None:
    """Print the OpenAPI document."""
    document = create_app(Settings()).openapi()
    print(json.dumps(document, ensure_ascii=False, indent=2))  # noqa: T201 - the result
