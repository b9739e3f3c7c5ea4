"""From a code to its row, and to the nearest codes where there is none."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlmodel import col

from app.db import Database
from app.errors import ErrorCode, NotFound
from app.lookups import get_row
from app.tables import Indicator, Plan, Section, Target
from tests.asking import add_plan


def near(database: Database, table: type[Plan | Section | Target | Indicator], code: str) -> list[str]:
    """What is suggested for an unknown code."""
    with database.reading() as session, pytest.raises(NotFound) as refused:
        get_row(session, table, code, "/query/this")
    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == ("/query/this", ErrorCode.unknown_reference)
    assert fault.params["code"] == refused.value.params["code"] == code
    return list(fault.suggestions)


class TestGetRow:
    def test_known(self, database: Database) -> None:
        with database.reading() as session:
            assert get_row(session, Target, "xianning-2023.58", "/t").number == "58"
            assert get_row(session, Plan, "xianning-2023", "/p").year == 2023
            assert get_row(session, Section, "xianning-2023.s1", "/s").position == 1
            assert get_row(session, Indicator, "xianning-2023.67.4", "/i").ordinal == 4

    def test_unknown_names_the_nearest(self, database: Database) -> None:
        assert near(database, Plan, "xianing-2023") == ["xianning-2023"]
        assert near(database, Target, "xianning-2023.85") != []
        assert near(database, Target, "xianning-2032.58")[0] == "xianning-2023.58"
        assert near(database, Section, "xianning-2023.section1")[0].startswith("xianning-2023.s")
        assert near(database, Indicator, "xianning-2023.58.2")[0] == "xianning-2023.58.1"
        assert near(database, Plan, "z") == []

    def test_suggestions_come_from_the_same_plan(self, database: Database) -> None:
        add_plan(database, "xianning-2024", "1.修路。(责任单位:市财政局)\n58.建校。(责任单位:市教育局)")
        assert near(database, Target, "xianning-2024.59") == ["xianning-2024.58", "xianning-2024.1"]

    def test_signs_of_searching_are_plain_characters(self, database: Database) -> None:
        # a code is checked on its way in; here too nothing may turn it into a pattern
        with database.reading() as session, pytest.raises(NotFound):
            get_row(session, Plan, "xianning_2023", "/p")
        with database.reading() as session, pytest.raises(NotFound):
            get_row(session, Target, "%.58", "/t")

    def test_removed_is_unknown_and_not_suggested(self, database: Database) -> None:
        with database.writing() as session:
            get_row(session, Target, "xianning-2023.58", "/t", lock=True).removed_at = datetime.now(UTC)
        assert "xianning-2023.58" not in near(database, Target, "xianning-2023.58")
        with database.reading() as session:
            kept = session.execute(select(col(Target.id)).where(col(Target.code) == "xianning-2023.58")).scalar()
            assert kept is not None
