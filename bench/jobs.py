"""The jobs of single requests, each a list that a run goes through by turns; README.md has a table of them."""

import base64
import http.client
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

from sqlalchemy import func, select
from sqlmodel import Session, col

from app.auth import Caller
from app.clients.service import create_key
from app.db import Database
from app.tables import Assignment, Indicator, Plan, Target, Unit
from app.types import Scope, UnitKind
from bench.baseline import Answer
from bench.data import REPORTER
from bench.load import FIGURE
from bench.rows import YEAR

REQUEST_JOBS = ("J1", "J2", "J3", "J5")
_MOST = 300  # reading requests of a job; each is answered once before anything is measured
_MOST_WRITES = 3_000
_PAGE, _FOUND = 50, 20


@dataclass(frozen=True)
class Job:
    """A name, what is asked, the ratio to reach, the requests, and how many items each answer must have."""

    name: str
    title: str
    ratio: float
    requests: list[str]
    items: int | None = None

    @property
    def writes(self) -> bool:
        """Whether its requests change the database."""
        return self.requests[0].startswith("POST")


def make_jobs(database: Database) -> list[Job]:
    """The jobs for a filled database, with keys that are made for them in it."""
    random = Random(YEAR)
    caller = Caller.command_line()
    with database.writing() as session:
        groups = session.execute(select(col(Unit.id)).where(col(Unit.kind) == UnitKind.group.value)).scalars().all()
        reader = create_key(session, caller, "bench", [Scope.read])
        reporter = create_key(session, caller, REPORTER, [Scope.report], groups[:1])
    with database.reading() as session:
        page, units = _busy_units(session)
        targets = session.execute(select(col(Target.code)).order_by(col(Target.id))).scalars().all()
        bodies = list(_bodies(session, groups[0]))
        searches = list(_searches(session, random))
    targets = random.sample(targets, min(_MOST, len(targets)))
    bodies = random.sample(bodies, min(_MOST_WRITES, len(bodies)))
    pages = [_get(f"/api/v1/assignments?unit={unit}&limit={_PAGE}", reader) for unit in units]
    ones = [_get(f"/api/v1/targets/{code}", reader) for code in targets]
    posts = [_post("/api/v1/values", body, reporter) for body in bodies]
    finds = [_get(path, reader) for path in searches]
    return [
        Job("J1", "assignments of one unit, page of 50", 0.08, pages, page),
        Job("J2", "one target", 0.20, ones),
        Job("J3", "post one value", 0.08, posts),
        Job("J5", "search in one plan, 20 found", 0.05, finds, _FOUND),
    ]


def _busy_units(session: Session) -> tuple[int | None, Sequence[str]]:
    """The units with a full page of assignments at least; where there is none, the ten with the most."""
    number = func.count(col(Assignment.id))
    statement = select(col(Unit.code), number).join(Assignment, col(Assignment.unit_id) == col(Unit.id))
    statement = statement.group_by(col(Unit.code)).order_by(number.desc(), col(Unit.code)).limit(_MOST)
    rows = session.execute(statement).all()
    full = [unit for unit, assignments in rows if assignments >= _PAGE]
    return (_PAGE, full) if full else (None, [unit for unit, _ in rows[:10]])


def _searches(session: Session, random: Random) -> Iterator[str]:
    """Plans with a piece of 2 to 4 characters that at least a page, and at most a third, of their targets have."""
    statement = select(col(Plan.code), col(Target.search_text)).join(Target, col(Target.plan_id) == col(Plan.id))
    statements: dict[str, list[str]] = {}
    for plan, text in session.execute(statement.order_by(col(Target.id))):
        statements.setdefault(plan, []).append(text)
    for plan, texts in statements.items():
        holding = Counter(piece for text in texts for piece in _pieces(text))
        most = max(_FOUND, len(texts) // 3)
        fitting = sorted(piece for piece, number in holding.items() if _FOUND <= number <= most)
        for piece in random.sample(fitting, min(len(fitting), _MOST // len(statements))):
            yield f"/api/v1/targets?plan={plan}&q={quote(piece)}&limit={_FOUND}"


def _pieces(text: str) -> set[str]:
    pieces = {text[start : start + length] for length in (2, 3, 4) for start in range(len(text) - length + 1)}
    return {piece for piece in pieces if piece.isalpha()}


def _bodies(session: Session, group: int) -> Iterator[str]:
    """A figure for each month, county and indicator of the targets that were given to a group of counties."""
    statement = (
        select(col(Indicator.code), col(Unit.code))
        .join(Assignment, col(Assignment.target_id) == col(Indicator.target_id))
        .join(Unit, col(Unit.id) == col(Assignment.unit_id))
        .where(col(Assignment.via_id) == group)
        .order_by(col(Indicator.id), col(Unit.id))
    )
    for indicator, unit in session.execute(statement):
        for month in range(1, 13):
            start = json.dumps({"indicator": indicator, "unit": unit, "period": f"{YEAR}-{month:02}"})
            yield f'{start[:-1]}, "value": {FIGURE.decode()}}}'


def _get(path: str, key: str) -> str:
    return f"GET {path} HTTP/1.1\r\n{_head(key)}\r\n"


def _post(path: str, body: str, key: str) -> str:
    described = f"Content-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n"
    return f"POST {path} HTTP/1.1\r\n{_head(key)}{described}\r\n{body}"


def _head(key: str) -> str:
    return f"Host: 127.0.0.1\r\nAccept: application/json\r\nAuthorization: Bearer {key}\r\n"


def fetch_answer(connection: http.client.HTTPConnection, job: Job, request: str) -> Answer:
    """What the service answers for a request. Raises RuntimeError for an error, or another number of items."""
    head, _, body = request.partition("\r\n\r\n")
    line, *headers = head.split("\r\n")
    method, url, _ = line.split(" ")
    sent = body.replace(FIGURE.decode(), "99999.999999").encode() if body else None
    connection.request(method, url, sent, dict(header.split(": ", 1) for header in headers[1:]))
    response = connection.getresponse()
    content = response.read()
    if response.status >= 300:
        raise RuntimeError(f"{method} {url} was answered {response.status}: {content.decode(errors='replace')}")
    if job.items is not None and len(json.loads(content)["items"]) != job.items:
        raise RuntimeError(f"{method} {url} was answered with another number of items than {job.items}")
    path, _, query = url.partition("?")
    return Answer(method, path, query, response.status, base64.b64encode(content).decode())
