"""Every example of the contract, run against the service: what is shown works when it is sent."""

from typing import Any

import pytest
from httpx2 import Response

from app.main import create_app
from app.settings import Settings
from tests.conftest import Api

# who sends the example of an operation; an administrator the others
SENDERS = {"record_value": "education", "acknowledge_assignment": "education", "withdraw_value": "education"}
# no constant is right: a cursor is an answer's, an ETag is a resource's, and at most times nothing was there
WITHOUT_EXAMPLE = {"cursor", "If-Match", "as_of"}


def operations() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Every operation by its id: method, path and what the contract says of it."""
    return {
        operation["operationId"]: (method, path, operation)
        for path, methods in create_app(Settings()).openapi()["paths"].items()
        for method, operation in methods.items()
    }


OPERATIONS = operations()
WRITING = {name: operation for name, (method, _, operation) in OPERATIONS.items() if method != "get"}
BODIES = [
    (name, media)
    for name, operation in WRITING.items()
    for media, body in operation.get("requestBody", {"content": {"": {"example": None}}})["content"].items()
    if "example" in body or "examples" in body  # no document can show a workbook
]


def parameters(operation: dict[str, Any], place: str) -> dict[str, Any]:
    """The first examples of an operation's parameters in the path or the query."""
    return {
        parameter["name"]: parameter["schema"]["examples"][0]
        for parameter in operation.get("parameters", [])
        if parameter["in"] == place and parameter["name"] not in WITHOUT_EXAMPLE
    }


def sent(api: Api, name: str, query: dict[str, Any], media: str = "") -> Response:
    """What the example of an operation is answered; of its body, that of one media type."""
    method, path, operation = OPERATIONS[name]
    content: dict[str, Any] = {}
    if media:
        body = operation["requestBody"]["content"][media]
        example = body["example"] if "example" in body else next(iter(body["examples"].values()))["value"]
        content["headers"] = {"Content-Type": media}
        if isinstance(example, str):
            content["content"] = example.encode()
        else:
            content["json"] = example
    url = path.format(**parameters(operation, "path"))
    client = getattr(api, SENDERS.get(name, "admin"))
    response: Response = client.request(method, url, params=query, **content)
    return response


class TestExamples:
    def test_each_that_reads_is_answered_200(self, api: Api) -> None:
        record_value(api)
        for name in OPERATIONS.keys() - WRITING.keys():
            query = parameters(OPERATIONS[name][2], "query")
            for one in [{}, *({parameter: value} for parameter, value in query.items()), query]:
                assert sent(api, name, one).status_code == 200, (name, one)

    @pytest.mark.parametrize(("name", "media"), BODIES)
    def test_each_that_writes_is_answered_as_the_contract_says(self, api: Api, name: str, media: str) -> None:
        """On a value of version 1, which is what the examples of its review look at."""
        record_value(api)
        query = parameters(WRITING[name], "query")
        response = sent(api, name, query, media)
        created = "201" in WRITING[name]["responses"] and name != "record_value" and "dry_run" not in query
        assert response.status_code == (201 if created else 200), response.text

    def test_lists_are_not_empty_with_what_is_shown(self, api: Api) -> None:
        """An example that finds nothing shows nothing."""
        record_value(api)
        empty = {("list_units", "parent")}
        for name, (_, _, operation) in OPERATIONS.items():
            if not name.startswith("list_"):
                continue
            for parameter, value in parameters(operation, "query").items():
                items = sent(api, name, {parameter: value}).json()["items"]
                assert items or (name, parameter) in empty, (name, parameter)

    def test_of_a_document_is_read_whole(self, api: Api) -> None:
        (media,) = WRITING["import_document"]["requestBody"]["content"]
        report = sent(api, "import_document", {"plan": "another"}, media).json()
        (target,) = report["targets"]
        assert (len(target["units"]), len(target["indicators"]), report["findings"]) == (2, 1, [])


def record_value(api: Api) -> None:
    """The value that the examples of other operations ask for."""
    assert sent(api, "record_value", {}, "application/json").status_code == 201
