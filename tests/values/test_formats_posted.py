"""Files as clients post them: what was easily mistaken is written as it was meant, or refused with its place."""

import csv
import io
from typing import Any

import pytest
from httpx2 import Response
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from app.spreadsheets import CSV_MEDIA_TYPE, XLSX_MEDIA_TYPE
from tests.client import AppClient
from tests.conftest import Api
from tests.values.sheets import workbook, workbook_of
from tests.values.test_batch import BATCH, SHARE, VALUES, post, problems, row

HEADINGS = ["指标编码", "单位", "期间", "数值"]
CELLS = [SHARE, "市教育局", "2023-06", 46.8]


def send(client: AppClient, body: str | bytes, media_type: str = CSV_MEDIA_TYPE) -> Response:
    return client.post(BATCH, content=body, headers={"Content-Type": media_type, "Accept-Language": "en"})


def fault_of(response: Response, status: int = 422) -> dict[str, Any]:
    assert response.status_code == status, response.text
    (fault,) = response.json()["errors"]
    return {name: fault[name] for name in ("pointer", "code", "suggestions")} | {"said": fault["detail"]}


class TestNameOfTheUnit:
    def test_figure_is_of_the_unit_that_the_row_names(self, api: Api) -> None:
        body = f"指标编码,单位名称,期间,数值\n{SHARE},嘉鱼县人民政府,2023-06,46.8\n"
        assert send(api.admin, body).json()["created"] == 1
        codes = [value["code"] for value in api.reader.get("/api/v1/values").json()["items"]]
        assert codes == [f"{SHARE}:jiayu-county-government:2023-06"]

    def test_of_another_unit_is_not_taken_for_the_client_own(self, api: Api) -> None:
        body = f"指标编码,单位名称,期间,数值\n{SHARE},嘉鱼县人民政府,2023-06,46.8\n"
        assert problems(send(api.education, body)) == [(1, "/unit", "not_your_unit")]


class TestPercentCell:
    def test_is_a_problem_of_its_row_that_says_what_to_do(self, api: Api) -> None:
        def write(book: Workbook, sheet: Worksheet) -> None:
            sheet.write(2, 3, 0.468, book.add_format({"num_format": "0.0%"}))

        body = workbook([HEADINGS, CELLS, [SHARE, "市教育局", "2023-07"]], write)
        (problem,) = send(api.admin, body, XLSX_MEDIA_TYPE).json()["problems"]
        assert (problem["row"], problem["pointer"], problem["code"]) == (2, "/value", "percent_cell")
        assert (problem["suggestions"], "46.8%" in problem["detail"]) == (["46.8"], True)


class TestSheets:
    def test_two_with_rows_422_and_nothing_is_written(self, api: Api) -> None:
        fault = fault_of(
            send(api.admin, workbook_of({"六月": [HEADINGS, CELLS], "七月": [HEADINGS, CELLS]}), XLSX_MEDIA_TYPE)
        )
        assert (fault["pointer"], fault["code"], "六月、七月" in fault["said"]) == ("", "several_tables", True)
        assert api.reader.get("/api/v1/values").json()["items"] == []


class TestEncodings:
    TEXT = f"指标编码,单位,期间,数值\n{SHARE},市教育局,2023-06,46.8\n"

    def test_byte_that_was_cut_422_with_its_line(self, api: Api) -> None:
        body = self.TEXT.encode()
        response = send(api.admin, body.replace("局".encode(), "局".encode()[:-1]))
        assert response.json()["code"] == "document_unreadable"
        fault = fault_of(response)
        assert fault["code"] == "not_in_encoding"
        assert "line 2, after" in fault["said"]
        assert "58.1,市教育" in fault["said"]

    def test_charset_that_is_wrong_422_with_the_right_one(self, api: Api) -> None:
        fault = fault_of(send(api.admin, self.TEXT.encode("gb18030"), f"{CSV_MEDIA_TYPE}; charset=utf-8"))
        assert (fault["pointer"], fault["code"]) == ("/header/content-type", "charset_wrong")
        assert fault["suggestions"] == ["charset=gb18030"]
        assert send(api.admin, self.TEXT.encode("gb18030"), f"{CSV_MEDIA_TYPE}; charset=gb18030").json()["created"] == 1


class TestRepeatedField:
    def test_row_is_named_400(self, api: Api) -> None:
        body = f'[{{"indicator": "{SHARE}"}}, {{"value": 1, "value": 2}}]'
        fault = fault_of(send(api.admin, body, "application/json"), 400)
        assert (fault["pointer"], fault["code"]) == ("/1", "json_repeated_field")


class TestNotes:
    @pytest.mark.parametrize("note", ["=1", "'=1", "''=1", "'tis", "-5"])
    def test_list_as_csv_posted_back_changes_nothing(self, api: Api, note: str) -> None:
        assert post(api.admin, row(note=note)).json()["created"] == 1
        listed = api.reader.get("/api/v1/values", headers={"Accept": CSV_MEDIA_TYPE}).content
        names = ("indicator", "unit_code", "unit_name", "period", "value", "note")
        out = io.StringIO()
        table = csv.writer(out)
        table.writerow(names)
        for one in csv.DictReader(io.StringIO(listed.decode("utf-8-sig"), newline="")):
            table.writerow([one[name] for name in names])
        assert send(api.admin, out.getvalue()).json()["unchanged"] == 1
        assert api.reader.get(f"/api/v1/values/{VALUES}:2023-06").json()["note"] == note
