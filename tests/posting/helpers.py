"""The command that posts files, and what a database holds of them."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlmodel import col

from app.db import Database
from app.tables import Change, Value, ValueRevision
from tests.clients.test_keys import Zeren

ZEREN = Path(sys.executable).with_name("zeren")
EDUCATION = "xianning-2023.58.1"
HEADINGS = ("indicator", "unit", "period", "value", "note")
Row = Sequence[object]


@dataclass
class Poster:
    """The command, with a service to post to and the key of a client."""

    url: str
    keys: dict[str, str]
    folder: Path
    zeren: Zeren

    def start(self, file: Path, *options: str) -> subprocess.Popen[str]:
        """Start posting in a process of its own."""
        given = {"ZEREN_URL": self.url, "ZEREN_KEY": self.keys["admin"]}
        return subprocess.Popen(
            [ZEREN, "values", "post", file, *options],
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"} | given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, file: Path, *options: str, client: str = "admin") -> tuple[int, str, str]:
        """Post a file: the status, what was printed, what was told on standard error."""
        self.zeren.monkeypatch.setenv("ZEREN_URL", self.url)
        self.zeren.monkeypatch.setenv("ZEREN_KEY", self.keys.get(client, client))
        return self.zeren("values", "post", str(file), *options)

    def report(self, file: Path, *options: str, client: str = "admin") -> dict[str, Any]:
        """Post a file: the report."""
        _, printed, told = self(file, "--output", "json", *options, client=client)
        assert printed, told
        report: dict[str, Any] = json.loads(printed)
        return report

    def csv(self, rows: Sequence[Row], headings: Row = HEADINGS, encoding: str = "utf-8") -> Path:
        """A file with these rows."""
        path = self.folder / f"{len(list(self.folder.iterdir()))}.csv"
        with path.open("w", encoding=encoding, newline="") as out:
            csv.writer(out).writerows([headings, *rows])
        return path


def stored(database: Database) -> tuple[list[tuple[Any, ...]], int, int]:
    """All values with their versions, and how many versions and changes there have been of them."""
    with database.reading() as session:
        values = session.execute(
            select(col(Value.indicator_id), col(Value.unit_id), col(Value.period), col(Value.value), col(Value.version))
        ).all()
        revisions = session.execute(select(func.count()).select_from(ValueRevision)).scalar_one()
        changes = session.execute(
            select(func.count()).select_from(Change).where(col(Change.type) == "value.submitted")
        ).scalar_one()
    return sorted(map(tuple, values)), len(values) + revisions, changes


def counts(report: dict[str, Any]) -> list[object]:
    return [report[name] for name in ("created", "updated", "unchanged", "rejected", "written", "committed")]
