"""A running service as its client sees it: batches posted with a key, again and again until they are answered."""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import httpx2
from pydantic import ValidationError

from app.errors import ErrorCode
from app.messages import Language
from app.values.formats import NDJSON_TYPES
from app.values.schemas import BatchReport, OnError

_PAUSES = (0.5, 1, 2, 4, 8, 15)  # seconds before each further attempt: longer than a restart of the service takes
_PASSING = (429, 502, 503, 504)
_TIMEOUT = httpx2.Timeout(300, connect=10)  # a part may wait for another writer's transaction
_HINTS = {
    ErrorCode.unauthenticated: "The key was read from --key-file or ZEREN_KEY.",
    ErrorCode.no_such_path: "Is it the address of the service (--url or ZEREN_URL)?",
    ErrorCode.body_too_large: "Post smaller parts with --batch-size.",
}


class PostingError(Exception):
    """Why a service cannot be posted to, in a sentence."""


class Service:
    """A service at an address, for the holder of a key. `tell` hears of what is tried again."""

    def __init__(self, url: str, key: str, language: Language, tell: Callable[[str], None]) -> None:
        self.language = language
        self._url = _base(url)
        if not key.isascii() or not key.isprintable() or not key or " " in key:
            raise PostingError("The key must be the one line that `zeren key create` printed.")
        headers = {"Authorization": f"Bearer {key}", "Accept-Language": language.value}
        self._client = httpx2.Client(base_url=self._url, headers=headers, timeout=_TIMEOUT)
        self._tell = tell
        self._answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def post_batch(self, body: bytes, *, dry_run: bool, on_error: OnError) -> BatchReport:
        """Post lines of JSON to `/values/batch`, with the same `Idempotency-Key` until there is an answer.

        Also a batch that was rejected gives its report. Raises PostingError for anything else.
        """
        query = {"dry_run": str(dry_run).lower(), "on_error": on_error.value}
        headers = {"Content-Type": NDJSON_TYPES[0], "Idempotency-Key": secrets.token_hex(16)}
        for pause in (*_PAUSES, None):
            try:
                answer = self._client.post("/api/v1/values/batch", content=body, params=query, headers=headers)
            except httpx2.TransportError as error:
                why = f"{self._url} cannot be reached: {str(error).rstrip(chr(46)) or type(error).__name__}."
                # an address that never answered is more likely wrong than away
                final = not self._answered and isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
            else:
                self._answered = True
                problem = _problem(answer)
                if not _is_passing(answer, problem):
                    return self._report(answer, problem)
                why, final = self._refusal(answer, problem), False
            if pause is None or final:
                break
            self._tell(f"{why} Trying again in {pause} s.")
            time.sleep(pause)
        raise PostingError(why)

    def _report(self, answer: httpx2.Response, problem: dict[str, Any] | None) -> BatchReport:
        rejected = problem is not None and problem.get("code") == ErrorCode.batch_rejected
        if answer.status_code == 200 or rejected:
            try:
                return BatchReport.model_validate_json(answer.content)
            except ValidationError:
                problem = None
        raise PostingError(self._refusal(answer, problem))

    def _refusal(self, answer: httpx2.Response, problem: dict[str, Any] | None) -> str:
        if problem is None:
            return f"{self._url} answered {answer.status_code}, but not as Zeren does. Is it the service's address?"
        hint = _HINTS.get(problem.get("code", ""))
        return "\n".join(
            [f"{problem.get('title')}: {problem.get('detail')}", *_lines(problem), *([hint] if hint else [])]
        )


def _base(url: str) -> str:
    """The service's address without what all of its paths begin with."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        parsed = httpx2.URL("")
    # a password in an address would be sent instead of the key
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo or parsed.query:
        raise PostingError("The address of the service must be http://HOST:PORT or https://HOST, without a password.")
    return url.rstrip("/").removesuffix("/api/v1")


def _problem(answer: httpx2.Response) -> dict[str, Any] | None:
    """The problem that an answer tells, if it is one of ours."""
    if not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        return None
    try:
        problem = answer.json()
    except ValueError:
        return None
    return problem if isinstance(problem, dict) else None


def _is_passing(answer: httpx2.Response, problem: dict[str, Any] | None) -> bool:
    """Whether a later attempt may be answered otherwise."""
    in_use = problem is not None and problem.get("code") == ErrorCode.idempotency_key_in_use
    return in_use or answer.status_code in _PASSING


def _lines(problem: dict[str, Any]) -> Iterator[str]:
    for error in problem.get("errors") or ():
        yield f"  {error.get('pointer')}: {error.get('detail')}"
