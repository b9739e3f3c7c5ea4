"""Group commit: what shares a transaction, what becomes of each write, and of those that cannot be done together."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session, col

from app.db import Database
from app.errors import NoSuchPath, Unavailable
from app.grouping import ALONE, MOST_TOGETHER, GroupCommit
from app.tables import Client
from tests.client import in_loop
from tests.test_db import new_client

on_postgresql = pytest.mark.parametrize("engine", ["postgresql"])
on_sqlite = pytest.mark.parametrize("engine", ["sqlite"])
PREFIX = "grouped-"


class Writer:
    """Writes clients, in groups that a test can hold up; `fate` says what else becomes of one."""

    def __init__(self, database: Database, patience: float = 30) -> None:
        self.database = database
        self.groups: list[list[str]] = []
        self.begun, self.go = threading.Event(), threading.Event()
        self.go.set()
        self.fate: Callable[[Session, str], Any] = lambda _session, code: code
        self.commit = GroupCommit(self.work, database.writing, patience)

    def work(self, session: Session, codes: Sequence[str]) -> list[Any]:
        """Write one client for each code that is not refused."""
        self.groups.append(list(codes))
        self.begun.set()
        assert self.go.wait(20)
        answers = []
        for code in codes:
            answers.append(self.fate(session, code))
            if answers[-1] == code:
                session.add(new_client(f"{PREFIX}{code}"))
        return answers

    async def hold_up(self, *codes: str) -> list["asyncio.Future[Any]"]:
        """A first write, `0`, which is held up while it is done, and others that wait for it, and so come together."""
        self.go.clear()
        first = asyncio.ensure_future(self.commit.submit("0"))
        await asyncio.to_thread(self.begun.wait, 20)
        others = [asyncio.ensure_future(self.commit.submit(code)) for code in codes]
        for _ in range(3):  # they are submitted, and handed over
            await asyncio.sleep(0)
        return [first, *others]

    async def submit_all(self, *codes: str) -> list[Any]:
        """The answers to these writes."""
        waiting = await self.hold_up(*codes)
        self.go.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    def written(self) -> set[str]:
        """The codes that are in the database."""
        with self.database.reading() as session:
            found = session.execute(select(col(Client.code)).where(col(Client.code).startswith(PREFIX))).scalars()
            return {code.removeprefix(PREFIX) for code in found}


class TestTogether:
    def test_what_waits_shares_a_transaction(self, database: Database) -> None:
        writer = Writer(database)
        assert in_loop(writer.submit_all, "1", "2", "3") == ["0", "1", "2", "3"]
        assert writer.groups == [["0"], ["1", "2", "3"]]
        assert writer.written() == {"0", "1", "2", "3"}
        writer.commit.close()

    def test_group_has_a_most(self, database: Database) -> None:
        writer = Writer(database)
        codes = [str(number) for number in range(MOST_TOGETHER + 3)]
        assert in_loop(writer.submit_all, *codes[1:]) == codes
        assert [len(group) for group in writer.groups] == [1, MOST_TOGETHER, 2]
        writer.commit.close()

    def test_refusal_is_told_to_its_own_only(self, database: Database) -> None:
        writer = Writer(database)
        writer.fate = lambda _session, code: NoSuchPath(path=code) if code == "2" else code
        told = in_loop(writer.submit_all, "1", "2", "3")
        assert [told[0], told[1], told[3]] == ["0", "1", "3"]
        assert isinstance(told[2], NoSuchPath)
        assert writer.written() == {"0", "1", "3"}
        writer.commit.close()

    def test_answer_comes_after_the_commit(self, database: Database) -> None:
        writer = Writer(database)

        async def write_and_look() -> set[str]:
            await writer.commit.submit("1")
            return writer.written()

        assert in_loop(write_and_look) == {"1"}
        writer.commit.close()


class TestFailure:
    @pytest.mark.parametrize("error", [ValueError, MemoryError, SystemExit])
    def test_leaves_nothing_and_each_is_to_be_done_alone(self, database: Database, error: type[BaseException]) -> None:
        def fail(_session: Session, code: str) -> str:
            if code == "2":
                raise error
            return code

        writer = Writer(database)
        writer.fate = fail
        assert in_loop(writer.submit_all, "1", "2", "3") == ["0", ALONE, ALONE, ALONE]
        assert writer.written() == {"0"}
        assert in_loop(writer.commit.submit, "4") == "4"
        writer.commit.close()

    def test_broken_rule_leaves_nothing_and_each_is_to_be_done_alone(self, database: Database) -> None:
        writer = Writer(database)
        assert in_loop(writer.submit_all, "1", "1") == ["0", ALONE, ALONE]
        assert writer.written() == {"0"}
        writer.commit.close()

    @on_postgresql
    def test_connection_lost_before_the_commit_is_to_be_done_alone(self, database: Database) -> None:
        def end_own_connection(session: Session, code: str) -> str:
            if code == "1":
                session.connection().exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
            return code

        writer = Writer(database)
        writer.fate = end_own_connection
        assert in_loop(writer.submit_all, "1", "2") == ["0", ALONE, ALONE]
        assert in_loop(writer.commit.submit, "3") == "3"
        writer.commit.close()

    @on_postgresql
    def test_connection_lost_while_committing_is_told_since_nobody_knows(self, database: Database) -> None:
        def be_ended(session: Session, code: str) -> str:
            own = session.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            with database.writing() as other:
                other.connection().exec_driver_sql(f"SELECT pg_terminate_backend({own}, 5000)")
            return code

        writer = Writer(database)
        writer.fate = be_ended
        with pytest.raises(OperationalError):
            in_loop(writer.commit.submit, "1")
        writer.commit.close()


class TestWaiting:
    def test_too_long_is_refused_and_not_done_later(self, database: Database) -> None:
        writer = Writer(database, patience=0.2)

        async def wait_behind_another() -> list[Any]:
            first, second = await writer.hold_up("1")
            told = await asyncio.gather(second, return_exceptions=True)
            writer.go.set()
            return [*told, await first]

        refused, first = in_loop(wait_behind_another)
        assert isinstance(refused, Unavailable)
        assert first == "0"
        writer.commit.close()
        assert writer.written() == {"0"}

    @on_sqlite
    def test_too_long_for_the_one_connection_is_told(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.engines.BUSY_SECONDS", 0.2)
        impatient = Database(database.url)
        writer = Writer(impatient, patience=0.2)
        with impatient.writing() as session:
            session.connection()
            with pytest.raises((PoolTimeout, Unavailable)):
                in_loop(writer.commit.submit, "1")
        writer.commit.close()
        impatient.close()

    def test_more_than_the_most_are_to_be_done_alone(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.grouping.MOST_WAITING", 2)
        writer = Writer(database)
        assert in_loop(writer.submit_all, "1", "2", "3", "4") == ["0", "1", "2", ALONE, ALONE]
        writer.commit.close()

    def test_who_went_away_is_not_waited_for(self, database: Database) -> None:
        writer = Writer(database)

        async def one_goes() -> list[Any]:
            waiting = await writer.hold_up("1", "2")
            waiting[0].cancel()  # it is being done, and will be
            waiting[1].cancel()  # it is not, and will not be
            await asyncio.sleep(0)
            writer.go.set()
            return await asyncio.gather(*waiting, return_exceptions=True)

        told = in_loop(one_goes)
        assert [type(one) for one in told[:2]] == [asyncio.CancelledError] * 2
        assert told[2] == "2"
        writer.commit.close()
        assert writer.written() == {"0", "2"}

    @on_sqlite
    def test_other_writers_get_their_turn_between_groups(self, database: Database) -> None:
        """SQLite has one writing connection: a stream of groups must not keep it to itself."""
        writer = Writer(database)
        numbers, ended = count(), False

        async def keep_many_waiting() -> None:
            waiting: set[asyncio.Future[Any]] = set()
            while not ended:
                while len(waiting) < 3 * MOST_TOGETHER:
                    number = next(numbers)
                    waiting.add(asyncio.ensure_future(writer.commit.submit(f"{number}")))
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.gather(*waiting)

        stream = threading.Thread(target=in_loop, args=(keep_many_waiting,))
        stream.start()
        waits = []
        try:
            for number in range(20):
                time.sleep(0.02)  # groups are under way
                began = time.monotonic()
                with database.writing() as session:
                    session.add(new_client(f"plain-{number}"))
                waits.append(time.monotonic() - began)
        finally:
            ended = True
            stream.join()
            writer.commit.close()
        assert len(writer.groups) > 5
        assert max(waits) < 2


class TestClosing:
    def test_what_waits_is_done(self, database: Database) -> None:
        writer = Writer(database)

        async def close_while_some_wait() -> list[Any]:
            waiting = await writer.hold_up("1", "2")
            writer.go.set()
            writer.commit.close()
            assert writer.written() == {"0", "1", "2"}
            return await asyncio.gather(*waiting)

        assert in_loop(close_while_some_wait) == ["0", "1", "2"]

    def test_later_writes_are_done_too(self, database: Database) -> None:
        writer = Writer(database)
        writer.commit.close()
        assert in_loop(writer.commit.submit, "1") == "1"
        writer.commit.close()
        writer.commit.close()
        assert in_loop(writer.commit.submit, "2") == "2"
        database.close()
        writer.commit.close()

    def test_loop_that_has_ended_waits_for_nothing(self, database: Database) -> None:
        writer = Writer(database)

        async def submit_and_leave() -> None:
            (waiting,) = await writer.hold_up()
            waiting.cancel()

        asyncio.run(submit_and_leave())
        writer.go.set()
        assert in_loop(writer.commit.submit, "1") == "1"
        writer.commit.close()
        assert writer.written() == {"0", "1"}
