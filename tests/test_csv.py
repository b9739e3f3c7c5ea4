"""Lists as CSV: who gets it, and that it holds the rows of the JSON, safe to open in a spreadsheet."""

import csv
import io
import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from httpx2 import Response
from hypothesis import given, settings
from hypothesis import strategies as st

from app.assignments.schemas import Assignment
from app.plans.schemas import Plan, Section
from app.spreadsheets import list_columns, render_csv
from app.targets.schemas import Target
from app.units.schemas import Unit
from tests.asking import listed, told
from tests.conftest import Api
from tests.test_paging import LISTS
from tests.test_types import figures

BOM = b"\xef\xbb\xbf"
rules = settings(deadline=None, max_examples=200)
MODELS = {"/plans": Plan, "/plans/xianning-2023/sections": Section, "/units": Unit, "/targets": Target}
SUMMARY = (
    "code,number,statement,plan,section,due_on,units_code,units_name,units_role,indicators_code,indicators_name,"
    "indicators_measure,indicators_comparator,indicators_goal,indicators_goal_to,indicators_latest_period,"
    "indicators_latest_value"
)


def read(body: bytes) -> list[list[str]]:
    """A CSV file's rows, as a spreadsheet reads them."""
    assert body.startswith(BOM)
    text = body.removeprefix(BOM).decode("utf-8")
    assert text.endswith("\r\n")
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def cell(value: Any) -> str:
    """The one cell of a table with one column."""
    (heading, row) = read(render_csv([("field",)], [{"field": value}]))
    assert heading == ["field"]
    return row[0] if row else ""


def get(api: Api, path: str, accept: str, **query: object) -> Response:
    return api.reader.get(f"/api/v1{path}", params=query, headers={"Accept": accept})


class TestCells:
    @rules
    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
    def test_text_comes_back_and_is_never_a_formula(self, text: str) -> None:
        shown = cell(text)
        assert shown in (text, f"'{text}")
        assert unicodedata.normalize("NFKC", shown[:1]) not in ("=", "+", "-", "@", "\t", "\r")

    @pytest.mark.parametrize(
        "text", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "＝1+1", "＋1", "－1", "＠A1", "'=1", "''-1"]
    )
    def test_formula_gets_an_apostrophe(self, text: str) -> None:
        assert cell(text) == f"'{text}"
        assert cell(["市教育局", text]) == f"市教育局; '{text}"

    @rules
    @given(figures())
    def test_figure_is_exact_and_without_exponent(self, figure: Decimal) -> None:
        shown = cell(float(figure))
        assert Decimal(shown) == figure
        assert set(shown) <= set("-.0123456789")

    @pytest.mark.parametrize(
        ("value", "shown"), [(46.0, "46"), (0.0, "0"), (100.0, "100"), (-0.5, "-0.5"), (True, "true"), (False, "false")]
    )
    def test_plain_values(self, value: Any, shown: str) -> None:
        assert cell(value) == shown

    def test_quotes_commas_and_line_breaks(self) -> None:
        assert cell('a,"b"\r\nc\nd') == 'a,"b"\r\nc\nd'

    def test_values_of_one_cell_keep_their_places(self) -> None:
        item = {"indicators": [{"latest": None, "goal": 1.0}, {"latest": {"value": 2.0}, "goal": None}], "parent": None}
        columns = [("indicators", "latest", "value"), ("indicators", "goal"), ("parent", "code")]
        assert read(render_csv(columns, [item]))[1] == ["; 2", "1; ", ""]
        assert read(render_csv(columns, [item | {"indicators": []}]))[1] == ["", "", ""]


class TestColumns:
    def test_of_each_list(self) -> None:
        headings = {
            model: ",".join("_".join(path) for path in list_columns(model)) for model in (Assignment, *MODELS.values())
        }
        assert headings == {
            Assignment: "code,role,unit_code,unit_name,via_code,via_name,acknowledged_at,updated_at,"
            + ",".join(f"target_{name}" for name in SUMMARY.split(",")),
            Target: f"{SUMMARY},label,line,start,end,updated_at",
            Unit: "code,name,kind,region_code,usci,parent_code,parent_name,aliases,members_code,members_name,"
            "valid_from,valid_to,updated_at",
            Section: "code,plan,parent,heading,position,line,updated_at",
            Plan: "code,title,issuer,region_code,year,starts_on,ends_on,approval_required,source,source_sha256,"
            "updated_at",
        }


class TestAccept:
    def test_csv_for_who_asks_for_it(self, api: Api) -> None:
        for accept in (
            *("text/csv", "TEXT/CSV", "text/csv; charset=utf-8", "text/csv, */*;q=0.1", "text/html, text/csv;q=0.9"),
        ):
            response = get(api, "/plans", accept)
            assert response.headers["Content-Type"] == "text/csv; charset=utf-8", accept
            assert response.headers["Vary"] == "Accept"
            assert response.content.startswith(BOM)

    def test_json_for_who_names_it_as_well_and_for_everybody_else(self, api: Api) -> None:
        for accept in (
            *("*/*", "application/json", "text/csv, application/json", "application/json;q=0.1, text/csv"),
            *("text/*", "x", "text/csvx", ""),
        ):
            response = get(api, "/plans", accept)
            assert response.headers["Content-Type"] == "application/json", accept
            assert response.headers["Vary"] == "Accept"
            assert response.json()["items"]

    def test_one_resource_and_a_refusal_stay_json(self, api: Api) -> None:
        assert get(api, "/plans/xianning-2023", "text/csv").json()["code"] == "xianning-2023"
        refused = get(api, "/plans", "text/csv", page=2)
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert set(told(api, "GET", "/plans", headers={"Accept": "text/csv"}).values()) == {200, 401}


class TestRows:
    def test_same_rows_as_json(self, api: Api) -> None:
        for path in LISTS:
            response = get(api, path, "text/csv", limit=1000)
            heading, *rows = read(response.content)
            items = listed(api.reader, path)
            assert len(rows) == len(items)
            assert all(len(row) == len(heading) for row in rows)
            for row, item in zip(rows, items, strict=True):
                shown = dict(zip(heading, row, strict=True))
                for name, value in item.items():
                    if name in shown and isinstance(value, str | int | float | None):
                        assert shown[name] == ("" if value is None else cell(value))
                assert shown["code"] == item["code"]

    def test_nested_fields_of_an_assignment(self, api: Api) -> None:
        query = {"target": "xianning-2023.66", "unit": "赤壁市政府"}
        heading, row = read(get(api, "/assignments", "text/csv", **query).content)
        shown = dict(zip(heading, row, strict=True))
        assert shown["code"] == "xianning-2023.66:chibi-city-government:responsible"
        assert shown["via_name"] == "各县市区人民政府"
        assert shown["target_section"] == "(四)突出改革创新,千方百计推进科教人才兴市; 强化科技创新支撑"
        assert shown["target_units_role"] == "lead; responsible; responsible; responsible"
        assert shown["target_indicators_comparator"] == "ge; gt"
        assert shown["target_indicators_goal"] == "10; 50"
        assert shown["target_indicators_latest_value"] == "; "
        assert shown["acknowledged_at"] == ""

    def test_lists_of_a_unit(self, api: Api) -> None:
        heading, row = read(get(api, "/units", "text/csv", q="各县市区").content)
        shown = dict(zip(heading, row, strict=True))
        assert shown["members_name"].split("; ")[:2] == ["咸安区人民政府", "嘉鱼县人民政府"]
        assert len(shown["members_code"].split("; ")) == 6

    def test_empty_list_keeps_its_heading(self, api: Api) -> None:
        for path, query in (("/plans", {"year": 1999}), ("/units", {"q": "没有"}), ("/targets", {"q": "没有这样的话"})):
            (heading,) = read(get(api, path, "text/csv", **query).content)
            assert heading == ["_".join(column) for column in list_columns(MODELS[path])]

    def test_pages_follow_the_link(self, api: Api) -> None:
        first = get(api, "/targets", "text/csv", limit=20)
        second = api.reader.get(first.links["next"]["url"], headers={"Accept": "text/csv"})
        assert [len(read(page.content)) for page in (first, second)] == [21, 6]
        assert "Link" not in second.headers
