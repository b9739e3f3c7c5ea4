"""Bodies of a batch that are made to hurt: small ones that ask for much memory or time, and cells nobody can hold."""

import io
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from app.db import Database
from app.errors import InvalidRequest, WorkbookUnreadable
from app.problems import MOST_FAULTS
from app.spreadsheets import CSV_MEDIA_TYPE, MOST_IN_A_CELL, XLSX_MEDIA_TYPE
from app.values.formats import read_batch
from app.values.headings import MOST_COLUMNS
from app.values.inspecting import MOST_CELLS, MOST_CHARACTERS, MOST_SHEETS
from app.values.rows import RawRow
from tests.conftest import Api
from tests.history import snapshot
from tests.values.sheets import workbook

HEADINGS = ["indicator", "period", "value", "note"]
STRINGS = "xl/sharedStrings.xml"
SHEET = "xl/worksheets/sheet1.xml"
BOOK = "xl/workbook.xml"
RELATIONS = "xl/_rels/workbook.xml.rels"


def read_rows(body: bytes, media_type: str = XLSX_MEDIA_TYPE) -> list[RawRow]:
    return list(read_batch(body, media_type).rows)


def refusal(body: bytes) -> str:
    with pytest.raises(WorkbookUnreadable) as caught:
        read_rows(body)
    return str(caught.value.params["reason"])


def replaced(body: bytes, part: str, before: str, after: str) -> bytes:
    """The workbook with words of one part replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name).decode()
            assert name != part or before in content
            new.writestr(name, content.replace(before, after) if name == part else content)
    return out.getvalue()


def sharing(text: str, cells: int) -> bytes:
    """A workbook in which so many notes are one text, which it holds once."""
    body = workbook([HEADINGS, *(["a", "2023", 1, "SHARED"] for _ in range(cells))])
    return replaced(body, STRINGS, "SHARED", text)


def naming(number: str) -> bytes:
    """A workbook with twenty texts, of which one cell names the one with this number, as XML."""
    body = workbook([HEADINGS, *(["a", "2023", 1, f"note {place}"] for place in range(20))])
    return replaced(body, SHEET, "<v>12</v>", f"<v>{number}</v>")


@contextmanager
def within(seconds: float, megabytes: float) -> Iterator[None]:
    """Fails where the block takes more time, or more of the memory that Python gives out."""
    tracemalloc.start()
    try:
        began = time.perf_counter()
        yield
        took, (_now, peak) = time.perf_counter() - began, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert took < seconds
    assert peak < megabytes * 1e6


class TestSharedTexts:
    def test_longer_than_a_cell_can_hold_is_refused(self) -> None:
        row = read_rows(sharing("A" * MOST_IN_A_CELL, 1))[0]
        assert len(row.fields["note"]) == MOST_IN_A_CELL
        with within(5, 20):
            assert refusal(sharing("A" * 100_000, 3000)) == f"> {MOST_IN_A_CELL} characters in a cell"

    def test_copies_are_counted_before_they_are_made(self) -> None:
        cells = MOST_CHARACTERS // 30_000 + 1
        assert refusal(sharing("A" * 30_000, cells)).endswith(f" > {MOST_CHARACTERS} characters")
        assert len(read_rows(sharing("A" * 30_000, 100))) == 100

    def test_that_stand_in_the_cells_themselves_are_bound_likewise(self) -> None:
        body = naming("12")
        for kind, text in (
            ("inlineStr", "<is><t>{}</t></is>"),
            ("inlineStr", "<is><r><t>{0}</t></r><r><t>{0}</t></r></is>"),
            ("str", "<f>A1</f><v>{}</v>"),
            ("n", "<v>{}</v>"),
        ):
            cell = f'<c r="H9" t="{kind}">{text.format("A" * 20_000)}</c></row>'
            long = replaced(body, SHEET, "</row>", cell.replace("A" * 20_000, "A" * 40_000))
            assert refusal(long) == f"> {MOST_IN_A_CELL} characters in a cell", kind
        many = "".join(f"<c t='inlineStr'><is><t>{'A' * 30_000}</t></is></c>" for _ in range(100))
        sheet = replaced(workbook([HEADINGS]), SHEET, "</row>", f"</row>{f'<row>{many}</row>' * 17}")
        assert refusal(sheet).endswith(f" > {MOST_CHARACTERS} characters")

    @pytest.mark.parametrize(
        "number",
        ["1&#50;", "1<![CDATA[2]]>", "1<!-- -->2", "1<x/>2", "1<?x?>2", " 12", "+12", "-1", "1_2", "１２"],
    )
    def test_number_that_can_be_read_in_two_ways_is_refused(self, number: str) -> None:
        assert refusal(naming(number)).startswith("XML: v=")

    def test_number_that_is_none_or_too_large_is_empty_or_refused(self) -> None:
        assert len(read_rows(naming("12"))) == 20
        assert read_rows(naming(""))
        assert "IndexError" in refusal(naming("999"))

    def test_one_within_another_is_refused(self) -> None:
        body = replaced(naming("12"), STRINGS, "<si><t>note 5</t></si>", "<si><si><t>note 5</t></si></si>")
        assert refusal(body) == "XML: si"

    def test_phonetic_and_rich_ones_are_read(self) -> None:
        rich = "<si><r><t>no</t></r><r><rPr/><t>te</t></r><rPh sb='0' eb='1'><t>xx</t></rPh></si>"
        body = replaced(naming("12"), STRINGS, "<si><t>note 5</t></si>", rich)
        assert [row.fields["note"] for row in read_rows(body)][5] == "note"


class TestParts:
    @pytest.mark.parametrize(
        ("part", "end", "element"),
        [
            (BOOK, "</sheets>", '<sheet name="a"/>'),
            (RELATIONS, "</Relationships>", '<Relationship Id="a" Target="a"/>'),
        ],
    )
    def test_that_describe_the_workbook_are_bound(self, part: str, end: str, element: str) -> None:
        body = workbook([HEADINGS])
        large = replaced(body, part, end, element * 1_000_000 + end)
        many = replaced(body, part, end, element * MOST_SHEETS + end)
        with within(5, 5):
            assert refusal(large).startswith(f"{part}: ")
            assert refusal(many).startswith(f"{part}: > {MOST_SHEETS} ")


class TestSheets:
    def test_that_are_each_nearly_too_large_are_refused_together(self) -> None:
        def write(book: Workbook, sheet: Worksheet) -> None:
            for one in (sheet, book.add_worksheet()):
                one.write_number(MOST_CELLS // 50 - 1, 25, 1)
                one.write_number(0, 0, 1)

        cells = 2 * (MOST_CELLS // 50) * 26
        assert refusal(workbook([], write)) == f"{cells} > {MOST_CELLS} cells"


class TestCellsNobodyCanHold:
    @pytest.mark.parametrize("row", [3, 15])
    @pytest.mark.parametrize(
        ("form", "number"),
        [("[h]:mm:ss", 1e10), ("[h]:mm:ss", 1e300), ("[h]:mm:ss", -1e18), ("hh:mm", -1e18), ("yyyy-mm-dd", -1e18)],
    )
    def test_is_a_refusal_that_names_the_row(
        self, api: Api, database: Database, form: str, number: float, row: int
    ) -> None:
        before = snapshot(database)
        response = api.education.post(
            "/api/v1/values/batch", content=formatted(form, number, row), headers={"Content-Type": XLSX_MEDIA_TYPE}
        )
        assert (response.status_code, response.json()["code"]) == (422, "workbook_unreadable")
        assert f"Sheet1!{row}:{row}: " in response.json()["detail"]
        assert snapshot(database) == before


def formatted(form: str, number: float, row: int) -> bytes:
    """Twenty rows, one with a number in a format of dates or times."""

    def write(book: Workbook, sheet: Worksheet) -> None:
        sheet.write_number(row - 1, 3, number, book.add_format({"num_format": form}))

    return workbook([HEADINGS, *(["xianning-2023.58.1", "2023-06", 1] for _ in range(20))], write)


def as_csv(table: list[list[str]]) -> tuple[bytes, str]:
    return "\n".join(",".join(row) for row in table).encode(), CSV_MEDIA_TYPE


def as_xlsx(table: list[list[str]]) -> tuple[bytes, str]:
    return workbook(table), XLSX_MEDIA_TYPE


@pytest.mark.parametrize("write", [as_csv, as_xlsx])
class TestHeadings:
    def test_too_many_are_refused_at_once(self, write: Callable[[Any], tuple[bytes, str]]) -> None:
        wide = [*HEADINGS, *(f"vaule{place}" for place in range(MOST_COLUMNS - 3))]
        body, media_type = write([wide, ["a", "2023", "1"]])
        with pytest.raises(InvalidRequest) as caught:
            read_rows(body, media_type)
        (fault,) = caught.value.faults
        assert (fault.code, fault.params) == (
            "too_many_columns",
            {"columns": MOST_COLUMNS + 1, "limit": MOST_COLUMNS},
        )

    def test_faults_are_bound_and_only_the_first_compared(self, write: Callable[[Any], tuple[bytes, str]]) -> None:
        body, media_type = write([[*HEADINGS, *(f"vaule{place}" for place in range(MOST_COLUMNS - 4))]])
        with pytest.raises(InvalidRequest) as caught:
            read_rows(body, media_type)
        assert (len(caught.value.faults), caught.value.params["count"]) == (MOST_FAULTS, MOST_COLUMNS - 4)
        assert [bool(fault.suggestions) for fault in caught.value.faults] == [True] * 20 + [False] * (MOST_FAULTS - 20)

    def test_blank_columns_beside_them_do_not_count(self, write: Callable[[Any], tuple[bytes, str]]) -> None:
        body, media_type = write([[*HEADINGS, *[" "] * 300], ["a", "2023", "1", "x", *[" "] * 300]])
        assert [row.fields["note"] for row in read_rows(body, media_type)] == ["x"]

    def test_cells_beyond_them_are_one_fault_a_row(self, write: Callable[[Any], tuple[bytes, str]]) -> None:
        body, media_type = write([HEADINGS, ["a", "2023", "1", "x", "", *["stray"] * 3000], ["a", "2024", "1"]])
        first, second = read_rows(body, media_type)
        assert [(fault.code, fault.params["column"]) for fault in first.faults] == [("cell_without_heading", 6)]
        assert not second.faults


class TestCsv:
    @pytest.mark.parametrize("row", ["x," * 345_000, "indicator," * 69_000, f"{'vaule ' * 20_000},value"])
    def test_heading_row_of_nothing_but_cells_takes_no_time(self, row: str) -> None:
        with within(10, 100), pytest.raises(InvalidRequest) as caught:
            read_rows(f"indicator,period,{row}\na,2023,1\n".encode(), CSV_MEDIA_TYPE)
        assert len(caught.value.faults) <= MOST_FAULTS

    def test_cells_without_heading_take_no_memory(self) -> None:
        body = b"indicator,period,value\na,2023,1" + b",x" * 300_000
        with within(10, 30):
            (row,) = read_rows(body, CSV_MEDIA_TYPE)
        assert len(row.faults) == 1

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
    def test_text_is_in_memory_once(self, encoding: str) -> None:
        lines = ["indicator,period,value,note", *(f"a,2023,1,{'统计' * 500}" for _ in range(5000))]
        text = "\n".join(lines)
        body, in_memory = text.encode(encoding), 2 * len(text)
        tracemalloc.start()
        try:
            batch = read_batch(body, CSV_MEDIA_TYPE)
            tracemalloc.reset_peak()  # decoding asks for more than it then touches
            assert sum(1 for _ in batch.rows) == 5000
            _now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1.2 * in_memory

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_lines_end_as_they_may(self, end: str) -> None:
        body = end.join(["indicator,period,value,note", f'a,2023,1,"one{end}{end}two"', "", "b,2023,2,\N{NEXT LINE}x"])
        first, second = read_rows(body.encode(), CSV_MEDIA_TYPE)
        assert first.fields["note"] == f"one{end}{end}two"
        assert (second.fields["indicator"], second.fields["note"]) == ("b", "\N{NEXT LINE}x")
