"""Every refusal as an RFC 9457 problem: its wire type, its rendering, and the handlers that catch what was raised."""

import json
import logging
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import Field
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.routing import Route

from app.db import violated_constraint
from app.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    ErrorCode,
    Fault,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NoSuchPath,
    ServiceError,
    Unavailable,
)
from app.messages import Language, detail_of, fault_detail, preferred_language, title_of
from app.periods import nearest_periods
from app.request_ids import request_id
from app.schemas import Output, example
from app.types import Json

PROBLEM_MEDIA_TYPE = "application/problem+json"
MOST_FAULTS = 100  # in one answer; a body of nothing but faults must not become an answer many times its size
log = logging.getLogger("zeren.problems")


class FieldProblem(Output):
    """One wrong field of a request."""

    pointer: str = Field(
        description="Where: an RFC 6901 pointer into the body, or /query/…, /path/…, /header/….", examples=["/unit"]
    )
    code: ErrorCode = Field(description="What is wrong, as a stable word.", examples=["unit_unknown"])
    detail: str = Field(description="What is wrong, as a sentence.", examples=["没有名为 市教肓局 的单位。"])
    suggestions: list[str] = Field(description="Valid values, nearest first.", examples=[["市教育局"]])


class Problem(Output):
    """Why a request was refused (RFC 9457)."""

    model_config = example(
        type="/problems#invalid_request",
        title="请求内容有误",
        status=422,
        detail="有 1 处错误，见 errors。",
        instance="/api/v1/values",
        code="invalid_request",
        errors=[
            {
                "pointer": "/unit",
                "code": "unit_unknown",
                "detail": "没有名为 市教肓局 的单位。",
                "suggestions": ["市教育局"],
            }
        ],
        current=None,
        request_id="3f0c2f5c9f4b4a5e8f6b7d2f0a1c4e9d",
    )

    type: str = Field(
        description="Names the kind of problem, and leads to the page that explains it.",
        examples=["/problems#not_found"],
    )
    title: str = Field(description="The kind of problem in words; the same for all of its kind.", examples=["未找到"])
    status: int = Field(description="The HTTP status, repeated.", examples=[404], json_schema_extra={"format": "int32"})
    detail: str = Field(description="What is wrong with this very request.", examples=["没有编码为 x.1 的目标任务。"])
    instance: str = Field(description="The path that was asked for.", examples=["/api/v1/targets/x.1"])
    code: ErrorCode = Field(description="The kind of problem as a stable word.", examples=["not_found"])
    errors: list[FieldProblem] = Field(
        description="Each wrong field, the first 100 at most; empty where no field is to blame.", examples=[[]]
    )
    current: dict[str, Any] | None = Field(
        description="The row as it stands, where a stale write was refused; else null.", examples=[None]
    )
    request_id: str = Field(
        description="Names this request in the service's log.", examples=["3f0c2f5c9f4b4a5e8f6b7d2f0a1c4e9d"]
    )


def problem_response(request: Request, error: ServiceError) -> Response:
    """The answer that tells a refusal, in the language the caller prefers."""
    language = preferred_language(request.headers.get("accept-language"))
    problem = make_problem(error, language, request.url.path, request_id.get() or "")
    headers = {"Content-Language": language.value, "Cache-Control": "no-store", "Vary": "Accept-Language"}
    if error.status == Unavailable.status:
        headers["Retry-After"] = "1"
    headers |= error.headers
    if error.table is not None:
        return Response(error.table, error.status, headers, media_type="text/csv")
    body = problem.model_dump_json()
    if error.members:
        body = f"{body[:-1]},{json.dumps(error.members, ensure_ascii=False)[1:]}"
    return Response(body, error.status, headers, media_type=PROBLEM_MEDIA_TYPE)


def make_problem(error: ServiceError, language: Language, path: str, request_id: str) -> Problem:
    """A refusal in words, of the request with this path and id."""
    return Problem(
        type=f"/problems#{error.code}",
        title=title_of(error, language),
        status=error.status,
        detail=printable(detail_of(error, language)),
        instance=path,
        code=error.code,
        errors=[
            FieldProblem(
                pointer=printable(fault.pointer),
                code=fault.code,
                detail=printable(fault_detail(fault, language)),
                suggestions=list(fault.suggestions),
            )
            for fault in error.faults
        ],
        current=dict(error.current) if error.current is not None else None,
        request_id=request_id,
    )


def printable(text: str) -> str:
    """A text without the halves of characters that a caller may have sent: no answer can carry them."""
    return text.encode("utf-8", "replace").decode()


def raises(*errors: type[ServiceError]) -> dict[int | str, Json]:
    """The OpenAPI `responses` of an operation that can raise these errors."""
    by_status: dict[int | str, list[type[ServiceError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    return {
        status: {
            "description": " ".join(f"`{error.code}`: {error.__doc__}" for error in group),
            "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, group in sorted(by_status.items())
    }


def nearest(name: str, choices: Iterable[str], most: int = 3) -> list[str]:
    """The choices that look most like a name, nearest first."""
    from rapidfuzz import process  # 3 MB, which a server needs once somebody makes a mistake

    return [choice for choice, _score, _index in process.extract(name, list(choices), limit=most, score_cutoff=40)]


# Pydantic's words for what is wrong, and ours
_PYDANTIC_CODES = {
    "missing": ErrorCode.required,
    "extra_forbidden": ErrorCode.unknown_field,
    "string_type": ErrorCode.not_text,
    "string_unicode": ErrorCode.bad_characters,
    "string_too_short": ErrorCode.too_short,
    "too_short": ErrorCode.too_short,
    "string_too_long": ErrorCode.too_long,
    "too_long": ErrorCode.too_long,
    "string_pattern_mismatch": ErrorCode.bad_format,
    "enum": ErrorCode.not_allowed,
    "literal_error": ErrorCode.not_allowed,
    "int_type": ErrorCode.not_a_whole_number,
    "int_parsing": ErrorCode.not_a_whole_number,
    "int_parsing_size": ErrorCode.not_a_whole_number,
    "int_from_float": ErrorCode.not_a_whole_number,
    "bool_type": ErrorCode.not_true_or_false,
    "bool_parsing": ErrorCode.not_true_or_false,
    "greater_than_equal": ErrorCode.too_small,
    "less_than_equal": ErrorCode.too_large,
    "model_type": ErrorCode.not_an_object,
    "model_attributes_type": ErrorCode.not_an_object,
    "dict_type": ErrorCode.not_an_object,
    "list_type": ErrorCode.not_a_list,
    "datetime_type": ErrorCode.time_invalid,
    "datetime_parsing": ErrorCode.time_invalid,
    "datetime_from_date_parsing": ErrorCode.time_invalid,
    "datetime_object_invalid": ErrorCode.time_invalid,
    "timezone_aware": ErrorCode.time_invalid,
}
_LONGEST_PERIOD = 30  # in any way of writing it
_LIMITS = ("min_length", "max_length", "ge", "le")


def fault_of(error: Mapping[str, Any], known_names: Iterable[str] = ()) -> Fault:
    """Pydantic's or FastAPI's description of one wrong field, in our words.

    `known_names` are the fields or parameters that exist, for the nearest one to an unknown one.
    """
    source, *place = error["loc"]
    pointer = pointer_to(*place) if source == "body" else pointer_to(source, *place)
    kind = error["type"]
    code = _PYDANTIC_CODES.get(kind) or _own_code(kind)
    context = error.get("ctx") or {}
    params: dict[str, object] = {"reason": error["msg"], "pattern": context.get("pattern", "")}
    params["limit"] = next((context[name] for name in _LIMITS if name in context), "")
    suggestions: list[str] = []
    if code is ErrorCode.unknown_field:
        params["name"] = str(place[-1])
        code = ErrorCode.unknown_parameter if source == "query" else code
        suggestions = nearest(str(place[-1]), known_names)
    if code is ErrorCode.period_invalid:
        suggestions = nearest_periods(str(error.get("input"))[:_LONGEST_PERIOD])
    if code is ErrorCode.not_allowed:
        expected = str(context.get("expected", ""))
        choices = [choice.strip(" '") for choice in expected.replace(" or ", ",").split(",")]
        params["expected"] = ", ".join(choices)
        suggestions = nearest(str(error.get("input")), choices) or choices
    return Fault(pointer, code, params, suggestions)


def pointer_to(*steps: object) -> str:
    """The RFC 6901 pointer of some steps."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _own_code(kind: str) -> ErrorCode:
    return ErrorCode(kind) if kind in ErrorCode.__members__ else ErrorCode.invalid


# what a broken constraint means to the caller: the field to blame
CONSTRAINT_FIELDS = {
    "uq_units_code": "/code",
    "uq_units_usci": "/usci",
    "uq_plans_code": "/query/plan",
    "uq_clients_code": "/client",
    "uq_targets_code": "/code",
    "uq_indicators_code": "/code",
    "ck_units_valid_order": "/valid_to",
    "ck_units_usci_length": "/usci",
    "ck_units_parent_other": "/parent",
    "ck_goals_range_order": "/goal_to",
}


def explain_constraint(error: IntegrityError) -> ServiceError:
    """The refusal that tells which rule of the database a write broke."""
    name = violated_constraint(error)
    field = CONSTRAINT_FIELDS.get(name or "")
    if name is not None and name.startswith("uq_"):
        value = (field or name).rpartition("/")[2]
        faults = [Fault(field, ErrorCode.already_exists, {"value": value})] if field else []
        return AlreadyExists(*faults, value=value)
    faults = [Fault(field, ErrorCode.invalid, {"reason": name})] if field else []
    return Conflict(*faults, constraint=name or "foreign key")


def _explain_validation(request: Request, error: RequestValidationError) -> ServiceError:
    names: Mapping[str, Iterable[str]] = getattr(request.state, "known_names", {})
    found = error.errors()
    told = (fault_of(one, names.get(_place_around(one), ())) for one in found[:MOST_FAULTS])
    return InvalidRequest(*told, count=len(found))


def _place_around(error: Mapping[str, Any]) -> str:
    """Where the wrong field stands: `query`, `body`, or `body/units` for one of an item of `units`."""
    return "/".join(step for step in error["loc"][:-1] if isinstance(step, str))


def _explain_framework(request: Request, error: HTTPException) -> ServiceError:
    path = request.url.path
    if isinstance(error.__cause__, ServiceError):
        return error.__cause__  # what is raised while the body is read, FastAPI wraps
    if error.status_code == NoSuchPath.status:
        return NoSuchPath(path=path)
    if error.status_code == MethodNotAllowed.status:
        allowed = ", ".join(_methods_at(request.app, path))
        return MethodNotAllowed(headers={"Allow": allowed}, path=path, method=request.method, allowed=allowed)
    log.info("refused by the framework: %s", error)
    return BadRequest()


def _methods_at(app: FastAPI, path: str) -> list[str]:
    """All methods of a path: the framework itself names those of the first route that matches."""
    methods: set[str] = set()
    for context in iter_route_contexts(app.router.routes):
        route = context.original_route
        if isinstance(route, Route) and route.path_regex.match(path):
            methods |= route.methods or set()
    methods = methods or {"GET"}  # the folder of files that the documentation loads
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def _explain_database(error: Exception) -> ServiceError:
    if isinstance(error, IntegrityError):
        return explain_constraint(error)
    if _is_passing(error):
        # no traceback: each request says it while the database is away, and where it was then tells nothing
        log.warning("database unavailable: %s", getattr(error, "orig", None) or error)
        return Unavailable()
    log.error("database error", exc_info=error)
    return InternalError()


def _is_passing(error: Exception) -> bool:
    """Whether the database is away or busy, so that a later try may succeed."""
    if getattr(getattr(error, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
        return False  # a statement that SQLite cannot run, as for a missing table: no time mends it
    return isinstance(error, PoolTimeout | OperationalError) or getattr(error, "connection_invalidated", False)


def add_problem_handlers(app: FastAPI) -> None:
    """Make every exception that leaves a route one problem."""

    async def on_service_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ServiceError)  # noqa: S101 - registered for this class alone
        return problem_response(request, error)

    async def on_validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
        return problem_response(request, _explain_validation(request, error))

    async def on_http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
        return problem_response(request, _explain_framework(request, error))

    async def on_database_error(request: Request, error: Exception) -> Response:
        return problem_response(request, _explain_database(error))

    app.add_exception_handler(ServiceError, on_service_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(DBAPIError, on_database_error)
    app.add_exception_handler(PoolTimeout, on_database_error)
