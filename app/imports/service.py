"""Importing a plan document: read, recognise, resolve, extract, and put in force as one transaction."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from sqlalchemy import ScalarResult, func, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from app.assigning import members_of_groups, sync_assignments
from app.auth import Caller
from app.changes.service import record_change
from app.db import attempt, moment, violated_constraint
from app.errors import DocumentWithoutTargets, ErrorCode, invalid
from app.imports.applying import Applied, Importer
from app.imports.comparing import renumbered
from app.imports.figures import extract_indicators
from app.imports.findings import FINDING_TEXTS, Finding
from app.imports.grammar import recognise
from app.imports.marks import number_value
from app.imports.outline import Item, Outline
from app.imports.reading import read_document
from app.imports.register import Register, load_register, register_findings
from app.imports.schemas import (
    FindingSeverity,
    ImportCounts,
    ImportedIndicator,
    ImportedTarget,
    ImportedUnit,
    ImportFinding,
    ImportQuery,
    ImportReport,
)
from app.imports.sections import apply_sections
from app.lookups import get_row
from app.messages import Language
from app.plans.service import lock_indicators, render_plan
from app.tables import Assignment, Import, Plan, Target
from app.types import ImportState, IndicatorKind, Json

MOST_ENTRIES = 5000  # targets, and headings, of one document


class PlanDocument(NamedTuple):
    """What was read in a document, before any database is asked: its outline, and the figures of each item."""

    outline: Outline
    figures: list[list[ImportedIndicator]]
    sha256: str


def read_plan(data: bytes) -> PlanDocument:
    """Read a document; no transaction waits for it.

    Raises DocumentEmpty, DocumentUnreadable, DocumentWithoutTargets, InvalidRequest.
    """
    document = read_document(data)
    outline = recognise(document)
    if not outline.items:
        raise DocumentWithoutTargets(lines=len(document.lines))
    _refuse_too_large(outline)
    figures = [list(_read_indicators(item)) for item in outline.items]
    return PlanDocument(outline, figures, hashlib.sha256(data).hexdigest())


def import_document(
    session: Session, caller: Caller, document: PlanDocument, query: ImportQuery, language: Language
) -> tuple[ImportReport, bool]:
    """Import a document into a plan, and tell whether that left a new import: the same document again leaves none.

    A dry run does the same and undoes it. Raises InvalidRequest.
    """
    source = {"source_sha256": document.sha256} | query.model_dump(include={"source"})
    with attempt(session, undo=query.dry_run):
        report, recorded = _import_outline(session, caller, document.outline, document.figures, source, query)
    report["dry_run"] = query.dry_run
    if query.dry_run:
        report |= {"code": None, "state": ImportState.draft.value}
    return render_report(report, language), recorded and not query.dry_run


def _refuse_too_large(outline: Outline) -> None:
    """So that no document holds up all other writers for minutes."""
    most = max(len(outline.items), len(outline.sections))
    if most > MOST_ENTRIES:
        raise invalid("", ErrorCode.too_long, limit=MOST_ENTRIES)


def _import_outline(
    session: Session,
    caller: Caller,
    outline: Outline,
    figures: Sequence[list[ImportedIndicator]],
    source: Json,
    query: ImportQuery,
) -> tuple[Json, bool]:
    plan, plan_changed = _put_plan(session, caller, outline, source, query)
    at = moment(session)
    last = _last_import(session, plan)
    members = members_of_groups(session)
    register = load_register(session, members)
    read = _read_targets(outline, figures, register)
    targets = dict(zip(_codes(plan.code, (item.value for item in outline.items)), read, strict=True))
    before = _targets_of(plan.code, last)
    sections, sections_changed = apply_sections(session, caller, plan, at, _paths(outline))
    importer = Importer(session, caller, plan, at, register.keys)
    applied = importer.apply(targets, before, sections)
    sync_assignments(session, caller, applied.touched, at)
    compared = [*renumbered(targets, before), *importer.replaced_findings()]
    findings = [*outline.findings, *register_findings(outline, register), *compared]
    report: Json = {
        "code": last.code if last is not None else None,
        "plan": plan.code,
        "dry_run": False,
        "state": ImportState.accepted.value,
        "counts": _counts(session, plan, targets, applied).model_dump(),
        "targets": [target.model_dump(mode="json") for target in targets.values()],
        "findings": [_stored_finding(finding) for finding in sorted(findings, key=_place)],
    }
    # what was read is kept whenever it is other: the next document is compared with it
    if last is not None and targets == before and not (applied.anything or sections_changed or plan_changed):
        return report, False
    _record_import(session, caller, plan, report, at)
    return report, True


def _put_plan(
    session: Session, caller: Caller, outline: Outline, source: Json, query: ImportQuery
) -> tuple[Plan, bool]:
    """The plan a document belongs to, new or with what is said of it otherwise now; and whether it is either."""
    plan, verb = _locked_plan(session, query.plan).one_or_none(), "changed"
    given = query.model_dump(include={"title", "issuer", "region_code", "year"}, exclude_none=True)
    if plan is None:
        # not the transaction's own moment: another import of the same plan may have to be waited for
        if _insert_unless_there(session, _new_plan(outline, query, datetime.now(UTC))):
            verb = "created"
        plan = _locked_plan(session, query.plan).one()
    # who writes in the plan is waited for before the time of the import is taken: what they wrote is older
    lock_indicators(session, plan.id)
    if plan.source_sha256 != source["source_sha256"]:
        given |= {name: value for name, value in source.items() if value is not None}
    new = {name: value for name, value in given.items() if getattr(plan, name) != value}
    for name, value in new.items():
        setattr(plan, name, value)
    if "year" in new:
        plan.starts_on, plan.ends_on = _days_of(plan.year)
    if new:
        at = plan.updated_at = moment(session)
        session.flush()
        data = render_plan(plan).model_dump(mode="json")
        record_change(session, caller, "plan", verb, plan.code, data, at=at, plan_id=plan.id)
    return plan, bool(new)


def _locked_plan(session: Session, code: str) -> ScalarResult[Plan]:
    """The plan, which only one import at a time works on."""
    statement = select(Plan).where(col(Plan.code) == code).with_for_update(key_share=True)
    return session.execute(statement.execution_options(populate_existing=True)).scalars()


def _insert_unless_there(session: Session, plan: Plan) -> bool:
    """False where another import of the same new plan came first; this waits until that one is over."""
    try:
        with attempt(session, undo=False):
            session.add(plan)
    except IntegrityError as error:
        if violated_constraint(error) != "uq_plans_code":
            raise
        return False
    return True


def _new_plan(outline: Outline, query: ImportQuery, at: datetime) -> Plan:
    title, year = query.title or outline.title, query.year or outline.year
    if title is None:
        raise invalid("/query/title", ErrorCode.title_unknown)
    if year is None:
        raise invalid("/query/year", ErrorCode.year_unknown)
    starts_on, ends_on = _days_of(year)
    return Plan(code=query.plan, title=title, year=year, starts_on=starts_on, ends_on=ends_on, updated_at=at)


def _days_of(year: int) -> tuple[date, date]:
    return date(year, 1, 1), date(year, 12, 31)


def _last_import(session: Session, plan: Plan) -> Import | None:
    newest = select(Import).where(col(Import.plan_id) == plan.id).order_by(col(Import.id).desc()).limit(1)
    return session.execute(newest).scalar_one_or_none()


def _targets_of(plan_code: str, last: Import | None) -> dict[str, ImportedTarget]:
    """What the last import read, by code."""
    if last is None:
        return {}
    targets = [ImportedTarget.model_validate(target) for target in json.loads(last.report)["targets"]]
    return dict(zip(_codes(plan_code, (number_value(target.number) for target in targets)), targets, strict=True))


def _codes(plan_code: str, numbers: Iterable[int]) -> Iterator[str]:
    """Codes for numbered items: `{plan}.{number}`; a number that stands again gets a count behind it."""
    seen: dict[int, int] = {}
    for number in numbers:
        seen[number] = seen.get(number, 0) + 1
        yield f"{plan_code}.{number}" + (f"-{seen[number]}" if seen[number] > 1 else "")


def _read_targets(
    outline: Outline, figures: Sequence[list[ImportedIndicator]], register: Register
) -> Iterator[ImportedTarget]:
    for item, indicators in zip(outline.items, figures, strict=True):
        yield ImportedTarget(
            number=item.number,
            label=item.label,
            statement=item.statement,
            section=outline.path(item.section),
            due_on=None,
            line=item.line,
            start=item.start,
            end=item.end,
            units=[
                ImportedUnit(name=unit.name, code=register.code_of(unit.name), role=unit.role) for unit in item.units
            ],
            indicators=indicators,
        )


def _read_indicators(item: Item) -> Iterator[ImportedIndicator]:
    for found in extract_indicators(item.statement):
        above, _, before = item.statement[: found.start].rpartition("\n")
        lines_down = above.count("\n") + 1 if len(before) < found.start else 0
        start = len(before) if lines_down else item.start + found.start
        yield ImportedIndicator(
            name=found.name,
            comparator=found.comparator,
            goal=found.goal,
            goal_to=found.goal_to,
            measure=found.measure,
            kind=IndicatorKind(found.kind),
            each_member=found.each_member,
            text=found.text,
            line=item.line + lines_down,
            start=start,
            end=start + len(found.text),
        )


def _paths(outline: Outline) -> list[tuple[tuple[str, ...], int]]:
    """The headings as paths from the outermost, each once, with their lines."""
    paths: dict[tuple[str, ...], int] = {}
    for place, section in enumerate(outline.sections):
        paths.setdefault(tuple(outline.path(place)), section.line)
    return list(paths.items())


def _counts(session: Session, plan: Plan, targets: Mapping[str, ImportedTarget], applied: Applied) -> ImportCounts:
    session.flush()  # assignments have just been written
    assignments = (
        select(func.count())
        .select_from(Assignment)
        .join(Target, col(Target.id) == col(Assignment.target_id))
        .where(col(Target.plan_id) == plan.id, col(Assignment.removed_at).is_(None))
    )
    return ImportCounts(
        targets=len(targets),
        units=len({unit.name for target in targets.values() for unit in target.units}),
        assignments=session.execute(assignments).scalar_one(),
        indicators=sum(len(target.indicators) for target in targets.values()),
        added=len(applied.added),
        changed=len(applied.changed),
        removed=len(applied.removed),
        unchanged=len(applied.unchanged),
    )


def _record_import(session: Session, caller: Caller, plan: Plan, report: Json, at: datetime) -> None:
    """Keep the report as the plan's newest import, which the next one will be compared with."""
    count = session.execute(select(func.count()).select_from(Import).where(col(Import.plan_id) == plan.id)).scalar_one()
    report["code"] = f"{plan.code}.import-{count + 1}"
    session.add(
        Import(
            plan_id=plan.id,
            code=report["code"],
            state=ImportState.accepted.value,
            source_sha256=plan.source_sha256 or "",
            created_at=at,
            client_id=caller.client_id,
            request_id=caller.request_id,
            report=json.dumps(report, ensure_ascii=False),
        )
    )
    data: dict[str, object] = {"code": report["code"], "plan": plan.code, "counts": report["counts"]}
    record_change(session, caller, "import", "finished", report["code"], data, at=at, plan_id=plan.id)


def get_import(session: Session, code: str, language: Language) -> ImportReport:
    """The report of an import. Raises NotFound."""
    return render_report(json.loads(get_row(session, Import, code, "/path/import_code").report), language)


def _place(finding: Finding) -> tuple[int, int]:
    return finding.line or 0, finding.start or 0


def _stored_finding(finding: Finding) -> Json:
    return {
        "severity": finding.severity,
        "code": finding.code,
        "line": finding.line,
        "start": finding.start,
        "end": finding.end,
        "text": finding.text,
        "params": finding.params,
        "suggestions": list(finding.suggestions),
    }


def render_report(report: Json, language: Language) -> ImportReport:
    """A stored report as answers show it, its findings told in a language."""
    findings = [_render_finding(finding, language) for finding in report["findings"]]
    return ImportReport.model_validate(report | {"findings": findings})


def _render_finding(finding: Json, language: Language) -> ImportFinding:
    zh, en = FINDING_TEXTS[finding["code"]]
    detail = (en if language is Language.en else zh).format_map(finding["params"])
    return ImportFinding(
        severity=FindingSeverity(finding["severity"]),
        detail=detail,
        **{name: finding[name] for name in ("code", "line", "start", "end", "text", "suggestions")},
    )
