"""Indicators and goals on the wire."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from app.paging import ListQuery, Page
from app.schemas import CodeOut, ExpectedVersion, Input, Instant, Maybe, Output, Version, Whole, shown
from app.targets.schemas import LatestValue
from app.types import Code, Comparator, Figure, Frequency, IndicatorKind, Name, Sentence, UnitReference, check_name

Fact = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(check_name)]
Measure = Annotated[str, StringConstraints(min_length=1, max_length=50), AfterValidator(check_name)]

_NAME = shown("What is measured.", "公办幼儿园在园幼儿占比")
_MEASURE = shown("The unit of measure, as printed.", "%")
_COMPARATOR = shown("How a value is compared with the goal; `range` lies between `goal` and `goal_to`.", "gt")
_OTHER_COMPARATOR = f"{_COMPARATOR['description']} Another one is a revision of the goal, without reason and document."
_KIND = shown("`level`: the figure itself counts. `increase`: what was added during the plan counts.", "level")
_GOAL = shown("The figure to reach, in `measure`.", 46)
_GOAL_TO = shown("The upper end of the goal: for the comparator `range`, and only for it.", None)
_BASELINE = shown("The figure before the plan began, in `measure`.", 44.1)
_EACH_MEMBER = shown("Whether every assigned unit must reach the goal by itself.", False)
_FREQUENCY = shown("How often it is reported; names the form its periods take. null: any form.", "month")
_REASON = shown("Why the goal was revised.", "市政府常务会议调整年度目标")
_DOCUMENT_NUMBER = shown("The number of the document that revised it.", "咸政办发〔2023〕12号")
_VERIFICATION = shown("How the figures are verified and validated.", "由市教育局逐园核对学籍，市统计局每季抽查10%")
_SOURCE = shown("Where the figures come from.", "全国学前教育管理信息系统")
_ACCURACY = shown("How accurate they must be for their use, and how accurate they are.", "误差不超过0.5个百分点")
_LIMITATIONS = shown("What is known to limit them.", "新建园在开园后次月才录入系统")
_COMPENSATION = shown("What was done about these limits.", "每季末由各县市区补报未录入的新建园")
_QUALITY = shown(
    "How good its figures are; null where nothing is known. Five facts, as GAO-15-788 asks of performance measures.",
    {"source": "全国学前教育管理信息系统", "limitations": "新建园在开园后次月才录入系统"},
)


class Quality(Output):
    """How good an indicator's figures are: five facts, null where one is not known."""

    verification: str | None = Field(**_VERIFICATION)
    source: str | None = Field(**_SOURCE)
    accuracy: str | None = Field(**_ACCURACY)
    limitations: str | None = Field(**_LIMITATIONS)
    compensation: str | None = Field(**_COMPENSATION)


class QualityInput(Input):
    """Facts of the quality of an indicator's figures; in a patch, those not named stay and null removes one."""

    verification: Fact | None = Field(default=None, **_VERIFICATION)
    source: Fact | None = Field(default=None, **_SOURCE)
    accuracy: Fact | None = Field(default=None, **_ACCURACY)
    limitations: Fact | None = Field(default=None, **_LIMITATIONS)
    compensation: Fact | None = Field(default=None, **_COMPENSATION)


class Indicator(Output):
    """What is measured for a target, and the goal it must reach."""

    code: CodeOut = Field(description="The indicator's code, `{target}.{n}`.", examples=["xianning-2023.58.1"])
    target: CodeOut = Field(description="The target's code.", examples=["xianning-2023.58"])
    name: str = Field(**_NAME)
    measure: str = Field(**_MEASURE)
    comparator: Comparator = Field(**_COMPARATOR)
    kind: IndicatorKind = Field(**_KIND)
    goal: Figure = Field(**_GOAL)
    goal_to: Figure | None = Field(**_GOAL_TO)
    goal_version: Version = Field(description="Which revision of the goal is in force, from 1.", examples=[1])
    baseline: Figure | None = Field(**_BASELINE)
    each_member: bool = Field(**_EACH_MEMBER)
    frequency: Frequency | None = Field(**_FREQUENCY)
    quality: Quality | None = Field(**_QUALITY | {"examples": [None]})
    latest: LatestValue | None = Field(description="The newest value of any unit.", examples=[None])
    text: str | None = Field(
        description="The words of the document it was read from.", examples=["公办幼儿园在园幼儿占比超过46%"]
    )
    line: Whole | None = Field(description="The line of the document they stand in, from 1.", examples=[19])
    start: Whole | None = Field(description="Where in the line they begin, in characters from 0.", examples=[18])
    end: Whole | None = Field(
        description="Where they end; the character at `end` is the first one after.", examples=[33]
    )
    updated_at: Instant = Field(description="When it was last written.", examples=["2023-02-01T08:00:00Z"])


class IndicatorPage(Page[Indicator]):
    """One page of indicators."""


class IndicatorQuery(ListQuery):
    """Which indicators."""

    plan: Maybe[Code] = Field(default=None, description="Only indicators of this plan.", examples=["xianning-2023"])
    target: Maybe[Code] = Field(
        default=None, description="Only indicators of this target.", examples=["xianning-2023.58"]
    )
    unit: Maybe[UnitReference] = Field(
        default=None,
        description="Only indicators of targets that this unit is assigned to, by code, name or alias.",
        examples=["市教育局"],
    )


class IndicatorCreate(Input):
    """A new indicator; it gets the next code of its target."""

    target: Code = Field(description="The target's code.", examples=["xianning-2023.57"])
    name: Name = Field(description="What is measured.", examples=["新增义务教育学位"])
    measure: Measure = Field(description="The unit of measure.", examples=["个"])
    comparator: Comparator = Field(**_COMPARATOR | {"examples": ["ge"]})
    kind: IndicatorKind = Field(**_KIND | {"examples": ["increase"]})
    goal: Figure = Field(**_GOAL | {"examples": [2000]})
    goal_to: Figure | None = Field(default=None, **_GOAL_TO)
    baseline: Figure | None = Field(default=None, **_BASELINE | {"examples": [0]})
    each_member: bool = Field(default=False, strict=True, **_EACH_MEMBER)
    frequency: Frequency | None = Field(default=None, **_FREQUENCY | {"examples": ["quarter"]})
    quality: QualityInput | None = Field(default=None, **_QUALITY)


class IndicatorUpdate(Input):
    """The fields of an indicator to change; its goal has revisions of its own."""

    name: Name = Field(default=None, **_NAME)
    measure: Measure = Field(default=None, **_MEASURE)
    comparator: Comparator = Field(default=None, **_COMPARATOR | {"description": _OTHER_COMPARATOR})
    kind: IndicatorKind = Field(default=None, **_KIND)
    baseline: Figure | None = Field(default=None, **_BASELINE)
    each_member: bool = Field(default=None, strict=True, **_EACH_MEMBER)
    frequency: Frequency | None = Field(default=None, **_FREQUENCY)
    quality: QualityInput | None = Field(default=None, **_QUALITY)


class GoalCreate(Input):
    """A revision of a goal."""

    goal: Figure = Field(**_GOAL | {"examples": [48]})
    goal_to: Figure | None = Field(default=None, **_GOAL_TO)
    comparator: Comparator | None = Field(
        default=None, description="How values are compared with it from now on; left out, as before.", examples=["ge"]
    )
    reason: Sentence = Field(**_REASON)
    document_number: Name = Field(**_DOCUMENT_NUMBER)
    expected_version: ExpectedVersion | None = Field(
        default=None,
        strict=True,
        description="The `goal_version` this revision is meant for; refused with 409 when another one stands.",
        examples=[1],
    )


class Goal(Output):
    """One revision of an indicator's goal."""

    indicator: CodeOut = Field(description="The indicator's code.", examples=["xianning-2023.58.1"])
    version: Version = Field(description="Which revision it is, from 1.", examples=[2])
    goal: Figure = Field(**_GOAL)
    goal_to: Figure | None = Field(**_GOAL_TO)
    previous_goal: Figure | None = Field(description="The goal before; null for the first revision.", examples=[45])
    previous_goal_to: Figure | None = Field(
        description="The upper end of the goal before, where it was a range.", examples=[None]
    )
    comparator: Comparator = Field(**_COMPARATOR)
    previous_comparator: Comparator | None = Field(
        description="How values were compared with the goal before; null for the first revision.", examples=["gt"]
    )
    reason: str | None = Field(**_REASON)
    document_number: str | None = Field(**_DOCUMENT_NUMBER)
    recorded_at: Instant = Field(description="When it was recorded.", examples=["2023-07-01T08:00:00Z"])
    recorded_by: str | None = Field(
        description="The client that recorded it; null for the command line.", examples=["city-office"]
    )
    request_id: str = Field(description="The request that recorded it.", examples=["3f0c2f5c9f4b4a5e8f6b7d2f0a1c4e9d"])


class GoalPage(Page[Goal]):
    """One page of the revisions of an indicator's goal, oldest first."""
