"""Bytes to lines: encodings, line ends, and what is no text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DocumentEmpty, DocumentUnreadable
from app.imports.reading import Line, read_document

TEXT = "咸宁市方案\n\n52.优化教育资源配置。(牵头单位:市教育局)\n"
LINES = (Line(1, "咸宁市方案"), Line(2, ""), Line(3, "52.优化教育资源配置。(牵头单位:市教育局)"))


class TestReadDocument:
    @pytest.mark.parametrize(
        ("encoding", "named"),
        [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16"), ("gb18030", "GB18030"), ("gbk", "GB18030")],
    )
    def test_every_encoding_gives_the_same_lines(self, encoding: str, named: str) -> None:
        document = read_document(TEXT.encode(encoding))
        assert (document.lines, document.encoding) == (LINES, named)

    def test_utf16_big_endian_is_read(self) -> None:
        assert read_document(b"\xfe\xff" + TEXT.encode("utf-16-be")).lines == LINES

    def test_gb18030_is_said_in_a_finding(self) -> None:
        assert [finding.code for finding in read_document(TEXT.encode("gb18030")).findings] == ["encoding_detected"]

    def test_utf8_needs_no_finding(self) -> None:
        assert read_document(TEXT.encode()).findings == ()

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_every_line_end_counts_once(self, end: str) -> None:
        assert read_document(TEXT.replace("\n", end).encode()).lines == LINES

    @pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
    def test_other_separators_do_not_end_a_line(self, mark: str) -> None:
        assert [line.number for line in read_document(f"一{mark}二\n三".encode()).lines] == [1, 2]

    def test_last_line_without_end_is_read(self) -> None:
        assert read_document("一\n二".encode()).lines == (Line(1, "一"), Line(2, "二"))

    def test_spaces_around_text_stay(self) -> None:
        assert read_document("\u3000 一 \n".encode()).lines == (Line(1, "\u3000 一 "),)

    def test_control_characters_become_spaces_and_are_counted(self) -> None:
        document = read_document("一\x07二\x1b".encode())
        assert document.lines == (Line(1, "一 二 "),)
        assert [(finding.code, finding.params) for finding in document.findings] == [
            ("control_characters", {"count": "2"})
        ]

    @pytest.mark.parametrize("data", [b"", b" \r\n\t\n", "\u3000".encode(), b"\xef\xbb\xbf", b"\xff\xfe", b"\x0c"])
    def test_nothing_but_white_space_is_empty(self, data: bytes) -> None:
        with pytest.raises(DocumentEmpty):
            read_document(data)

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"PK\x03\x04rest", "ZIP (DOCX, XLSX)"),
            (b"%PDF-1.7 rest", "PDF"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE (DOC, XLS)"),
            (b"\x89PNG\r\n\x1a\n", "PNG"),
            (b"\xff\xd8\xff\xe0", "JPEG"),
            (b"text\x00text", "NUL"),
            (TEXT.encode("utf-16-le"), "NUL"),
            (b"\xff" * 9, "0xFF @ 0"),
            ("café, ça va très bien, Größe".encode("latin-1"), "0xE9 @ 3"),
            ("中華民國政府工作報告".encode("big5"), "0xA4 @ 0"),
        ],
    )
    def test_what_is_no_text_is_unreadable_with_a_reason(self, data: bytes, reason: str) -> None:
        with pytest.raises(DocumentUnreadable) as caught:
            read_document(data)
        assert caught.value.params["reason"] == reason

    @given(st.binary())
    def test_any_bytes_are_lines_or_one_of_two_errors(self, data: bytes) -> None:
        try:
            document = read_document(data)
        except (DocumentEmpty, DocumentUnreadable):
            return
        assert [line.number for line in document.lines] == list(range(1, len(document.lines) + 1))

    @given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).filter(str.strip))
    def test_utf8_text_comes_back_unchanged(self, text: str) -> None:
        assert "\n".join(line.text for line in read_document(text.encode()).lines) == text.removeprefix("\ufeff")

    @given(st.lists(st.text("教育局卫健委,。（）12 "), min_size=1))
    def test_gb18030_and_utf8_give_the_same_lines(self, texts: list[str]) -> None:
        text = "咸宁市\n" + "\n".join(texts)
        assert read_document(text.encode("gb18030")).lines == read_document(text.encode()).lines
