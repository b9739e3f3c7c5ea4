"""The hot path of targets: one of them, and pages of those of a plan or with some words, from stored documents."""

import functools
import re
from typing import Any

from fastapi import Request, Response
from sqlalchemy import BigInteger, Integer, bindparam, select, tuple_
from sqlmodel import col

from app.auth import Caller
from app.db import AnySelect, Database, escaped
from app.derived import TargetBigram, TargetDocument
from app.paging import cut_page, page_json, quick_keys, quick_query
from app.tables import Plan, Target
from app.targets.schemas import TargetQuery
from app.types import CODE_PATTERN, fold

_CODE = re.compile(CODE_PATTERN)
_ONE = (
    select(col(TargetDocument.document))
    .join(Target, col(Target.id) == col(TargetDocument.target_id))
    .where(col(TargetDocument.code) == bindparam("code"), col(Target.removed_at).is_(None))
)
_PLAN = select(col(Plan.id)).where(col(Plan.code) == bindparam("plan")).scalar_subquery()
_TARGET_KEYS = [col(Target.plan_id), col(Target.position), col(Target.id)]
_AFTER = ("plan_id", "position", "id")
_BIGRAM_KEYS = [col(TargetBigram.plan_id), col(TargetBigram.position), col(TargetBigram.target_id)]


async def get_target(request: Request, _caller: Caller) -> Response | None:
    """One target; what is unknown, and the past, is left to the plain way."""
    if request.scope["query_string"] or not _CODE.fullmatch(request.path_params["target"]):
        return None
    database: Database = request.app.state.database
    rows = await database.hot.fetch(_ONE, code=request.path_params["target"])
    return Response(rows[0][0], media_type="application/json") if rows else None


async def list_targets(request: Request, _caller: Caller) -> Response | None:
    """A page of targets of one plan or all, with or without words to look for; other filters are left.

    So is a page without any, which has more to say where a plan is not known.
    """
    query = _readable(request)
    if query is None:
        return None
    words = fold(query.q) if query.q is not None else ""
    asked: dict[str, Any] = {"limit": query.limit + 1, "plan": query.plan}
    asked |= {"bigram": words[:2], "like": f"%{escaped(words)}%"}
    if query.cursor is not None:
        after = quick_keys(query, _TARGET_KEYS)
        if after is None:
            return None
        asked |= zip(_AFTER, after, strict=True)
    statement = _page(plan=query.plan is not None, words=min(len(words), 3), further=query.cursor is not None)
    database: Database = request.app.state.database
    rows = await database.hot.fetch(statement, **asked)
    if not rows:
        return None
    rows, next_cursor = cut_page(rows, len(_TARGET_KEYS), query)
    return Response(page_json((row[0] for row in rows), next_cursor), media_type="application/json")


def _readable(request: Request) -> TargetQuery | None:
    """The query, if it asks for what is stored; one character alone is in no index."""
    query = quick_query(request, TargetQuery)
    if query is None or (query.q is not None and len(fold(query.q)) < 2):
        return None
    others = (query.section, query.unit, query.role, query.updated_after)
    return query if all(other is None for other in others) else None


@functools.cache
def _page(*, plan: bool, words: int, further: bool) -> AnySelect:
    """The statement for a page; `words` is how many characters are looked for, 3 for all that are more than 2."""
    keys = _BIGRAM_KEYS if words else _TARGET_KEYS
    statement: AnySelect = select(col(TargetDocument.document), *keys).join(
        TargetDocument, col(TargetDocument.target_id) == keys[2]
    )
    if words:
        statement = statement.where(col(TargetBigram.bigram) == bindparam("bigram"))
    else:
        statement = statement.where(col(Target.removed_at).is_(None))
    if words > 2:
        statement = statement.where(col(TargetDocument.searched).like(bindparam("like"), escape="\\"))
    if plan:
        statement = statement.where(keys[0] == _PLAN)
    if further:
        # wider than the column: a cursor that was made up may hold any number
        after = (bindparam(name, type_=BigInteger) for name in _AFTER)
        statement = statement.where(tuple_(*keys) > tuple_(*after))
    return statement.order_by(*keys).limit(bindparam("limit", type_=Integer))
