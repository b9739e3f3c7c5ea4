"""Imports on the wire."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from app.schemas import CodeOut, Input, Maybe, Output, Whole, Year
from app.types import CODE_PATTERN, Comparator, Day, Figure, ImportState, IndicatorKind, Name, RegionCode, Role

# shorter than other codes, since those of targets and indicators begin with it
PlanCode = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=CODE_PATTERN)]

_LINE = "The line of the document it stands in, from 1."
_START = "Where in the line it begins, in characters from 0."
_END = "Where it ends; the character at `end` is the first one after."


class FindingSeverity(StrEnum):
    """How much a finding matters: `error` lost something, `warning` may have, `info` is good to know."""

    info = "info"
    warning = "warning"
    error = "error"


class ImportCounts(Output):
    """What a document holds, and what it changes."""

    targets: Whole = Field(description="Targets in the document.", examples=[25])
    units: Whole = Field(description="Different units and groups named in it.", examples=[34])
    assignments: Whole = Field(
        description="Assignments that follow from it, members of groups counted.", examples=[154]
    )
    indicators: Whole = Field(description="Indicators read from it.", examples=[12])
    added: Whole = Field(description="Targets that are new.", examples=[25])
    changed: Whole = Field(description="Targets whose words, units, headings or figures change.", examples=[0])
    removed: Whole = Field(description="Targets that it no longer names.", examples=[0])
    unchanged: Whole = Field(description="Targets that stay as they are.", examples=[0])


class ImportedUnit(Output):
    """A unit as printed."""

    name: str = Field(description="The name as printed.", examples=["市教育局"])
    code: str | None = Field(
        description="The unit of the register that it names; null where none does.",
        examples=["xianning-education-bureau"],
    )
    role: Role = Field(description="How it answers for the target.", examples=["lead"])


class ImportedIndicator(Output):
    """A figure that the plan promises."""

    name: str = Field(description="What is measured.", examples=["公办幼儿园在园幼儿占比"])
    comparator: Comparator = Field(description="How a value is compared with the goal.", examples=["gt"])
    goal: Figure = Field(description="The figure to reach, in `measure`.", examples=[46])
    goal_to: Figure | None = Field(description="The upper end of the goal, for `range`.", examples=[None])
    measure: str = Field(description="The unit of measure, as printed.", examples=["%"])
    kind: IndicatorKind = Field(description="Whether the figure itself or its increase counts.", examples=["level"])
    each_member: bool = Field(description="Whether every member of a group must reach it by itself.", examples=[False])
    text: str = Field(description="The words it was read from.", examples=["公办幼儿园在园幼儿占比超过46%"])
    line: Whole = Field(description=_LINE, examples=[19])
    start: Whole = Field(description=_START, examples=[18])
    end: Whole = Field(description=_END, examples=[33])


class ImportedTarget(Output):
    """A numbered item as read."""

    number: str = Field(description="Its number as printed.", examples=["58"])
    label: str | None = Field(description="Its label, where it has one.", examples=[None])
    statement: str = Field(
        description="Its words, without number and unit clause.",
        examples=["实施学前教育学位扩充行动,公办幼儿园在园幼儿占比超过46%。"],
    )
    section: list[str] = Field(description="The headings it stands under.", examples=[["办好人民满意教育"]])
    due_on: Day | None = Field(description="The day it is due, where its words name one.", examples=[None])
    line: Whole = Field(description=_LINE, examples=[19])
    start: Whole = Field(description=_START, examples=[5])
    end: Whole = Field(description=_END, examples=[35])
    units: list[ImportedUnit] = Field(description="The units as printed: a group once, not its members.")
    indicators: list[ImportedIndicator] = Field(description="The figures it promises.")


class ImportFinding(Output):
    """One thing in the document that a person should look at."""

    severity: FindingSeverity = Field(description="How much it matters.", examples=["warning"])
    code: str = Field(description="What it is, as a stable word.", examples=["unit_unknown"])
    line: Whole | None = Field(description=_LINE, examples=[19])
    start: Whole | None = Field(description=_START, examples=[41])
    end: Whole | None = Field(description=_END, examples=[45])
    text: str | None = Field(description="The words it is about.", examples=["市教肓局"])
    detail: str = Field(description="What it is, as a sentence.", examples=["单位库中没有“市教肓局”。"])
    suggestions: list[str] = Field(description="What may be meant, nearest first.", examples=[["市教育局"]])


class ImportReport(Output):
    """One uploaded document: what was read, what it changes, and what to look at."""

    code: str | None = Field(
        description="The import's code; null for a dry run, which leaves nothing.", examples=["xianning-2023.import-1"]
    )
    plan: CodeOut = Field(description="The plan's code.", examples=["xianning-2023"])
    dry_run: bool = Field(description="Whether this was only a trial.", examples=[False])
    state: ImportState = Field(
        description="`accepted` once it is in force; `draft` for a dry run.", examples=["accepted"]
    )
    counts: ImportCounts = Field(description="How much.")
    targets: list[ImportedTarget] = Field(description="The targets, in the order of the document.")
    findings: list[ImportFinding] = Field(description="What a person should look at, in the order of the document.")


class ImportQuery(Input):
    """Which plan a document belongs to; for a new plan, what the document itself does not say."""

    plan: PlanCode = Field(description="The plan's code; a new one makes a new plan.", examples=["xianning-2023"])
    dry_run: bool = Field(default=False, description="Report what would happen, and leave nothing.", examples=[True])
    title: Maybe[Name] = Field(
        default=None,
        description="The plan's title, instead of the one in the document. A plan that exists keeps its title unless "
        "another one is given.",
        examples=["责任分解方案"],
    )
    year: Maybe[Year] = Field(
        default=None, description="The year it plans, instead of the one in the document's title.", examples=[2023]
    )
    issuer: Maybe[Name] = Field(default=None, description="Who published it.", examples=["咸宁市人民政府"])
    region_code: Maybe[RegionCode] = Field(
        default=None, description="The administrative division, GB/T 2260.", examples=["421200"]
    )
    source: Maybe[Name] = Field(
        default=None, description="Where the document came from: a file name or an address.", examples=["plan.txt"]
    )
