"""What must be known of an XLSX before calamine may read it: its size unpacked, and what calamine keeps to itself.

calamine makes room for the whole rectangle around a sheet's cells: two cells in opposite corners, a file of 5 kB, ask
for 550 GB and end the process. It copies a text into every cell that names it: 22 kB ask for 500 MB. And it gives
errors (#N/A) and formulas that were never computed as empty cells, and 0.468 for what everyone sees as 46.8%.
"""

import io
import re
import struct
import zipfile
import zlib
from array import array
from collections import Counter
from collections.abc import Collection, Sequence
from posixpath import join, normpath
from xml.parsers import expat

from app.errors import WorkbookUnreadable
from app.spreadsheets import MOST_IN_A_CELL
from app.values.styles import percent_styles

MOST_UNPACKED = 200_000_000  # bytes of all parts together
MOST_CELLS = 3_000_000  # of the rectangles of all sheets
MOST_WITHOUT_RESULT = 300_000
MOST_PERCENT = 500_000
MOST_CHARACTERS = 50_000_000  # of the text of all cells, a shared text counted in each of them
MOST_DESCRIBED = 5_000_000  # bytes of a part that says which sheets there are
MOST_SHEETS = 1000  # and what else the workbook refers to
_CHUNK = 1 << 18
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
_SHARED = "xl/sharedstrings.xml"
_STYLES = "xl/styles.xml"
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
# all that reading a broken or hostile archive can raise
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, expat.ExpatError, OSError, EOFError, LookupError, ValueError)


class SharedTexts:
    """How long each of the texts is that cells name by their number."""

    def __init__(self) -> None:
        self.lengths = array("I")
        self._characters = 0
        self._inside = False

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        """Take the next element of the part's XML."""
        if name.rpartition(":")[2] != "si":
            return
        if self._inside:  # one within another calamine takes for one: the numbers of all others would be wrong
            raise WorkbookUnreadable(reason="XML: si")
        self._inside = True
        self.lengths.append(0)
        if len(self.lengths) > MOST_CELLS:
            raise WorkbookUnreadable(reason=f"> {MOST_CELLS} shared strings")

    def end(self, name: str) -> None:
        """Take the end of an element."""
        if name.rpartition(":")[2] == "si":
            self._inside = False

    def text(self, text: str) -> None:
        """Take the next piece of text."""
        if not self._inside:
            return
        self.lengths[-1] += len(text)
        self._characters += len(text)
        _check_length(self.lengths[-1], self._characters)


class SheetFacts:
    """The rectangle of a sheet's cells, and which of them have no result or a percentage: columns by row, both from 0.

    `shared`: the lengths of the texts that cells name by their number; `percents`: the styles that show percentages;
    `parser` reads the sheet's XML.
    """

    parser: expat.XMLParserType

    def __init__(self, shared: Sequence[int], percents: Collection[str]) -> None:
        self.without_result: dict[int, list[int]] = {}
        self.percent: dict[int, list[int]] = {}
        self._percents, self._most_percent = percents, MOST_PERCENT
        self._is_percent = False
        self._shared = shared
        self._is_shared = self._in_text = False
        self._number, self._number_at = "", 0  # of the text that the cell names, and where it begins
        self._length = self.characters = 0  # of the cell's text, and of all
        self._most_left = MOST_WITHOUT_RESULT
        self._reference: str | None = None  # of the cell, such as C17; its place is worked out where it is needed
        self._row = self._column = -1
        self._failed = self._computed = False
        self._top = self._left = 1 << 30
        self._bottom = self._right = -1
        self._counted: tuple[str, set[str]] = ("", set())  # the row and the columns that the rectangle has already

    @property
    def cells(self) -> int:
        """How many cells the rectangle has."""
        return (self._bottom - self._top + 1) * (self._right - self._left + 1) if self._right >= 0 else 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take the next element of the sheet's XML."""
        length = len(name)
        if ":" in name:
            name = name.rpartition(":")[2]
        if name == "c":
            self._start_cell(attributes)
        elif name in ("v", "is"):
            self._extend()
            self._in_text = True
            if self._is_shared:
                self._number, self._number_at = "", self.parser.CurrentByteIndex + length + len("<>")
        elif name == "f":
            self._in_text = False
            if not self._failed:
                self._computed = True
                self._note_no_result()
        elif name == "row":
            self._row = int(attributes["r"]) - 1 if "r" in attributes else self._row + 1
            self._column, self._reference = -1, None

    def text(self, text: str) -> None:
        """Take the next piece of text."""
        if not self._in_text:
            return
        if self._is_shared:
            self._number += text
        self._length += len(text)
        self.characters += len(text)
        _check_length(self._length)

    def end(self, name: str) -> None:
        """Take the end of an element."""
        if self._in_text and (name == "v" or name.endswith(":v")):
            self._in_text = False
            if self._is_shared and self._number:
                self.characters += self._shared_length()

    def _shared_length(self) -> int:
        """The length of the text that the cell names by its number.

        The number must be nothing but digits: of others, as `1<!-- -->2` and ` 12`, calamine makes another one.
        """
        is_bare = self.parser.CurrentByteIndex - self._number_at == len(self._number)
        if not (is_bare and self._number.isdigit()):
            raise WorkbookUnreadable(reason=f"XML: v={self._number[:20]}")
        return self._shared[int(self._number)]

    def _start_cell(self, attributes: dict[str, str]) -> None:
        reference = attributes.get("r")
        if reference is None:  # one behind the cell before
            self._locate()
            self._column += 1
        self._reference = reference
        kind = attributes.get("t")
        self._failed, self._computed = kind == "e", False
        self._is_percent = attributes.get("s", "0") in self._percents
        self._is_shared, self._in_text, self._length = kind == "s", False, 0
        if self._failed:
            self._note_no_result()

    def _extend(self) -> None:
        """The cell holds something: it is within the rectangle, and a formula's result."""
        if self._computed:
            self._computed = False
            self.without_result[self._row].pop()
            self._most_left += 1
        if self._is_percent:
            self._note_percent()
        if self._reference is not None:
            letters = self._reference.rstrip("0123456789")
            row, columns = self._counted
            if letters in columns and self._reference[len(letters) :] == row:
                return
            columns.add(letters)
            self._counted = (self._reference[len(letters) :], columns)
        self._locate()
        self._top, self._bottom = min(self._top, self._row), max(self._bottom, self._row)
        self._left, self._right = min(self._left, self._column), max(self._right, self._column)

    def _locate(self) -> None:
        """Work out the place of the cell from its reference, if it has one."""
        if self._reference is None:
            return
        match = _REFERENCE.fullmatch(self._reference)
        if match is None:
            raise WorkbookUnreadable(reason=f"XML: r={self._reference[:20]}")
        letters, row = match.groups()
        self._row, self._column = int(row) - 1, -1
        for letter in letters:
            self._column = (self._column + 1) * 26 + ord(letter) - ord("A")

    def _note_no_result(self) -> None:
        self._locate()
        self.without_result.setdefault(self._row, []).append(self._column)
        self._most_left -= 1
        if self._most_left < 0:
            raise WorkbookUnreadable(reason=f"> {MOST_WITHOUT_RESULT} cells #N/A")

    def _note_percent(self) -> None:
        self._locate()
        self.percent.setdefault(self._row, []).append(self._column)
        self._most_percent -= 1
        if self._most_percent < 0:
            raise WorkbookUnreadable(reason=f"> {MOST_PERCENT} cells %")


def inspect_workbook(body: bytes) -> dict[str, SheetFacts]:
    """What is known of each sheet, by its name.

    Raises: `WorkbookUnreadable` for what is no XLSX, is encrypted or broken, or too large once unpacked.
    """
    if body.startswith(_OLE):
        raise WorkbookUnreadable(reason="OLE (XLS, encrypted XLSX)")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            _check_parts(archive.infolist())
            shared = _shared_texts(archive)
            percents = percent_styles(
                archive, next((one for one in archive.namelist() if _plain(one) == _STYLES), None)
            )
            found = {
                _plain(part.filename): _inspect_part(archive, part, SheetFacts(shared, percents))
                for part in archive.infolist()
            }
            parts = _parts_of_sheets(archive)
    except (*_BROKEN, RuntimeError) as error:  # zipfile's word for "encrypted" is RuntimeError
        raise WorkbookUnreadable(reason=f"{type(error).__name__}: {error}"[:200]) from error
    sheets = {name: facts for name, part in parts.items() if (facts := found.get(part)) is not None}
    _check_sizes(sheets.values())
    return sheets


def _check_sizes(sheets: Collection[SheetFacts]) -> None:
    """All sheets are read: a thousand that are nearly too large take as many times as long."""
    cells = sum(one.cells for one in sheets)
    if cells > MOST_CELLS:
        raise WorkbookUnreadable(reason=f"{cells} > {MOST_CELLS} cells")
    characters = sum(one.characters for one in sheets)
    if characters > MOST_CHARACTERS:
        raise WorkbookUnreadable(reason=f"{characters} > {MOST_CHARACTERS} characters")


def _check_parts(parts: list[zipfile.ZipInfo]) -> None:
    unpacked = sum(part.file_size for part in parts)
    if unpacked > MOST_UNPACKED:
        raise WorkbookUnreadable(reason=f"{unpacked} bytes")
    if any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts):
        raise WorkbookUnreadable(reason="ZIP: compression")
    names = Counter(_plain(part.filename) for part in parts)
    if names[_WORKBOOK] != 1 or names[_RELATIONS] != 1 or max(names.values()) > 1:
        raise WorkbookUnreadable(reason=_WORKBOOK)
    for part in parts:
        if _plain(part.filename) in (_WORKBOOK, _RELATIONS) and part.file_size > MOST_DESCRIBED:
            raise WorkbookUnreadable(reason=f"{part.filename}: {part.file_size} > {MOST_DESCRIBED} bytes")


def _shared_texts(archive: zipfile.ZipFile) -> Sequence[int]:
    """The lengths of the texts that cells name by their number."""
    texts = SharedTexts()
    for part in archive.infolist():
        if _plain(part.filename) != _SHARED:
            continue
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = texts.start, texts.end
        parser.CharacterDataHandler = texts.text
        parser.StartDoctypeDeclHandler = _refuse_doctype
        with archive.open(part) as file:
            parser.ParseFile(file)
    return texts.lengths


def _inspect_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo, facts: SheetFacts) -> SheetFacts | None:
    """What a part tells of its cells, if it is a sheet; any part is unpacked, since its size may be a lie."""
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def root(name: str, _attributes: dict[str, str]) -> None:
        is_sheet = name.rpartition(":")[2] == "worksheet"
        parser.StartElementHandler = facts.start if is_sheet else None
        if is_sheet:
            facts.parser = parser
            parser.EndElementHandler, parser.CharacterDataHandler = facts.end, facts.text

    parser.StartElementHandler = root
    parser.StartDoctypeDeclHandler = _refuse_doctype
    is_xml = True
    with archive.open(part) as file:
        while chunk := file.read(_CHUNK):
            is_xml = is_xml and _parse(parser, chunk)
    is_xml = is_xml and _parse(parser, b"", True)
    return facts if is_xml and parser.StartElementHandler == facts.start else None


def _parse(parser: expat.XMLParserType, chunk: bytes, final: bool = False) -> bool:
    try:
        parser.Parse(chunk, final)
    except expat.ExpatError:
        return False
    return parser.StartElementHandler is not None


def _check_length(of_cell: int, of_all: int = 0) -> None:
    if of_cell > MOST_IN_A_CELL:
        raise WorkbookUnreadable(reason=f"> {MOST_IN_A_CELL} characters in a cell")
    if of_all > MOST_CHARACTERS:
        raise WorkbookUnreadable(reason=f"> {MOST_CHARACTERS} characters")


def _refuse_doctype(*_of: object) -> None:
    raise WorkbookUnreadable(reason="XML: DOCTYPE")


def _parts_of_sheets(archive: zipfile.ZipFile) -> dict[str, str]:
    """The part that each sheet stands in, by the sheet's name."""
    names = {_plain(name): name for name in archive.namelist()}
    targets = {
        one["Id"]: _plain(normpath(join("xl", one["Target"])))
        for one in _elements(archive, names[_RELATIONS], "Relationship")
    }
    sheets = _elements(archive, names[_WORKBOOK], "sheet")
    parts = {one["name"]: targets[one[_key(one, "id")]] for one in sheets}
    if len(parts) < len(sheets) or len(set(parts.values())) < len(parts):
        raise WorkbookUnreadable(reason="XML: sheet")
    return parts


def _elements(archive: zipfile.ZipFile, part: str, wanted: str) -> list[dict[str, str]]:
    """The attributes of all elements of one name."""
    found: list[dict[str, str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == wanted:
            found.append(attributes)
        if len(found) > MOST_SHEETS:
            raise WorkbookUnreadable(reason=f"{part}: > {MOST_SHEETS} {wanted}")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.Parse(archive.read(part), True)
    return found


def _key(attributes: dict[str, str], local: str) -> str:
    """The attribute's name with its prefix: `r:id`."""
    return next((key for key in attributes if key.endswith(f":{local}")), local)


def _plain(part: str) -> str:
    """A part's name as names are compared: without case and a leading slash."""
    return part.replace("\\", "/").lstrip("/").casefold()
