"""Batches as XLSX: what a spreadsheet does to figures and periods, and files that are made to hurt."""

import io
import re
import zipfile
from contextlib import suppress
from datetime import datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from app.errors import ErrorCode, Fault, InvalidRequest, ServiceError, WorkbookUnreadable
from app.spreadsheets import XLSX_MEDIA_TYPE
from app.types import MAX_SIGNIFICANT_DIGITS
from app.values.formats import read_batch
from app.values.rows import RawRow
from tests.values.sheets import workbook, workbook_of

HEADINGS = ["指标编码", "期间", "数值", "备注", "预期版本"]
SHEET = "xl/worksheets/sheet1.xml"


def read_rows(body: bytes) -> list[RawRow]:
    return list(read_batch(body, XLSX_MEDIA_TYPE).rows)


def one(period: Any = "2023", value: Any = 1, note: Any = None, version: Any = None) -> RawRow:
    (row,) = read_rows(workbook([HEADINGS, ["a", period, value, note, version]]))
    return row


def codes(row: RawRow) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in row.faults]


def refusal(body: bytes) -> str:
    with pytest.raises(WorkbookUnreadable) as caught:
        read_rows(body)
    return str(caught.value.params["reason"])


def altered(body: bytes, part: str, text: str | None = None, **replaced: str) -> bytes:
    """The workbook with one part written anew, or with words in it replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name).decode()
            if name == part:
                content = content if text is None else text
                for before, after in replaced.items():
                    assert before in content
                    content = content.replace(before, after)
            new.writestr(name, content)
    return out.getvalue()


def with_date(day: datetime | time, form: str, column: int = 1) -> RawRow:
    def write(book: Workbook, sheet: Worksheet) -> None:
        sheet.write_datetime(1, column, day, book.add_format({"num_format": form}))

    (row,) = read_rows(workbook([HEADINGS, ["a", "2023", 1]], write))
    return row


class TestFigures:
    @pytest.mark.parametrize(
        ("cell", "figure"),
        [
            (0.1 + 0.2, "0.3"),
            (46.8, "46.8"),
            (2023, "2023"),
            (1e14 / 3, "33333333333333.3"),
            (1e15, "1e15"),
            (-0.5, "-0.5"),
        ],
    )
    def test_number_has_the_digits_that_a_spreadsheet_shows(self, cell: float, figure: str) -> None:
        assert one(value=cell).fields["value"] == Decimal(figure)

    @settings(deadline=None, max_examples=30)
    @given(
        st.lists(
            st.tuples(st.integers(-(10**MAX_SIGNIFICANT_DIGITS) + 1, 10**MAX_SIGNIFICANT_DIGITS - 1), st.integers(3, 6))
        )
    )
    def test_every_figure_that_may_be_sent_comes_back_exactly(self, parts: list[tuple[int, int]]) -> None:
        figures = [Decimal(digits).scaleb(-places) for digits, places in parts]
        rows = read_rows(workbook([HEADINGS, *(["a", "2023", float(figure)] for figure in figures)]))
        assert [row.fields["value"] for row in rows] == figures

    def test_number_as_text_is_read_and_other_text_is_a_fault(self) -> None:
        assert one(value=" 46.8 ").fields["value"] == Decimal("46.8")
        row = one(value="46.8%")
        assert (codes(row), list(row.faults[0].suggestions)) == ([("/value", "not_a_figure")], ["46.8"])

    def test_truth_value_date_and_time_are_faults(self) -> None:
        assert codes(one(value=True)) == [("/value", "not_a_figure")]
        assert codes(with_date(datetime(2023, 6, 1), "yyyy-mm-dd", 2)) == [("/value", "not_a_figure")]  # noqa: DTZ001
        assert codes(with_date(time(8, 30), "hh:mm", 2)) == [("/value", "not_a_figure")]
        assert codes(one(version=1.5)) == [("/expected_version", "not_a_whole_number")]
        assert one(version=3).fields["expected_version"] == 3

    def test_error_and_formula_that_was_never_computed_are_faults_and_not_blanks(self) -> None:
        def write(_book: Workbook, sheet: Worksheet) -> None:
            sheet.write_formula(1, 2, "=NA()", None, "#N/A")
            sheet.write_formula(2, 2, "=1+1", None, 2)
            sheet.write_formula(3, 2, "=1+2", None, 777)
            sheet.write_formula(4, 3, "=NA()", None, "#REF!")

        body = workbook([HEADINGS, *(["a", "2023"] for _ in range(4))], write)
        rows = read_rows(altered(body, SHEET, **{"<v>777</v>": ""}))
        told = [[("/value", "not_a_figure")], [], [("/value", "not_a_figure")], [("/note", "not_text")]]
        assert [codes(row) for row in rows] == told
        assert rows[1].fields["value"] == 2


def in_format(form: str | int, value: object = 0.468, column: int = 2) -> RawRow:
    def write(book: Workbook, sheet: Worksheet) -> None:
        sheet.write(1, column, value, book.add_format({"num_format": form}))

    cells = ["a", "2023", 5]
    (row,) = read_rows(workbook([HEADINGS, [*cells[:column], None, *cells[column + 1 :]]], write))
    return row


class TestPercentages:
    @pytest.mark.parametrize(
        "form", ["0%", "0.00%", "0.0%", 9, 10, "[Red]0.0 %;-0.0 %", '0"份"%', "0.0%;[Red]\\(0.0%\\)", "#,##0.###%_)"]
    )
    def test_cell_that_shows_one_is_a_fault_with_what_it_shows(self, form: str | int) -> None:
        row = in_format(form)
        fault = Fault("/value", ErrorCode.percent_cell, {"shown": "46.8%"}, ["46.8"])
        assert (row.faults, row.fields["value"]) == ([fault], "46.8%")

    @pytest.mark.parametrize("form", ["0.000", '0.0"%"', "0.0\\%", "0.0_%", "[$%]0.0", "0.0％", "@"])
    def test_other_format_is_none_whatever_signs_it_shows(self, form: str) -> None:
        row = in_format(form)
        assert (row.faults, row.fields["value"]) == ([], Decimal("0.468"))

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (0, "0"),
            (1, "100"),
            (0.07, "7"),
            (-0.05, "-5"),
            (12.3456, "1234.56"),
            (0.123456789012345, "12.3456789012345"),
        ],
    )
    def test_it_has_the_digits_that_a_spreadsheet_shows(self, value: float, shown: str) -> None:
        assert list(in_format("0%", value).faults[0].suggestions) == [shown]

    def test_text_in_such_a_cell_is_what_it_says(self) -> None:
        assert in_format("0%", "46.8").fields["value"] == Decimal("46.8")

    def test_formula_is_judged_by_its_result(self) -> None:
        def write(book: Workbook, sheet: Worksheet) -> None:
            sheet.write_formula(1, 2, "=1/2", book.add_format({"num_format": "0%"}), 0.5)

        (row,) = read_rows(workbook([HEADINGS, ["a", "2023"]], write))
        assert codes(row) == [("/value", "percent_cell")]

    def test_in_a_note_it_is_as_it_is_shown(self) -> None:
        row = in_format("0%", column=3)
        assert (row.faults, row.fields["note"]) == ([], "46.8%")

    def test_others_in_its_row_and_table_keep_their_figures(self) -> None:
        def write(book: Workbook, sheet: Worksheet) -> None:
            sheet.write(4, 4, 0.5, book.add_format({"num_format": "0%"}))

        table = [
            [],
            [],
            ["", "", *HEADINGS[:3]],
            ["", "", "a", "2023", 1],
            ["", "", "b", "2023"],
            ["", "", "c", "2023", 2],
        ]
        rows = read_rows(workbook(table, write))
        assert [codes(row) for row in rows] == [[], [("/value", "percent_cell")], []]

    def test_all_cells_may_be_in_such_a_format(self) -> None:
        body = altered(
            workbook([HEADINGS, ["a", "2023", 0.468]]), "xl/styles.xml", **{'<xf numFmtId="0"': '<xf numFmtId="9"'}
        )
        assert codes(read_rows(body)[0]) == [("/value", "percent_cell")]

    def test_workbook_without_styles_is_read(self) -> None:
        body = workbook([HEADINGS, ["a", "2023", 5]])
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w") as new:
            for name in old.namelist():
                if name != "xl/styles.xml":
                    new.writestr(name, old.read(name))
        assert read_rows(out.getvalue())[0].fields["value"] == 5


class TestPeriods:
    def test_year_as_a_number_is_a_period(self) -> None:
        assert one(period=2023).fields["period"] == "2023"

    @pytest.mark.parametrize(
        ("day", "suggestions"),
        [
            (datetime(2023, 6, 1), ["2023-06", "2023-06-01"]),  # noqa: DTZ001
            (datetime(2023, 1, 1), ["2023-01", "2023-01-01", "2023"]),  # noqa: DTZ001
            (datetime(2023, 6, 15, 8, 30), ["2023-06-15"]),  # noqa: DTZ001
        ],
    )
    def test_date_that_may_be_a_month_is_not_guessed(self, day: datetime, suggestions: list[str]) -> None:
        row = with_date(day, "yyyy-mm-dd hh:mm" if day.hour else "yyyy-mm")
        assert codes(row) == [("/period", "period_invalid")]
        assert list(row.faults[0].suggestions) == suggestions

    def test_other_date_is_that_day(self) -> None:
        row = with_date(datetime(2023, 6, 15), "yyyy/m/d")  # noqa: DTZ001
        assert (row.fields["period"], row.faults) == ("2023-06-15", [])


class TestSheets:
    def test_sheets_without_headings_and_rows_above_them_are_passed_over(self) -> None:
        out = io.BytesIO()
        book = Workbook(out)
        book.add_worksheet("空白")
        book.add_worksheet("说明").write(0, 0, "请填写数值")
        sheet = book.add_worksheet("数据")
        sheet.write(2, 3, "咸宁市2023年")
        for row, cells in enumerate([HEADINGS, ["a", "2023", 5], [], ["b", "2023"], ["c", "2023", 6]], 5):
            sheet.write_row(row, 3, cells)
        book.close()
        batch = read_batch(out.getvalue(), XLSX_MEDIA_TYPE)
        assert [(row.number, row.fields["value"]) for row in batch.rows] == [(1, 5), (4, 6)]
        assert (batch.left_blank, batch.encoding) == (1, None)

    def test_second_sheet_with_rows_is_refused_and_both_are_named(self) -> None:
        table = [HEADINGS, ["a", "2023", 5]]
        with pytest.raises(InvalidRequest) as caught:
            read_rows(workbook_of({"六月": table, "说明": [["单位", "期间"]], "七月": table, "八月": [HEADINGS]}))
        assert caught.value.faults == (Fault("", ErrorCode.several_tables, {"sheets": "六月、七月"}),)

    def test_second_sheet_with_a_wrong_heading_beside_the_right_ones_is_refused_too(self) -> None:
        with pytest.raises(InvalidRequest) as caught:
            read_rows(workbook_of({"a": [HEADINGS, ["a", "2023", 5]], "b": [[*HEADINGS, "备住"], ["b", "2023", 5]]}))
        assert caught.value.faults[0].params == {"sheets": "a、b"}

    @pytest.mark.parametrize("other", [[], [HEADINGS], [HEADINGS, [], ["", " "]], [HEADINGS, ["a", "2023"]]])
    def test_sheet_without_rows_is_passed_over(self, other: list[list[Any]]) -> None:
        table = [HEADINGS, ["b", "2023", 5]]
        for sheets in ({"one": other, "two": table}, {"two": table, "one": other}):
            assert [row.fields["indicator"] for row in read_rows(workbook_of(sheets))] == ["b"]

    def test_list_with_some_headings_behind_the_table_is_passed_over(self) -> None:
        codes_of = [["指标编码", "单位", "期间", "全称"], ["a", "x", "2023", "y"]]
        assert len(read_rows(workbook_of({"数据": [HEADINGS, ["b", "2023", 5]], "编码": codes_of}))) == 1

    def test_only_headings_are_a_batch_of_no_rows(self) -> None:
        assert read_rows(workbook_of({"a": [HEADINGS], "b": [HEADINGS]})) == []

    def test_wrong_headings_of_the_first_sheet_are_told(self) -> None:
        with pytest.raises(InvalidRequest) as caught:
            read_rows(
                workbook_of({"a": [["指标", "期间", "值x"], ["a", "2023", 5]], "b": [HEADINGS, ["b", "2023", 5]]})
            )
        assert [fault.code for fault in caught.value.faults] == ["unknown_field", "heading_missing"]

    def test_none_with_headings_says_which_are_expected(self) -> None:
        with pytest.raises(InvalidRequest) as caught:
            read_rows(workbook([["a", "2023", 1]]))
        assert caught.value.faults[0].code == "headings_not_found"

    def test_apostrophe_is_part_of_a_note(self) -> None:
        assert one(note="'=1").fields["note"] == "'=1"


class TestHostileFiles:
    BODY = workbook([HEADINGS, ["a", "2023", 1]])

    @pytest.mark.parametrize("body", [b"PK\x03\x04", b"indicator,period,value", b"%PDF-1.7"])
    def test_what_is_no_workbook_is_refused(self, body: bytes) -> None:
        assert refusal(body).startswith("BadZipFile")

    def test_encrypted_one_is_refused(self) -> None:
        assert refusal(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)) == "OLE (XLS, encrypted XLSX)"

    def test_zip_of_something_else_is_refused(self) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("word/document.xml", "<a/>")
        assert refusal(out.getvalue()) == "xl/workbook.xml"

    def test_far_corners_are_refused_before_anyone_makes_room_for_them(self) -> None:
        body = workbook([["indicator"]], lambda _book, sheet: sheet.write(1_048_575, 16_383, 1) and None)
        assert refusal(body) == "17179869184 > 3000000 cells"
        reordered = altered(body, SHEET, **{'r="XFD1048576"': "r = '&#88;FD1048576'"})
        assert refusal(reordered) == "17179869184 > 3000000 cells"

    def test_blank_cells_far_away_do_no_harm(self) -> None:
        def write(book: Workbook, sheet: Worksheet) -> None:
            sheet.write_blank(1_048_575, 16_383, None, book.add_format({"bold": True}))

        assert len(read_rows(workbook([HEADINGS, ["a", "2023", 1]], write))) == 1

    def test_cells_without_references_stand_one_behind_the_other(self) -> None:
        text = zipfile.ZipFile(io.BytesIO(self.BODY)).read(SHEET).decode()
        assert read_rows(altered(self.BODY, SHEET, re.sub(r'<c r="\w+"', "<c", text))) == read_rows(self.BODY)

    def test_what_unpacks_to_too_much_is_refused(self) -> None:
        out = io.BytesIO(self.BODY)
        with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/media/image1.png", bytes(200_000_000))
        assert len(out.getvalue()) < 300_000
        assert refusal(out.getvalue()).endswith(" bytes")

    def test_size_that_is_a_lie_is_refused(self) -> None:
        out = io.BytesIO(self.BODY)
        with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/media/image1.png", bytes(3_000_000))
        claimed = out.getvalue().replace((3_000_000).to_bytes(4, "little"), (3).to_bytes(4, "little"))
        assert "BadZipFile" in refusal(claimed)

    @pytest.mark.parametrize(
        ("part", "text"),
        [
            (SHEET, "<worksheet><sheetData><row r='1'>"),
            (SHEET, "<worksheet><sheetData><row r='1'><c r='?'><v>1</v></c></row></sheetData></worksheet>"),
            (SHEET, "<!DOCTYPE a [<!ENTITY b 'c'>]><worksheet/>"),
            (SHEET, "no XML"),
            ("xl/workbook.xml", "<workbook/>"),
            ("xl/workbook.xml", "no XML"),
            ("xl/workbook.xml", "<workbook><sheets><sheet name='a' id='rId77'/></sheets></workbook>"),
            ("xl/_rels/workbook.xml.rels", "<Relationships><Relationship Id='rId1'/></Relationships>"),
        ],
    )
    def test_broken_parts_are_refusals(self, part: str, text: str) -> None:
        with pytest.raises((WorkbookUnreadable, InvalidRequest)):
            read_rows(altered(self.BODY, part, text))

    @settings(deadline=None, max_examples=100)
    @given(st.data())
    def test_any_damage_is_rows_or_a_refusal(self, data: st.DataObject) -> None:
        part = data.draw(st.sampled_from([SHEET, "xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml"]))
        text = zipfile.ZipFile(io.BytesIO(self.BODY)).read(part).decode()
        start = data.draw(st.integers(0, len(text)))
        stop = data.draw(st.integers(start, min(len(text), start + 20)))
        patch = data.draw(st.sampled_from(["", "<", ">", '"', "9", "<c/>", "<row>", 't="s"', "A1:B2", "-1", "&#0;"]))
        with suppress(ServiceError):
            read_rows(altered(self.BODY, part, text[:start] + patch + text[stop:]))

    @settings(deadline=None, max_examples=60)
    @given(st.integers(0, len(BODY) - 1), st.binary(max_size=4))
    def test_any_damaged_byte_is_rows_or_a_refusal(self, place: int, patch: bytes) -> None:
        with suppress(ServiceError):
            read_rows(self.BODY[:place] + patch + self.BODY[place + len(patch) :])
