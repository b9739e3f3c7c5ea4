"""Values that several requests post at the same moment, recorded in one transaction.

Each is judged and refused on its own, as if it had come alone. Posts that may be for the same value follow one
another, in the order in which they came, each seeing what came before. One question finds all that most posts need;
those with anything unusual about them are judged as batches are, which says what is wrong.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import FromClause, and_, exists, or_, select
from sqlmodel import Session, col

from app.auth import Caller
from app.bulk import KeySet, fetch_keyed
from app.db import locks_rows, moment
from app.errors import ServiceError
from app.grouping import ALONE
from app.statements import among, fetch
from app.tables import Assignment, Client, ClientUnit, Indicator, Plan, Target, Unit, UnitMember
from app.tables import Value as ValueTable
from app.types import Scope
from app.units.names import UnitRow
from app.values.recording import Figure, Outcome, judge_figures, judge_usual
from app.values.schemas import Value, ValueCreate
from app.values.subjects import Subject
from app.values.writing import Current, show, write_versions


class Post(NamedTuple):
    """One request's figure."""

    caller: Caller
    body: ValueCreate


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
    free = _free(session, posts)
    at = moment(session)
    for places in _rounds(posts, free):
        outcomes = _judge_usual(session, posts, places, at)
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
        for place, outcome in outcomes.items():
            answers[place] = _answer(outcome)
    return answers


def _free(session: Session, posts: Sequence[Post]) -> Iterable[int]:
    """The places of posts whose indicators nobody else writes values for; they are locked, all at once."""
    if not locks_rows(session):
        session.connection()  # from now on nobody else writes anything
        return range(len(posts))
    codes = {row[0] for row in fetch(session, _LOCK_FREE, keys=sorted({post.body.indicator for post in posts}))}
    return [place for place, post in enumerate(posts) if post.body.indicator in codes]


def _rounds(posts: Sequence[Post], places: Iterable[int]) -> list[list[int]]:
    """Places, parted so that no two in a round can be for the same value; units go by many names."""
    before: Counter[tuple[str, str]] = Counter()
    rounds: list[list[int]] = []
    for place in places:
        key = posts[place].body.indicator, posts[place].body.period
        if before[key] == len(rounds):
            rounds.append([])
        rounds[before[key]].append(place)
        before[key] += 1
    return rounds


def _by_caller(posts: Sequence[Post], places: Sequence[int]) -> Collection[list[int]]:
    """Places, parted by who posts and what the key may do."""
    found: dict[tuple[int | None, frozenset[Scope]], list[int]] = defaultdict(list)
    for place in places:
        caller = posts[place].caller
        found[caller.client_id, caller.scopes].append(place)
    return found.values()


def _judge_usual(session: Session, posts: Sequence[Post], places: Sequence[int], at: datetime) -> dict[int, Outcome]:
    """What becomes of the posts that have nothing unusual about them, by their places."""
    keys = []
    for place in places:
        caller, body = posts[place]
        if body.unit is not None:
            keys.append((place, caller.client_id, body.indicator, body.unit, body.period))
    found: dict[int, Outcome] = {}
    for place, *row in fetch_keyed(session, _usual, _POSTS, keys):
        subject, unit, value = row[:_SUBJECT], row[_SUBJECT : _SUBJECT + _UNIT], row[_SUBJECT + _UNIT :]
        current = Current(*value) if value[0] is not None else None
        caller, body = posts[place]
        outcome = judge_usual(caller, Figure.of(body), Subject(*subject), UnitRow(*unit), current, at)
        if outcome is not None:
            found[place] = outcome
    return found


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
        select(
            keys.c.place,
            *(col(Indicator.id), col(Indicator.code), col(Indicator.frequency), col(Indicator.measure)),
            *(target, col(Target.code), col(Plan.id), col(Plan.starts_on), col(Plan.ends_on)),
            col(Plan.approval_required),
            *(unit, col(Unit.code), col(Unit.name), col(Unit.kind)),
            *(col(getattr(value, name)) for name in Current._fields[:-1]),
            col(Client.code),
        )
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
