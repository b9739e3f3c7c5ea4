"""Batches in JSON, NDJSON and CSV: the same rows from each, and a word for whatever is wrong in them."""

import csv
import io
import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import (
    DocumentEmpty,
    ErrorCode,
    Fault,
    ServiceError,
    TooManyRows,
)
from app.spreadsheets import CSV_MEDIA_TYPE, XLSX_MEDIA_TYPE
from app.values.formats import BATCH_TYPES, JSON_TYPE, NDJSON_TYPES, read_batch
from app.values.headings import COLUMNS
from app.values.rows import MOST_ROWS, RawRow
from tests.values.sheets import workbook

NDJSON_TYPE = NDJSON_TYPES[0]
READ = [column for column in COLUMNS if column.read]
ROW = {"indicator": "xianning-2023.58.1", "period": "2023-06", "value": Decimal("46.8")}


def read_rows(body: str | bytes, media_type: str = CSV_MEDIA_TYPE, charset: str | None = None) -> list[RawRow]:
    return list(read_batch(body.encode() if isinstance(body, str) else body, media_type, charset).rows)


def fault_of(body: str | bytes, media_type: str = CSV_MEDIA_TYPE) -> Fault:
    with pytest.raises(ServiceError) as caught:
        read_rows(body, media_type)
    return caught.value.faults[0]


def codes(row: RawRow) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in row.faults]


def one(**cells: str) -> RawRow:
    """The row of a CSV with these cells."""
    out = io.StringIO()
    csv.writer(out).writerows([{"indicator": "", "period": "", "value": ""} | cells, (ROW | cells).values()])
    (row,) = read_rows(out.getvalue())
    return row


def plain_json(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


class TestJson:
    @pytest.mark.parametrize("wrap", ["%s", '{"values": %s}', "\ufeff%s"])
    def test_list_or_object_of_values_gives_its_rows(self, wrap: str) -> None:
        rows = read_rows(wrap % '[{"indicator": "a", "value": 46.80, "surprise": [1]}, {"value": null}]', JSON_TYPE)
        assert rows == [
            (1, {"indicator": "a", "value": Decimal("46.80"), "surprise": [1]}, ()),
            (2, {"value": None}, ()),
        ]

    def test_empty_list_has_no_rows(self) -> None:
        assert read_rows("[]", JSON_TYPE) == []

    def test_what_is_no_object_is_a_fault_of_its_row(self) -> None:
        rows = read_rows("[1, {}, null]", JSON_TYPE)
        assert [codes(row) for row in rows] == [[("", "not_an_object")], [], [("", "not_an_object")]]

    @pytest.mark.parametrize(
        ("body", "pointer", "code"),
        [
            ("null", "", "not_a_list"),
            ("3", "", "not_a_list"),
            ('{"indicator": "a"}', "", "not_a_list"),
            ('{"values": {}}', "/values", "not_a_list"),
            ('{"values": [], "dry/run": 1}', "/dry~1run", "unknown_field"),
            ("[{]", "", "json_syntax"),
            ('[{}, {"a": 1, "b": 1e999999999999999999999}, {"a": 1, "a": 2}]', "/2", "json_repeated_field"),
            ('{"values": [{"a": {"b": 1, "b": 2}}]}', "/values/0", "json_repeated_field"),
            ('{"values": [], "values": []}', "", "json_repeated_field"),
            ('[{"a": 1, "a": 2}, }]', "", "json_repeated_field"),
            ('{"a": 1, "a": 2}', "", "json_repeated_field"),
            ("[" * 100_000, "", "json_too_deep"),
            (b'["\xff"]', "", "json_not_utf8"),
        ],
    )
    def test_what_is_no_list_of_objects_is_refused(self, body: str | bytes, pointer: str, code: str) -> None:
        fault = fault_of(body, JSON_TYPE)
        assert (fault.pointer, fault.code) == (pointer, code)

    def test_figures_are_exact_and_the_hugest_are_still_figures(self) -> None:
        rows = read_rows('[{"value": 0.1000000000000000055}, {"value": 1e99999999999999999999}]', JSON_TYPE)
        assert rows[0].fields["value"] == Decimal("0.1000000000000000055")
        assert rows[1].fields["value"] > 10**100


class TestNdjson:
    @pytest.mark.parametrize("media_type", NDJSON_TYPES)
    def test_lines_are_numbered_as_in_an_editor(self, media_type: str) -> None:
        rows = read_rows('\ufeff{"value": 1}\r\n\n  \n{"value": 0.5}', media_type)
        assert rows == [(1, {"value": 1}, ()), (4, {"value": Decimal("0.5")}, ())]

    def test_broken_line_is_a_fault_of_its_row_and_reading_goes_on(self) -> None:
        body = b'{"value": 1}\n{"value": }\n7\n{"a": "\xff"}\n{"a": 1, "a": 2}\n{"value": 2}\n'
        rows = read_rows(body, NDJSON_TYPE)
        words = [[], ["json_syntax"], ["not_an_object"], ["json_not_utf8"], ["json_repeated_field"], []]
        assert [[fault.code for fault in row.faults] for row in rows] == words
        assert rows[1].faults[0].params == {"line": 2, "column": 11}
        assert rows[3].faults[0].params == {"line": 4, "byte": 8}

    def test_place_in_a_json_body_that_is_no_utf8_is_told(self) -> None:
        assert fault_of(b'\xef\xbb\xbf[\n{"a": "\xff"}]', JSON_TYPE).params == {"line": 2, "byte": 8}


class TestAnyFormat:
    @pytest.mark.parametrize("media_type", BATCH_TYPES)
    @pytest.mark.parametrize("body", [b"", b" \r\n", b"\xef\xbb\xbf"])
    def test_nothing_is_an_empty_document(self, media_type: str, body: bytes) -> None:
        with pytest.raises(DocumentEmpty):
            read_batch(body, media_type)

    @pytest.mark.parametrize(
        ("media_type", "make"),
        [
            (JSON_TYPE, lambda count: ("[" + ",".join(["{}"] * count) + "]").encode()),
            (NDJSON_TYPE, lambda count: b"{}\n" * count),
            (CSV_MEDIA_TYPE, lambda count: b"indicator,period,value\n" + b"a,2023,1\n" * count),
        ],
    )
    def test_more_than_the_most_rows_are_refused_413(self, media_type: str, make: Callable[[int], bytes]) -> None:
        assert sum(1 for _ in read_batch(make(MOST_ROWS), media_type).rows) == MOST_ROWS
        with pytest.raises(TooManyRows) as caught:
            read_rows(make(MOST_ROWS + 1), media_type)
        assert caught.value.params == {"limit": MOST_ROWS}

    @settings(deadline=None, max_examples=100)
    @given(st.sampled_from(BATCH_TYPES), st.binary() | st.text().map(str.encode), st.sampled_from([None, "gbk", "x"]))
    def test_any_bytes_are_rows_or_a_refusal(self, media_type: str, body: bytes, charset: str | None) -> None:
        with suppress(ServiceError):
            list(read_batch(body, media_type, charset).rows)

    @settings(deadline=None, max_examples=100)
    @given(st.text("\",;\t\r\n\0'=a1%，年-/. \ufeff"))
    def test_any_cells_are_rows_or_a_refusal(self, text: str) -> None:
        with suppress(ServiceError):
            read_rows(f"indicator,period,value,note\n{text}")


WORDS = st.text("教育局abc,;\"'=\n，", min_size=1, max_size=8).filter(lambda text: text.strip() == text)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "indicator": st.from_regex(r"[a-z0-9][a-z0-9._-]{0,9}", fullmatch=True),
            "period": st.sampled_from(["2023", "2023-H1", "2023-Q2", "2023-06", "2023-06-15"]),
            "value": st.decimals(-999_999, 999_999, places=3) | st.integers(-(10**12), 10**12).map(Decimal),
        },
        optional={
            "unit": WORDS,
            "note": WORDS.filter(lambda text: not text.startswith("'")),
            "evidence_url": st.just("https://jyj.example/2023-06.pdf"),
            "expected_version": st.integers(0, 99),
        },
    ),
    max_size=5,
)


class TestSameRows:
    @settings(deadline=None, max_examples=40)
    @given(ROWS, st.permutations(READ), st.data())
    def test_from_every_format(self, given_: list[dict[str, Any]], columns: list[Any], data: st.DataObject) -> None:
        expected = [(number, fields, []) for number, fields in enumerate(given_, 1)]
        headings = [data.draw(st.sampled_from(column.headings)) for column in columns]
        table = [headings, *([row.get(column.name, "") for column in columns] for row in given_)]
        text = io.StringIO()
        csv.writer(text, delimiter=data.draw(st.sampled_from(",;\t，"))).writerows(table)
        encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]))
        lines = [json.dumps(row, default=float) for row in given_]
        bodies = {
            JSON_TYPE: f"[{','.join(lines)}]".encode(),
            CSV_MEDIA_TYPE: text.getvalue().encode(encoding),
            XLSX_MEDIA_TYPE: workbook(table),
        }
        if lines:
            bodies[NDJSON_TYPE] = "\n".join(lines).encode()
        for media_type, body in bodies.items():
            rows = read_rows(body, media_type, encoding if encoding == "gb18030" else None)
            assert [(row.number, row.fields, list(row.faults)) for row in rows] == expected, media_type


class TestFigures:
    @pytest.mark.parametrize(
        ("cell", "figure"),
        [
            ("46.8", "46.8"),
            ("+3", "3"),
            ("-0.5", "-0.5"),
            (" 46.8\u3000", "46.8"),
            ("４６．８", "46.8"),
            ("－５", "-5"),
            ("1.2e3", "1200"),
            (".5", "0.5"),
            ("5.", "5"),
            ("0.1000000000000000055", "0.1000000000000000055"),
        ],
    )
    def test_text_of_a_number_is_exact(self, cell: str, figure: str) -> None:
        row = one(value=cell)
        assert (row.fields["value"], row.faults) == (Decimal(figure), [])

    @pytest.mark.parametrize(
        ("cell", "suggestions"),
        [
            ("1,234.5", ["1234.5"]),
            ("１，２３４", ["1234"]),
            ("1 234", ["1234"]),
            ("46.8%", ["46.8"]),
            ("46.8亿元", ["46.8"]),
            ("¥5", ["5"]),
            ("\N{MINUS SIGN}5", ["-5"]),
            ("1,5", []),
            ("(46.8)", []),
            ("40~50", []),
            ("无", []),
            ("NaN", []),
            ("٣", []),
            ("1_000", []),
            ("1\0", ["1"]),
        ],
    )
    def test_other_text_is_a_fault_with_the_plain_number(self, cell: str, suggestions: list[str]) -> None:
        row = one(value=cell)
        assert codes(row) == [("/value", "not_a_figure")]
        assert (list(row.faults[0].suggestions), row.fields["value"]) == (suggestions, cell)

    def test_beyond_all_limits_is_left_to_the_check_of_digits(self) -> None:
        assert one(value="1e99999999999999999999").fields["value"] > 10**100

    @pytest.mark.parametrize(("cell", "version"), [("0", 0), (" ３ ", 3), ("-1", -1)])
    def test_version_is_a_whole_number(self, cell: str, version: int) -> None:
        assert one(expected_version=cell).fields["expected_version"] == version

    @pytest.mark.parametrize("cell", ["1.5", "x", "1e2", "9" * 30])
    def test_other_version_is_a_fault(self, cell: str) -> None:
        assert codes(one(expected_version=cell)) == [("/expected_version", ErrorCode.not_a_whole_number)]


class TestPeriods:
    @pytest.mark.parametrize("cell", ["2023", " 2023-06 ", "２０２３-Q2", "2023-06-15"])
    def test_period_is_read(self, cell: str) -> None:
        assert one(period=cell).faults == []

    def test_what_is_written_otherwise_is_left_to_the_check_of_the_field(self) -> None:
        row = one(period=" ２０２３年６月 ")
        assert (row.faults, row.fields["period"]) == ([], "2023年6月")
