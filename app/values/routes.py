"""Values over HTTP."""

import json
import re
from typing import Annotated, Any

from fastapi import Body, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.convertors import StringConvertor, register_url_convertor

from app.auth import CallerDep
from app.db import ReadSession, SessionAsOf, WriteSession
from app.errors import (
    BadCursor,
    BatchRejected,
    DocumentEmpty,
    DocumentUnreadable,
    NotFound,
    NothingToReport,
    NotYourUnit,
    StaleVersion,
    TransitionRefused,
    UnitNotAssigned,
    UnsupportedMediaType,
)
from app.paging import ListQuery
from app.plans.routes import PlanPath
from app.routing import LanguageDep, Router, WorkbookResponse, hot, operation, wanted_form
from app.schemas import Maybe
from app.spreadsheets import CSV_MEDIA_TYPE, XLSX_MEDIA_TYPE
from app.types import VALUE_CODE_PATTERN, Scope, UnitReference
from app.values import batch, recording, reviewing, service, template
from app.values.formats import BATCH_TYPES, JSON_TYPE, NDJSON_TYPES
from app.values.hot import post_value
from app.values.rows import MOST_ROWS
from app.values.schemas import (
    Approval,
    ApprovalList,
    BatchQuery,
    BatchReport,
    Refusal,
    Value,
    ValueCreate,
    ValuePage,
    ValueQuery,
    ValueRevisionPage,
)


class _ValueCodes(StringConvertor):
    """What stands in a path for a value: not the names of what lies beside them."""

    regex = "(?!(?:batch|approvals)(?:/|$))[^/]+"


register_url_convertor("value_code", _ValueCodes())
routes = Router("values")
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([\w.:-]{1,40})', re.ASCII | re.IGNORECASE)
_EXAMPLE = {"indicator": "xianning-2023.58.1", "period": "2023-06", "value": 46.8, "unit": "市教育局"}
_TABLE = "指标,单位,期间,数值,备注\nxianning-2023.58.1,市教育局,2023-06,46.8,教育局6月统计\n"
BATCH_BODY: dict[str, Any] = {
    "description": "The rows: JSON, one JSON object a line, CSV (UTF-8 or GB18030) or XLSX; at most 100,000.",
    "content": {
        JSON_TYPE: {
            "schema": {
                "type": "array",
                "description": "The rows.",
                "items": {"$ref": "#/components/schemas/ValueCreate"},
                "maxItems": MOST_ROWS,
            },
            "example": [_EXAMPLE],
        },
        NDJSON_TYPES[0]: {"schema": {"type": "string"}, "example": json.dumps(_EXAMPLE, ensure_ascii=False) + "\n"},
        CSV_MEDIA_TYPE: {"schema": {"type": "string"}, "example": _TABLE},
        XLSX_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}},
    },
}
ValuePath = Annotated[
    str,
    Path(
        description="The value's code, `{indicator}:{unit}:{period}`.",
        examples=["xianning-2023.58.1:xianning-education-bureau:2023-06"],
        pattern=VALUE_CODE_PATTERN,
        max_length=250,
    ),
]
TemplateUnit = Annotated[
    Maybe[UnitReference],
    Query(
        description="Whose figures, by code, name or alias; for a group, its members'. Without it, those of all units "
        "that the client speaks for, or of all units for a client that speaks for every one or may only read.",
        examples=["市教育局"],
    ),
]


@routes.get("/values", **operation(Scope.read, NotFound, BadCursor))
def list_values(session: ReadSession, query: Annotated[ValueQuery, Query()]) -> ValuePage:
    """List values.

    The figures in force, by indicator, period and unit.
    """
    return service.list_values(session, query)


@routes.get("/values/{value:value_code}", **operation(Scope.read, NotFound))
def get_value(session: SessionAsOf, value: ValuePath) -> Value:
    """Get a value.

    The figure in force for one indicator, unit and period.
    """
    return service.get_value(session, value)


@routes.get("/values/{value:value_code}/revisions", **operation(Scope.read, NotFound, BadCursor))
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
@hot(post_value)
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


async def read_rows(request: Request) -> batch.Rows:
    """The rows of a batch, each checked by itself; no transaction waits for it."""
    content_type = request.headers.get("content-type", "")
    charset = _CHARSET.search(content_type)
    body = await request.body()
    media_type = content_type.partition(";")[0].strip().lower()
    return await run_in_threadpool(batch.read_rows, body, media_type, charset[1].lower() if charset else None)


def wants_table(request: Request) -> bool:
    """Whether the answer shall be the table of all problems."""
    form = wanted_form(request)
    return form is not None and form.media_type == CSV_MEDIA_TYPE


@routes.post(
    "/values/batch",
    response_model=BatchReport,
    **operation(Scope.report, BatchRejected, DocumentEmpty, DocumentUnreadable, takes=BATCH_TYPES, batch=BATCH_BODY),
)
def record_values(
    session: WriteSession,
    caller: CallerDep,
    rows: Annotated[batch.Rows, Depends(read_rows)],
    query: Annotated[BatchQuery, Query()],
    language: LanguageDep,
    table: Annotated[bool, Depends(wants_table)],
) -> BatchReport | Response:
    """Record many values.

    Writes up to 100,000 figures in one transaction. The answer tells of every problem of every row. One wrong row,
    and nothing is written (422, the report's fields beside those of the problem); with `on_error=skip` the others are.
    A dry run answers the same and leaves nothing. Tables (CSV, XLSX) have English or Chinese headings within their
    first ten rows. With `Accept: text/csv` the answer is the table of all problems.
    """
    answer = batch.record_batch(session, caller, rows, query, language, table=table)
    return Response(answer, media_type=CSV_MEDIA_TYPE) if isinstance(answer, bytes) else answer


@routes.post("/values/approvals", **operation(Scope.review, BatchRejected, UnsupportedMediaType))
def approve_values(
    session: WriteSession,
    caller: CallerDep,
    body: Annotated[ApprovalList, Body()],
    query: Annotated[BatchQuery, Query()],
    language: LanguageDep,
) -> BatchReport:
    """Approve many values.

    One value that cannot be approved, and none is (422); with `on_error=skip` the others are. Approved values are
    counted as updated, those that were approved before as unchanged.
    """
    return reviewing.approve_values(session, caller, body, query, language)


@routes.post(
    "/values/{value:value_code}/approval",
    **operation(Scope.review, NotFound, StaleVersion, TransitionRefused, UnsupportedMediaType),
)
def approve_value(
    session: WriteSession, caller: CallerDep, value: ValuePath, body: Annotated[Approval | None, Body()] = None
) -> Value:
    """Approve a value.

    A submitted value becomes approved, as a new version. Approving it again changes nothing.
    """
    return reviewing.approve_value(session, caller, value, body)


@routes.post(
    "/values/{value:value_code}/return",
    **operation(Scope.review, NotFound, StaleVersion, TransitionRefused, UnsupportedMediaType),
)
def return_value(session: WriteSession, caller: CallerDep, value: ValuePath, body: Annotated[Refusal, Body()]) -> Value:
    """Return a value (退回).

    A submitted or approved value goes back to who reported it, with the reason; it does not count until it is
    recorded again.
    """
    return reviewing.return_value(session, caller, value, body)


@routes.post(
    "/values/{value:value_code}/withdrawal",
    **operation(Scope.report, NotFound, NotYourUnit, StaleVersion, TransitionRefused, UnsupportedMediaType),
)
def withdraw_value(
    session: WriteSession, caller: CallerDep, value: ValuePath, body: Annotated[Refusal, Body()]
) -> Value:
    """Withdraw a value (撤回).

    Takes back a figure that should not have been reported. It counts no longer, but stays with its versions, and may
    be recorded again.
    """
    return reviewing.withdraw_value(session, caller, value, body)


@routes.get(
    "/plans/{plan}/values/template",
    response_class=WorkbookResponse,
    **operation(Scope.read, NotFound, NothingToReport, NotYourUnit),
)
def get_value_template(
    session: ReadSession, caller: CallerDep, plan: PlanPath, language: LanguageDep, unit: TemplateUnit = None
) -> Response:
    """Get a form for values.

    An XLSX with the figures that are open: of each indicator of the unit, every period that has begun and has no
    value, or one that was returned or withdrawn. Filled in, it is posted to `/values/batch` as it is. With
    `Accept-Language: en` its headings are English.
    """
    form = template.get_value_template(session, caller, plan, unit, template.china_today())
    from app.values import template_sheet  # what writes workbooks takes 2 MB, and most servers never do

    body = template_sheet.draw_template(form, language)
    return WorkbookResponse(body, headers=template_sheet.headers_of(form))
