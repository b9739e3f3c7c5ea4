"""GET /values, /values/{value} and its revisions: every filter, pages, and what is not there."""

from typing import Any

import pytest

from app.db import Database
from tests.client import AppClient
from tests.conftest import Api
from tests.history import snapshot

SHARE, EACH_COUNTY, FIRMS = "xianning-2023.58.1", "xianning-2023.60.1", "xianning-2023.67.1"
EDUCATION, SCIENCE, JIAYU = (
    "xianning-education-bureau",
    "xianning-science-and-technology-bureau",
    "jiayu-county-government",
)
# what the tests here read: indicator, unit, period, figure
WRITTEN = [
    (SHARE, EDUCATION, "2023-03", 41),
    (SHARE, EDUCATION, "2023-06", 46.8),
    (SHARE, EDUCATION, "2023-H1", 46.9),
    (SHARE, JIAYU, "2023-06", 50),
    (EACH_COUNTY, JIAYU, "2023-Q1", 0),
    (FIRMS, SCIENCE, "2023-06-15", 20),
    (FIRMS, SCIENCE, "2023", 55),
]


@pytest.fixture
def filled(api: Api) -> Api:
    """The application with the figures above in it."""
    for indicator, unit, period, value in WRITTEN:
        body = {"indicator": indicator, "unit": unit, "period": period, "value": value}
        assert api.admin.post("/api/v1/values", json=body).status_code == 201
    return api


def listed(client: AppClient, **query: Any) -> list[tuple[str, str, str, float]]:
    response = client.get("/api/v1/values", params=query)
    assert response.status_code == 200, response.text
    return [
        (item["indicator"], item["unit"]["code"], item["period"], item["value"]) for item in response.json()["items"]
    ]


class TestListValues:
    def test_truth_table(self, api: Api) -> None:
        assert api.anonymous.get("/api/v1/values").status_code == 401
        for client in (api.reader, api.reviewer, api.education, api.unbound, api.admin):
            assert client.get("/api/v1/values").json() == {"items": [], "next_cursor": None}
        for query in ("plan=none", "target=xianning-2023.99", "indicator=xianning-2023.58.9"):
            response = api.reader.get(f"/api/v1/values?{query}")
            assert (response.status_code, response.json()["code"]) == (404, "not_found")
            assert response.json()["errors"][0]["pointer"] == f"/query/{query.partition('=')[0]}"
        response = api.reader.get("/api/v1/values?unit=市教肓局")
        assert (response.status_code, response.json()["errors"][0]["code"]) == (422, "unit_unknown")

    def test_all_in_stable_order(self, filled: Api) -> None:
        shown = listed(filled.reader)
        assert sorted(shown) == sorted(WRITTEN)
        assert shown == listed(filled.reader, limit=1000)
        assert [one[0] for one in shown] == [SHARE] * 4 + [EACH_COUNTY] + [FIRMS] * 2
        assert [one[2] for one in shown] == [
            "2023-03",
            "2023-06",
            "2023-06",
            "2023-H1",
            "2023-Q1",
            "2023",
            "2023-06-15",
        ]

    def test_each_filter(self, filled: Api) -> None:
        reader = filled.reader
        assert len(listed(reader, plan="xianning-2023")) == 7
        assert {one[0] for one in listed(reader, target="xianning-2023.58")} == {SHARE}
        assert len(listed(reader, indicator=SHARE)) == 4
        assert [one[0] for one in listed(reader, unit="嘉鱼县政府")] == [SHARE, EACH_COUNTY]
        assert listed(reader, unit="嘉鱼县政府", indicator=SHARE) == [WRITTEN[3]]
        assert len(listed(reader, status="submitted")) == 7
        assert listed(reader, status="approved") == []
        assert listed(reader, target="xianning-2023.52") == []

    @pytest.mark.parametrize(
        ("query", "periods"),
        [
            ({"period_from": "2023-06"}, {"2023-06", "2023-H1", "2023-06-15", "2023"}),
            ({"period_from": "2023-06-16"}, {"2023-06", "2023-H1", "2023"}),
            ({"period_from": "2023-H2"}, {"2023"}),
            ({"period_to": "2023-Q1"}, {"2023-03", "2023-Q1"}),
            ({"period_to": "2023-06-15"}, {"2023-03", "2023-Q1", "2023-06-15"}),
            ({"period_from": "2023-06", "period_to": "2023-06"}, {"2023-06", "2023-H1", "2023-06-15"}),
            ({"period_from": "2024"}, set()),
        ],
    )
    def test_periods_by_their_last_day(self, filled: Api, query: dict[str, str], periods: set[str]) -> None:
        assert {one[2] for one in listed(filled.reader, **query)} == periods

    def test_wrong_periods_422(self, api: Api) -> None:
        response = api.reader.get("/api/v1/values?period_from=2023-13")
        assert response.json()["errors"][0]["pointer"] == "/query/period_from"
        response = api.reader.get("/api/v1/values?period_from=2023-H2&period_to=2023-06")
        assert response.status_code == 422
        assert response.json()["errors"][0]["code"] == "period_order"

    def test_updated_after(self, filled: Api) -> None:
        newest = max(item["recorded_at"] for item in filled.reader.get("/api/v1/values").json()["items"])
        assert listed(filled.reader, updated_after=newest) == []
        body = {"indicator": SHARE, "unit": JIAYU, "period": "2023-06", "value": 51}
        assert filled.admin.post("/api/v1/values", json=body).status_code == 200
        assert listed(filled.reader, updated_after=newest) == [(SHARE, JIAYU, "2023-06", 51)]

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    def test_pages_hold_every_value_once(self, filled: Api, limit: int) -> None:
        whole = listed(filled.reader)
        collected: list[Any] = []
        url: str | None = f"/api/v1/values?limit={limit}&plan=xianning-2023"
        while url is not None:
            response = filled.reader.get(url)
            collected += response.json()["items"]
            following = response.headers.get("Link")
            url = following.partition(">")[0].removeprefix("<") if following is not None else None
            assert (url is None) == (response.json()["next_cursor"] is None)
        assert [(one["indicator"], one["unit"]["code"], one["period"], one["value"]) for one in collected] == whole

    def test_cursor_of_other_filters_400(self, filled: Api) -> None:
        cursor = filled.reader.get("/api/v1/values?limit=1").json()["next_cursor"]
        response = filled.reader.get("/api/v1/values", params={"cursor": cursor, "unit": "嘉鱼县政府"})
        assert (response.status_code, response.json()["code"]) == (400, "bad_cursor")

    def test_values_written_between_two_pages_shift_nothing(self, filled: Api) -> None:
        first = filled.reader.get("/api/v1/values?limit=3").json()
        body = {"indicator": SHARE, "unit": EDUCATION, "period": "2023-01", "value": 40}
        assert filled.admin.post("/api/v1/values", json=body).status_code == 201
        rest = filled.reader.get("/api/v1/values", params={"cursor": first["next_cursor"]}).json()
        codes = [item["code"] for item in first["items"] + rest["items"]]
        assert len(codes) == len(set(codes)) == 7


class TestGetValue:
    CODE = f"{SHARE}:{EDUCATION}:2023-06"

    def test_truth_table(self, filled: Api) -> None:
        assert filled.anonymous.get(f"/api/v1/values/{self.CODE}").status_code == 401
        for code in (
            f"{SHARE}:{EDUCATION}:2023-07",
            f"{SHARE}:{SCIENCE}:2023-06",
            f"xianning-2023.58.2:{EDUCATION}:2023-06",
        ):
            for path in (code, f"{code}/revisions"):
                response = filled.reader.get(f"/api/v1/values/{path}")
                assert (response.status_code, response.json()["code"]) == (404, "not_found")
                assert code in response.json()["detail"]
        response = filled.reader.get("/api/v1/values/2023-06")
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/path/value")

    def test_as_the_list_shows_it(self, filled: Api, database: Database) -> None:
        before = snapshot(database)
        for item in filled.reader.get("/api/v1/values").json()["items"]:
            response = filled.reader.get(f"/api/v1/values/{item['code']}")
            assert response.json() == item
            known = {"If-None-Match": response.headers["ETag"]}
            assert filled.reader.get(f"/api/v1/values/{item['code']}", headers=known).status_code == 304
        assert snapshot(database) == before


class TestListValueRevisions:
    CODE = f"{SHARE}:{EDUCATION}:2023-06"

    def test_oldest_first_in_pages(self, filled: Api) -> None:
        for figure in (47, 48, 49):
            body = {"indicator": SHARE, "period": "2023-06", "value": figure, "note": f"第{figure}版"}
            assert filled.education.post("/api/v1/values", json=body).status_code == 200
        first = filled.reader.get(f"/api/v1/values/{self.CODE}/revisions?limit=3").json()
        assert [(one["version"], one["value"], one["note"], one["recorded_by"]) for one in first["items"]] == [
            (1, 46.8, None, "admin"),
            (2, 47, "第47版", "education"),
            (3, 48, "第48版", "education"),
        ]
        query = {"cursor": first["next_cursor"]}
        rest = filled.reader.get(f"/api/v1/values/{self.CODE}/revisions", params=query).json()
        assert [one["value"] for one in rest["items"]] == [49]
        assert rest["next_cursor"] is None
        times = [one["recorded_at"] for one in first["items"] + rest["items"]]
        assert times == sorted(times)
        assert len({one["request_id"] for one in first["items"] + rest["items"]}) == 4
        query = {"updated_after": times[2]}
        late = filled.reader.get(f"/api/v1/values/{self.CODE}/revisions", params=query).json()["items"]
        assert [one["version"] for one in late] == [4]

    def test_of_one_value_only(self, filled: Api) -> None:
        for item in filled.reader.get("/api/v1/values").json()["items"]:
            (revision,) = filled.reader.get(f"/api/v1/values/{item['code']}/revisions").json()["items"]
            assert (revision["version"], revision["value"]) == (1, item["value"])
