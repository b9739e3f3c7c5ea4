"""Counting anew which values are the newest: the same as a plain reading of all of them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update
from sqlmodel import Session, col

from app.counting import recount
from app.db import Database
from app.tables import Client, Indicator, LatestValue, Plan, Target, Unit, Value
from app.types import ValueStatus, parse_period
from tests.trying import trying, undone

START = datetime(2023, 7, 1, tzinfo=UTC)
PERIODS = ("2023", "2023-H2", "2023-Q4", "2023-12", "2023-12-31", "2023-06", "2023-Q2", "2023-H1", "2023-06-29")
Row = tuple[int, int, str, date, Decimal, datetime]


@st.composite
def values(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Values of three indicators and units with any status; several are recorded together, or end on one day."""
    keys = draw(st.sets(st.tuples(st.integers(0, 2), st.integers(0, 1), st.sampled_from(PERIODS)), max_size=30))
    return [
        {
            "indicator_id": indicator,
            "unit_id": unit,
            "period": period,
            "value": Decimal(place),
            "status": draw(st.sampled_from([status.value for status in ValueStatus])),
            "recorded_at": START + timedelta(hours=draw(st.integers(0, 2))),
        }
        for place, (indicator, unit, period) in enumerate(sorted(keys))
    ]


def _first(session: Session, column: Any, count: int) -> list[int]:
    return list(session.execute(select(column).order_by(column).limit(count)).scalars())


def store(session: Session, drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write the values, their places become keys of the seeded plan; and a `latest_values` that is all wrong."""
    indicators, units = _first(session, col(Indicator.id), 3), _first(session, col(Unit.id), 2)
    client = _first(session, col(Client.id), 1)[0]
    rows = []
    for one in drawn:
        period = parse_period(one["period"])
        assert period is not None
        keys = {"indicator_id": indicators[one["indicator_id"]], "unit_id": units[one["unit_id"]]}
        rows.append(one | keys | {"period_end": period.last_day, "version": 1, "client_id": client, "request_id": "r"})
    if rows:
        session.execute(insert(Value), rows)
    wrong = {"period": "2022", "period_end": date(2022, 12, 31), "value": Decimal(-1), "recorded_at": START}
    keys = [{"indicator_id": indicator, "unit_id": units[0]} for indicator in indicators]
    session.execute(insert(LatestValue), [key | wrong for key in keys])
    return rows


def expected(rows: list[dict[str, Any]], *, approval_required: bool) -> list[Row]:
    """The newest value that counts of each indicator and unit, by reading them all."""
    counting = ("approved",) if approval_required else ("approved", "submitted")
    newest: dict[tuple[int, int], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["period_end"], row["recorded_at"], row["period"])):
        if row["status"] in counting:
            newest[row["indicator_id"], row["unit_id"]] = row
    names = ("indicator_id", "unit_id", "period", "period_end", "value", "recorded_at")
    return sorted(tuple(row[name] for name in names) for row in newest.values())  # type: ignore[misc]


def latest(session: Session) -> list[Row]:
    columns = select(*LatestValue.__table__.c).order_by(col(LatestValue.indicator_id), col(LatestValue.unit_id))  # type: ignore[attr-defined]
    names = ("indicator_id", "unit_id", "period", "period_end", "value", "recorded_at")
    return [tuple(row._mapping[name] for name in names) for row in session.execute(columns)]  # type: ignore[misc]


class TestRecount:
    @undone
    @given(drawn=values(), approval_required=st.booleans())
    def test_as_a_plain_reading_says(
        self, database: Database, drawn: list[dict[str, Any]], approval_required: bool
    ) -> None:
        with trying(database) as session:
            session.execute(update(Plan).values(approval_required=approval_required))
            rows = store(session, drawn)
            indicators = _first(session, col(Indicator.id), 3)
            recount(session, indicators)
            assert latest(session) == expected(rows, approval_required=approval_required)
            recount(session, indicators)
            assert latest(session) == expected(rows, approval_required=approval_required)

    def test_other_indicators_are_left_alone(self, database: Database) -> None:
        with trying(database) as session:
            store(session, [])
            first, *others = _first(session, col(Indicator.id), 3)
            recount(session, [first, first])
            assert [row[0] for row in latest(session)] == others
            recount(session, [])
            assert [row[0] for row in latest(session)] == others

    def test_more_indicators_than_a_statement_takes(self, database: Database) -> None:
        with trying(database) as session:
            store(session, [])
            recount(session, range(40_000))
            assert latest(session) == []

    def test_removed_indicators_count_as_well(self, database: Database) -> None:
        """What is gone may come back with the next document, and then shows what it had."""
        with trying(database) as session:
            session.execute(update(Target).values(removed_at=START))
            session.execute(update(Indicator).values(removed_at=START))
            drawn = {"indicator_id": 0, "unit_id": 0, "period": "2023-06", "value": Decimal(5), "status": "submitted"}
            rows = store(session, [drawn | {"recorded_at": START}])
            recount(session, _first(session, col(Indicator.id), 3))
            assert latest(session) == expected(rows, approval_required=False)
