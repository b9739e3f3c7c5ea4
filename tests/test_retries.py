"""The one retry: a transaction that the database undid in favour of another one is run again, and leaves no traces."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import pytest
from fastapi import Response
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col

from app.db import MOST_TRIES, Database, WriteSession
from app.errors import NoSuchPath
from app.main import create_app
from app.routing import Router, operation
from app.schemas import Output
from app.settings import Settings
from app.tables import Plan, Unit
from app.types import Scope
from tests.client import AppClient
from tests.conftest import Template
from tests.history import snapshot
from tests.test_errors import problem

on_postgresql = pytest.mark.parametrize("engine", ["postgresql"])
on_sqlite = pytest.mark.parametrize("engine", ["sqlite"])


UNITS = "xianning-education-bureau", "xianning-science-and-technology-bureau"


class Done(Output):
    """What a trial answers."""

    tries: int


class Trials:
    """An application with one more operation, whose work a test gives, on the test's database."""

    def __init__(self, template: Template, database: Database) -> None:
        self.work: Callable[[Session, int], object] = lambda _session, _number: None
        self.on_busy: Callable[[], object] = lambda: None
        self.tries = 0
        numbers, routes = count(1), Router("plans")

        @routes.post("/trial", status_code=201, **operation(Scope.admin))
        def try_something(session: WriteSession, response: Response) -> Done:
            """Try something."""
            number = self.tries = next(numbers)
            assert "left" not in session.info
            session.info["left"] = response.headers["X-Left"] = "by a try"
            response.status_code = 200 if number == 1 else None
            try:
                session.connection()
            except OperationalError:
                self.on_busy()
                raise
            session.add(Plan(code=f"try-{number}", title="x", year=2024, **DAYS))
            session.flush()
            self.work(session, number)
            return Done(tries=number)

        app = create_app(Settings(database_url=template.url))
        app.state.database.close()
        app.state.database = database
        app.include_router(routes)
        headers = {"Authorization": f"Bearer {template.keys['admin']}"}
        self.client = AppClient(app, raise_server_exceptions=False, headers=headers)

    def post(self, **headers: str) -> Any:
        """Ask for the work to be done."""
        return self.client.post("/api/v1/trial", headers=headers)


DAYS: Any = {"starts_on": date(2024, 1, 1), "ends_on": date(2024, 12, 31), "updated_at": datetime.now(UTC)}


@pytest.fixture
def trials(seeded: Template, database: Database) -> Trials:
    return Trials(seeded, database)


def plans(database: Database) -> set[str]:
    """The plans that trials have left."""
    with database.reading() as session:
        return set(session.execute(select(col(Plan.code)).where(col(Plan.code).startswith("try-"))).scalars())


def hold(database: Database) -> sqlite3.Connection:
    """Another process that writes, for whom the service does not wait."""
    with database.writer.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(database.url.removeprefix("sqlite:///"), check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other


def refuse(condition: str) -> Callable[[Session, int], object]:
    """Work that PostgreSQL undoes, with the given condition, at its first tries."""

    def work(session: Session, number: int) -> None:
        if number < MOST_TRIES:
            session.connection().exec_driver_sql(f"DO $$ BEGIN RAISE {condition}; END $$")

    return work


class TestUndoneByTheDatabase:
    @on_postgresql
    @pytest.mark.parametrize("condition", ["serialization_failure", "deadlock_detected"])
    def test_is_run_again_without_traces_of_the_first_tries(
        self, trials: Trials, database: Database, condition: str
    ) -> None:
        trials.work = refuse(condition)
        response = trials.post()
        assert (response.status_code, response.json()) == (201, {"tries": MOST_TRIES})
        assert response.headers.get_list("X-Left") == ["by a try"]
        assert plans(database) == {f"try-{MOST_TRIES}"}

    @on_postgresql
    def test_answer_is_kept_under_its_key_once(self, trials: Trials, database: Database) -> None:
        trials.work = refuse("serialization_failure")
        key = {"Idempotency-Key": "k"}
        first, again = trials.post(**key), trials.post(**key)
        assert (first.status_code, first.content, trials.tries) == (201, again.content, MOST_TRIES)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert plans(database) == {f"try-{MOST_TRIES}"}

    @on_postgresql
    def test_at_the_commit_is_run_again(self, trials: Trials, database: Database) -> None:
        with database.writer.begin() as connection:
            connection.exec_driver_sql("CREATE SEQUENCE commits")
            connection.exec_driver_sql(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " IF nextval('commits') < 3 THEN RAISE serialization_failure; END IF; RETURN NULL; END $$"
            )
            connection.exec_driver_sql(
                "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON plans DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        assert (trials.post().status_code, trials.tries) == (201, 3)
        assert plans(database) == {"try-3"}

    @on_postgresql
    def test_each_time_is_503_in_the_end(self, trials: Trials, database: Database) -> None:
        before = snapshot(database)
        trials.work = lambda session, _: refuse("serialization_failure")(session, 1)
        problem(trials.post(**{"Idempotency-Key": "k"}), 503, "unavailable")
        assert trials.tries == MOST_TRIES
        assert snapshot(database) == before

    @on_postgresql
    def test_deadlock_of_two_requests_is_none_to_either(self, trials: Trials, database: Database) -> None:
        """Each holds the row that the other one wants."""
        units, both, firsts = list(UNITS), threading.Barrier(2), dict[int, list[str]]()

        def lengthen(session: Session, number: int) -> None:
            thread = threading.get_ident()
            fresh = thread not in firsts
            first, second = firsts.setdefault(thread, units if number == 1 else units[::-1])
            for code, wait in ((first, fresh), (second, False)):
                longer = update(Unit).where(col(Unit.code) == code).values(name=col(Unit.name) + "x")
                session.connection().execute(longer)
                if wait:
                    both.wait(30)

        trials.work = lengthen
        with ThreadPoolExecutor(2) as pool:
            answers = [future.result(60) for future in [pool.submit(trials.post) for _ in range(2)]]
        assert {answer.status_code for answer in answers} <= {200, 201}
        assert trials.tries == 3
        with database.reading() as session:
            names = session.execute(select(col(Unit.name)).where(col(Unit.name).like("%x"))).scalars()
            assert sorted(names) == ["咸宁市教育局xx", "咸宁市科学技术局xx"]

    @on_sqlite
    def test_busy_is_run_again(self, trials: Trials, database: Database) -> None:
        other = hold(database)
        trials.on_busy = other.rollback
        assert (trials.post().status_code, trials.tries) == (201, 2)

    @on_sqlite
    def test_busy_for_as_long_as_anybody_waits_is_503(
        self, trials: Trials, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = hold(database)
        monkeypatch.setattr("app.db.BUSY_SECONDS", 0)
        problem(trials.post(), 503, "unavailable")
        assert trials.tries == 1
        other.rollback()


class TestLostConnection:
    @on_postgresql
    def test_before_the_commit_is_run_again(self, trials: Trials, database: Database) -> None:
        def end_own_connection(session: Session, number: int) -> None:
            if number == 1:
                session.connection().exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

        trials.work = end_own_connection
        assert (trials.post().status_code, trials.tries) == (201, 2)
        assert plans(database) == {"try-2"}

    @on_postgresql
    def test_while_committing_is_503_since_nobody_knows(self, trials: Trials, database: Database) -> None:
        def be_ended(session: Session, _number: int) -> None:
            own = session.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            with database.writing() as other:
                other.connection().exec_driver_sql(f"SELECT pg_terminate_backend({own}, 5000)")

        trials.work = be_ended
        problem(trials.post(), 503, "unavailable")
        assert trials.tries == 1


class TestRefusals:
    @on_postgresql
    def test_waited_too_long_for_another_writer_503_at_once(self, trials: Trials, database: Database) -> None:
        def want(session: Session, _number: int) -> None:
            session.connection().exec_driver_sql("SET LOCAL lock_timeout = '10ms'")
            session.execute(select(Unit).with_for_update())

        trials.work = want
        with database.writing() as other:
            other.execute(select(Unit).with_for_update())
            problem(trials.post(), 503, "unavailable")
        assert trials.tries == 1

    def test_broken_rule_409_at_once(self, trials: Trials) -> None:
        def repeat(session: Session, number: int) -> None:
            session.add(Plan(code=f"try-{number}", title="x", year=2024, **DAYS))
            session.flush()

        trials.work = repeat
        problem(trials.post(), 409, "already_exists")
        assert trials.tries == 1

    def test_of_ours_is_told_at_once(self, trials: Trials) -> None:
        def refuse_it(_session: Session, _number: int) -> None:
            raise NoSuchPath(path="/")

        trials.work = refuse_it
        problem(trials.post(), 404, "no_such_path")
        assert trials.tries == 1
