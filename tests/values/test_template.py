"""Templates: which figures are open, for whom, and that a filled-in one is taken back as it is."""

import io
import re
import zipfile
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

import pytest
from httpx2 import Response
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from sqlalchemy import update

from app.auth import Caller
from app.db import Database
from app.errors import InvalidRequest
from app.messages import Language
from app.spreadsheets import XLSX_MEDIA_TYPE
from app.tables import Indicator, Plan
from app.types import Frequency, parse_period
from app.values.headings import COLUMNS
from app.values.template import Asked, OpenFigure, Template, _begun, get_value_template
from app.values.template_sheet import draw_template
from tests.asking import ANYONE, add_plan, faults, suggestions, told
from tests.client import AppClient
from tests.conftest import MERGE_PATCH, Api

PATH = "/plans/xianning-2023/values/template"
INDICATOR, UNIT = "xianning-2023.58.1", "xianning-education-bureau"
VALUE = {"indicator": INDICATOR, "period": "2023", "value": 46.8}
NAMES = [column.name for column in COLUMNS]


def ask(client: AppClient, path: str = PATH, language: str = "en", **query: object) -> Response:
    return client.get(f"/api/v1{path}", params=query, headers={"Accept-Language": language})


def sheets(body: bytes) -> list[list[list[Any]]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(body))
    return [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]


def figures(response: Response) -> list[dict[str, Any]]:
    """The rows to fill in, by their English headings."""
    assert response.status_code == 200, response.text
    heading, *rows = sheets(response.content)[0]
    assert heading == NAMES
    return [dict(zip(heading, row, strict=True)) for row in rows]


def places(response: Response) -> list[tuple[str, str, str]]:
    """Indicator, unit and period of each row."""
    return [(row["indicator"], row["unit"], row["period"]) for row in figures(response)]


def periods(database: Database, today: str, plan: str = "xianning-2023") -> list[str]:
    """The open periods of the first indicator of the education bureau, or of the plan's only one."""
    unit = "市教育局" if plan == "xianning-2023" else None
    with database.reading() as session:
        found = get_value_template(session, Caller.command_line(), plan, unit, date.fromisoformat(today))
    first = found.asked[0].indicator
    return [figure.period for figure in found.figures if figure.asked.indicator == first]


def parts(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def form(body: bytes) -> str:
    """The XML of the first sheet."""
    return parts(body)["xl/worksheets/sheet1.xml"].decode()


def fill_in(body: bytes, values: dict[int, float]) -> bytes:
    """The very file, with figures typed into rows of its column of values; rows count from 1 below the heading."""
    sheet = form(body)
    for row, value in values.items():
        before = rf'(<row r="{row + 1}".*?<c r="H{row + 1}".*?</c>(?:<c r="I{row + 1}".*?</c>)?)'
        sheet, count = re.subn(before, rf'\1<c r="J{row + 1}"><v>{value}</v></c>', sheet, flags=re.DOTALL)
        assert count == 1
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (parts(body) | {"xl/worksheets/sheet1.xml": sheet.encode()}).items():
            archive.writestr(name, content)
    return out.getvalue()


def send(client: AppClient, body: bytes, **query: object) -> Response:
    return client.post("/api/v1/values/batch", content=body, params=query, headers={"Content-Type": XLSX_MEDIA_TYPE})


def report_monthly(api: Api) -> None:
    body = '{"frequency": "month"}'
    assert api.admin.patch(f"/api/v1/indicators/{INDICATOR}", content=body, headers=MERGE_PATCH).is_success


class TestGetValueTemplate:
    def test_who_may_and_what_is_there(self, api: Api) -> None:
        """A client that speaks for no unit has nothing to report."""
        assert told(api, "GET", PATH) == ANYONE | {"anonymous": 401, "unbound": 404}
        assert ask(api.unbound).json()["code"] == "nothing_to_report"
        unknown = ask(api.education, "/plans/xianning-2032/values/template")
        assert (unknown.status_code, suggestions(unknown)) == (404, ["xianning-2023"])

    def test_own_units_where_none_is_named(self, api: Api) -> None:
        assert places(ask(api.education)) == [(INDICATOR, UNIT, "2023"), ("xianning-2023.60.1", UNIT, "2023")]
        assert ask(api.education).content == ask(api.education, unit="市教育局").content
        assert {unit for _, unit, _ in places(ask(api.jiayu))} == {"jiayu-county-government"}
        assert len({unit for _, unit, _ in places(ask(api.counties))}) == 6

    def test_all_units_for_who_speaks_for_all_or_only_reads(self, api: Api) -> None:
        everything = places(ask(api.admin))
        assert everything == places(ask(api.reader)) == places(ask(api.reviewer))
        assert len(everything) == len(set(everything)) == 48
        assert set(places(ask(api.education))) < set(everything)

    def test_group_gives_its_members(self, api: Api) -> None:
        assert places(ask(api.admin, unit="各县市区人民政府")) == places(ask(api.counties))
        assert places(ask(api.counties, unit="嘉鱼县人民政府")) == places(ask(api.jiayu))

    def test_unit_of_another_client_403(self, api: Api) -> None:
        refused = ask(api.education, unit="市科技局")
        assert (refused.status_code, refused.json()["code"]) == (403, "not_your_unit")
        assert ask(api.reader, unit="市科技局").status_code == 200

    def test_unknown_unit_422(self, api: Api) -> None:
        refused = ask(api.education, unit="市教肓局")
        assert faults(refused) == [("/query/unit", "unit_unknown")]
        assert suggestions(refused)[0] == "市教育局"

    def test_unit_without_an_indicator_404(self, api: Api) -> None:
        refused = ask(api.admin, unit="市残联", language="zh")
        assert (refused.status_code, refused.json()["code"]) == (404, "nothing_to_report")
        assert refused.json()["detail"] == "在方案 xianning-2023 中，所查单位不负责任何指标。请用参数 unit 指明单位。"

    def test_removed_assignment_is_not_asked_for(self, api: Api) -> None:
        body = '{"units": [{"unit": "市财政局", "role": "lead"}]}'
        assert api.admin.patch("/api/v1/targets/xianning-2023.58", content=body, headers=MERGE_PATCH).is_success
        assert places(ask(api.education)) == [("xianning-2023.60.1", UNIT, "2023")]

    def test_unit_in_two_roles_is_asked_once(self, api: Api) -> None:
        units = '[{"unit": "市教育局", "role": "lead"}, {"unit": "市教育局", "role": "supporting"}]'
        body = f'{{"units": {units}}}'
        assert api.admin.patch("/api/v1/targets/xianning-2023.58", content=body, headers=MERGE_PATCH).is_success
        assert len(places(ask(api.education))) == 2

    def test_name_and_etag(self, api: Api) -> None:
        response = ask(api.education)
        assert response.headers["Content-Type"] == XLSX_MEDIA_TYPE
        assert response.headers["Vary"] == "Accept-Language"
        ascii_name, _, name = response.headers["Content-Disposition"].partition("; filename*=UTF-8''")
        assert ascii_name == 'attachment; filename="xianning-2023-template.xlsx"'
        assert unquote(name).endswith("责任分解方案填报表.xlsx")
        again = api.education.get(
            f"/api/v1{PATH}", headers={"If-None-Match": response.headers["ETag"]} | {"Accept-Language": "en"}
        )
        assert again.status_code == 304

    def test_longer_than_a_batch_may_be_422(self, database: Database) -> None:
        add_plan(database, "parks", "\n".join(f"{n}.新建公园10个。(牵头单位:市财政局)" for n in range(1, 280)))
        with database.writing() as session:
            session.execute(update(Indicator).values(frequency="day"))
        with database.reading() as session:
            caller = Caller.command_line()
            found = get_value_template(session, caller, "parks", None, date(2024, 12, 23))
            assert len(found.figures) == 279 * 358
            with pytest.raises(InvalidRequest) as refused:
                get_value_template(session, caller, "parks", None, date(2024, 12, 25))
        assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/query/unit", "template_too_long")]


class TestOpenPeriods:
    @pytest.mark.parametrize(
        ("frequency", "today", "open_periods"),
        [
            ("month", "2023-03-01", ["2023-01", "2023-02", "2023-03"]),
            ("month", "2022-12-31", []),
            ("month", "2029-01-01", [f"2023-{month:02}" for month in range(1, 13)]),
            ("quarter", "2023-06-30", ["2023-Q1", "2023-Q2"]),
            ("half_year", "2023-06-30", ["2023-H1"]),
            ("half_year", "2023-07-01", ["2023-H1", "2023-H2"]),
            ("year", "2023-01-01", ["2023"]),
            ("day", "2023-01-03", ["2023-01-01", "2023-01-02", "2023-01-03"]),
            (None, "2023-01-01", ["2023"]),
            (None, "2022-12-31", []),
        ],
    )
    def test_those_that_have_begun(
        self, database: Database, frequency: str | None, today: str, open_periods: list[str]
    ) -> None:
        with database.writing() as session:
            session.execute(update(Indicator).values(frequency=frequency))
        assert periods(database, today) == open_periods

    @pytest.mark.parametrize(
        ("starts_on", "ends_on", "open_periods"),
        [
            ("2021-01-01", "2025-12-31", ["2021", "2022", "2023"]),
            ("2023-01-01", "2023-06-30", ["2023-H1"]),
            ("2023-02-01", "2023-06-30", ["2023-Q2"]),
            ("2022-11-15", "2023-01-15", ["2022-12"]),
            ("2023-05-02", "2023-05-03", ["2023-05-02", "2023-05-03"]),
        ],
    )
    def test_without_a_frequency_the_longest_that_the_plan_s_days_hold(
        self, database: Database, starts_on: str, ends_on: str, open_periods: list[str]
    ) -> None:
        days = {"starts_on": date.fromisoformat(starts_on), "ends_on": date.fromisoformat(ends_on)}
        with database.writing() as session:
            session.execute(update(Plan).values(**days))
        assert periods(database, "2023-12-01") == open_periods

    @given(st.sampled_from([*Frequency, None]), st.dates(), st.integers(0, 1500), st.dates())
    def test_each_lies_in_the_plan_s_days_and_none_is_missing(
        self, frequency: str | None, starts_on: date, length: int, today: date
    ) -> None:
        ends_on = date.fromordinal(min(starts_on.toordinal() + length, date.max.toordinal()))
        found = _begun(frequency, starts_on, ends_on, today)
        assert all(starts_on <= one.first_day <= today and one.last_day <= ends_on for one in found)
        assert found == [parse_period(one.text) for one in found]
        assert sorted(found, key=lambda one: one.first_day) == found
        for one, following in pairwise(found):
            assert (following.first_day - one.last_day).days == 1
        if frequency == "day":
            assert len(found) == max(0, (min(ends_on, today) - starts_on).days + 1)


class TestRows:
    def test_cells(self, api: Api) -> None:
        first = figures(ask(api.education))[0]
        assert first == {
            "indicator": INDICATOR,
            "indicator_name": "公办幼儿园在园幼儿占比",
            "target": "58. 实施学前教育学位扩充行动,公办幼儿园在园幼儿占比超过46%。",
            "measure": "%",
            "goal": "> 46",
            "unit": UNIT,
            "unit_name": "咸宁市教育局",
            "period": "2023",
            **dict.fromkeys(["current", "value", "note", "evidence_url", "expected_version"], ""),
        }

    def test_reported_ones_are_not_asked_for(self, api: Api) -> None:
        report_monthly(api)
        assert api.education.post("/api/v1/values", json=VALUE | {"period": "2023-02", "value": 0}).status_code == 201
        months = [period for indicator, _, period in places(ask(api.education)) if indicator == INDICATOR]
        assert months == [f"2023-{month:02}" for month in (1, *range(3, 13))]

    def test_returned_and_withdrawn_ones_are_asked_for_again(self, api: Api) -> None:
        for period in ("2023-06", "2023"):  # any period will do without a frequency
            assert api.education.post("/api/v1/values", json=VALUE | {"period": period}).status_code == 201
        assert len(places(ask(api.education))) == 1
        code = f"/api/v1/values/{INDICATOR}:{UNIT}:"
        assert api.reviewer.post(f"{code}2023-06/return", json={"reason": "数字有误"}).is_success
        assert api.education.post(f"{code}2023/withdrawal", json={"reason": "报错了"}).is_success
        again = {row["period"]: row for row in figures(ask(api.education)) if row["indicator"] == INDICATOR}
        assert list(again) == ["2023", "2023-06"]
        assert (again["2023-06"]["current"], again["2023-06"]["expected_version"]) == ("46.8 (returned: 数字有误)", 2)
        assert (again["2023"]["current"], again["2023"]["expected_version"]) == ("46.8 (withdrawn: 报错了)", 2)
        assert again["2023"]["value"] == again["2023-06"]["value"] == ""
        chinese = sheets(ask(api.education, language="zh").content)[0]
        assert chinese[1][NAMES.index("current")] == "46.8 (已撤回: 报错了)"

    def test_withdrawn_one_that_would_be_taken_no_more_is_not(self, api: Api) -> None:
        assert api.education.post("/api/v1/values", json=VALUE).status_code == 201
        gone = api.education.post(f"/api/v1/values/{INDICATOR}:{UNIT}:2023/withdrawal", json={"reason": "x"})
        assert gone.is_success
        report_monthly(api)
        assert (INDICATOR, UNIT, "2023") not in places(ask(api.education))

    def test_goals_in_figures_and_signs(self, api: Api) -> None:
        goals = {row["goal"] for row in figures(ask(api.admin))}
        assert {"> 46", "≥ 1"} <= goals
        for comparator, goal_to, words in (("eq", None, "5"), ("range", 7.5, "5–7.5"), ("about", None, "≈ 5")):
            body = {"goal": 5, "goal_to": goal_to, "comparator": comparator, "reason": "调整", "document_number": "1"}
            assert api.admin.post(f"/api/v1/indicators/{INDICATOR}/goals", json=body).is_success
            assert figures(ask(api.education))[0]["goal"] == words


class TestWorkbook:
    def test_headings_in_the_language_that_is_asked_for(self, api: Api) -> None:
        chinese, english = (sheets(ask(api.education, language=language).content) for language in ("zh", "en"))
        assert chinese[0][0] == [column.chinese[0] for column in COLUMNS]
        assert english[0][0] == NAMES
        assert chinese[1][0] == english[1][0] == ["填写说明", "How to fill this in"]
        assert "--data-binary @xianning-2023-template.xlsx" in chinese[1][-2][0]

    def test_codes_that_may_be_chosen(self, api: Api) -> None:
        heading, *rows = sheets(ask(api.counties).content)[2]
        assert heading == ["indicator", "indicator_name", "measure", "unit", "unit_name", "period"]
        assert {row[3] for row in rows if row[3]} == {unit for _, unit, _ in places(ask(api.counties))}
        assert [row[5] for row in rows if row[5]] == ["2023"]

    def test_choices_and_messages(self, api: Api) -> None:
        sheet = form(ask(api.education).content)
        lists = re.findall(r'<dataValidation type="list"[^>]* sqref="([A-Z])2:\1[0-9]+"><formula1>([^<]*)<', sheet)
        assert lists == [("A", "'Codes'!$A$2:$A$3"), ("F", "'Codes'!$D$2:$D$2"), ("H", "'Codes'!$F$2:$F$2")]
        told = re.findall(r'<dataValidation type="decimal"[^>]* prompt="([^"]*)" sqref="([^"]*)"', sheet)
        assert told[0] == (
            "Measure: %&#xA;Goal: &gt; 46&#xA;0 is a figure; leave empty what is not known.",
            "J2",
        )
        assert [place for _, place in told] == ["J2", "J3", "J4:J1003"]
        assert '<autoFilter ref="A1:M3"/>' in sheet
        assert 'topLeftCell="A2"' in sheet

    def test_codes_and_periods_are_text_also_where_nothing_stands_yet(self, api: Api) -> None:
        body = ask(api.education).content
        formats = re.findall(r"<xf [^>]*>", parts(body)["xl/styles.xml"].decode().partition("<cellXfs")[2])
        columns = re.findall(r'<col min="(\d+)" max="(\d+)" width="[^"]*"(?: style="(\d+)")?', form(body))
        as_text = {
            NAMES[number - 1]
            for first, last, style in columns
            for number in range(int(first), int(last) + 1)
            if 'numFmtId="49"' in formats[int(style or 0)]
        }
        assert as_text == set(NAMES) - {"value", "expected_version"}
        (style,) = re.findall(r'<c r="H2" s="(\d+)"', form(body))
        assert 'numFmtId="49"' in formats[int(style)]

    def test_of_nothing_that_is_open_can_still_be_filled_in(self, api: Api) -> None:
        for indicator in (INDICATOR, "xianning-2023.60.1"):
            assert api.education.post("/api/v1/values", json=VALUE | {"indicator": indicator}).status_code == 201
        assert figures(ask(api.education)) == []

    def test_equal_ones_give_equal_bytes_however_long(self, database: Database) -> None:
        with database.writing() as session:
            session.execute(update(Indicator).values(frequency="day"))
        with database.reading() as session:
            found = get_value_template(session, Caller.command_line(), "xianning-2023", None, date(2023, 2, 1))
        assert len(found.figures) == 48 * 32
        first, second = (draw_template(found, Language.zh) for _ in range(2))
        assert first == second
        assert len(sheets(first)[0]) == 48 * 32 + 1

    def test_as_many_messages_as_a_spreadsheet_takes(self) -> None:
        asked = [
            Asked(1, 2, "a.1.1", "公园", measure, None, "ge", Decimal(1), None, "1", "建公园。", "a", "甲")
            for measure in "个处"
        ]
        figures = [OpenFigure(asked[number % 2], "2023", None) for number in range(10_001)]
        body = draw_template(Template("a", "甲", asked, figures), Language.zh)
        assert re.findall('type="decimal"[^>]* sqref="([^"]*)"', form(body)) == ["J2:J10002", "J10003:J11002"]


class TestRoundTrip:
    @pytest.mark.parametrize("language", ["zh", "en"])
    def test_left_blank_nothing_is_reported(self, api: Api, language: str) -> None:
        response = send(api.education, ask(api.education, language=language).content)
        assert response.status_code == 200, response.text
        assert (response.json()["created"], response.json()["problems"]) == (0, [])
        assert api.reader.get("/api/v1/values").json()["items"] == []

    @pytest.mark.parametrize("language", ["zh", "en"])
    def test_filled_in_it_is_taken_as_it_is(self, api: Api, language: str) -> None:
        filled = fill_in(ask(api.counties, language=language).content, {1: 0, 2: 46.8, 5: 999999999999.999})
        for created, query in ((3, {"dry_run": True}), (3, {}), (0, {})):
            response = send(api.counties, filled, **query)
            assert response.status_code == 200, response.text
            assert response.json()["created"] == created
            assert response.json()["problems"] == []
        values = [item["value"] for item in api.reader.get("/api/v1/values").json()["items"]]
        assert sorted(values) == [0, 46.8, 999999999999.999]
        assert len(places(ask(api.counties))) == len(places(ask(api.admin, unit="各县市区人民政府")))

    def test_returned_one_is_corrected_unless_somebody_was_faster(self, api: Api) -> None:
        assert api.education.post("/api/v1/values", json=VALUE).status_code == 201
        code = f"{INDICATOR}:{UNIT}:2023"
        assert api.reviewer.post(f"/api/v1/values/{code}/return", json={"reason": "数字有误"}).is_success
        body = ask(api.education).content
        assert figures(ask(api.education))[0]["expected_version"] == 2
        response = send(api.education, fill_in(body, {1: 46.9}))
        assert (response.status_code, response.json()["updated"]) == (200, 1)
        assert api.reader.get(f"/api/v1/values/{code}").json()["value"] == 46.9
        late = send(api.admin, fill_in(body, {1: 47}))
        assert [problem["code"] for problem in late.json()["problems"]] == ["stale_version"]
