"""Values that several requests post at the same moment, recorded in one transaction.

Each is judged and refused on its own, as if it had come alone. Posts that may be for the same value follow one
another, in rounds, in the order in which they came, each seeing what came before. One question finds all that most
posts need; those with anything unusual about them are judged as batches are, which says what is wrong.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from sqlalchemy import FromClause, and_, exists, or_, select
from sqlmodel import Session, col

from app.auth import Caller
from app.bulk import KeySet, ask_keyed
from app.db import locks_rows, moment
from app.errors import ServiceError
from app.grouping import ALONE
from app.statements import among, ask, sent_together
from app.tables import Assignment, Client, ClientUnit, Indicator, Plan, Target, Unit, UnitMember
from app.tables import Value as ValueTable
from app.types import Scope
from app.units.names import UNIT_COLUMNS, UnitRow
from app.values.recording import Figure, Outcome, judge_figures, judge_usual
from app.values.schemas import Value, ValueCreate
from app.values.subjects import SUBJECT_COLUMNS, Subject
from app.values.writing import CURRENT_COLUMNS, Current, show, write_versions


class Post(NamedTuple):
    """One request's figure."""

    caller: Caller
    body: ValueCreate


class Usual(NamedTuple):
    """What a post is for that has nothing unusual about it, and what stands there."""

    subject: Subject
    unit: UnitRow
    current: Current | None


class Recorded(NamedTuple):
    """The value as it stands now, and whether it is the first for its indicator, unit and period."""

    value: Value
    created: bool


# who writes many values, or another process, may hold an indicator for long: its posts wait for it alone, and not with
# the others and their locks in their hands
_LOCK_FREE = (
    select(col(Indicator.code))
    .where(among(col(Indicator.code)))
    .order_by(col(Indicator.id))
    .with_for_update(key_share=True, skip_locked=True)
)
_POSTS = KeySet(place=int, client=int, indicator=str, unit=str, period=str)
_SUBJECT, _UNIT = len(Subject._fields), len(UnitRow._fields)


def record_together(session: Session, posts: Sequence[Post]) -> list[Recorded | ServiceError | object]:
    """What becomes of each post: the value, why it is refused, or ALONE where its indicator is not free."""
    answers: list[Recorded | ServiceError | object] = [ALONE] * len(posts)
    with sent_together(session):
        free = _ask_free(session, posts)
        find = _ask_usual(session, posts, range(len(posts)))
    at, found = moment(session), find()
    for number, places in enumerate(_rounds(posts, free(), found)):
        if number:
            found = _ask_usual(session, posts, places)()  # what stands is another by now
        for place, outcome in _record(session, posts, places, found, at).items():
            answers[place] = _answer(outcome)
    return answers


def _record(
    session: Session, posts: Sequence[Post], places: Sequence[int], found: Mapping[int, Usual], at: datetime
) -> dict[int, Outcome]:
    """Judge posts of which no two are for the same value, and write what is to be written."""
    outcomes = _judge_usual(posts, places, found, at)
    for some in _by_caller(posts, [place for place in places if place not in outcomes]):
        figures = [Figure.of(posts[place].body, place + 1) for place in some]
        judged, _ = judge_figures(session, posts[some[0]].caller, figures, [])
        outcomes |= zip(some, judged, strict=True)
    versions = [
        outcome.version._replace(caller=posts[place].caller)  # each change bears its own request's id
        for place, outcome in sorted(outcomes.items())
        if outcome.version is not None and not outcome.refusals
    ]
    write_versions(session, versions, at)
    return outcomes


def _ask_free(session: Session, posts: Sequence[Post]) -> Callable[[], Sequence[int]]:
    """The places of posts whose indicators nobody else writes values for; they are locked, all at once."""
    if not locks_rows(session):
        return lambda: range(len(posts))  # nobody else writes anything
    rows = ask(session, _LOCK_FREE, keys=sorted({post.body.indicator for post in posts}))

    def free() -> Sequence[int]:
        codes = {row[0] for row in rows()}
        return [place for place, post in enumerate(posts) if post.body.indicator in codes]

    return free


def _rounds(posts: Sequence[Post], places: Iterable[int], found: Mapping[int, Usual]) -> list[list[int]]:
    """Places, parted so that no two in a round can be for the same value, and those that can keep their order.

    Units go by many names: that two are different is known only of those that are found.
    """
    alike: dict[tuple[str, str], list[list[int]]] = defaultdict(list)
    for place in places:
        rounds = alike[posts[place].body.indicator, posts[place].body.period]
        if not rounds or not all(_differ(found, place, other) for other in rounds[-1]):
            rounds.append([])
        rounds[-1].append(place)
    return [sorted(chain.from_iterable(some)) for some in zip_longest(*alike.values(), fillvalue=())]


def _differ(found: Mapping[int, Usual], one: int, other: int) -> bool:
    return one in found and other in found and found[one].unit.id != found[other].unit.id


def _by_caller(posts: Sequence[Post], places: Sequence[int]) -> Collection[list[int]]:
    """Places, parted by who posts and what the key may do."""
    found: dict[tuple[int | None, frozenset[Scope]], list[int]] = defaultdict(list)
    for place in places:
        caller = posts[place].caller
        found[caller.client_id, caller.scopes].append(place)
    return found.values()


def _ask_usual(session: Session, posts: Sequence[Post], places: Sequence[int]) -> Callable[[], dict[int, Usual]]:
    """What the posts that have nothing unusual about them are for, by their places."""
    keys = []
    for place in places:
        caller, body = posts[place]
        if body.unit is not None:
            keys.append((place, caller.client_id, body.indicator, body.unit, body.period))
    rows = ask_keyed(session, _usual, _POSTS, keys)
    return lambda: {place: _read_usual(row) for place, *row in rows()}


def _read_usual(row: Sequence[Any]) -> Usual:
    subject, unit, value = row[:_SUBJECT], row[_SUBJECT : _SUBJECT + _UNIT], row[_SUBJECT + _UNIT :]
    return Usual(Subject._make(subject), UnitRow._make(unit), Current._make(value) if value[0] is not None else None)


def _judge_usual(
    posts: Sequence[Post], places: Sequence[int], found: Mapping[int, Usual], at: datetime
) -> dict[int, Outcome]:
    """What becomes of the posts that have nothing unusual about them, and are not refused."""
    outcomes: dict[int, Outcome] = {}
    for place in places:
        if place in found:
            caller, body = posts[place]
            outcome = judge_usual(caller, Figure.of(body), *found[place], at)
            if outcome is not None:
                outcomes[place] = outcome
    return outcomes


def _usual(keys: FromClause) -> Any:
    """The indicators, units and values of posts that name a unit by its code, which answers for the target.

    The caller speaks for it: it is one of its own, a member of one, or right below one. What is further away is found
    by who judges the rest.
    """
    mine = col(ClientUnit.client_id) == keys.c.client
    unit, value = col(Unit.id), ValueTable
    within_reach = or_(
        exists().where(mine, col(ClientUnit.unit_id) == unit),
        exists().where(mine, col(ClientUnit.unit_id) == col(UnitMember.group_id), col(UnitMember.member_id) == unit),
        exists().where(mine, col(ClientUnit.unit_id) == col(Unit.parent_id)),
    )
    target = col(Target.id)
    answers = exists().where(
        col(Assignment.target_id) == target, col(Assignment.unit_id) == unit, col(Assignment.removed_at).is_(None)
    )
    same = (
        col(value.indicator_id) == col(Indicator.id),
        col(value.period) == keys.c.period,
        col(value.unit_id) == unit,
    )
    return (
        select(keys.c.place, *SUBJECT_COLUMNS, *UNIT_COLUMNS, *CURRENT_COLUMNS)
        .select_from(keys)
        .join(Indicator, col(Indicator.code) == keys.c.indicator)
        .join(Target, target == col(Indicator.target_id))
        .join(Plan, col(Plan.id) == col(Target.plan_id))
        .join(Unit, col(Unit.code) == keys.c.unit)
        .outerjoin(value, and_(*same))
        .outerjoin(Client, col(Client.id) == col(value.client_id))
        .where(col(Indicator.removed_at).is_(None), col(Target.removed_at).is_(None), answers, within_reach)
    )


def _answer(outcome: Outcome) -> Recorded | ServiceError:
    if outcome.refusals:
        return outcome.refusals[0]
    version = outcome.version
    current = version.now if version is not None else outcome.current
    assert outcome.place is not None and current is not None  # noqa: S101, PT018 - only what is refused has none
    return Recorded(show(outcome.place, current), version is not None and version.before is None)
