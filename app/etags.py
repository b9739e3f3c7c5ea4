"""ETags: one word for the bytes of an answer, and the refusal of a write that was meant for older bytes."""

from typing import Annotated

import xxhash
from fastapi import Header

from app.schemas import Maybe

IfMatch = Annotated[
    Maybe[str],
    Header(
        alias="If-Match",
        description="The ETag the change is meant for; refused with 412 when the resource has moved on.",
        max_length=1000,
    ),
]


def etag_of(body: bytes) -> str:
    """The strong ETag of an answer: equal bytes, equal tag."""
    return f'"{xxhash.xxh3_128_hexdigest(body)}"'


def etag_listed(etag: str, header: str) -> bool:
    """Whether an `If-Match` or `If-None-Match` names a tag.

    A weakened tag, as a gateway that compresses makes of ours, counts as the strong one.
    """
    return header.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in header.split(",")}
