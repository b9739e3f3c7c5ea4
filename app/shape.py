"""The shape of the database that this version of the service needs, and whether a database has it.

Little is loaded here: `zeren serve` asks before it starts its workers, each of which loads all the rest for itself.
"""

from importlib import resources
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, inspect, make_url, text

# A word for how documents of targets are written and stored, which a database notes; where it notes another one,
# migrating it writes all of them anew. It is a digest, which a test works out of the fields that documents have and a
# number that counts ways of storing them: loading what knows the fields takes longer than all else here.
DOCUMENTS = "d6d2ca266ce30281"


def is_up_to_date(url: str) -> bool:
    """Whether there is a database of the shape that this version of the service needs. Raises DBAPIError."""
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite" and not Path(parts.database or "").exists():
        return False  # connecting would make it
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return is_at_newest_revision(connection) and has_documents(connection)


def is_at_newest_revision(connection: Connection) -> bool:
    """Whether a database has the tables of this version."""
    return revision_of(connection) == newest_revision()


def revision_of(connection: Connection) -> str | None:
    """The revision that a database is at; None before the first."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def newest_revision() -> str:
    """The last of the revisions, whose files bear their numbers."""
    names = (file.name for file in (resources.files("migrations") / "versions").iterdir())
    return max(name.partition("_")[0] for name in names if name[:4].isdigit())


def has_documents(connection: Connection) -> bool:
    """Whether all documents of targets are as this version writes them."""
    return list(connection.execute(text("SELECT shape FROM document_shapes")).scalars()) == [DOCUMENTS]
