"""Targets as they are shown, stored: the JSON that a read answers with, written when what it shows is written.

A transaction that touches a target, its units, indicators, goals, newest values or headings writes its document
before it commits, under a lock that makes two such transactions follow one another. So a document is never older than
the tables, and reading a page is joining bytes. The rules of what a target shows stay where they are, in `views`.
"""

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import FromClause, bindparam, delete, insert, select
from sqlmodel import Session, col

from app.bulk import KeySet, ask_keyed, insert_many, update_many
from app.db import locks_rows
from app.derived import DocumentShape, TargetBigram, TargetDocument
from app.shape import DOCUMENTS
from app.statements import among, ask, fetch, prepared, run, sent_together
from app.tables import Indicator, TargetUnit, Unit
from app.tables import LatestValue as LatestTable
from app.tables import Target as TargetTable
from app.targets.schemas import LatestValue
from app.targets.views import NEWEST, full_rows, load_views, render_targets
from app.touched import Touched, keeps_documents

_MOST_AT_ONCE = 1000  # targets whose documents are in memory together
Track = Callable[[Sequence[Sequence[int]]], Iterable[Sequence[int]]]
_TABLE = TargetDocument


class _Stored(NamedTuple):
    """What is stored of a target beside its key and code."""

    plan_id: int
    position: int
    searched: str | None
    document: bytes
    template: bytes | None

    def bigrams(self) -> set[tuple[str, int, int]]:
        """The rows by which searches find it, without its key."""
        return {(pair, self.plan_id, self.position) for pair in bigrams_of(self.searched or "")}


class _Newest(NamedTuple):
    """The newest value of an indicator, with what tells where it stands in the document."""

    code: str
    each_member: bool
    period: str | None
    value: Decimal | None


# in one order, and after all else that a transaction locks, so that no two wait for each other
_LOCK = select(col(_TABLE.target_id)).order_by(col(_TABLE.target_id)).with_for_update(key_share=True)
_LOCK_AND_READ = _LOCK.add_columns(*(col(getattr(_TABLE, name)) for name in _Stored._fields))
_STORED = _LOCK_AND_READ.where(among(col(_TABLE.target_id)))
# a unit that is being renamed is waited for: who renames it cannot see for which targets this transaction prints it
_LOCK_NAMES = select(col(Unit.id)).where(among(col(Unit.id))).order_by(col(Unit.id)).with_for_update(read=True)
_OF_UNITS = select(col(TargetUnit.target_id)).where(among(col(TargetUnit.unit_id))).distinct()
_OF_PLANS = select(col(TargetTable.id)).where(among(col(TargetTable.plan_id)))
_OF_INDICATORS = select(col(Indicator.target_id)).where(among(col(Indicator.id)))
_LOCK_OF_INDICATORS = _LOCK.where(col(_TABLE.target_id).in_(_OF_INDICATORS))
_STORED_OF_INDICATORS = _LOCK_AND_READ.where(col(_TABLE.target_id).in_(_OF_INDICATORS))
_ALL = select(col(TargetTable.id)).order_by(col(TargetTable.id))
_INDICATORS = KeySet(id=int)
_BIGRAM = ("bigram", "plan_id", "position", "target_id")
_FORGET = delete(TargetBigram).where(*(col(getattr(TargetBigram, name)) == bindparam(f"of_{name}") for name in _BIGRAM))


def bigrams_of(text: str) -> set[str]:
    """Every two characters that follow one another in a folded text."""
    return {text[place : place + 2] for place in range(len(text) - 1)}


def rebuild(session: Session, track: Track = iter) -> None:
    """Write all documents anew, whatever was stored before; `track` may tell somebody how far it is."""
    if locks_rows(session):  # a writer that waits for a row which is made anew would not see the new one
        session.connection().exec_driver_sql("LOCK TABLE target_documents IN EXCLUSIVE MODE")
    for table in (TargetBigram, TargetDocument):
        session.execute(delete(table))
    for some in track(list(_parts([row[0] for row in fetch(session, _ALL)]))):
        _write_whole(session, some)
    session.execute(delete(DocumentShape))
    session.execute(insert(DocumentShape).values(shape=DOCUMENTS))


@keeps_documents
def refresh(session: Session, touched: Touched) -> None:
    """Write the documents of what a transaction has touched anew, each as far as it needs."""
    whole = set(touched.targets)
    for statement, keys in (
        (_OF_UNITS, touched.units),
        (_OF_PLANS, touched.plans),
        (_OF_INDICATORS, touched.indicators),
    ):
        whole |= {row[0] for row in fetch(session, statement, keys=keys)} if keys else set()
    if touched.printed and locks_rows(session):
        fetch(session, _LOCK_NAMES, keys=touched.printed)  # before documents, for which who renames one waits in turn
    for some in _parts(sorted(whole)):
        _write_whole(session, some)
    if len(touched.newest) > _MOST_AT_ONCE and locks_rows(session):
        fetch(session, _LOCK_OF_INDICATORS, keys=sorted(touched.newest))  # the order of targets is not that of parts
    for some in _parts(sorted(touched.newest)):
        _write_newest(session, some, whole)


def _parts(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(keys), _MOST_AT_ONCE):
        yield keys[start : start + _MOST_AT_ONCE]


def _by_target(rows: Iterable[Sequence[Any]]) -> dict[int, _Stored]:
    return {key: _Stored(*row) for key, *row in rows}


def _write_whole(session: Session, targets: Sequence[int]) -> None:
    """Write documents from the tables."""
    before = _by_target(fetch(session, _STORED, keys=targets))
    rows = full_rows(session, targets)
    views = load_views(session, rows)
    now: dict[int, _Stored] = {}
    own: dict[int, str | None] = {}
    for row, shown in zip(rows, render_targets(session, rows, views), strict=True):
        document = shown.model_dump_json().encode()
        facts = [facts for facts in views.indicators.get(row.id, []) if facts.each_member]
        own[row.id] = json.dumps([one.id for one in facts]) if facts else None
        template = _template(document, [one.code for one in facts])
        searched = row.search_text if row.removed_at is None else None
        now[row.id] = _Stored(row.plan_id, row.position, searched, document, template)
    for write, some in (
        (_insert, [row for row in rows if row.id not in before]),
        (_update, [row for row in rows if row.id in before]),
    ):
        columns = dict(zip(_Stored._fields, zip(*(now[row.id] for row in some), strict=True), strict=bool(some)))
        named: dict[str, Sequence[Any]] = {"code": [row.code for row in some], "own": [own[row.id] for row in some]}
        write(session, [row.id for row in some], columns | named)
    _write_bigrams(session, before, now)


def _insert(session: Session, targets: Sequence[int], columns: Mapping[str, Sequence[Any]]) -> None:
    insert_many(session, _TABLE, {"target_id": targets} | dict(columns))


def _update(session: Session, targets: Sequence[int], columns: Mapping[str, Sequence[Any]]) -> None:
    update_many(session, _TABLE, {"target_id": targets}, columns)


def _template(document: bytes, own: Sequence[str]) -> bytes | None:
    """A document with a NUL for the newest value of each of some indicators; None where there are none."""
    for code in own:
        document = with_latest(document, code, b"\0")
    return document if own else None


def _write_bigrams(session: Session, before: Mapping[int, _Stored], now: Mapping[int, _Stored]) -> None:
    gone, new = [], []
    for target, stored in now.items():
        old = before[target].bigrams() if target in before else set()
        found = stored.bigrams() if target not in before or before[target][:3] != stored[:3] else old
        gone += [(*row, target) for row in old - found]
        new += [(*row, target) for row in found - old]
    if gone:
        connection = session.connection()
        run(connection, prepared(_FORGET, connection.dialect.name).text, gone, many=True)
    insert_many(session, TargetBigram, _columns(sorted(new)))


def _columns(rows: Sequence[tuple[Any, ...]]) -> dict[str, Sequence[Any]]:
    return dict(zip(_BIGRAM, zip(*rows, strict=True), strict=bool(rows)))


def _write_newest(session: Session, indicators: Sequence[int], whole: Container[int]) -> None:
    """Put the newest values of some indicators into the documents of their targets, but those written whole."""
    with sent_together(session):
        # nobody else writes values of these indicators before this transaction ends: what is read now stays so
        newest = ask_keyed(session, _newest, _INDICATORS, [(key,) for key in indicators])
        stored = ask(session, _STORED_OF_INDICATORS, keys=indicators)
    before = _by_target(stored())
    now = dict(before)
    for target, *facts in newest():
        if target not in whole:
            now[target] = _with_newest(now[target], _Newest(*facts))
    changed = [key for key in now if now[key].document != before[key].document]
    columns = {name: [getattr(now[key], name) for key in changed] for name in ("document", "template")}
    _update(session, changed, columns)


def _with_newest(stored: _Stored, newest: _Newest) -> _Stored:
    latest, template = newest_json(newest.period, newest.value), stored.template
    if template is not None and not newest.each_member:
        template = with_latest(template, newest.code, latest)
    return stored._replace(document=with_latest(stored.document, newest.code, latest), template=template)


def _newest(keys: FromClause) -> Any:
    return (
        select(
            col(Indicator.target_id),
            col(Indicator.code),
            col(Indicator.each_member),
            col(LatestTable.period),
            col(LatestTable.value),
        )
        .select_from(keys)
        .join(Indicator, _INDICATORS.match(Indicator, keys))
        .outerjoin(LatestTable, NEWEST)
        .where(col(Indicator.removed_at).is_(None))
    )


def newest_json(period: str | None, value: Any) -> bytes:
    """The newest value in the words of a document; `null` where there is none."""
    return b"null" if period is None else LatestValue.of(period=period, value=value).model_dump_json().encode()


def with_latest(document: bytes, indicator: str, latest: bytes) -> bytes:
    """A document with another newest value of one of its indicators, by its code.

    No text inside the document can be taken for the names that are looked for: in it, each quote has a backslash.
    """
    indicators = document.index(b'"indicators":')  # units, which come before them, have codes too
    facts = document.index(b'"code":"%b"' % indicator.encode(), indicators)
    start = document.index(b'"latest":', facts) + len(b'"latest":')
    is_null = document.startswith(b"null", start)
    end = start + len(b"null") if is_null else document.index(b"}", start) + 1
    return document[:start] + latest + document[end:]
