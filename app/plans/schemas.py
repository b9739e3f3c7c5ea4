"""Plans and their sections on the wire."""

from pydantic import Field

from app.paging import ListQuery, Page
from app.schemas import CodeOut, Instant, Maybe, Output, Whole, Year
from app.types import Day, RegionCode


class Plan(Output):
    """One published responsibility-breakdown document."""

    code: CodeOut = Field(description="The plan's code.", examples=["xianning-2023"])
    title: str = Field(
        description="The title as published.",
        examples=["2023年咸宁市《政府工作报告》确定的主要目标任务责任分解方案"],
    )
    issuer: str | None = Field(description="Who published it.", examples=["咸宁市人民政府"])
    region_code: str | None = Field(description="The administrative division, GB/T 2260.", examples=["421200"])
    year: Whole = Field(description="The year it plans.", examples=[2023])
    starts_on: Day = Field(description="The first day it plans.", examples=["2023-01-01"])
    ends_on: Day = Field(description="The last day it plans.", examples=["2023-12-31"])
    source: str | None = Field(description="Where the document came from.", examples=["plan.txt"])
    source_sha256: str | None = Field(
        description="SHA-256 of the document that was imported last, in hexadecimal.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    updated_at: Instant = Field(description="When it was last written.", examples=["2023-02-01T08:00:00Z"])


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
