"""ETags: one word for the bytes of an answer, and the refusal of a write that was meant for older bytes."""

from collections import OrderedDict
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


class Answered:
    """What was answered of late, by question: the headers of a 304, and the version of the database they were true of.

    It holds no answers, so that it stays small: a question takes some 500 bytes.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._known: OrderedDict[object, tuple[object, dict[str, str]]] = OrderedDict()

    def find(self, question: object, version: object) -> dict[str, str] | None:
        """The headers that an answer to the question has, if they were kept for this very version."""
        kept = self._known.get(question)
        return kept[1] if kept is not None and kept[0] == version else None

    def keep(self, question: object, version: object, headers: dict[str, str]) -> None:
        """Note an answer's headers; what was noted longest ago is forgotten."""
        self._known[question] = (version, headers)
        self._known.move_to_end(question)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
