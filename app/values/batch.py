"""Batches: rows that are checked one and all before anything is written, and the report of what became of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Annotated, Any, NamedTuple, NotRequired

from pydantic import TypeAdapter, ValidationError
from sqlmodel import Session
from typing_extensions import TypedDict  # that of Python 3.11 is not enough for Pydantic

from app.auth import Caller
from app.db import attempt, moment
from app.errors import BatchRejected, Fault, NotFound, ServiceError, StaleVersion
from app.messages import Language, fault_detail
from app.problems import MOST_FAULTS, fault_of, printable
from app.spreadsheets import list_columns, render_csv
from app.types import Json
from app.values.formats import read_batch
from app.values.recording import REOPENED, Figure, Named, Outcome, judge_figures
from app.values.rows import RawRow
from app.values.schemas import BatchQuery, BatchReport, OnError, RowProblem, ValueCreate
from app.values.writing import write_versions

MOST_PROBLEMS = 1000
_LONGEST_QUOTED = 200  # as long as any name
_CHUNK, _MOST_WRITTEN = 1000, 10_000  # rows that are checked, or written, together: what is in memory twice
_FIELDS = list(ValueCreate.model_fields)
_MOST_UNKNOWN, _MOST_TOLD = 20, 10_000
_MOST_FIELDS = len(_FIELDS) + _MOST_UNKNOWN
PROBLEM_COLUMNS = [column for column in list_columns(RowProblem) if column != ("current",)]
# the field to blame where a refusal names none
_POINTERS: dict[type[ServiceError], str] = {
    StaleVersion: "/expected_version",
    NotFound: "/code",
}


def _rows_adapter() -> TypeAdapter[list[Json]]:
    """What checks rows as `ValueCreate` does a request, and leaves them dictionaries, which takes less time."""
    annotated: Any = Annotated  # made here and not declared: no type checker needs to follow
    typed_dict: Any = TypedDict
    list_of: Any = list
    fields = {}
    for name, one in ValueCreate.model_fields.items():
        checked = annotated[(one.annotation, one.description, *one.metadata)]
        fields[name] = checked if one.is_required() else NotRequired[checked]
    row = typed_dict("Row", fields)
    row.__pydantic_config__ = ValueCreate.model_config
    return TypeAdapter(list_of[row])


_ROWS = _rows_adapter()


class Wrong(NamedTuple):
    """One wrong thing in one row, not yet put into words."""

    row: int
    fault: Fault
    indicator: str | None
    unit: str | None
    period: str | None
    current: Json | None = None


@dataclass
class Rows:
    """The rows of a batch, each checked by itself: figures that may be recorded, and what is wrong with the rest."""

    figures: list[Figure] = field(default_factory=list)
    refused: list[Named] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)
    rejected: set[int] = field(default_factory=set)
    blank: int = 0
    encoding: str | None = None
    pointer: str = ""

    def refuse(self, row: int, faults: Iterable[Fault], *named: object, current: Json | None = None) -> None:
        """Note what is wrong with a row; `named` are its indicator, unit and period, where they can be read."""
        indicator, unit, period = (_quoted(word) if isinstance(word, str) else None for word in named)
        self.wrong += (Wrong(row, fault, indicator, unit, period, current) for fault in faults)
        self.rejected.add(row)

    def refuse_for(self, row: int, refusal: ServiceError, *named: str | None) -> None:
        """Note why a row is refused."""
        faults = refusal.faults or [Fault(_POINTERS.get(type(refusal), ""), refusal.code, refusal.params)]
        current = dict(refusal.current) if refusal.current is not None else None
        self.refuse(row, faults, *named, current=current)


def read_rows(body: bytes, media_type: str, charset: str | None) -> Rows:
    """The rows of a request's body; see `app.values.formats` for what they may be written in."""
    batch = read_batch(body, media_type, charset)
    rows = Rows()
    told: dict[tuple[object, ...], Fault] = {}
    while chunk := list(islice(batch.rows, _CHUNK)):
        for row, (sent, faults) in zip(chunk, _checked(chunk, told), strict=True):
            if faults or sent is None:
                _refuse(rows, row, faults)
            else:
                rows.figures.append(Figure.read(row.number, sent, sent))
    rows.blank, rows.encoding, rows.pointer = batch.left_blank, batch.encoding, batch.pointer
    return rows


def _quoted(word: str) -> str:
    """A row's word as its problems show it: each of them, however many there are, and however long it is."""
    return printable(word if len(word) <= _LONGEST_QUOTED else f"{word[:_LONGEST_QUOTED]}…")


def _refuse(rows: Rows, row: RawRow, faults: Sequence[Fault]) -> None:
    """Note a row's faults, and what it names that may be wrong as well."""
    rows.refuse(row.number, faults, *(row.fields.get(name) for name in ("indicator", "unit", "period")))
    wrong = {fault.pointer for fault in faults}
    if "" not in wrong:
        indicator, period, unit = (
            row.fields.get(name) if f"/{name}" not in wrong else None for name in ("indicator", "period", "unit")
        )
        unit = unit.strip() if unit is not None else None
        rows.refused.append(Named(row.number, indicator, period, unit, "/unit" in wrong))


def _bounded(fields: dict[str, Any]) -> dict[str, Any]:
    """A row's fields, but of thousands that do not exist only the first few: they are enough to refuse it."""
    unknown = islice((name for name in fields if name not in _FIELDS), _MOST_UNKNOWN)
    return {name: fields[name] for name in (*(name for name in _FIELDS if name in fields), *unknown)}


def _checked(
    chunk: Sequence[RawRow], told: dict[tuple[object, ...], Fault]
) -> Iterator[tuple[Json | None, Sequence[Fault]]]:
    """Each row's fields, checked, or all that is wrong with them; `told` are the faults of the rows before.

    What is wrong with a hundred thousand rows is most often one thing, which takes longer to tell than to find.
    """
    fields = [row.fields if len(row.fields) <= _MOST_FIELDS else _bounded(row.fields) for row in chunk]
    try:
        return zip(_ROWS.validate_python(fields), (row.faults for row in chunk), strict=True)
    except ValidationError as error:
        faults = [list(row.faults) for row in chunk]
        for one in error.errors(include_url=False):
            number, *place = one["loc"]
            given = one["input"] if isinstance(one["input"], str | int) else None  # what is suggested goes by it
            kind = (*place, one["type"], one["msg"], given)
            fault = told.get(kind) or fault_of({**one, "loc": ("body", *place)}, _FIELDS)
            if len(told) < _MOST_TOLD:
                told[kind] = fault
            # what the reader saw says more than what the check of the same field does
            if not {"", fault.pointer} & {seen.pointer for seen in chunk[int(number)].faults}:
                faults[int(number)].append(fault)
    good = [number for number, found in enumerate(faults) if not found]
    sent = dict(zip(good, _ROWS.validate_python([fields[number] for number in good]), strict=True))
    return ((sent.get(number), found) for number, found in enumerate(faults))


def record_batch(
    session: Session, caller: Caller, rows: Rows, query: BatchQuery, language: Language, *, table: bool = False
) -> BatchReport | bytes:
    """Write the figures of a batch down, all or, with `on_error=skip`, those that are right.

    Answers a report, or with `table` all that is wrong as CSV. Raises BatchRejected.
    """
    rows = replace(rows, wrong=[*rows.wrong], rejected={*rows.rejected})  # the same rows may be tried again
    outcomes, more = judge_figures(session, caller, rows.figures, rows.refused)
    as_sent = {wrong.row: (wrong.indicator, wrong.unit, wrong.period) for wrong in rows.wrong}
    for named, refusals in zip(rows.refused, more, strict=True):
        for refusal in refusals:
            rows.refuse_for(named.row, refusal, *as_sent[named.row])
    for figure, outcome in zip(rows.figures, outcomes, strict=True):
        for refusal in outcome.refusals:
            rows.refuse_for(figure.row, refusal, figure.indicator, figure.unit, figure.period)
    rows.wrong.sort(key=lambda wrong: wrong.row)
    problems = _as_table(rows, language) if table else None
    report = settle(session, rows, outcomes, query, language, problems)
    return report if problems is None else problems


def settle(
    session: Session,
    rows: Rows,
    outcomes: Sequence[Outcome],
    query: BatchQuery,
    language: Language,
    table: bytes | None = None,
) -> BatchReport:
    """Write what was judged right, unless a wrong row forbids it, and report. Raises BatchRejected."""
    refused = bool(rows.rejected) and query.on_error is OnError.abort
    report = _report(rows, outcomes, query, language, committed=not refused and not query.dry_run)
    if refused:
        faults = [
            replace(wrong.fault, pointer=f"{rows.pointer}/{wrong.row - 1}{wrong.fault.pointer}")
            for wrong in rows.wrong[:MOST_FAULTS]
        ]
        shown = report.model_dump(mode="json")
        raise BatchRejected(*faults, report=shown, table=table, received=report.received, rejected=report.rejected)
    versions = [outcome.version for outcome in outcomes if outcome.version is not None and not outcome.refusals]
    versions.sort(key=lambda version: version.place.key)  # in the order of the tables: half the time in the database
    at = moment(session)
    with attempt(session, undo=query.dry_run):
        for start in range(0, len(versions), _MOST_WRITTEN):
            write_versions(session, versions[start : start + _MOST_WRITTEN], at)
    return report


def _report(
    rows: Rows, outcomes: Sequence[Outcome], query: BatchQuery, language: Language, *, committed: bool
) -> BatchReport:
    good = [outcome for outcome in outcomes if not outcome.refusals]
    written = [outcome.version for outcome in good if outcome.version is not None]
    created = sum(version.before is None for version in written)
    return BatchReport(
        received=len(good) + len(rows.rejected),
        created=created,
        updated=len(written) - created,
        unchanged=len(good) - len(written),
        unchanged_reopened=sum(map(_stays_reopened, good)),
        rejected=len(rows.rejected),
        blank=rows.blank,
        committed=committed,
        dry_run=query.dry_run,
        encoding=rows.encoding,
        problems=[in_words(wrong, language) for wrong in rows.wrong[:MOST_PROBLEMS]],
        problems_left_out=max(0, len(rows.wrong) - MOST_PROBLEMS),
    )


def _stays_reopened(outcome: Outcome) -> bool:
    return outcome.version is None and outcome.current is not None and outcome.current.status in REOPENED


def in_words(wrong: Wrong, language: Language) -> RowProblem:
    """What is wrong with a row, as answers tell it."""
    return RowProblem(
        row=wrong.row,
        pointer=printable(wrong.fault.pointer),
        code=wrong.fault.code,
        detail=printable(fault_detail(wrong.fault, language)),
        suggestions=list(wrong.fault.suggestions),
        indicator=wrong.indicator,
        unit=wrong.unit,
        period=wrong.period,
        current=wrong.current,
    )


def _as_table(rows: Rows, language: Language) -> bytes:
    return render_csv(PROBLEM_COLUMNS, (in_words(wrong, language).model_dump(mode="json") for wrong in rows.wrong))
