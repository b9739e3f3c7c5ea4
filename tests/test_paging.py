"""Lists: pages, cursors, and what every list refuses."""

import base64
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from httpx2 import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db import Database
from tests.asking import add_plan, codes, faults, listed, suggestions, walk
from tests.conftest import MERGE_PATCH, Api

LISTS = ["/plans", "/plans/xianning-2023/sections", "/units", "/targets", "/assignments", "/indicators"]
# the examples only read, so they may share one database
reading = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)


def encoded(parts: object) -> str:
    """A cursor in the service's own writing."""
    text = json.dumps(parts, ensure_ascii=False).encode(errors="surrogatepass")
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def decoded(cursor: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


def page(api: Api, path: str, **query: object) -> Response:
    return api.reader.get(f"/api/v1{path}", params=query)


def next_cursor(api: Api, path: str, **query: object) -> str:
    cursor = page(api, path, limit=1, **query).json()["next_cursor"]
    assert isinstance(cursor, str)
    return cursor


class TestPages:
    @pytest.mark.parametrize("path", LISTS)
    def test_every_item_once_in_one_order_whatever_the_limit(self, api: Api, database: Database, path: str) -> None:
        add_plan(database, "xianning-2024", "1.设立基金10亿元。(牵头单位:市科技局)\n2.修路。(责任单位:市财政局)")
        everything = listed(api.reader, path)
        assert len({item["code"] for item in everything}) == len(everything) > 1
        for limit in {1 if len(everything) < 50 else 19, 2 if len(everything) < 50 else 40, 7, len(everything)}:
            assert walk(api.reader, path, limit) == everything

    def test_default_limit_is_50(self, api: Api) -> None:
        assert len(page(api, "/assignments").json()["items"]) == 50
        assert page(api, "/assignments").json() == page(api, "/assignments", limit=50).json()

    def test_page_that_ends_where_the_list_ends_has_no_next(self, api: Api) -> None:
        last = page(api, "/targets", limit=25)
        assert len(last.json()["items"]) == 25
        assert last.json()["next_cursor"] is None
        assert "Link" not in last.headers

    def test_limit_may_change_between_pages(self, api: Api) -> None:
        first = page(api, "/targets", limit=4).json()
        rest = page(api, "/targets", limit=1000, cursor=first["next_cursor"]).json()
        assert first["items"] + rest["items"] == listed(api.reader, "/targets")

    def test_filters_stay_in_the_link(self, api: Api) -> None:
        filters = {"unit": "各县市区人民政府", "q": "教育", "updated_after": "2023-01-01T08:00:00+08:00"}
        everything = listed(api.reader, "/targets", **filters)
        assert 1 < len(everything) < 25
        assert walk(api.reader, "/targets", 1, **filters) == everything

    def test_rows_added_between_pages_disturb_nothing(self, api: Api, database: Database) -> None:
        before = codes(api.reader, "/units")
        first = page(api, "/units", limit=10).json()
        for code in ("aaa-before", "xianning-m-after", "zzz-last"):
            unit = {"code": code, "name": code, "kind": "other"}
            assert api.admin.post("/api/v1/units", json=unit).status_code == 201
        rest = page(api, "/units", limit=1000, cursor=first["next_cursor"]).json()
        seen = [item["code"] for item in first["items"] + rest["items"]]
        assert [code for code in seen if code in before] == before
        assert set(seen) - set(before) == {"xianning-m-after", "zzz-last"}  # the one before the cursor is on no page

        first = page(api, "/assignments", limit=100).json()
        body = '{"units": [{"unit": "市财政局", "role": "supporting"}]}'
        assert api.admin.patch("/api/v1/targets/xianning-2023.68", content=body, headers=MERGE_PATCH).is_success
        add_plan(database, "xianning-2024", "1.修路。(责任单位:市财政局)")
        rest = page(api, "/assignments", limit=1000, cursor=first["next_cursor"]).json()
        seen = [item["code"] for item in first["items"] + rest["items"]]
        assert len(set(seen)) == len(seen)
        assert seen[-2:] == [
            "xianning-2023.68:xianning-finance-bureau:supporting",
            "xianning-2024.1:xianning-finance-bureau:responsible",
        ]


class TestCursors:
    def test_foreign_400(self, api: Api, database: Database) -> None:
        add_plan(
            database, "xianning-2024", "一、经济\n1.修路。(责任单位:市财政局)\n二、民生\n2.建校。(责任单位:市教育局)"
        )
        sections = next_cursor(api, "/plans/xianning-2023/sections")
        units = next_cursor(api, "/units")
        targets = next_cursor(api, "/targets", plan="xianning-2023")
        for path, query in [
            ("/units", {"cursor": sections}),
            ("/plans", {"cursor": units}),
            ("/plans/xianning-2024/sections", {"cursor": sections}),
            ("/units", {"cursor": units, "kind": "department"}),
            ("/targets", {"cursor": targets}),
            ("/targets", {"cursor": targets, "plan": "xianning-2024"}),
            ("/targets", {"cursor": targets, "plan": "xianning-2023", "q": "教育"}),
            ("/targets", {"cursor": targets, "plan": "xianning-2023", "updated_after": "2023-01-01T00:00:00Z"}),
        ]:
            response = page(api, path, **query)
            assert (response.status_code, response.json()["code"]) == (400, "bad_cursor"), (path, query)
        assert page(api, "/targets", cursor=targets, plan="xianning-2023").status_code == 200

    @reading
    @given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()) | json_values.map(encoded))
    def test_forged_400(self, api: Api, cursor: str) -> None:
        response = page(api, "/units", cursor=cursor)
        assert (response.status_code, response.json()["code"]) == (400, "bad_cursor")

    @reading
    @given(st.data())
    def test_mangled_400(self, api: Api, data: st.DataObject) -> None:
        cursor = next_cursor(api, "/targets")
        at = data.draw(st.integers(0, len(cursor)))
        to = data.draw(st.integers(at, len(cursor)))
        put = data.draw(st.text(st.sampled_from("abcAZ019-_=!+/ é\0"), max_size=3))
        mangled = cursor[:at] + put + cursor[to:]
        response = page(api, "/targets", cursor=mangled)
        if mangled == cursor:
            assert response.status_code == 200
        elif response.status_code == 200:
            # still a cursor of this list: it names another place in it, and says so in the service's own writing
            assert encoded(decoded(mangled)) == mangled
            assert decoded(mangled)[0] == decoded(cursor)[0]
        else:
            assert (response.status_code, response.json()["code"]) == (400, "bad_cursor")

    @reading
    @given(st.lists(json_values, max_size=4), st.sampled_from(["/units", "/targets", "/indicators"]))
    def test_any_values_under_a_genuine_mark_never_500(self, api: Api, values: list[Any], path: str) -> None:
        mark = decoded(next_cursor(api, path))[0]
        response = page(api, path, cursor=encoded([mark, *values]))
        wanted = [str] if path == "/units" else [int] * (3 if path == "/targets" else 2)
        if [type(value) for value in values] != wanted:
            assert response.status_code == 400
        assert response.status_code in (200, 400)

    def test_value_that_no_database_takes_400(self, api: Api) -> None:
        mark = decoded(next_cursor(api, "/units"))[0]
        for place in ("\ud800", "a\0", 1, None, True, 2.5, ["a"], {"a": 1}):
            assert page(api, "/units", cursor=encoded([mark, place])).status_code == 400, place
        assert page(api, "/units", cursor=encoded([mark, "x" * 50])).status_code == 200

    def test_number_beyond_the_column_is_past_the_end(self, api: Api) -> None:
        mark = decoded(next_cursor(api, "/targets"))[0]
        for number in (2**31, 2**63 - 1):
            assert page(api, "/targets", cursor=encoded([mark, 1, number, 1])).json()["items"] == []
        for number in (2**63, -(2**64), 10**400):
            assert page(api, "/targets", cursor=encoded([mark, 1, number, 1])).status_code == 400

    def test_too_long_422(self, api: Api) -> None:
        assert faults(page(api, "/units", cursor="a" * 2001)) == [("/query/cursor", "too_long")]


class TestRefusals:
    def test_parameters(self, api: Api) -> None:
        for path in LISTS:
            for code, limits in {
                "too_small": ("0", "-1"),
                "too_large": ("1001", "9" * 30),
                "not_a_whole_number": ("", "ten", "1.5"),
            }.items():
                for limit in limits:
                    assert faults(page(api, path, limit=limit)) == [("/query/limit", code)], limit
            assert page(api, path, limit=1).status_code == page(api, path, limit=1000).status_code == 200
            misspelt = page(api, path, limits=5)
            assert (misspelt.status_code, faults(misspelt)) == (422, [("/query/limits", "unknown_parameter")])
            assert suggestions(misspelt)[0] == "limit"
            assert faults(page(api, path, as_fo="x", limit=["1", "2"])) == [
                ("/query/as_fo", "unknown_parameter"),
                ("/query/limit", "repeated_parameter"),
            ]
            assert faults(page(api, path, Limit=5)) == [("/query/Limit", "unknown_parameter")]

    def test_one_resource_takes_no_parameter(self, api: Api) -> None:
        for path in ("/plans/xianning-2023", "/units/市教育局", "/targets/xianning-2023.58"):
            assert faults(page(api, path, limit=1)) == [("/query/limit", "unknown_parameter")]

    def test_told_only_to_who_may_read(self, api: Api) -> None:
        for path in LISTS:
            assert api.anonymous.get(f"/api/v1{path}", params={"cursor": "x", "nothing": 1}).status_code == 401


class TestUpdatedAfter:
    def test_strictly_after_in_any_zone(self, api: Api) -> None:
        for path in LISTS:
            everything = listed(api.reader, path)
            newest = max(item["updated_at"] for item in everything)
            oldest = min(item["updated_at"] for item in everything)
            assert listed(api.reader, path, updated_after=newest) == []
            later = [item["code"] for item in everything if item["updated_at"] > oldest]
            assert codes(api.reader, path, updated_after=oldest) == later
            before = datetime.fromisoformat(oldest) - timedelta(microseconds=1)
            for zone in (0, 8, -5.5):
                moment = before.astimezone(timezone(timedelta(hours=zone))).isoformat()
                assert listed(api.reader, path, updated_after=moment) == everything

    def test_no_time_with_its_zone_422(self, api: Api) -> None:
        for moment in (
            *("2023-01-01", "2023-01-01T00:00:00", "1672531200", "", "2023-01-01T00:00:00 08:00"),
            *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
        ):
            refused = page(api, "/targets", updated_after=moment)
            assert faults(refused) == [("/query/updated_after", "time_invalid")], moment

    def test_a_write_brings_its_item_back(self, api: Api) -> None:
        seen = max(item["updated_at"] for item in listed(api.reader, "/targets"))
        body = '{"due_on": "2023-11-30"}'
        assert api.admin.patch("/api/v1/targets/xianning-2023.58", content=body, headers=MERGE_PATCH).is_success
        assert codes(api.reader, "/targets", updated_after=seen) == ["xianning-2023.58"]
