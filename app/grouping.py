"""Group commit: writes that wait at the same time share one transaction, and one wait for the disk.

A thread of its own takes all that wait, has them done in one transaction, and answers each after the commit. While it
works, the next ones gather. Nobody's failure is another's: a group that fails leaves nothing, and each of its writes is
then to be done alone, by whoever submitted it.
"""

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

from app.errors import Unavailable

MOST_TOGETHER = 64  # in one transaction: one that fails is done again by as many
MOST_WAITING = 1_000
log = logging.getLogger("zeren.grouping")

# does what some writes want, and gives for each its answer, the exception that it is refused with, or ALONE
Work = Callable[[Session, Sequence[Any]], Sequence[Any]]
ALONE = object()  # the answer to a write that cannot share a transaction, or not this time


class _Waiting:
    """One write that waits: whoever gets `turn` first decides what becomes of it."""

    __slots__ = ("future", "item", "loop", "turn")

    def __init__(self, item: Any) -> None:
        self.item = item
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.turn = threading.Lock()

    def give_up(self) -> None:
        """Refuse it, unless it is being done."""
        if self.turn.acquire(blocking=False) and not self.future.done():
            self.future.set_exception(Unavailable())

    def settle(self, answer: Any) -> None:
        """Answer it; who waited for the answer may be gone."""
        if self.future.done():
            return
        if isinstance(answer, BaseException):
            self.future.set_exception(answer)
        else:
            self.future.set_result(answer)


_Queue = SimpleQueue[_Waiting | None]  # None is the end


class GroupCommit:
    """One kind of write, done in groups, each in a session of `writing`, which commits it.

    `patience`: for how many seconds a write may wait for its turn.
    """

    def __init__(self, work: Work, writing: Callable[[], AbstractContextManager[Session]], patience: float) -> None:
        self._work, self._writing, self._patience = work, writing, patience
        self._gathered: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
        self._lock = threading.Lock()
        self._running: tuple[_Queue, threading.Thread] | None = None

    async def submit(self, item: Any) -> Any:
        """The answer to a write, when it is on disk; ALONE if it is to be done in a transaction of its own.

        Raises what the write is refused with, Unavailable for one that has waited too long, DBAPIError where nobody
        knows whether it was committed.
        """
        waiting = _Waiting(item)
        gathered = self._gathered.setdefault(waiting.loop, [])
        gathered.append(waiting)
        if len(gathered) == 1:
            waiting.loop.call_soon(self._hand_over, waiting.loop)
        patience = waiting.loop.call_later(self._patience, waiting.give_up)
        try:
            return await waiting.future
        except asyncio.CancelledError:
            waiting.turn.acquire(blocking=False)  # nobody waits for it any more
            raise
        finally:
            patience.cancel()

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the thread all that came while the loop was at it: one by one, each would be a group."""
        gathered = self._gathered.pop(loop)
        with self._lock:
            queue = self._running[0] if self._running is not None else self._start()
            room = max(0, MOST_WAITING - queue.qsize())
            for waiting in gathered[:room]:
                queue.put(waiting)
        for waiting in gathered[room:]:
            waiting.settle(ALONE)

    def close(self) -> None:
        """Do what waits, and end the thread; a later write starts another one."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            queue, thread = running
            queue.put(None)
            thread.join()

    def _start(self) -> _Queue:
        queue = _Queue()
        thread = threading.Thread(target=self._serve, args=(queue,), name="group-commit", daemon=True)
        thread.start()  # which may fail: then nobody waits for it
        self._running = queue, thread
        return queue

    def _serve(self, queue: _Queue) -> None:
        """Do all that comes, until the end."""
        while (first := queue.get()) is not None:
            group = [first, *_at_once(queue, MOST_TOGETHER - 1)]
            ended = group[-1] is None
            self._do([waiting for waiting in group if waiting is not None and waiting.turn.acquire(blocking=False)])
            if ended:
                return
            time.sleep(0)  # who waits for SQLite's one connection may wake up, and would find it taken again

    def _do(self, group: Sequence[_Waiting]) -> None:
        if not group:
            return
        answers = self._answers([waiting.item for waiting in group])
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, Any]]] = defaultdict(list)
        for waiting, answer in zip(group, answers, strict=True):
            by_loop[waiting.loop].append((waiting, answer))
        for loop, answered in by_loop.items():
            with suppress(RuntimeError):  # a loop that was closed waits for nothing
                loop.call_soon_threadsafe(_settle, answered)

    def _answers(self, items: Sequence[Any]) -> Sequence[Any]:
        """What becomes of a group."""
        began, committing = time.monotonic(), False
        try:
            with self._writing() as session:
                answers = self._work(session, items)
                committing = True
        except BaseException as error:  # the panics of libraries in Rust are no Exceptions
            if self._is_final(error, time.monotonic() - began, committing=committing):
                return [error.with_traceback(None)] * len(items)
            log.info("a group of %d writes is done one by one", len(items), exc_info=error)
            return [ALONE] * len(items)
        return answers

    def _is_final(self, error: BaseException, seconds: float, *, committing: bool) -> bool:
        """Whether it is of no use, or not safe, to do the writes of a group one by one.

        That is so when they have waited for the database as long as anybody should, and when the connection was lost
        while they were committed: nobody knows whether they were.
        """
        if isinstance(error, DBAPIError) and error.connection_invalidated and committing:
            return True
        return isinstance(error, DBAPIError | PoolTimeout) and seconds >= self._patience


def _at_once(queue: _Queue, most: int) -> list[_Waiting | None]:
    """What waits at this moment, up to the end."""
    found: list[_Waiting | None] = []
    with suppress(Empty):
        while len(found) < most and (not found or found[-1] is not None):
            found.append(queue.get_nowait())
    return found


def _settle(answered: Sequence[tuple[_Waiting, Any]]) -> None:
    for waiting, answer in answered:
        waiting.settle(answer)
