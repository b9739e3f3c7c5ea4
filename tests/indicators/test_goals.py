"""POST /indicators/{indicator}/goals: a goal is revised by a new record, and the old one stays."""

from typing import Any

from httpx2 import Response
from sqlalchemy import select
from sqlmodel import col

from app.db import Database
from app.tables import Goal, Indicator
from tests.client import AppClient
from tests.conftest import MERGE_PATCH, Api
from tests.history import changes_after, last_change, snapshot

SHARE = "xianning-2023.58.1"
REVISION: dict[str, Any] = {
    "goal": 48,
    "reason": "市政府常务会议调整年度目标",
    "document_number": "咸政办发〔2023〕12号",
}


def revise(client: AppClient, **fields: object) -> Response:
    return client.post(f"/api/v1/indicators/{SHARE}/goals", json=REVISION | fields)


def goals(database: Database) -> list[tuple[int, float, str | None]]:
    """The goals the indicator ever had."""
    statement = select(Goal).join(Indicator, col(Indicator.id) == col(Goal.indicator_id))
    with database.reading() as session:
        rows = session.execute(statement.where(col(Indicator.code) == SHARE).order_by(col(Goal.version))).scalars()
        return [(row.version, float(row.goal), row.document_number) for row in rows]


class TestReviseGoal:
    def test_truth_table(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        assert revise(api.anonymous).status_code == 401
        for client in (api.reader, api.reviewer, api.education, api.unbound):
            assert revise(client).status_code == 403
        unknown = api.admin.post("/api/v1/indicators/xianning-2023.58.2/goals", json=REVISION)
        assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (404, "/path/indicator")
        assert snapshot(database) == before

    def test_revised_201_keeps_the_old_one(self, api: Api, database: Database) -> None:
        number = last_change(database)
        response = revise(api.admin)
        assert response.status_code == 201
        goal = response.json()
        assert goal == REVISION | {
            "indicator": SHARE,
            "version": 2,
            "goal_to": None,
            "previous_goal": 46,
            "previous_goal_to": None,
            "comparator": "gt",
            "previous_comparator": "gt",
            "recorded_at": goal["recorded_at"],
            "recorded_by": "admin",
            "request_id": response.headers["X-Request-ID"],
        }
        assert changes_after(database, number) == [("goal.revised", SHARE, goal)]
        assert goals(database) == [(1, 46, None), (2, 48, REVISION["document_number"])]
        indicator = api.reader.get(f"/api/v1/indicators/{SHARE}").json()
        assert (indicator["goal"], indicator["goal_version"]) == (48, 2)
        assert indicator["updated_at"] == goal["recorded_at"]
        (shown,) = api.reader.get("/api/v1/targets/xianning-2023.58").json()["indicators"]
        assert shown["goal"] == 48

    def test_same_revision_again_200_writes_nothing(self, api: Api, database: Database) -> None:
        first = revise(api.admin)
        before = snapshot(database)
        for fields in ({}, {"expected_version": 1}, {"expected_version": 2}, {"goal": 48.0}):
            again = revise(api.admin, **fields)
            assert (again.status_code, again.json()) == (200, first.json())
        assert snapshot(database) == before

    def test_back_to_an_earlier_goal_is_a_third_revision(self, api: Api, database: Database) -> None:
        revise(api.admin)
        back = revise(api.admin, goal=46, document_number="咸政办发〔2023〕30号")
        assert (back.status_code, back.json()["version"]) == (201, 3)
        assert [goal for _, goal, _ in goals(database)] == [46, 48, 46]

    def test_equal_goal_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        response = revise(api.admin, goal=46.0)
        assert response.status_code == 422
        assert [(one["pointer"], one["code"]) for one in response.json()["errors"]] == [("/goal", "goal_unchanged")]
        assert snapshot(database) == before

    def test_stale_version_409_shows_the_goal_and_who_set_it(self, api: Api, database: Database) -> None:
        assert revise(api.admin, expected_version=1).status_code == 201
        before = snapshot(database)
        stale = revise(api.admin, expected_version=1, goal=50)
        assert (stale.status_code, stale.json()["code"]) == (409, "stale_version")
        assert stale.json()["current"]["goal"] == 48
        assert stale.json()["current"]["recorded_by"] == "admin"
        assert snapshot(database) == before
        assert revise(api.admin, expected_version=2, goal=50).status_code == 201

    def test_range_needs_both_ends_in_order(self, api: Api) -> None:
        created = api.admin.post(
            "/api/v1/indicators",
            json={
                "target": "xianning-2023.57",
                "name": "班额",
                "measure": "人",
                "comparator": "range",
                "kind": "level",
                "goal": 30,
                "goal_to": 45,
            },
        ).json()
        path = f"/api/v1/indicators/{created['code']}/goals"
        for fields, fault in (
            ({"goal": 31}, ("/goal_to", "goal_to_needed")),
            ({"goal": 31, "goal_to": 31}, ("/goal_to", "goal_order")),
            ({"goal": 31, "goal_to": 30}, ("/goal_to", "goal_order")),
            ({"goal": 30, "goal_to": 45}, ("/goal", "goal_unchanged")),
        ):
            response = api.admin.post(path, json=REVISION | fields)
            assert response.status_code == 422
            assert [(one["pointer"], one["code"]) for one in response.json()["errors"]] == [fault]
        revised = api.admin.post(path, json=REVISION | {"goal": 30, "goal_to": 40})
        assert (revised.status_code, revised.json()["goal_to"]) == (201, 40)
        patch = {"comparator": "ge"}
        response = api.admin.patch(f"/api/v1/indicators/{created['code']}", json=patch, headers=MERGE_PATCH)
        assert response.json()["errors"][0]["pointer"] == "/comparator"

    def test_wrong_fields_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for fields, fault in (
            ({"goal": "48"}, ("/goal", "not_a_figure")),
            ({"goal": 1234567890123456}, ("/goal", "too_many_digits")),
            ({"goal_to": 60}, ("/goal_to", "goal_to_needed")),
            ({"reason": ""}, ("/reason", "too_short")),
            ({"reason": "x" * 4001}, ("/reason", "too_long")),
            ({"reason": None}, ("/reason", "not_text")),
            ({"document_number": "  "}, ("/document_number", "too_short")),
            ({"expected_version": True}, ("/expected_version", "not_a_whole_number")),
            ({"document": "x"}, ("/document", "unknown_field")),
        ):
            response = revise(api.admin, **fields)
            assert response.status_code == 422
            assert [(one["pointer"], one["code"]) for one in response.json()["errors"]] == [fault], fields
        response = api.admin.post(f"/api/v1/indicators/{SHARE}/goals", json={"goal": 48})
        assert {one["pointer"] for one in response.json()["errors"]} == {"/reason", "/document_number"}
        assert snapshot(database) == before


class TestComparatorOfARevision:
    def test_a_goal_becomes_a_range_and_a_figure_again(self, api: Api) -> None:
        path = "/api/v1/indicators/xianning-2023.58.1"
        why = {"reason": "调整", "document_number": "咸政办发〔2023〕20号"}
        wide = api.admin.post(f"{path}/goals", json={"goal": 46, "goal_to": 50, "comparator": "range"} | why)
        assert wide.status_code == 201
        shown = api.reader.get(path).json()
        assert (shown["comparator"], shown["goal"], shown["goal_to"]) == ("range", 46, 50)
        again = api.admin.post(f"{path}/goals", json={"goal": 46, "goal_to": 50, "comparator": "range"} | why)
        assert (again.status_code, again.json()) == (200, wide.json())
        assert api.admin.post(f"{path}/goals", json={"goal": 47, "comparator": "ge"} | why).status_code == 201
        shown = api.reader.get(path).json()
        assert (shown["comparator"], shown["goal"], shown["goal_to"]) == ("ge", 47, None)

    def test_another_comparator_alone_is_a_revision(self, api: Api, database: Database) -> None:
        """The comparator is a field of the goal and of its indicator: both tell of it, at the same time."""
        path = "/api/v1/indicators/xianning-2023.58.1"
        number = last_change(database)
        body = {"goal": 46, "comparator": "ge", "reason": "明确", "document_number": "咸政办发〔2023〕21号"}
        goal = api.admin.post(f"{path}/goals", json=body).json()
        assert (goal["version"], goal["previous_comparator"], goal["comparator"]) == (2, "gt", "ge")
        indicator = api.reader.get(path).json()
        assert (indicator["comparator"], indicator["updated_at"]) == ("ge", goal["recorded_at"])
        assert changes_after(database, number) == [
            ("goal.revised", SHARE, goal),
            ("indicator.changed", SHARE, indicator),
        ]


def test_stale_if_match_412_tells_who_wrote_last(api: Api) -> None:
    path = "/api/v1/indicators/xianning-2023.58.1"
    etag = api.reader.get(path).headers["ETag"]
    revision = {"goal": 48, "reason": "调整", "document_number": "咸政办发〔2023〕22号"}
    assert api.admin.post(f"{path}/goals", json=revision).status_code == 201
    headers = MERGE_PATCH | {"If-Match": etag}
    refused = api.admin.patch(path, json={"frequency": "month"}, headers=headers)
    assert refused.status_code == 412
    assert refused.json()["current"]["goal"] == 48
    assert "admin" in refused.json()["detail"]
