"""What figures are checked against: the indicators they are for, whose figure each is, and which period it is of.

Everything is looked up for all rows together; what a row asks for is worked out once for all rows that ask the same.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ARRAY, Text, any_, bindparam, cast, select
from sqlmodel import Session, col

from app.auth import Caller
from app.db import locks_rows
from app.errors import ErrorCode, Fault, InvalidRequest, NotYourUnit, ServiceError, UnitNotAssigned, invalid
from app.lookups import get_row, not_found
from app.statements import among, fetch
from app.tables import Assignment, Indicator, Plan, Target
from app.types import Frequency, Period, parse_period
from app.units.membership import own_units, reach, with_members
from app.units.names import UnitRow, known_names, match_all, unit_fault, unit_rows

T = TypeVar("T")
MOST_SUGGESTED = 10
MOST_GUESSES = 200  # of what an unknown word may mean: each takes a search through all that exist
_CHUNK = 5000


class Subject(NamedTuple):
    """The indicator that a figure is for, with what its target and plan demand."""

    id: int
    code: str
    frequency: str | None
    measure: str
    target_id: int
    target: str
    plan_id: int
    starts_on: date
    ends_on: date
    approval_required: bool


# makes all writers of one indicator queue: the version that is read is the one that is replaced. Taken in one order, so
# that those who write many never wait for each other in a ring; and before the rest is read, which may change meanwhile
_LOCK = (
    select(col(Indicator.id))
    .where(col(Indicator.code) == any_(cast(bindparam("codes"), ARRAY(Text))))
    .order_by(col(Indicator.id))
    .with_for_update(key_share=True)
)
SUBJECT_COLUMNS = [
    *(col(Indicator.id), col(Indicator.code), col(Indicator.frequency), col(Indicator.measure)),
    *(col(Target.id), col(Target.code)),
    *(col(Plan.id), col(Plan.starts_on), col(Plan.ends_on), col(Plan.approval_required)),
]
SUBJECTS_WITH_CODES = (
    select(*SUBJECT_COLUMNS)
    .join(Target, col(Target.id) == col(Indicator.target_id))
    .join(Plan, col(Plan.id) == col(Target.plan_id))
    .where(among(col(Indicator.code)))
    .where(col(Indicator.removed_at).is_(None), col(Target.removed_at).is_(None))
)
_ANSWERING = select(col(Assignment.target_id), col(Assignment.unit_id)).where(
    among(col(Assignment.target_id)), col(Assignment.removed_at).is_(None)
)


def lock_subjects(session: Session, codes: Iterable[str]) -> dict[str, Subject]:
    """The indicators with these codes, which nobody else writes values for before this transaction ends."""
    wanted = sorted(set(codes))
    if locks_rows(session):
        fetch(session, _LOCK, codes=wanted)
    parts = [wanted[start : start + _CHUNK] for start in range(0, len(wanted), _CHUNK)]
    return {row[1]: Subject(*row) for part in parts for row in fetch(session, SUBJECTS_WITH_CODES, keys=part)}


class Grounds:
    """The indicators, units and assignments that some rows name, as far as the caller may use them."""

    def __init__(
        self, session: Session, caller: Caller, indicators: Collection[str], references: Collection[str | None]
    ) -> None:
        self._session, self._caller = session, caller
        self._subjects = lock_subjects(session, indicators)
        self._matches = match_all(session, {name for name in references if name is not None})
        self._own = own_units(session, caller)
        self._answering = self._who_answers()
        self._found: dict[object, Any] = {}
        self._periods: dict[tuple[int, str | None, str], Period] = {}
        self._guesses = MOST_GUESSES
        self._names: list[str] = []

    def _who_answers(self) -> dict[int, set[int]]:
        """The units that answer for each target."""
        targets = list({subject.target_id for subject in self._subjects.values()})
        found: dict[int, set[int]] = defaultdict(set)
        for start in range(0, len(targets), _CHUNK):
            for target, unit in fetch(self._session, _ANSWERING, keys=targets[start : start + _CHUNK]):
                found[target].add(unit)
        return found

    def subject(self, code: str) -> Subject | ServiceError:
        """The indicator with this code."""
        known = self._subjects.get(code)
        return known if known is not None else self._once(code, self._unknown_indicator, code)

    def unit(self, subject: Subject, reference: str | None) -> UnitRow | ServiceError:
        """The unit whose figure it is, if the caller may speak for it and it answers for the target."""
        return self._once((subject.target_id, reference), self._unit_of, subject, reference)

    def named(self, reference: str) -> UnitRow | ServiceError:
        """The one unit of this code, name or alias."""
        return self._once(("", reference), self._named, reference)

    def period(self, subject: Subject, text: str) -> Period | ServiceError:
        """The period, if the indicator is reported so and the plan has it."""
        known = self._periods.get((subject.plan_id, subject.frequency, text))
        if known is not None:
            return known
        found = self._once((subject.id, text, "period"), checked_period, subject, text)
        if not isinstance(found, ServiceError):
            self._periods[subject.plan_id, subject.frequency, text] = found
        return found

    def _once(self, key: object, find: Callable[..., T], *arguments: Any) -> T | ServiceError:
        found = self._found.get(key)
        if found is None:
            try:
                found = find(*arguments)
            except ServiceError as error:
                found = error.with_traceback(None)  # which would keep alive all that it passed through
            self._found[key] = found
        return found

    def _unknown_indicator(self, code: str) -> Subject:
        if not self._may_guess():
            raise not_found(Indicator, code, "/indicator", [])
        get_row(self._session, Indicator, code, "/indicator")  # says what is nearest
        self._subjects |= lock_subjects(self._session, [code])  # it has been restored this very moment
        if code not in self._subjects:
            raise not_found(Indicator, code, "/indicator", [])
        return self._subjects[code]

    def _unit_of(self, subject: Subject, reference: str | None) -> UnitRow:
        answering = self._answering.get(subject.target_id, set())
        if reference is None:
            return self._only_unit(subject, answering)
        unit = self._named(reference)
        if unit.id not in self._own and self._reach is not None and unit.id not in self._reach:
            known: dict[str, Any] = {"unit": unit.name, "client": self._caller.code}
            near = self._answering_codes(subject, self._reach)
            raise NotYourUnit(Fault("/unit", ErrorCode.not_your_unit, known, near), **known)
        if unit.id in answering:
            return unit
        if unit.is_group:
            members = self._answering_codes(subject, with_members(self._session, {unit.id}))
            raise invalid("/unit", ErrorCode.unit_is_group, members, unit=unit.name)
        raise self._not_assigned(subject, unit.name)

    def _not_assigned(self, subject: Subject, name: str) -> UnitNotAssigned:
        known: dict[str, Any] = {"unit": name, "target": subject.target}
        near = self._answering_codes(subject, self._reach)
        return UnitNotAssigned(Fault("/unit", ErrorCode.unit_not_assigned, known, near), **known)

    def _answering_codes(self, subject: Subject, among: set[int] | None) -> list[str]:
        """A few of the units that answer for the target, of some or of all units."""
        if not self._may_guess():
            return []
        answering = self._answering.get(subject.target_id, set())
        meant = answering if among is None else answering & among
        return [unit.code for unit in unit_rows(self._session, meant)][:MOST_SUGGESTED]

    def _named(self, reference: str) -> UnitRow:
        matches = self._matches[reference]
        if len(matches) != 1:
            raise InvalidRequest(unit_fault("/unit", reference, matches, self._known_names()))
        return matches[0]

    def _only_unit(self, subject: Subject, answering: set[int]) -> UnitRow:
        """The one unit that the caller can mean: of its own units, else of those below them, the one that answers."""
        below = answering if self._reach is None else answering & self._reach
        candidates = (self._own & answering) or below
        if self._own and not candidates:
            names = "、".join(sorted(self._rows[unit].name for unit in self._own))
            raise self._not_assigned(subject, names)
        if len(candidates) != 1:
            near = sorted(self._rows[unit].code for unit in candidates)
            raise invalid("/unit", ErrorCode.unit_needed, near)
        (unit,) = candidates
        return self._rows[unit]

    @cached_property
    def _reach(self) -> set[int] | None:
        """The units that the caller may speak for; most speak for their own only, and need not ask for others."""
        return reach(self._session, self._caller, self._own)

    @cached_property
    def _rows(self) -> dict[int, UnitRow]:
        """All units that a row without one may mean."""
        meant = self._own.union(*self._answering.values())
        return {unit.id: unit for unit in unit_rows(self._session, meant)}

    def _known_names(self) -> list[str]:
        """All words that name a unit; none when there have been too many that name none."""
        if not self._may_guess():
            return []
        self._names = self._names or known_names(self._session)
        return self._names

    def _may_guess(self) -> bool:
        self._guesses -= 1
        return self._guesses >= 0


def checked_period(subject: Subject, text: str) -> Period:
    """The period, if the indicator is reported so and the plan has it. Raises InvalidRequest."""
    period = parse_period(text)
    if period is None:
        raise invalid("/period", ErrorCode.period_invalid)
    if subject.frequency is not None and period.frequency != subject.frequency:
        form = _form(Frequency(subject.frequency), period.last_day)
        params = {"indicator": subject.code, "frequency": subject.frequency, "form": form}
        raise invalid("/period", ErrorCode.period_wrong_frequency, [form], **params)
    starts_on, ends_on = subject.starts_on, subject.ends_on
    if not period.within(starts_on, ends_on):
        near = _form(period.frequency, ends_on if period.last_day > ends_on else starts_on)
        raise invalid("/period", ErrorCode.period_outside_plan, [near], starts_on=starts_on, ends_on=ends_on)
    return period


def _form(frequency: Frequency, day: date) -> str:
    """The period of a frequency that a day lies in: `2023-Q2` for a quarter and 15 June."""
    forms = {
        Frequency.year: "",
        Frequency.half_year: f"-H{(day.month + 5) // 6}",
        Frequency.quarter: f"-Q{(day.month + 2) // 3}",
        Frequency.month: f"-{day.month:02}",
        Frequency.day: f"-{day.month:02}-{day.day:02}",
    }
    return f"{day.year:04}{forms[frequency]}"
