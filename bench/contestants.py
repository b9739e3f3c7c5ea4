"""Who is measured: the service, the bare application with the service's answers, and the peers; each has its requests.

A peer answers before it is measured what the service answers, or the run is void.
"""

import base64
import http.client
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any
from urllib.parse import urlencode

from bench.baseline import ANSWERS, Answer, write_answers
from bench.jobs import REQUEST_JOBS, Ask, Job, Keys, as_body
from bench.load import FIGURE
from bench.peers import datasette
from bench.peers.environment import install
from bench.servers import Server, running
from bench.stores import CACHE, Store

SERVICE, BARE, LITESTAR, DATASETTE = "zeren", "bare", "litestar", "datasette"
JSON = "application/json"
MOST_ROWS = 10_000  # of a batch that a peer is sent
_STARTS = 3
_COMPARED = 20  # answers of each job of a peer
_SERVE = "from {} import main; main()"
_PROGRAMS = {SERVICE: _SERVE.format("app.cli"), BARE: _SERVE.format("bench.baseline")}
Progress = Callable[..., Iterable[Any]]
Headers = Mapping[str, str]


@dataclass(frozen=True)
class Contestant:
    """A server that takes part, and how a request is put to it: URL, headers and body.

    `written` counts what it was made to write, so that each figure is another one.
    """

    server: Server
    translate: Callable[[Job, Ask], tuple[str, Headers, str]]
    knows_etags: bool = False
    written: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return self.server.name

    def plays(self, job: Job) -> bool:
        """Whether it can do a job."""
        return self.knows_etags or not job.conditional

    def requests(self, job: Job) -> list[str]:
        """The bytes of a job's requests; where the client has the answers, it gets them now."""
        if not job.conditional:
            return self.texts(job, job.asks)
        with self.connected() as connection:
            etags = [self.fetch(connection, job, ask).etag for ask in job.asks]
        return self.texts(job, job.asks, etags)

    def texts(self, job: Job, asks: Sequence[Ask], etags: Sequence[str] = ()) -> list[str]:
        """Requests as they are sent; `etags` are those of answers that the client has."""
        texts = []
        for place, ask in enumerate(asks):
            url, headers, body = self.translate(job, ask)
            known = {"If-None-Match": etags[place]} if etags else {}
            length = {"Content-Type": JSON, "Content-Length": str(len(body.encode()))} if body else {}
            all_headers = {"Host": "127.0.0.1", "Accept": JSON} | dict(headers) | known | length
            lines = "".join(f"{name}: {value}\r\n" for name, value in all_headers.items())
            texts.append(f"{_method(ask)} {url} HTTP/1.1\r\n{lines}\r\n{body}")
        return texts

    @contextmanager
    def connected(self) -> Iterator[http.client.HTTPConnection]:
        """A connection to it."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)) as connection:
            yield connection

    def fetch(self, connection: http.client.HTTPConnection, job: Job, ask: Ask) -> Answer:
        """What it answers to a request. Raises RuntimeError for an error."""
        url, headers, body = self.translate(job, ask)
        sent = body.replace(FIGURE.decode(), "99999.999999").encode() if body else None
        connection.request(_method(ask), url, sent, {"Accept": JSON, "Content-Type": JSON} | dict(headers))
        response = connection.getresponse()
        content = response.read()
        if response.status >= 300:
            said = content.decode(errors="replace")[:2000]
            raise RuntimeError(f"{self.name} answered {response.status} to {_method(ask)} {url}: {said}")
        etag, encoded = response.headers.get("ETag", ""), base64.b64encode(content).decode()
        return Answer(_method(ask), url, response.status, etag, encoded)


@dataclass(frozen=True)
class Lineup:
    """Those who take part, how many bytes the service's answers have, by job, and in how many seconds it started."""

    contestants: list[Contestant]
    sizes: dict[str, int]
    starts: list[float]


@contextmanager
def running_service(store: Store, keys: Keys) -> Iterator[Contestant]:
    """The service, as `zeren serve` with its defaults."""
    with running(SERVICE, _zeren(SERVICE), ZEREN_DATABASE_URL=store.url) as server:
        yield Contestant(server, lambda _, ask: (ask.url, keys.of(ask), ask.body), knows_etags=True)


@contextmanager
def running_peers(store: Store) -> Iterator[list[Contestant]]:
    """The peers that know the engine, each with a database of its own."""
    python = install(CACHE / "peers-venv")
    with ExitStack() as stack:
        peers = [stack.enter_context(_litestar(store, python))]
        if store.url.startswith("sqlite"):
            peers.append(stack.enter_context(_datasette(store, python)))
        yield peers


@contextmanager
def running_lineup(
    store: Store, jobs: Sequence[Job], keys: Keys, progress: Progress, *, peers: bool
) -> Iterator[Lineup]:
    """Start all that take part in single requests. Raises RuntimeError where a peer has other facts."""
    with ExitStack() as stack:
        others = stack.enter_context(running_peers(store)) if peers else []
        # who looks at some jobs only need not wait for this
        earlier = list(_starts(store, keys, _STARTS - 1)) if len(jobs) == len(REQUEST_JOBS) else []
        service = stack.enter_context(running_service(store, keys))
        answers = {job.name: _answers(service, job, job.asks, progress) for job in jobs if not job.writes}
        for peer in others:
            for job in jobs:
                _compare(peer, job, answers.get(job.name, []))
        # only now, so that the others have the same facts before they are compared
        for job in jobs:
            posts = job.asks[:1] if job.writes else job.posts[:1]
            answers.setdefault(job.name, []).extend(_answers(service, job, posts, progress))
        path = CACHE / "answers.json"
        write_answers(path, [answer for some in answers.values() for answer in some])
        environment = {ANSWERS: str(path), "ZEREN_DATABASE_URL": store.url}
        bare = stack.enter_context(running(BARE, _zeren(BARE), **environment))
        sizes = {job.name: _size(answers[job.name], job) for job in jobs}
        contestants = [service, Contestant(bare, service.translate, knows_etags=True), *others]
        yield Lineup(contestants, sizes, [*earlier, service.server.start_seconds])


def _starts(store: Store, keys: Keys, count: int) -> Iterator[float]:
    """How long the service takes to start, some times."""
    for _ in range(count):
        with running_service(store, keys) as service:
            yield service.server.start_seconds


def _method(ask: Ask) -> str:
    return "POST" if ask.writes else "GET"


def _zeren(name: str) -> Callable[[int], Sequence[str]]:
    return lambda port: [sys.executable, "-c", _PROGRAMS[name], "serve", "--port", str(port)]


@contextmanager
def _litestar(store: Store, python: Path) -> Iterator[Contestant]:
    with store.copied(LITESTAR) as url:
        command = [str(python), "-m", "bench.peers.service", url.replace("+psycopg", "")]
        with running(LITESTAR, lambda port: [*command, str(port)]) as server:
            yield Contestant(server, lambda _, ask: (ask.url, {}, ask.body))


@contextmanager
def _datasette(store: Store, python: Path) -> Iterator[Contestant]:
    with store.copied(DATASETTE) as url:
        path = Path(url.removeprefix("sqlite:///"))
        with running(DATASETTE, lambda port: datasette.command(python, path, port, MOST_ROWS)) as server:
            yield Contestant(server, _for_datasette)


def _for_datasette(job: Job, ask: Ask) -> tuple[str, Headers, str]:
    if ask.writes:
        return datasette.PATHS[datasette.POST], {}, as_body(datasette.posted(ask.names))
    name = job.name.removesuffix("W")
    return f"{datasette.PATHS[name]}?{urlencode(datasette.parameters(name, ask.names))}", {}, ""


def _answers(service: Contestant, job: Job, asks: Sequence[Ask], progress: Progress) -> list[Answer]:
    """What the service answers. Raises RuntimeError for another number of items than the job has."""
    with service.connected() as connection:
        found = [service.fetch(connection, job, ask) for ask in progress(asks, job.name, len(asks))]
    for answer in found:
        if job.items is not None and answer.method == "GET" and len(_items(answer)) != job.items:
            raise RuntimeError(f"{answer.url} was answered with another number of items than {job.items}")
    return found


def _size(answers: Sequence[Answer], job: Job) -> int:
    """How many bytes an answer has, those of posts beside the job left out."""
    return round(mean(len(one.content) for one in answers[: len(job.asks)]))


def _items(answer: Answer) -> list[Any]:
    """The items of an answer, in whichever way it lists them."""
    found = json.loads(answer.content)
    if isinstance(found, list):
        return [row["item"] for row in found]
    return list(found["items"]) if "items" in found else [found]


def _compare(peer: Contestant, job: Job, answers: Sequence[Answer]) -> None:
    """Raises RuntimeError where a peer gives other facts than the service."""
    if not peer.plays(job):
        return
    with peer.connected() as connection:
        for ask, answer in zip(job.asks[:_COMPARED], answers, strict=False):
            if _items(peer.fetch(connection, job, ask)) != _items(answer):
                raise RuntimeError(f"{peer.name} has other facts than the service for {ask.url}")
