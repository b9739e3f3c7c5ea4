"""Assignments over HTTP."""

from typing import Annotated

from fastapi import Path, Query

from app.assignments import hot as quick
from app.assignments import service
from app.assignments.schemas import Assignment, AssignmentPage, AssignmentQuery
from app.auth import CallerDep
from app.db import ReadSession, WriteSession
from app.errors import BadCursor, NotFound, NotYourUnit
from app.routing import Router, hot, operation
from app.types import ASSIGNMENT_CODE_PATTERN, Scope

routes = Router("assignments")
AssignmentPath = Annotated[
    str,
    Path(
        description="The assignment's code, `{target}:{unit}:{role}`.",
        examples=["xianning-2023.58:xianning-education-bureau:lead"],
        pattern=ASSIGNMENT_CODE_PATTERN,
        max_length=250,
    ),
]


@routes.get("/assignments", **operation(Scope.read, NotFound, BadCursor))
@hot(quick.list_assignments)
def list_assignments(session: ReadSession, query: Annotated[AssignmentQuery, Query()]) -> AssignmentPage:
    """List assignments.

    Who answers for what. Each item carries its target with words, headings, units, indicators and latest values, so
    that an office system can raise a to-do from it without a second call.
    """
    return service.list_assignments(session, query)


@routes.post("/assignments/{assignment}/acknowledgement", **operation(Scope.report, NotFound, NotYourUnit))
def acknowledge_assignment(session: WriteSession, caller: CallerDep, assignment: AssignmentPath) -> Assignment:
    """Acknowledge an assignment (签收).

    Notes that the unit has taken notice. The first time counts; doing it again changes nothing.
    """
    return service.acknowledge_assignment(session, caller, assignment)
