"""The database's shape: bringing it up to date, and telling whether it is."""

from importlib import resources
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.db import Database, only_writer
from app.derived import DocumentShape
from app.targets.documents import is_built, rebuild


def migration_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for the migrations that are installed with the service, on a connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(str(resources.files("migrations")))).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(database: Database, revision: str = "head") -> None:
    """Bring a database to a revision, the newest one by default, in one transaction.

    In another one, what is stored of targets is written anew where another version of the service wrote it.
    """
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
                rebuild(session)


def is_migrated(database: Database) -> bool:
    """Whether a database has the shape that this version of the service needs."""
    if not _is_at_head(database):
        return False
    with database.reading() as session:
        return is_built(session)


def _is_at_head(database: Database) -> bool:
    newest = ScriptDirectory.from_config(migration_config()).get_current_head()
    with database.writer.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == newest
