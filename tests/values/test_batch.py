"""POST /values/batch: who may, what is written, left alone and refused, and that the report tells all of it."""

from typing import Any

import pytest
from httpx2 import Response

from app.db import Database
from app.main import create_app
from app.settings import Settings
from tests.asking import bound_to, listed, told
from tests.client import AppClient
from tests.conftest import Api
from tests.history import changes_after, last_change, snapshot

SHARE = "xianning-2023.58.1"  # led by 市教育局, the six counties answer too
VALUES = f"{SHARE}:xianning-education-bureau"
BATCH = "/api/v1/values/batch"
COUNTS = ("received", "created", "updated", "unchanged", "rejected")


def row(period: str = "2023-06", value: object = 46.8, **fields: object) -> dict[str, object]:
    """A row that is right for an administrator."""
    return {"indicator": SHARE, "unit": "市教育局", "period": period, "value": value} | fields


def post(client: AppClient, *rows: object, **query: object) -> Response:
    return client.post(BATCH, json=list(rows), params={name: str(value).lower() for name, value in query.items()})


def counts(response: Response) -> tuple[int, ...]:
    """Received, created, updated, unchanged, rejected."""
    report = response.json()
    return tuple(report[name] for name in COUNTS)


def problems(response: Response) -> list[tuple[int, str, str]]:
    """The row, the field and the code of each problem."""
    return [(problem["row"], problem["pointer"], problem["code"]) for problem in response.json()["problems"]]


def days(count: int) -> list[str]:
    """That many periods of the plan: its days."""
    months = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    every = [f"2023-{month:02}-{day:02}" for month, last in enumerate(months, 1) for day in range(1, last + 1)]
    return every[:count]


class TestAccess:
    def test_truth_table(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        # to those who may post at all, that a row is not theirs is a problem of the row
        assert told(api, "POST", "/values/batch", json=[row(unit="市科技局")]) == {
            "anonymous": 401,
            "reader": 403,
            "reviewer": 403,
            "admin": 422,
            "education": 422,
            "science": 422,
            "jiayu": 422,
            "counties": 422,
            "unbound": 422,
        }
        assert snapshot(database) == before

    def test_other_media_type_415(self, api: Api) -> None:
        for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/xml"}, {"Content-Type": ""}):
            response = api.admin.post(BATCH, content=b"[]", headers=headers)
            assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")

    def test_larger_than_the_setting_413(self, api: Api, database: Database) -> None:
        app = create_app(Settings(max_body_bytes=10, max_batch_bytes=1000))
        app.state.database = database
        client = AppClient(app, headers=api.admin.headers)
        rows = [row(period) for period in days(14)]
        assert post(client, *rows[:8]).status_code == 200
        response = post(client, *rows)
        assert (response.status_code, response.json()["code"]) == (413, "body_too_large")

    def test_more_rows_than_one_request_may_have_413(self, api: Api) -> None:
        response = api.admin.post(BATCH, content=f"[{','.join(['0'] * 100_001)}]", headers=JSON)
        assert (response.status_code, response.json()["code"]) == (413, "too_many_rows")

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("on_error=abrt", "/query/on_error", "not_allowed"),
            ("dry_run=perhaps", "/query/dry_run", "not_true_or_false"),
            ("dryrun=true", "/query/dryrun", "unknown_parameter"),
        ],
    )
    def test_wrong_parameter_422(self, api: Api, query: str, pointer: str, code: str) -> None:
        response = api.admin.post(f"{BATCH}?{query}", json=[row()])
        assert response.status_code == 422
        assert [(fault["pointer"], fault["code"]) for fault in response.json()["errors"]] == [(pointer, code)]


JSON = {"Content-Type": "application/json"}


class TestBodies:
    @pytest.mark.parametrize("body", ["[]", '{"values": []}'])
    def test_no_rows_are_a_batch(self, api: Api, database: Database, body: str) -> None:
        before = snapshot(database)
        response = api.admin.post(BATCH, content=body, headers=JSON)
        assert (response.status_code, counts(response), response.json()["committed"]) == (200, (0,) * 5, True)
        assert snapshot(database) == before

    def test_rows_under_the_name_values(self, api: Api) -> None:
        response = api.admin.post(BATCH, json={"values": [row(), row("2023-05")]})
        assert counts(response) == (2, 2, 0, 0, 0)
        response = api.admin.post(BATCH, json={"values": [row(value=1), row("2023-99")]})
        assert problems(response) == [(2, "/period", "period_invalid")]
        assert response.json()["errors"][0]["pointer"] == "/values/1/period"

    @pytest.mark.parametrize(
        ("body", "status", "faults"),
        [
            ("", 422, []),
            (" \n", 422, []),
            ("{}", 422, [("", "not_a_list")]),
            ("5", 422, [("", "not_a_list")]),
            ("null", 422, [("", "not_a_list")]),
            ('{"values": {}}', 422, [("/values", "not_a_list")]),
            ('{"values": [], "dry_run": true}', 422, [("/dry_run", "unknown_field")]),
            ("[", 400, [("", "json_syntax")]),
            ('[{}, {"value": 1, "value": 2}]', 400, [("/1", "json_repeated_field")]),
        ],
    )
    def test_other_bodies_are_refused(self, api: Api, body: str, status: int, faults: list[tuple[str, str]]) -> None:
        response = api.admin.post(BATCH, content=body, headers=JSON)
        assert response.status_code == status
        assert [(fault["pointer"], fault["code"]) for fault in response.json()["errors"]] == faults

    def test_rows_that_are_no_objects_are_problems_of_theirs(self, api: Api) -> None:
        response = post(api.admin, row(), 5, None, [row()], "x", on_error="skip")
        assert counts(response) == (5, 1, 0, 0, 4)
        assert problems(response) == [(number, "", "not_an_object") for number in range(2, 6)]


class TestUnitLeftOut:
    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_rows_with_and_without_the_only_unit_do_not_disturb_each_other(
        self, api: Api, order: tuple[int, int]
    ) -> None:
        first = {"indicator": "xianning-2023.67.1", "period": "2023-01", "value": 1}
        rows = [first, first | {"period": "2023-02", "unit": "市科技局"}]
        assert counts(post(api.admin, *(rows[place] for place in order))) == (2, 2, 0, 0, 0)


class TestCharset:
    @pytest.mark.parametrize(
        "parameter", ["charset*0=a; charset*=b", f"charset*{'9' * 5000}=x", "charset", 'charset="', "a=b"]
    )
    def test_strange_parameters_of_the_media_type_are_passed_over(self, api: Api, parameter: str) -> None:
        headers = {"Content-Type": f"text/csv; {parameter}"}
        body = "indicator,unit,period,value\nxianning-2023.58.1,市教育局,2023-01,46\n".encode()
        assert api.admin.post(BATCH, content=body, headers=headers).json()["created"] == 1


class TestOutcomes:
    def test_counts_tell_what_became_of_each_row(self, api: Api) -> None:
        response = post(api.admin, row("2023-01"), row("2023-02"), row("2023-03"))
        assert response.status_code == 200
        assert response.json() == dict(zip(COUNTS, (3, 3, 0, 0, 0), strict=True)) | {
            "blank": 0,
            "unchanged_reopened": 0,
            "committed": True,
            "dry_run": False,
            "encoding": "utf-8",
            "problems": [],
            "problems_left_out": 0,
        }
        rows = [row("2023-01"), row("2023-02", 50), row("2023-03", 0), row("2023-04"), row("2023-13")]
        response = post(api.admin, *rows, on_error="skip")
        assert (response.status_code, response.json()["committed"]) == (200, True)
        assert counts(response) == (5, 1, 2, 1, 1)
        found = {value["period"]: (value["value"], value["version"]) for value in listed(api.reader, "/values")}
        assert found == {"2023-01": (46.8, 1), "2023-02": (50, 2), "2023-03": (0, 2), "2023-04": (46.8, 1)}

    def test_each_row_is_kept_told_and_counted_as_a_single_one_is(self, api: Api, database: Database) -> None:
        post(api.admin, row("2023-02"), row("2023-03", note="a", evidence_url="https://x/1"))
        number = last_change(database)
        response = post(api.admin, row("2023-03", 2), row("2023-02", 1, note="b"))
        values = [api.reader.get(f"/api/v1/values/{VALUES}:2023-{month}").json() for month in ("03", "02")]
        assert [(value["value"], value["note"], value["evidence_url"]) for value in values] == [
            (2, None, None),
            (1, "b", None),
        ]
        assert changes_after(database, number) == [
            ("value.submitted", value["code"], {"version": value["version"]}) for value in reversed(values)
        ]  # whatever the order of the rows
        for value in values:
            first, second = listed(api.reader, f"/values/{value['code']}/revisions")
            assert (first["version"], second["version"], second["previous_value"]) == (1, 2, 46.8)
            assert second["request_id"] == response.headers["X-Request-ID"]
            assert second["recorded_at"] == value["recorded_at"]
        latest = api.reader.get(f"/api/v1/indicators/{SHARE}").json()["latest"]
        assert latest == {"period": "2023-03", "value": 2}

    def test_same_batch_again_is_unchanged_and_leaves_no_trace(self, api: Api, database: Database) -> None:
        rows = [row(period, number, expected_version=0) for number, period in enumerate(days(50))]
        assert counts(post(api.admin, *rows)) == (50, 50, 0, 0, 0)
        before = snapshot(database)
        again = post(api.admin, *reversed(rows))
        assert (again.status_code, counts(again)) == (200, (50, 0, 0, 50, 0))
        assert snapshot(database) == before

    def test_one_wrong_row_and_nothing_is_written(self, api: Api, database: Database) -> None:
        post(api.admin, row("2023-01"))
        before = snapshot(database)
        response = post(api.admin, row("2023-01", 1), row("2023-02"), row("2023-03", "x"), row("2023-01-31"))
        assert (response.status_code, response.json()["code"]) == (422, "batch_rejected")
        assert (counts(response), response.json()["committed"]) == ((4, 2, 1, 0, 1), False)
        assert snapshot(database) == before

    def test_skip_writes_exactly_the_rows_that_are_right(self, api: Api) -> None:
        wrong: list[dict[str, object]] = [row("2023-07", None), row("2023-08", unit="市科技局"), row("2024-01")]
        response = post(api.admin, row("2023-01"), wrong[0], row("2023-02"), *wrong[1:], on_error="skip")
        assert counts(response) == (5, 2, 0, 0, 3)
        assert [value["period"] for value in listed(api.reader, "/values")] == ["2023-01", "2023-02"]

    @pytest.mark.parametrize("on_error", ["abort", "skip"])
    @pytest.mark.parametrize("wrong", [0, 2])
    def test_dry_run_answers_the_same_and_leaves_nothing(
        self, api: Api, database: Database, on_error: str, wrong: int
    ) -> None:
        post(api.admin, row("2023-01"), row("2023-02"))
        rows = [row("2023-01"), row("2023-02", 1), row("2023-03"), *(row("2023-04", "x"), row("2023-14"))[:wrong]]
        before = snapshot(database)
        tried = post(api.admin, *rows, on_error=on_error, dry_run=True)
        assert snapshot(database) == before
        real = post(api.admin, *rows, on_error=on_error)
        assert tried.status_code == real.status_code == (422 if wrong and on_error == "abort" else 200)
        differ = {"dry_run", "committed", "request_id"}
        assert {name: value for name, value in tried.json().items() if name not in differ} == {
            name: value for name, value in real.json().items() if name not in differ
        }
        assert (tried.json()["dry_run"], tried.json()["committed"]) == (True, False)
        assert (real.json()["dry_run"], real.json()["committed"]) == (False, real.status_code == 200)

    @pytest.mark.parametrize("lost", ["changes", "value_revisions", "latest_values"])
    def test_write_that_fails_in_its_last_part_leaves_nothing(self, api: Api, database: Database, lost: str) -> None:
        post(api.admin, row("2023-01"))
        before = snapshot(database)
        with database.writer.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {lost} RENAME TO gone")
        assert post(api.admin, row("2023-01", 1), row("2023-02")).status_code >= 500
        with database.writer.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE gone RENAME TO {lost}")
        assert snapshot(database) == before
        assert post(api.admin, row("2023-01", 1), row("2023-02")).status_code == 200


class TestExpectedVersion:
    def test_stale_rows_show_the_value_that_stands(self, api: Api, database: Database) -> None:
        post(api.admin, row("2023-01"), row("2023-02"))
        post(api.admin, row("2023-02", 1))
        before = snapshot(database)
        rows = [
            row("2023-01", 2, expected_version=1),
            row("2023-02", 2, expected_version=1),
            row("2023-03", 2, expected_version=1),
            row("2023-01-01", 2, expected_version=0),
        ]
        response = post(api.education, *rows)
        assert response.status_code == 422
        assert problems(response) == [(number, "/expected_version", "stale_version") for number in (2, 3)]
        stale, missing = response.json()["problems"]
        assert stale["current"] == api.reader.get(f"/api/v1/values/{VALUES}:2023-02").json()
        assert "admin" in stale["detail"]
        assert missing["current"] is None
        assert snapshot(database) == before
        assert counts(post(api.education, *rows, on_error="skip")) == (4, 1, 1, 0, 2)

    def test_largest_version_there_can_be_is_stale(self, api: Api) -> None:
        post(api.education, row())
        response = post(api.education, row(expected_version=2**31 - 1), row("2023-05", expected_version=2**31 - 1))
        assert problems(response) == [(number, "/expected_version", "stale_version") for number in (1, 2)]

    def test_retry_of_the_very_same_rows_is_unchanged(self, api: Api, database: Database) -> None:
        first = [row("2023-01", expected_version=0), row("2023-02", expected_version=0)]
        post(api.education, *first)
        second = [row("2023-01", 5, expected_version=1), row("2023-02", 6, expected_version=1)]
        assert counts(post(api.education, *second)) == (2, 0, 2, 0, 0)
        before = snapshot(database)
        assert counts(post(api.education, *second)) == (2, 0, 0, 2, 0)
        assert counts(post(api.admin, *second, on_error="skip")) == (2, 0, 0, 0, 2)  # another client's is no retry
        assert snapshot(database) == before


class TestUnit:
    def test_rows_of_others_are_told_apart(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        named = {"xianan": "咸安区政府", "own": "嘉鱼县政府", "education": "市教育局", "science": "市科技局"}
        rows = [row(unit=unit) for unit in named.values()]
        assert problems(post(api.jiayu, *rows)) == [(number, "/unit", "not_your_unit") for number in (1, 3, 4)]
        assert problems(post(api.admin, *rows)) == [(4, "/unit", "unit_not_assigned")]
        assert problems(post(api.unbound, *rows)) == [(number, "/unit", "not_your_unit") for number in range(1, 5)]
        assert snapshot(database) == before

    def test_left_out_is_the_only_one_the_client_can_mean(self, api: Api, database: Database) -> None:
        rows: list[dict[str, Any]] = [
            {"indicator": SHARE, "period": "2023-06", "value": 1},
            {"indicator": "xianning-2023.70.1", "period": "2023-06", "value": 2},
        ]
        both = post(bound_to(api, database, "市教育局", "市科技局"), *rows)
        assert counts(both) == (2, 2, 0, 0, 0)
        assert {value["unit"]["name"] for value in listed(api.reader, "/values")} == {
            "咸宁市教育局",
            "咸宁市科学技术局",
        }
        counties = post(api.counties, rows[0])
        assert problems(counties) == [(1, "/unit", "unit_needed")]
        assert len(counties.json()["problems"][0]["suggestions"]) == 6
        assert problems(post(api.science, *rows)) == [(1, "/unit", "unit_not_assigned")]

    def test_one_value_named_in_two_ways_is_named_twice(self, api: Api) -> None:
        rows = [row(unit=unit) for unit in ("市教育局", " 咸宁市教育局 ", "xianning-education-bureau")]
        response = post(api.admin, *rows, {"indicator": SHARE, "period": "2023-05", "value": 1, "unit": "市教育局"})
        assert problems(response) == [(number, "", "row_repeated") for number in (1, 2, 3)]
