"""Bytes to lines with positions. Plain text for now: UTF-8, UTF-16 with a byte order mark, GB18030."""

import re
from typing import NamedTuple

from app.decoding import decode
from app.errors import DocumentEmpty, DocumentUnreadable
from app.imports.findings import Finding

_LINE_END = re.compile(r"\r\n|\n|\r")
# Controls that no reader sees and databases and spreadsheets choke on; tab and line ends stay.
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


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
    text, encoding = decode(data)
    encoding = encoding.removesuffix("-sig").upper()
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


def _findings(encoding: str, controls: int) -> list[Finding]:
    findings = []
    if encoding == "GB18030":
        findings.append(Finding("info", "encoding_detected", params={"encoding": encoding}))
    if controls:
        findings.append(Finding("info", "control_characters", params={"count": str(controls)}))
    return findings
