"""The published contract: FastAPI's document, tidied so that every generated client compiles and reads well."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.problems import FieldProblem, Problem
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

Send a key with every request: `Authorization: Bearer zrn_…`. Every refusal is a problem (RFC 9457) with a stable
`code`; its texts are Chinese, or English with `Accept-Language: en`. A unit may be named by code, name or alias.
Unknown parameters and fields are refused. Lists give the same rows as CSV with `Accept: text/csv`.
"""
TAKES, REPEATS = "x-takes", "x-repeats"  # what routes tell this module and the document does not keep
_METHODS = ("get", "post", "patch", "put", "delete")


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
    for operation in _operations(document):
        _tidy_operation(operation)
    _tidy_schemas(components["schemas"])
    return document


def _operations(document: Json) -> Iterator[Json]:
    for path in document["paths"].values():
        yield from (path[method] for method in _METHODS if method in path)


def _tidy_operation(operation: Json) -> None:
    """Summary and description from the docstring's two parts, headers of the answers, CSV for lists."""
    summary, _, text = operation["description"].partition("\n\n")
    operation["summary"] = summary.rstrip(".")
    operation["description"] = text
    operation.pop(TAKES, None)
    if operation.pop(REPEATS, False):
        again = {**operation["responses"]["201"], "description": "It was there before."}
        operation["responses"] = {"200": again, **operation["responses"]}
    operation.setdefault("security", [])
    for parameter in operation.get("parameters", []):
        parameter["schema"].pop("title", None)
        _tidy_schema(parameter["schema"])
    for status, response in operation["responses"].items():
        _describe_answer(operation, status, response)
    body = operation.get("requestBody", {}).get("content", {})
    for media in body.values():
        _tidy_schema(media["schema"])


def _describe_answer(operation: Json, status: str, response: Json) -> None:
    headers = response.setdefault("headers", {})
    headers["X-Request-ID"] = _header("Names this request in the service's log.")
    if status == "503":
        headers["Retry-After"] = _header("Seconds to wait before the next try.")
    if not status.startswith("2"):
        return
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    if status == "201":
        headers["Location"] = _header("Where the new resource is.")
    if status == "200" and "security" in operation and operation["security"] and "requestBody" not in operation:
        headers["ETag"] = _header("Names these bytes; for If-None-Match and If-Match.")
    if schema.get("$ref", "").endswith("Page"):
        headers["Link"] = _header('The next page, as rel="next".')
        response["content"]["text/csv"] = {"schema": {"type": "string", "format": "binary"}}


def _header(description: str) -> Json:
    return {"description": description, "schema": {"type": "string"}}


def _tidy_schemas(schemas: dict[str, Json]) -> None:
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for schema in schemas.values():
        _tidy_schema(schema)


def _tidy_schema(schema: Any) -> None:
    """Titles would become class names, a null default makes a field nullable, and bytes need their OpenAPI 3.0 name."""
    if isinstance(schema, list):
        for part in schema:
            _tidy_schema(part)
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("title"), str):
        del schema["title"]
    if "default" in schema and schema["default"] is None:
        del schema["default"]
    if schema.pop("contentMediaType", None) is not None:
        schema["format"] = "binary"
    for key, part in schema.items():
        if key not in ("examples", "example", "enum"):
            _tidy_schema(part)
