"""Datasette over the same tables: stored SQL for each job, and its own interface for writing many rows.

It gives each item as JSON that SQLite made, and writes no history either; nor does it keep `latest_values`, since a
stored query is one statement.
"""

import json
from calendar import monthrange
from pathlib import Path
from typing import Any

from bench.peers.statements import ASSIGNMENTS, SEARCH, SQLITE, TARGET, VALUE_COLUMNS, Statements

DATABASE = "bench"  # as the file is called
POST = "J3"
PATHS = {job: f"/{DATABASE}/{job.lower()}.json" for job in (ASSIGNMENTS, TARGET, SEARCH, POST)}
UPSERT_PATH = f"/{DATABASE}/values/-/upsert"
# an item is one column, that of JSON; `_json` puts it into the answer as it is
_READING = {"_shape": "array", "_json": "item"}
_RECORD = f"""
    INSERT INTO "values" ({VALUE_COLUMNS})
    SELECT i.id, :period, u.id, :period_end, CAST(round(:value * 1000000) AS INTEGER), 'submitted', 1,
    strftime('%Y-%m-%d %H:%M:%f', 'now'), 1, '' FROM indicators i, units u WHERE i.code = :indicator AND u.code = :unit
    ON CONFLICT (indicator_id, period, unit_id) DO UPDATE SET value = excluded.value,
    version = "values".version + 1, recorded_at = excluded.recorded_at, client_id = excluded.client_id"""  # noqa: S608
_STARTS = {ASSIGNMENTS: {"after": 0}, TARGET: {}, SEARCH: {"after": -1}}


def command(python: Path, database: Path, port: int, most_rows: int) -> list[str]:
    """How to serve a database; its settings are written beside it."""
    reading = {job.lower(): {"sql": Statements(SQLITE).one_json(job)} for job in (ASSIGNMENTS, TARGET, SEARCH)}
    queries = reading | {POST.lower(): {"sql": _RECORD, "write": True}}
    written = {"insert-row": True, "update-row": True}
    settings = {"databases": {DATABASE: {"queries": queries, "permissions": written}}}
    path = database.with_suffix(".json")
    path.write_text(json.dumps(settings))
    options = {"max_insert_rows": most_rows, "sql_time_limit_ms": 10_000, "max_post_body_bytes": 50_000_000}
    given = [part for name, value in options.items() for part in ("--setting", name, str(value))]
    return [str(python), "-m", "datasette", "serve", str(database), "-c", str(path), "-p", str(port), *given]


def parameters(job: str, names: dict[str, Any]) -> dict[str, Any]:
    """The query of a reading request."""
    return named(job, names) | _READING


def named(job: str, names: dict[str, Any]) -> dict[str, Any]:
    """What the statement of a job asks for, by what the service's request names."""
    pattern = {"pattern": f"%{names['q']}%"} if "q" in names else {}
    return _STARTS[job] | names | pattern


def posted(names: dict[str, Any]) -> dict[str, Any]:
    """What the stored query for a post names, but for the figure; the last day of a month is worked out here."""
    year, month = map(int, names["period"].split("-"))
    return names | {"period_end": f"{names['period']}-{monthrange(year, month)[1]:02}"}
