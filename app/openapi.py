"""The published contract: FastAPI's document, tidied so that every generated client compiles and reads well."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.errors import BodyTooLarge, IdempotencyKeyInUse, IdempotencyKeyReused, MalformedJson, UnsupportedMediaType
from app.idempotency import HEADER, KEY_PATTERN, REPLAYED
from app.paging import MOST_ITEMS
from app.problems import FieldProblem, Problem, raises
from app.spreadsheets import CSV_MEDIA_TYPE, XLSX_MEDIA_TYPE
from app.types import Json

TAGS = {
    "plans": "Published responsibility-breakdown documents and their headings.",
    "targets": "The numbered items of a plan.",
    "assignments": "Who answers for what: target × unit × role, and whether the unit has acknowledged it.",
    "indicators": "What is measured for a target, and the goals it must reach.",
    "values": "Measured figures: indicator × unit × period, with every version they ever had.",
    "units": "The register of organisations and groups.",
    "imports": "Uploaded plan documents, what was read in them, and what a person should look at.",
    "service": "Whether the service is up.",
}
DESCRIPTION = """\
Zeren (责任) keeps the targets of government plans, who is responsible for them, and how far along they are.

Send a key with every request: `Authorization: Bearer zrn_…`; the scope an operation needs is its `x-scope`. Every
refusal is a problem (RFC 9457) with a stable `code`; `/problems` explains them all. Its texts are Chinese, or English
with `Accept-Language: en`. A unit may be named by code, name or alias. Unknown parameters and fields are refused.
A POST that bears an `Idempotency-Key` is done once, however often it is sent.
Lists give the same rows as a spreadsheet with `Accept: text/csv`, or with that of XLSX.
"""
TAKES, REPEATS = "x-takes", "x-repeats"  # what routes tell this module and the document does not keep
_DONE = {"200": "OK", "201": "Created"}
_AS_FILES = (
    f"OK. With `Accept: {CSV_MEDIA_TYPE}` the same rows as CSV in UTF-8 with BOM, with `Accept: {XLSX_MEDIA_TYPE}` "
    f"as XLSX: {MOST_ITEMS} on a page where `limit` says nothing else."
)


_KEY_PARAMETER: Json = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Your name for this request, such as a random UUID, a new one for each: sent again under it, the "
    "request is not done again but answered as it was the first time. Quoted (RFC 8941) or bare.",
    # without an example: it would be sent by everybody who tries one
    "schema": {"type": "string", "pattern": KEY_PATTERN},
}


def build_openapi(app: FastAPI) -> Json:
    """The OpenAPI 3.1 document of an application."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        servers=[{"url": "/", "description": "This service"}],
        contact=app.contact,
        license_info=app.license_info,
    )
    components = document["components"]
    for model in (Problem, FieldProblem):
        schema = model.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
        for name, inner in schema.pop("$defs", {}).items():
            components["schemas"].setdefault(name, inner)
        components["schemas"][model.__name__] = schema
    components["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "A client's key, `zrn_…`: `zeren key create` makes one.",
        }
    }
    _tidy_schemas(components["schemas"])
    for path in document["paths"].values():
        for method, operation in path.items():
            _tidy_operation(method, operation)
            _show_body(operation, components["schemas"])
    return document


def _tidy_operation(method: str, operation: Json) -> None:
    """Summary and description from the docstring's two parts, what any body can get, headers of the answers."""
    summary, _, text = operation["description"].partition("\n\n")
    operation["summary"] = summary.rstrip(".")
    operation["description"] = text
    operation.pop(TAKES, None)
    operation.setdefault("security", [])
    _add_answers(operation, method, repeats=operation.pop(REPEATS, False))
    for parameter in operation.get("parameters", []):
        parameter["schema"].pop("title", None)
        _tidy_schema(parameter["schema"])


def _show_body(operation: Json, schemas: dict[str, Json]) -> None:
    """A body is required unless it may be null, and shown by an example: the first examples of its fields together."""
    if "requestBody" not in operation:
        return
    for media in operation["requestBody"]["content"].values():
        _tidy_schema(media["schema"])
        forms = media["schema"].get("anyOf", [media["schema"]])
        operation["requestBody"]["required"] = {"type": "null"} not in forms
        name = forms[0].get("$ref", "").rpartition("/")[2]
        if name:
            media["example"] = {field: facts["examples"][0] for field, facts in schemas[name]["properties"].items()}


def _add_answers(operation: Json, method: str, *, repeats: bool) -> None:
    """Answers that follow from what an operation is, and the headers of all of them."""
    answers: dict[str, Json] = operation["responses"]
    if "requestBody" in operation:
        json = any("json" in media for media in operation["requestBody"]["content"])
        for status, answer in raises(BodyTooLarge, UnsupportedMediaType, *([MalformedJson] if json else [])).items():
            answers.setdefault(str(status), answer)
    if repeats:
        answers["200"] = {**answers["201"]}
    if method == "post":
        _add_key(operation)
    if method == "get" and operation["security"]:
        answers["304"] = {"description": "Nothing has changed since the ETag in `If-None-Match`."}
    for status, answer in answers.items():
        answer["description"] = _DONE.get(status, answer["description"])
        answer["headers"] = _headers_of(status, method, repeats=repeats, signed_in=bool(operation["security"]))
    content = answers.get("200", {}).get("content", {})
    if XLSX_MEDIA_TYPE in content:
        content[XLSX_MEDIA_TYPE]["schema"] = {"type": "string", "format": "binary"}
        answers["200"]["headers"]["Content-Disposition"] = _header("The name of the file.")
    if content.get("application/json", {}).get("schema", {}).get("$ref", "").endswith("Page"):
        answers["200"]["headers"]["Link"] = _header('The next page, as rel="next".')
        answers["200"]["headers"]["Content-Disposition"] = _header("The name of the file, of CSV and XLSX.")
        # in words: clients that are generated from two types of one answer read the first, or neither
        answers["200"]["description"] = _AS_FILES
    operation["responses"] = dict(sorted(answers.items()))


def _add_key(operation: Json) -> None:
    """What every POST has: the key under which it may be sent again, and the refusals of a key."""
    operation.setdefault("parameters", []).append(_KEY_PARAMETER)
    for status, answer in raises(IdempotencyKeyInUse, IdempotencyKeyReused).items():
        known = operation["responses"].setdefault(str(status), {**answer, "description": ""})
        known["description"] = f"{known['description']} {answer['description']}".strip()


def _headers_of(status: str, method: str, *, repeats: bool, signed_in: bool) -> dict[str, Json]:
    headers = {"X-Request-ID": _header("Names this request in the service's log.")}
    if status == "201" or (status == "200" and repeats):
        headers["Location"] = _header("Where the resource is.")
    if status in ("200", "304") and method in ("get", "patch") and signed_in:
        headers["ETag"] = _header("Names these bytes; for If-None-Match and If-Match.")
    if method == "post" and status[0] == "2":
        headers[REPLAYED] = _header("`true` where this is the answer that was given to the same key before.")
    if status == "503" or (method == "post" and status == "409"):
        headers["Retry-After"] = _header("Seconds to wait before the next try.")
    return headers


def _header(description: str) -> Json:
    return {"description": description, "schema": {"type": "string"}}


def _tidy_schemas(schemas: dict[str, Json]) -> None:
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for schema in schemas.values():
        _tidy_schema(schema)


def _tidy_schema(schema: Any) -> None:
    """Tidy a schema and all inside it."""
    if isinstance(schema, list):
        for part in schema:
            _tidy_schema(part)
    if not isinstance(schema, dict):
        return
    _tidy_keywords(schema)
    for key, part in schema.items():
        if key not in ("examples", "example", "enum"):
            _tidy_schema(part)


def _tidy_keywords(schema: Json) -> None:
    """Titles would become class names, a null default makes a field nullable, bytes need their OpenAPI 3.0 name."""
    if isinstance(schema.get("title"), str):
        del schema["title"]
    if "default" in schema and schema["default"] is None:
        del schema["default"]
    if schema.pop("contentMediaType", None) is not None:
        schema["format"] = "binary"
        schema.pop("default", None)
    for bound in ("minimum", "maximum"):
        if isinstance(schema.get(bound), float) and schema[bound].is_integer():
            schema[bound] = int(schema[bound])
