"""Answers that were given before, to be given again as long as nothing is written.

An answer to a read follows from the question and from the database alone. So it is kept with the version of the
database that was there before it was read, and is right while that is the version still: one that is older than any
write that was acknowledged, by whichever process or host, is never given.
"""

from collections import OrderedDict
from dataclasses import dataclass
from sys import getsizeof
from typing import NamedTuple

from starlette.responses import Response

from app.etags import etag_listed

_OVERHEAD = 1000  # bytes that an answer takes beside what is in it
_MOST_PART = 1 / 20  # of all room, for one answer
Question = tuple[str | bytes, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A 200 with its headers, `etag` among them; `short` are those that a 304 in its place has."""

    etag: str
    headers: list[tuple[bytes, bytes]]
    short: list[tuple[bytes, bytes]]
    body: bytes

    @classmethod
    def of(cls, response: Response, etag: str) -> "Answer":
        """The answer that a response gives."""
        kept = (b"etag", b"cache-control", b"vary")
        short = [header for header in response.raw_headers if header[0] in kept]
        return cls(etag, response.raw_headers, short, bytes(response.body))

    def response(self, asked: str | None) -> Response:
        """It once more, or 304 for a client whose `If-None-Match` says that it has it."""
        if asked is not None and etag_listed(self.etag, asked):
            return _Ready(304, self.short, b"")
        return _Ready(200, self.headers, self.body)


class _Kept(NamedTuple):
    version: object
    answer: Answer
    size: int


class _Ready(Response):
    """A response whose headers are made."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status_code, self.body, self.background = status, body, None
        self.raw_headers = list(headers)  # others add theirs


class Answers:
    """Answers by question, as many as there is room for; what was asked for longest ago goes first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._known: OrderedDict[Question, _Kept] = OrderedDict()

    def find(self, question: Question, version: object) -> Answer | None:
        """The answer to a question, if it was kept for this very version of the database."""
        found = self._known.get(question)
        if found is None or found.version != version:
            return None
        self._known.move_to_end(question)
        return found.answer

    def keep(self, question: Question, version: object, answer: Answer) -> None:
        """Keep an answer that was read when this was the version, or a later one."""
        self._forget(question)
        size = _size(question, answer)
        if size > self._most_bytes * _MOST_PART:
            return
        self._known[question] = _Kept(version, answer, size)
        self._bytes += size
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._known)))

    def _forget(self, question: Question) -> None:
        kept = self._known.pop(question, None)
        if kept is not None:
            self._bytes -= kept.size


def _size(question: Question, answer: Answer) -> int:
    """How many bytes a question and its answer take; who asks decides how long the question is."""
    headers = sum(len(name) + len(text) for name, text in answer.headers)
    return len(answer.body) + headers + sum(map(getsizeof, question)) + _OVERHEAD
