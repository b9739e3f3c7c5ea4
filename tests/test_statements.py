"""Statements that are built once: what SQLAlchemy must not make of them."""

import pytest

from app.db import Database
from app.statements import connection_of, prepared
from app.values.subjects import SUBJECTS_WITH_CODES


class TestAmong:
    @pytest.mark.parametrize("engine", ["sqlite"])
    def test_looks_keys_up_in_the_index(self, database: Database) -> None:
        asked = prepared(SUBJECTS_WITH_CODES, "sqlite")
        with database.reading() as session:
            plan = connection_of(session).exec_driver_sql(f"EXPLAIN QUERY PLAN {asked.text}", ("[]",)).all()
        assert [row[3] for row in plan if "indicators" in row[3]] == [
            "SEARCH indicators USING INDEX sqlite_autoindex_indicators_1 (code=?)"
        ]


class TestConnectionOf:
    def test_is_in_the_savepoint_that_has_begun(self, database: Database) -> None:
        with database.writing() as session:
            connection_of(session)
            with session.begin_nested() as savepoint:
                connection_of(session).exec_driver_sql("DELETE FROM assignments")
                savepoint.rollback()
            left = connection_of(session).exec_driver_sql("SELECT count(*) FROM assignments").scalar_one()
        assert left > 0
