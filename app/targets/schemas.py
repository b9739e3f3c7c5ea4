"""Targets on the wire."""

from typing import Annotated

from pydantic import Field

from app.paging import ListQuery, Page
from app.schemas import CodeOut, Input, Instant, Maybe, NamedUnit, Output, Whole, shown
from app.types import Code, Comparator, Day, Figure, Role, Sentence, UnitReference

_STATEMENT = shown(
    "The words of the target, without its number and unit clause.",
    "实施学前教育学位扩充行动,公办幼儿园在园幼儿占比超过46%。",
)
_DUE_ON = shown("The day it is due; null where the plan names none.", "2023-12-31")
_ROLE = shown("How the unit answers for it.", "lead")
_UNITS = shown("Who answers for it from now on; replaces the whole list.", [{"unit": "市教育局", "role": "lead"}])
_LATEST = {"period": "2023-06", "value": 46.8}


class LatestValue(Output):
    """The newest figure."""

    period: str = Field(description="The period it is of.", examples=["2023-06"])
    value: Figure = Field(description="The figure, in the indicator's measure.", examples=[46.8])


class IndicatorSummary(Output):
    """What is measured for a target, in short."""

    code: CodeOut = Field(description="The indicator's code.", examples=["xianning-2023.58.1"])
    name: str = Field(description="What is measured.", examples=["公办幼儿园在园幼儿占比"])
    measure: str = Field(description="The unit of measure, as printed.", examples=["%"])
    comparator: Comparator = Field(description="How a value is compared with the goal.", examples=["gt"])
    goal: Figure = Field(description="The figure to reach, in `measure`.", examples=[46])
    goal_to: Figure | None = Field(description="The upper end of the goal, for `range`.", examples=[None])
    latest: LatestValue | None = Field(
        description="The newest value: the assigned unit's own where each member must reach the goal, else anyone's.",
        examples=[_LATEST],
    )


class TargetUnit(NamedUnit):
    """A unit as the plan prints it for a target: a group once, not its members."""

    role: Role = Field(**_ROLE)


class TargetSummary(Output):
    """A numbered item of a plan, with all that an office needs to raise a to-do."""

    code: CodeOut = Field(description="The target's code.", examples=["xianning-2023.58"])
    number: str = Field(description="Its number as printed.", examples=["58"])
    statement: str = Field(**_STATEMENT)
    plan: CodeOut = Field(description="The plan's code.", examples=["xianning-2023"])
    section: list[str] = Field(
        description="The headings it stands under, outermost first.",
        examples=[["(四)突出改革创新,千方百计推进科教人才兴市", "办好人民满意教育"]],
    )
    due_on: Day | None = Field(**_DUE_ON)
    units: list[TargetUnit] = Field(description="Who answers for it, as printed: a group once, not its members.")
    indicators: list[IndicatorSummary] = Field(description="What is measured for it.")


class Target(TargetSummary):
    """A numbered item of a plan."""

    label: str | None = Field(description="Its label, where it has one.", examples=[None])
    line: Whole | None = Field(description="The line of the document where its words begin, from 1.", examples=[19])
    start: Whole | None = Field(description="Where in the line they begin, in characters from 0.", examples=[5])
    end: Whole | None = Field(
        description="Where they end; the character at `end` is the first one after.", examples=[35]
    )
    updated_at: Instant = Field(description="When it was last written.", examples=["2023-02-01T08:00:00Z"])


class TargetPage(Page[Target]):
    """One page of targets."""


class TargetQuery(ListQuery):
    """Which targets."""

    plan: Maybe[Code] = Field(default=None, description="Only targets of this plan.", examples=["xianning-2023"])
    section: Maybe[Code] = Field(
        default=None,
        description="Only targets under this section or one inside it, by its code.",
        examples=["xianning-2023.s1"],
    )
    unit: Maybe[UnitReference] = Field(
        default=None,
        description="Only targets that this unit answers for, itself or through a group; by code, name or alias.",
        examples=["市教育局"],
    )
    role: Maybe[Role] = Field(
        default=None, description="Only targets for which `unit` (or anyone) has this role.", examples=["lead"]
    )
    q: Maybe[UnitReference] = Field(
        default=None, description="Only targets with this text in their words.", examples=["教育"]
    )


class TargetUnitInput(Input):
    """A unit that answers for a target."""

    unit: UnitReference = Field(description="The unit, by code, name or alias.", examples=["市教育局"])
    role: Role = Field(**_ROLE)


class TargetUpdate(Input):
    """The fields of a target to change."""

    statement: Sentence = Field(default=None, **_STATEMENT)
    due_on: Day | None = Field(default=None, **_DUE_ON)
    units: Annotated[list[TargetUnitInput], Field(max_length=100)] = Field(default=None, **_UNITS)
