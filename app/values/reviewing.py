"""Review: values are approved, returned with a reason, or withdrawn; each step is a version of its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlmodel import Session

from app.auth import Caller
from app.db import moment
from app.errors import ErrorCode, Fault, NotFound, NotYourUnit, ServiceError, TransitionRefused
from app.messages import Language
from app.types import ValueStatus, parse_period
from app.units.membership import reach
from app.units.names import units_with_codes
from app.values.batch import Rows, settle
from app.values.recording import Outcome, carry_out, next_version, row_repeated, stale_version
from app.values.schemas import Approval, ApprovalList, BatchQuery, BatchReport, Refusal, Value
from app.values.subjects import lock_subjects
from app.values.writing import Current, Place, Version, show, values_at

# where a value may go from where it stands; to `submitted` it goes by being recorded again
ALLOWED: dict[ValueStatus, tuple[ValueStatus, ...]] = {
    ValueStatus.submitted: (ValueStatus.approved, ValueStatus.returned, ValueStatus.withdrawn),
    ValueStatus.approved: (ValueStatus.submitted, ValueStatus.returned, ValueStatus.withdrawn),
    ValueStatus.returned: (ValueStatus.submitted, ValueStatus.withdrawn),
    ValueStatus.withdrawn: (ValueStatus.submitted,),
}


class Step(NamedTuple):
    """A step of a value's review that somebody asks for."""

    code: str
    to: ValueStatus
    reason: str | None
    expected_version: int | None


def approve_value(session: Session, caller: Caller, code: str, body: Approval | None) -> Value:
    """Approve a value; one that is approved stays so. Raises NotFound, StaleVersion, TransitionRefused."""
    body = body or Approval()
    return _take(session, caller, Step(code, ValueStatus.approved, body.reason, body.expected_version))


def return_value(session: Session, caller: Caller, code: str, body: Refusal) -> Value:
    """Return a value to who reported it. Raises NotFound, StaleVersion, TransitionRefused."""
    return _take(session, caller, Step(code, ValueStatus.returned, body.reason, body.expected_version))


def withdraw_value(session: Session, caller: Caller, code: str, body: Refusal) -> Value:
    """Take a value back, by who may report it. Raises NotFound, NotYourUnit, StaleVersion, TransitionRefused."""
    return _take(session, caller, Step(code, ValueStatus.withdrawn, body.reason, body.expected_version))


def approve_values(
    session: Session, caller: Caller, body: ApprovalList, query: BatchQuery, language: Language
) -> BatchReport:
    """Approve many values, all or, with `on_error=skip`, those that can be. Raises BatchRejected."""
    steps = [Step(item.code, ValueStatus.approved, body.reason, item.expected_version) for item in body.values]
    rows = Rows(pointer="/values")
    outcomes = _judge_steps(session, caller, steps)
    for row, (step, outcome) in enumerate(zip(steps, outcomes, strict=True), start=1):
        for refusal in outcome.refusals:
            indicator, unit, period = step.code.split(":")
            rows.refuse_for(row, refusal, indicator, unit, period)
    return settle(session, rows, outcomes, query, language)


def _take(session: Session, caller: Caller, step: Step) -> Value:
    (outcome,) = _judge_steps(session, caller, [step])
    return carry_out(session, outcome)


def _judge_steps(session: Session, caller: Caller, steps: Sequence[Step]) -> list[Outcome]:
    """What each step leads to, in their order; nothing is written."""
    places = _places(session, [step.code for step in steps])
    current = values_at(session, [place.key for place in places.values()])
    own = reach(session, caller)
    at = moment(session)
    rows: dict[str, list[int]] = {}
    for row, step in enumerate(steps, start=1):
        rows.setdefault(step.code, []).append(row)
    outcomes = []
    for row, step in enumerate(steps, start=1):
        place = places.get(step.code)
        found = current.get(place.key) if place is not None else None
        if place is None or found is None:
            outcomes.append(Outcome(None, None, None, [NotFound(resource="value", code=step.code)]))
        elif len(rows[step.code]) > 1:
            outcomes.append(Outcome(place, None, found, [row_repeated(row, rows[step.code])]))
        elif step.to is ValueStatus.withdrawn and own is not None and place.unit.id not in own:
            outcomes.append(Outcome(place, None, found, [NotYourUnit(unit=place.unit.name, client=caller.code)]))
        else:
            outcomes.append(_judge_step(caller, step, place, found, at))
    return outcomes


def _judge_step(caller: Caller, step: Step, place: Place, current: Current, at: datetime) -> Outcome:
    if _is_done(step, current):
        return Outcome(place, None, current)
    refusal = _refusal(step, place, current)
    if refusal is not None:
        return Outcome(place, None, current, [refusal])
    now = next_version(caller, current, current[:3], step.to.value, step.reason, at)
    return Outcome(place, Version(place, current, now, caller), current)


def _places(session: Session, codes: Sequence[str]) -> dict[str, Place]:
    """Where the values with these codes stand, their indicators locked; unknown ones are left out."""
    parts = {code: code.split(":") for code in codes}
    subjects = lock_subjects(session, {indicator for indicator, _, _ in parts.values()})
    units = units_with_codes(session, {unit for _, unit, _ in parts.values()})
    places = {}
    for code, (indicator, unit, text) in parts.items():
        period = parse_period(text)
        if indicator in subjects and unit in units and period is not None:
            places[code] = Place.of(subjects[indicator], units[unit], period)
    return places


def _is_done(step: Step, current: Current) -> bool:
    """Whether the value stands there already: the step was taken before, and is only sent again."""
    same_reason = step.to is ValueStatus.approved or step.reason == current.reason
    meant = step.expected_version in (None, current.version, current.version - 1)
    return current.status == step.to and same_reason and meant


def _refusal(step: Step, place: Place, current: Current) -> ServiceError | None:
    if step.expected_version not in (None, current.version):
        return stale_version(step.expected_version, place, current)
    allowed = ALLOWED[ValueStatus(current.status)]
    if step.to in allowed:
        return None
    said = ", ".join(allowed)
    params = {"code": step.code, "status": current.status, "wanted": step.to.value, "allowed": said}
    return TransitionRefused(
        Fault("", ErrorCode.transition_refused, params, list(allowed)),
        current=show(place, current).model_dump(mode="json"),
        code=step.code,
        status=current.status,
        wanted=step.to.value,
        allowed=said,
    )
