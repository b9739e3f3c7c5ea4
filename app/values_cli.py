"""The command `zeren values`: a file of figures, posted to a running service."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from app.calling import PostingError, Service
from app.posting import PostReport, post_rows
from app.posting import Progress as Told
from app.settings import Settings
from app.spreadsheets import CSV_MEDIA_TYPE, XLSX_MEDIA_TYPE, render_csv
from app.terminal import Format, err, fail, out, own_language
from app.values.batch import PROBLEM_COLUMNS, read_rows
from app.values.formats import JSON_TYPE, NDJSON_TYPES
from app.values.rows import MOST_ROWS
from app.values.schemas import OnError

values = typer.Typer(no_args_is_help=True, help="Post figures to a running service.")
MOST_SHOWN = 50
_GOES_ON = "What is written stays; run the same command again, and it goes on where it stopped."


class FileFormat(StrEnum):
    """What a file of values may be."""

    json = "json"
    ndjson = "ndjson"
    csv = "csv"
    xlsx = "xlsx"


_MEDIA_TYPES = {
    FileFormat.json: JSON_TYPE,
    FileFormat.ndjson: NDJSON_TYPES[0],
    FileFormat.csv: CSV_MEDIA_TYPE,
    FileFormat.xlsx: XLSX_MEDIA_TYPE,
}
_SUFFIXES = {f".{one.value}": one for one in FileFormat} | {".jsonl": FileFormat.ndjson}


@values.command("post")
def post(
    file: Annotated[
        Path, typer.Argument(help="JSON, NDJSON, CSV or XLSX, by its suffix.", exists=True, dir_okay=False)
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would happen, and leave nothing.")] = False,
    on_error: Annotated[
        OnError, typer.Option(help="One wrong row: `abort`, nothing is written; `skip`, the others are.")
    ] = OnError.abort,
    url: Annotated[str | None, typer.Option(help="The service's address, instead of ZEREN_URL.")] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="A file with the key, instead of ZEREN_KEY.", exists=True, dir_okay=False)
    ] = None,
    format_: Annotated[FileFormat | None, typer.Option("--format", help="The format, whatever the suffix.")] = None,
    batch_size: Annotated[int, typer.Option(help="Rows that are sent together.", min=1, max=MOST_ROWS)] = 2000,
    problems: Annotated[
        Path | None, typer.Option(help="A CSV to write all that is wrong to.", dir_okay=False, writable=True)
    ] = None,
    output: Annotated[Format, typer.Option(help="How to print the report.")] = Format.text,
) -> None:
    """Post a file of values to a running service.

    All rows are checked before the first is written, and every problem is told by its row. Interrupted at any time, it
    is run again as it is: figures that are there already stay unchanged. Ends with status 1 if a row was wrong.
    """
    settings, kind = Settings.from_environment(), format_ or _SUFFIXES.get(file.suffix.lower())
    if kind is None:
        fail(f"The suffix of {file.name} is none of {', '.join(_SUFFIXES)}: say what it is with --format.")
    if problems is not None and not problems.parent.is_dir():
        fail(f"There is no folder {problems.parent} to write the problems to.")
    key = _read_key(key_file) if key_file is not None else settings.key
    rows = read_rows(file.read_bytes(), _MEDIA_TYPES[kind], None)
    step = ""
    try:
        with Service(url or settings.url, key, own_language(), _tell) as service, _progress() as show:

            def noted(now: str, done: int, total: int) -> None:
                nonlocal step
                step = now
                show(now, done, total)

            report = post_rows(service, rows, dry_run=dry_run, on_error=on_error, batch_size=batch_size, progress=noted)
    except (PostingError, KeyboardInterrupt) as error:
        why = str(error) or "Interrupted."
        fail(f"{why}\n{_GOES_ON}" if step == "writing" else f"{why}\nNothing was written.")
    if problems is not None:
        problems.write_bytes(render_csv(PROBLEM_COLUMNS, (one.model_dump(mode="json") for one in report.problems)))
    _print(report, output)
    if report.rejected:
        raise typer.Exit(1)


def _read_key(file: Path) -> str:
    try:
        return file.read_text("ascii").strip()
    except ValueError:
        fail(f"{file} holds no key: one line was expected, as `zeren key create` prints it.")


def _tell(sentence: str) -> None:
    err.print(sentence, markup=False, soft_wrap=True)


@contextmanager
def _progress() -> Iterator[Told]:
    """A bar on a terminal; elsewhere a line now and then."""
    if not err.is_terminal:
        yield _tell_progress
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        tasks = {step: bar.add_task(step, total=None, visible=False) for step in ("checking", "writing")}

        def show(step: str, done: int, total: int) -> None:
            bar.update(tasks[step], completed=done, total=total, visible=True)

        yield show


def _tell_progress(step: str, done: int, total: int) -> None:
    if done:
        _tell(f"{step}: {done} of {total} rows")


def _print(report: PostReport, output: Format) -> None:
    if output is Format.json:
        print(json.dumps(report.model_dump(mode="json"), ensure_ascii=False, indent=2))  # noqa: T201 - the result
        return
    if report.problems:
        _print_problems(report)
    names = ("received", "created", "updated", "unchanged", "rejected", *(["blank"] if report.blank else []))
    counts = ", ".join(f"{name} {getattr(report, name)}" for name in names)
    out.print(f"{counts} – {_outcome(report)}", soft_wrap=True)


def _outcome(report: PostReport) -> str:
    if report.dry_run:
        return "only checked, nothing was written"
    if report.committed:
        return f"{report.written} rows are in the database"
    if report.written:
        return f"stopped: something changed meanwhile; {report.written} rows are in the database"
    return "nothing was written"


def _print_problems(report: PostReport) -> None:
    table = Table("row", "field", "problem", "nearest", box=None)
    for one in report.problems[:MOST_SHOWN]:
        cells = (str(one.row), one.pointer.removeprefix("/"), one.detail, ", ".join(one.suggestions))
        table.add_row(*map(Text, cells))  # not markup: brackets in a file's cells are no commands
    # a pipe has no width: nothing in it is cut short
    (out if out.is_terminal else Console(highlight=False, width=1000)).print(table)
    more = len(report.problems) - MOST_SHOWN
    if more > 0:
        out.print(f"… and {more} more problems; --problems FILE.csv writes all of them.", soft_wrap=True)
    if report.problems_left_out:
        out.print(f"{report.problems_left_out} further problems are not listed.", soft_wrap=True)
