"""A client for applications of the tests: all of them run in one event loop, as the requests of a server do."""

import atexit
import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.db import Database

T = TypeVar("T")


@functools.cache
def event_loop() -> BlockingPortal:
    """The loop, in a thread of its own, as long as the process lives."""
    running = start_blocking_portal("asyncio")
    portal = running.__enter__()
    atexit.register(running.__exit__, None, None, None)
    return portal


def in_loop(function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """What an asynchronous function gives."""
    return event_loop().call(function, *arguments)


def close(database: Database) -> None:
    """Give back all connections of a database that a client used."""
    in_loop(database.hot.close)
    database.close()


class AppClient(TestClient):
    """A caller of an application."""

    def __init__(self, app: FastAPI, **options: Any) -> None:
        super().__init__(app, **options)
        self.portal = event_loop()
