"""The results of a run: on the terminal, and as files in `bench/results`."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.picture import draw
from bench.results import RESULTS, Results
from bench.tables import LEFT, as_markdown, sections_of


def print_results(console: Console, results: Results) -> None:
    """Show the tables, and under them what they rest on."""
    for section in sections_of(results):
        shown = Table(title=section.title, title_justify="left", box=None, padding=(0, 1, 0, 0))
        for name in section.columns:
            shown.add_column(name, justify="left" if name in LEFT else "right")
        for row in section.rows:
            verdict = "below" if "below" in row or "above" in row else "pass" if "pass" in row else ""
            shown.add_row(*row, style={"below": "red", "pass": "green"}.get(verdict))
        console.print(shown)
        for line in section.notes:
            console.print(line, markup=False, soft_wrap=True)


def write_files(results: Results) -> list[Path]:
    """Keep results where they can be committed and compared; the answer are the files for readers."""
    results.save()
    written = []
    for path, content in files_of(results).items():
        path.write_text(content, encoding="utf-8")
        written.append(path)
    return written


def files_of(results: Results) -> dict[Path, str]:
    """The files that are made of what is kept of a run."""
    lines = [f"# {_facts_engine(results)}, {results.size}", ""]
    files = {}
    if results.requests is not None:
        lines += [f"![Requests a second]({results.stem}.svg)", ""]
        files[RESULTS / f"{results.stem}.svg"] = draw(results)
    for section in sections_of(results):
        lines += [f"## {section.title}", "", *as_markdown(section), "", *(f"- {note}" for note in section.notes), ""]
    return {RESULTS / f"{results.stem}.md": "\n".join(lines), **files}


def _facts_engine(results: Results) -> str:
    half = results.requests or results.batches
    return half.facts.engine if half is not None else results.engine
