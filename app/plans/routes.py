"""Plans over HTTP."""

from typing import Annotated

from fastapi import Body, Path, Query

from app.auth import CallerDep
from app.db import ReadSession, SessionAsOf, WriteSession
from app.errors import BadCursor, NotFound, PreconditionFailed, UnsupportedMediaType, ValuesOutsidePlan
from app.etags import IfMatch
from app.paging import ListQuery
from app.plans import service
from app.plans.schemas import Plan, PlanPage, PlanQuery, PlanUpdate, SectionPage
from app.routing import MERGE_PATCH, Router, operation
from app.types import CODE_PATTERN, Scope

routes = Router("plans")
PlanPath = Annotated[
    str, Path(description="The plan's code.", examples=["xianning-2023"], pattern=CODE_PATTERN, max_length=100)
]


@routes.get("/plans", **operation(Scope.read, BadCursor))
def list_plans(session: ReadSession, query: Annotated[PlanQuery, Query()]) -> PlanPage:
    """List plans.

    All plans, by code.
    """
    return service.list_plans(session, query)


@routes.get("/plans/{plan}", **operation(Scope.read, NotFound))
def get_plan(session: SessionAsOf, plan: PlanPath) -> Plan:
    """Get a plan.

    One plan by its code.
    """
    return service.get_plan(session, plan)


@routes.patch(
    "/plans/{plan}",
    **operation(
        Scope.admin, NotFound, PreconditionFailed, ValuesOutsidePlan, UnsupportedMediaType, takes=(MERGE_PATCH,)
    ),
)
def update_plan(
    session: WriteSession,
    caller: CallerDep,
    plan: PlanPath,
    body: Annotated[PlanUpdate, Body(media_type=MERGE_PATCH)],
    if_match: IfMatch = None,
) -> Plan:
    """Change a plan.

    JSON merge patch (RFC 7396): what is said of it, its days, and whether values count at once or when they are
    approved; that holds at once, also for values that are there. A later import keeps it, but for what its parameters
    name.
    """
    return service.update_plan(session, caller, plan, body, if_match)


@routes.get("/plans/{plan}/sections", **operation(Scope.read, NotFound, BadCursor))
def list_sections(session: ReadSession, plan: PlanPath, query: Annotated[ListQuery, Query()]) -> SectionPage:
    """List the sections of a plan.

    The plan's headings as a tree, in the order of the document.
    """
    return service.list_sections(session, plan, query)
