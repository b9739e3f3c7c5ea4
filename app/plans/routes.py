"""Plans over HTTP."""

from typing import Annotated

from fastapi import Path, Query

from app.db import ReadSession
from app.errors import BadCursor, NotFound
from app.paging import ListQuery
from app.plans import service
from app.plans.schemas import Plan, PlanPage, PlanQuery, SectionPage
from app.routing import Router, operation
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
def get_plan(session: ReadSession, plan: PlanPath) -> Plan:
    """Get a plan.

    One plan by its code.
    """
    return service.get_plan(session, plan)


@routes.get("/plans/{plan}/sections", **operation(Scope.read, NotFound, BadCursor))
def list_sections(session: ReadSession, plan: PlanPath, query: Annotated[ListQuery, Query()]) -> SectionPage:
    """List the sections of a plan.

    The plan's headings as a tree, in the order of the document.
    """
    return service.list_sections(session, plan, query)
