"""Every example of the contract, run against the service: what is shown works when it is sent."""

from typing import Any

from httpx2 import Response

from tests.conftest import Api

# who sends the example of an operation; an administrator the others
SENDERS = {"record_value": "education", "acknowledge_assignment": "education"}
# no constant is right: a cursor is an answer's, an ETag is a resource's
WITHOUT_EXAMPLE = {"cursor", "If-Match"}


def operations(api: Api) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Every operation by its id: method, path and what the contract says of it."""
    return {
        operation["operationId"]: (method, path, operation)
        for path, methods in api.app.openapi()["paths"].items()
        for method, operation in methods.items()
    }


def parameters(operation: dict[str, Any], place: str) -> dict[str, Any]:
    """The first examples of an operation's parameters in the path or the query."""
    return {
        parameter["name"]: parameter["schema"]["examples"][0]
        for parameter in operation.get("parameters", [])
        if parameter["in"] == place and parameter["name"] not in WITHOUT_EXAMPLE
    }


def sent(api: Api, name: str, query: dict[str, Any]) -> Response:
    """What the example of an operation is answered."""
    method, path, operation = operations(api)[name]
    content: dict[str, Any] = {}
    for media, body in operation.get("requestBody", {}).get("content", {}).items():
        content["headers"] = {"Content-Type": media}
        if "example" in body:
            content["json"] = body["example"]
        else:
            ((_, example),) = body["examples"].items()
            content["content"] = example["value"].encode()
    url = path.format(**parameters(operation, "path"))
    client = getattr(api, SENDERS.get(name, "admin"))
    response: Response = client.request(method, url, params=query, **content)
    return response


class TestExamples:
    def test_each_is_answered_as_the_contract_says(self, api: Api) -> None:
        """First the value that later ones ask for; then reading, so that nothing has been changed yet; then writing."""
        found = operations(api)
        assert sent(api, "record_value", {}).status_code == 201
        for name, (method, _, operation) in found.items():
            query = parameters(operation, "query")
            if method == "get":
                for one in [{}, *({parameter: value} for parameter, value in query.items()), query]:
                    assert sent(api, name, one).status_code == 200, (name, one)
        for name, (method, _, operation) in found.items():
            if method != "get":
                query = parameters(operation, "query")
                response = sent(api, name, query)
                created = "201" in operation["responses"] and name != "record_value" and "dry_run" not in query
                assert response.status_code == (201 if created else 200), (name, response.text)

    def test_lists_are_not_empty_with_what_is_shown(self, api: Api) -> None:
        """An example that finds nothing shows nothing."""
        assert sent(api, "record_value", {}).status_code == 201
        empty = {("list_units", "parent")}
        for name, (_, _, operation) in operations(api).items():
            if not name.startswith("list_"):
                continue
            for parameter, value in parameters(operation, "query").items():
                items = sent(api, name, {parameter: value}).json()["items"]
                assert items or (name, parameter) in empty, (name, parameter)

    def test_of_a_document_is_read_whole(self, api: Api) -> None:
        report = sent(api, "import_document", {"plan": "another"}).json()
        (target,) = report["targets"]
        assert (len(target["units"]), len(target["indicators"]), report["findings"]) == (2, 1, [])
