"""Loading a unit register and a plan from a folder such as `seed/xianning-2023`, through the services."""

import csv
import io
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import resources
from importlib.resources.abc import Traversable

from pydantic import ValidationError
from sqlalchemy import select
from sqlmodel import Session, col

from app.auth import Caller
from app.errors import InvalidRequest, NotFound
from app.imports.schemas import ImportQuery, ImportReport
from app.imports.service import import_document, read_plan
from app.messages import Language
from app.problems import fault_of
from app.tables import Plan
from app.types import Json
from app.units.schemas import UnitCreate, UnitUpdate
from app.units.service import create_unit, get_unit, update_unit

_Numbered = tuple[int, Json]
_Progress = Callable[[Iterable[_Numbered]], Iterable[_Numbered]]


def shipped_plan() -> Traversable:
    """The folder of the plan that comes with the service."""
    return resources.files("seed") / "xianning-2023"


def read_register(folder: Traversable) -> list[Json]:
    """The rows of a folder's `units.csv` as unit fields; lists stand in one cell, parted by `;`."""
    text = (folder / "units.csv").read_text(encoding="utf-8-sig")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return [
        {
            name: _list(cell) if name in ("aliases", "members") else cell or None
            for name, cell in row.items()
            if name is not None
        }
        for row in rows
    ]


def _list(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(";") if part.strip()]


def load_units(session: Session, caller: Caller, rows: list[Json], progress: _Progress = iter) -> int:
    """Create the units that are not there yet; those that are keep what was made of them. The answer: how many are new.

    Raises InvalidRequest for a row that is wrong, naming it.
    """
    # as a spreadsheet counts: its heading is row 1
    new = [(number, row) for number, row in enumerate(rows, start=2) if not _exists(session, row["code"])]
    for number, row in progress(new):
        # parents and members may stand further down: first all units, then what binds them
        with _naming_row(number):
            create_unit(session, caller, _validated({**row, "parent": None, "members": []}))
    for number, row in new:
        binding = {name: row[name] for name in ("parent", "members") if row[name]}
        if binding:
            with _naming_row(number):
                update_unit(session, caller, row["code"], UnitUpdate.model_validate(binding), None)
    return len(new)


@contextmanager
def _naming_row(number: int) -> Iterator[None]:
    try:
        yield
    except InvalidRequest as error:
        faults = [replace(fault, pointer=f"/row {number}{fault.pointer}") for fault in error.faults]
        raise InvalidRequest(*faults) from error


def _exists(session: Session, code: str) -> bool:
    try:
        return get_unit(session, code).code == code
    except NotFound:
        return False


def _validated(row: Json) -> UnitCreate:
    try:
        return UnitCreate.model_validate(row)
    except ValidationError as error:
        raise InvalidRequest(*(fault_of({**one, "loc": ("body", *one["loc"])}) for one in error.errors())) from error


def load_plan(session: Session, caller: Caller, folder: Traversable, language: Language) -> ImportReport | None:
    """Import a folder's `plan.txt` as its `plan.toml` says; None where the plan is there already and stays."""
    about = tomllib.loads((folder / "plan.toml").read_text(encoding="utf-8"))
    if session.execute(select(col(Plan.id)).where(col(Plan.code) == about["code"])).first() is not None:
        return None
    facts = {name: about[name] for name in ("title", "issuer", "region_code", "year", "source") if name in about}
    query = ImportQuery(plan=about["code"], **facts)
    document = read_plan((folder / "plan.txt").read_bytes())
    report, _ = import_document(session, caller, document, query, language)
    return report
