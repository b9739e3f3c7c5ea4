"""Putting a read document into the database: what it says now against what it said last time.

A field is written where the document's word has changed since the last accepted import. Where it has not, the
database keeps what an administrator may have set since: a revised goal, a corrected day. So importing a document
again changes nothing, and importing a corrected one changes just what was corrected.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, select
from sqlmodel import Session, col

from app.auth import Caller
from app.changes.service import record_change
from app.imports.comparing import match_indicators, printed_units
from app.imports.findings import Finding
from app.imports.schemas import ImportedIndicator, ImportedTarget
from app.indicators.schemas import IndicatorQuery
from app.indicators.service import add_goal, list_indicators
from app.tables import Goal, Indicator, LatestValue, Plan, Target, TargetUnit
from app.targets.service import add_units, record_targets, reword, set_units
from app.types import Comparator, Role, fold

REVISION_REASON = "方案文件更正"
_PAGE = 1000
Locked = TypeVar("Locked", Target, Indicator)


@dataclass
class Applied:
    """What an import did to the targets, by their codes; `touched` are keys whose assignments must follow."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    touched: list[int] = field(default_factory=list)
    targets: list[tuple[Target, str]] = field(default_factory=list)  # what changes are recorded of, with their verbs
    indicators: list[tuple[Indicator, str]] = field(default_factory=list)
    replaced: list[tuple[Indicator, list[ImportedIndicator]]] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        """Whether the targets are other than before."""
        return bool(self.added or self.changed or self.removed)


class Importer:
    """Who imports what when, and what the plan holds: its targets, their indicators and printed units.

    Targets and indicators are locked until the transaction ends, always in the order of their keys, so that what an
    administrator writes meanwhile comes wholly before or wholly after.
    """

    def __init__(
        self, session: Session, caller: Caller, plan: Plan, at: datetime, unit_keys: Mapping[str, int]
    ) -> None:
        self.session, self.caller, self.plan, self.at, self.unit_keys = session, caller, plan, at, unit_keys
        self.done = Applied()
        self._new: list[tuple[Indicator, ImportedIndicator]] = []
        inside = col(Target.plan_id) == plan.id
        self.targets = {row.code: row for row in self._locked(Target, inside)}
        keys = select(col(Target.id)).where(inside)
        self.indicators: dict[int, list[Indicator]] = {}
        for row in self._locked(Indicator, col(Indicator.target_id).in_(keys)):
            self.indicators.setdefault(row.target_id, []).append(row)
        self.units: dict[int, list[tuple[int, Role]]] = {}
        printed = select(col(TargetUnit.target_id), col(TargetUnit.unit_id), col(TargetUnit.role))
        for target, unit, role in session.execute(
            printed.where(col(TargetUnit.target_id).in_(keys)).order_by(col(TargetUnit.position))
        ):
            self.units.setdefault(target, []).append((unit, Role(role)))
        goals = select(Goal).join(Indicator, col(Indicator.id) == col(Goal.indicator_id))
        goals = goals.where(col(Goal.version) == col(Indicator.goal_version), col(Indicator.target_id).in_(keys))
        self.goals = {goal.indicator_id: goal for goal in session.execute(goals).scalars()}

    def _locked(self, table: type[Locked], where: ColumnElement[bool]) -> Sequence[Locked]:
        rows = select(table).where(where).order_by(col(table.id)).with_for_update(key_share=True)
        return self.session.execute(rows.execution_options(populate_existing=True)).scalars().all()

    def apply(
        self,
        targets: Mapping[str, ImportedTarget],
        before: Mapping[str, ImportedTarget],
        sections: Mapping[tuple[str, ...], int],
    ) -> Applied:
        """Write a document's targets, by code; `before` are the last one's, `sections` the keys of its headings."""
        new = self._add_new(targets)
        for position, (code, target) in enumerate(targets.items()):
            row = self.targets[code]
            row.position = position
            verb = "created" if code in new or row.removed_at is not None else "changed"
            self._apply_target(row, target, before.get(code), verb, sections.get(tuple(target.section)))
        for code in before:
            gone = self.targets.get(code) if code not in targets else None
            if gone is not None and gone.removed_at is None:
                self._remove_target(gone)
        self._write_new_indicators()
        for indicator, _ in self.done.indicators:
            indicator.updated_at = self.at
        record_targets(self.session, self.caller, self.done.targets, self.at)
        self._record_indicators()
        return self.done

    def _add_new(self, targets: Mapping[str, ImportedTarget]) -> set[str]:
        """Rows for the targets that never were, at once: units and indicators need their keys."""
        new = targets.keys() - self.targets.keys()
        for position, (code, target) in enumerate(targets.items()):
            if code in new:
                self.targets[code] = Target(
                    plan_id=self.plan.id,
                    code=code,
                    number=target.number,
                    position=position,
                    statement=target.statement,
                    search_text=fold(target.statement),
                    updated_at=self.at,
                )
                self.session.add(self.targets[code])
        self.session.flush()
        return new

    def _apply_target(
        self, row: Target, target: ImportedTarget, before: ImportedTarget | None, verb: str, section: int | None
    ) -> None:
        if verb == "created":
            before = None  # the document's word is taken whole
        if row.removed_at is not None:
            self._restore_target(row)
        place = (row.line, row.start, row.end)
        row.line, row.start, row.end = target.line, target.start, target.end
        changed = self._set_fields(row, target, before, section)
        if self._set_units(row, target, before) or verb == "created":
            changed = True
            self.done.touched.append(row.id)
        changed = self._set_indicators(row, target, before) or changed
        if changed or place != (row.line, row.start, row.end):
            self.done.targets.append((row, verb))
        done = self.done
        (done.added if verb == "created" else done.changed if changed else done.unchanged).append(row.code)

    def _set_fields(
        self, row: Target, target: ImportedTarget, before: ImportedTarget | None, section: int | None
    ) -> bool:
        was = (row.number, row.label, row.statement, row.due_on, row.section_id)
        row.number, row.label, row.section_id = target.number, target.label, section
        if before is None or target.statement != before.statement:
            reword(row, target.statement)
        if before is None or target.due_on != before.due_on:
            row.due_on = target.due_on
        return before is None or was != (row.number, row.label, row.statement, row.due_on, row.section_id)

    def _set_units(self, row: Target, target: ImportedTarget, before: ImportedTarget | None) -> bool:
        """A list that is printed otherwise is written whole; of the same one, what the register has come to know."""
        stands = self.units.get(row.id, [])
        wanted = self._known(target, set())
        if before is not None and printed_units(target) == printed_units(before):
            resolved = {(unit.name, unit.role) for unit in before.units if unit.code is not None}
            both = list(dict.fromkeys([*stands, *self._known(target, resolved)]))
            if len(both) == len(stands):
                return False
            wanted = wanted if set(both) == set(wanted) else both
        if wanted == stands:
            return False
        (set_units if stands else add_units)(self.session, row, wanted)
        return True

    def _known(self, target: ImportedTarget, but: set[tuple[str, Role]]) -> list[tuple[int, Role]]:
        """The units that the register knows, each once in a role, in the order of the document, but some names."""
        known = (unit for unit in target.units if unit.code is not None and (unit.name, unit.role) not in but)
        return list(dict.fromkeys((self.unit_keys[unit.code or ""], unit.role) for unit in known))

    def _set_indicators(self, row: Target, target: ImportedTarget, before: ImportedTarget | None) -> bool:
        imported = [one for one in self.indicators.get(row.id, ()) if one.text is not None]
        matched = match_indicators(target.indicators, before.indicators if before is not None else (), imported)
        changed = False
        new = []
        for now, known in zip(target.indicators, matched, strict=True):
            if known is None:
                new.append(now)
            else:
                changed = self._set_indicator(now, known.before, known.row) or changed
        kept = {known.row.id for known in matched if known is not None}
        gone = [found for found in imported if found.removed_at is None and found.id not in kept]
        for found in gone:
            self._remove_indicator(found)
        for now in new:
            self._add_indicator(row, now)
        self.done.replaced += [(found, new) for found in gone if new]
        return changed or bool(gone) or bool(new)

    def _set_indicator(self, now: ImportedIndicator, before: ImportedIndicator | None, row: Indicator) -> bool:
        place = {"text": now.text, "line": now.line, "start": now.start, "end": now.end}
        back = row.removed_at is not None
        if back:
            before = None  # the document's word is taken whole
        row.removed_at = None
        said = before.model_dump() if before is not None else {}
        new = {name: value for name, value in _fields(now).items() if value not in (said.get(name), getattr(row, name))}
        moved = {name: value for name, value in place.items() if value != getattr(row, name)}
        compared_by = row.comparator
        for name, value in (new | moved).items():
            setattr(row, name, value)
        revised = self._set_goal(now, before, row)
        if new or moved or back or row.comparator != compared_by:
            self.done.indicators.append((row, "created" if back else "changed"))
        return bool(new) or back or revised

    def _set_goal(self, now: ImportedIndicator, before: ImportedIndicator | None, row: Indicator) -> bool:
        """Revise an indicator's goal where its figures or its comparator are other ones now."""
        goal = self.goals[row.id]
        figures = stands = (goal.goal, goal.goal_to)
        printed = (now.goal, now.goal_to)
        if before is None or printed != (before.goal, before.goal_to):
            figures = printed
        if (row.comparator == Comparator.range) != (figures[1] is not None):
            # one is the document's, the other an administrator's: together they mean nothing
            row.comparator, figures = now.comparator, printed
        if (row.comparator, *figures) == (goal.comparator, *stands):
            return False
        add_goal(self.session, self.caller, row, *figures, self.at, REVISION_REASON, None)
        return True

    def _add_indicator(self, target: Target, now: ImportedIndicator) -> None:
        """A row with the next code of its target; removed ones keep theirs. Keys and goals follow for all at once."""
        rows = self.indicators.setdefault(target.id, [])
        ordinal = max((row.ordinal for row in rows), default=0) + 1
        row = Indicator(
            target_id=target.id,
            ordinal=ordinal,
            code=f"{target.code}.{ordinal}",
            goal_version=1,
            text=now.text,
            line=now.line,
            start=now.start,
            end=now.end,
            updated_at=self.at,
            **_fields(now),
        )
        rows.append(row)
        self._new.append((row, now))
        self.done.indicators.append((row, "created"))

    def _write_new_indicators(self) -> None:
        self.session.add_all(row for row, _ in self._new)
        self.session.flush()  # goals need the keys
        self.session.add_all(
            Goal(
                indicator_id=row.id,
                version=1,
                goal=now.goal,
                goal_to=now.goal_to,
                recorded_at=self.at,
                client_id=self.caller.client_id,
                request_id=self.caller.request_id,
                comparator=row.comparator,
            )
            for row, now in self._new
        )

    def _remove_target(self, row: Target) -> None:
        """Indicators go with their target, also those that no document named; assignments follow."""
        row.removed_at = self.at
        for indicator in self.indicators.get(row.id, ()):
            if indicator.removed_at is None:
                self._remove_indicator(indicator)
        self.done.removed.append(row.code)
        self.done.touched.append(row.id)
        self.done.targets.append((row, "removed"))

    def _restore_target(self, row: Target) -> None:
        """What was removed with a target and no document names, comes back with it."""
        removed_at, row.removed_at = row.removed_at, None
        for indicator in self.indicators.get(row.id, ()):
            if indicator.text is None and indicator.removed_at == removed_at:
                indicator.removed_at = None
                self.done.indicators.append((indicator, "created"))

    def _remove_indicator(self, row: Indicator) -> None:
        row.removed_at = self.at
        self.done.indicators.append((row, "removed"))

    def _record_indicators(self) -> None:
        shown = self._shown_indicators()
        for row, verb in self.done.indicators:
            data: dict[str, object] = {"code": row.code} if verb == "removed" else shown[row.code]
            record_change(
                self.session, self.caller, "indicator", verb, row.code, data, at=self.at, plan_id=self.plan.id
            )

    def _shown_indicators(self) -> dict[str, dict[str, object]]:
        """All indicators of the plan as answers show them, page by page: one by one takes far longer."""
        shown: dict[str, dict[str, object]] = {}
        cursor: str | None = None
        while self.done.indicators:
            query = IndicatorQuery(plan=self.plan.code, limit=_PAGE, cursor=cursor)
            page = list_indicators(self.session, query)
            shown |= {one.code: one.model_dump(mode="json") for one in page.items}
            cursor = page.next_cursor
            if cursor is None:
                break
        return shown

    def replaced_findings(self) -> list[Finding]:
        """Indicators that are gone with values while others have come in their target: perhaps the same, reworded."""
        gone = [row.id for row, _ in self.done.replaced]
        valued = select(col(LatestValue.indicator_id)).where(col(LatestValue.indicator_id).in_(gone)).distinct()
        with_values = set(self.session.execute(valued).scalars())
        return [
            Finding(
                "warning",
                "indicator_replaced",
                line=new[0].line,
                start=new[0].start,
                end=new[0].end,
                text=new[0].text,
                params={"old": row.text or row.name, "new": "、".join(one.text for one in new), "code": row.code},
            )
            for row, new in self.done.replaced
            if row.id in with_values
        ]


def _fields(now: ImportedIndicator) -> dict[str, Any]:
    return now.model_dump(include={"name", "comparator", "measure", "kind", "each_member"})
