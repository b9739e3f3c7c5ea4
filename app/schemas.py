"""What all wire types share: the two base classes and the field types of identifiers, numbers and times."""

from typing import Annotated, Any, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, GetJsonSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema

from app.types import CODE_PATTERN, Json

T = TypeVar("T")


class Output(BaseModel):
    """An answer: every field is always there, `null` where a thing is not known."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """An answer made of fields that come from our own tables and are all given: nothing is checked or filled in.

        A page has hundreds of these objects; `model_construct` does the same at several times the cost.
        """
        made = cls.__new__(cls)
        for name, value in (
            ("__dict__", fields),
            ("__pydantic_fields_set__", set(fields)),
            ("__pydantic_extra__", None),
            ("__pydantic_private__", None),
        ):
            object.__setattr__(made, name, value)
        return made


class Input(BaseModel):
    """A request: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class _WithoutNull:
    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        found = handler(schema)
        return {**found.pop("anyOf")[0], **found}


# a parameter that may be absent: None in the code, and no null in the contract, since a URL has none to send
Maybe = Annotated[T | None, _WithoutNull()]
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
