"""Values on the wire."""

from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, StringConstraints

from app.indicators.schemas import Measure
from app.paging import ListQuery, Page
from app.schemas import CodeOut, ExpectedVersion, Input, Instant, Maybe, NamedUnit, Output, Version, Whole, shown
from app.types import VALUE_CODE_PATTERN, Code, Figure, Note, PeriodText, Sentence, UnitReference, ValueStatus

T = TypeVar("T")
# a text of nothing but spaces says nothing, as an empty cell does
BlankIsNone = Annotated[
    T | None, BeforeValidator(lambda text: None if isinstance(text, str) and not text.strip() else text)
]
ValueCode = Annotated[str, StringConstraints(max_length=250, pattern=VALUE_CODE_PATTERN)]
WebAddress = Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[!-~]+$")]

_INDICATOR = shown("The indicator's code.", "xianning-2023.58.1")
_PERIOD = shown("What it is of: `2023`, `2023-H1`, `2023-Q2`, `2023-06` or `2023-06-15`.", "2023-06")
_VALUE = shown(
    "The figure, in the indicator's measure; 0 is a figure. At most 12 digits before and 6 after the point.", 46.8
)
_NOTE = shown("What a reader should know of it.", "教育局6月统计")
_REASON = shown("Why it was returned or withdrawn, or what the reviewer says of it.", None)
_EXPECTED_VERSION = shown("The version that was looked at: refused with 409 when another one stands.", 1)
_EVIDENCE_URL = shown("Where the evidence is.", "https://jyj.example/2023-06.pdf")


class Value(Output):
    """One measured figure: an indicator, a unit, a period."""

    code: str = Field(
        description="`{indicator}:{unit}:{period}`.",
        examples=["xianning-2023.58.1:xianning-education-bureau:2023-06"],
        json_schema_extra={"pattern": VALUE_CODE_PATTERN},
    )
    indicator: CodeOut = Field(**_INDICATOR)
    unit: NamedUnit = Field(description="Whose figure it is.")
    period: str = Field(**_PERIOD)
    value: Figure = Field(**_VALUE)
    status: ValueStatus = Field(description="Where it stands in review.", examples=["submitted"])
    version: Version = Field(
        description="How often it was written; a correction is a new version, and so is each step of its review.",
        examples=[1],
    )
    note: str | None = Field(**_NOTE)
    evidence_url: str | None = Field(**_EVIDENCE_URL)
    reason: str | None = Field(**_REASON)
    recorded_at: Instant = Field(description="When this version was written.", examples=["2023-07-03T02:00:00Z"])
    recorded_by: str = Field(description="The client that wrote it.", examples=["education-oa"])


class ValuePage(Page[Value]):
    """One page of values."""


class ValueCreate(Input):
    """A figure to record."""

    indicator: Code = Field(**_INDICATOR)
    period: PeriodText = Field(**_PERIOD)
    value: Figure = Field(**_VALUE)
    unit: UnitReference | None = Field(
        default=None,
        description="Whose figure it is, by code, name or alias. May be left out where the client's own units leave "
        "no doubt.",
        examples=["市教育局"],
    )
    measure: Measure | None = Field(
        default=None,
        description="The measure that the figure is in: refused where it is not the indicator's, never converted.",
        examples=["%"],
    )
    note: BlankIsNone[Note] = Field(default=None, **_NOTE)
    evidence_url: BlankIsNone[WebAddress] = Field(default=None, **_EVIDENCE_URL)
    expected_version: ExpectedVersion | None = Field(
        default=None,
        strict=True,
        description="The version this figure is meant to follow, 0 for none: refused with 409 when another one stands.",
        examples=[0],
    )


class ValueRevision(Output):
    """One version that a value had."""

    version: Version = Field(description="Which version, from 1.", examples=[1])
    value: Figure = Field(**_VALUE)
    previous_value: Figure | None = Field(
        description="The figure before it; null for the first version.", examples=[None]
    )
    status: ValueStatus = Field(description="Where it stood in review.", examples=["submitted"])
    note: str | None = Field(**_NOTE)
    evidence_url: str | None = Field(**_EVIDENCE_URL)
    reason: str | None = Field(**_REASON)
    recorded_at: Instant = Field(description="When it was written.", examples=["2023-07-03T02:00:00Z"])
    recorded_by: str = Field(description="The client that wrote it.", examples=["education-oa"])
    request_id: str = Field(description="The request that wrote it.", examples=["3f0c2f5c9f4b4a5e8f6b7d2f0a1c4e9d"])


class ValueRevisionPage(Page[ValueRevision]):
    """One page of a value's versions, oldest first."""


class ValueQuery(ListQuery):
    """Which values."""

    plan: Maybe[Code] = Field(default=None, description="Only values of this plan.", examples=["xianning-2023"])
    target: Maybe[Code] = Field(default=None, description="Only values of this target.", examples=["xianning-2023.58"])
    indicator: Maybe[Code] = Field(
        default=None, description="Only values of this indicator.", examples=["xianning-2023.58.1"]
    )
    unit: Maybe[UnitReference] = Field(
        default=None,
        description="Only values of this unit, by code, name or alias; for a group, of its members.",
        examples=["市教育局"],
    )
    period_from: Maybe[PeriodText] = Field(
        default=None, description="Only periods that end on or after the first day of this one.", examples=["2023-01"]
    )
    period_to: Maybe[PeriodText] = Field(
        default=None, description="Only periods that end on or before the last day of this one.", examples=["2023-12"]
    )
    status: Maybe[ValueStatus] = Field(
        default=None, description="Only values that stand so in review.", examples=["submitted"]
    )


class OnError(StrEnum):
    """What becomes of a batch with wrong rows: nothing is written, or the others are."""

    abort = "abort"
    skip = "skip"


class BatchQuery(Input):
    """How a batch is taken."""

    dry_run: bool = Field(
        default=False, description="Whether to answer what would happen, and leave nothing.", examples=[False]
    )
    on_error: OnError = Field(
        default=OnError.abort,
        description="What one wrong row means: `abort`, nothing is written; `skip`, the others are.",
        examples=["abort"],
    )


class RowProblem(Output):
    """What is wrong with one row of a batch."""

    row: Whole = Field(description="The row, from 1; headings are not counted.", examples=[3])
    pointer: str = Field(
        description="The field of the row, as an RFC 6901 pointer; empty for the whole row.", examples=["/unit"]
    )
    code: str = Field(description="What is wrong, as a stable word.", examples=["unit_unknown"])
    detail: str = Field(description="What is wrong, as a sentence.", examples=["没有名为 市教肓局 的单位。"])
    suggestions: list[str] = Field(description="Valid values, nearest first.", examples=[["市教育局"]])
    indicator: str | None = Field(description="The row's indicator, as sent.", examples=["xianning-2023.58.1"])
    unit: str | None = Field(description="The row's unit, as sent.", examples=["市教肓局"])
    period: str | None = Field(description="The row's period, as sent.", examples=["2023-06"])
    current: dict[str, Any] | None = Field(
        description="The value as it stands, where a stale row was refused; else null.", examples=[None]
    )


class BatchReport(Output):
    """What became of the rows of a batch: `received` is the sum of created, updated, unchanged and rejected.

    They tell what the rows are; whether anything was written is told by `committed`.
    """

    received: Whole = Field(description="How many rows came.", examples=[10000])
    created: Whole = Field(description="Rows that are the first value of their key.", examples=[4000])
    updated: Whole = Field(description="Rows that are a new version of a value.", examples=[7])
    unchanged: Whole = Field(description="Rows that say what stands already.", examples=[5990])
    unchanged_reopened: Whole = Field(
        description="Of the unchanged rows, those whose value was returned or withdrawn and still does not count: sent "
        "with its `expected_version`, it stands again.",
        examples=[0],
    )
    rejected: Whole = Field(description="Rows that are wrong.", examples=[3])
    blank: Whole = Field(
        description="Rows of a table without value, note and evidence: a form's, not filled in and not counted above.",
        examples=[0],
    )
    committed: bool = Field(description="Whether the good rows are in the database.", examples=[True])
    dry_run: bool = Field(description="Whether it was only tried.", examples=[False])
    encoding: str | None = Field(
        description="How the text was read: `utf-8`, `utf-8-sig` (with BOM), `utf-16` or `gb18030`; null for others.",
        examples=["utf-8"],
    )
    problems: list[RowProblem] = Field(
        description="All that is wrong, by row; at most 1,000, all of them with `Accept: text/csv`.", examples=[[]]
    )
    problems_left_out: Whole = Field(description="How many problems are not listed here.", examples=[0])


class Approval(Input):
    """The approval of a value."""

    reason: Sentence | None = Field(default=None, **_REASON | {"examples": ["与统计局数据一致"]})
    expected_version: ExpectedVersion | None = Field(default=None, strict=True, **_EXPECTED_VERSION)


class Refusal(Input):
    """The return or withdrawal of a value."""

    reason: Sentence = Field(description="Why.", examples=["与上月数据不符，请核实后重新报送"])
    expected_version: ExpectedVersion | None = Field(default=None, strict=True, **_EXPECTED_VERSION)


class ListedApproval(Input):
    """One value of a list that is approved."""

    code: ValueCode = Field(
        description="The value's code.", examples=["xianning-2023.58.1:xianning-education-bureau:2023-06"]
    )
    expected_version: ExpectedVersion | None = Field(default=None, strict=True, **_EXPECTED_VERSION)


class ApprovalList(Input):
    """Values that are approved together."""

    values: Annotated[list[ListedApproval], Field(min_length=1, max_length=10_000)] = Field(
        description="The values.",
        examples=[[{"code": "xianning-2023.58.1:xianning-education-bureau:2023-06", "expected_version": 1}]],
    )
    reason: Sentence | None = Field(default=None, **_REASON | {"examples": ["与统计局数据一致"]})
