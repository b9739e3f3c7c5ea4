"""Which styles of an XLSX show a number as a percentage: 0.468 as 46.8%."""

import re
from xml.parsers import expat
from zipfile import ZipFile

_BUILT_IN = ("9", "10")  # 0% and 0.00%
_LITERAL = re.compile(r'"[^"]*"|\\.|[_*].|\[[^\]]*\]')  # what stands in a format for itself, for space or a colour
_LISTS = ("numFmts", "cellStyleXfs", "cellXfs", "dxfs")


class PercentStyles:
    """The numbers of the styles, as cells name them, that show percentages."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._formats = {*_BUILT_IN}
        self._list = ""
        self._number = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take the next element of the part's XML."""
        name = name.rpartition(":")[2]
        if name in _LISTS:
            self._list = name
        elif name == "numFmt" and self._list == "numFmts":
            is_percent = "%" in _LITERAL.sub("", attributes["formatCode"])
            change = self._formats.add if is_percent else self._formats.discard
            change(attributes["numFmtId"])
        elif name == "xf" and self._list == "cellXfs":
            if attributes.get("numFmtId") in self._formats:
                self.found.add(str(self._number))
            self._number += 1


def percent_styles(archive: ZipFile, part: str | None) -> set[str]:
    """The numbers of the styles that show percentages. Raises what a broken archive or XML raises."""
    styles = PercentStyles()
    if part is not None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = styles.start
        with archive.open(part) as file:
            parser.ParseFile(file)
    return styles.found
