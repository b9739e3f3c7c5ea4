"""What an import does to a plan that is there: exactly what the document says otherwise than the last one did."""

from typing import Any

from sqlalchemy import func, select
from sqlmodel import col

from app.db import Database
from app.tables import Assignment, Target
from tests.conftest import MERGE_PATCH, Api
from tests.history import changes_after, last_change, snapshot
from tests.importing import PLAN, corrected, get, imported, post, short_plan, what_changes

ITEM_62 = "62.支持特殊教育普惠发展。(牵头单位:市教育局;责任单位:市残联,各县市区人民政府)\n"
LAST_HEADING = "深化重点领域改革。\n"
FIGURE = {"indicator": "xianning-2023.58.1", "period": "2023-06", "value": 46.8}
# one correction of every kind, with the targets that it changes
CORRECTIONS = (
    (ITEM_62, ""),
    ("打造中部地区制造业强县", "打造全国制造业强县"),
    ("配置。(牵头单位:市教育局;责任单位:各县市区人民政府)", "配置。(牵头单位:市教育局;责任单位:市财政局)"),
    ("占比超过46%", "占比超过48%"),
    ("强化科技创新支撑。", "强化科技创新。"),
    (LAST_HEADING, "77.新建公园10个。(牵头单位:市住建局)\n" + LAST_HEADING),
)
CHANGED = ["54", "57", "58", "65", "66", "67", "68", "69", "70"]
MOVED = ["63", "64", "71", "72", "73", "74", "75", "76"]  # what stands below item 62 is a line further up without it


def kinds(database: Database, number: int, resource: str = "") -> list[tuple[str, str]]:
    """The changes after a number as type and code, of one resource or all."""
    return [(kind, code) for kind, code, _ in changes_after(database, number) if kind.startswith(resource)]


def assigned(api: Api, number: str, plan: str = "xianning-2023") -> list[str]:
    """The aliases or names of the units assigned to a target, as `name:role`."""
    items = get(api, f"/assignments?target={plan}.{number}&limit=100")["items"]
    return [f"{item['unit']['name']}:{item['role']}" for item in items]


def patch(api: Api, path: str, **fields: Any) -> None:
    response = api.admin.patch(f"/api/v1{path}", json=fields, headers=MERGE_PATCH)
    assert response.status_code == 200, response.text


def revise(api: Api, indicator: str, goal: float) -> None:
    body = {"goal": goal, "reason": "常务会议调整", "document_number": "咸政办发〔2023〕12号"}
    assert api.admin.post(f"/api/v1/indicators/{indicator}/goals", json=body).status_code == 201


class TestCorrectedDocument:
    def test_dry_run_reports_the_same_as_the_real_run_and_writes_nothing(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        text = corrected(*CORRECTIONS)
        response = post(api, text, dry_run=True)
        trial = response.json()
        assert response.status_code == 200
        assert "Location" not in response.headers
        assert (trial["code"], trial["dry_run"], trial["state"]) == (None, True, "draft")
        assert post(api, text, "never-seen", dry_run=True).json()["counts"]["added"] == 25
        assert snapshot(database) == before
        real = imported(api, text)
        assert real == trial | {"code": "xianning-2023.import-2", "dry_run": False, "state": "accepted"}
        assert get(api, "/imports/xianning-2023.import-2") == real

    def test_every_kind_of_correction_and_nothing_else(self, api: Api, database: Database) -> None:
        number = last_change(database)
        at = get(api, "/targets/xianning-2023.53")["updated_at"]
        report = imported(api, corrected(*CORRECTIONS))
        assert what_changes(report) == (1, len(CHANGED), 1, 15)
        targets = kinds(database, number, "target.")
        assert targets == [
            *(("target.changed", f"xianning-2023.{one}") for one in sorted(CHANGED + MOVED)),
            ("target.created", "xianning-2023.77"),
            ("target.removed", "xianning-2023.62"),
        ]
        assert kinds(database, number, "goal.") == [("goal.revised", "xianning-2023.58.1")]
        assert kinds(database, number, "plan.") == [("plan.changed", "xianning-2023")]
        assert [kind for kind, _ in kinds(database, number, "section.")] == ["section.created", "section.removed"]
        indicators = [kind for kind, _ in kinds(database, number, "indicator.")]
        assert (indicators.count("indicator.created"), indicators.count("indicator.removed")) == (1, 0)
        assert get(api, "/targets/xianning-2023.54")["statement"] == "支持通城县打造全国制造业强县。"
        assert [name.rpartition(":")[0] for name in assigned(api, "57")] == ["咸宁市教育局", "咸宁市财政局"]
        assert get(api, "/targets/xianning-2023.65")["section"][1] == "强化科技创新"
        assert get(api, "/targets/xianning-2023.53")["updated_at"] == at
        listed = [section["heading"] for section in get(api, "/plans/xianning-2023/sections")["items"]]
        assert ("强化科技创新" in listed, "强化科技创新支撑" in listed) == (True, False)

    def test_values_goals_and_versions_stay(self, api: Api) -> None:
        assert api.education.post("/api/v1/values", json=FIGURE).status_code == 201
        imported(api, corrected(*CORRECTIONS))
        indicator = get(api, "/indicators/xianning-2023.58.1")
        assert (indicator["goal"], indicator["goal_version"]) == (48, 2)
        assert indicator["latest"] == {"period": "2023-06", "value": 46.8}
        code = "xianning-2023.58.1:xianning-education-bureau:2023-06"
        assert [row["value"] for row in get(api, f"/values/{code}/revisions")["items"]] == [46.8]
        assert api.education.post("/api/v1/values", json=FIGURE | {"value": 47}).status_code == 200

    def test_second_import_of_it_changes_nothing_and_the_first_document_undoes_it(
        self, api: Api, database: Database
    ) -> None:
        imported(api, corrected(*CORRECTIONS))
        before = snapshot(database)
        assert post(api, corrected(*CORRECTIONS)).status_code == 200
        assert snapshot(database) == before
        assert what_changes(imported(api, PLAN)) == (1, len(CHANGED), 1, 15)
        assert get(api, "/indicators/xianning-2023.58.1")["goal_version"] == 3
        assert post(api, PLAN).status_code == 200

    def test_what_only_moved_is_recorded_and_not_counted(self, api: Api, database: Database) -> None:
        number = last_change(database)
        at = get(api, "/targets/xianning-2023.58")["updated_at"]
        report = imported(api, "\n" + PLAN)
        assert what_changes(report) == (0, 0, 0, 25)
        recorded = kinds(database, number)
        assert (recorded[0][0], recorded[-1]) == ("plan.changed", ("import.finished", report["code"]))
        assert [kind for kind, _ in recorded[1:-1]] == ["target.changed"] * 25 + ["indicator.changed"] * 12
        target = get(api, "/targets/xianning-2023.58")
        assert target["line"] == report["targets"][6]["line"] == 11
        assert target["updated_at"] > at
        assert get(api, "/indicators/xianning-2023.58.1")["line"] == 11
        assert post(api, "\n" + PLAN).status_code == 200


class TestRemovedTarget:
    def test_rows_stay_and_everything_comes_back_with_it(self, api: Api, database: Database) -> None:
        target = "xianning-2023.58"
        assert api.education.post("/api/v1/values", json=FIGURE).status_code == 201
        code = f"{target}:xianning-education-bureau:lead"
        assert api.education.post(f"/api/v1/assignments/{code}/acknowledgement").status_code == 200
        own = {"target": target, "name": "新增学位", "measure": "个", "comparator": "ge", "kind": "level", "goal": 1}
        assert api.admin.post("/api/v1/indicators", json=own).status_code == 201
        without = "".join(line for line in PLAN.splitlines(keepends=True) if not line.startswith("58."))
        number = last_change(database)
        assert what_changes(imported(api, without)) == (0, 0, 1, 24)
        gone = kinds(database, number)
        assert ("target.removed", target) in gone
        assert [kind for kind, _ in gone].count("assignment.removed") == 7
        assert [one for kind, one in gone if kind == "indicator.removed"] == [f"{target}.1", f"{target}.2"]
        for path in (f"/targets/{target}", f"/indicators/{target}.1", f"/indicators/{target}.2"):
            assert api.admin.get(f"/api/v1{path}").status_code == 404
        assert api.education.post("/api/v1/values", json=FIGURE | {"value": 47}).status_code == 404
        with database.reading() as session:
            kept = select(func.count()).select_from(Assignment).join(Target, col(Target.id) == Assignment.target_id)
            assert session.execute(kept.where(col(Target.code) == target)).scalar_one() == 7
        number = last_change(database)
        assert what_changes(imported(api, PLAN)) == (1, 0, 0, 24)
        back = kinds(database, number)
        assert [one for kind, one in back if kind == "indicator.created"] == [f"{target}.2", f"{target}.1"]
        assert [kind for kind, _ in back].count("assignment.created") == 7
        assert [one["code"] for one in get(api, f"/targets/{target}")["indicators"]] == [f"{target}.1", f"{target}.2"]
        assert get(api, f"/indicators/{target}.1")["latest"] == {"period": "2023-06", "value": 46.8}
        items = get(api, f"/assignments?target={target}&role=lead")["items"]
        assert [(item["code"], item["acknowledged_at"]) for item in items] == [(code, None)]


class TestAdministratorsWord:
    def test_stays_where_the_document_says_the_same_as_before(self, api: Api, database: Database) -> None:
        target, indicator = "/targets/xianning-2023.58", "xianning-2023.58.1"
        units = [{"unit": "市教育局", "role": "lead"}, {"unit": "市财政局", "role": "supporting"}]
        patch(api, target, statement="由管理员改写。", due_on="2023-11-30", units=units)
        patch(api, f"/indicators/{indicator}", name="公办园占比", frequency="month", comparator="ge")
        revise(api, indicator, 45)
        before = snapshot(database)
        assert post(api, PLAN).status_code == 200
        assert snapshot(database) == before
        assert what_changes(imported(api, corrected(("强县工程示范区", "强县示范区")))) == (0, 1, 0, 24)
        stands = get(api, target)
        assert (stands["statement"], stands["due_on"]) == ("由管理员改写。", "2023-11-30")
        assert [(unit["name"], unit["role"]) for unit in stands["units"]] == [
            ("咸宁市教育局", "lead"),
            ("咸宁市财政局", "supporting"),
        ]
        shown = get(api, f"/indicators/{indicator}")
        assert (shown["name"], shown["frequency"], shown["comparator"]) == ("公办园占比", "month", "ge")
        assert (shown["goal"], shown["goal_version"]) == (45, 3)  # another comparator is a revision too

    def test_goal_that_was_revised_outlives_another_comparator(self, api: Api) -> None:
        revise(api, "xianning-2023.58.1", 45)
        assert what_changes(imported(api, corrected(("占比超过46%", "占比达到46%")))) == (0, 1, 0, 24)
        shown = get(api, "/indicators/xianning-2023.58.1")
        assert (shown["comparator"], shown["goal"], shown["goal_version"]) == ("ge", 45, 3)
        goal = get(api, "/indicators/xianning-2023.58.1/goals")["items"][-1]
        assert (goal["previous_goal"], goal["goal"], goal["reason"]) == (45, 45, "方案文件更正")
        assert (goal["previous_comparator"], goal["comparator"]) == ("gt", "ge")

    def test_figures_and_comparator_never_come_from_two_sides_that_do_not_fit(
        self, api: Api, database: Database
    ) -> None:
        """An administrator made it a range: one figure of the document takes its comparator along, and back again."""
        path = "/indicators/xianning-2023.58.1"
        why = {"reason": "常务会议调整", "document_number": "咸政办发〔2023〕12号"}
        for words, stands in (("超过47%", ("gt", 47, None, 3)), ("达到47%", ("ge", 47, None, 5))):
            body = {"comparator": "range", "goal": 45, "goal_to": 50} | why
            assert api.admin.post(f"/api/v1{path}/goals", json=body).status_code == 201
            number = last_change(database)
            assert what_changes(imported(api, corrected(("占比超过46%", f"占比{words}"))))[1] == 1
            shown = get(api, path)
            assert (shown["comparator"], shown["goal"], shown["goal_to"], shown["goal_version"]) == stands
            goal = get(api, f"{path}/goals")["items"][-1]
            assert (goal["previous_comparator"], goal["comparator"]) == ("range", stands[0])
            indicators = [kind for kind in kinds(database, number, "indicator.") if kind[1].endswith(".58.1")]
            assert indicators == [("indicator.changed", "xianning-2023.58.1")]
            assert kinds(database, number, "goal.") == [("goal.revised", "xianning-2023.58.1")]

    def test_gives_way_where_the_document_says_something_new(self, api: Api, database: Database) -> None:
        patch(api, "/targets/xianning-2023.58", statement="由管理员改写。", due_on="2023-11-30")
        revise(api, "xianning-2023.58.1", 45)
        number = last_change(database)
        imported(api, corrected(("占比超过46%", "占比超过50%")))
        stands = get(api, "/targets/xianning-2023.58")
        assert stands["statement"] == "实施学前教育学位扩充行动,公办幼儿园在园幼儿占比超过50%。"
        assert stands["due_on"] == "2023-11-30"
        ((_, _, goal),) = [change for change in changes_after(database, number) if change[0] == "goal.revised"]
        assert (goal["version"], goal["goal"], goal["reason"]) == (3, 50, "方案文件更正")


class TestIndicators:
    def test_added_changed_and_removed_inside_a_target(self, api: Api, database: Database) -> None:
        first = "1.新建公园10个，新建广场10个，新建公园10个。(牵头单位:市住建局)"
        imported(api, short_plan(first), "p")
        assert [one["code"] for one in get(api, "/targets/p.1")["indicators"]] == ["p.1.1", "p.1.2", "p.1.3"]
        number = last_change(database)
        second = "1.新建步道3公里，新建公园10个，新建公园12个。(牵头单位:市住建局)"
        assert what_changes(imported(api, short_plan(second), "p")) == (0, 1, 0, 0)
        shown = [(one["code"], one["name"], one["goal"]) for one in get(api, "/targets/p.1")["indicators"]]
        assert shown == [("p.1.1", "新建公园", 10), ("p.1.3", "新建公园", 12), ("p.1.4", "新建步道", 3)]
        assert kinds(database, number, "indicator.") == [
            *(("indicator.changed", code) for code in ("p.1.1", "p.1.3")),  # both stand elsewhere in the line
            ("indicator.removed", "p.1.2"),
            ("indicator.created", "p.1.4"),
        ]
        assert kinds(database, number, "goal.") == [("goal.revised", "p.1.3")]
        assert get(api, "/indicators/p.1.3")["start"] == second.index("新建公园12个")
        assert what_changes(imported(api, short_plan(first), "p")) == (0, 1, 0, 0)
        assert [one["code"] for one in get(api, "/targets/p.1")["indicators"]] == ["p.1.1", "p.1.2", "p.1.3"]
        assert [get(api, f"/indicators/p.1.{n}")["start"] for n in (1, 2, 3)] == [2, 10, 18]

    def test_other_measure_is_another_indicator(self, api: Api) -> None:
        imported(api, short_plan("1.新建公园10个。(牵头单位:市住建局)"), "p")
        imported(api, short_plan("1.新建公园10座。(牵头单位:市住建局)"), "p")
        assert [one["code"] for one in get(api, "/targets/p.1")["indicators"]] == ["p.1.2"]
        assert api.admin.get("/api/v1/indicators/p.1.1").status_code == 404

    def test_range_and_back(self, api: Api) -> None:
        goals = []
        for words in ("10个", "10—12个", "10个"):
            imported(api, short_plan(f"1.新建公园{words}。(牵头单位:市住建局)"), "p")
            shown = get(api, "/indicators/p.1.1")
            goals.append((shown["comparator"], shown["goal"], shown["goal_to"], shown["goal_version"]))
        assert goals == [("ge", 10, None, 1), ("range", 10, 12, 2), ("ge", 10, None, 3)]


class TestUnits:
    def test_unknown_unit_is_found_once_it_is_registered(self, api: Api, database: Database) -> None:
        text = short_plan("1.新建公园10个。(牵头单位:市住建局;责任单位:市园林局)")
        report = imported(api, text, "p")
        (finding,) = [finding for finding in report["findings"] if finding["code"] == "unit_unknown"]
        assert (finding["line"], finding["text"]) == (2, "市园林局")
        assert assigned(api, "1", "p") == ["咸宁市住房和城乡建设局:lead"]
        unit = {"code": "park-bureau", "name": "咸宁市园林局", "kind": "department", "aliases": ["市园林局"]}
        assert api.admin.post("/api/v1/units", json=unit).status_code == 201
        number = last_change(database)
        report = imported(api, text, "p")
        assert what_changes(report) == (0, 1, 0, 0)
        assert report["findings"] == []
        assert ("assignment.created", "p.1:park-bureau:responsible") in kinds(database, number)
        assert assigned(api, "1", "p") == ["咸宁市住房和城乡建设局:lead", "咸宁市园林局:responsible"]
        assert post(api, text, "p").status_code == 200

    def test_ambiguous_alias_is_a_finding_and_a_name_goes_before_an_alias(self, api: Api) -> None:
        for code, name in (("north", "城北办事处"), ("south", "城南办事处")):
            unit = {"code": code, "name": name, "kind": "other", "aliases": ["办事处", "咸宁市民政局"]}
            assert api.admin.post("/api/v1/units", json=unit).status_code == 201
        text = short_plan("1.新建公园10个。(牵头单位:咸宁市民政局;责任单位:办事处)")
        report = imported(api, text, "p")
        (finding,) = report["findings"]
        assert (finding["code"], finding["text"], finding["suggestions"]) == (
            "unit_ambiguous",
            "办事处",
            ["north", "south"],
        )
        assert [unit["code"] for unit in report["targets"][0]["units"]] == ["xianning-civil-affairs-bureau", None]
        assert assigned(api, "1", "p") == ["咸宁市民政局:lead"]

    def test_group_without_members_is_assigned_itself_until_it_has_some(self, api: Api) -> None:
        assert "“香城人才卡”联席会议成员单位:responsible" in assigned(api, "76")
        patch(api, "/units/xianning-talent-card-members", members=["市人社局", "市教育局"])
        assert assigned(api, "76") == [
            *("咸宁市人力资源和社会保障局:lead", "咸宁市人力资源和社会保障局:responsible"),
            "咸宁市教育局:responsible",
        ]
        report = post(api, PLAN).json()
        assert "group_members_unknown" not in {finding["code"] for finding in report["findings"]}
        assert what_changes(report) == (0, 0, 0, 25)

    def test_unit_named_directly_and_through_a_group_is_one_direct_assignment(self, api: Api) -> None:
        text = short_plan("1.新建公园10个。(责任单位:各县市区人民政府,嘉鱼县人民政府,嘉鱼县政府)")
        assert imported(api, text, "p")["counts"]["assignments"] == 6
        items = get(api, "/assignments?plan=p")["items"]
        assert [item["unit"]["name"] for item in items if item["via"] is None] == ["嘉鱼县人民政府"]


class TestNumbers:
    def test_number_that_stands_again_gets_a_code_of_its_own(self, api: Api) -> None:
        lines = ("1.新建公园10个。(牵头单位:市住建局)", "1.新建学校5所。(牵头单位:市教育局)")
        report = imported(api, short_plan(*lines), "p")
        assert [target["number"] for target in report["targets"]] == ["1", "1"]
        codes = [target["code"] for target in get(api, "/targets?plan=p")["items"]]
        assert codes == ["p.1", "p.1-2"]
        assert get(api, "/indicators/p.1-2.1")["name"] == "新建学校"
        assert post(api, short_plan(*lines), "p").status_code == 200


class TestSections:
    def test_tree_that_changes_and_comes_back(self, api: Api, database: Database) -> None:
        first = short_plan(
            "一、经济",
            "（一）城建",
            "1.新建公园10个。(牵头单位:市住建局)",
            "二、民生",
            "2.新建学校5所。(牵头单位:市教育局)",
        )
        second = short_plan("一、民生", "1.新建公园10个。(牵头单位:市住建局)", "2.新建学校5所。(牵头单位:市教育局)")
        imported(api, first, "p")
        tree = [(row["code"], row["parent"]) for row in get(api, "/plans/p/sections")["items"]]
        assert tree == [("p.s1", None), ("p.s2", "p.s1"), ("p.s3", None)]
        assert get(api, "/targets/p.1")["section"] == ["一、经济", "（一）城建"]
        assert what_changes(imported(api, second, "p")) == (0, 2, 0, 0)
        assert [row["code"] for row in get(api, "/plans/p/sections")["items"]] == ["p.s4"]
        number = last_change(database)
        assert what_changes(imported(api, first, "p")) == (0, 2, 0, 0)
        assert [row["code"] for row in get(api, "/plans/p/sections")["items"]] == ["p.s1", "p.s2", "p.s3"]
        assert kinds(database, number, "section.") == [
            *(("section.created", f"p.s{n}") for n in (1, 2, 3)),
            ("section.removed", "p.s4"),
        ]
