"""The databases of a run: copies of one that is made once for each size, engine and shape of the tables, and kept."""

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import func, select, text

from app.db import Database
from app.tables import Assignment, Indicator, Plan, Target, Unit, Value
from app.targets.documents import rebuild
from bench.data import Size
from bench.filling import Progress, fill

ROOT = Path(__file__).parent.parent
CACHE = ROOT / "build" / "bench"
_MADE_OF = ("filling.py", "data.py", "rows.py", "words.py")
_FINISHED_BY = ("app/derived.py", "app/targets/documents.py", "app/targets/schemas.py", "app/targets/views.py")


class Store(Protocol):
    """What the databases of a run are kept in."""

    url: str  # of the one that the service writes to
    process: int | None  # the engine's own, where it has one

    def copied(self, name: str) -> AbstractContextManager[str]:
        """The URL of one more copy, as it was before the run; gone when the block ends."""


@contextmanager
def opened_store(engine: str, size: Size, progress: Progress) -> Iterator[Store]:
    """Migrated and filled databases that a run may write to; they are gone when the block ends."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if engine == "sqlite":
        with _sqlite(size, progress) as store:
            yield store
    else:
        from bench.clusters import opened_cluster

        with opened_cluster(size, progress) as store:
            yield store


def finish(database: Database) -> None:
    """Make anew what the service keeps beside the rows; the rows were not written by its own functions."""
    with database.writing() as session:
        rebuild(session)


def engine_version(database: Database) -> str:
    """The engine and its version, as a reader of a report wants to know them."""
    if database.writer.dialect.name == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    with database.reading() as session:
        return f"PostgreSQL {session.execute(text('SHOW server_version')).scalar_one()}"


def count_rows(database: Database) -> dict[str, int]:
    """How many rows the tables have that say how large a database is."""
    with database.reading() as session:
        return {
            table.__tablename__: session.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (Plan, Target, Unit, Assignment, Indicator, Value)
        }


class SqliteStore:
    """Files in a folder of the run."""

    process: int | None = None

    def __init__(self, kept: Path, folder: Path) -> None:
        self._kept, self._folder = kept, folder
        self.url = self._copy("service")

    def _copy(self, name: str) -> str:
        copy = self._folder / name / "bench.db"
        copy.parent.mkdir(parents=True)
        shutil.copyfile(self._kept, copy)
        return f"sqlite:///{copy}"

    @contextmanager
    def copied(self, name: str) -> Iterator[str]:
        """The URL of one more copy; gone when the block ends."""
        try:
            yield self._copy(name)
        finally:
            shutil.rmtree(self._folder / name, ignore_errors=True)


@contextmanager
def _sqlite(size: Size, progress: Progress) -> Iterator[SqliteStore]:
    kept = CACHE / f"sqlite-{size.name}-{fingerprint()}.db"
    folder = CACHE / f"run-{os.getpid()}"
    folder.mkdir()
    try:
        if not kept.exists():
            forget_older("sqlite", size)
            made = folder / "made.db"
            fill(f"sqlite:///{made}", size, progress)
            made.rename(kept)
        if not is_finished(kept):
            with closing(Database(f"sqlite:///{kept}")) as database:
                finish(database)
            note_finished(kept)
        yield SqliteStore(kept, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def forget_older(engine: str, size: Size) -> None:
    """Remove what was kept for a shape that the tables have no more."""
    for older in CACHE.glob(f"{engine}-{size.name}-*"):
        if older.is_dir():
            shutil.rmtree(older)
        else:
            older.unlink()


def fingerprint() -> str:
    """A word for what a database is made of: another shape or other rows give another word."""
    made_of = [Path(__file__).parent / name for name in _MADE_OF]
    return _digest([*made_of, *(ROOT / "migrations" / "versions").glob("*.py"), ROOT / "app" / "columns.py"])


def is_finished(kept: Path) -> bool:
    """Whether `finish` has been over a kept database, as the code now is."""
    stamp = kept.with_suffix(".finished")
    return stamp.exists() and stamp.read_text() == _finishers()


def note_finished(kept: Path) -> None:
    """Note that it has."""
    kept.with_suffix(".finished").write_text(_finishers())


def _finishers() -> str:
    return _digest([ROOT / name for name in _FINISHED_BY])


def _digest(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
