"""A document against the last one: units by printed names, indicators by words and meaning, numbers that moved."""

from typing import Any

from app.db import Database
from tests.conftest import MERGE_PATCH, Api
from tests.history import changes_after, last_change
from tests.importing import get, imported, post, short_plan, what_changes

UNKNOWN = short_plan("1.新建公园10个。(牵头单位:市园林局;责任单位:市住建局)")
PARKS = {"code": "park-bureau", "name": "咸宁市园林局", "kind": "department", "aliases": ["市园林局"]}


def register_parks(api: Api) -> None:
    assert api.admin.post("/api/v1/units", json=PARKS).status_code == 201


def printed(api: Api) -> list[str]:
    return [f"{unit['name']}:{unit['role']}" for unit in get(api, "/targets/p.1")["units"]]


def found(report: dict[str, Any], code: str) -> list[dict[str, Any]]:
    return [finding for finding in report["findings"] if finding["code"] == code]


def record(api: Api, indicator: str, value: float) -> None:
    body = {"indicator": indicator, "period": "2024-06", "value": value, "unit": "市住建局"}
    assert api.admin.post("/api/v1/values", json=body).status_code == 201


class TestUnits:
    def test_unit_known_since_takes_its_printed_place(self, api: Api) -> None:
        imported(api, UNKNOWN, "p")
        register_parks(api)
        imported(api, UNKNOWN, "p")
        assert printed(api) == ["咸宁市园林局:lead", "咸宁市住房和城乡建设局:responsible"]

    def test_unit_known_since_is_added_to_what_an_administrator_set(self, api: Api) -> None:
        imported(api, UNKNOWN, "p")
        units = {"units": [{"unit": "市教育局", "role": "lead"}]}
        assert api.admin.patch("/api/v1/targets/p.1", json=units, headers=MERGE_PATCH).status_code == 200
        register_parks(api)
        assert what_changes(imported(api, UNKNOWN, "p")) == (0, 1, 0, 0)
        assert printed(api) == ["咸宁市教育局:lead", "咸宁市园林局:lead"]
        assert post(api, UNKNOWN, "p").status_code == 200
        imported(api, UNKNOWN.replace("市住建局", "市财政局"), "p")
        assert printed(api) == ["咸宁市园林局:lead", "咸宁市财政局:responsible"]

    def test_import_is_recorded_when_only_names_resolve_otherwise(self, api: Api) -> None:
        imported(api, UNKNOWN, "p")
        register_parks(api)
        units = {"units": [{"unit": "市园林局", "role": "lead"}]}
        assert api.admin.patch("/api/v1/targets/p.1", json=units, headers=MERGE_PATCH).status_code == 200
        assert what_changes(imported(api, UNKNOWN, "p")) == (0, 0, 0, 1)
        nobody: dict[str, Any] = {"units": []}
        assert api.admin.patch("/api/v1/targets/p.1", json=nobody, headers=MERGE_PATCH).status_code == 200
        assert post(api, UNKNOWN, "p").status_code == 200
        assert printed(api) == []


class TestIndicators:
    def test_same_words_go_before_the_same_meaning(self, api: Api) -> None:
        imported(api, short_plan("1.新建公园10个，新建公园12个。(牵头单位:市住建局)"), "p")
        imported(api, short_plan("1.新建公园12个，新建公园10个。(牵头单位:市住建局)"), "p")
        shown = [(one["code"], one["goal"]) for one in get(api, "/targets/p.1")["indicators"]]
        assert shown == [("p.1.1", 10), ("p.1.2", 12)]
        assert get(api, "/indicators/p.1.1")["goal_version"] == 1

    def test_values_stay_attached_when_a_target_comes_back_with_another_figure(self, api: Api) -> None:
        other = "2.新建学校5所。(牵头单位:市教育局)"
        first = "1.新建公园10个。(牵头单位:市住建局)"
        imported(api, short_plan(first, other), "p")
        record(api, "p.1.1", 4)
        imported(api, short_plan(other), "p")
        assert what_changes(imported(api, short_plan(first.replace("10", "12"), other), "p")) == (1, 0, 0, 1)
        (shown,) = get(api, "/targets/p.1")["indicators"]
        assert (shown["code"], shown["goal"], shown["latest"]["value"]) == ("p.1.1", 12, 4)
        assert get(api, "/indicators/p.1.1")["goal_version"] == 2

    def test_indicator_with_values_that_gives_way_to_another_is_a_warning(self, api: Api) -> None:
        first = short_plan("1.新建公园10个。(牵头单位:市住建局)")
        second = short_plan("1.建成口袋公园12座。(牵头单位:市住建局)")
        imported(api, first, "p")
        assert found(post(api, second, "p", dry_run=True).json(), "indicator_replaced") == []
        record(api, "p.1.1", 4)
        (finding,) = found(imported(api, second, "p"), "indicator_replaced")
        assert (finding["severity"], finding["line"]) == ("warning", 2)
        assert "新建公园10个" in finding["detail"]
        assert finding["text"] in finding["detail"]


class TestRenumbered:
    def test_statement_under_another_number_is_a_warning_that_names_both(self, api: Api) -> None:
        parks, schools = "新建公园10个。(牵头单位:市住建局)", "新建学校5所。(牵头单位:市教育局)"
        imported(api, short_plan(f"1.{parks}", f"2.{schools}"), "p")
        report = post(api, short_plan("1.新建步道3公里。(牵头单位:市住建局)", f"2.{parks}", f"3.{schools}"), "p").json()
        moved = found(report, "renumbered")
        assert [(finding["severity"], finding["line"], finding["text"]) for finding in moved] == [
            ("warning", 3, "新建公园10个。"),
            ("warning", 4, "新建学校5所。"),
        ]
        assert all(number in moved[0]["detail"] for number in ("1", "2"))

    def test_repeated_statement_is_none(self, api: Api) -> None:
        line = "新建公园10个。(牵头单位:市住建局)"
        imported(api, short_plan(f"1.{line}", f"2.{line}"), "p")
        assert found(imported(api, short_plan(f"1.{line}", f"2.{line}", f"3.{line}"), "p"), "renumbered") == []


class TestOrderOfChanges:
    def test_removed_targets_in_the_order_they_had(self, api: Api, database: Database) -> None:
        lines = [f"{number}.新建公园{number}0个。(牵头单位:市住建局)" for number in range(1, 10)]
        imported(api, short_plan(*lines), "p")
        number = last_change(database)
        imported(api, short_plan(lines[0]), "p")
        removed = [code for kind, code, _ in changes_after(database, number) if kind == "target.removed"]
        assert removed == [f"p.{place}" for place in range(2, 10)]
