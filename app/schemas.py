"""What all wire types share: the two base classes and the field types of identifiers, numbers and times."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from app.types import CODE_PATTERN, Json


class Output(BaseModel):
    """An answer: every field is always there, `null` where a thing is not known."""

    model_config = ConfigDict(frozen=True)


class Input(BaseModel):
    """A request: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


Whole = Annotated[int, Field(json_schema_extra={"format": "int64"})]
Version = Annotated[int, Field(ge=1, json_schema_extra={"format": "int64"})]
ExpectedVersion = Annotated[int, Field(ge=0, le=2**31 - 1, json_schema_extra={"format": "int64"})]
Year = Annotated[int, Field(ge=1900, le=2999, json_schema_extra={"format": "int32"})]
Instant = Annotated[
    AwareDatetime,
    PlainSerializer(lambda at: at.isoformat().replace("+00:00", "Z"), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
CodeOut = Annotated[str, Field(json_schema_extra={"pattern": CODE_PATTERN})]


def shown(description: str, example: object) -> dict[str, Any]:
    """The arguments of a `Field` that several wire types share: what it means, and one example."""
    return {"description": description, "examples": [example]}


def example(**fields: object) -> ConfigDict:
    """The configuration of a wire type that shows one example of itself."""
    schema: Json = {"examples": [fields]}
    return ConfigDict(json_schema_extra=schema)


class NamedUnit(Output):
    """A unit as every answer names it."""

    code: CodeOut = Field(description="The unit's code.", examples=["xianning-education-bureau"])
    name: str = Field(description="The unit's official name.", examples=["咸宁市教育局"])
