"""One suite, both engines: every test that asks for `database` or `api` runs on SQLite and on PostgreSQL.

A test gets its own copy of a database that was migrated and seeded once, so tests may write what they like.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import make_url

from app.auth import Caller
from app.clients.service import create_key
from app.db import Database
from app.main import create_app
from app.messages import Language
from app.migrating import migrate
from app.seeding import load_plan, load_units, read_register, shipped_plan
from app.settings import Settings
from app.types import Scope
from app.units.names import resolve_unit
from tests.client import AppClient, close
from tests.postgres import PostgresServer, create_database, drop_database, running_postgres

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
# every client of the tests, with what its key may do and the units it speaks for
CLIENTS: dict[str, tuple[list[Scope], list[str]]] = {
    "admin": ([Scope.admin], []),
    "reader": ([Scope.read], []),
    "reviewer": ([Scope.review], []),
    "education": ([Scope.report], ["市教育局"]),
    "science": ([Scope.report], ["市科技局"]),
    "jiayu": ([Scope.report], ["嘉鱼县人民政府"]),
    "counties": ([Scope.report], ["各县市区人民政府"]),
    "unbound": ([Scope.report], []),
}


@dataclass(frozen=True)
class Template:
    """A migrated and seeded database to copy, and the keys that were made in it."""

    url: str
    keys: dict[str, str]


def _fill(url: str) -> Template:
    database = Database(url)
    migrate(database)
    caller = Caller.command_line()
    with database.writing() as session:
        load_units(session, caller, read_register(shipped_plan()))
        load_plan(session, caller, shipped_plan(), Language.zh)
        keys = {
            name: create_key(session, caller, name, scopes, [resolve_unit(session, unit, "/unit").id for unit in units])
            for name, (scopes, units) in CLIENTS.items()
        }
    database.close()
    return Template(url, keys)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> Template:
    return _fill(create_database(postgres, "template_of_tests"))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return _fill(f"sqlite:///{tmp_path_factory.mktemp('template') / 'zeren.db'}")


_numbers = count()


@pytest.fixture
def empty_database_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without a table."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"empty_{next(_numbers)}"
    yield create_database(server, name)
    drop_database(server, name)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def seeded(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Template]:
    """A copy of the seeded database, and the keys in it."""
    if engine == "sqlite":
        template: Template = request.getfixturevalue("sqlite_template")
        path = tmp_path / "zeren.db"
        shutil.copyfile(template.url.removeprefix("sqlite:///"), path)
        yield Template(f"sqlite:///{path}", template.keys)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    template = request.getfixturevalue("postgres_template")
    name = f"test_{next(_numbers)}"
    yield Template(create_database(server, name, make_url(template.url).database), template.keys)
    drop_database(server, name)


@pytest.fixture
def database(seeded: Template) -> Iterator[Database]:
    """The seeded database, for tests that ask the tables or the services."""
    opened = Database(seeded.url)
    yield opened
    close(opened)


@pytest.fixture(scope="session")
def shared_app() -> FastAPI:
    """The application, built once: what differs from test to test is the database behind it."""
    return create_app(Settings(max_body_bytes=1_000_000))


class Api:
    """The application on the test's own database, as its different clients see it."""

    def __init__(self, app: FastAPI, keys: dict[str, str]) -> None:
        self.app = app
        self.keys = keys

    def __getattr__(self, client: str) -> AppClient:
        """A client by its name in `CLIENTS`, its key in every request."""
        if client not in self.keys:
            raise AttributeError(client)
        return AppClient(
            self.app, raise_server_exceptions=False, headers={"Authorization": f"Bearer {self.keys[client]}"}
        )

    @property
    def anonymous(self) -> AppClient:
        """Somebody without a key."""
        return AppClient(self.app, raise_server_exceptions=False)


@pytest.fixture
def api(shared_app: FastAPI, seeded: Template, database: Database) -> Api:
    shared_app.state.database = database
    return Api(shared_app, seeded.keys)
