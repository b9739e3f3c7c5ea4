"""Asking the API in tests: what each client is told, what a refusal blames, and a list from first page to last."""

from typing import Any

from httpx2 import Response

from app.auth import Caller
from app.clients.service import create_key
from app.db import Database
from app.imports.schemas import ImportQuery
from app.imports.service import import_document, read_plan
from app.messages import Language
from app.types import Scope
from app.units.names import resolve_unit
from tests.client import AppClient
from tests.conftest import CLIENTS, Api

ANYONE = dict.fromkeys(CLIENTS, 200)


def told(api: Api, method: str, path: str, **request: Any) -> dict[str, int]:
    """The status that each client gets, somebody without a key first."""
    names = ("anonymous", *CLIENTS)
    return {name: getattr(api, name).request(method, f"/api/v1{path}", **request).status_code for name in names}


def faults(response: Response) -> list[tuple[str, str]]:
    """What a refusal blames: `(pointer, code)` of each fault."""
    return [(fault["pointer"], fault["code"]) for fault in response.json()["errors"]]


def suggestions(response: Response) -> list[str]:
    """What the only fault of a refusal suggests."""
    (fault,) = response.json()["errors"]
    found: list[str] = fault["suggestions"]
    return found


def listed(client: AppClient, path: str, **filters: object) -> list[Any]:
    """All items of a list that fits on one page."""
    response = client.get(f"/api/v1{path}", params={"limit": 1000} | filters)
    assert response.status_code == 200, response.text
    assert response.json()["next_cursor"] is None
    items: list[Any] = response.json()["items"]
    return items


def codes(client: AppClient, path: str, **filters: object) -> list[str]:
    """The codes of all items of a list that fits on one page."""
    return [item["code"] for item in listed(client, path, **filters)]


def walk(client: AppClient, path: str, limit: int, **filters: object) -> list[Any]:
    """All items of a list, page by page, as the `Link` headers lead."""
    items: list[Any] = []
    response = client.get(f"/api/v1{path}", params={"limit": limit} | filters)
    while True:
        assert response.status_code == 200, response.text
        page = response.json()
        assert 0 < len(page["items"]) <= limit
        assert page["items"][0] not in items  # else a cursor that leads back would never end
        items += page["items"]
        if "next" not in response.links:
            assert page["next_cursor"] is None
            return items
        assert len(page["items"]) == limit
        assert page["next_cursor"] in response.links["next"]["url"]
        response = client.get(response.links["next"]["url"])


def bound_to(api: Api, database: Database, *units: str) -> AppClient:
    """A new client that speaks for some units."""
    with database.writing() as session:
        keys = [resolve_unit(session, unit, "/unit").id for unit in units]
        key = create_key(session, Caller.command_line(), "bound-" + "-".join(map(str, keys)), [Scope.report], keys)
    return AppClient(api.app, raise_server_exceptions=False, headers={"Authorization": f"Bearer {key}"})


def add_plan(database: Database, code: str, text: str, **about: Any) -> None:
    """Import a document as a plan, title and year where it does not tell them."""
    query = ImportQuery(plan=code, **({"title": code, "year": 2024} | about))
    with database.writing() as session:
        import_document(session, Caller.command_line(), read_plan(text.encode()), query, Language.zh)
