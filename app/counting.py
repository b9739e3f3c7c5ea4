"""Counting anew: `latest_values` made again from the values themselves, where it has changed which of them count."""

from collections.abc import Collection

from sqlalchemy import BindParameter, bindparam, delete, func, insert, select
from sqlmodel import Session, col

from app.db import touched_by
from app.latest import counts, rank
from app.tables import Indicator, LatestValue, Plan, Target, Value

_MOST_KEYS = 10_000  # in one statement; SQLite takes 32,766 parameters
_COLUMNS = ["indicator_id", "unit_id", "period", "period_end", "value", "recorded_at"]
_KEYS: BindParameter[int] = bindparam("keys", expanding=True)
_place = func.row_number().over(
    partition_by=(col(Value.indicator_id), col(Value.unit_id)), order_by=[column.desc() for column in rank(Value)]
)
_counting = (
    select(*(getattr(Value, name) for name in _COLUMNS), _place.label("place"))
    .join(Indicator, col(Indicator.id) == col(Value.indicator_id))
    .join(Target, col(Target.id) == col(Indicator.target_id))
    .join(Plan, col(Plan.id) == col(Target.plan_id))
    .where(col(Value.indicator_id).in_(_KEYS), counts(Value, Plan))
    .subquery()
)
_newest = select(*(_counting.c[name] for name in _COLUMNS)).where(_counting.c.place == 1)
_INSERT = insert(LatestValue).from_select(_COLUMNS, _newest)
_DELETE = delete(LatestValue).where(col(LatestValue.indicator_id).in_(_KEYS))


def recount(session: Session, indicators: Collection[int]) -> None:
    """Find again the newest value that counts, for every unit of some indicators, by their keys.

    The caller has locked the indicators, so that nobody records a value of them meanwhile, and has flushed what it
    changed.
    """
    connection = session.connection()
    keys = sorted(set(indicators))
    for start in range(0, len(keys), _MOST_KEYS):
        some = {"keys": keys[start : start + _MOST_KEYS]}
        connection.execute(_DELETE, some)
        connection.execute(_INSERT, some)
    touched_by(session).newest.update(keys)
