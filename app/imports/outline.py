"""What a plan document consists of: sections, items and the units that items name. Data only."""

from dataclasses import dataclass

from app.imports.findings import Finding
from app.types import Role


@dataclass(frozen=True, slots=True)
class PrintedUnit:
    """A unit as the plan prints it, with the role its label gives, and where the name stands.

    `line` counts from 1; `start` and `end` are offsets within the line (see `Item` for names that run over a line end).
    """

    name: str
    role: Role
    line: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Section:
    """A heading. `level`: 1 for 一、, 2 for （一）, 3 for a run-in heading. `parent`: index in `Outline.sections`."""

    heading: str
    level: int
    parent: int | None
    line: int


@dataclass(frozen=True, slots=True)
class Item:
    """A numbered item: a target.

    `number` is as printed without its punctuation (`52`, `一`), `value` is what it counts. `statement` is literal,
    without number and unit clause: `"\\n".join(texts of the lines from line on)[start:end] == statement`. `section` is
    an index in `Outline.sections`.
    """

    number: str
    value: int
    label: str | None
    statement: str
    section: int | None
    line: int
    start: int
    end: int
    units: tuple[PrintedUnit, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """A plan document, recognised. Without a single item it is no plan."""

    title: str | None
    year: int | None
    sections: tuple[Section, ...]
    items: tuple[Item, ...]
    findings: tuple[Finding, ...]

    def path(self, section: int | None) -> list[str]:
        """The headings that lead to a section, outermost first."""
        headings: list[str] = []
        while section is not None:
            headings.append(self.sections[section].heading)
            section = self.sections[section].parent
        return headings[::-1]
