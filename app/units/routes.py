"""Units over HTTP."""

from typing import Annotated

from fastapi import Body, Path, Query, Response

from app.auth import CallerDep
from app.db import ReadSession, SessionAsOf, WriteSession
from app.errors import AlreadyExists, BadCursor, NotFound, PreconditionFailed, UnsupportedMediaType
from app.etags import IfMatch
from app.routing import MERGE_PATCH, Router, operation
from app.types import Scope, UnitReference
from app.units import service
from app.units.schemas import Unit, UnitCreate, UnitPage, UnitQuery, UnitUpdate

routes = Router("units")
UnitPath = Annotated[
    UnitReference, Path(description="The unit's code, name or alias.", examples=["xianning-education-bureau"])
]


@routes.get("/units", **operation(Scope.read, BadCursor))
def list_units(session: ReadSession, query: Annotated[UnitQuery, Query()]) -> UnitPage:
    """List units.

    Organisations and groups, by code.
    """
    return service.list_units(session, query)


@routes.get("/units/{unit}", **operation(Scope.read, NotFound))
def get_unit(session: SessionAsOf, unit: UnitPath) -> Unit:
    """Get a unit.

    One unit by its code, name or alias: `市教育局` finds 咸宁市教育局.
    """
    return service.get_unit(session, unit)


@routes.post("/units", status_code=201, **operation(Scope.admin, AlreadyExists, UnsupportedMediaType))
def create_unit(
    session: WriteSession, caller: CallerDep, body: Annotated[UnitCreate, Body()], response: Response
) -> Unit:
    """Create a unit.

    A new organisation or group.
    """
    response.headers["Location"] = f"/api/v1/units/{body.code}"
    return service.create_unit(session, caller, body)


@routes.patch(
    "/units/{unit}",
    **operation(Scope.admin, NotFound, AlreadyExists, PreconditionFailed, UnsupportedMediaType, takes=(MERGE_PATCH,)),
)
def update_unit(
    session: WriteSession,
    caller: CallerDep,
    unit: UnitPath,
    body: Annotated[UnitUpdate, Body(media_type=MERGE_PATCH)],
    if_match: IfMatch = None,
) -> Unit:
    """Change a unit.

    JSON merge patch (RFC 7396): only the fields that are sent change, a list is replaced whole. New members of a
    group get the assignments that come through it, former ones lose them.
    """
    return service.update_unit(session, caller, unit, body, if_match)
