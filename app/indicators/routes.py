"""Indicators over HTTP."""

from typing import Annotated

from fastapi import Body, Path, Query, Response

from app.auth import CallerDep
from app.db import ReadSession, SessionAsOf, WriteSession
from app.errors import BadCursor, NotFound, PreconditionFailed, StaleVersion, UnsupportedMediaType, ValuesOfOtherPeriods
from app.etags import IfMatch
from app.indicators import service
from app.indicators.schemas import (
    Goal,
    GoalCreate,
    GoalPage,
    Indicator,
    IndicatorCreate,
    IndicatorPage,
    IndicatorQuery,
    IndicatorUpdate,
)
from app.paging import ListQuery
from app.routing import MERGE_PATCH, Router, operation
from app.types import CODE_PATTERN, Scope

routes = Router("indicators")
IndicatorPath = Annotated[
    str,
    Path(description="The indicator's code.", examples=["xianning-2023.58.1"], pattern=CODE_PATTERN, max_length=100),
]


@routes.get("/indicators", **operation(Scope.read, NotFound, BadCursor))
def list_indicators(session: ReadSession, query: Annotated[IndicatorQuery, Query()]) -> IndicatorPage:
    """List indicators.

    What is measured, with the goals in force and the latest values, in the order of their targets.
    """
    return service.list_indicators(session, query)


@routes.get("/indicators/{indicator}", **operation(Scope.read, NotFound))
def get_indicator(session: SessionAsOf, indicator: IndicatorPath) -> Indicator:
    """Get an indicator.

    One indicator by its code.
    """
    return service.get_indicator(session, indicator)


@routes.post("/indicators", status_code=201, **operation(Scope.admin, NotFound, UnsupportedMediaType))
def create_indicator(
    session: WriteSession, caller: CallerDep, body: Annotated[IndicatorCreate, Body()], response: Response
) -> Indicator:
    """Create an indicator.

    Something to be measured for a target that the plan's words do not give as a figure. It gets the next code of its
    target, and its first goal.
    """
    created = service.create_indicator(session, caller, body)
    response.headers["Location"] = f"/api/v1/indicators/{created.code}"
    return created


@routes.patch(
    "/indicators/{indicator}",
    **operation(
        Scope.admin, NotFound, PreconditionFailed, ValuesOfOtherPeriods, UnsupportedMediaType, takes=(MERGE_PATCH,)
    ),
)
def update_indicator(
    session: WriteSession,
    caller: CallerDep,
    indicator: IndicatorPath,
    body: Annotated[IndicatorUpdate, Body(media_type=MERGE_PATCH)],
    if_match: IfMatch = None,
) -> Indicator:
    """Change an indicator.

    JSON merge patch (RFC 7396); the facts of `quality` are merged one by one. The goal is not a field here: it is
    revised by a new record with reason and document. Another `comparator` changes what the goal asks for, so it makes
    a revision with the same figures; where it has a reason or other figures, revise the goal instead.
    """
    return service.update_indicator(session, caller, indicator, body, if_match)


@routes.get("/indicators/{indicator}/goals", **operation(Scope.read, NotFound, BadCursor))
def list_goals(session: ReadSession, indicator: IndicatorPath, query: Annotated[ListQuery, Query()]) -> GoalPage:
    """List the goals of an indicator.

    Every revision of its goal, oldest first: figures and comparator before and after, who revised it, why and by which
    document.
    """
    return service.list_goals(session, indicator, query)


@routes.post(
    "/indicators/{indicator}/goals",
    status_code=201,
    **operation(Scope.admin, NotFound, StaleVersion, UnsupportedMediaType, repeats=True),
)
def revise_goal(
    session: WriteSession,
    caller: CallerDep,
    indicator: IndicatorPath,
    body: Annotated[GoalCreate, Body()],
    response: Response,
) -> Goal:
    """Revise the goal of an indicator.

    Puts a new goal in force, with the reason and the document that says so; the old one stays as history. The same
    revision sent again changes nothing and is answered 200.
    """
    goal, created = service.revise_goal(session, caller, indicator, body)
    response.status_code = 201 if created else 200
    response.headers["Location"] = f"/api/v1/indicators/{goal.indicator}"
    return goal
