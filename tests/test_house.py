"""The rules of the house: what no reviewer should have to look for."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from httpx2 import Response

from app.db import Database
from app.main import create_app
from app.routing import Route, Router, operation
from app.settings import Settings
from app.types import Scope
from tests.client import AppClient
from tests.conftest import MERGE_PATCH, Api
from tests.history import last_change, origins_after, snapshot

ROOT = Path(__file__).parent.parent
SOURCES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in ROOT.glob("app/**/*.py")}
OPEN = re.compile(r"/livez|/readyz|/docs|/openapi\.json|/problems|/swagger")
EVERY_ROUTE = [context.original_route for context in iter_route_contexts(create_app(Settings()).router.routes)]
OPERATIONS = {route.name: route for route in EVERY_ROUTE if isinstance(route, Route)}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, Any]]:
    """The nodes of some kinds in all files of `app/`, with the file each stands in."""
    for path, tree in SOURCES.items():
        yield from ((path, node) for node in ast.walk(tree) if isinstance(node, kinds))


def public_functions(body: list[ast.stmt]) -> Iterator[Function]:
    """Public functions, and public methods of public classes; not what lives inside a function."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            if isinstance(node, ast.ClassDef):
                yield from public_functions(node.body)
            else:
                yield node


class TestFiles:
    def test_none_is_too_long(self) -> None:
        lines = {
            path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines())
            for folder in ("app", "migrations", "tests", "bench")
            for path in ROOT.glob(f"{folder}/**/*.py")
        }
        assert {path: count for path, count in lines.items() if count > 400} == {}

    def test_no_function_is_too_long(self) -> None:
        long = {
            f"{path}:{node.name}": node.end_lineno - node.lineno + 1
            for path, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef)
            if node.end_lineno - node.lineno + 1 > 50
        }
        assert long == {}

    def test_every_module_class_and_public_function_says_what_it_is(self) -> None:
        silent = [path for path, tree in SOURCES.items() if tree.body and not ast.get_docstring(tree)]
        silent += [
            f"{path}:{node.name}"
            for path, tree in SOURCES.items()
            for node in public_functions(tree.body)
            if not ast.get_docstring(node)
        ]
        # a table's columns say what it is
        silent += [
            f"{path}:{node.name}"
            for path, node in nodes(ast.ClassDef)
            if path != "app/tables.py" and not node.name.startswith("_") and not ast.get_docstring(node)
        ]
        assert silent == []


class TestTransactions:
    def test_only_the_database_modules_commit(self) -> None:
        """Beside them: Alembic's one transaction."""
        verbs = {"commit", "rollback", "begin", "begin_nested", "autocommit"}
        calls = {
            (path, ast.unparse(node.func))
            for path, node in nodes(ast.Call)
            if isinstance(node.func, ast.Attribute) and node.func.attr in verbs
        }
        own = ("app/db.py", "app/engines.py")
        assert {call for call in calls if call[0] not in own} == {("app/migrating.py", "database.writer.begin")}

    def test_only_commands_open_sessions_of_their_own(self) -> None:
        opened = {path for path, node in nodes(ast.Attribute) if node.attr in ("writing", "new_session")}
        assert opened <= {"app/db.py", "app/commands.py", "app/migrating.py"}


class TestImports:
    def test_routes_know_no_tables_and_no_sql(self) -> None:
        forbidden = re.compile(r"app\.(tables|columns)|sqlmodel|sqlalchemy|alembic")
        for path, node in nodes(ast.Import, ast.ImportFrom):
            if path.endswith("/routes.py"):
                names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
                assert not any(forbidden.match(name) for name in names), (path, names)

    def test_only_the_settings_read_the_environment(self) -> None:
        readers = {path for path, node in nodes(ast.Attribute) if node.attr in ("environ", "getenv")}
        assert readers == {"app/settings.py"}

    def test_refusals_are_words_of_ours(self) -> None:
        raised = [
            (path, ast.unparse(node.exc))
            for path, node in nodes(ast.Raise)
            if node.exc is not None and "HTTPException" in ast.unparse(node.exc)
        ]
        assert raised == []


class TestScopes:
    def test_every_route_declares_one_or_is_open_to_all(self) -> None:
        for route in EVERY_ROUTE:
            path: str = getattr(route, "path", "")
            if isinstance(route, Route):
                assert path.startswith("/api/v1/")
                assert Scope((route.openapi_extra or {})["x-scope"])
            else:
                assert OPEN.fullmatch(path), f"{path} declares no scope"

    def test_route_without_one_does_not_start(self) -> None:
        def read_secrets() -> None:
            """Read secrets."""

        with pytest.raises(KeyError):
            Router("secrets").get("/secrets")(read_secrets)
        Router("secrets").get("/secrets", **operation(Scope.admin))(read_secrets)

    def test_what_changes_something_needs_more_than_reading(self) -> None:
        for route in OPERATIONS.values():
            scope = Scope((route.openapi_extra or {})["x-scope"])
            assert (scope is Scope.read) == (route.methods == {"GET"}), route.path

    def test_stranger_gets_401_from_each_and_a_weaker_key_403(self, api: Api, database: Database) -> None:
        """Whatever else is wrong with the request: who may not ask learns nothing of the rest."""
        before = snapshot(database)
        weaker = {
            Scope.report: (api.reader, api.reviewer),
            Scope.review: (api.reader, api.education),
            Scope.admin: (api.reader, api.reviewer, api.education),
        }
        for route in OPERATIONS.values():
            scope = Scope((route.openapi_extra or {})["x-scope"])
            path = re.sub(r"\{\w+\}", "@", route.path)
            for method in route.methods or ():
                assert api.anonymous.request(method, path).status_code == 401, path
                for client in weaker.get(scope, ()):
                    assert client.request(method, path).status_code == 403, path
        assert snapshot(database) == before


class TestOperations:
    def test_name_of_the_function_names_the_operation(self, shared_app: Any) -> None:
        named = {
            content["operationId"]
            for path in shared_app.openapi()["paths"].values()
            for content in path.values()
            if "operationId" in content
        }
        routes = [route for route in EVERY_ROUTE if isinstance(route, APIRoute) and route.include_in_schema]
        assert named == {route.endpoint.__name__ for route in routes}
        assert len(named) == len(routes)
        assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in named)


DOCUMENT = "2024年咸宁市重点工作责任分解方案\n1.新建公园10个。(牵头单位:市住建局)\n".encode()
VALUE = {"indicator": "xianning-2023.58.1", "period": "2023-06", "value": 46.8}
UNIT = {"code": "xianning-sports-bureau", "name": "咸宁市体育局", "kind": "department"}
INDICATOR = {
    "target": "xianning-2023.57",
    "name": "新增学位",
    "measure": "个",
    "comparator": "ge",
    "kind": "level",
    "goal": 1,
}
GOAL = {"goal": 48, "reason": "调整", "document_number": "咸政办发〔2023〕12号"}
ASSIGNMENT = "xianning-2023.58:xianning-education-bureau:lead"
JUNE, MAY = (f"xianning-2023.58.1:xianning-education-bureau:2023-{month}" for month in ("06", "05"))
ROWS = [VALUE | {"unit": "市教育局", "period": period, "value": 47} for period in ("2023-06", "2023-05")]
# one request of every operation that writes, in an order in which all of them are right; a new one needs a line here
WRITES: dict[str, Callable[[AppClient], Response]] = {
    "record_value": lambda client: client.post("/api/v1/values", json=VALUE | {"unit": "市教育局"}),
    "record_values": lambda client: client.post("/api/v1/values/batch", json=ROWS),
    "approve_value": lambda client: client.post(f"/api/v1/values/{JUNE}/approval"),
    "approve_values": lambda client: client.post("/api/v1/values/approvals", json={"values": [{"code": MAY}]}),
    "return_value": lambda client: client.post(f"/api/v1/values/{JUNE}/return", json={"reason": "请核实"}),
    "withdraw_value": lambda client: client.post(f"/api/v1/values/{MAY}/withdrawal", json={"reason": "误报"}),
    "acknowledge_assignment": lambda client: client.post(f"/api/v1/assignments/{ASSIGNMENT}/acknowledgement"),
    "create_unit": lambda client: client.post("/api/v1/units", json=UNIT),
    "update_unit": lambda client: _patch(client, "units/xianning-education-bureau", aliases=["市教育局", "教育局"]),
    "update_plan": lambda client: _patch(client, "plans/xianning-2023", approval_required=True),
    "update_target": lambda client: _patch(client, "targets/xianning-2023.58", due_on="2023-12-01"),
    "create_indicator": lambda client: client.post("/api/v1/indicators", json=INDICATOR),
    "update_indicator": lambda client: _patch(client, "indicators/xianning-2023.58.1", frequency="month"),
    "revise_goal": lambda client: client.post("/api/v1/indicators/xianning-2023.58.1/goals", json=GOAL),
    "import_document": lambda client: client.post(
        "/api/v1/imports?plan=xianning-2024", content=DOCUMENT, headers={"Content-Type": "text/plain"}
    ),
}


def _patch(client: AppClient, path: str, **fields: object) -> Response:
    return client.patch(f"/api/v1/{path}", json=fields, headers=MERGE_PATCH)


class TestChangeRecords:
    def test_every_write_leaves_one_with_its_request_and_its_client(self, api: Api, database: Database) -> None:
        assert WRITES.keys() == {name for name, route in OPERATIONS.items() if route.methods != {"GET"}}
        for name, write in WRITES.items():
            number = last_change(database)
            response = write(api.admin)
            assert response.status_code in (200, 201), (name, response.text)
            assert origins_after(database, number) == {("admin", response.headers["X-Request-ID"])}, name

    def test_same_write_again_leaves_none(self, api: Api, database: Database) -> None:
        for name, write in WRITES.items():
            if name in ("create_unit", "create_indicator"):
                continue
            assert write(api.admin).status_code in (200, 201)
            before = snapshot(database)
            assert write(api.admin).status_code == 200, name
            assert snapshot(database) == before, name
