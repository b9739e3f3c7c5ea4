"""Putting a read document into the database: what it says now against what it said last time.

A field is written where the document's word has changed since the last accepted import. Where it has not, the
database keeps what an administrator may have set since: a revised goal, a corrected day. So importing a document
again changes nothing, and importing a corrected one changes just what was corrected.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from app.auth import Caller
from app.changes.service import record_change
from app.imports.schemas import ImportedIndicator, ImportedTarget
from app.indicators.service import add_goal, add_indicator, written_indicator
from app.tables import Goal, Indicator, Plan, Section, Target, TargetUnit
from app.targets.service import reword, set_units, written_target
from app.types import Role, fold

REVISION_REASON = "方案文件更正"
Meaning = tuple[object, ...]  # what an indicator measures: name, measure, kind, and a count


@dataclass
class Applied:
    """What an import did to the targets, by their codes; `touched` are keys whose assignments must follow."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    sections_changed: bool = False
    touched: list[int] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        """Whether the database is other than before."""
        return bool(self.added or self.changed or self.removed or self.sections_changed)


@dataclass(frozen=True)
class Importer:
    """Who imports what when: the plan, the caller, the time, and the units of the register by their codes."""

    session: Session
    caller: Caller
    plan: Plan
    at: datetime
    unit_keys: Mapping[str, int]

    def apply(
        self,
        targets: Mapping[str, ImportedTarget],
        before: Mapping[str, ImportedTarget],
        sections: Mapping[tuple[str, ...], int],
    ) -> Applied:
        """Write a document's targets, by code; `before` are the last one's, `sections` the keys of its headings."""
        done = Applied()
        rows = self.session.execute(select(Target).where(col(Target.plan_id) == self.plan.id)).scalars()
        present = {row.code: row for row in rows}
        for position, (code, target) in enumerate(targets.items()):
            self._apply_target(code, target, before.get(code), present.get(code), position, sections, done)
        for code in before.keys() - targets.keys():
            row = present.get(code)
            if row is not None and row.removed_at is None:
                self._remove_target(row)
                done.removed.append(code)
                done.touched.append(row.id)
        return done

    def _apply_target(
        self,
        code: str,
        target: ImportedTarget,
        before: ImportedTarget | None,
        row: Target | None,
        position: int,
        sections: Mapping[tuple[str, ...], int],
        done: Applied,
    ) -> None:
        verb = "changed"
        if row is None or row.removed_at is not None:
            verb, before = "created", None
        if row is None:
            row = Target(
                plan_id=self.plan.id,
                code=code,
                number=target.number,
                position=position,
                statement=target.statement,
                search_text=fold(target.statement),
                updated_at=self.at,
            )
            self.session.add(row)
        elif row.removed_at is not None:
            self._restore_target(row)
        changed = self._set_fields(row, target, before, sections)
        row.position, row.line, row.start, row.end = position, target.line, target.start, target.end
        self.session.flush()  # units and indicators need the target's key
        if self._set_units(row, target, before) or verb == "created":
            changed = True
            done.touched.append(row.id)
        changed = self._set_indicators(row, target, before) or changed
        if changed:
            written_target(self.session, self.caller, row, verb, self.at)
        (done.added if verb == "created" else done.changed if changed else done.unchanged).append(code)

    def _set_fields(
        self,
        row: Target,
        target: ImportedTarget,
        before: ImportedTarget | None,
        sections: Mapping[tuple[str, ...], int],
    ) -> bool:
        was = (row.number, row.label, row.statement, row.due_on, row.section_id)
        row.number, row.label = target.number, target.label
        row.section_id = sections.get(tuple(target.section))
        if before is None or target.statement != before.statement:
            reword(row, target.statement)
        if before is None or target.due_on != before.due_on:
            row.due_on = target.due_on
        return before is None or was != (row.number, row.label, row.statement, row.due_on, row.section_id)

    def _set_units(self, row: Target, target: ImportedTarget, before: ImportedTarget | None) -> bool:
        printed = _known_units(target)
        if before is not None and printed == _known_units(before):
            return False
        wanted = [(self.unit_keys[code], role) for code, role in printed]
        rows = select(col(TargetUnit.unit_id), col(TargetUnit.role)).where(col(TargetUnit.target_id) == row.id)
        present = [(unit, role) for unit, role in self.session.execute(rows.order_by(col(TargetUnit.position)))]
        if wanted == present:
            return False
        set_units(self.session, row, wanted)
        return True

    def _set_indicators(self, row: Target, target: ImportedTarget, before: ImportedTarget | None) -> bool:
        imported = [indicator for indicator in self._indicators(row) if indicator.text is not None]
        imported.sort(key=lambda indicator: (indicator.removed_at is not None, indicator.ordinal))
        last, now = _by_meaning(before.indicators if before is not None else ()), _by_meaning(target.indicators)
        matched = _match(now, last, imported)
        changed = False
        for meaning, indicator in now.items():
            changed = self._set_indicator(row, indicator, last.get(meaning), matched.get(meaning)) or changed
        kept = {found.id for found in matched.values()}
        gone = [found for found in imported if found.removed_at is None and found.id not in kept]
        for found in gone:
            self._remove_indicator(found)
        return changed or bool(gone)

    def _set_indicator(
        self, target: Target, now: ImportedIndicator, before: ImportedIndicator | None, row: Indicator | None
    ) -> bool:
        place = {"text": now.text, "line": now.line, "start": now.start, "end": now.end}
        fields = now.model_dump(include={"name", "comparator", "measure", "kind", "each_member"})
        if row is None:
            row = add_indicator(self.session, self.caller, target, now.goal, now.goal_to, self.at, fields | place)
            written_indicator(self.session, self.caller, row, "created", self.at)
            return True
        back = row.removed_at is not None
        if back:
            before = None  # the document's word is taken whole
        row.removed_at = None
        said = before.model_dump() if before is not None else {}
        new = {name: value for name, value in fields.items() if value not in (said.get(name), getattr(row, name))}
        for name, value in (new | place).items():
            setattr(row, name, value)
        goal = self.session.get_one(Goal, (row.id, row.goal_version))
        revised = (now.goal, now.goal_to) not in ((said.get("goal"), said.get("goal_to")), (goal.goal, goal.goal_to))
        if revised:
            add_goal(self.session, self.caller, row, now.goal, now.goal_to, self.at, REVISION_REASON, None)
        if new or back:
            written_indicator(self.session, self.caller, row, "created" if back else "changed", self.at)
        return bool(new) or back or revised

    def _remove_target(self, row: Target) -> None:
        """Indicators go with their target, also those that no document named; assignments follow."""
        row.removed_at = self.at
        written_target(self.session, self.caller, row, "removed", self.at)
        for indicator in self._indicators(row):
            if indicator.removed_at is None:
                self._remove_indicator(indicator)

    def _restore_target(self, row: Target) -> None:
        """What was removed with a target and no document names, comes back with it."""
        removed_at, row.removed_at = row.removed_at, None
        for indicator in self._indicators(row):
            if indicator.text is None and indicator.removed_at == removed_at:
                indicator.removed_at = None
                written_indicator(self.session, self.caller, indicator, "created", self.at)

    def _remove_indicator(self, row: Indicator) -> None:
        row.removed_at = row.updated_at = self.at
        data: dict[str, object] = {"code": row.code}
        plan = self.plan.id
        record_change(self.session, self.caller, "indicator", "removed", row.code, data, at=self.at, plan_id=plan)

    def _indicators(self, target: Target) -> Sequence[Indicator]:
        """All indicators that a target ever had."""
        return self.session.execute(select(Indicator).where(col(Indicator.target_id) == target.id)).scalars().all()


def _known_units(target: ImportedTarget) -> list[tuple[str, Role]]:
    """The units that the register knows, each once in a role, in the order of the document."""
    return list(dict.fromkeys((unit.code, unit.role) for unit in target.units if unit.code is not None))


def _by_meaning(indicators: Sequence[ImportedIndicator]) -> dict[Meaning, ImportedIndicator]:
    """Indicators by what they measure; the count keeps apart two of one meaning in one target."""
    found: dict[Meaning, ImportedIndicator] = {}
    counts: Counter[Meaning] = Counter()
    for indicator in indicators:
        measured = (indicator.name, indicator.measure, indicator.kind)
        found[*measured, counts[measured]] = indicator
        counts[measured] += 1
    return found


def _match(
    now: Mapping[Meaning, ImportedIndicator], last: Mapping[Meaning, ImportedIndicator], rows: Sequence[Indicator]
) -> dict[Meaning, Indicator]:
    """The row of each indicator that has one: the one it had last time, else one that was read from the same words."""
    matched: dict[Meaning, Indicator] = {}
    free = list(rows)
    for told in (last, now):
        for meaning in now:
            texts = [row.text for row in free]
            if meaning not in matched and meaning in told and told[meaning].text in texts:
                matched[meaning] = free.pop(texts.index(told[meaning].text))
    return matched


def apply_sections(
    importer: Importer, paths: Sequence[tuple[tuple[str, ...], int]]
) -> tuple[dict[tuple[str, ...], int], bool]:
    """Write the headings of a document, given as paths from the outermost with their lines.

    The answer is the key of each path, and whether anything changed.
    """
    session, plan = importer.session, importer.plan
    rows = list(session.execute(select(Section).where(col(Section.plan_id) == plan.id)).scalars())
    by_place = {(row.parent_id, row.heading): row for row in rows}
    keys: dict[tuple[str, ...], int] = {}
    changed = False
    for position, (path, line) in enumerate(paths, start=1):
        parent = keys.get(path[:-1])
        row = by_place.get((parent, path[-1]))
        if row is None:
            row = Section(
                plan_id=plan.id,
                parent_id=parent,
                code=f"{plan.code}.s{len(rows) + 1}",
                heading=path[-1],
                position=position,
                updated_at=importer.at,
            )
            rows.append(row)
            by_place[parent, path[-1]] = row
        verb = "created" if row.id is None or row.removed_at is not None else None
        row.position, row.line, row.removed_at = position, line, None
        changed = _write_section(importer, row, verb) or changed
        keys[path] = row.id
    for row in rows:
        if row.id not in keys.values() and row.removed_at is None:
            row.removed_at = importer.at
            changed = _write_section(importer, row, "removed") or changed
    return keys, changed


def _write_section(importer: Importer, row: Section, verb: str | None) -> bool:
    if verb is not None:
        row.updated_at = importer.at
    importer.session.add(row)
    importer.session.flush()  # sections below and targets need the section's key
    if verb is not None:
        record_change(
            importer.session,
            importer.caller,
            "section",
            verb,
            row.code,
            {"code": row.code, "heading": row.heading},
            at=importer.at,
            plan_id=importer.plan.id,
        )
    return verb is not None
