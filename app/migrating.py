"""Opening the database for a command, and bringing it to the shape that this version needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.db import Database, only_writer
from app.derived import DocumentShape
from app.settings import Settings
from app.shape import has_documents, is_at_newest_revision, is_up_to_date, newest_revision, revision_of
from app.targets.documents import Track, rebuild
from app.terminal import NOT_UP_TO_DATE, fail


@contextmanager
def open_database(*, migrated: bool = True) -> Iterator[Database]:
    """The settings' database for a command; with `migrated`, only if it has the shape this version needs."""
    settings = Settings.from_environment()
    if migrated and not is_up_to_date(settings.database_url):
        fail(NOT_UP_TO_DATE)
    database = Database(settings.database_url, settings.pool_size)
    try:
        yield database
    finally:
        database.close()


def migration_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for the migrations that are installed with the service, on a connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(str(resources.files("migrations")))).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(database: Database, revision: str = "head", track: Track = iter) -> None:
    """Bring a database to a revision, the newest one by default, in one transaction.

    In another one, what is stored of targets is written anew where another version of the service wrote it; `track`
    may tell somebody how far that is.
    """
    try:
        with database.writer.begin() as connection:
            _refuse_newer(connection)
            config = migration_config(connection)
            if revision == "head":
                command.upgrade(config, revision)
            else:
                command.downgrade(config, revision)
    except (DBAPIError, CommandError):
        # of several hosts that start at once, one migrates; the others, which waited for its locks, find it done
        if revision != "head" or not _is_done(database):
            raise
    if revision == "head":
        with database.writing() as session:
            only_writer(session, DocumentShape)
            if not has_documents(session.connection()):
                rebuild(session, track)


def _refuse_newer(connection: Connection) -> None:
    found, newest = revision_of(connection), newest_revision()
    if found is not None and found.isdigit() and found > newest:
        raise CommandError(f"The database is of a newer version of Zeren: it is at {found}, this version at {newest}.")


def _is_done(database: Database) -> bool:
    with database.writer.connect() as connection:
        return is_at_newest_revision(connection)
