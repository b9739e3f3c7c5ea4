"""Recording values: whether a figure may be written, whether it says anything new, and its next version."""

from collections import Counter
from collections.abc import Collection, Container, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from sys import intern
from typing import Any, NamedTuple

from sqlalchemy import FromClause, select
from sqlmodel import Session, col

from app.auth import Caller
from app.bulk import KeySet, fetch_keyed
from app.db import moment
from app.errors import ErrorCode, Fault, InvalidRequest, ServiceError, StaleVersion, invalid
from app.tables import ValueRevision
from app.types import ValueStatus, fold
from app.units.names import UnitRow
from app.values.schemas import Value, ValueCreate
from app.values.subjects import Grounds, Subject, checked_period
from app.values.writing import Current, Key, Place, Version, show, values_at, write_versions

MOST_NAMED = 5  # of the rows that repeat each other, in the words to one of them
REOPENED = (ValueStatus.returned, ValueStatus.withdrawn)  # what was sent back or taken back may be recorded again
_SUBMITTED = ValueStatus.submitted.value
# of what stands beside a figure, by whether a request says anything of the note and of the evidence
_UNSAID = {
    (False, False): ("note", "evidence_url"),
    (False, True): ("note",),
    (True, False): ("evidence_url",),
    (True, True): (),
}
_REVISIONS = KeySet(indicator_id=int, period=str, unit_id=int, version=int)


class Figure(NamedTuple):
    """A figure as a request sends it, its fields checked one by one.

    `row` is its number in a batch, from 1; `unsaid` are the fields beside the figure that the request does not have.
    """

    row: int
    indicator: str
    period: str
    unit: str | None
    value: Decimal
    note: str | None
    evidence_url: str | None
    expected_version: int | None
    measure: str | None
    unsaid: Collection[str]

    def content(self, current: Current | None) -> tuple[Decimal, str | None, str | None]:
        """What is kept of it: what it leaves unsaid of the figure that stands already stays as it is."""
        if current is None or self.value != current.value:
            return self.value, self.note, self.evidence_url
        note = current.note if "note" in self.unsaid else self.note
        return self.value, note, current.evidence_url if "evidence_url" in self.unsaid else self.evidence_url

    def says(self, value: Decimal, note: str | None, evidence_url: str | None) -> bool:
        """Whether this is what it says; of what it leaves unsaid it says nothing else."""
        return (
            self.value == value
            and (self.note == note or "note" in self.unsaid)
            and (self.evidence_url == evidence_url or "evidence_url" in self.unsaid)
        )

    @classmethod
    def of(cls, body: ValueCreate, row: int = 1) -> "Figure":
        """The figure in a request's body."""
        return cls.read(row, vars(body), body.model_fields_set)

    @classmethod
    def read(cls, row: int, fields: Mapping[str, Any], said: Container[str]) -> "Figure":
        """The figure in the checked fields of a request's body, or of a row of it; `said` are those that were sent."""
        given = fields.get
        unit, measure = given("unit"), given("measure")
        # thousands of rows name the same few things: each word is kept once
        return cls(
            row,
            intern(fields["indicator"]),
            intern(fields["period"]),
            intern(unit) if unit is not None else None,
            fields["value"],
            given("note"),
            given("evidence_url"),
            given("expected_version"),
            intern(measure) if measure is not None else None,
            _UNSAID["note" in said, "evidence_url" in said],
        )


class Named(NamedTuple):
    """What a row names that is refused already, for what else is wrong with it.

    None for an indicator or period that cannot be read; `unread_unit` where that is so of the unit, which may be None.
    """

    row: int
    indicator: str | None
    period: str | None
    unit: str | None
    unread_unit: bool


class Outcome(NamedTuple):
    """What becomes of a figure: a version to write, none where it changes nothing, or why it is refused."""

    place: Place | None
    version: Version | None
    current: Current | None
    refusals: Sequence[ServiceError] = ()


def record_value(session: Session, caller: Caller, body: ValueCreate) -> tuple[Value, bool]:
    """Write a figure down, and tell whether it is the first for its indicator, unit and period.

    The same figure again changes nothing; another one is a new version, and the one before stays as a revision.
    Raises NotFound, NotYourUnit, UnitNotAssigned, StaleVersion, InvalidRequest.
    """
    (outcome,) = judge_figures(session, caller, [Figure.of(body)], [])[0]
    written = carry_out(session, outcome)
    return written, outcome.version is not None and outcome.version.before is None


def carry_out(session: Session, outcome: Outcome) -> Value:
    """Write what was judged right, and show the value as it is then. Raises what it was refused for."""
    if outcome.refusals:
        raise outcome.refusals[0]
    assert outcome.place is not None  # noqa: S101 - only what is refused has none
    if outcome.version is None:
        assert outcome.current is not None  # noqa: S101 - it says what stands already
        return show(outcome.place, outcome.current)
    write_versions(session, [outcome.version], moment(session))
    return show(outcome.place, outcome.version.now)


def judge_figures(
    session: Session, caller: Caller, figures: Sequence[Figure], refused: Sequence[Named]
) -> tuple[list[Outcome], list[list[ServiceError]]]:
    """What becomes of each figure, and what else is wrong with rows that are refused already; nothing is written.

    Both in their order. All that stands in a row's way is told.
    """
    rows: list[Figure | Named] = [*figures, *refused]
    indicators = {row.indicator for row in rows if row.indicator is not None}
    grounds = Grounds(session, caller, indicators, {row.unit for row in rows})
    places = [_place_of(grounds, row) for row in rows]
    repeated = _repeated_keys(rows, places)
    judged = _judge_all(session, caller, figures, places[: len(figures)], repeated)
    more = [
        place if not isinstance(place, Place) else _repetition(row, repeated.get(place.key))
        for row, place in zip(refused, places[len(figures) :], strict=True)
    ]
    return judged, more


def _judge_all(
    session: Session,
    caller: Caller,
    figures: Sequence[Figure],
    places: Sequence[Place | list[ServiceError]],
    repeated: Mapping[Key, Sequence[int]],
) -> list[Outcome]:
    current = values_at(session, sorted(place.key for place in places if isinstance(place, Place)))
    at = moment(session)
    judged = []
    for figure, place in zip(figures, places, strict=True):
        if not isinstance(place, Place):
            judged.append(Outcome(None, None, None, place))
        elif place.key in repeated:
            judged.append(Outcome(place, None, None, _repetition(figure, repeated[place.key])))
        else:
            judged.append(_judge(caller, figure, place, current.get(place.key), at))
    return _pardon_retries(session, caller, figures, judged)


def judge_usual(
    caller: Caller, figure: Figure, subject: Subject, unit: UnitRow, current: Current | None, at: datetime
) -> Outcome | None:
    """What becomes of a figure whose unit answers for it and whose caller speaks for that; None if it is refused."""
    try:
        period = checked_period(subject, figure.period)
    except InvalidRequest:
        return None
    if _other_measure(figure, subject) is not None:
        return None
    outcome = _judge(caller, figure, Place.of(subject, unit, period), current, at)
    return None if outcome.refusals else outcome


def _place_of(grounds: Grounds, row: Figure | Named) -> Place | list[ServiceError]:
    """Where a row's figure stands, as far as it names that rightly; else all that is wrong with what it names."""
    if row.indicator is None or row.period is None or (isinstance(row, Named) and row.unread_unit):
        return _objections(grounds, row)
    subject = grounds.subject(row.indicator)
    if isinstance(subject, ServiceError):
        return _objections(grounds, row)
    unit, period = grounds.unit(subject, row.unit), grounds.period(subject, row.period)
    if isinstance(unit, ServiceError) or isinstance(period, ServiceError) or _other_measure(row, subject):
        return _objections(grounds, row)
    return Place.of(subject, unit, period)


def _objections(grounds: Grounds, row: Figure | Named) -> list[ServiceError]:
    """All that is wrong with what a row names, as far as it can be told without what is missing."""
    subject = grounds.subject(row.indicator) if row.indicator is not None else None
    found: list[object] = [subject]
    if isinstance(subject, Subject) and not (isinstance(row, Named) and row.unread_unit):
        found.append(grounds.unit(subject, row.unit))
    elif row.unit is not None:
        found.append(grounds.named(row.unit))
    if isinstance(subject, Subject) and row.period is not None:
        found.append(grounds.period(subject, row.period))
    if isinstance(subject, Subject):
        found.append(_other_measure(row, subject))
    return [one for one in found if isinstance(one, ServiceError)]


def _other_measure(row: Figure | Named, subject: Subject) -> ServiceError | None:
    if isinstance(row, Named) or row.measure is None or fold(row.measure) == fold(subject.measure):
        return None
    known = {"indicator": subject.code, "measure": subject.measure}
    return InvalidRequest(Fault("/measure", ErrorCode.measure_differs, known, [subject.measure]))


def _repeated_keys(
    rows: Sequence[Figure | Named], places: Sequence[Place | list[ServiceError]]
) -> dict[Key, list[int]]:
    """The rows that each key stands in, of the keys that stand in more than one."""
    counted = Counter(place.key for place in places if isinstance(place, Place))
    found: dict[Key, list[int]] = {key: [] for key, count in counted.items() if count > 1}
    if found:
        for row, place in zip(rows, places, strict=True):
            if isinstance(place, Place) and place.key in found:
                found[place.key].append(row.row)
    return found


def _repetition(row: Figure | Named, rows: Sequence[int] | None) -> list[ServiceError]:
    """What is wrong with a row whose key stands in other rows, too."""
    return [row_repeated(row.row, rows)] if rows else []


def row_repeated(row: int, rows: Sequence[int]) -> InvalidRequest:
    """The refusal of a row that says the same as others; a few of them are named."""
    others = [str(other) for other in islice((other for other in rows if other != row), MOST_NAMED + 1)]
    others[MOST_NAMED:] = ["…"] * (len(others) > MOST_NAMED)
    return invalid("", ErrorCode.row_repeated, rows=", ".join(others))


def _judge(caller: Caller, figure: Figure, place: Place, current: Current | None, at: datetime) -> Outcome:
    if current is not None and _says_the_same(caller, figure, current):
        return Outcome(place, None, current)
    version = current.version if current is not None else 0
    if figure.expected_version not in (None, version):
        return Outcome(place, None, current, [stale_version(figure.expected_version, place, current)])
    now = next_version(caller, current, figure.content(current), _SUBMITTED, None, at)
    return Outcome(place, Version(place, current, now, caller), current)


def _says_the_same(caller: Caller, figure: Figure, current: Current) -> bool:
    """Whether the value stands already as it is sent.

    With `expected_version`, only where it was meant to follow or to be this version: a retry of the very write whose
    answer was lost. A figure that was returned or withdrawn and is sent again with the version that says so is meant
    to stand again.
    """
    if not figure.says(*current[:3]):
        return False
    if figure.expected_version == current.version:
        return current.status not in REOPENED
    own = current.client_id == caller.client_id and current.status not in REOPENED
    retried = current.version - 1 if own else None
    return figure.expected_version in (None, retried)


def stale_version(expected: int | None, place: Place, current: Current | None) -> StaleVersion:
    """The refusal of what was meant for another version than the one that stands."""
    return StaleVersion(
        current=show(place, current).model_dump(mode="json") if current is not None else None,
        expected=expected,
        version=current.version if current is not None else 0,
        by=current.client if current is not None else "-",
    )


def _pardon_retries(
    session: Session, caller: Caller, figures: Sequence[Figure], judged: list[Outcome]
) -> list[Outcome]:
    """A stale figure that says what stands is no conflict where it is a retry that came late.

    That is where the caller wrote that very version, and what it said stands again or still.
    """
    late: dict[tuple[int, str, int, int], int] = {}
    for number, (figure, outcome) in enumerate(zip(figures, judged, strict=True)):
        stale = outcome.refusals and isinstance(outcome.refusals[0], StaleVersion)
        if stale and outcome.place and outcome.current and figure.says(*outcome.current[:3]):
            late[*outcome.place.key, (figure.expected_version or 0) + 1] = number
    for *key, client_id, value, note, evidence_url in fetch_keyed(session, _written, _REVISIONS, list(late)):
        number = late[tuple(key)]
        if client_id == caller.client_id and figures[number].says(value, note, evidence_url):
            judged[number] = judged[number]._replace(refusals=())
    return judged


def _written(keys: FromClause) -> Any:
    return (
        select(
            *(col(getattr(ValueRevision, name)) for name in _REVISIONS.parts),
            col(ValueRevision.client_id),
            col(ValueRevision.value),
            col(ValueRevision.note),
            col(ValueRevision.evidence_url),
        )
        .select_from(keys)
        .join(ValueRevision, _REVISIONS.match(ValueRevision, keys))
        .where(col(ValueRevision.status) == _SUBMITTED)
    )


def next_version(
    caller: Caller,
    before: Current | None,
    content: tuple[Decimal, str | None, str | None],
    status: str,
    reason: str | None,
    at: datetime,
) -> Current:
    """What follows a value; never at an earlier time, whatever the clocks of several hosts say."""
    assert caller.client_id is not None  # noqa: S101 - only requests write values
    version = before.version + 1 if before is not None else 1
    at = max(at, before.recorded_at) if before is not None else at
    return Current(*content, reason, status, version, at, caller.client_id, caller.code)
