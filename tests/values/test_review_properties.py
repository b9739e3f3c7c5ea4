"""Which value is the newest that counts, after any posts and steps of review: held against the rule in plain words."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlmodel import col

from app.db import Database
from app.tables import LatestValue, Plan, Value
from tests.conftest import MERGE_PATCH, Api
from tests.trying import undone
from tests.values.test_batch_properties import start

SHARE = "xianning-2023.58.1"
UNITS = ("xianning-education-bureau", "jiayu-county-government")
PERIODS = ("2023-05", "2023-06", "2023-06-30", "2023-Q2", "2023-H1")  # all but one end together

units, periods, figures = st.sampled_from(UNITS), st.sampled_from(PERIODS), st.integers(0, 3)
codes = st.builds(lambda unit, period: f"{SHARE}:{unit}:{period}", units, periods)
bodies = st.fixed_dictionaries({"indicator": st.just(SHARE), "unit": units, "period": periods, "value": figures})
actions = st.one_of(
    st.tuples(st.just("post"), bodies),
    st.tuples(st.just("batch"), st.lists(bodies, max_size=5)),
    st.tuples(st.sampled_from(["approval", "return", "withdrawal"]), codes),
    st.tuples(st.just("approvals"), st.lists(codes, min_size=1, max_size=5)),
    st.tuples(st.just("plan"), st.booleans()),
)


class Newest(NamedTuple):
    """A value that counts; the greatest is the newest."""

    period_end: date
    recorded_at: datetime
    period: str
    value: Decimal


def act(api: Api, action: str, what: Any) -> int:
    """Do one thing, as an administrator, and tell how it was answered."""
    if action == "post":
        return api.admin.post("/api/v1/values", json=what).status_code
    if action == "batch":
        return api.admin.post("/api/v1/values/batch?on_error=skip", json=what).status_code
    if action == "approvals":
        body = {"values": [{"code": code} for code in what]}
        return api.admin.post("/api/v1/values/approvals?on_error=skip", json=body).status_code
    if action == "plan":
        body = {"approval_required": what}
        return api.admin.patch("/api/v1/plans/xianning-2023", json=body, headers=MERGE_PATCH).status_code
    return api.admin.post(f"/api/v1/values/{what}/{action}", json={"reason": "核实"}).status_code


def expected(database: Database) -> dict[tuple[int, int], Newest]:
    """Of each indicator and unit the newest value that counts, worked out from all values."""
    found: dict[tuple[int, int], Newest] = {}
    with database.reading() as session:
        approval_required = session.execute(select(col(Plan.approval_required))).scalar_one()
        for value in session.execute(select(Value)).scalars():
            if value.status == "approved" or (value.status == "submitted" and not approval_required):
                pair = (value.indicator_id, value.unit_id)
                one = Newest(value.period_end, value.recorded_at, value.period, value.value)
                found[pair] = max(one, found.get(pair, one))
    return found


def kept(database: Database) -> dict[tuple[int, int], Newest]:
    with database.reading() as session:
        rows = session.execute(select(LatestValue)).scalars()
        return {
            (row.indicator_id, row.unit_id): Newest(row.period_end, row.recorded_at, row.period, row.value)
            for row in rows
        }


class TestEverySequence:
    @undone
    @given(sequence=st.lists(actions, min_size=1, max_size=12))
    def test_newest_is_the_newest_that_counts(
        self, api: Api, database: Database, sequence: list[tuple[str, Any]]
    ) -> None:
        start(api, database)
        with database.writing() as session:
            session.execute(update(Plan).values(approval_required=False))
        for action, what in sequence:
            assert act(api, action, what) in (200, 201, 404, 409)
            assert kept(database) == expected(database), (action, what)
