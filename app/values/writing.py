"""The only place that writes values: each is a new version, the one before kept as a revision, and told as a change.

Statements carry columns, no mapped objects, and all rows of a request are written together: this is the path that
every office takes, often.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import FromClause, insert, select
from sqlmodel import Session, col

from app.auth import Caller
from app.bulk import KeySet, fetch_keyed, insert_many, run_keyed, update_many, upsert_many
from app.changes.service import record_changes
from app.counting import recount
from app.db import touched_by
from app.schemas import NamedUnit
from app.statements import sent_together
from app.tables import Client, LatestValue, ValueRevision
from app.tables import Value as ValueTable
from app.types import Period, ValueStatus
from app.units.names import UnitRow
from app.values.schemas import Value
from app.values.subjects import Subject

Key = tuple[int, str, int]  # indicator, period, unit
Pair = tuple[int, int]  # indicator, unit
KEYS = KeySet(indicator_id=int, period=str, unit_id=int)
_PAIRS = KeySet(indicator_id=int, unit_id=int)


class Current(NamedTuple):
    """The value in force, and who wrote it."""

    value: Decimal
    note: str | None
    evidence_url: str | None
    reason: str | None
    status: str
    version: int
    recorded_at: datetime
    client_id: int
    client: str


_CONTENT = Current._fields[:-1]  # the client's code, which comes last, stands in its own table
CURRENT_COLUMNS = [*(col(getattr(ValueTable, name)) for name in _CONTENT), col(Client.code)]


class Place(NamedTuple):
    """Where a figure stands: the key of its row, and what that names."""

    key: Key
    subject: Subject
    unit: UnitRow
    period: Period

    @classmethod
    def of(cls, subject: Subject, unit: UnitRow, period: Period) -> "Place":
        """The place of an indicator, a unit and a period."""
        return cls((subject.id, period.text, unit.id), subject, unit, period)


class Version(NamedTuple):
    """A value as it is to be from now on, and who says so; `before` is what it was, None for the first version."""

    place: Place
    before: Current | None
    now: Current
    caller: Caller


class Newest(NamedTuple):
    """The newest value of an indicator and unit that counts; the first three tell which of two is newer."""

    period_end: date
    recorded_at: datetime
    period: str
    value: Decimal


def _at_keys(keys: FromClause) -> Any:
    return (
        select(*(col(getattr(ValueTable, name)) for name in KEYS.parts), *CURRENT_COLUMNS)
        .select_from(keys)
        .join(ValueTable, KEYS.match(ValueTable, keys))
        .join(Client, col(Client.id) == col(ValueTable.client_id))
    )


def _newest_of_pairs(pairs: FromClause) -> Any:
    return (
        select(col(LatestValue.indicator_id), col(LatestValue.unit_id), col(LatestValue.period))
        .select_from(pairs)
        .join(LatestValue, _PAIRS.match(LatestValue, pairs))
    )


_APPROVED, _SUBMITTED = ValueStatus.approved.value, ValueStatus.submitted.value


def values_at(session: Session, keys: Sequence[Key]) -> dict[Key, Current]:
    """The values in force at some keys."""
    return {row[:3]: Current._make(row[3:]) for row in fetch_keyed(session, _at_keys, KEYS, keys)}


def write_versions(session: Session, versions: Sequence[Version], at: datetime) -> None:
    """Put versions in force, keep those that were, and tell of them.

    The caller of this function has locked their indicators.
    """
    if not versions:
        return
    first = [version for version in versions if version.before is None]
    following = [version for version in versions if version.before is not None]
    ends = [version.place.period.last_day for version in first]
    with sent_together(session):
        insert_many(session, ValueTable, _keys(first) | {"period_end": ends} | _contents(first))
        run_keyed(session, _supersede, KEYS, [version.place.key for version in following])
        update_many(session, ValueTable, _keys(following), _contents(following))
        record_changes(session, [new.caller for new in versions], "value", at, [_change(new) for new in versions])
        gone = _keep_latest(session, versions)
    recount(session, gone)  # where the newest one counts no longer, an older one takes its place


def _supersede(keys: FromClause) -> Any:
    """Keep what stands at some keys as revisions: another version is about to take its place."""
    names = (*KEYS.parts, *_CONTENT, "request_id")
    standing = select(*(col(getattr(ValueTable, name)) for name in names)).select_from(keys)
    return insert(ValueRevision).from_select(names, standing.join(ValueTable, KEYS.match(ValueTable, keys)))


def _keys(versions: Sequence[Version]) -> dict[str, Sequence[Any]]:
    return _columns(KEYS.parts, [version.place.key for version in versions])


def _contents(versions: Sequence[Version]) -> dict[str, Sequence[Any]]:
    requests = {"request_id": [version.caller.request_id for version in versions]}
    return _columns(_CONTENT, [version.now for version in versions]) | requests


def _columns(names: Iterable[str], rows: Sequence[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    return dict(zip(names, zip(*rows, strict=True), strict=False))


def _change(new: Version) -> tuple[str, str, str, int, int]:
    """What happened: the version says all of it, and stays for good; a batch need not write it twice."""
    subject, unit = new.place.subject, new.place.unit
    code = f"{subject.code}:{unit.code}:{new.place.period.text}"
    return new.now.status, code, f'{{"version": {new.now.version}}}', subject.plan_id, unit.id


def _keep_latest(session: Session, versions: Sequence[Version]) -> set[int]:
    """Note which values are now the newest that count, and tell of which indicators one was that counts no longer.

    The rule is in `app.latest`.
    """
    counting: dict[Pair, Newest] = {}
    dropped: dict[Pair, set[str]] = {}
    for (key, subject, unit, period), _, now, _ in versions:
        pair = key[0], unit.id
        if _counts(subject, now.status):
            newest = Newest(period.last_day, now.recorded_at, period.text, now.value)
            if pair not in counting or counting[pair] < newest:
                counting[pair] = newest
        else:
            dropped.setdefault(pair, set()).add(period.text)
    rows = fetch_keyed(session, _newest_of_pairs, _PAIRS, list(dropped))
    gone = {indicator for indicator, unit, period in rows if period in dropped[indicator, unit]}
    pairs = _columns(_PAIRS.parts, list(counting))
    upsert_many(session, LatestValue, pairs, _columns(Newest._fields, list(counting.values())), Newest._fields[:3])
    touched_by(session).newest.update(indicator for indicator, _ in counting)
    return gone


def _counts(subject: Subject, status: str) -> bool:
    return status == _APPROVED or (status == _SUBMITTED and not subject.approval_required)


def show(place: Place, current: Current) -> Value:
    """A value as answers show it."""
    return render_value(place.subject.code, place.unit.named(), place.period.text, current, current.client)


def render_value(indicator: str, unit: NamedUnit, period: str, row: Any, client: str) -> Value:
    """A value as answers show it, from a row with its columns."""
    return Value.of(
        code=f"{indicator}:{unit.code}:{period}",
        indicator=indicator,
        unit=unit,
        period=period,
        value=row.value,
        status=ValueStatus(row.status),
        version=row.version,
        note=row.note,
        evidence_url=row.evidence_url,
        reason=row.reason,
        recorded_at=row.recorded_at,
        recorded_by=client,
    )
