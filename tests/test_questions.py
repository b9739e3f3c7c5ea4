"""Questions for keys of those who come at the same time: who is answered by which, and what becomes of failures."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import col, update

from app import hot
from app.auth import Caller, authenticate
from app.clients.service import create_key
from app.db import Database
from app.errors import Unauthenticated
from app.hot_postgresql import Questions
from app.tables import Key
from app.types import Scope
from tests.client import in_loop
from tests.conftest import Api

LOST = OperationalError("SELECT", {}, ConnectionError())


class Asked:
    """What is asked together. Each question waits for its word: that it may end, or how it fails."""

    def __init__(self) -> None:
        self.keys: list[list[str]] = []
        self.words: asyncio.Queue[Exception | None] = asyncio.Queue()
        self.questions = Questions(self.ask)

    async def ask(self, keys: Collection[str]) -> dict[str, tuple[Any, object]]:
        place = len(self.keys)
        self.keys.append(sorted(keys))
        failure = await self.words.get()
        if failure is not None:
            raise failure
        return {key: (key, place) for key in keys}

    def start(self, *keys: str) -> list["asyncio.Task[Any]"]:
        return [asyncio.ensure_future(self.questions.answers(key)) for key in keys]


def run(test: Callable[[Asked], Awaitable[None]]) -> None:
    async def with_asked() -> None:
        async with asyncio.timeout(10):
            await test(Asked())

    asyncio.run(with_asked())


async def a_moment() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class TestQuestions:
    def test_all_who_come_during_one_share_the_next(self) -> None:
        async def test(asked: Asked) -> None:
            first = asked.start("a", "b")
            await a_moment()
            second = asked.start("c", "a", "c")
            await a_moment()
            assert asked.keys == [["a", "b"]]
            asked.words.put_nowait(None)
            await a_moment()
            third = asked.start("d")
            assert asked.keys == [["a", "b"], ["a", "c"]]
            asked.words.put_nowait(None)
            asked.words.put_nowait(None)
            found = [await task for task in (*first, *second, *third)]
            places = [next(iter(one.values()))[1] for one in found]
            assert places == [0, 0, 1, 1, 1, 2]
            assert "a" in found[3]

        run(test)

    def test_failure_is_that_of_its_own_question(self) -> None:
        async def test(asked: Asked) -> None:
            first = asked.start("a", "b")
            await a_moment()
            second = asked.start("c")
            asked.words.put_nowait(LOST)
            asked.words.put_nowait(None)
            assert await asyncio.gather(*first, return_exceptions=True) == [LOST, LOST]
            assert "c" in await second[0]

        run(test)

    def test_failure_of_many_has_the_frames_of_one(self) -> None:
        async def test(asked: Asked) -> None:
            async def frames(task: "asyncio.Task[Any]") -> int:
                try:
                    await task
                except OperationalError as error:
                    frame, count = error.__traceback__, 0
                    while frame is not None:
                        frame, count = frame.tb_next, count + 1
                    return count
                return 0

            told = [asyncio.ensure_future(frames(task)) for task in asked.start(*"abcdefghij")]
            await a_moment()
            asked.words.put_nowait(LOST)
            assert max([await one for one in told]) < 25

        run(test)

    def test_who_is_cancelled_takes_nobody_along(self) -> None:
        async def test(asked: Asked) -> None:
            gone, stays = asked.start("a", "b")
            await a_moment()
            next_gone, next_stays = asked.start("c", "d")
            await a_moment()
            gone.cancel()
            next_gone.cancel()
            asked.words.put_nowait(None)
            asked.words.put_nowait(None)
            assert "b" in await stays
            assert "d" in await next_stays

        run(test)

    def test_one_that_hangs_holds_the_next_up_for_a_moment_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.hot_postgresql.PATIENCE", 0.5)

        async def test(asked: Asked) -> None:
            hanging = asked.start("a")
            await a_moment()
            second = asked.start("b")
            await asyncio.sleep(0.05)
            assert asked.keys == [["a"]]
            await asyncio.sleep(1.5)
            assert asked.keys == [["a"], ["b"]]
            asked.words.put_nowait(None)
            asked.words.put_nowait(None)
            await asyncio.gather(*hanging, *second)

        run(test)

    def test_end_waits_for_what_is_asked_and_for_what_waits(self) -> None:
        async def test(asked: Asked) -> None:
            tasks = asked.start("a")
            await a_moment()
            tasks += asked.start("b")
            ending = asyncio.ensure_future(asked.questions.end())
            await a_moment()
            assert not ending.done()
            asked.words.put_nowait(None)
            asked.words.put_nowait(None)
            await ending
            assert len(asked.keys) == 2
            await asyncio.gather(*tasks)

        run(test)

    def test_event_loop_that_is_gone_leaves_nothing_behind(self) -> None:
        asked = Asked()

        async def leave() -> None:
            asked.start("a")
            await a_moment()
            asked.start("b")

        async def come() -> None:
            asked.words = asyncio.Queue()
            asked.words.put_nowait(None)
            assert list(await asked.questions.answers("c")) == ["c"]

        asyncio.run(leave())
        asyncio.run(come())
        assert asked.keys[-1] == ["c"]


async def outcomes(database: Database, keys: list[str]) -> list[str]:
    """The client of each of the keys that are shown at the same time, or `refused`."""
    asked = (authenticate(database.hot, f"Bearer {key}") for key in keys)
    told = await asyncio.gather(*asked, return_exceptions=True)
    for one in told:
        assert not isinstance(one, BaseException) or isinstance(one, Unauthenticated), one
    return ["refused" if isinstance(one, BaseException) else one[0].code for one in told]


def revoke(database: Database, key: str) -> None:
    with database.writing() as session:
        session.execute(update(Key).where(col(Key.prefix) == key.split("_")[1]).values(revoked_at=datetime.now(UTC)))


class TestKeysAtTheSameTime:
    def test_each_has_its_own_answer(self, api: Api, database: Database) -> None:
        revoke(database, api.keys["science"])
        wrong = f"{api.keys['reader'][:-40]}{api.keys['admin'][-40:]}"
        shown = [api.keys["reader"], wrong, api.keys["science"], api.keys["admin"], f"zrn_{'0' * 10}_{'0' * 40}"]
        for times in (1, 20):
            told = in_loop(outcomes, database, shown * times)
            assert told == ["reader", "refused", "refused", "admin", "refused"] * times

    def test_revoked_key_is_refused_at_once_while_others_ask(self, api: Api, database: Database) -> None:
        """Whatever is under way when it is revoked, whoever comes after that was acknowledged is refused."""

        async def work(name: str) -> None:
            busy = [asyncio.ensure_future(outcomes(database, [api.keys["reader"]] * 200)) for _ in range(5)]
            assert await outcomes(database, [api.keys[name]] * 3) == [name] * 3
            revoking = asyncio.ensure_future(asyncio.to_thread(revoke, database, api.keys[name]))
            while not revoking.done():
                await outcomes(database, [api.keys[name], api.keys["reader"]])
            assert await outcomes(database, [api.keys[name]] * 3) == ["refused"] * 3
            assert {one for told in await asyncio.gather(*busy) for one in told} == {"reader"}

        for name in ("education", "science", "jiayu", "counties"):
            in_loop(work, name)

    def test_key_that_runs_out_is_refused_though_nothing_is_written(self, api: Api, database: Database) -> None:
        with database.writing() as session:
            end = datetime.now(UTC) + timedelta(seconds=1)
            key = create_key(session, Caller.command_line(), "short", [Scope.read], expires_at=end)
        told = []
        while datetime.now(UTC) < end:
            (one,) = in_loop(outcomes, database, [key])
            if datetime.now(UTC) < end:
                told.append(one)
            time.sleep(0.05)
        assert set(told) == {"short"}
        assert in_loop(outcomes, database, [key]) == ["refused"]


@pytest.mark.parametrize("engine", ["sqlite"])
class TestWhatSqliteKeeps:
    def test_version_is_asked_once_for_tasks_that_are_ready_together(self, api: Api, database: Database) -> None:
        async def work() -> list[int]:
            await outcomes(database, [api.keys["reader"]])
            statements: list[str] = []
            database.hot._opened.set_trace_callback(statements.append)  # type: ignore[attr-defined]
            counts = []
            for times in (10, 1, 1):
                await outcomes(database, [api.keys["reader"]] * times)
                counts.append(len(statements))
            return counts

        assert in_loop(work) == [1, 2, 3]

    def test_rows_are_bounded_in_number(self, api: Api, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hot, "MOST_FOUND", 2)
        names = ["reader", "admin", "science", "jiayu"]
        for _ in range(2):
            assert in_loop(outcomes, database, [api.keys[name] for name in names]) == names
        assert len(database.hot._found) == 2  # type: ignore[attr-defined]
