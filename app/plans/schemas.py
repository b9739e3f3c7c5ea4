"""Plans and their sections on the wire."""

from pydantic import Field

from app.paging import ListQuery, Page
from app.schemas import CodeOut, Input, Instant, Maybe, Output, Whole, Year, shown
from app.types import Day, Name, RegionCode

_TITLE = shown("The title as published.", "2023年咸宁市《政府工作报告》确定的主要目标任务责任分解方案")
_ISSUER = shown("Who published it.", "咸宁市人民政府")
_REGION = shown("The administrative division, GB/T 2260.", "421200")
_STARTS_ON = shown("The first day it plans.", "2023-01-01")
_ENDS_ON = shown("The last day it plans.", "2023-12-31")
_APPROVAL_REQUIRED = shown(
    "Whether a value counts only when it is approved; else it counts at once. What counts is shown as `latest`.", False
)


class Plan(Output):
    """One published responsibility-breakdown document."""

    code: CodeOut = Field(description="The plan's code.", examples=["xianning-2023"])
    title: str = Field(**_TITLE)
    issuer: str | None = Field(**_ISSUER)
    region_code: str | None = Field(**_REGION)
    year: Whole = Field(description="The year it plans.", examples=[2023])
    starts_on: Day = Field(**_STARTS_ON)
    ends_on: Day = Field(**_ENDS_ON)
    approval_required: bool = Field(**_APPROVAL_REQUIRED)
    source: str | None = Field(description="Where the document came from.", examples=["plan.txt"])
    source_sha256: str | None = Field(
        description="SHA-256 of the document that was imported last, in hexadecimal.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    updated_at: Instant = Field(description="When it was last written.", examples=["2023-02-01T08:00:00Z"])


class PlanUpdate(Input):
    """The fields of a plan to change; null removes."""

    title: Name = Field(default=None, **_TITLE)
    issuer: Name | None = Field(default=None, **_ISSUER)
    region_code: RegionCode | None = Field(default=None, **_REGION)
    starts_on: Day = Field(default=None, **_STARTS_ON)
    ends_on: Day = Field(default=None, **_ENDS_ON)
    approval_required: bool = Field(default=None, strict=True, **_APPROVAL_REQUIRED)


class PlanPage(Page[Plan]):
    """One page of plans."""


class PlanQuery(ListQuery):
    """Which plans."""

    year: Maybe[Year] = Field(default=None, description="Only plans of this year.", examples=[2023])
    region_code: Maybe[RegionCode] = Field(
        default=None, description="Only plans of this administrative division, GB/T 2260.", examples=["421200"]
    )


class Section(Output):
    """A heading of a plan."""

    code: CodeOut = Field(description="The section's code.", examples=["xianning-2023.s1"])
    plan: CodeOut = Field(description="The plan's code.", examples=["xianning-2023"])
    parent: str | None = Field(description="The code of the section it is in.", examples=[None])
    heading: str = Field(description="The heading as printed.", examples=["(四)突出改革创新,千方百计推进科教人才兴市"])
    position: Whole = Field(description="Its place in the plan, from 1.", examples=[1])
    line: Whole | None = Field(description="Its line in the document, from 1.", examples=[13])
    updated_at: Instant = Field(description="When it was last written.", examples=["2023-02-01T08:00:00Z"])


class SectionPage(Page[Section]):
    """One page of a plan's sections, in the order of the document."""
