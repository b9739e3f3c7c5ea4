"""A service by hand on Litestar, msgspec and the drivers: the five jobs, and nothing else.

It stands for what a good engineer writes first: rows from three statements, objects, JSON. It has no keys, no history,
no change feed, no validation beyond types and names. `python -m bench.peers.service URL PORT` serves it.
"""

import sys
from collections import defaultdict
from typing import Annotated

import uvicorn
from litestar import Litestar, Request, get, post
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import Parameter
from msgspec.json import Decoder

from bench.peers.statements import ASSIGNMENTS, SEARCH, TARGET
from bench.peers.store import Store, open_store
from bench.peers.wire import (
    Assignment,
    AssignmentPage,
    Figure,
    Indicator,
    Latest,
    Named,
    Report,
    Row,
    Target,
    TargetPage,
    TargetUnit,
    Value,
    now,
)

CLIENT = 1  # who reported every value before
_BATCH = Decoder(list[Figure])
Limit = Annotated[int, Parameter(ge=1, le=1000)]


@get("/api/v1/assignments")
async def list_assignments(store: Store, unit: str, limit: Limit = 50, cursor: int = 0) -> AssignmentPage:
    """One page of the assignments of a unit."""
    asked = {"unit": unit, "after": cursor, "limit": limit}
    rows = await store.fetch(store.statements.rows[ASSIGNMENTS], asked)
    targets = await _targets(store, [row[9:] for row in rows], rows[0][2] if rows else None)
    items = [_assignment(row, target) for row, target in zip(rows, targets, strict=True)]
    return AssignmentPage(items, str(rows[-1][0]) if len(rows) == limit else None)


@get("/api/v1/targets/{code:str}")
async def get_target(store: Store, code: str) -> Target:
    """One target."""
    rows = await store.fetch(store.statements.rows[TARGET], {"code": code})
    if not rows:
        raise NotFoundException(f"no target {code}")
    (target,) = await _targets(store, rows, None)
    return target


@get("/api/v1/targets")
async def list_targets(store: Store, plan: str, q: str, limit: Limit = 50, cursor: int = -1) -> TargetPage:
    """The targets of a plan that have a text in their words."""
    asked = {"plan": plan, "pattern": f"%{q}%", "after": cursor, "limit": limit}
    rows = await store.fetch(store.statements.rows[SEARCH], asked)
    return TargetPage(await _targets(store, rows, None), str(rows[-1][-1]) if len(rows) == limit else None)


@post("/api/v1/values")
async def record_value(store: Store, data: Figure) -> Value:
    """Record one value."""
    indicators, units = (
        await store.numbers("indicators", [data.indicator]),
        await store.fetch("SELECT id, name FROM units WHERE code = :code", {"code": data.unit}),
    )
    if not indicators or not units:
        raise ValidationException(f"no indicator {data.indicator}, or no unit {data.unit}")
    unit, name = units[0]
    row = {
        "indicator_id": indicators[data.indicator],
        "period": data.period,
        "unit_id": unit,
        "period_end": data.period_end,
        "value": data.value,
        "status": "submitted",
        "version": 1,
        "recorded_at": now(),
        "client_id": CLIENT,
        "request_id": "",
    }
    version = await store.record(row)
    code, named = f"{data.indicator}:{data.unit}:{data.period}", Named(data.unit, name)
    at, value = row["recorded_at"], data.value
    return Value(
        code, data.indicator, named, data.period, value, "submitted", version, None, None, at, "county-reports"
    )


@post("/api/v1/values/batch", status_code=200)
async def record_values(store: Store, request: Request) -> Report:
    """Record many values, all or none."""
    figures = _BATCH.decode(await request.body())
    indicators = await store.numbers("indicators", {figure.indicator for figure in figures})
    units = await store.numbers("units", {figure.unit for figure in figures})
    at = now()
    try:
        rows = [
            (
                indicators[one.indicator], one.period, units[one.unit], one.period_end, one.value,
                "submitted", 1, at, CLIENT, "",
            )
            for one in figures
        ]  # fmt: skip
    except KeyError as error:
        raise ValidationException(f"no indicator or unit {error}") from error
    there, same = await store.record_all(rows)
    return Report(len(rows), created=len(rows) - there, updated=there - same, unchanged=same)


def _assignment(row: Row, target: Target) -> Assignment:
    _, role, _, unit, name, via, via_name, acknowledged_at, updated_at, *_ = row
    through = Named(via, via_name) if via is not None else None
    code = f"{target.code}:{unit}:{role}"
    return Assignment(code, role, Named(unit, name), through, acknowledged_at, updated_at, target)


async def _targets(store: Store, rows: list[Row], unit: int | None) -> list[Target]:
    """Rows with what belongs to them; `unit` is the one whose assignments show them."""
    keys = store.keys([row[0] for row in rows])
    units: dict[int, list[TargetUnit]] = defaultdict(list)
    for target, *named in await store.fetch(store.statements.units, {"keys": keys}):
        units[target].append(TargetUnit(*named))
    indicators: dict[int, list[Indicator]] = defaultdict(list)
    found = await store.fetch(store.statements.indicators, {"keys": keys, "unit_id": unit})
    for target, *columns, period, value in found:
        indicators[target].append(Indicator(*columns, Latest(period, value) if period is not None else None))
    return [_target(row, units[row[0]], indicators[row[0]]) for row in rows]


def _target(row: Row, units: list[TargetUnit], indicators: list[Indicator]) -> Target:
    _, code, number, statement, plan, above, heading, due_on, *more = row
    section = [one for one in (above, heading) if one is not None]
    return Target(code, number, statement, plan, section, due_on, units, indicators, *more[:5])


def create_app(url: str) -> Litestar:
    """The application on a database."""
    store = open_store(url)

    async def provide() -> Store:
        return store

    routes = [list_assignments, get_target, list_targets, record_value, record_values]
    body = 20_000_000  # a batch of the most rows
    return Litestar(
        routes, dependencies={"store": provide}, on_startup=[store.open], openapi_config=None,
        request_max_body_size=body, signature_types=[Store],
    )  # fmt: skip


if __name__ == "__main__":
    uvicorn.run(create_app(sys.argv[1]), port=int(sys.argv[2]), access_log=False, log_level="warning")
