"""POST /values: who may, what is created, corrected and left alone, and what is refused for whom."""

from datetime import datetime
from typing import Any

import pytest
from httpx2 import Response

from app.auth import Caller
from app.clients.service import create_key
from app.db import Database
from app.types import Scope
from app.units.names import resolve_unit
from tests.client import AppClient
from tests.conftest import MERGE_PATCH, Api
from tests.history import changes_after, last_change, snapshot

SHARE = "xianning-2023.58.1"  # led by 市教育局, the six counties answer too
EACH_COUNTY = "xianning-2023.60.1"
EDUCATION = "xianning-education-bureau"
CODE = f"{SHARE}:{EDUCATION}:2023-06"


def post(client: AppClient, **fields: object) -> Response:
    """Post 46.8 for June, with other fields where they are given."""
    return client.post("/api/v1/values", json={"indicator": SHARE, "period": "2023-06", "value": 46.8} | fields)


def fault(response: Response) -> tuple[str, str]:
    """The one wrong field of a refusal, and what is wrong with it."""
    (error,) = response.json()["errors"]
    return error["pointer"], error["code"]


def versions(api: Api, code: str = CODE) -> list[tuple[int, float]]:
    items = api.reader.get(f"/api/v1/values/{code}/revisions").json()["items"]
    return [(item["version"], item["value"]) for item in items]


def latest(api: Api, indicator: str = SHARE) -> Any:
    return api.reader.get(f"/api/v1/indicators/{indicator}").json()["latest"]


def bound_to(api: Api, database: Database, *units: str) -> AppClient:
    """A new client that speaks for some units."""
    with database.writing() as session:
        keys = [resolve_unit(session, unit, "/unit").id for unit in units]
        key = create_key(session, Caller.command_line(), "bound", [Scope.report], keys)
    return AppClient(api.app, headers={"Authorization": f"Bearer {key}"})


class TestAccess:
    def test_truth_table(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        told: dict[str, tuple[int, str]] = {}
        for name, fields in {
            "anonymous": {},
            "reader": {},
            "reviewer": {},
            "science": {"unit": "市教育局"},
            "unbound": {"unit": "市教育局"},
            "jiayu": {"unit": "咸安区政府"},
            "counties": {"unit": "市教育局"},
            "education": {"indicator": "xianning-2023.58.9"},
            "admin": {"unit": "市科技局"},
        }.items():
            response = post(getattr(api, name), **fields)
            told[name] = response.status_code, response.json()["code"]
        assert told == {
            "anonymous": (401, "unauthenticated"),
            "reader": (403, "forbidden"),
            "reviewer": (403, "forbidden"),
            "science": (403, "not_your_unit"),
            "unbound": (403, "not_your_unit"),
            "jiayu": (403, "not_your_unit"),
            "counties": (403, "not_your_unit"),
            "education": (404, "not_found"),
            "admin": (403, "unit_not_assigned"),
        }
        assert snapshot(database) == before

    def test_unknown_indicator_404_names_the_nearest(self, api: Api) -> None:
        response = post(api.education, indicator="xianning-2023.58.2")
        assert response.status_code == 404
        (error,) = response.json()["errors"]
        assert (error["pointer"], error["code"]) == ("/indicator", "unknown_reference")
        assert error["suggestions"][0] == SHARE

    def test_refusals_say_who_and_what(self, api: Api) -> None:
        detail = post(api.science, unit="市教育局").json()["detail"]
        assert "咸宁市教育局" in detail
        assert "science" in detail
        detail = post(api.science, unit="市科技局").json()["detail"]
        assert "咸宁市科学技术局" in detail
        assert "xianning-2023.58" in detail


class TestOutcomes:
    def test_created_201(self, api: Api, database: Database) -> None:
        number = last_change(database)
        response = post(api.education, note="教育局6月统计", evidence_url="https://jyj.example/6.pdf")
        assert response.status_code == 201
        assert response.headers["Location"] == f"/api/v1/values/{CODE}"
        value = response.json()
        assert datetime.fromisoformat(value.pop("recorded_at")).utcoffset() is not None
        assert value == {
            "code": CODE,
            "indicator": SHARE,
            "unit": {"code": EDUCATION, "name": "咸宁市教育局"},
            "period": "2023-06",
            "value": 46.8,
            "status": "submitted",
            "version": 1,
            "note": "教育局6月统计",
            "evidence_url": "https://jyj.example/6.pdf",
            "reason": None,
            "recorded_by": "education",
        }
        assert latest(api) == {"period": "2023-06", "value": 46.8}
        assert changes_after(database, number) == [("value.submitted", CODE, {"version": 1})]
        (revision,) = api.reader.get(f"/api/v1/values/{CODE}/revisions").json()["items"]
        assert (revision.pop("request_id"), revision.pop("previous_value")) == (response.headers["X-Request-ID"], None)
        assert revision == {name: response.json()[name] for name in revision}

    def test_unchanged_200_writes_nothing(self, api: Api, database: Database) -> None:
        first = post(api.education, note="统计")
        before = snapshot(database)
        again = post(api.education, note="统计")
        assert (again.status_code, again.json()) == (200, first.json())
        assert again.headers["Location"] == first.headers["Location"]
        by_another = post(api.admin, note="统计", unit="市教育局", value=46.80)
        assert (by_another.status_code, by_another.json()) == (200, first.json())
        assert snapshot(database) == before

    def test_corrected_200_keeps_the_version_before(self, api: Api, database: Database) -> None:
        first = post(api.education).json()
        number = last_change(database)
        response = post(api.admin, unit=EDUCATION, value=47.25)
        corrected = response.json()
        assert response.status_code == 200
        assert (corrected["version"], corrected["value"], corrected["recorded_by"]) == (2, 47.25, "admin")
        assert corrected["recorded_at"] > first["recorded_at"]
        assert versions(api) == [(1, 46.8), (2, 47.25)]
        assert latest(api) == {"period": "2023-06", "value": 47.25}
        assert changes_after(database, number) == [("value.submitted", CODE, {"version": 2})]
        assert api.reader.get(f"/api/v1/values/{CODE}").json() == corrected
        people = [item["recorded_by"] for item in api.reader.get(f"/api/v1/values/{CODE}/revisions").json()["items"]]
        assert people == ["education", "admin"]

    def test_other_note_or_evidence_is_a_new_version(self, api: Api) -> None:
        stands: dict[str, str | None] = {"note": None, "evidence_url": None}
        written: list[dict[str, str | None]] = [
            {},
            {"note": "统计"},
            {"evidence_url": "https://x/1"},
            {"evidence_url": "https://x/2"},
            {"note": None},
        ]
        for version, fields in enumerate(written, start=1):
            stands |= fields
            value = post(api.education, **fields).json()
            assert value["version"] == version
            assert {name: value[name] for name in stands} == stands

    def test_what_is_left_unsaid_of_the_same_figure_stays(self, api: Api, database: Database) -> None:
        said = {"note": "统计", "evidence_url": "https://x/1"}
        first = post(api.education, **said)
        before = snapshot(database)
        again = post(api.education)
        assert (again.status_code, again.json()) == (200, first.json())
        assert snapshot(database) == before

    def test_another_figure_begins_without_note_and_evidence(self, api: Api) -> None:
        post(api.education, note="统计", evidence_url="https://x/1")
        other = post(api.education, value=47).json()
        assert (other["version"], other["note"], other["evidence_url"]) == (2, None, None)

    def test_zero_is_a_figure(self, api: Api) -> None:
        response = post(api.education, value=0)
        assert (response.status_code, response.json()["value"]) == (201, 0)
        assert latest(api) == {"period": "2023-06", "value": 0}
        assert post(api.education, value=-0.0).json()["version"] == 1
        assert post(api.education, value=1).json()["version"] == 2

    def test_older_period_does_not_move_the_latest(self, api: Api) -> None:
        post(api.education, period="2023-06", value=46.8)
        post(api.education, period="2023-03", value=41)
        assert latest(api) == {"period": "2023-06", "value": 46.8}
        post(api.education, period="2023-03", value=42)
        assert latest(api) == {"period": "2023-06", "value": 46.8}
        post(api.education, period="2023-06", value=47)
        assert latest(api) == {"period": "2023-06", "value": 47}
        post(api.education, period="2023-07-01", value=48)
        assert latest(api) == {"period": "2023-07-01", "value": 48}

    def test_of_periods_with_one_last_day_the_latest_is_the_one_recorded_last(self, api: Api) -> None:
        for period, value in (("2023-H1", 1), ("2023-Q2", 2), ("2023-06", 3), ("2023-06-30", 4), ("2023-Q2", 5)):
            post(api.education, period=period, value=value)
            assert latest(api) == {"period": period, "value": value}

    def test_each_county_has_its_own_latest_in_its_own_assignment(self, api: Api) -> None:
        for client, value in ((api.jiayu, 1), (api.counties, 2)):
            unit = {"unit": "咸安区政府"} if value == 2 else {}
            assert post(client, indicator=EACH_COUNTY, value=value, **unit).status_code == 201
        items = api.reader.get("/api/v1/assignments?target=xianning-2023.60&role=responsible").json()["items"]
        shown = {item["unit"]["code"]: item["target"]["indicators"][0]["latest"] for item in items}
        assert shown["jiayu-county-government"] == {"period": "2023-06", "value": 1}
        assert shown["xianan-district-government"] == {"period": "2023-06", "value": 2}
        assert shown["chibi-city-government"] is None


class TestUnit:
    def test_code_name_or_alias(self, api: Api) -> None:
        for name in (EDUCATION, "咸宁市教育局", "市教育局", " 市教育局 "):
            assert post(api.education, unit=name).json()["unit"] == {"code": EDUCATION, "name": "咸宁市教育局"}

    def test_unknown_422_names_the_nearest(self, api: Api) -> None:
        response = post(api.education, unit="市教肓局")
        assert response.status_code == 422
        assert fault(response) == ("/unit", "unit_unknown")
        assert "市教育局" in response.json()["errors"][0]["suggestions"]

    def test_ambiguous_422_lists_the_candidates(self, api: Api, database: Database) -> None:
        patched = api.admin.patch(
            "/api/v1/units/xianning-science-and-technology-bureau",
            content='{"aliases": ["市科技局", "市教育局"]}',
            headers=MERGE_PATCH,
        )
        assert patched.status_code == 200
        before = snapshot(database)
        response = post(api.education, unit="市教育局")
        assert response.status_code == 422
        assert fault(response) == ("/unit", "unit_ambiguous")
        assert response.json()["errors"][0]["suggestions"] == [
            "xianning-education-bureau (咸宁市教育局)",
            "xianning-science-and-technology-bureau (咸宁市科学技术局)",
        ]
        assert snapshot(database) == before

    def test_default_is_the_single_own_unit(self, api: Api) -> None:
        assert post(api.jiayu).json()["unit"]["code"] == "jiayu-county-government"

    def test_default_of_a_client_without_part_in_the_target_403(self, api: Api) -> None:
        response = post(api.science)
        assert (response.status_code, response.json()["code"]) == (403, "unit_not_assigned")
        assert "咸宁市科学技术局" in response.json()["detail"]
        response = post(api.counties, indicator="xianning-2023.67.1")
        assert (response.status_code, response.json()["code"]) == (403, "unit_not_assigned")

    def test_group_must_say_which_member_422(self, api: Api) -> None:
        response = post(api.counties)
        assert response.status_code == 422
        assert fault(response) == ("/unit", "unit_needed")
        assert len(response.json()["errors"][0]["suggestions"]) == 6
        for unit in response.json()["errors"][0]["suggestions"]:
            assert post(api.counties, unit=unit).status_code == 201

    def test_the_group_itself_has_no_figures_422(self, api: Api) -> None:
        response = post(api.counties, unit="各县市区人民政府")
        assert fault(response) == ("/unit", "unit_is_group")
        assert "chibi-city-government" in response.json()["errors"][0]["suggestions"]

    def test_refusals_name_units_that_would_do(self, api: Api) -> None:
        other = post(api.jiayu, unit="市教育局").json()["errors"][0]
        assert (other["pointer"], other["suggestions"]) == ("/unit", ["jiayu-county-government"])
        assert EDUCATION in post(api.admin, unit="市科技局").json()["errors"][0]["suggestions"]

    def test_client_without_units_must_say_which_422(self, api: Api) -> None:
        assert fault(post(api.unbound)) == ("/unit", "unit_needed")

    def test_admin_may_leave_out_the_only_unit_that_answers(self, api: Api) -> None:
        assert post(api.admin, indicator="xianning-2023.67.1").json()["unit"]["name"] == "咸宁市科学技术局"
        assert fault(post(api.admin)) == ("/unit", "unit_needed")

    def test_two_own_units_of_which_one_answers(self, api: Api, database: Database) -> None:
        client = bound_to(api, database, "市教育局", "市科技局")
        assert post(client).json()["unit"]["code"] == EDUCATION
        assert post(client, indicator="xianning-2023.70.1").json()["unit"]["name"] == "咸宁市科学技术局"

    def test_two_own_units_that_both_answer_422(self, api: Api, database: Database) -> None:
        client = bound_to(api, database, "市教育局", "嘉鱼县人民政府")
        response = post(client)
        assert fault(response) == ("/unit", "unit_needed")
        assert response.json()["errors"][0]["suggestions"] == ["jiayu-county-government", EDUCATION]

    def test_own_unit_goes_before_its_members(self, api: Api, database: Database) -> None:
        """市教育局 is made parent of 嘉鱼县: the client reaches both, and its own unit is the one it means."""
        _make_parent(api, child="jiayu-county-government", parent=EDUCATION)
        assert post(api.education).json()["unit"]["code"] == EDUCATION
        assert post(api.education, unit="嘉鱼县政府").status_code == 201

    def test_descendant_that_alone_answers_is_the_default(self, api: Api) -> None:
        _make_parent(api, child=EDUCATION, parent="xianning-science-and-technology-bureau")
        assert post(api.science).json()["unit"]["code"] == EDUCATION

    def test_removed_assignment_403(self, api: Api, database: Database) -> None:
        assert post(api.education).status_code == 201
        units = '{"units": [{"unit": "市科技局", "role": "lead"}]}'
        assert (
            api.admin.patch("/api/v1/targets/xianning-2023.58", content=units, headers=MERGE_PATCH).status_code == 200
        )
        response = post(api.education, unit="市教育局", value=47)
        assert (response.status_code, response.json()["code"]) == (403, "unit_not_assigned")
        assert versions(api) == [(1, 46.8)]


def _make_parent(api: Api, child: str, parent: str) -> None:
    patched = api.admin.patch(f"/api/v1/units/{child}", json={"parent": parent}, headers=MERGE_PATCH)
    assert patched.status_code == 200


class TestExpectedVersion:
    def test_zero_for_a_new_value(self, api: Api, database: Database) -> None:
        assert post(api.education, expected_version=0).status_code == 201
        before = snapshot(database)
        response = post(api.education, expected_version=0, value=47)
        assert (response.status_code, response.json()["code"]) == (409, "stale_version")
        assert snapshot(database) == before

    def test_next_version_follows(self, api: Api) -> None:
        post(api.education)
        response = post(api.education, expected_version=1, value=47)
        assert (response.status_code, response.json()["version"]) == (200, 2)

    def test_stale_version_409_shows_the_row_and_who_wrote_it(self, api: Api, database: Database) -> None:
        post(api.education)
        current = post(api.admin, unit="市教育局", value=47).json()
        before = snapshot(database)
        response = post(api.education, expected_version=1, value=48)
        assert response.status_code == 409
        assert response.json()["current"] == current
        assert current["recorded_by"] == "admin"
        assert "admin" in response.json()["detail"]
        assert snapshot(database) == before

    def test_version_of_a_value_that_is_not_there_409(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        response = post(api.education, expected_version=3)
        assert (response.status_code, response.json()["code"]) == (409, "stale_version")
        assert response.json()["current"] is None
        assert snapshot(database) == before

    def test_retry_of_the_very_same_write_is_unchanged(self, api: Api, database: Database) -> None:
        first = post(api.education, expected_version=0)
        second = post(api.education, expected_version=1, value=47)
        before = snapshot(database)
        assert first.status_code == 201
        retry = post(api.education, expected_version=1, value=47)
        assert (retry.status_code, retry.json()) == (200, second.json())
        reading = post(api.education, expected_version=2, value=47)
        assert (reading.status_code, reading.json()) == (200, second.json())
        assert snapshot(database) == before

    def test_same_figure_of_another_client_is_no_retry_409(self, api: Api) -> None:
        post(api.education, expected_version=0)
        assert post(api.admin, unit="市教育局", expected_version=0).status_code == 409
        assert post(api.admin, unit="市教育局", expected_version=1).status_code == 200

    def test_no_version_422(self, api: Api) -> None:
        for version in (-1, 2**31, 10**40):
            assert fault(post(api.education, expected_version=version))[0] == "/expected_version"
        for version in (True, "0", 0.5, 1.0):
            response = post(api.education, expected_version=version)
            assert fault(response) == ("/expected_version", "not_a_whole_number"), version


class TestOneTransaction:
    @pytest.mark.parametrize("lost", ["changes", "value_revisions", "latest_values"])
    def test_write_that_fails_in_its_last_part_leaves_nothing(self, api: Api, database: Database, lost: str) -> None:
        post(api.education)
        before = snapshot(database)
        with database.writer.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {lost} RENAME TO gone")
        assert post(api.education, value=1).status_code >= 500
        with database.writer.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE gone RENAME TO {lost}")
        assert snapshot(database) == before
        assert post(api.education, value=1).status_code == 200
