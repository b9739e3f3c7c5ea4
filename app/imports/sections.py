"""Putting the headings of a document into the database."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from app.auth import Caller
from app.changes.service import record_change
from app.tables import Plan, Section

Path = tuple[str, ...]


def apply_sections(
    session: Session, caller: Caller, plan: Plan, at: datetime, paths: Sequence[tuple[Path, int]]
) -> tuple[dict[Path, int], bool]:
    """Write the headings of a document, given as paths from the outermost with their lines.

    The answer is the key of each path, and whether anything changed.
    """
    rows = _by_path(session.execute(select(Section).where(col(Section.plan_id) == plan.id)).scalars().all())
    written: list[tuple[Section, str]] = []
    for position, (path, line) in enumerate(paths, start=1):
        row = rows.get(path)
        if row is None:
            code = f"{plan.code}.s{len(rows) + 1}"
            row = Section(plan_id=plan.id, code=code, heading=path[-1], position=position, updated_at=at)
            rows[path] = row
            written.append((row, "created"))
        elif row.removed_at is not None:
            written.append((row, "created"))
        row.position, row.line, row.removed_at = position, line, None
    _add_new(session, rows)
    present = {path for path, _ in paths}
    for path, row in rows.items():
        if path not in present and row.removed_at is None:
            row.removed_at = at
            written.append((row, "removed"))
    for row, verb in written:
        row.updated_at = at
        data: dict[str, object] = {"code": row.code, "heading": row.heading}
        record_change(session, caller, "section", verb, row.code, data, at=at, plan_id=plan.id)
    return {path: rows[path].id for path, _ in paths}, bool(written)


def _by_path(sections: Sequence[Section]) -> dict[Path, Section]:
    rows = {row.id: row for row in sections}
    paths: dict[Path, Section] = {}
    for row in sections:
        path, above = [row.heading], row.parent_id
        while above is not None:
            path.append(rows[above].heading)
            above = rows[above].parent_id
        paths[tuple(reversed(path))] = row
    return paths


def _add_new(session: Session, rows: dict[Path, Section]) -> None:
    """Give the new headings their keys, level by level: those below need them."""
    new = [path for path, row in rows.items() if row.id is None]
    for depth in sorted({len(path) for path in new}):
        for path in new:
            if len(path) == depth:
                rows[path].parent_id = rows[path[:-1]].id if depth > 1 else None
                session.add(rows[path])
        session.flush()
