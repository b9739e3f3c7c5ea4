"""The one kind of route: it authenticates, reads strictly, and answers with ETag, Link, CSV or 304.

Every operation is declared with `operation(scope, …)`; a route without a scope does not start.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar, get_args
from urllib.parse import quote

from anyio import CapacityLimiter, move_on_after
from anyio.lowlevel import RunVar
from fastapi import APIRouter, Depends, Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams

from app.answers import Answer
from app.auth import Caller, authenticate, get_caller, require
from app.db import Database, in_transaction
from app.engines import BUSY_SECONDS
from app.errors import (
    ErrorCode,
    Fault,
    Forbidden,
    InternalError,
    InvalidRequest,
    ServiceError,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from app.etags import etag_of
from app.idempotency import answered_once, keyed, read_key
from app.messages import Language, preferred_language
from app.openapi import REPEATS, TAKES
from app.paging import MOST_ITEMS, Page, next_cursor_of
from app.problems import MOST_FAULTS, nearest, pointer_to, raises
from app.reading_json import BodyRequest
from app.spreadsheets import FORMS, XLSX_MEDIA_TYPE, Columns, Form, file_headers, list_columns
from app.types import Json, Scope

MERGE_PATCH = "application/merge-patch+json"
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_SCOPE = "x-scope"
MOST_WRITERS = 20  # half of the threads that Starlette has for a process
MOST_BATCHES = 2  # at one time: each has all its rows in memory
_TURNS: RunVar[CapacityLimiter] = RunVar("turns_to_write")
_BATCH_TURNS: RunVar[CapacityLimiter] = RunVar("turns_to_write_batches")


def operation(
    scope: Scope,
    *errors: type[ServiceError],
    takes: tuple[str, ...] = ("application/json",),
    repeats: bool = False,
    batch: Json | None = None,
) -> Json:
    """The keyword arguments by which a route declares its scope and what it can refuse.

    `takes` are the media types of its body, if it has one; the first one is documented. `repeats`: a write that
    changes nothing, since it was made before, is answered 200 instead of 201. `batch` documents a body of many rows,
    which the route reads itself and which may be larger than others.
    """
    always = (Unauthenticated, Forbidden, InvalidRequest, InternalError, Unavailable)
    return {
        "responses": raises(*always, *errors),
        "openapi_extra": {
            "security": [{"key": []}],
            _SCOPE: scope.value,
            TAKES: takes,
            REPEATS: repeats,
            **({"requestBody": batch} if batch is not None else {}),
        },
    }


def get_language(request: Request) -> Language:
    """The language of sentences in the answer."""
    return preferred_language(request.headers.get("accept-language"))


LanguageDep = Annotated[Language, Depends(get_language)]


Hot = Callable[[Request, Caller], Awaitable[Response | None]]


def hot(handler: Hot) -> Callable[[Endpoint], Endpoint]:
    """A route function whose requests `handler` answers first, past the framework; None leaves one to the function.

    It is asked when the caller, the scope, the names of parameters and the body's type are known to be right, and
    answers with the very bytes that the function would.
    """

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.hot = handler  # type: ignore[attr-defined]
        return endpoint

    return mark


async def _leave_it(_request: Request, _caller: Caller) -> None:
    """What stands for a hot path where there is none."""


class Route(APIRoute):
    """A route of the API; see the module's first line."""

    def get_route_handler(self) -> Handler:
        """FastAPI's handler between our reading and our answering."""
        handle = super().get_route_handler()
        scope = Scope((self.openapi_extra or {})[_SCOPE])
        takes: tuple[str, ...] = (self.openapi_extra or {})[TAKES]
        batch = "requestBody" in (self.openapi_extra or {})
        names = _known_names(self)
        columns = _list_columns(self)
        quick: Hot = getattr(self.endpoint, "hot", _leave_it)
        # an answer that depends on who asks is not given to others
        remembers = all(part.call is not get_caller for part in self.dependant.dependencies)

        async def answer(request: Request) -> Response:
            settings, store = request.app.state.settings, request.app.state.database.hot
            limit = settings.max_batch_bytes if batch else settings.max_body_bytes
            request = BodyRequest(request.scope, request.receive, limit)
            form = wanted_form(request) if columns is not None else None
            if form is not None:
                _widen_page(request)
            caller, version = await authenticate(store, request.headers.get("authorization"))
            request.state.caller = caller
            require(caller, scope)
            request.state.known_names = names
            _refuse_unknown_parameters(request, names["query"])
            if batch or (self.body_field is not None and not _has_no_body(request)):
                _refuse_other_media_types(request, takes if batch else takes[:1], takes)
            if request.method == "GET":

                async def read() -> Response:
                    response = await quick(request, caller) or await handle(request)
                    if columns is None:
                        return response
                    if form is None:
                        return _as_list(request, response, columns, None)
                    return await run_in_threadpool(_as_list, request, response, columns, form)

                return await _unless_known(request, version if remembers else None, read)
            key = read_key(request) if request.method == "POST" else None
            body = await request.body()  # a slow sender takes nobody's turn
            if key is None and (response := await quick(request, caller)) is not None:
                return response
            with keyed(request, key, body):
                async with _turn_to_write(_BATCH_TURNS if batch else _TURNS, MOST_BATCHES if batch else MOST_WRITERS):
                    response = await handle(request)
            return response if request.method == "POST" else _conditional(None, response)

        return answer


class WorkbookResponse(Response):
    """An answer that is a workbook, whatever is asked for."""

    media_type = XLSX_MEDIA_TYPE


class Router(APIRouter):
    """The operations of one resource, under `/api/v1` and one tag."""

    def __init__(self, tag: str) -> None:
        super().__init__(prefix="/api/v1", tags=[tag], route_class=Route)

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route, its function wrapped in the transaction of its session; that of a POST is run once for a key."""
        if "POST" in options["methods"]:
            endpoint = answered_once(endpoint, options["status_code"] or 200)
        super().add_api_route(path, in_transaction(endpoint), **options)


@asynccontextmanager
async def _turn_to_write(kind: RunVar[CapacityLimiter], most: int) -> AsyncIterator[None]:
    """One of the threads that writers may have: those that wait for each other must leave some to the readers.

    Raises Unavailable when none is free in time.
    """
    try:
        turns = kind.get()
    except LookupError:  # each event loop has its own
        turns = CapacityLimiter(most)
        kind.set(turns)
    with move_on_after(BUSY_SECONDS) as waiting:
        await turns.acquire()
    if waiting.cancelled_caught:
        raise Unavailable
    try:
        yield
    finally:
        turns.release()


def _known_names(route: APIRoute) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {"query": []}
    for field in get_flat_params(route.dependant):
        place = getattr(field.field_info, "in_", None)
        if place is None or place.value == "query":  # fields of a query model know no place
            names["query"].append(field.alias)
    return names | _fields_of(route.body_field.field_info.annotation if route.body_field is not None else None, "body")


def _fields_of(annotation: Any, place: str) -> dict[str, list[str]]:
    """The names of the fields of a wire type and of those inside it, by their places: `body`, `body/units`."""
    found: dict[str, list[str]] = {}
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            found[place] = list(part.model_fields)
            for name, field in part.model_fields.items():
                found |= _fields_of(field.annotation, f"{place}/{name}")
    return found


def _refuse_unknown_parameters(request: Request, known: list[str]) -> None:
    if not request.scope["query_string"]:
        return
    given = [name for name, _ in request.query_params.multi_items()]
    if len(set(given)) == len(given) and all(name in known for name in given):
        return
    faults = [
        Fault(pointer_to("query", name), ErrorCode.unknown_parameter, {"name": name}, nearest(name, known))
        if name not in known
        else Fault(pointer_to("query", name), ErrorCode.repeated_parameter, {"name": name})
        for name, count in Counter(given).items()
        if name not in known or count > 1
    ]
    if faults:
        raise InvalidRequest(*faults[:MOST_FAULTS], count=len(faults))


def _has_no_body(request: Request) -> bool:
    headers = request.headers
    return headers.get("content-length", "0") == "0" and not {"content-type", "transfer-encoding"} & set(headers)


def _refuse_other_media_types(request: Request, told: tuple[str, ...], takes: tuple[str, ...]) -> None:
    """Refuse a body of a type that the operation does not take; `told` are the types that the answer names."""
    received = request.headers.get("content-type", "")
    encoding = request.headers.get("content-encoding", "identity")
    if received.partition(";")[0].strip().lower() in takes and encoding == "identity":
        return
    expected = ", ".join(told)
    header = "Accept-Patch" if request.method == "PATCH" else "Accept"
    received = received or "-"
    if encoding != "identity":
        received = f"{received}, Content-Encoding: {encoding}"
    raise UnsupportedMediaType(headers={header: expected}, expected=expected, received=received)


def _list_columns(route: APIRoute) -> Columns | None:
    """The columns that a list has as a spreadsheet; None for an operation that answers with something else."""
    model = route.response_model
    if not (isinstance(model, type) and issubclass(model, Page)):
        return None
    (item,) = model.model_fields["items"].annotation.__args__  # type: ignore[union-attr]
    return list_columns(item)


def wanted_form(request: Request) -> Form | None:
    """CSV or XLSX, the one that is named first, for who does not ask for JSON as well.

    Clients that were generated from the contract name every type that is documented.
    """
    types = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    wanted = next((FORMS[name] for name in types if name in FORMS), None)
    return None if "application/json" in types else wanted


def _widen_page(request: Request) -> None:
    """Who saves a list as a file wants all of it: without a `limit`, its page is as large as one may be."""
    if "limit" not in QueryParams(request.scope["query_string"]):
        query = [request.scope["query_string"], f"limit={MOST_ITEMS}".encode()]
        request.scope["query_string"] = b"&".join(filter(None, query))


def _as_list(request: Request, response: Response, columns: Columns, form: Form | None) -> Response:
    """A page with the way to the next one, as a file where one is wanted."""
    if response.status_code != 200:
        return response
    body = bytes(response.body)
    cursor = next_cursor_of(body)
    if form is not None:
        rows = form.render(columns, json.loads(body)["items"])
        name = request.url.path.rstrip("/").rpartition("/")[2]
        response = Response(rows, headers=file_headers(name, form.suffix), media_type=form.media_type)
    if cursor is not None:
        asked = request.scope["query_string"].decode("latin-1").split("&")
        query = "&".join([*(part for part in asked if part and not part.startswith("cursor=")), f"cursor={cursor}"])
        response.headers["Link"] = f'<{quote(request.scope["path"])}?{query}>; rel="next"'
    response.headers["Vary"] = "Accept"
    return response


async def _unless_known(request: Request, version: object, read: Callable[[], Awaitable[Response]]) -> Response:
    """The answer to a read with its ETag, or 304; what was read already is not read again while nothing is written.

    `version` is that of the database before the read, which may see later writes but no fewer; None: not to be kept.
    """
    asked = request.headers.get("if-none-match")
    if version is None:
        return _conditional(asked, await read())
    database: Database = request.app.state.database
    told = (request.headers.get(name, "") for name in ("accept", "accept-language"))
    question = (request.scope["path"], request.scope["query_string"], *told)
    known = database.answers.find(question, version)
    if known is None:
        response = await read()
        if response.status_code != 200:
            return response
        known = Answer.of(response, _tagged(response))
        database.answers.keep(question, version, known)
    return known.response(asked)


def _conditional(asked: str | None, response: Response) -> Response:
    """An answer with its ETag, or 304 where the asker has it."""
    if response.status_code != 200:
        return response
    return Answer.of(response, _tagged(response)).response(asked)


def _tagged(response: Response) -> str:
    """The ETag that a response gets."""
    etag = etag_of(bytes(response.body))
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    return etag
