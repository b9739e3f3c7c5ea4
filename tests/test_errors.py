"""One shape for every refusal, from 400 to 503, in the caller's language, with the id of its request."""

import logging
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import text

from app.db import Database
from app.main import create_app
from app.problems import PROBLEM_MEDIA_TYPE, Problem
from app.settings import Settings
from tests.asking import faults
from tests.client import AppClient
from tests.conftest import MERGE_PATCH, Api
from tests.history import snapshot

JSON = {"Content-Type": "application/json"}
VALUE = {"indicator": "xianning-2023.58.1", "period": "2023-06", "value": 46.8}
REQUEST_ID = re.compile(r"[0-9a-f]{32}")


def problem(response: Response, status: int, code: str) -> dict[str, Any]:
    """The body of a refusal, after a look at all that every refusal has."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == PROBLEM_MEDIA_TYPE
    body: dict[str, Any] = response.json()
    assert set(body) == set(Problem.model_fields)
    assert (body["status"], body["code"], body["type"]) == (status, code, f"/problems#{code}")
    assert body["instance"] == response.request.url.path
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert REQUEST_ID.fullmatch(body["request_id"])
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Vary"] == "Accept-Language"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    texts = [body["title"], body["detail"], *(fault["detail"] for fault in body["errors"])]
    assert all(told and "{" not in told for told in texts)
    assert all(set(fault) == {"pointer", "code", "detail", "suggestions"} for fault in body["errors"])
    return body


class TestShape:
    def test_of_every_kind_of_refusal(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        target, unit = "/api/v1/targets/xianning-2023.58", {"code": "hubei-health-vocational-college"}
        unit |= {"name": "甲", "kind": "school"}
        stale = VALUE | {"expected_version": 3}
        for client, method, path, request, status, code in (
            (api.admin, "GET", "/api/v1/plans?cursor=x", {}, 400, "bad_cursor"),
            (api.admin, "POST", "/api/v1/values", {"content": "{", "headers": JSON}, 400, "malformed_json"),
            (api.anonymous, "GET", "/api/v1/plans", {}, 401, "unauthenticated"),
            (api.reader, "POST", "/api/v1/values", {"json": VALUE}, 403, "forbidden"),
            (api.education, "POST", "/api/v1/values", {"json": VALUE | {"unit": "市科技局"}}, 403, "not_your_unit"),
            (api.science, "POST", "/api/v1/values", {"json": VALUE}, 403, "unit_not_assigned"),
            (api.reader, "GET", "/api/v1/targets/x.1", {}, 404, "not_found"),
            (api.reader, "GET", "/api/v1/nothing", {}, 404, "no_such_path"),
            (api.anonymous, "GET", "/favicon.ico", {}, 404, "no_such_path"),
            (api.reader, "GET", "/api/v1/plans/", {}, 404, "no_such_path"),
            (api.reader, "DELETE", target, {}, 405, "method_not_allowed"),
            (api.admin, "POST", "/api/v1/units", {"json": unit}, 409, "already_exists"),
            (api.education, "POST", "/api/v1/values", {"json": stale}, 409, "stale_version"),
            (api.admin, "PATCH", target, {"json": {}, "headers": MERGE_PATCH | {"If-Match": '"x"'}}, 412, None),
            (api.admin, "POST", "/api/v1/values", {"content": " " * 1_000_001, "headers": JSON}, 413, None),
            (api.admin, "PATCH", target, {"json": {}}, 415, "unsupported_media_type"),
            (api.reader, "GET", "/api/v1/targets?limit=0", {}, 422, "invalid_request"),
        ):
            response = client.request(method, path, **request)
            codes = {412: "precondition_failed", 413: "body_too_large"}
            problem(response, status, code or codes[status])
        assert snapshot(database) == before

    def test_current_row_stands_in_it_where_a_stale_write_was_refused(self, api: Api) -> None:
        written = api.education.post("/api/v1/values", json=VALUE).json()
        stale = api.education.post("/api/v1/values", json=VALUE | {"value": 47, "expected_version": 0})
        assert problem(stale, 409, "stale_version")["current"] == written
        assert problem(api.reader.get("/api/v1/targets/x"), 404, "not_found")["current"] is None


class TestMalformedBody:
    def test_400_says_where(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for body, code, told in (
            (b"{", "json_syntax", "第 1 行第 2 个字符"),
            (b'{"value": 1,\n "unit": }', "json_syntax", "第 2 行第 10 个字符"),
            (b'{"value": 01}', "json_syntax", "第 1 行第 12 个字符"),
            (b'{"a": 1} {"a": 2}', "json_syntax", "第 1 行第 10 个字符"),
            (b"[" * 100_000 + b"]" * 100_000, "json_too_deep", "嵌套"),
            (b'{"unit": ' * 20_000, "json_too_deep", "嵌套"),
            (b'{"value": 1, "period": "2023", "value": 2}', "json_repeated_field", "value"),
            ('{"unit": "市教育局"}'.encode("gb18030"), "json_not_utf8", "第 11 个字节"),
            (b"\xff\xfe{\x00}\x00", "json_not_utf8", "第 1 个字节"),
        ):
            response = api.admin.post("/api/v1/values", content=body, headers=JSON)
            (fault,) = problem(response, 400, "malformed_json")["errors"]
            assert (fault["pointer"], fault["code"]) == ("", code)
            assert told in fault["detail"]
            assert problem(
                api.admin.patch("/api/v1/targets/x", content=body, headers=MERGE_PATCH), 400, "malformed_json"
            )
        assert snapshot(database) == before

    def test_stranger_gets_401_before_the_body_is_looked_at(self, api: Api) -> None:
        for body in (b"{", b" " * 1_000_001):
            response = api.anonymous.post("/api/v1/values", content=body, headers={"Content-Type": "text/csv"})
            problem(response, 401, "unauthenticated")
            assert response.headers["WWW-Authenticate"] == 'Bearer realm="zeren"'
            problem(api.reader.post("/api/v1/values", content=body, headers=JSON), 403, "forbidden")

    def test_json_that_is_no_such_object_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        required = [("/indicator", "required"), ("/period", "required")]
        for body, expected in (
            (b"", [("", "required")]),
            (b"null", [("", "not_an_object")]),
            (b"[]", [("", "not_an_object")]),
            (b'"value"', [("", "not_an_object")]),
            (b"\xef\xbb\xbf{}", [*required, ("/value", "required")]),
            (b'{"value": NaN}', [*required, ("/value", "figure_not_finite")]),
            (b'{"value": -Infinity}', [*required, ("/value", "figure_not_finite")]),
            (b'{"value": 1e999999999999999999999}', [*required, ("/value", "too_many_digits")]),
            (b'{"value": 1e-999999999999999999999}', [*required, ("/value", "too_many_digits")]),
            (b'{"value": ' + b"9" * 100_000 + b"}", [*required, ("/value", "too_many_digits")]),
            (b'{"value": "12"}', [*required, ("/value", "not_a_figure")]),
            (b'{"value": true}', [*required, ("/value", "not_a_figure")]),
            (b'{"value": 1, "unit": "\\ud800"}', [*required, ("/unit", "bad_characters")]),
            (b'{"value": 1, "no/te~": 1}', [*required, ("/no~1te~0", "unknown_field")]),
            (b'{"\\ud800": 1}', [("", "bad_characters")]),
        ):
            response = api.admin.post("/api/v1/values", content=body, headers=JSON)
            problem(response, 422, "invalid_request")
            assert sorted(faults(response)) == sorted(expected), body
        assert snapshot(database) == before

    def test_unknown_field_gets_the_nearest_of_its_own_object(self, api: Api) -> None:
        response = api.admin.post("/api/v1/values", json=VALUE | {"unti": "市教育局"})
        (fault,) = problem(response, 422, "invalid_request")["errors"]
        assert (fault["pointer"], fault["code"], fault["suggestions"][0]) == ("/unti", "unknown_field", "unit")
        body = {"units": [{"unit": "市教育局", "rolle": "lead", "role": "lead"}]}
        response = api.admin.patch("/api/v1/targets/xianning-2023.58", json=body, headers=MERGE_PATCH)
        (fault,) = problem(response, 422, "invalid_request")["errors"]
        assert (fault["pointer"], fault["suggestions"][0]) == ("/units/0/rolle", "role")


class TestMediaType:
    def test_415_names_the_right_one(self, api: Api) -> None:
        for given in (
            "text/plain",
            "application/jsonp",
            "multipart/form-data; boundary=x",
            "application/merge-patch+json",
        ):
            response = api.admin.post("/api/v1/values", content=b"{}", headers={"Content-Type": given})
            told = problem(response, 415, "unsupported_media_type")["detail"]
            assert "application/json" in told
            assert given in told
            assert response.headers["Accept"] == "application/json"
        problem(api.admin.post("/api/v1/values", content=b"{}"), 415, "unsupported_media_type")
        response = api.admin.patch("/api/v1/units/x", json={})
        problem(response, 415, "unsupported_media_type")
        assert response.headers["Accept-Patch"] == "application/merge-patch+json"

    def test_case_and_parameters_do_not_matter(self, api: Api) -> None:
        for given in ("Application/JSON", "application/json;charset=utf-8", " application/json ; charset=UTF-8"):
            response = api.admin.post("/api/v1/values", content=b"{}", headers={"Content-Type": given})
            problem(response, 422, "invalid_request")


class TestSizeOfTheBody:
    def test_413_with_and_without_a_length_that_is_told(self, api: Api, database: Database) -> None:
        before = snapshot(database)

        def parts() -> Iterator[bytes]:
            for _ in range(11):
                yield b" " * 100_000

        for content in (b" " * 1_000_001, parts()):
            response = api.education.post("/api/v1/values", content=content, headers=JSON)
            assert "1000000" in problem(response, 413, "body_too_large")["detail"]
        padded = b'{"indicator": "xianning-2023.58.1", "period": "2023-06", "value": 1}'.ljust(1_000_000)
        assert snapshot(database) == before
        assert api.education.post("/api/v1/values", content=padded, headers=JSON).status_code == 201


class TestMethodNotAllowed:
    def test_allow_names_every_method_of_the_path(self, api: Api) -> None:
        documented = {
            path: {method.upper() for method in operations} for path, operations in api.app.openapi()["paths"].items()
        }
        documented |= {page: {"GET"} for page in ("/docs", "/problems", "/openapi.json", "/swagger/swagger-ui.css")}
        for path, methods in documented.items():
            allowed = methods | ({"HEAD"} if "GET" in methods else set())
            concrete = re.sub(r"\{\w+\}", "x", path)
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} - methods:
                response = api.anonymous.request(method, concrete)
                problem(response, 405, "method_not_allowed")
                assert response.headers["Allow"] == ", ".join(sorted(allowed)), (method, path)
        assert api.anonymous.head("/api/v1/imports").status_code == 405


class TestParameters:
    def test_pointer_is_escaped_and_repeats_are_told(self, api: Api) -> None:
        response = api.reader.get("/api/v1/units?a/b~=1&limit=1&limit=2")
        problem(response, 422, "invalid_request")
        assert faults(response) == [("/query/a~1b~0", "unknown_parameter"), ("/query/limit", "repeated_parameter")]

    def test_all_wrong_values_at_once_with_what_was_expected(self, api: Api) -> None:
        response = api.reader.get("/api/v1/targets?limit=ten&role=leader&plan=A&updated_after=2023")
        found = {fault["pointer"]: fault for fault in problem(response, 422, "invalid_request")["errors"]}
        assert {pointer: fault["code"] for pointer, fault in found.items()} == {
            "/query/limit": "not_a_whole_number",
            "/query/role": "not_allowed",
            "/query/plan": "bad_format",
            "/query/updated_after": "time_invalid",
        }
        assert found["/query/role"]["suggestions"][0] == "lead"
        assert "supporting" in found["/query/role"]["detail"]


class TestLanguage:
    def test_chinese_or_english_as_the_caller_prefers(self, api: Api) -> None:
        for header, language, title in (
            ({}, "zh-CN", "未找到"),
            ({"Accept-Language": "en"}, "en", "Not found"),
            ({"Accept-Language": "zh;q=0.2, en;q=0.8"}, "en", "Not found"),
            ({"Accept-Language": "en;q=0.5, zh-CN"}, "zh-CN", "未找到"),
        ):
            response = api.reader.get("/api/v1/targets/x", headers=header)
            body = problem(response, 404, "not_found")
            assert (response.headers["Content-Language"], body["title"]) == (language, title)


class TestRequestId:
    def test_of_the_caller_is_kept_if_it_is_harmless(self, api: Api) -> None:
        for client, path in ((api.reader, "/api/v1/plans"), (api.anonymous, "/api/v1/plans"), (api.reader, "/none")):
            for given, kept in (
                ("oa-2023.06_1", True),
                ("x" * 64, True),
                ("x" * 65, False),
                ("a b", False),
                ("<script>", False),
                ('"},{"level":"info', False),
            ):
                response = client.get(path, headers={"X-Request-ID": given})
                told = response.headers["X-Request-ID"]
                assert (told == given) is kept
                assert kept or REQUEST_ID.fullmatch(told)
                assert response.json().get("request_id", told) == told


class TestFaultOfTheService:
    def test_500_tells_nothing_of_it_and_the_log_tells_all(
        self, api: Api, database: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        with database.writing() as session:
            session.execute(text("ALTER TABLE target_documents RENAME TO elsewhere"))
            session.execute(text("UPDATE imports SET report = '{'"))
        before = written(database)
        for client, method, path, request in (
            (api.reader, "GET", "/api/v1/targets/xianning-2023.58", {}),
            (api.reader, "HEAD", "/api/v1/targets", {}),
            (
                api.admin,
                "PATCH",
                "/api/v1/targets/xianning-2023.58",
                {"json": {"due_on": "2023-12-30"}, "headers": MERGE_PATCH},
            ),
            (api.reader, "GET", "/api/v1/imports/xianning-2023.import-1", {}),
        ):
            caplog.clear()
            with caplog.at_level(logging.ERROR):
                response = client.request(method, path, **request)
            if method == "HEAD":
                assert (response.status_code, response.content) == (500, b"")
            else:
                told = problem(response, 500, "internal_error")["detail"] + response.text
                assert not re.search(
                    r"target_documents|SELECT|Traceback|sqlalchemy|json", told.replace("problem+json", "")
                )
            (record,) = [one for one in caplog.records if one.name.startswith("zeren")]
            assert record.exc_info is not None
            assert re.search(r"target_documents|Expecting", str(record.exc_info[1]))
        assert written(database) == before


def written(database: Database) -> list[Any]:
    """What a write leaves, without the table that is not where it should be."""
    with database.reading() as session:
        return [*session.execute(text("SELECT * FROM targets")), *session.execute(text("SELECT * FROM changes"))]


class TestUnavailable:
    def test_503_while_the_database_is_away(self, engine: str) -> None:
        url = {"sqlite": "sqlite:////nowhere/at/all.db", "postgresql": "postgresql://127.0.0.1:1/none"}[engine]
        client = AppClient(create_app(Settings(database_url=url)), raise_server_exceptions=False)
        key = {"Authorization": f"Bearer zrn_{'0' * 10}_{'0' * 40}"}
        for method, path in (("GET", "/readyz"), ("GET", "/api/v1/plans"), ("POST", "/api/v1/values")):
            response = client.request(method, path, headers=key)
            told = problem(response, 503, "unavailable")["detail"]
            assert url not in told
            assert response.headers["Retry-After"] == "1"
        assert client.get("/livez").json() == {"status": "ok"}

    @pytest.mark.parametrize("engine", ["sqlite"])  # on PostgreSQL a writer waits for rows, not for the database
    def test_503_while_another_program_writes(self, api: Api, database: Database) -> None:
        with database.writer.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 1")
        other = sqlite3.connect(database.url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        before = snapshot(database)
        response = api.education.post("/api/v1/values", json=VALUE)
        problem(response, 503, "unavailable")
        assert response.headers["Retry-After"] == "1"
        assert api.reader.get("/api/v1/plans").status_code == 200
        assert snapshot(database) == before
        other.execute("COMMIT")
        other.close()
        assert api.education.post("/api/v1/values", json=VALUE).status_code == 201
