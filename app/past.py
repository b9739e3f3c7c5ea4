"""Reading as of some time: what stands for the tables in a question about the past.

A question is asked as it always is; before it come common table expressions that bear the names of the tables it
mentions and hold their rows as they stood. So no service needs to know that the past is asked for.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    case,
    column,
    exists,
    inspect,
    or_,
    select,
    table,
    tuple_,
)
from sqlalchemy.sql.visitors import iterate

from app.columns import UtcTime
from app.history import VERSIONED
from app.latest import counts, rank
from app.tables import Goal, Import, Indicator, LatestValue, Plan, Target, Value, ValueRevision

AnySelect = Select[*tuple[Any, ...]]
_AT: ColumnElement[Any] = bindparam("as_of", type_=UtcTime)
_KEY = ("indicator_id", "period", "unit_id")
_FIXED = (*_KEY, "period_end")  # what no version changes


def as_of(statement: AnySelect, dialect: str) -> AnySelect:
    """A question about the past, whose instant is the parameter `as_of`."""
    stand_ins = _stand_ins(dialect)
    return statement.add_cte(*(stand_ins[name] for name in sorted(_mentioned(statement) & stand_ins.keys())))


def _mentioned(statement: AnySelect) -> set[str]:
    """The names of the tables that a statement reads."""
    found = set()
    for part in iterate(statement):
        source = part if isinstance(part, FromClause) else getattr(part, "table", None)
        while source is not None and not isinstance(source, Table):
            source = getattr(source, "element", None)
        if source is not None:
            found.add(source.name)
    return found


@cache
def _stand_ins(dialect: str) -> dict[str, CTE]:
    """What stands for each table, by its name."""
    found: dict[str, AnySelect] = {}
    for model, history in VERSIONED.items():
        columns = [history.c[name] for name in _table(model).columns.keys()]  # noqa: SIM118 - not a dictionary
        found[_table(model).name] = select(*columns).where(history.c.from_at <= _AT, history.c.until_at > _AT)
    for model, recorded in ((Goal, "recorded_at"), (ValueRevision, "recorded_at"), (Import, "created_at")):
        rows = _real(model, dialect)
        found[_table(model).name] = select(*rows.c).where(rows.c[recorded] <= _AT)
    found[_table(Value).name] = _values(dialect)
    found[_table(LatestValue).name] = _latest_values(dialect)
    return {name: statement.cte(name).prefix_with("NOT MATERIALIZED") for name, statement in found.items()}


def _table(model: type[Any]) -> Table:
    found: Table = inspect(model).local_table
    return found


def _real(model: type[Any], dialect: str) -> Any:
    """A table itself, inside what bears its name: SQLite would take it for that, and needs the schema."""
    columns = (column(one.name, one.type) for one in _table(model).columns)
    return table(_table(model).name, *columns, schema="main" if dialect == "sqlite" else None)


def _same(one: Any, other: Any, *names: str) -> ColumnElement[bool]:
    return and_(*(one.c[name] == other.c[name] for name in names))


def _superseded(value: Any, dialect: str) -> tuple[Any, ColumnElement[bool]]:
    """The versions of a value that had followed each other by then, and what makes them be its."""
    version = _real(ValueRevision, dialect).alias()
    return version, and_(_same(version, value, *_KEY), version.c.recorded_at <= _AT)


def _then(value: Any, name: str, dialect: str) -> ColumnElement[Any]:
    """What a column of a value was: what it is, unless the version in force is newer."""
    if name in _FIXED:
        return value.c[name]  # type: ignore[no-any-return]
    version, its = _superseded(value, dialect)
    older = select(version.c[name]).where(its).order_by(version.c.version.desc()).limit(1)
    return case((value.c.recorded_at <= _AT, value.c[name]), else_=older.correlate(value).scalar_subquery())


def _was_there(value: Any, dialect: str) -> ColumnElement[bool]:
    _, its = _superseded(value, dialect)
    return or_(value.c.recorded_at <= _AT, exists().where(its))


def _values(dialect: str) -> AnySelect:
    """The values in force: of one table's rows, so that both engines can put it in the place where it is named."""
    value = _real(Value, dialect).alias()
    names = _table(Value).columns.keys()
    return select(*(_then(value, name, dialect).label(name) for name in names)).where(_was_there(value, dialect))


def _latest_values(dialect: str) -> AnySelect:
    """The newest value that counted of each indicator and unit: none that counted was newer.

    Of the keys of values, each with what its newest version was then: so the engines look at few versions.
    """
    waiting = _awaiting_approval(dialect)

    def ranked(value: Any) -> Any:
        facts = {name: _then(value, name, dialect) for name in ("period_end", "recorded_at", "period")}
        return tuple_(*rank(SimpleNamespace(**facts)))

    def counted(value: Any) -> ColumnElement[bool]:
        plans = SimpleNamespace(approval_required=value.c.indicator_id.in_(waiting))
        return counts(SimpleNamespace(status=_then(value, "status", dialect)), plans)

    value, other = (_real(Value, dialect).alias() for _ in range(2))
    newer = exists().where(
        _same(other, value, "indicator_id", "unit_id"),
        other.c.period != value.c.period,
        other.c.period_end >= value.c.period_end,  # said apart, since it is cheap
        ranked(other) > ranked(value),
        counted(other),
    )
    names = _table(LatestValue).columns.keys()
    return select(*(_then(value, name, dialect).label(name) for name in names)).where(counted(value), ~newer)


def _awaiting_approval(dialect: str) -> AnySelect:
    """The indicators of the plans that wanted values to be approved; what an indicator is in never changes."""
    plan = VERSIONED[Plan].alias()
    target, indicator = _real(Target, dialect).alias(), _real(Indicator, dialect).alias()
    plans = select(plan.c.id).where(plan.c.from_at <= _AT, plan.c.until_at > _AT, plan.c.approval_required)
    # not joined: SQLite would begin with all indicators there are
    targets = select(target.c.id).where(target.c.plan_id.in_(plans))
    return select(indicator.c.id).where(indicator.c.target_id.in_(targets))
