"""Where Alembic begins: on the connection that `app.migrating` or a test hands over, else on ZEREN_DATABASE_URL."""

from typing import Literal

from alembic import context
from sqlalchemy import Connection
from sqlmodel import AutoString

from app.db import Database
from app.settings import Settings
from app.tables import metadata


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """SQLModel's own string type is a plain string to the database."""
    return "sa.String()" if kind == "type" and isinstance(item, AutoString) else False


def run_on(connection: Connection) -> None:
    """Run what Alembic was asked for, in the connection's transaction."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_server_default=True,
        render_item=render_item,
        user_module_prefix="columns.",
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run_on(given)
else:
    database = Database(Settings.from_environment().database_url)
    with database.writer.begin() as opened:
        run_on(opened)
    database.close()
