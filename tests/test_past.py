"""`as_of`: every answer as it was given then, byte for byte, whatever has been written since."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from app.routing import Route, _known_names
from tests.asking import faults, listed, walk
from tests.conftest import MERGE_PATCH, Api
from tests.importing import PLAN, corrected, post

TARGET, INDICATOR, GROUP = "xianning-2023.58", "xianning-2023.58.1", "各县市区人民政府"
VALUE = f"{INDICATOR}:xianning-education-bureau:2023-06"
# one request or more of every operation that reads
READS = (
    "/plans",
    "/plans/xianning-2023",
    "/plans/xianning-2023/sections?limit=5",
    "/units?limit=20",
    "/units?q=教育",
    f"/units?group={GROUP}",
    "/units/市教育局",
    f"/units/{GROUP}",
    "/targets?limit=5",
    "/targets?unit=市教育局",
    "/targets?q=学位",
    f"/targets/{TARGET}",
    "/targets/xianning-2023.77",
    "/assignments?unit=市教育局",
    f"/assignments?unit={GROUP}&limit=20",
    f"/assignments?target={TARGET}&acknowledged=true",
    f"/indicators?target={TARGET}",
    "/indicators?limit=10",
    f"/indicators/{INDICATOR}",
    f"/indicators/{INDICATOR}/goals",
    "/values",
    "/values?unit=市教育局&status=submitted",
    f"/values/{VALUE}",
    f"/values/{VALUE}/revisions",
    "/imports/xianning-2023.import-2",
)
Answer = tuple[int, bytes]


def remembered(api: Api) -> tuple[datetime, dict[str, Answer]]:
    """Every answer, and when it was given."""
    answers = {path: ask(api, path) for path in READS}
    return datetime.now(UTC), answers


def ask(api: Api, path: str, at: datetime | None = None) -> Answer:
    """What a reader is answered, in bytes; of a cursor only that there is one, since it belongs to its question."""
    joined = "&" if "?" in path else "?"
    when = f"{joined}as_of={at.isoformat().replace('+00:00', 'Z')}" if at is not None else ""
    response = api.reader.get(f"/api/v1{path}{when}", headers={"X-Request-ID": "past"})
    return response.status_code, re.sub(rb'"next_cursor":"[^"]+"', b'"next_cursor":"..."', response.content)


def patch(api: Api, path: str, **fields: Any) -> int:
    return api.admin.patch(f"/api/v1{path}", json=fields, headers=MERGE_PATCH).status_code


def value(api: Api, unit: str, period: str, figure: float) -> int:
    body = {"indicator": INDICATOR, "unit": unit, "period": period, "value": figure}
    return api.admin.post("/api/v1/values", json=body).status_code


def goal(api: Api, figure: float) -> int:
    body = {"goal": figure, "reason": "调整", "document_number": "咸政办发〔2023〕12号"}
    return api.admin.post(f"/api/v1/indicators/{INDICATOR}/goals", json=body).status_code


def acknowledged(api: Api, unit: str, role: str) -> int:
    return api.admin.post(f"/api/v1/assignments/{TARGET}:{unit}:{role}/acknowledgement").status_code


def units(api: Api, *named: tuple[str, str]) -> int:
    return patch(api, f"/targets/{TARGET}", units=[{"unit": unit, "role": role} for unit, role in named])


MEMBERS = ("嘉鱼县人民政府", "赤壁市人民政府", "通山县人民政府")


# every kind of change; some of them undo others
EDUCATION = "xianning-education-bureau"


def batch(api: Api, *figures: tuple[str, float]) -> int:
    rows = [{"indicator": INDICATOR, "unit": EDUCATION, "period": period, "value": one} for period, one in figures]
    return api.admin.post("/api/v1/values/batch", json=rows).status_code


def step(api: Api, name: str, **body: str) -> int:
    return api.admin.post(f"/api/v1/values/{VALUE}/{name}", json=body).status_code


CHANGES: dict[str, Callable[[Api], int]] = {
    "words": lambda api: patch(api, f"/targets/{TARGET}", statement="实施学位行动。"),
    "day": lambda api: patch(api, f"/targets/{TARGET}", due_on="2023-11-30"),
    "no unit": lambda api: units(api),
    "units": lambda api: units(api, ("市教育局", "lead"), ("市财政局", "supporting")),
    "order of units": lambda api: units(api, ("市财政局", "supporting"), ("市教育局", "lead")),
    "units with a group": lambda api: units(api, ("市教育局", "lead"), (GROUP, "responsible")),
    "name": lambda api: patch(api, "/units/xianning-education-bureau", name="咸宁市教育和体育局"),
    "aliases": lambda api: patch(api, "/units/xianning-education-bureau", aliases=["教育局", "市教育局"]),
    "no alias": lambda api: patch(api, "/units/xianning-education-bureau", aliases=[]),
    "members": lambda api: patch(api, f"/units/{GROUP}", members=list(MEMBERS)),
    "fewer members": lambda api: patch(api, f"/units/{GROUP}", members=list(MEMBERS[:1])),
    "goal": lambda api: goal(api, 48),
    "other goal": lambda api: goal(api, 50.5),
    "indicator": lambda api: patch(api, f"/indicators/{INDICATOR}", name="占比", baseline=40.25, frequency="month"),
    "each member": lambda api: patch(api, f"/indicators/{INDICATOR}", each_member=True),
    "value": lambda api: value(api, "xianning-education-bureau", "2023-06", 46.8),
    "correction": lambda api: value(api, "xianning-education-bureau", "2023-06", 47),
    "older value": lambda api: value(api, "xianning-education-bureau", "2023-05", 45.1),
    "value of another": lambda api: value(api, "嘉鱼县人民政府", "2023-06", 44),
    "acknowledgement": lambda api: acknowledged(api, "xianning-education-bureau", "lead"),
    "batch": lambda api: batch(api, ("2023-04", 44), ("2023-05", 45.5), ("2023-06", 47.5)),
    "approval": lambda api: step(api, "approval"),
    "return": lambda api: step(api, "return", reason="与上月不符"),
    "withdrawal": lambda api: step(api, "withdrawal", reason="误报"),
    "quality": lambda api: patch(api, f"/indicators/{INDICATOR}", quality={"source": "教育局统计"}),
    "comparator": lambda api: patch(api, f"/indicators/{INDICATOR}", comparator="ge"),
    "approval wanted": lambda api: patch(api, "/plans/xianning-2023", approval_required=True),
    "approval not wanted": lambda api: patch(api, "/plans/xianning-2023", approval_required=False),
    "document": lambda api: (
        post(api, corrected(("公办幼儿园在园幼儿占比超过46%", "公办幼儿园在园幼儿占比超过49%"))).status_code
    ),
    "shorter document": lambda api: post(api, PLAN[: PLAN.index("\n70.")]).status_code,
    "document as it was": lambda api: post(api, PLAN).status_code,
}
ONCE = (
    "value",
    "correction",
    "batch",
    "approval",
    "return",
    "withdrawal",
    "quality",
    "comparator",
    "goal",
    "acknowledgement",
    "approval wanted",
    "words",
    "units",
    "document",
)


def assert_all_as_they_were(api: Api, past: list[tuple[str, datetime, dict[str, Answer]]]) -> None:
    for name, at, answers in past:
        for path, answer in answers.items():
            assert ask(api, path, at) == answer, (name, path)


class TestAsOf:
    def test_every_operation_that_reads_takes_it(self, api: Api) -> None:
        routes = [context.original_route for context in iter_route_contexts(api.app.router.routes)]
        reading = [route for route in routes if isinstance(route, Route) and route.methods == {"GET"}]
        without = {route.name for route in reading if "as_of" not in _known_names(route)["query"]}
        assert without == {"get_value_template"}  # a form for what is to come

    def test_after_each_kind_of_change_all_answers_are_as_they_were(self, api: Api) -> None:
        past = [("nothing", *remembered(api))]
        for name, change in CHANGES.items():
            change(api)  # some are refused, as the ones before them left things: that is a past, too
            past.append((name, *remembered(api)))
        told = {name: answers for name, _, answers in past}
        for name in ONCE:
            before = list(told)[list(told).index(name) - 1]
            assert told[name] != told[before], name
        assert_all_as_they_were(api, past)

    @pytest.mark.parametrize("seed", [1, 2])
    def test_whatever_is_written_in_whatever_order(self, api: Api, seed: int) -> None:
        random = Random(seed)  # noqa: S311 - draws changes, no secrets
        past = []
        for _ in range(8):
            names = random.choices(list(CHANGES), k=random.randrange(1, 4))
            for name in names:
                assert CHANGES[name](api) < 500, name
            past.append((" ".join(names), *remembered(api)))
        assert_all_as_they_were(api, past)

    def test_between_two_writes_it_is_the_one_before(self, api: Api) -> None:
        value(api, "xianning-education-bureau", "2023-06", 46.8)
        first = api.reader.get(f"/api/v1/values/{VALUE}").json()
        value(api, "xianning-education-bureau", "2023-06", 47)
        second = api.reader.get(f"/api/v1/values/{VALUE}").json()
        for written, at in ((first, first["recorded_at"]), (second, second["recorded_at"])):
            assert api.reader.get(f"/api/v1/values/{VALUE}", params={"as_of": at}).json() == written
        just_before = datetime.fromisoformat(second["recorded_at"]) - timedelta(microseconds=1)
        response = api.reader.get(f"/api/v1/values/{VALUE}", params={"as_of": just_before.isoformat()})
        assert response.json() == first

    def test_before_anything_was_there(self, api: Api) -> None:
        at = {"as_of": "2001-01-01T00:00:00Z"}
        for path in ("/plans", "/units", "/targets", "/assignments", "/indicators", "/values"):
            assert listed(api.reader, path, **at) == []
        for path in ("/plans/xianning-2023", "/units/市教育局", f"/targets/{TARGET}", f"/indicators/{INDICATOR}"):
            assert api.reader.get(f"/api/v1{path}", params=at).status_code == 404
        refused = api.reader.get("/api/v1/targets", params=at | {"plan": "xianning-2023"})
        assert (refused.status_code, faults(refused)) == (404, [("/query/plan", "unknown_reference")])

    def test_other_filters_pages_csv_and_conditions_go_on_working(self, api: Api) -> None:
        value(api, "xianning-education-bureau", "2023-05", 46.8)
        since = datetime.now(UTC).isoformat()
        value(api, "xianning-education-bureau", "2023-06", 47)
        at = datetime.now(UTC).isoformat()
        table = api.reader.get("/api/v1/values", headers={"Accept": "text/csv"})
        pages = walk(api.reader, "/targets", 30)
        value(api, "xianning-education-bureau", "2023-06", 48)
        patch(api, f"/targets/{TARGET}", statement="实施学位行动。")
        (newer,) = listed(api.reader, "/values", as_of=at, updated_after=since)
        assert (newer["period"], newer["value"]) == ("2023-06", 47)
        assert walk(api.reader, "/targets", 30, as_of=at) == pages
        then = api.reader.get("/api/v1/values", params={"as_of": at}, headers={"Accept": "text/csv"})
        assert then.content == table.content
        conditional = {"If-None-Match": api.reader.get("/api/v1/values", params={"as_of": at}).headers["ETag"]}
        assert api.reader.get("/api/v1/values", params={"as_of": at}, headers=conditional).status_code == 304

    def test_cursor_of_another_time_400(self, api: Api) -> None:
        at = datetime.now(UTC)
        first = api.reader.get("/api/v1/targets", params={"limit": 5, "as_of": at.isoformat()}).json()
        for other in ({}, {"as_of": (at - timedelta(seconds=1)).isoformat()}):
            query = {"limit": 5, "cursor": first["next_cursor"]} | other
            response = api.reader.get("/api/v1/targets", params=query)
            assert (response.status_code, response.json()["code"]) == (400, "bad_cursor")

    @pytest.mark.parametrize("path", ["/targets", f"/targets/{TARGET}", f"/values/{VALUE}/revisions"])
    def test_that_is_no_time_of_the_past_422(self, api: Api, path: str) -> None:
        for at, code in (
            ((datetime.now(UTC) + timedelta(seconds=5)).isoformat(), "time_in_future"),
            ("9999-12-31T23:59:59Z", "time_in_future"),
            ("2023-07-01T08:00:00", "time_invalid"),
            ("yesterday", "time_invalid"),
            ("", "time_invalid"),
        ):
            response = api.reader.get(f"/api/v1{path}", params={"as_of": at})
            assert (response.status_code, faults(response)) == (422, [("/query/as_of", code)]), at
        at = datetime.now(UTC) + timedelta(hours=1)
        zone = api.reader.get("/api/v1/targets", params={"as_of": at.isoformat().replace("+00:00", "+08:00")})
        assert zone.status_code == 200  # the clock of another zone, not the future
