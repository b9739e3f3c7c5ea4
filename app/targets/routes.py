"""Targets over HTTP."""

from typing import Annotated

from fastapi import Body, Path, Query

from app.auth import CallerDep
from app.db import ReadSession, SessionAsOf, WriteSession
from app.errors import BadCursor, NotFound, PreconditionFailed, UnsupportedMediaType
from app.etags import IfMatch
from app.routing import MERGE_PATCH, Router, hot, operation
from app.targets import hot as quick
from app.targets import service
from app.targets.schemas import Target, TargetPage, TargetQuery, TargetUpdate
from app.types import CODE_PATTERN, Scope

routes = Router("targets")
TargetPath = Annotated[
    str, Path(description="The target's code.", examples=["xianning-2023.58"], pattern=CODE_PATTERN, max_length=100)
]


@routes.get("/targets", **operation(Scope.read, NotFound, BadCursor))
@hot(quick.list_targets)
def list_targets(session: ReadSession, query: Annotated[TargetQuery, Query()]) -> TargetPage:
    """List targets.

    The numbered items of plans, in the order of the document, with who answers for them and what is measured.
    """
    return service.list_targets(session, query)


@routes.get("/targets/{target}", **operation(Scope.read, NotFound))
@hot(quick.get_target)
def get_target(session: SessionAsOf, target: TargetPath) -> Target:
    """Get a target.

    One target by its code.
    """
    return service.get_target(session, target)


@routes.patch(
    "/targets/{target}",
    **operation(Scope.admin, NotFound, PreconditionFailed, UnsupportedMediaType, takes=(MERGE_PATCH,)),
)
def update_target(
    session: WriteSession,
    caller: CallerDep,
    target: TargetPath,
    body: Annotated[TargetUpdate, Body(media_type=MERGE_PATCH)],
    if_match: IfMatch = None,
) -> Target:
    """Change a target.

    JSON merge patch (RFC 7396): its words, its day or who answers for it. Units that are new get an assignment, units
    that are gone lose theirs; both are changes that other systems hear of.
    """
    return service.update_target(session, caller, target, body, if_match)
