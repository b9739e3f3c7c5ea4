"""The hot path of values: one that is posted shares its transaction with those that are posted at the same moment."""

from fastapi import Request, Response
from pydantic import ValidationError

from app.auth import Caller
from app.db import Database
from app.errors import MalformedJson
from app.grouping import ALONE
from app.reading_json import parse_json
from app.values.schemas import ValueCreate
from app.values.together import Post, record_together


async def post_value(request: Request, caller: Caller) -> Response | None:
    """The answer to a posted value; None for what the plain way does better: say what is wrong with a body, or wait."""
    try:
        body = ValueCreate.model_validate(parse_json(await request.body()))
    except (MalformedJson, ValidationError):
        return None
    database: Database = request.app.state.database
    recorded = await database.grouped(record_together).submit(Post(caller, body))
    if recorded is ALONE:
        return None
    return Response(
        recorded.value.model_dump_json(),
        201 if recorded.created else 200,
        {"Location": f"/api/v1/values/{recorded.value.code}"},
        "application/json",
    )
