"""Assignments on the wire."""

from pydantic import Field

from app.paging import ListQuery, Page
from app.schemas import Instant, Maybe, NamedUnit, Output
from app.targets.schemas import TargetSummary
from app.types import ASSIGNMENT_CODE_PATTERN, Code, Role, UnitReference


class Assignment(Output):
    """Who answers for what: one unit, one target, one role."""

    code: str = Field(
        description="`{target}:{unit}:{role}`.",
        examples=["xianning-2023.58:xianning-education-bureau:lead"],
        json_schema_extra={"pattern": ASSIGNMENT_CODE_PATTERN},
    )
    role: Role = Field(description="How the unit answers for the target.", examples=["lead"])
    unit: NamedUnit = Field(description="The unit that answers.")
    via: NamedUnit | None = Field(description="The group it came through; null where the plan names the unit itself.")
    acknowledged_at: Instant | None = Field(
        description="When the unit acknowledged it (签收); null as long as it has not.",
        examples=["2023-02-03T01:30:00Z"],
    )
    updated_at: Instant = Field(description="When it was last written.", examples=["2023-02-03T01:30:00Z"])
    target: TargetSummary = Field(description="The target, with all that is needed to raise a to-do.")


class AssignmentPage(Page[Assignment]):
    """One page of assignments."""


class AssignmentQuery(ListQuery):
    """Which assignments."""

    plan: Maybe[Code] = Field(default=None, description="Only assignments of this plan.", examples=["xianning-2023"])
    target: Maybe[Code] = Field(
        default=None, description="Only assignments of this target.", examples=["xianning-2023.58"]
    )
    unit: Maybe[UnitReference] = Field(
        default=None,
        description="Only what this unit answers for, by code, name or alias; for a group, what came through it.",
        examples=["市教育局"],
    )
    role: Maybe[Role] = Field(default=None, description="Only this role.", examples=["lead"])
    acknowledged: Maybe[bool] = Field(
        default=None, description="Only those that are acknowledged, or are not.", examples=[False]
    )
