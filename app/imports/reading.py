"""Bytes to lines with positions. Plain text for now: UTF-8, UTF-16 with a byte order mark, GB18030."""

import codecs
import re
import unicodedata
from itertools import islice
from typing import NamedTuple

from app.errors import DocumentEmpty, DocumentUnreadable
from app.imports.findings import Finding

# Files that are not text, by their first bytes. The reason is shown to people in both languages, hence bare names.
_MAGIC = (
    (b"PK\x03\x04", "ZIP (DOCX, XLSX)"),
    (b"%PDF-", "PDF"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE (DOC, XLS)"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
)
_LINE_END = re.compile(r"\r\n|\n|\r")
# Controls that no reader sees and databases and spreadsheets choke on; tab and line ends stay.
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SAMPLE = 20_000  # characters beyond ASCII by which an encoding is judged
_COMMON_SHARE = 0.8  # of them that must be common ones


class Line(NamedTuple):
    """A line of the document as uploaded: number from 1, blank lines counted, text without its line end."""

    number: int
    text: str


class Document(NamedTuple):
    """A document's lines, the encoding they were read in, and what reading found."""

    lines: tuple[Line, ...]
    encoding: str
    findings: tuple[Finding, ...] = ()


def read_document(data: bytes) -> Document:
    """The document's lines, ended by CRLF, LF or CR and by nothing else, so that line numbers agree with editors.

    Text stands as it was sent, but for the byte order mark and for control characters: each becomes one space, so
    that positions hold, and a finding counts them.

    Raises: `DocumentEmpty` when there is nothing but white space, `DocumentUnreadable` when it is no text.
    """
    text, encoding = _decode(data)
    if "\0" in text:
        raise DocumentUnreadable("NUL")
    text, controls = _CONTROL.subn(" ", text)
    if not text.strip():
        raise DocumentEmpty
    texts = _LINE_END.split(text)
    if not texts[-1]:  # the last line end ends a line, it does not begin one
        texts.pop()
    lines = tuple(Line(number, line) for number, line in enumerate(texts, 1))
    return Document(lines, encoding, tuple(_findings(encoding, controls)))


def _decode(data: bytes) -> tuple[str, str]:
    """The text and the name of its encoding; UTF-8 first, since other encodings rarely are valid UTF-8 by accident."""
    for magic, reason in _MAGIC:
        if data.startswith(magic):
            raise DocumentUnreadable(reason)
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16"), "UTF-16"
        return data.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError as error:
        fault = f"0x{data[error.start]:02X} @ {error.start}"
    if b"\0" in data:
        raise DocumentUnreadable("NUL")
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        raise DocumentUnreadable(fault) from None
    if not _reads_as_chinese(text):
        raise DocumentUnreadable(fault)
    return text, "GB18030"


def _reads_as_chinese(text: str) -> bool:
    """Whether text decoded as GB18030 looks meant so.

    Nearly any bytes decode as GB18030, but wrongly decoded ones give rare characters: in Chinese text nearly all
    characters lie in the 6763 of GB 2312, which is only a quarter of the code points that two bytes can give.
    """
    beyond_ascii = list(islice((char for char in text if char > "\x7f"), _SAMPLE))
    common = sum(_is_common(char) for char in beyond_ascii)
    return common >= _COMMON_SHARE * len(beyond_ascii)


def _is_common(char: str) -> bool:
    try:
        char.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return unicodedata.category(char) != "Co"


def _findings(encoding: str, controls: int) -> list[Finding]:
    findings = []
    if encoding == "GB18030":
        findings.append(Finding("info", "encoding_detected", params={"encoding": encoding}))
    if controls:
        findings.append(Finding("info", "control_characters", params={"count": str(controls)}))
    return findings
