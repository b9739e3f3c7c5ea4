"""A file of values posted to a running service, in parts, by its client: `zeren values post`.

The file is read here as the service reads it, and sent on as lines of JSON, each part with an empty line for every row
that it does not hold: so the service counts the rows of the file, and what it says of row 9321 is true of the file.
Rows of the same indicator and period travel in one part, whatever their unit is called in each: so two rows for one
value always meet, and the service sees it.

A part is written whole or not at all, and its figures are named by indicator, unit and period: whoever stops in the
middle runs the same again. The `Idempotency-Key` is new for every run and serves its retries alone. A key made of the
file's own bytes would last longer than the run, and be wrong: the file of yesterday, posted again to undo a correction
of today, would be answered as it was yesterday, and change nothing.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from pydantic import Field

from app.calling import Service
from app.errors import ErrorCode
from app.messages import Language
from app.schemas import Whole
from app.values.batch import Rows, in_words
from app.values.recording import Figure, Named
from app.values.schemas import BatchReport, OnError, RowProblem

Progress = Callable[[str, int, int], None]  # what is being done, and how many rows of how many are


class PostReport(BatchReport):
    """What became of a file: a batch's report, over all parts."""

    written: Whole = Field(description="How many rows are in the database now, as they were sent.", examples=[10000])


class Line(NamedTuple):
    """One row as it is sent."""

    row: int
    text: bytes


Part = list[list[Line]]  # the lines of one request; those of one indicator and period are never taken apart


@dataclass
class _Tally:
    """The newest report of each part, and what was found without asking."""

    rows: Rows
    language: Language
    reports: dict[int, BatchReport] = field(default_factory=dict)
    problems: dict[int, list[RowProblem]] = field(default_factory=dict)
    left_out: int = 0

    def sum_up(self, *, committed: bool, dry_run: bool) -> PostReport:
        """The report of the whole file."""
        reports = self.reports.values()
        created, updated, unchanged = (
            sum(getattr(report, name) for report in reports) for name in ("created", "updated", "unchanged")
        )
        # rows that were refused here are sent only for what else is wrong with them
        rejected = sum(report.rejected for report in reports) - len(self.rows.refused) + len(self.rows.rejected)
        here = (in_words(wrong, self.language) for wrong in self.rows.wrong)
        return PostReport(
            received=created + updated + unchanged + rejected,
            created=created,
            updated=updated,
            unchanged=unchanged,
            unchanged_reopened=sum(report.unchanged_reopened for report in reports),
            rejected=rejected,
            blank=self.rows.blank,
            committed=committed,
            dry_run=dry_run,
            encoding=self.rows.encoding,
            problems=sorted(chain(here, *self.problems.values()), key=lambda problem: problem.row),
            problems_left_out=self.left_out,
            written=sum(one.created + one.updated + one.unchanged for one in reports if one.committed),
        )


def post_rows(
    service: Service, rows: Rows, *, dry_run: bool, on_error: OnError, batch_size: int, progress: Progress
) -> PostReport:
    """Post the rows of a file, and report.

    With `abort`, all parts are checked before the first is written; a part that is wrong nevertheless, since
    something changed meanwhile, ends the run, and the report's `written` tells what is there. Raises PostingError.
    """
    parts = cut(rows, batch_size)
    tally = _Tally(rows, service.language)
    if dry_run or on_error is OnError.abort:
        for number, part in _told(parts, "checking", progress):
            _post(service, tally, number, part, dry_run=True, on_error=OnError.skip)
        if dry_run or rows.wrong or any(tally.problems.values()):
            return tally.sum_up(committed=False, dry_run=dry_run)
    for number, part in _told(parts, "writing", progress):
        _post(service, tally, number, part, dry_run=False, on_error=on_error)
        if not tally.reports[number].committed:
            return tally.sum_up(committed=False, dry_run=False)
    return tally.sum_up(committed=True, dry_run=False)


def cut(rows: Rows, size: int) -> list[Part]:
    """The rows in parts of about `size`, in the order of the file as far as those that belong together allow it."""
    groups: dict[tuple[str | None, str | None], list[Line]] = {}
    sent: list[Figure | Named] = [*rows.figures, *rows.refused]
    for row in sent:
        groups.setdefault((row.indicator, row.period), []).append(Line(row.row, _as_json(row)))
    parts: list[Part] = []
    room = 0
    for group in sorted(groups.values(), key=min):
        if len(group) > room:
            parts.append([])
            room = size
        parts[-1].append(group)
        room -= len(group)
    return parts


def body_of(part: Part) -> bytes:
    """The lines of a part, each on the line that has the number of its row."""
    pieces, reached = [], 1
    for row, text in sorted(chain.from_iterable(part)):
        pieces.append(b"\n" * (row - reached) + text)
        reached = row
    return b"".join(pieces) + b"\n"


def _as_json(row: Figure | Named) -> bytes:
    """A row's JSON; one that was refused goes without a value, and so can never be written.

    A unit that could not be read stays unreadable: without any, the client's own would be meant.
    """
    fields: dict[str, Any] = {name: getattr(row, name) for name in ("indicator", "period", "unit")}
    if isinstance(row, Named) and row.unread_unit:
        fields["unit"] = 0
    if isinstance(row, Figure):
        fields["value"] = float(row.value)  # exact: a figure has at most 15 digits
        fields |= {name: getattr(row, name) for name in ("measure", "expected_version")}
    fields = {name: value for name, value in fields.items() if value is not None}
    if isinstance(row, Figure):
        fields |= {name: getattr(row, name) for name in ("note", "evidence_url") if name not in row.unsaid}
    return json.dumps(fields).encode()


def _told(parts: Sequence[Part], step: str, progress: Progress) -> Iterator[tuple[int, Part]]:
    total, done = sum(map(_length, parts)), 0
    progress(step, 0, total)
    for number, part in enumerate(parts):
        yield number, part
        done += _length(part)
        progress(step, done, total)


def _length(part: Part) -> int:
    return sum(map(len, part))


def _post(service: Service, tally: _Tally, number: int, part: Part, *, dry_run: bool, on_error: OnError) -> None:
    """Send a part, and note what became of it."""
    report = service.post_batch(body_of(part), dry_run=dry_run, on_error=on_error)
    tally.reports[number] = report
    tally.problems[number] = list(_of_the_file(tally.rows, _all_problems(service, tally, part, report)))


def _all_problems(service: Service, tally: _Tally, part: Part, report: BatchReport) -> list[RowProblem]:
    """The problems of a part, also those beyond what one answer lists: smaller ones are asked for them."""
    if not report.problems_left_out:
        return report.problems
    if len(part) == 1:
        tally.left_out += report.problems_left_out
        return report.problems
    middle = len(part) // 2
    found: list[RowProblem] = []
    for half in (part[:middle], part[middle:]):
        answer = service.post_batch(body_of(half), dry_run=True, on_error=OnError.skip)
        found += _all_problems(service, tally, half, answer)
    return found


def _of_the_file(rows: Rows, problems: Iterable[RowProblem]) -> Iterator[RowProblem]:
    """What the service says, without what it says only because a refused row was sent in part."""
    refused = {named.row: named for named in rows.refused}
    wrong = {one.row: one for one in rows.wrong if one.row in refused}
    for problem in problems:
        named = refused.get(problem.row)
        if named is None:
            yield problem
        elif problem.code != ErrorCode.required and not (named.unread_unit and problem.pointer == "/unit"):
            told = wrong[problem.row]
            yield problem.model_copy(update={name: getattr(told, name) for name in ("indicator", "unit", "period")})
