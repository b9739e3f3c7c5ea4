"""Connections of PostgreSQL's pool that are dead before anybody uses them."""

from contextlib import ExitStack

import pytest
from sqlalchemy import make_url, text

from app.db import Database
from tests.conftest import Api

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])


def open_writers(database: Database, number: int) -> None:
    """Have so many connections in the pool of writers, all used a moment ago."""
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(database.writing()).connection()


def cut_writers(database: Database) -> int:
    """End the server's side of them all, as a failover does, and say how many there were."""
    query = text(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = :name AND pid <> pg_backend_pid() AND state = 'idle'"
    )
    with database.reader.connect() as connection:
        found = connection.execute(query, {"name": make_url(database.url).database}).all()
    return len(found)


class TestConnectionThatWasCut:
    def test_and_not_used_for_long_is_replaced_before_it_is_used(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.engines.FRESH_SECONDS", 0)
        open_writers(database, 3)
        assert cut_writers(database) >= 3
        for _ in range(3):
            with database.writing() as session:
                assert session.connection().exec_driver_sql("SELECT 1").scalar_one() == 1

    def test_with_many_others_and_used_a_moment_ago_costs_no_request_more_than_a_second_try(
        self, api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.engines.FRESH_SECONDS", 60)
        open_writers(database, 6)
        assert cut_writers(database) >= 6
        figure = {"indicator": "xianning-2023.58.1", "unit": "xianning-education-bureau", "period": "2023-06"}
        for value in (1, 2):
            assert api.admin.post("/api/v1/values", json=figure | {"value": value}).is_success
