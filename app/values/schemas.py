"""Values on the wire."""

from typing import Annotated

from pydantic import Field, StringConstraints

from app.paging import ListQuery, Page
from app.schemas import CodeOut, ExpectedVersion, Input, Instant, Maybe, NamedUnit, Output, Version, shown
from app.types import VALUE_CODE_PATTERN, Code, Figure, Note, PeriodText, UnitReference, ValueStatus

WebAddress = Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[!-~]+$")]

_INDICATOR = shown("The indicator's code.", "xianning-2023.58.1")
_PERIOD = shown("What it is of: `2023`, `2023-H1`, `2023-Q2`, `2023-06` or `2023-06-15`.", "2023-06")
_VALUE = shown(
    "The figure, in the indicator's measure; 0 is a figure. At most 12 digits before and 6 after the point.", 46.8
)
_NOTE = shown("What a reader should know of it.", "教育局6月统计")
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
    version: Version = Field(description="How often it was written; a correction is a new version.", examples=[1])
    note: str | None = Field(**_NOTE)
    evidence_url: str | None = Field(**_EVIDENCE_URL)
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
    note: Note | None = Field(default=None, **_NOTE)
    evidence_url: WebAddress | None = Field(default=None, **_EVIDENCE_URL)
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
    status: ValueStatus = Field(description="Where it stood in review.", examples=["submitted"])
    note: str | None = Field(**_NOTE)
    evidence_url: str | None = Field(**_EVIDENCE_URL)
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
