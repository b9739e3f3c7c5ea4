"""A real `zeren serve` on a socket: upgrade offers, bodies of any length, HEAD, keep-alive, workers, a clean end."""

import io
import json
import shutil
import socket
import subprocess
from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from python_calamine import CalamineWorkbook
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from app.middleware import AroundEveryRequest
from tests.conftest import Template
from tests.server import free_port, running_server, start_server
from tests.values.sheets import workbook

CURL = shutil.which("curl")
VALUE = {"indicator": "xianning-2023.58.1", "period": "2023-06", "value": 46.8}
BODY = json.dumps(VALUE | {"note": "教育局6月统计" * 100}, ensure_ascii=False).encode()
# what the JDK's HttpClient adds to the first request of a connection on plain HTTP
OFFER = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAA\r\n"


@pytest.fixture
def engine() -> str:
    """HTTP is the same on both; the tests of workers ask for both by themselves."""
    return "sqlite"


@pytest.fixture
def server(seeded: Template) -> Iterator[HTTPConnection]:
    """A connection to a server on the test's database."""
    with running_server(seeded.url) as address:
        connection = HTTPConnection(urlsplit(address).netloc, timeout=20)
        yield connection
        connection.close()


@contextmanager
def started(url: str, port: int, *options: str, stderr: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A server for tests that end it themselves; whatever happens, it does not outlive the block."""
    process = start_server(url, port, *options, stderr=stderr or subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(20)


def key(seeded: Template, client: str = "education") -> dict[str, str]:
    return {"Authorization": f"Bearer {seeded.keys[client]}"}


def post_head(seeded: Template, *lines: str) -> bytes:
    """The head of a request that posts a value."""
    head = ["POST /api/v1/values HTTP/1.1", "Host: zeren.test", "Content-Type: application/json"]
    return "\r\n".join([*head, f"Authorization: {key(seeded)['Authorization']}", *lines]).encode() + b"\r\n"


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of one answer."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
    )
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split()[1]), body


class TestUpgradeOffer:
    """As the JDK's HttpClient and `curl --http2` make it: the server stays with HTTP/1.1, and no byte is lost."""

    def test_body_arrives_whole(self, server: HTTPConnection, seeded: Template) -> None:
        length, chunked = f"Content-Length: {len(BODY)}", "Transfer-Encoding: chunked"
        in_chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:1000], BODY[1000:])) + b"0\r\n\r\n"
        for framing, body in ((length, BODY), (chunked, in_chunks)):
            head = post_head(seeded, framing, OFFER)
            with socket.create_connection((server.host, server.port), timeout=20) as connection:
                connection.sendall(head + body)
                status, told = answer(connection)
                assert (status, json.loads(told)["note"]) == (201 if framing is length else 200, "教育局6月统计" * 100)
                connection.sendall(head)  # and again on this connection, the body in packets of its own
                connection.sendall(body[:700])
                connection.sendall(body[700:])
                assert answer(connection) == (200, told)

    @pytest.mark.skipif(CURL is None, reason="curl is not installed")
    def test_curl_with_http2(self, server: HTTPConnection, seeded: Template) -> None:
        headers = [f"Authorization: {key(seeded)['Authorization']}", "Content-Type: application/json"]
        command = [str(CURL), "--http2", "--silent", "--fail-with-body", "--max-time", "20", "--data-binary", "@-"]
        command += [part for header in headers for part in ("--header", header)]
        url = f"http://{server.host}:{server.port}/api/v1/values"
        done = subprocess.run([*command, url], input=BODY, capture_output=True, check=True)
        assert json.loads(done.stdout)["note"] == "教育局6月统计" * 100


class TestLargeBody:
    def test_of_20_mb_413_told_and_not_cut_off(self, server: HTTPConnection, seeded: Template) -> None:
        headers = key(seeded, "admin") | {"Content-Type": "text/plain"}
        for chunked in (False, True):
            body = (b"a" * 100_000 for _ in range(200)) if chunked else b"a" * 20_000_000
            server.request("POST", "/api/v1/imports?plan=p", body=body, headers=headers, encode_chunked=chunked)
            response = server.getresponse()
            assert (response.status, json.loads(response.read())["code"]) == (413, "body_too_large")
            server.close()
        server.request("GET", "/api/v1/plans/p", headers=headers)
        assert server.getresponse().status == 404


class TestConnection:
    def test_stays_for_answers_of_every_kind_and_each_has_an_id(self, server: HTTPConnection, seeded: Template) -> None:
        server.connect()
        own = server.sock.getsockname()
        ids = set()
        for method, path, body, status in (
            ("GET", "/api/v1/plans", None, 200),
            ("POST", "/api/v1/values", b"{", 400),
            ("POST", "/api/v1/values", BODY, 201),
            ("GET", "/nothing", None, 404),
            ("DELETE", "/api/v1/plans", None, 405),
            ("GET", "/docs", None, 200),
            ("GET", "/livez", None, 200),
        ):
            server.request(method, path, body, key(seeded) | {"Content-Type": "application/json"})
            response = server.getresponse()
            response.read()
            assert response.status == status
            ids.add(response.headers["X-Request-ID"])
        assert len(ids) == 7
        assert server.sock.getsockname() == own

    def test_head_is_get_without_the_body(self, server: HTTPConnection, seeded: Template) -> None:
        for path in ("/api/v1/assignments", "/api/v1/targets/x", "/docs", "/openapi.json", "/swagger/swagger-ui.css"):
            facts = []
            for method in ("HEAD", "GET"):
                server.request(method, path, headers=key(seeded))
                response = server.getresponse()
                body = response.read()
                names = ("Content-Type", "Content-Length", "ETag", "Link")
                facts.append((response.status, [response.headers[name] for name in names]))
                assert (method == "HEAD") is (body == b"")
            head, get = facts
            assert head == get, path


class TestWorkers:
    @pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
    def test_two_share_the_work_and_end_together(self, seeded: Template, tmp_path: Path) -> None:
        port, file = free_port(), tmp_path / "log"
        with file.open("wb") as log, started(seeded.url, port, "--workers", "2", stderr=log.fileno()) as process:
            for number in range(20):
                connection = HTTPConnection("127.0.0.1", port, timeout=20)
                body = json.dumps(VALUE | {"value": number})
                connection.request("POST", "/api/v1/values", body, key(seeded) | {"Content-Type": "application/json"})
                response = connection.getresponse()
                assert (response.status, json.loads(response.read())["version"]) == (200 if number else 201, number + 1)
                connection.close()
            process.terminate()
            assert process.wait(20) == 0
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        assert sum(line.get("status") in (200, 201) and line["path"] == "/api/v1/values" for line in lines) == 20
        assert sum("Finished server process" in line["message"] for line in lines) == 2
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


class TestEnd:
    def test_request_that_has_begun_is_answered_before_it(self, seeded: Template) -> None:
        port = free_port()
        with started(seeded.url, port) as process:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                # the server is ready for the body when it says so, and then told to end
                connection.sendall(post_head(seeded, f"Content-Length: {len(BODY)}", "Expect: 100-continue", ""))
                assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
                process.terminate()
                connection.sendall(BODY)
                assert answer(connection)[0] == 201
            process.wait(20)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


class TestPanic:
    """Libraries in Rust end a call by an exception that is no `Exception`."""

    async def panics(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        def write(book: Workbook, sheet: Worksheet) -> None:
            sheet.write_number(0, 0, -1e18, book.add_format({"num_format": "hh:mm"}))

        book = CalamineWorkbook.from_filelike(io.BytesIO(workbook([], write)))
        list(book.get_sheet_by_index(0).iter_rows())

    def test_is_the_one_500(self) -> None:
        response = TestClient(AroundEveryRequest(self.panics)).get("/")
        assert (response.status_code, response.json()["code"]) == (500, "internal_error")

    @pytest.mark.parametrize("end", [CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit])
    def test_end_of_the_task_or_the_process_is_none(self, end: type[BaseException]) -> None:
        sent: list[Message] = []

        async def ends(_scope: Scope, _receive: Receive, _send: Send) -> None:
            raise end

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            sent.append(message)

        serving = AroundEveryRequest(ends)({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)
        with pytest.raises(end):
            serving.send(None)
        assert not sent
