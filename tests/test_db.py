"""Transactions: one request is one, it is on disk before the answer leaves, and readers cannot write."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import col
from starlette.types import Message, Receive, Scope, Send

from app.db import Database, contains, violated_constraint
from app.tables import Client, Plan, Unit, Value
from app.types import fold
from tests.client import AppClient
from tests.conftest import Api, Template

BODY = {"indicator": "xianning-2023.58.1", "period": "2023-06", "value": 46.8}


def count(database: Database, table: type[Any]) -> int:
    with database.reading() as session:
        return session.execute(select(func.count()).select_from(table)).scalar_one()


def new_client(code: str) -> Client:
    return Client(code=code, name=code, created_at=datetime.now(UTC))


class TestReading:
    def test_cannot_write(self, database: Database) -> None:
        for statement in (
            "INSERT INTO clients (code, name, created_at) VALUES ('x', 'x', '2023-01-01')",
            "UPDATE plans SET title = 'x'",
            "DELETE FROM unit_aliases",
            "DROP TABLE client_units",
        ):
            with database.reading() as session, pytest.raises(DBAPIError):
                session.execute(text(statement))
        assert count(database, Plan) == 1

    def test_sees_one_state_from_first_to_last(self, database: Database) -> None:
        with database.reading() as session:
            clients = select(func.count()).select_from(Client)
            before = session.execute(clients).scalar_one()
            with database.writing() as writer:
                writer.add(new_client("while-others-read"))
            assert session.execute(clients).scalar_one() == before
        assert count(database, Client) == before + 1


class TestWriting:
    def test_is_committed_at_the_end(self, database: Database, seeded: Template) -> None:
        before = count(database, Client)
        with database.writing() as session:
            session.add(new_client("kept"))
            session.flush()
            assert count(database, Client) == before
        other = Database(seeded.url)
        assert count(other, Client) == before + 1
        other.close()

    def test_is_undone_by_an_exception(self, database: Database) -> None:
        before = count(database, Client)

        def write() -> None:
            with database.writing() as session:
                session.add(new_client("lost"))
                session.flush()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            write()
        assert count(database, Client) == before

    def test_two_processes_wait_for_each_other(self, database: Database, seeded: Template) -> None:
        """Two engines on one database, as two workers have: the second writer waits, nobody is told to try again."""
        other, inside, failures = Database(seeded.url), threading.Event(), []

        def write_second() -> None:
            inside.wait(10)
            try:
                with other.writing() as session:
                    session.execute(select(Plan).with_for_update()).scalar_one().title += "二"
            except DBAPIError as error:
                failures.append(error)

        second = threading.Thread(target=write_second)
        second.start()
        with database.writing() as session:
            session.execute(select(Plan).with_for_update()).scalar_one().title = "一"
            session.flush()
            inside.set()
            second.join(0.2)
            assert second.is_alive()
        second.join(10)
        with database.reading() as session:
            assert session.execute(select(col(Plan.title))).scalar_one() == "一二"
        assert failures == []
        other.close()


class WatchingAnswers:
    """An application that tells what a second connection sees at the moment an answer begins."""

    def __init__(self, app: Any, database: Database) -> None:
        self.app = app
        self.database = database
        self.seen: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.seen.append(count(self.database, Value))
            await send(message)

        await self.app(scope, receive, watch)


class TestCommit:
    def test_comes_before_the_answer(self, api: Api, database: Database, seeded: Template) -> None:
        other = Database(seeded.url)
        watching = WatchingAnswers(api.app, other)
        client = AppClient(watching, headers={"Authorization": f"Bearer {api.keys['education']}"})
        assert client.post("/api/v1/values", json=BODY).status_code == 201
        assert watching.seen == [1]
        other.close()

    @pytest.mark.parametrize("engine", ["postgresql"])
    def test_that_fails_is_no_success(self, api: Api, database: Database) -> None:
        """PostgreSQL may find a rule broken as late as at the commit; SQLite has found them all before."""
        with database.writer.begin() as connection:
            connection.exec_driver_sql(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE unique_violation USING CONSTRAINT = 'uq_clients_code'; END $$"
            )
            connection.exec_driver_sql(
                'CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON "values" DEFERRABLE INITIALLY DEFERRED'
                " FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        response = api.education.post("/api/v1/values", json=BODY)
        assert (response.status_code, response.json()["code"]) == (409, "already_exists")
        assert count(database, Value) == 0

    @pytest.mark.parametrize("engine", ["sqlite"])
    def test_sqlite_is_as_durable_as_it_can_be(self, database: Database) -> None:
        for engine, query_only in ((database.writer, 0), (database.reader, 1)):
            with engine.connect() as connection:
                pragmas = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "query_only": query_only}
                told = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in pragmas}
            assert told == pragmas


class TestContains:
    def test_finds_what_is_meant_and_nothing_else(self, database: Database) -> None:
        name = "100%咸宁_Education\\局"
        with database.writing() as session:
            unit = session.execute(select(Unit).limit(1)).scalar_one()
            unit.name_key = fold(name)
        with database.reading() as session:
            for part, found in (
                ("咸宁", True),
                ("宁_e", True),
                ("EDUCATION", True),
                ("Ｅｄｕ", True),
                ("0%咸", True),
                ("\\局", True),
                ("0_咸", False),
                ("宁%局", False),
                ("宁e", False),
                ("\\%", False),
            ):
                statement = select(Unit).where(contains(col(Unit.name_key), part), col(Unit.id) == unit.id)
                assert (session.execute(statement).first() is not None) is found, part


class TestViolatedConstraint:
    def test_of_a_column_that_must_be_filled_is_none(self, database: Database) -> None:
        with database.writer.connect() as connection, pytest.raises(IntegrityError) as refused:
            connection.execute(text("UPDATE plans SET title = NULL"))
        assert violated_constraint(refused.value) is None
