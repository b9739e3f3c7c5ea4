"""PostgreSQL for a run: a server of its own, as durable as one in use, with its defaults and a copy of a kept cluster.

The databases of a run are copied from one in the cluster that nobody connects to.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from psycopg import sql
from sqlalchemy import text

from app.db import Database
from bench.data import Size
from bench.filling import Progress, fill
from bench.stores import CACHE, fingerprint, finish, forget_older, is_finished, note_finished
from tests.postgres import (
    PORT,
    PostgresServer,
    _find_identity,
    _find_programs,
    _initialise,
    _make_directory,
    _supervised,
    _wait_until_ready,
    create_database,
    drop_database,
)

_KEPT = "kept"
_COPY = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")


class PostgresStore:
    """Databases of one server."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.process: int | None = int((server.directory / "data" / "postmaster.pid").read_text().split()[0])
        self.url = self._copy("service")

    def _copy(self, name: str) -> str:
        self._server.execute(_COPY.format(sql.Identifier(name), sql.Identifier(_KEPT)))
        return self._server.url(name)

    @contextmanager
    def copied(self, name: str) -> Iterator[str]:
        """The URL of one more copy; gone when the block ends."""
        try:
            yield self._copy(name)
        finally:
            drop_database(self._server, name)


@contextmanager
def opened_cluster(size: Size, progress: Progress) -> Iterator[PostgresStore]:
    """A server with the databases of a run; it is gone when the block ends."""
    identity = _find_identity()
    directory = _make_directory(None, identity)
    kept = CACHE / f"postgresql-{size.name}-{fingerprint()}"
    try:
        programs = _find_programs(directory, identity)
        if kept.exists():
            _restore(kept, directory / "data", identity)
        else:
            forget_older("postgresql", size)
            _initialise(programs, directory, identity, durable=True)
        with _supervised(programs, directory, identity, durable=True):
            server = PostgresServer(directory)
            _wait_until_ready(server)
            _prepare(server, programs, kept, size, progress)
            yield PostgresStore(server)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _prepare(server: PostgresServer, programs: Path, kept: Path, size: Size, progress: Progress) -> None:
    """See to it that the kept database is there and finished, and keep what was made."""
    if kept.exists() and is_finished(kept):
        return
    url = server.url(_KEPT)
    if not kept.exists():
        fill(create_database(server, _KEPT), size, progress)
    with closing(Database(url)) as database:
        finish(database)
        # what an autovacuum would have done by then
        with database.writer.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
    made = kept.with_suffix(f".{os.getpid()}.tmp")
    where = ["-h", str(server.directory), "-p", str(PORT), "-U", "postgres"]
    command = [str(programs / "pg_basebackup"), "-D", str(made), *where, "--checkpoint=fast"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(made, ignore_errors=True)
        raise RuntimeError(f"the database cannot be kept:\n{done.stderr}")
    shutil.rmtree(kept, ignore_errors=True)
    made.rename(kept)
    note_finished(kept)


def _restore(kept: Path, data: Path, identity: dict[str, Any]) -> None:
    """A kept cluster as the account needs it that runs the server."""
    shutil.copytree(kept, data)
    for path in (data, *data.rglob("*")):
        if identity:
            os.chown(path, identity["user"], identity["group"])
    data.chmod(0o700)
