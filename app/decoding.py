"""Bytes of a file to text: UTF-8, UTF-16 with a byte order mark, GB18030; what is none of them is refused."""

import codecs
import re
import unicodedata
from itertools import islice

from app.errors import DocumentUnreadable, ErrorCode, Fault, invalid
from app.problems import nearest

# Files that are not text, by their first bytes. The reason is shown to people in both languages, hence bare names.
_MAGIC = (
    (b"PK\x03\x04", "ZIP (DOCX, XLSX)"),
    (b"%PDF-", "PDF"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE (DOC, XLS)"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_LINE_END = re.compile(r"\r\n?|\n")
_QUOTED = 20  # characters before bytes that do not fit, by which the place is found
_HEADER = "/header/content-type"
_SAMPLE = 20_000  # characters beyond ASCII by which an encoding is judged
_COMMON_SHARE = 0.8  # of them that must be common ones
# what a sender may call its encoding, and what it is read as: GB18030 holds all of GB 2312 and GBK
_CHARSETS = dict.fromkeys(("utf-8", "utf8", "us-ascii", "ascii"), "utf-8") | dict.fromkeys(
    ("gb18030", "gb2312", "gbk", "cp936", "x-gbk"), "gb18030"
)


def decode(data: bytes, charset: str | None = None) -> tuple[str, str]:
    """The text without its byte order mark, and its encoding: `utf-8`, `utf-8-sig`, `utf-16` or `gb18030`.

    A charset that the sender names decides, unless the bytes speak against it; else UTF-8 comes first, since other
    encodings rarely are valid UTF-8 by accident, and a byte order mark is never taken for text.

    Raises: `DocumentUnreadable`, with the first byte (from 0) that does not fit and its line; `InvalidRequest` for a
    charset that is unknown or wrong.
    """
    for magic, reason in _MAGIC:
        if data.startswith(magic):
            raise DocumentUnreadable(reason)
    unicode = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    if charset is not None and unicode == "utf-8":
        return _decode_as(charset.strip().lower(), data)
    return _detect(data, unicode)


def _detect(data: bytes, unicode: str) -> tuple[str, str]:
    try:
        return data.decode(unicode), unicode
    except UnicodeDecodeError as error:
        first, refusal = error.start, _refusal(data, error)
    if b"\0" in data:
        raise DocumentUnreadable("NUL")
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError as error:
        is_chinese = error.start > first and _reads_as_chinese(data[: error.start].decode("gb18030"))
        raise (_refusal(data, error) if is_chinese else refusal) from None
    if not _reads_as_chinese(text):
        raise refusal
    return text, "gb18030"


def _decode_as(charset: str, data: bytes) -> tuple[str, str]:
    encoding = _CHARSETS.get(charset)
    if encoding is None:
        known = sorted(_CHARSETS)
        raise invalid(_HEADER, ErrorCode.not_allowed, nearest(charset, known), expected=", ".join(known))
    found = _found(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if found is None:
            raise _refusal(data, error) from None
    else:
        # what is GB 2312 may be UTF-8 by accident, such as 学校: then the sender knows better
        if found in (None, encoding) or _reads_as_chinese(text):
            return text, encoding
    raise invalid(_HEADER, ErrorCode.charset_wrong, [f"charset={found}"], charset=charset, found=found)


def _found(data: bytes) -> str | None:
    try:
        return _detect(data, "utf-8")[1]
    except DocumentUnreadable:
        return None


def _refusal(data: bytes, error: UnicodeDecodeError) -> DocumentUnreadable:
    """The refusal of bytes that do not fit, with their line and the words before them."""
    start = len(data) - len(error.object) + error.start  # the error may know nothing of a byte order mark
    before = error.object[: error.start].decode(error.encoding).removeprefix("\ufeff")
    *lines, line = _LINE_END.split(before)
    byte = f"0x{data[start]:02X}"
    told = {"line": len(lines) + 1, "before": line[-_QUOTED:], "byte": byte, "encoding": error.encoding.upper()}
    return DocumentUnreadable(f"{byte} @ {start}", Fault("", ErrorCode.not_in_encoding, told))


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
