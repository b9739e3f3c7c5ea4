"""The past of every row that is changed in place: each state it was committed in, and from when until when.

For each such table there is one more, with all its columns and the two instants; the state in force is in it too, its
end far away. What a flush of a session writes is written here as well, in the same transaction. Goals, versions of
values and imports are never changed: they are their own history.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Column, Index, Table, bindparam, inspect, select
from sqlmodel import Session, SQLModel

from app.columns import UtcTime
from app.tables import (
    Assignment,
    Indicator,
    Plan,
    Section,
    Target,
    TargetUnit,
    Unit,
    UnitAlias,
    UnitMember,
    metadata,
)

Key = tuple[Any, ...]
Row = dict[str, Any]
Written = dict[tuple[str, Key], datetime]
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_MOST_KEYS = 5000  # in one question; SQLite takes some 30,000 parameters

# what readers find rows by, beside their keys
_FOUND_BY: dict[type[SQLModel], list[tuple[str, ...]]] = {
    Plan: [("code",)],
    Section: [("code",), ("plan_id",)],
    Unit: [("code",), ("name_key",), ("parent_id",)],
    UnitAlias: [("alias_key",)],
    UnitMember: [("member_id",)],
    Target: [("code",), ("plan_id", "position", "id")],
    TargetUnit: [("unit_id",)],
    Assignment: [("target_id",), ("unit_id", "id"), ("via_id", "id")],
    Indicator: [("code",), ("target_id", "ordinal")],
}


def _history_of(table: Table, found_by: Iterable[Sequence[str]]) -> Table:
    columns = [
        Column(column.name, column.type, primary_key=column.primary_key, nullable=column.nullable, autoincrement=False)
        for column in table.columns
    ]
    return Table(
        f"{table.name}_history",
        metadata,
        *columns,
        Column("from_at", UtcTime, primary_key=True),
        Column("until_at", UtcTime, nullable=False),
        *(Index(None, *names) for names in found_by),
        sqlite_with_rowid=False,
    )


VERSIONED: dict[type[Any], Table] = {
    model: _history_of(inspect(model).local_table, found_by) for model, found_by in _FOUND_BY.items()
}


class _Keeper:
    """The statements by which the history of one table is written, built once."""

    def __init__(self, model: type[Any], history: Table) -> None:
        table: Table = inspect(model).local_table
        self.name = table.name
        self.columns = [column.name for column in table.columns]
        self.key = [column.name for column in table.primary_key]
        self.numbered = self.key == ["id"]  # a new row's key was never there before
        first = history.c[self.key[0]]
        one = [history.c[name] == bindparam(f"of_{name}") for name in (*self.key, "from_at")]
        self.insert = history.insert()
        self.delete = history.delete().where(*one)
        self.close = history.update().where(*one).values(until_at=bindparam("ends_at"))
        self.last = (
            select(*(history.c[name] for name in (*self.key, "from_at", "until_at")))
            .where(first.in_(bindparam("keys", expanding=True)), history.c.until_at > bindparam("at"))
            .order_by(history.c.from_at)
        )

    def row(self, instance: Any) -> Row:
        """A row's columns as they have just been written."""
        return {name: getattr(instance, name) for name in self.columns}

    def of_key(self, key: Key, from_at: datetime) -> Row:
        """The parameters that name one state of a row."""
        return dict(zip([f"of_{name}" for name in (*self.key, "from_at")], (*key, from_at), strict=True))


_KEEPERS = {model: _Keeper(model, history) for model, history in VERSIONED.items()}


def keep_history(session: Session, at: datetime, written: Written) -> None:
    """Write down what a flush has just written, as of an instant.

    `written` is from when the states are that this transaction has written before, by table and key: they are
    written over, since nobody saw them. Where a row's state is from later than the instant, because a clock was set
    back or a writer that began later was faster, the new state begins a microsecond behind it.
    """
    for model, states in _flushed(session).items():
        keeper = _KEEPERS[model]
        gone, ended, begun = [], [], []
        last = _last_states(session, model, states, at)
        for key, row in states.items():
            start = at
            if key in last:
                from_at, until_at = last[key]
                if until_at < FOREVER:
                    start = max(at, until_at)
                elif written.get((keeper.name, key)) == from_at:
                    start = from_at
                    gone.append(keeper.of_key(key, from_at))
                else:
                    start = max(at, from_at + _TICK)
                    ended.append(keeper.of_key(key, from_at) | {"ends_at": start})
            if row is not None:
                written[keeper.name, key] = start
                begun.append(row | {"from_at": start, "until_at": FOREVER})
        connection = session.connection()
        for statement, parameters in ((keeper.delete, gone), (keeper.close, ended), (keeper.insert, begun)):
            if parameters:
                connection.execute(statement, parameters)


def _flushed(session: Session) -> dict[type[Any], dict[Key, Row | None]]:
    """The rows that a flush wrote, by table and key; None for those that are gone."""
    found: dict[type[Any], dict[Key, Row | None]] = {}

    def add(instances: Iterable[Any], row_of: Callable[[_Keeper, Any], Row | None]) -> None:
        for instance in instances:
            keeper = _KEEPERS.get(type(instance))
            if keeper is not None:
                key = tuple(getattr(instance, name) for name in keeper.key)
                found.setdefault(type(instance), {})[key] = row_of(keeper, instance)

    add(session.deleted, lambda _keeper, _instance: None)
    add((row for row in session.dirty if session.is_modified(row)), _Keeper.row)
    add(session.new, _Keeper.row)
    return found


def _last_states(
    session: Session, model: type[Any], states: dict[Key, Row | None], at: datetime
) -> dict[Key, tuple[datetime, datetime]]:
    """From when until when the last states of some rows are, of those that do not end before an instant."""
    keeper = _KEEPERS[model]
    new = {(row.id,) for row in session.new if type(row) is model} if keeper.numbered else set()
    asked = list(dict.fromkeys(key[0] for key in states if key not in new))
    found: dict[Key, tuple[datetime, datetime]] = {}
    for first in range(0, len(asked), _MOST_KEYS):
        parameters = {"keys": asked[first : first + _MOST_KEYS], "at": at}
        rows = session.connection().execute(keeper.last, parameters)
        found |= {tuple(row[:-2]): (row[-2], row[-1]) for row in rows}
    return found
