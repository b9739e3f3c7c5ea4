"""GET /indicators/{indicator}/goals: every revision of a goal, old and new, who, when and why."""

from datetime import UTC, datetime

from app.db import Database
from tests.asking import ANYONE, add_plan, faults, listed, suggestions, told, walk
from tests.conftest import Api
from tests.indicators.test_goals import SHARE, revise

PATH = f"/indicators/{SHARE}/goals"


class TestListGoals:
    def test_truth_table(self, api: Api) -> None:
        assert told(api, "GET", PATH) == {"anonymous": 401} | ANYONE
        assert told(api, "GET", "/indicators/xianning-2023.58.2/goals") == {"anonymous": 401} | dict.fromkeys(
            ANYONE, 404
        )

    def test_first_goal_has_none_before_it(self, api: Api) -> None:
        (goal,) = listed(api.reader, PATH)
        assert goal.pop("recorded_at")
        assert goal.pop("request_id")
        assert goal == {
            "indicator": SHARE,
            "version": 1,
            "goal": 46,
            "goal_to": None,
            "previous_goal": None,
            "previous_goal_to": None,
            "comparator": "gt",
            "previous_comparator": None,
            "reason": None,
            "document_number": None,
            "recorded_by": None,
        }

    def test_each_revision_as_it_was_answered_oldest_first(self, api: Api) -> None:
        answers = [
            revise(api.admin, goal=48),
            revise(api.admin, goal=46, goal_to=50, comparator="range", document_number="2"),
            revise(api.admin, goal=47, comparator="ge", document_number="3"),
        ]
        goals = listed(api.reader, PATH)
        assert goals[1:] == [answer.json() for answer in answers]
        assert [goal["request_id"] for goal in goals[1:]] == [answer.headers["X-Request-ID"] for answer in answers]
        assert [(one["previous_goal"], one["previous_goal_to"], one["goal"], one["goal_to"]) for one in goals] == [
            (None, None, 46, None),
            (46, None, 48, None),
            (48, None, 46, 50),
            (46, 50, 47, None),
        ]
        compared = [(one["previous_comparator"], one["comparator"]) for one in goals]
        assert compared == [(None, "gt"), ("gt", "gt"), ("gt", "range"), ("range", "ge")]
        assert walk(api.reader, PATH, 1) == goals

    def test_updated_after(self, api: Api) -> None:
        first = listed(api.reader, PATH)[0]["recorded_at"]
        assert listed(api.reader, PATH, updated_after=first) == []
        revised = revise(api.admin).json()
        assert listed(api.reader, PATH, updated_after=first) == [revised]

    def test_as_of(self, api: Api) -> None:
        before = datetime.now(UTC).isoformat()
        revise(api.admin)
        assert [goal["goal"] for goal in listed(api.reader, PATH, as_of=before)] == [46]
        assert [goal["goal"] for goal in listed(api.reader, PATH)] == [46, 48]

    def test_goal_that_a_corrected_document_revised_tells_so(self, api: Api, database: Database) -> None:
        text = "1.发展学前教育,公办幼儿园在园幼儿占比超过46%。(牵头单位:市教育局)\n"
        for said in (text, text.replace("46", "48")):
            add_plan(database, "other-2024", said)
        goals = listed(api.reader, "/indicators/other-2024.1.1/goals")
        assert [(goal["previous_goal"], goal["goal"], goal["recorded_by"]) for goal in goals] == [
            (None, 46, None),
            (46, 48, None),
        ]
        assert goals[1]["reason"]

    def test_wrong_requests(self, api: Api) -> None:
        unknown = api.reader.get("/api/v1/indicators/xianning-2023.58.2/goals")
        assert faults(unknown) == [("/path/indicator", "unknown_reference")]
        assert suggestions(unknown)[0] == SHARE
        misspelt = api.reader.get(f"/api/v1{PATH}?limits=1")
        assert (faults(misspelt), suggestions(misspelt)) == ([("/query/limits", "unknown_parameter")], ["limit"])
        revise(api.admin)
        cursor = api.reader.get(f"/api/v1{PATH}?limit=1").json()["next_cursor"]
        other = api.reader.get("/api/v1/indicators/xianning-2023.60.1/goals", params={"cursor": cursor})
        assert (other.status_code, other.json()["code"]) == (400, "bad_cursor")
