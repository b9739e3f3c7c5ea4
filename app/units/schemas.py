"""Units on the wire."""

from typing import Annotated

from pydantic import Field

from app.paging import ListQuery, Page
from app.schemas import CodeOut, Input, Instant, Maybe, NamedUnit, Output, shown
from app.types import Code, Day, Name, RegionCode, UnitKind, UnitReference, Usci

Aliases = Annotated[list[Name], Field(max_length=50)]
Members = Annotated[list[UnitReference], Field(max_length=1000)]

_CODE = shown("The unit's code, for good.", "xianning-education-bureau")
_NAME = shown("The official name.", "咸宁市教育局")
_KIND = shown("What kind of organisation it is; `group` stands for a list of units.", "department")
_REGION = shown("The administrative division, GB/T 2260.", "421200")
_USCI = shown("统一社会信用代码, GB 32100-2015, its check digit verified.", "91350100M000100Y43")
_PARENT = shown("The unit above it.", "xianning-education-bureau")
_ALIASES = shown("Other names it is known by, such as the short one that plans print.", ["市教育局"])
_MEMBERS = shown("The members of a group, in order; empty for other kinds.", [])
_FROM = shown("The first day it exists.", "2019-01-01")
_TO = shown("The last day it exists.", "2025-12-31")


class Unit(Output):
    """An organisation, or a group of them."""

    code: CodeOut = Field(**_CODE)
    name: str = Field(**_NAME)
    kind: UnitKind = Field(**_KIND)
    region_code: str | None = Field(**_REGION)
    usci: str | None = Field(**_USCI)
    parent: NamedUnit | None = Field(description="The unit above it.")
    aliases: list[str] = Field(**_ALIASES)
    members: list[NamedUnit] = Field(description="The members of a group, in order; empty for other kinds.")
    valid_from: Day | None = Field(**_FROM)
    valid_to: Day | None = Field(**_TO)
    updated_at: Instant = Field(description="When it was last written.", examples=["2023-02-01T08:00:00Z"])


class UnitPage(Page[Unit]):
    """One page of units."""


class UnitCreate(Input):
    """A new unit."""

    code: Code = Field(**_CODE | {"examples": ["xianning-sports-bureau"]})
    name: Name = Field(**_NAME | {"examples": ["咸宁市体育局"]})
    kind: UnitKind = Field(**_KIND)
    region_code: RegionCode | None = Field(default=None, **_REGION)
    usci: Usci | None = Field(default=None, **_USCI | {"examples": ["11421200MB1234567J"]})
    parent: UnitReference | None = Field(default=None, **_PARENT)
    aliases: Aliases = Field(default=[], **_ALIASES | {"examples": [["市体育局"]]})
    members: Members = Field(default=[], **_MEMBERS)
    valid_from: Day | None = Field(default=None, **_FROM)
    valid_to: Day | None = Field(default=None, **_TO)


class UnitUpdate(Input):
    """The fields of a unit to change; a list is replaced whole, null removes."""

    name: Name = Field(default=None, **_NAME)
    kind: UnitKind = Field(default=None, **_KIND)
    region_code: RegionCode | None = Field(default=None, **_REGION)
    usci: Usci | None = Field(default=None, **_USCI)
    parent: UnitReference | None = Field(default=None, **_PARENT | {"examples": [None]})
    aliases: Aliases = Field(default=None, **_ALIASES)
    members: Members = Field(default=None, **_MEMBERS)
    valid_from: Day | None = Field(default=None, **_FROM)
    valid_to: Day | None = Field(default=None, **_TO)


class UnitQuery(ListQuery):
    """Which units."""

    kind: Maybe[UnitKind] = Field(default=None, **_KIND)
    region_code: Maybe[RegionCode] = Field(default=None, **_REGION)
    group: Maybe[UnitReference] = Field(
        default=None,
        description="Only the members of this group, by code, name or alias.",
        examples=["各县市区人民政府"],
    )
    parent: Maybe[UnitReference] = Field(
        default=None,
        description="Only the units right below this one, by code, name or alias.",
        examples=["咸宁市教育局"],
    )
    q: Maybe[UnitReference] = Field(
        default=None, description="Only units with this text in their name or an alias.", examples=["教育"]
    )
