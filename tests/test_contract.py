"""The published contract: equal to the code, valid, complete, and kept by the service whatever is sent."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import validate
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig

from app.main import create_app
from app.problems import PROBLEM_MEDIA_TYPE
from app.settings import Settings
from app.spreadsheets import XLSX_MEDIA_TYPE
from app.types import Scope
from tests.conftest import Api

APP = create_app(Settings())
DOCUMENT: dict[str, Any] = APP.openapi()
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
PUBLISHED = Path(__file__).parents[1] / "openapi.json"
# no constant would be right for them: a cursor is an answer's, an ETag is a resource's, a key is one request's
WITHOUT_EXAMPLE = {"cursor", "If-Match", "Idempotency-Key", "as_of"}
# what data that fits the schema may be refused for, since no schema can say it
JUDGED = {
    # only the database knows what is there, how it stands, and who answers for what
    *("not_found", "unknown_reference", "stale_version", "transition_refused", "unit_not_assigned"),
    # of two rows each is right; a time is past or to come; lines and cells are in no schema
    *("row_repeated", "time_in_future", "json_syntax", "headings_not_found", "heading_missing", "csv_syntax"),
    # only the register knows which units there are, and whose a caller's figure is
    *("unit_unknown", "unit_ambiguous", "unit_needed", "unit_is_group", "measure_differs"),
    # only the service knows which cursors and ETags it gave, and which keys it was given
    *("bad_cursor", "precondition_failed", "idempotency_key_reused"),
    # a day that no month has, or another plan's; two fields that must agree; a check digit; digits of a decimal
    *("period_invalid", "period_outside_plan", "period_order", "goal_to_needed", "goal_order", "date_order"),
    *("usci_invalid", "too_many_digits"),
    # text of nothing but spaces, and control characters
    *("too_short", "bad_characters"),
    # 1.0 is a whole number to JSON Schema, and none to a version
    "not_a_whole_number",
    # bytes that are no document
    *("document_empty", "document_unreadable", "document_without_targets", "not_in_encoding", "charset_wrong"),
}

# what a request takes that neither makes a thing nor alters one, but moves it along
STEPS = {"Approval", "ApprovalList", "ListedApproval", "Refusal"}
BODY_OPTIONAL = {"approve_value"}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation with its method and path."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema, looked up where it is only named."""
    return SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def is_made_of_others(schema: dict[str, Any]) -> bool:
    """Whether a field is another schema or a list of them, so that the examples are in there."""
    parts = [schema, *schema.get("anyOf", []), schema.get("items", {})]
    return any("properties" in resolved(part) for part in parts)


class TestDocument:
    def test_published_one_is_the_code(self) -> None:
        """To mend it, type: make openapi"""
        assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == DOCUMENT
        assert PUBLISHED.read_text(encoding="utf-8") == json.dumps(DOCUMENT, ensure_ascii=False, indent=2) + "\n"

    def test_is_valid_openapi_3_1(self) -> None:
        assert DOCUMENT["openapi"].startswith("3.1.")
        validate(DOCUMENT)

    def test_service_serves_it(self, shared_app: Any, api: Api) -> None:
        response = api.anonymous.get("/openapi.json")
        assert response.json() == DOCUMENT
        assert response.headers["Content-Type"] == "application/json"

    def test_nothing_of_the_framework_shows(self) -> None:
        text = json.dumps(DOCUMENT, ensure_ascii=False)
        assert "HTTPValidationError" not in text
        assert "ValidationError" not in SCHEMAS
        ours = {DOCUMENT["info"]["title"], SCHEMAS["Plan"]["properties"]["title"]["examples"][0], "请求内容有误"}
        assert set(re.findall(r'"title": "([^"]*)"', text)) == ours
        assert set(re.findall(r'"(x-[a-z-]+)"', text)) == {"x-scope"}


class TestOperations:
    def test_ids_are_single_and_snake_case(self) -> None:
        ids = [operation["operationId"] for _, _, operation in operations()]
        assert len(set(ids)) == len(ids)
        assert [name for name in ids if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)] == []

    def test_each_is_told_and_tagged(self) -> None:
        tags = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
        for method, path, operation in operations():
            assert operation["summary"], (method, path)
            assert "\n" not in operation["summary"]
            assert operation["description"], (method, path)
            (tag,) = operation["tags"]
            assert tags[tag]
        assert set(tags) == {operation["tags"][0] for _, _, operation in operations()}

    def test_each_needs_a_key_but_for_the_health(self) -> None:
        for _, path, operation in operations():
            if path.startswith("/api/v1/"):
                assert operation["security"] == [{"key": []}], path
                assert operation["x-scope"] in set(Scope)
            else:
                assert operation["security"] == []
                assert path in ("/livez", "/readyz")
        assert DOCUMENT["components"]["securitySchemes"]["key"]["scheme"] == "bearer"

    def test_each_documents_what_it_refuses(self) -> None:
        for method, path, operation in operations():
            answers = operation["responses"]
            expected = {"500"}
            if operation["security"]:
                expected |= {"401", "403", "422", "503"}
            if "requestBody" in operation:
                expected |= {"413", "415"}
                expected |= {"400"} if "octet" not in json.dumps(operation["requestBody"]) else set()
            if "{" in path:
                expected |= {"404"}
            if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", [])):
                expected |= {"400"}
            if any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", [])):
                expected |= {"412"}
            assert expected <= set(answers), (method, path, expected - set(answers))
            for status, answer in answers.items():
                if status[0] in "45":
                    problem = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
                    assert answer["content"] == problem
                    assert answer["description"].startswith("`")
                assert "X-Request-ID" in answer["headers"]
            assert ("Retry-After" in answers.get("503", {}).get("headers", {})) is ("503" in answers)

    def test_code_that_another_unit_has_409_is_among_it(self, api: Api) -> None:
        """No single request shows it: it takes two units."""
        usci, headers = {"usci": "91350100M000100Y43"}, {"Content-Type": "application/merge-patch+json"}
        told = [api.admin.patch(f"/api/v1/units/{unit}", json=usci, headers=headers) for unit in ("市科协", "市残联")]
        assert [response.status_code for response in told] == [200, 409]
        assert "409" in DOCUMENT["paths"]["/api/v1/units/{unit}"]["patch"]["responses"]

    def test_bodies_are_required_and_shown(self) -> None:
        for _, path, operation in operations():
            if "requestBody" in operation:
                assert operation["requestBody"]["required"] is (operation["operationId"] not in BODY_OPTIONAL), path
                for media in operation["requestBody"]["content"].values():
                    binary = media["schema"].get("format") == "binary"  # which no document can show
                    assert binary or media.get("example") or media.get("examples"), path

    def test_headers_that_are_promised_are_sent(self, api: Api) -> None:
        changed = api.admin.patch(
            "/api/v1/units/市教育局", json={}, headers={"Content-Type": "application/merge-patch+json"}
        )
        read = api.admin.get("/api/v1/units/市教育局")
        assert changed.headers["ETag"] == read.headers["ETag"]
        value = {"indicator": "xianning-2023.58.1", "period": "2023-06", "value": 46.8}
        for status in (201, 200):
            response = api.education.post("/api/v1/values", json=value)
            assert response.status_code == status
            assert api.reader.get(response.headers["Location"]).json() == response.json()
            assert "ETag" not in response.headers


class TestFields:
    def test_each_parameter_is_described_with_an_example(self) -> None:
        for _, path, operation in operations():
            for parameter in operation.get("parameters", []):
                assert parameter["description"], (path, parameter["name"])
                assert parameter["schema"].get("examples") or parameter["name"] in WITHOUT_EXAMPLE, parameter

    def test_each_property_is_described_with_an_example(self) -> None:
        for name, schema in SCHEMAS.items():
            assert schema["description"], name
            for field, facts in schema.get("properties", {}).items():
                assert facts.get("description") or resolved(facts).get("description"), f"{name}.{field}"
                assert "examples" in facts or is_made_of_others(facts), f"{name}.{field}"

    def test_answers_have_all_their_fields_and_requests_take_no_others(self) -> None:
        bodies = {
            resolved(media["schema"]).get("description")
            for _, _, operation in operations()
            for media in operation.get("requestBody", {}).get("content", {}).values()
        }
        for name, schema in SCHEMAS.items():
            if schema.get("type") != "object":
                continue
            if schema.get("additionalProperties") is False:
                assert name.endswith(("Create", "Update", "Input")) or name in STEPS
            else:
                assert set(schema["required"]) == set(schema["properties"]), name
                assert schema["description"] not in bodies


@schemathesis.serializer("application/x-ndjson", "text/csv", XLSX_MEDIA_TYPE)
def as_it_is(_context: Any, value: Any) -> bytes:
    """A body that the contract describes as a string; what is none is sent as JSON writes it."""
    if isinstance(value, bytes):
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "surrogatepass")


def drawn(*, coverage: bool) -> Any:
    """The contract to draw requests from; `coverage` adds those that lie on every limit of every field."""
    # a list that is longer than allowed may be too large a body before it is too long a list
    refused = {"expected-statuses": [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, "5xx"]}
    config = SchemathesisConfig.from_dict(
        {"phases": {"coverage": {"enabled": coverage}}, "checks": {"negative_data_rejection": refused}}
    )
    return schemathesis.openapi.from_asgi("/openapi.json", APP, config=config)


bounded = settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def keep(case: schemathesis.Case, api: Api) -> None:
    """Send a request and hold the answer against the contract."""
    sent: dict[str, Any] = {"app": api.app, "headers": {"Authorization": f"Bearer {api.keys['admin']}"}}
    response = case.call(**sent)
    blamed: set[str] = set()
    if response.status_code in (400, 412, 422):
        body = response.json()
        blamed = {fault["code"] for fault in body["errors"]} or {body["code"]}
    assert "invalid" not in blamed  # a code that says nothing, for what nobody foresaw
    excluded = [CHECKS.get_one("positive_data_acceptance")] if blamed and blamed <= JUDGED else []
    if response.status_code == 200 and case.operation.path.startswith("/api/v1/values/") and case.method == "POST":
        # a batch that goes on without its wrong rows refuses them in its report
        excluded += [CHECKS.get_one("negative_data_rejection")] if response.json().get("rejected") else []
    case.validate_response(response, excluded_checks=excluded, headers=sent["headers"], transport_kwargs=sent)


class TestServiceKeepsTheContract:
    """As an administrator, so that every request is looked at whole. Limits of fields do not depend on the engine."""

    @pytest.mark.parametrize("engine", ["sqlite"])
    @drawn(coverage=True).parametrize()
    @bounded
    def test_on_sqlite(self, case: schemathesis.Case, api: Api) -> None:
        keep(case, api)

    @pytest.mark.parametrize("engine", ["postgresql"])
    @drawn(coverage=False).parametrize()
    @bounded
    def test_on_postgresql(self, case: schemathesis.Case, api: Api) -> None:
        keep(case, api)
