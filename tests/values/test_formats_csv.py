"""Batches as CSV: encodings, headings, quotes, and what our own exports do to a note."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import DocumentUnreadable, ErrorCode, Fault, InvalidRequest
from app.spreadsheets import CSV_MEDIA_TYPE, render_csv
from app.values.formats import read_batch
from tests.values.sheets import workbook
from tests.values.test_formats import ROW, fault_of, one, read_rows


class TestCsvEncodings:
    TEXT = "指标编码,期间,数值,备注\na.1,2023,5,教育局\n"

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
    def test_encoding_is_found_and_told(self, encoding: str) -> None:
        batch = read_batch(self.TEXT.encode(encoding), CSV_MEDIA_TYPE)
        assert batch.encoding == encoding
        assert [row.fields["note"] for row in batch.rows] == ["教育局"]

    @pytest.mark.parametrize("charset", ["gbk", "GB2312", "gb18030"])
    def test_charset_of_the_sender_wins(self, charset: str) -> None:
        body = "indicator,period,value,note\na,2023,1,é\n".encode("gb18030")
        with pytest.raises(DocumentUnreadable):  # too little Chinese in it to tell
            read_batch("indicator,period,value,note\na,2023,1,龘\n".encode("gbk")[:-2] + b"\xff\n", CSV_MEDIA_TYPE)
        assert [row.fields["note"] for row in read_rows(body, charset=charset)] == ["é"]

    @pytest.mark.parametrize(("charset", "found"), [("utf-8", "gb18030"), ("GBK", "utf-8"), ("us-ascii", "gb18030")])
    def test_charset_that_the_bytes_are_not_in_is_refused_with_the_right_one(self, charset: str, found: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            read_batch(self.TEXT.encode(found), CSV_MEDIA_TYPE, charset)
        told = Fault(
            "/header/content-type",
            ErrorCode.charset_wrong,
            {"charset": charset.lower(), "found": found},
            [f"charset={found}"],
        )
        assert caught.value.faults == (told,)

    def test_charset_of_the_sender_wins_where_the_bytes_may_be_either(self) -> None:
        body = "indicator,period,value,note\na,2023,1,学校\n".encode("gbk")
        assert body.decode()  # by accident
        assert [row.fields["note"] for row in read_rows(body, charset="gbk")] == ["学校"]

    def test_charset_that_nobody_knows_is_refused_with_those_that_are_read(self) -> None:
        with pytest.raises(InvalidRequest) as caught:
            read_batch(self.TEXT.encode(), CSV_MEDIA_TYPE, "gb18031")
        (fault,) = caught.value.faults
        assert (fault.pointer, fault.code, fault.suggestions[0]) == ("/header/content-type", "not_allowed", "gb18030")

    @pytest.mark.parametrize(
        ("encoding", "charset", "named"),
        [
            ("utf-8", None, "UTF-8"),
            ("utf-8", "utf-8", "UTF-8"),
            ("utf-8-sig", None, "UTF-8"),
            ("gb18030", None, "GB18030"),
            ("gb18030", "gb2312", "GB18030"),
        ],
    )
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_byte_that_was_cut_is_told_with_its_line(self, encoding: str, charset: str, named: str, end: str) -> None:
        text = (self.TEXT + "a.2,2023,6,公安局财政局\n" * 9).replace("\n", end)
        body = text.encode(encoding)
        last = "财".encode(named)
        place = body.rindex(last) + len(last)
        with pytest.raises(DocumentUnreadable) as caught:
            read_batch(body[: place - 1] + b"\xff" + body[place:], CSV_MEDIA_TYPE, charset)
        (fault,) = caught.value.faults
        assert fault.code == "not_in_encoding"
        assert (fault.params["line"], fault.params["encoding"]) == (11, named)
        assert fault.params["before"] == "a.2,2023,6,公安局"
        assert str(caught.value.params["reason"]).startswith(f"{fault.params['byte']} @ ")

    def test_workbook_sent_as_csv_is_refused(self) -> None:
        with pytest.raises(DocumentUnreadable) as caught:
            read_batch(workbook([["指标编码"]]), CSV_MEDIA_TYPE)
        assert caught.value.params == {"reason": "ZIP (DOCX, XLSX)"}


class TestHeadings:
    @pytest.mark.parametrize("heading", ["指标编码", " Indicator ", "ＩＮＤＩＣＡＴＯＲ", "指 标", "指标代码"])
    def test_width_case_and_spaces_do_not_matter(self, heading: str) -> None:
        assert read_rows(f"{heading},报告期,值\na,2023,1\n")[0].fields["indicator"] == "a"

    def test_columns_for_people_are_not_read(self) -> None:
        rows = read_rows("指标,指标名称,目标值,目标任务,现值,期间,数值\na,学位,1,x,2,2023,3\n")
        assert rows == [(1, {"indicator": "a", "period": "2023", "value": 3}, [])]

    @pytest.mark.parametrize("heading", ["单位名称", "unit_name"])
    def test_name_of_the_unit_is_the_unit_where_there_is_no_other(self, heading: str) -> None:
        rows = read_rows(f"指标,{heading},期间,数值\na, 市教育局 ,2023,1\n")
        assert rows == [(1, {"indicator": "a", "period": "2023", "value": 1, "unit": "市教育局"}, [])]

    @pytest.mark.parametrize("headings", ["unit_name,unit", "unit,unit_name"])
    def test_name_of_the_unit_fills_an_empty_cell_of_the_unit(self, headings: str) -> None:
        cells = ["x,y", ",y", "x,"] if headings == "unit,unit_name" else ["y,x", "y,", ",x"]
        lines = "".join(f"a,2023,1,{two}\n" for two in cells)
        rows = read_rows(f"indicator,period,value,{headings}\n{lines}a,2023,1\n")
        assert [row.fields.get("unit") for row in rows] == ["x", "y", "x", None]

    def test_two_columns_of_names_of_the_unit_are_refused(self) -> None:
        assert fault_of("indicator,period,value,unit_name,单位名称\n").code == "heading_repeated"

    def test_title_above_them_is_passed_over(self) -> None:
        assert len(read_rows("咸宁市2023年指标值\n\n指标,期间,数值\na,2023,1\n")) == 1

    def test_unknown_repeated_and_missing_ones_are_all_told(self) -> None:
        with pytest.raises(InvalidRequest) as caught:
            read_rows("指标,indicator,perod,数/值\n")
        told = [(fault.pointer, fault.code) for fault in caught.value.faults]
        assert told == [
            ("/perod", "unknown_field"),
            ("/数~1值", "unknown_field"),
            ("/indicator", "heading_repeated"),
            ("/period", "heading_missing"),
            ("/value", "heading_missing"),
        ]
        assert caught.value.faults[0].suggestions[0] == "period"
        assert "数值" in caught.value.faults[1].suggestions

    def test_none_at_all_says_which_are_expected(self) -> None:
        fault = fault_of("a,2023,1\nb,2023,2\n")
        assert fault.code == "headings_not_found"
        assert all(word in str(fault.params["headings"]) for word in ("indicator", "期间", "数值"))

    def test_headings_alone_are_a_batch_of_no_rows(self) -> None:
        assert read_rows("indicator,period,value\n") == []


class TestCsvRows:
    def test_blank_rows_keep_their_numbers_and_rows_left_blank_are_counted(self) -> None:
        batch = read_batch(
            b"indicator,period,value,note,evidence_url,expected_version\n"
            b"a,2023,1,,,\n\n,,,,,\nb,2023, ,,,3\nc,2023,,why,,\n",
            CSV_MEDIA_TYPE,
        )
        assert [row.number for row in batch.rows] == [1, 5]
        assert batch.left_blank == 1

    def test_cell_without_heading_is_a_fault(self) -> None:
        rows = read_rows("indicator,,period,value\na,,2023,1\na,x,2023,1\na,,2023,1,,x\n,x,,\n")
        assert [[fault.params.get("column") for fault in row.faults] for row in rows] == [[], [2], [6], [2]]

    def test_short_row_lacks_its_fields(self) -> None:
        assert read_rows("note,value,indicator,period\nx\n") == [(1, {"note": "x"}, [])]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_quoted_cells_hold_line_ends_and_separators(self, end: str) -> None:
        text = f'note,indicator,period,value{end}"a{end}b,""c""",i,2023,1{end}'
        assert read_rows(text)[0].fields["note"] == f'a{end}b,"c"'

    @pytest.mark.parametrize("tail", ['"', 'a,2023,1,"open\nb,2023,1,\n', 'a,2023,1,"x"y\n'])
    def test_quotes_that_do_not_match_are_refused_with_their_line(self, tail: str) -> None:
        fault = fault_of(f"indicator,period,value,note\na,2023,1,\n{tail}")
        assert (fault.code, fault.params) == ("csv_syntax", {"line": 3})

    @pytest.mark.parametrize(
        ("cell", "note"),
        [
            ("'=1+1", "=1+1"),
            ("'-5", "-5"),
            ("'＠x", "＠x"),
            ("'tis", "'tis"),
            ("''=1", "'=1"),
            ("''x", "''x"),
            ("=1+1", "=1+1"),
        ],
    )
    def test_apostrophe_that_our_exports_add_is_taken_off_a_note(self, cell: str, note: str) -> None:
        assert one(note=cell).fields["note"] == note

    @settings(deadline=None)
    @given((st.text("'=+-@＝＇abc\t\r\n\" ,") | st.text(st.characters(exclude_categories=["Cs"]))).filter(str.strip))
    def test_note_comes_back_from_our_csv(self, note: str) -> None:
        body = render_csv([("indicator",), ("period",), ("value",), ("note",)], [ROW | {"note": note}])
        assert read_rows(body)[0].fields["note"] == note
