"""Lists as files: XLSX holds the rows of the JSON, and CSV and XLSX alike come under a name and whole."""

import io
import re
import zipfile
from decimal import Decimal
from typing import Any

import pytest
from httpx2 import Response
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from app.db import Database
from app.spreadsheets import MOST_IN_A_CELL, XLSX_MEDIA_TYPE, cell_text, render_xlsx
from tests.asking import add_plan, listed
from tests.conftest import Api
from tests.test_paging import LISTS
from tests.test_types import figures

rules = settings(deadline=None, max_examples=50)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffe\uffff"), min_size=1)


def rows_of(body: bytes) -> list[list[Any]]:
    """The rows of the first sheet, as a program reads them."""
    return CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(0).to_python(skip_empty_area=False)


def part(body: bytes, name: str) -> str:
    """One of the XML files that a workbook is made of."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return archive.read(name).decode()


def look(body: bytes) -> str:
    """The format of the first cell below the heading."""
    (number,) = re.findall(r'<c r="A2" s="(\d+)"', part(body, "xl/worksheets/sheet1.xml"))
    formats = part(body, "xl/styles.xml").partition("<cellXfs")[2]
    found: list[str] = re.findall(r"<xf [^>]*>", formats)
    return found[int(number)]


def cell(value: Any) -> Any:
    """The one cell of a table with one column."""
    body = render_xlsx([("field",)], [{"field": value}])
    assert "<f>" not in part(body, "xl/worksheets/sheet1.xml")
    heading, row = rows_of(body)
    assert heading == ["field"]
    return row[0]


def get(api: Api, path: str, accept: str = XLSX_MEDIA_TYPE, **query: object) -> Response:
    return api.reader.get(f"/api/v1{path}", params=query, headers={"Accept": accept})


def post_values(api: Api, count: int, **fields: object) -> None:
    """Record that many figures, of the months from January on."""
    for month in range(1, count + 1):
        body = {"indicator": "xianning-2023.58.1", "period": f"2023-{month:02}", "value": 40 + month / 10} | fields
        assert api.education.post("/api/v1/values", json=body).status_code == 201


class TestCells:
    @rules
    @given(texts)
    def test_text_comes_back_and_is_no_formula(self, text: str) -> None:
        assert cell(text) == text

    @rules
    @given(figures())
    def test_figure_is_exact_and_a_number(self, figure: Decimal) -> None:
        shown = cell(float(figure))
        assert isinstance(shown, float)
        assert Decimal(repr(shown)) == figure

    def test_plain_values(self) -> None:
        assert cell(True) is True
        assert cell(False) is False
        assert cell(0.0) == 0
        empty = {"none": None, "text": "", "list": [], "last": 1}
        assert rows_of(render_xlsx([(name,) for name in empty], [empty]))[1] == ["", "", "", 1]
        assert cell("2023-07-03T02:00:00Z") == "2023-07-03T02:00:00Z"
        assert cell("2023-06") == "2023-06"
        assert cell(["市教育局", "市科技局"]) == "市教育局; 市科技局"

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "＝1+1", "＋1", "－1", "＠A1"])
    def test_what_looks_like_a_formula_is_text_for_good(self, text: str) -> None:
        assert cell(text) == text
        assert 'quotePrefix="1"' in look(render_xlsx([("field",)], [{"field": text}]))
        assert "quotePrefix" not in look(render_xlsx([("field",)], [{"field": f"1{text}"}]))

    def test_what_no_cell_can_hold_is_marked(self) -> None:
        assert cell("a" * MOST_IN_A_CELL) == "a" * MOST_IN_A_CELL
        assert cell("a" * (MOST_IN_A_CELL + 1)) == "a" * (MOST_IN_A_CELL - 1) + "…"
        assert cell_text("𠀀" * MOST_IN_A_CELL) == "𠀀" * ((MOST_IN_A_CELL - 1) // 2) + "…"
        assert cell("a\uffffb") == "a\ufffdb"


class TestWorkbook:
    def test_equal_rows_give_equal_bytes(self, api: Api) -> None:
        post_values(api, 3)
        first, second = get(api, "/values"), get(api, "/values")
        assert first.content == second.content
        etag = first.headers["ETag"]
        headers = {"Accept": XLSX_MEDIA_TYPE, "If-None-Match": etag}
        unchanged = api.reader.get("/api/v1/values", headers=headers)
        assert (unchanged.status_code, unchanged.headers["Vary"]) == (304, "Accept")
        assert get(api, "/values", "text/csv").headers["ETag"] != etag

    def test_heading_is_bold_and_stays_in_sight(self, api: Api) -> None:
        sheet = part(get(api, "/units").content, "xl/worksheets/sheet1.xml")
        assert '<pane ySplit="1" topLeftCell="A2"' in sheet
        assert '<c r="A1" s="1"' in sheet
        assert "<b/>" in part(get(api, "/units").content, "xl/styles.xml")

    def test_columns_are_as_wide_as_what_is_in_them(self) -> None:
        sheet = part(render_xlsx([("a",), ("b",)], [{"a": "教育局", "b": "x" * 900}]), "xl/worksheets/sheet1.xml")
        widths = [
            float(text.partition('"')[0])
            for text in sheet.split('<col min="')[1:]
            for text in [text.split('width="')[1]]
        ]
        assert 8 <= widths[0] < 10
        assert 60 <= widths[1] < 65


class TestRows:
    def test_same_rows_as_json(self, api: Api) -> None:
        post_values(api, 2, note="=HYPERLINK(1)")
        for path in (*LISTS, "/values"):
            heading, *rows = rows_of(get(api, path).content)
            items = listed(api.reader, path)
            assert len(rows) == len(items)
            for row, item in zip(rows, items, strict=True):
                shown = dict(zip(heading, row, strict=True))
                for name, value in item.items():
                    if name in shown and isinstance(value, str | int | float | None):
                        assert shown[name] == ("" if value is None else value)
                assert shown["code"] == item["code"]

    def test_values(self, api: Api) -> None:
        post_values(api, 1, note="=1+1")
        heading, row = rows_of(get(api, "/values").content)
        shown = dict(zip(heading, row, strict=True))
        assert (shown["value"], shown["note"], shown["version"]) == (40.1, "=1+1", 1)
        assert (shown["period"], shown["unit_name"]) == ("2023-01", "咸宁市教育局")
        assert shown["recorded_at"].endswith("Z")

    def test_of_a_value_s_versions(self, api: Api) -> None:
        post_values(api, 1)
        code = "xianning-2023.58.1:xianning-education-bureau:2023-01"
        response = get(api, f"/values/{code}/revisions")
        assert len(rows_of(response.content)) == 2
        assert 'filename="revisions.xlsx"' in response.headers["Content-Disposition"]

    def test_empty_list_keeps_its_heading(self, api: Api) -> None:
        (heading,) = rows_of(get(api, "/values").content)
        assert {"code", "indicator", "unit_code", "period", "value"} <= set(heading)


class TestAccept:
    def test_the_first_that_is_named_and_json_where_it_is_named_too(self, api: Api) -> None:
        for accept, media_type in (
            (XLSX_MEDIA_TYPE, XLSX_MEDIA_TYPE),
            (XLSX_MEDIA_TYPE.upper(), XLSX_MEDIA_TYPE),
            (f"text/html, {XLSX_MEDIA_TYPE};q=0.9, */*;q=0.1", XLSX_MEDIA_TYPE),
            (f"{XLSX_MEDIA_TYPE}, text/csv", XLSX_MEDIA_TYPE),
            (f"text/csv, {XLSX_MEDIA_TYPE}", "text/csv; charset=utf-8"),
            (f"{XLSX_MEDIA_TYPE}, application/json", "application/json"),
            ("application/*", "application/json"),
        ):
            response = get(api, "/plans", accept)
            assert response.headers["Content-Type"] == media_type, accept
            assert response.headers["Vary"] == "Accept"
            assert ("Content-Disposition" in response.headers) is (media_type != "application/json")

    def test_refusal_stays_a_problem(self, api: Api) -> None:
        refused = get(api, "/values", page=2)
        assert (refused.status_code, refused.headers["Content-Type"]) == (422, "application/problem+json")
        assert [fault["suggestions"][0] for fault in refused.json()["errors"]] != []
        assert get(api, "/values", limit=1001).status_code == 422
        assert api.anonymous.get("/api/v1/values", headers={"Accept": XLSX_MEDIA_TYPE}).status_code == 401


class TestNames:
    def test_in_ascii_and_in_chinese(self, api: Api) -> None:
        for accept, suffix in (("text/csv", "csv"), (XLSX_MEDIA_TYPE, "xlsx")):
            assert get(api, "/values", accept).headers["Content-Disposition"] == (
                f"attachment; filename=\"values.{suffix}\"; filename*=UTF-8''%E6%8C%87%E6%A0%87%E5%80%BC.{suffix}"
            )
            sections = get(api, "/plans/xianning-2023/sections", accept)
            assert f'filename="sections.{suffix}"' in sections.headers["Content-Disposition"]


class TestPages:
    @pytest.mark.parametrize("accept", ["text/csv", XLSX_MEDIA_TYPE])
    def test_as_large_as_may_be_where_nothing_is_said(self, api: Api, accept: str) -> None:
        everything = listed(api.reader, "/assignments")
        assert len(everything) > 50
        whole, few = get(api, "/assignments", accept), get(api, "/assignments", accept, limit=7)
        assert whole.content == get(api, "/assignments", accept, limit=1000).content
        assert "Link" not in whole.headers
        assert few.links["next"]["url"].count("limit=") == 1
        assert len(get(api, "/assignments", "application/json").json()["items"]) == 50

    def test_next_one_follows(self, api: Api, database: Database) -> None:
        lines = (f"{number}.修路。(责任单位:市财政局)" for number in range(1, 1002))
        add_plan(database, "roads", "\n".join(lines))
        first = get(api, "/targets", plan="roads")
        second = api.reader.get(first.links["next"]["url"], headers={"Accept": XLSX_MEDIA_TYPE})
        assert "limit=1000" in first.links["next"]["url"]
        found = rows_of(first.content)[1:] + rows_of(second.content)[1:]
        assert [row[0] for row in found] == [f"roads.{number}" for number in range(1, 1002)]
        assert "Link" not in second.headers
