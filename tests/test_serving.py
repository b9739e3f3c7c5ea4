"""`zeren serve` as processes: what they load, and what becomes of several when one of them, or their parent, ends."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import make_url

from app.migrating import migration_config
from app.shape import newest_revision
from tests.conftest import Template
from tests.server import free_port, kill, start_server

# what only other commands need, or only some requests: it would make each worker larger, and its start later
OF_COMMANDS = {"alembic", "mako", "rich", "pygments", "httpx2", "tomllib"}
OF_FEW_REQUESTS = {"xlsxwriter", "python_calamine", "rapidfuzz"}
OF_PARENT = {"app.cli", "app.logs", "app.request_ids", "app.settings", "app.shape"}
NOT_MIGRATED = "The database is not up to date. Type: zeren migrate\n"
PROC = Path("/proc")
LINES = """
from multiprocessing import get_context
from app.logs import write_line
writers = [get_context("spawn").Process(target=write_line, args=(text * 200_000,)) for text in "abcd"]
for writer in writers:
    writer.start()
for writer in writers:
    writer.join()
"""


@pytest.fixture
def engine() -> str:
    """Processes are the same on both; the test of migration asks for both."""
    return "sqlite"


@contextmanager
def served(url: str, *options: str, stderr: int | None = None, **settings: str) -> Iterator[tuple[int, int]]:
    """The port and the first process of a server; all its processes are gone when the block ends."""
    port = free_port()
    process = start_server(url, port, *options, stderr=stderr or subprocess.DEVNULL, **settings)
    try:
        yield port, process.pid
    finally:
        kill(process)


def status_of(port: int, path: str = "/readyz") -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def workers_of(pid: int) -> set[int]:
    """The children of a server that have loaded the application."""
    children = (PROC / f"{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in children if has_loaded_the_application(int(child))}


def has_loaded_the_application(pid: int) -> bool:
    return "xxhash" in (PROC / f"{pid}/maps").read_text()


def is_alive(pid: int) -> bool:
    try:
        return " Z " not in (PROC / f"{pid}/stat").read_text()  # a zombie waits for its parent to notice
    except OSError:
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def run(*options: str, **settings: str) -> tuple[int, str, str]:
    """Status and outputs of `zeren serve` that ends by itself."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZEREN_")}
    program = "from app.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", str(free_port()), *options]
    done = subprocess.run(command, env=environment | settings, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


class TestLoaded:
    @pytest.mark.parametrize("migrate_on_start", ["false", "true"])
    def test_nothing_that_serving_an_up_to_date_database_does_not_need(
        self, seeded: Template, tmp_path: Path, migrate_on_start: str
    ) -> None:
        log, settings = tmp_path / "log", {"PYTHONPROFILEIMPORTTIME": "1", "ZEREN_MIGRATE_ON_START": migrate_on_start}
        with log.open("wb") as file, served(seeded.url, stderr=file.fileno(), **settings) as (port, _):
            assert status_of(port) == 200
        lines = log.read_text(encoding="utf-8").splitlines()
        loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
        assert {"app.values.routes", "app.middleware", "httptools", "uvloop"} <= loaded
        assert {name.partition(".")[0] for name in loaded} & (OF_COMMANDS | OF_FEW_REQUESTS) == set()
        assert loaded & {"app.commands", "app.values_cli", "app.seeding", "app.migrating", "app.terminal"} == set()

    @pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
    def test_little_to_look_at_a_database_before_its_workers_start(self, seeded: Template) -> None:
        program = "import sys, app.cli; print(app.cli.is_up_to_date(sys.argv[1]), *sorted(sys.modules))"
        command = [sys.executable, "-c", program, seeded.url]
        told, *loaded = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()
        assert told == "True"
        assert {name for name in loaded if name.partition(".")[0] in {"fastapi", "pydantic", "sqlmodel"}} == set()
        assert {name for name in loaded if name.startswith("app.")} <= OF_PARENT


@pytest.mark.skipif(not PROC.exists(), reason="there is no /proc to look into processes")
class TestWorkers:
    def test_parent_does_not_load_the_application(self, seeded: Template) -> None:
        with served(seeded.url, "--workers", "2") as (_, pid):
            wait_until(lambda: len(workers_of(pid)) == 2)
            assert not has_loaded_the_application(pid)

    def test_one_that_is_killed_is_replaced_and_requests_are_answered_all_the_while(self, seeded: Template) -> None:
        with served(seeded.url, "--workers", "2") as (port, pid):
            wait_until(lambda: len(workers_of(pid)) == 2)
            before = workers_of(pid)
            os.kill(min(before), signal.SIGKILL)
            wait_until(lambda: status_of(port) == 200 and len(workers_of(pid)) == 2 and workers_of(pid) != before)

    @pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
    def test_none_outlives_the_parent(self, seeded: Template, end: signal.Signals) -> None:
        with served(seeded.url, "--workers", "2") as (_, pid):
            wait_until(lambda: len(workers_of(pid)) == 2)
            workers = workers_of(pid)
            os.kill(pid, end)
            wait_until(lambda: not any(map(is_alive, workers)))


class TestStart:
    def test_newest_revision_is_the_one_that_alembic_finds(self) -> None:
        assert newest_revision() == ScriptDirectory.from_config(migration_config()).get_current_head()

    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_database_that_cannot_be_used_is_told_once(self, tmp_path: Path, workers: str) -> None:
        url = f"sqlite:///{tmp_path}/zeren.db"
        assert run("--workers", workers, ZEREN_DATABASE_URL=url) == (1, "", NOT_MIGRATED)
        (tmp_path / "other").write_text("no database, but long enough to be looked at " * 100, encoding="utf-8")
        told = run("--workers", workers, ZEREN_DATABASE_URL=f"sqlite:///{tmp_path}/other")
        assert told == (1, "", "The database cannot be used: file is not a database\n")

    @pytest.mark.parametrize("workers", ["1", "2"])
    @pytest.mark.parametrize("engine", ["postgresql"])
    def test_server_that_has_no_such_database_is_told_once(self, empty_database_url: str, workers: str) -> None:
        assert run("--workers", workers, ZEREN_DATABASE_URL=empty_database_url) == (1, "", NOT_MIGRATED)
        other = make_url(empty_database_url).set(database="none").render_as_string(hide_password=False)
        status, out, told = run("--workers", workers, ZEREN_DATABASE_URL=other)
        assert (status, out) == (1, "")
        assert told.startswith("The database cannot be used: ")
        assert told.count('database "none" does not exist') == 1

    def test_migration_that_fails_is_told_once_and_nothing_is_served(self, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "zeren.db")) as connection:
            connection.execute("CREATE TABLE value_revisions (id INTEGER)")
        url = f"sqlite:///{tmp_path}/zeren.db"
        status, out, told = run("--workers", "2", ZEREN_DATABASE_URL=url, ZEREN_MIGRATE_ON_START="true")
        assert (status, out) == (1, "")
        assert told == "The database cannot be used: table value_revisions already exists\n"

    @pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
    def test_migrates_once_before_several_workers(self, empty_database_url: str, tmp_path: Path) -> None:
        log, settings = tmp_path / "log", {"ZEREN_MIGRATE_ON_START": "true"}
        with log.open("wb") as file, served(empty_database_url, "--workers", "2", stderr=file.fileno(), **settings):
            pass
        levels = [json.loads(line)["level"] for line in log.read_text(encoding="utf-8").splitlines()]
        assert set(levels) == {"INFO"}


def test_long_lines_of_several_workers_come_whole() -> None:
    with subprocess.Popen([sys.executable, "-c", LINES], stderr=subprocess.PIPE, text=True) as writing:
        assert writing.stderr is not None
        time.sleep(3)  # they all stand before a pipe that is full
        lines = writing.stderr.read().splitlines()
    assert sorted(lines) == [text * 200_000 for text in "abcd"]
