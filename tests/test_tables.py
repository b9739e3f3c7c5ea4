"""The tables: every rule is kept by the database itself, figures are exact, times are instants."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    CheckConstraint,
    Constraint,
    Executable,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from app.columns import RowId
from app.db import Database, violated_constraint
from app.tables import Goal, Plan, metadata
from tests.conftest import Api, Template

# values that break each check; a new check needs a line here
BREAKS: dict[str, dict[str, Any]] = {
    "ck_keys_secret_hash_sha256": {"secret_hash": "0" * 63},
    "ck_units_kind_known": {"kind": "ministry"},
    "ck_units_usci_length": {"usci": "1" * 17},
    "ck_units_region_code_length": {"region_code": "42120"},
    "ck_units_valid_order": {"valid_from": date(2023, 2, 2), "valid_to": date(2023, 2, 1)},
    "ck_units_parent_other": {"id": 10**6, "parent_id": 10**6},
    "ck_unit_members_member_other": {"group_id": 1, "member_id": 1},
    "ck_plans_days_order": {"starts_on": date(2024, 1, 1)},
    "ck_plans_region_code_length": {"region_code": "4212000"},
    "ck_targets_statement_said": {"statement": ""},
    "ck_target_units_role_known": {"role": "boss"},
    "ck_assignments_role_known": {"role": "boss"},
    "ck_assignments_acknowledged_whole": {"acknowledged_at": datetime.now(UTC), "acknowledged_by_id": None},
    "ck_indicators_comparator_known": {"comparator": ">="},
    "ck_indicators_kind_known": {"kind": "share"},
    "ck_indicators_frequency_known": {"frequency": "week"},
    "ck_indicators_goal_version_positive": {"goal_version": 0},
    "ck_goals_range_order": {"goal": Decimal(46), "goal_to": Decimal(46)},
    "ck_goals_version_positive": {"version": 0},
    "ck_goals_comparator_known": {"comparator": ">="},
    "ck_values_status_known": {"status": "lost"},
    "ck_values_version_positive": {"version": 0},
    "ck_value_revisions_status_known": {"status": "lost"},
    "ck_imports_state_known": {"state": "lost"},
}


@pytest.fixture
def full(api: Api, database: Database) -> Database:
    """A database with at least one row in every table."""
    body = {"indicator": "xianning-2023.58.1", "period": "2023-06", "value": 46.8}
    key = {"Idempotency-Key": "first"}
    assert api.education.post("/api/v1/values", json=body, headers=key).status_code == 201
    assert api.education.post("/api/v1/values", json=body | {"value": 47}).status_code == 200
    usci = {"usci": "91350100M000100Y43"}
    headers = {"Content-Type": "application/merge-patch+json"}
    assert api.admin.patch("/api/v1/units/市教育局", json=usci, headers=headers).status_code == 200
    return database


def any_row(database: Database, table: Table, *needed: str) -> dict[str, Any]:
    """A row of a table in which some columns are filled."""
    statement = table.select().where(*(table.c[name].is_not(None) for name in needed)).limit(1)
    with database.reading() as session:
        row = session.execute(statement).first()
    assert row is not None, f"no row in {table.name} with {needed}"
    return dict(row._mapping)


def copied(table: Table, row: dict[str, Any], kept: Constraint | None) -> dict[str, Any]:
    """A row that equals another one only where `kept` forbids it."""
    forbidden = set(kept.columns.keys()) if isinstance(kept, UniqueConstraint | PrimaryKeyConstraint) else set()
    copy = dict(row)
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint) and constraint is not kept:
            name = next(name for name in constraint.columns.keys() if name not in forbidden)  # noqa: SIM118
            value = copy[name]
            copy[name] = value + 10**6 if isinstance(value, int) else value and value[1:] + value[:1]
    return copy


def told(database: Database, *statements: Executable) -> str:
    """Which rule of the database the last of some statements breaks."""
    with database.writer.connect() as connection:
        try:
            for statement in statements:
                connection.execute(statement)
        except IntegrityError as error:
            return violated_constraint(error) or str(error.orig).splitlines()[0]
        return "nothing"


def all_constraints(*kinds: type[Constraint]) -> list[tuple[Table, Any]]:
    return [
        (table, constraint)
        for table in metadata.tables.values()
        for constraint in sorted(table.constraints, key=lambda one: str(one.name))
        if isinstance(constraint, kinds)
    ]


class TestConstraints:
    def test_every_one_has_its_own_name(self) -> None:
        names = [str(constraint.name) for _, constraint in all_constraints(Constraint)]
        assert len(names) == len(set(names))
        assert all(name.partition("_")[0] in ("pk", "fk", "uq", "ck") for name in names)
        assert {str(constraint.name) for _, constraint in all_constraints(CheckConstraint)} == BREAKS.keys()

    def test_every_check_is_kept(self, full: Database) -> None:
        for table, constraint in all_constraints(CheckConstraint):
            row = copied(table, any_row(full, table), None) | BREAKS[constraint.name]
            assert told(full, table.insert().values(**row)) == constraint.name

    def test_every_unique_and_primary_key_is_kept(self, full: Database) -> None:
        for table, constraint in all_constraints(UniqueConstraint, PrimaryKeyConstraint):
            row = any_row(full, table, *constraint.columns.keys())
            assert told(full, table.insert().values(**copied(table, row, constraint))) == constraint.name

    def test_every_foreign_key_is_kept(self, full: Database, engine: str) -> None:
        # a value that revisions point to breaks their rule as well as its own
        first = metadata.tables["value_revisions"].delete()
        for table, constraint in all_constraints(ForeignKeyConstraint):
            row, broken = any_row(full, table), dict.fromkeys(constraint.column_keys[:1], 10**9)
            if "acknowledged_by_id" in broken:
                broken["acknowledged_at"] = datetime.now(UTC)
            one = table.update().where(*(column == row[column.name] for column in table.primary_key))
            # SQLite does not say which one
            name = constraint.name if engine == "postgresql" else "FOREIGN KEY constraint failed"
            assert told(full, *([first] if table.name == "values" else []), one.values(**broken)) == name

    def test_every_needed_column_is_needed(self, full: Database) -> None:
        for table in metadata.tables.values():
            row = copied(table, any_row(full, table), None)
            for column in table.columns:
                # a key that SQLite fills in itself where it is null
                numbered = isinstance(column.type, type(RowId)) and list(table.primary_key) == [column]
                if not column.nullable and not numbered:
                    assert column.name in told(full, table.insert().values(**row | {column.name: None})), column

    def test_rows_that_others_point_to_stay(self, full: Database) -> None:
        for name in ("clients", "units", "plans", "targets", "indicators", "values"):
            with full.writer.connect() as connection, pytest.raises(IntegrityError):
                connection.execute(metadata.tables[name].delete())


class TestFigures:
    FIGURES = (
        Decimal("999999999999.999999"),
        Decimal("-999999999999.999999"),
        Decimal("0.000001"),
        Decimal("46.8"),
        Decimal("1E+11"),
        Decimal(0),
    )

    def test_kept_exactly(self, database: Database, engine: str) -> None:
        with database.writing() as session:
            goal = session.execute(select(Goal).limit(1)).scalar_one()
            key = goal.indicator_id, goal.version
            for figure in self.FIGURES:
                goal.goal = figure
                session.flush()
                session.expire(goal)
                assert session.get_one(Goal, key).goal == figure
                same = select(func.count()).where(col(Goal.goal) == figure, col(Goal.indicator_id) == key[0])
                assert session.execute(same).scalar_one() == 1
                stored = session.execute(text(f"SELECT goal FROM goals WHERE indicator_id = {key[0]}")).scalar_one()  # noqa: S608
                assert stored == (figure * 10**6 if engine == "sqlite" else figure)
                assert isinstance(stored, int if engine == "sqlite" else Decimal)


class TestTimes:
    def test_come_back_aware_in_utc(self, seeded: Template, engine: str) -> None:
        """Whatever zone they are given in, and whatever zone the database's host lives in."""
        zone = "&options=-ctimezone%3DAsia/Shanghai" if engine == "postgresql" else ""
        database = Database(seeded.url + zone)
        written = datetime(2023, 7, 1, 8, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
        with database.writing() as session:
            session.execute(select(Plan)).scalar_one().updated_at = written
        with database.reading() as session:
            plan = session.execute(select(Plan).where(col(Plan.updated_at) == written)).scalar_one()
            read = plan.updated_at
            later = select(Plan).where(col(Plan.updated_at) > written - timedelta(microseconds=1))
            assert session.execute(later).first() is not None
            assert session.execute(select(Plan).where(col(Plan.updated_at) > written)).first() is None
        database.close()
        assert read == written
        assert read.utcoffset() == timedelta(0)
        assert read.isoformat() == "2023-07-01T00:00:00.123456+00:00"
