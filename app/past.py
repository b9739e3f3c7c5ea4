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
    ScalarSelect,
    Select,
    Table,
    and_,
    bindparam,
    column,
    exists,
    func,
    inspect,
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


def _in_force(revision: Any, dialect: str) -> ColumnElement[bool]:
    """Whether a version of a value is the newest that there was."""
    other = _real(ValueRevision, dialect).alias()
    upto = select(func.max(other.c.version)).where(_same(other, revision, *_KEY), other.c.recorded_at <= _AT)
    newest = upto.correlate(revision).scalar_subquery()
    return and_(revision.c.recorded_at <= _AT, revision.c.version == newest)


def _period_end(revision: Any, dialect: str) -> ScalarSelect[Any]:
    value = _real(Value, dialect).alias()
    return select(value.c.period_end).where(_same(value, revision, *_KEY)).correlate(revision).scalar_subquery()


def _values(dialect: str) -> AnySelect:
    """The values in force: of one table's rows, so that both engines can put it in the place where it is named."""
    revision = _real(ValueRevision, dialect).alias()
    columns = [
        _period_end(revision, dialect).label("period_end") if name == "period_end" else revision.c[name]
        for name in _table(Value).columns.keys()  # noqa: SIM118 - not a dictionary
    ]
    return select(*columns).where(_in_force(revision, dialect))


def _latest_values(dialect: str) -> AnySelect:
    """The newest value that counted of each indicator and unit: none that counted was newer.

    Of the keys of values, each with what its newest version was then: so the engines look at few versions.
    """
    waiting = _awaiting_approval(dialect)

    def then(value: Any, name: str) -> Any:
        version = _real(ValueRevision, dialect).alias()
        known = select(version.c[name]).where(_same(version, value, *_KEY), version.c.recorded_at <= _AT)
        return known.order_by(version.c.version.desc()).limit(1).correlate(value).scalar_subquery()

    def ranked(value: Any) -> Any:
        facts = {"period_end": value.c.period_end, "period": value.c.period, "recorded_at": then(value, "recorded_at")}
        return tuple_(*rank(SimpleNamespace(**facts)))

    def counted(value: Any) -> ColumnElement[bool]:
        plans = SimpleNamespace(approval_required=value.c.indicator_id.in_(waiting))
        return counts(SimpleNamespace(status=then(value, "status")), plans)

    value, other = (_real(Value, dialect).alias() for _ in range(2))
    newer = exists().where(
        _same(other, value, "indicator_id", "unit_id"),
        other.c.period != value.c.period,
        other.c.period_end >= value.c.period_end,  # said apart, since it is cheap
        ranked(other) > ranked(value),
        counted(other),
    )
    fixed = (*_KEY, "period_end")
    columns = [
        value.c[name] if name in fixed else then(value, name).label(name)
        for name in _table(LatestValue).columns.keys()  # noqa: SIM118 - not a dictionary
    ]
    return select(*columns).where(counted(value), ~newer)


def _awaiting_approval(dialect: str) -> AnySelect:
    """The indicators of the plans that wanted values to be approved; what an indicator is in never changes."""
    plan = VERSIONED[Plan].alias()
    target, indicator = _real(Target, dialect).alias(), _real(Indicator, dialect).alias()
    plans = select(plan.c.id).where(plan.c.from_at <= _AT, plan.c.until_at > _AT, plan.c.approval_required)
    # not joined: SQLite would begin with all indicators there are
    targets = select(target.c.id).where(target.c.plan_id.in_(plans))
    return select(indicator.c.id).where(indicator.c.target_id.in_(targets))
