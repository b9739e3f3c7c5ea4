"""Imports over HTTP: who may, what a report says and points at, which documents are refused with nothing written."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.db import Database
from tests.asking import faults, told
from tests.conftest import CLIENTS, Api
from tests.history import snapshot
from tests.importing import PLAN, TEXT, corrected, get, imported, post, short_plan

GOLD = json.loads((Path(__file__).parents[1] / "data/xianning_2023.gold.json").read_text(encoding="utf-8"))["targets"]
COUNTS = {"targets": 25, "units": 34, "assignments": 154, "indicators": 12} | dict.fromkeys(
    ("added", "changed", "removed", "unchanged"), 0
)
GROUP = "各县市区人民政府"
WITHOUT_LEAD = ["67", "68", "69", "73", "75"]
ADMIN_ONLY = dict.fromkeys(("anonymous", *CLIENTS), 403) | {"anonymous": 401, "admin": 200}


def words_at(place: dict[str, Any], text: str = PLAN) -> str:
    """The characters of a document that a place in a report points at."""
    return text.splitlines()[place["line"] - 1][place["start"] : place["end"]]


class TestImportDocument:
    def test_who_may(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        request = {"params": {"plan": "xianning-2023"}, "content": PLAN.encode(), "headers": TEXT}
        assert told(api, "POST", "/imports", **request) == ADMIN_ONLY
        assert snapshot(database) == before

    def test_same_document_again_200_and_nothing_written(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        response = post(api, PLAN)
        assert response.status_code == 200
        report = response.json()
        assert report["code"] == "xianning-2023.import-1"
        assert response.headers["Location"] == "/api/v1/imports/xianning-2023.import-1"
        assert report["counts"] == COUNTS | {"unchanged": 25}
        assert snapshot(database) == before
        assert get(api, "/imports/xianning-2023.import-1")["counts"] == COUNTS | {"added": 25}

    def test_new_plan_201_with_its_facts(self, api: Api) -> None:
        facts = {"issuer": "咸宁市人民政府", "region_code": "421200", "source": "plan.txt"}
        response = post(api, PLAN, "xianning-2023b", **facts)
        report = response.json()
        assert (response.status_code, report["code"]) == (201, "xianning-2023b.import-1")
        assert (report["state"], report["dry_run"]) == ("accepted", False)
        assert get(api, response.headers["Location"].removeprefix("/api/v1")) == report
        plan = get(api, "/plans/xianning-2023b")
        assert {name: plan[name] for name in facts} == facts
        assert plan["title"] == PLAN.splitlines()[0]
        assert (plan["year"], plan["starts_on"], plan["ends_on"]) == (2023, "2023-01-01", "2023-12-31")

    def test_title_and_year_may_be_given_and_changed(self, api: Api) -> None:
        text = "1.新建公园10个。(牵头单位:市住建局)\n"
        assert faults(post(api, text, "p")) == [("/query/title", "title_unknown")]
        assert faults(post(api, text, "p", title="重点工作")) == [("/query/year", "year_unknown")]
        assert post(api, text, "p", title="重点工作", year=2024).status_code == 201
        assert post(api, text, "p").status_code == 200
        assert post(api, text, "p", title="重点工作", year=2024).status_code == 200
        assert post(api, text, "p", title="年度重点工作", year=2025).json()["code"] == "p.import-2"
        plan = get(api, "/plans/p")
        assert (plan["title"], plan["year"], plan["ends_on"]) == ("年度重点工作", 2025, "2025-12-31")

    def test_bytes_are_read_in_the_encoding_they_have(self, api: Api) -> None:
        """As `curl --data-binary` sends them, too: it names a form unless told otherwise."""
        for content_type, document in (
            ("application/octet-stream", PLAN.encode("gb18030")),
            ("text/plain; charset=utf-8", PLAN.encode("utf-16")),
            ("application/x-www-form-urlencoded", PLAN.encode("utf-8-sig")),
        ):
            response = api.admin.post(
                "/api/v1/imports?plan=p&dry_run=true", content=document, headers={"Content-Type": content_type}
            )
            assert response.status_code == 200, response.text
            assert [target["statement"] for target in response.json()["targets"]] == [one["text"] for one in GOLD]

    def test_published_page_around_the_plan_is_left_out(self, api: Api) -> None:
        page = f"首页 > 政务公开 > 规划计划\n\n{PLAN}\n免责声明：本网转载，仅供参考。\n版权所有 ICP备12345678号\n"
        report = post(api, page, "p", dry_run=True).json()
        assert [target["statement"] for target in report["targets"]] == [one["text"] for one in GOLD]


class TestReport:
    def test_targets_of_the_shipped_plan(self, api: Api) -> None:
        report = post(api, PLAN).json()
        found = {target["number"]: target for target in report["targets"]}
        assert list(found) == [one["number"] for one in GOLD] == [str(number) for number in range(52, 77)]
        for one in GOLD:
            target = found[one["number"]]
            assert [heading.strip("。") for heading in target["section"]] == one["path"]
            names = {"lead": one["lead_units"], "responsible": one["responsible_units"], "supporting": []}
            for role, expected in names.items():
                assert [unit["name"] for unit in target["units"] if unit["role"] == role] == expected
            assert [text["text"] for text in target["indicators"]] == [text["text_span"] for text in one["indicators"]]
        roles = [unit["role"] for target in found.values() for unit in target["units"]]
        assert (roles.count("lead"), roles.count("responsible")) == (20, 74)
        assert all(unit["code"] is not None for target in found.values() for unit in target["units"])

    def test_places_point_at_the_words(self, api: Api) -> None:
        report = post(api, PLAN).json()
        for target in report["targets"]:
            assert words_at(target) == target["statement"]
            for indicator in target["indicators"]:
                assert words_at(indicator) == indicator["text"]
        for finding in report["findings"]:
            assert words_at(finding) == finding["text"]
        (indicator,) = next(target["indicators"] for target in report["targets"] if target["number"] == "60")
        assert (indicator["comparator"], indicator["goal"], indicator["each_member"]) == ("ge", 1, True)

    def test_group_is_printed_once_and_assigned_by_its_six_members(self, api: Api) -> None:
        naming = [one["number"] for one in GOLD if GROUP in one["responsible_units"]]
        assert len(naming) == 12
        for number in naming:
            assigned = get(api, f"/assignments?target=xianning-2023.{number}&limit=100")["items"]
            assert [item["via"]["name"] for item in assigned if item["via"] is not None] == [GROUP] * 6
            printed = get(api, f"/targets/xianning-2023.{number}")["units"]
            assert [unit["name"] for unit in printed].count(GROUP) == 1
        for number in WITHOUT_LEAD:
            assert {unit["role"] for unit in get(api, f"/targets/xianning-2023.{number}")["units"]} == {"responsible"}

    def test_findings_in_the_language_asked_for(self, api: Api) -> None:
        for language, expected in (("zh-CN", "第 67 项没有写明牵头单位"), ("en", "Item 67 names no lead unit")):
            headers = TEXT | {"Accept-Language": language}
            path = "/api/v1/imports?plan=xianning-2023"
            for response in (
                api.admin.post(path, content=PLAN.encode(), headers=headers),
                api.admin.get("/api/v1/imports/xianning-2023.import-1", headers=headers),
            ):
                findings = response.json()["findings"]
                assert any(finding["detail"].startswith(expected) for finding in findings)
                about = [finding["text"] for finding in findings if finding["code"] == "group_members_unknown"]
                assert about == ["“香城人才卡”联席会议成员单位"]
                assert [finding["code"] for finding in findings].count("no_lead") == len(WITHOUT_LEAD)

    def test_unknown_name_and_number_that_stands_twice(self, api: Api) -> None:
        text = corrected(("52.培育特色产业集群", "53.培育特色产业集群"), ("市残联", "市残连"))
        report = post(api, text, "p", dry_run=True).json()
        unknown = next(finding for finding in report["findings"] if finding["code"] == "unit_unknown")
        assert (unknown["severity"], unknown["text"], words_at(unknown, text)) == ("warning", "市残连", "市残连")
        assert unknown["suggestions"][0] == "市残联"
        named = [unit for target in report["targets"] for unit in target["units"] if unit["name"] == "市残连"]
        assert named == [{"name": "市残连", "code": None, "role": "responsible"}]
        assert "duplicate_number" in {finding["code"] for finding in report["findings"]}


class TestRefusedDocuments:
    def test_422_says_why(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for document, code, told_of in (
            (b"", "document_empty", ""),
            (" \r\n\t\n\u3000\n", "document_empty", ""),
            (b"PK\x03\x04" + bytes(2000), "document_unreadable", "DOCX"),
            (b"\x89PNG\r\n\x1a\n" + bytes(2000), "document_unreadable", "PNG"),
            (b"%PDF-1.7\n%\xe2\xe3", "document_unreadable", "PDF"),
            (PLAN.encode() + b"\0", "document_unreadable", "NUL"),
            (bytes(range(128, 256)) * 20, "document_unreadable", "0x80"),
            ("关于召开会议的通知\n请各单位参加。\n", "document_without_targets", "牵头单位"),
        ):
            for dry_run in (False, True):
                response = post(api, document, "new-plan", dry_run=dry_run)
                assert (response.status_code, response.json()["code"]) == (422, code)
                assert told_of in response.json()["detail"]
        assert snapshot(database) == before

    def test_without_a_target_422_names_what_was_looked_for(self, api: Api) -> None:
        response = api.admin.post(
            "/api/v1/imports?plan=p", content=b"hello\nworld\n", headers=TEXT | {"Accept-Language": "en"}
        )
        assert response.json()["detail"].startswith("No target was found in 2 lines. What was looked for")

    def test_too_large_413(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        limit = api.app.state.settings.max_body_bytes
        filled = PLAN.encode() + b" " * (limit - len(PLAN.encode()))
        assert post(api, filled, dry_run=True).status_code == 200
        response = post(api, filled + b" ")
        assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
        assert f"{limit} " in response.json()["detail"]
        assert snapshot(database) == before

    def test_too_many_targets_or_headings_422(
        self, api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = snapshot(database)
        monkeypatch.setattr("app.imports.service.MOST_ENTRIES", 25)
        assert post(api, PLAN, dry_run=True).status_code == 200
        item = "新建公园10个。(牵头单位:市住建局)"
        for document in (
            short_plan(*(f"{number}.{item}" for number in range(1, 27))),
            short_plan(*(f"（{number}）标题\n{number}.{item}" for number in range(1, 27))),
        ):
            response = post(api, document, "new-plan")
            assert (response.status_code, faults(response)) == (422, [("", "too_long")])
            assert "25" in response.json()["errors"][0]["detail"]
        assert snapshot(database) == before

    def test_other_content_types_415_with_a_hint(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        requests: list[dict[str, Any]] = [{"json": {"plan": PLAN}}, {"files": {"file": PLAN}}, {"content": PLAN}]
        for request in requests:
            response = api.admin.post("/api/v1/imports?plan=new-plan", **request)
            assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
            assert response.headers["Accept"] == "application/octet-stream"
            assert "Content-Type: application/octet-stream" in response.json()["detail"]
        assert snapshot(database) == before

    def test_wrong_parameters_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for query, expected in (
            ({}, [("/query/plan", "required")]),
            ({"plan": "Xianning"}, [("/query/plan", "bad_format")]),
            ({"plan": "p" * 61}, [("/query/plan", "too_long")]),
            ({"plan": "p", "dry_run": "maybe"}, [("/query/dry_run", "not_true_or_false")]),
            ({"plan": "p", "year": "23"}, [("/query/year", "too_small")]),
            ({"plan": "p", "region_code": "1"}, [("/query/region_code", "bad_format")]),
            ({"plan": "p", "title": " "}, [("/query/title", "too_short")]),
            ({"plan": "p", "dryrun": "true"}, [("/query/dryrun", "unknown_parameter")]),
        ):
            response = api.admin.post("/api/v1/imports", params=query, content=PLAN.encode(), headers=TEXT)
            assert (response.status_code, faults(response)) == (422, expected)
        assert response.json()["errors"][0]["suggestions"][0] == "dry_run"
        assert snapshot(database) == before


class TestGetImport:
    def test_who_may(self, api: Api) -> None:
        everyone = dict.fromkeys(CLIENTS, 200) | {"anonymous": 401}
        assert told(api, "GET", "/imports/xianning-2023.import-1") == everyone

    def test_unknown_404_with_the_nearest(self, api: Api) -> None:
        response = api.reader.get("/api/v1/imports/xianning-2023.import-7")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
        (fault,) = response.json()["errors"]
        assert (fault["pointer"], fault["suggestions"]) == ("/path/import_code", ["xianning-2023.import-1"])

    def test_each_import_keeps_its_report(self, api: Api) -> None:
        first = imported(api, short_plan("1.新建公园10个。(牵头单位:市住建局)"), "p")
        second = imported(api, short_plan("1.新建公园12个。(牵头单位:市住建局)"), "p")
        assert (first["code"], second["code"]) == ("p.import-1", "p.import-2")
        for report in (first, second):
            assert get(api, f"/imports/{report['code']}") == report
        assert first["targets"][0]["indicators"][0]["goal"] == 10
        assert second["targets"][0]["indicators"][0]["goal"] == 12
