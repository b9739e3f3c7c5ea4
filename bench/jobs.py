"""The jobs of single requests, each a list that a run goes through by turns; README.md has a table of them."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import func, select
from sqlmodel import Session, col

from app.auth import Caller
from app.clients.service import create_key
from app.db import Database
from app.tables import Assignment, Indicator, Plan, Target, Unit
from app.types import Scope, UnitKind
from bench.data import REPORTER
from bench.load import FIGURE
from bench.rows import YEAR

REQUEST_JOBS = ("J1", "J2", "J3", "J5", "J1W", "J304")
POSTS_A_SECOND = 20
_MOST = 300  # reading requests of a job; each is answered once before anything is measured
_MOST_WRITES = 3_000
_PAGE, _FOUND = 50, 20


@dataclass(frozen=True)
class Ask:
    """A request: its path, and what it names, in its query or its body."""

    path: str
    names: dict[str, Any]
    writes: bool = False
    queried: bool = True  # whether the names are not in the path already

    @property
    def url(self) -> str:
        """Path and query."""
        return f"{self.path}?{urlencode(self.names)}" if self.queried and not self.writes else self.path

    @property
    def body(self) -> str:
        """The JSON that is sent, where it writes."""
        return as_body(self.names) if self.writes else ""


@dataclass(frozen=True)
class Job:
    """A name, what is asked, the floors by number of connections, the requests, and what each answer must have.

    `floors` are parts of the bare application's rate, `rates` requests a second on PostgreSQL.
    """

    name: str
    title: str
    asks: list[Ask]
    items: int | None = None
    floors: Mapping[int, float] = field(default_factory=dict)
    rates: Mapping[int, float] = field(default_factory=dict)
    posts: list[Ask] = field(default_factory=list)  # sent meanwhile, at POSTS_A_SECOND
    conditional: bool = False  # the client has the answer already and names its ETag

    @property
    def writes(self) -> bool:
        """Whether its requests change the database."""
        return self.asks[0].writes


@dataclass(frozen=True)
class Keys:
    """What a caller of the service shows."""

    reader: str
    reporter: str

    def of(self, ask: Ask) -> dict[str, str]:
        """The header that a request needs."""
        return {"Authorization": f"Bearer {self.reporter if ask.writes else self.reader}"}


def make_jobs(database: Database) -> tuple[list[Job], Keys]:
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
        finds = list(_searches(session, random))
    pages = [Ask("/api/v1/assignments", {"unit": unit, "limit": _PAGE}) for unit in units]
    chosen = random.sample(targets, min(_MOST, len(targets)))
    ones = [Ask(f"/api/v1/targets/{code}", {"code": code}, queried=False) for code in chosen]
    posts = random.sample(bodies, min(_MOST_WRITES, len(bodies)))
    one_unit = "assignments of one unit, page of 50"
    first = Job("J1", one_unit, pages, page, {1: 0.35, 16: 0.25}, {1: 900, 16: 900})
    jobs = [
        first,
        Job("J2", "one target", ones, floors={1: 0.45, 16: 0.38}),
        Job("J3", "post one value", posts, floors={1: 0.15, 16: 0.30}, rates={16: 2500}),
        Job("J5", "search in one plan, 20 found", finds, _FOUND, {1: 0.25, 16: 0.20}),
        Job("J1W", f"J1 while one client posts {POSTS_A_SECOND} values a second", pages, page, posts=posts),
        Job("J304", "J1 with If-None-Match, nothing changed", pages, page, conditional=True),
    ]
    return jobs, Keys(reader, reporter)


def _busy_units(session: Session) -> tuple[int | None, Sequence[str]]:
    """The units with a full page of assignments at least; where there is none, the ten with the most."""
    number = func.count(col(Assignment.id))
    statement = select(col(Unit.code), number).join(Assignment, col(Assignment.unit_id) == col(Unit.id))
    statement = statement.group_by(col(Unit.code)).order_by(number.desc(), col(Unit.code)).limit(_MOST)
    rows = session.execute(statement).all()
    full = [unit for unit, assignments in rows if assignments >= _PAGE]
    return (_PAGE, full) if full else (None, [unit for unit, _ in rows[:10]])


def _searches(session: Session, random: Random) -> Iterator[Ask]:
    """Plans with a piece of 2 to 4 characters that at least a page, and at most a third, of their targets have."""
    plans = session.execute(select(col(Plan.id), col(Plan.code)).order_by(col(Plan.id)).limit(_MOST // 10)).all()
    for key, plan in plans:
        statement = select(col(Target.search_text)).where(col(Target.plan_id) == key).order_by(col(Target.id))
        texts = session.execute(statement).scalars().all()
        holding = Counter(piece for text in texts for piece in _pieces(text))
        most = max(_FOUND, len(texts) // 3)
        fitting = sorted(piece for piece, number in holding.items() if _FOUND <= number <= most)
        for piece in random.sample(fitting, min(len(fitting), _MOST // len(plans))):
            yield Ask("/api/v1/targets", {"plan": plan, "q": piece, "limit": _FOUND})


def _pieces(text: str) -> set[str]:
    pieces = {text[start : start + length] for length in (2, 3, 4) for start in range(len(text) - length + 1)}
    return {piece for piece in pieces if piece.isalpha()}


def _bodies(session: Session, group: int) -> Iterator[Ask]:
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
            names = {"indicator": indicator, "unit": unit, "period": f"{YEAR}-{month:02}"}
            yield Ask("/api/v1/values", names, writes=True)


def as_body(names: Mapping[str, Any]) -> str:
    """What a post names as JSON, with a figure that is another one each time it is sent."""
    return f'{json.dumps(names)[:-1]}, "value": {FIGURE.decode()}}}'
