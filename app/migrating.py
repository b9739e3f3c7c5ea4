"""The database's shape: bringing it up to date, and telling whether it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from app.db import Database, only_writer
from app.derived import DocumentShape
from app.settings import Settings
from app.targets.documents import Track, is_built, rebuild

if TYPE_CHECKING:
    from alembic.config import Config

# Alembic is loaded where it is needed: a server only asks whether its database is up to date


@contextmanager
def open_database(*, migrated: bool = True) -> Iterator[Database]:
    """The settings' database for a command; with `migrated`, only if it has the shape this version needs."""
    settings = Settings.from_environment()
    database = Database(settings.database_url, settings.pool_size)
    try:
        if migrated and not (database.exists() and is_migrated(database)):
            from app.terminal import fail

            fail("The database is not up to date. Type: zeren migrate")
        yield database
    finally:
        database.close()


def migration_config(connection: Connection | None = None) -> "Config":
    """Alembic's configuration for the migrations that are installed with the service, on a connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(str(resources.files("migrations")))).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(database: Database, revision: str = "head", track: Track = iter) -> None:
    """Bring a database to a revision, the newest one by default, in one transaction.

    In another one, what is stored of targets is written anew where another version of the service wrote it; `track`
    may tell somebody how far that is.
    """
    from alembic import command
    from alembic.util import CommandError

    try:
        with database.writer.begin() as connection:
            config = migration_config(connection)
            if revision == "head":
                command.upgrade(config, revision)
            else:
                command.downgrade(config, revision)
    except (DBAPIError, CommandError):
        # of several hosts that start at once, one migrates; the others, which waited for its locks, find it done
        if revision != "head" or not _is_at_head(database):
            raise
    if revision == "head":
        with database.writing() as session:
            only_writer(session, DocumentShape)
            if not is_built(session):
                rebuild(session, track)


def is_migrated(database: Database) -> bool:
    """Whether a database has the shape that this version of the service needs."""
    if not _is_at_head(database):
        return False
    with database.reading() as session:
        return is_built(session)


def _is_at_head(database: Database) -> bool:
    with database.writer.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        stands_at: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return stands_at == newest_revision()


def newest_revision() -> str:
    """The last of the revisions, whose files bear their numbers."""
    names = (file.name for file in (resources.files("migrations") / "versions").iterdir())
    return max(name.partition("_")[0] for name in names if name[:4].isdigit())
