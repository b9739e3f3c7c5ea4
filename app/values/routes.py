"""Values over HTTP."""

from typing import Annotated

from fastapi import Body, Path, Query, Response

from app.auth import CallerDep
from app.db import ReadSession, WriteSession
from app.errors import BadCursor, NotFound, NotYourUnit, StaleVersion, UnitNotAssigned, UnsupportedMediaType
from app.paging import ListQuery
from app.routing import Router, operation
from app.types import VALUE_CODE_PATTERN, Scope
from app.values import recording, service
from app.values.schemas import Value, ValueCreate, ValuePage, ValueQuery, ValueRevisionPage

routes = Router("values")
ValuePath = Annotated[
    str,
    Path(
        description="The value's code, `{indicator}:{unit}:{period}`.",
        examples=["xianning-2023.58.1:xianning-education-bureau:2023-06"],
        pattern=VALUE_CODE_PATTERN,
        max_length=250,
    ),
]


@routes.get("/values", **operation(Scope.read, NotFound, BadCursor))
def list_values(session: ReadSession, query: Annotated[ValueQuery, Query()]) -> ValuePage:
    """List values.

    The figures in force, by indicator, period and unit.
    """
    return service.list_values(session, query)


@routes.get("/values/{value}", **operation(Scope.read, NotFound))
def get_value(session: ReadSession, value: ValuePath) -> Value:
    """Get a value.

    The figure in force for one indicator, unit and period.
    """
    return service.get_value(session, value)


@routes.get("/values/{value}/revisions", **operation(Scope.read, NotFound, BadCursor))
def list_value_revisions(
    session: ReadSession, value: ValuePath, query: Annotated[ListQuery, Query()]
) -> ValueRevisionPage:
    """List the versions of a value.

    Every version it ever had, oldest first: what, who, when, and by which request.
    """
    return service.list_value_revisions(session, value, query)


@routes.post(
    "/values",
    status_code=201,
    **operation(Scope.report, NotFound, NotYourUnit, UnitNotAssigned, StaleVersion, UnsupportedMediaType, repeats=True),
)
def record_value(
    session: WriteSession, caller: CallerDep, body: Annotated[ValueCreate, Body()], response: Response
) -> Value:
    """Record a value.

    Writes one figure for an indicator, a unit and a period. The first one is answered 201; another figure for the
    same three is a new version, and the same figure again changes nothing: both are answered 200.
    """
    value, created = recording.record_value(session, caller, body)
    response.status_code = 201 if created else 200
    response.headers["Location"] = f"/api/v1/values/{value.code}"
    return value
