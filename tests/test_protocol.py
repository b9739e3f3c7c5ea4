"""Requests below the application: typed by hand, broken, or refused while their body is still coming."""

import json
import socket
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.conftest import Template
from tests.server import running_server


@pytest.fixture
def engine() -> str:
    """None of this reaches the database in a way of its own: one engine will do."""
    return "sqlite"


@pytest.fixture
def address(seeded: Template) -> Iterator[str]:
    with running_server(seeded.url) as running:
        yield running


def exchange(address: str, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are; status, headers and body of the answer."""
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), {line.partition(": ")[0]: line.partition(": ")[2] for line in lines}, body


class TestTypedByHand:
    def test_chinese_in_the_query_is_understood(self, address: str, seeded: Template) -> None:
        head = "GET /api/v1/assignments?unit=市教育局&limit=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        status, _, body = exchange(address, f"{head}Authorization: Bearer {seeded.keys['reader']}\r\n\r\n".encode())
        assert status == 200
        assert json.loads(body)["items"][0]["unit"]["name"] == "咸宁市教育局"

    def test_chinese_in_the_path_is_understood(self, address: str, seeded: Template) -> None:
        head = "GET /api/v1/units/市教育局 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        status, _, body = exchange(address, f"{head}Authorization: Bearer {seeded.keys['reader']}\r\n\r\n".encode())
        assert (status, json.loads(body)["name"]) == (200, "咸宁市教育局")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\n\r\n",  # no Host
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",  # TLS
    ],
)
def test_broken_http_is_told_as_a_problem(address: str, request_bytes: bytes) -> None:
    status, headers, body = exchange(address, request_bytes)
    problem = json.loads(body)
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert (problem["code"], problem["status"]) == ("bad_request", 400)
    assert problem["request_id"] == headers["x-request-id"] != ""


@pytest.mark.parametrize(
    ("client", "content_type", "status"),
    [
        ("admin", "text/plain", 413),
        ("reader", "text/plain", 403),
        ("admin", "multipart/form-data", 415),
        ("", "text/plain", 401),
    ],
)
def test_refusal_reaches_a_client_that_sends_twenty_megabytes_first(
    address: str, seeded: Template, client: str, content_type: str, status: int
) -> None:
    headers = {"Content-Type": content_type, "Authorization": f"Bearer {seeded.keys.get(client, '')}"}
    request = Request(f"{address}/api/v1/imports?plan=x", data=b"a" * 20_000_000, headers=headers)
    with pytest.raises(HTTPError) as refused:
        urlopen(request, timeout=60)
    assert refused.value.code == status
    assert json.loads(refused.value.read())["status"] == status


class TestLeaveToSend:
    """`Expect: 100-continue`: nobody can tell whether the body of a refused request comes or the next request."""

    def test_is_given_where_the_body_is_read(self, address: str, seeded: Template) -> None:
        key = f"Authorization: Bearer {seeded.keys['admin']}"
        head = f"POST /api/v1/imports?plan=x HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n{key}\r\n"
        head += "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=30) as connection:
            connection.sendall(head.encode())
            assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"abc")
            assert connection.recv(65536).startswith(b"HTTP/1.1 422 ")

    @pytest.mark.parametrize("path", ["/api/v1/imports?plan=x", "/livez", "/nothing"])
    def test_is_not_given_otherwise_and_the_connection_ends(self, address: str, path: str) -> None:
        method = "GET" if path == "/livez" else "POST"
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 20000000\r\n\r\n"
        status, headers, _ = exchange(address, head.encode())
        assert status == {"/livez": 200, "/nothing": 404}.get(path, 401)
        assert headers["connection"] == "close"


@pytest.mark.parametrize("offer", ["websocket", "h2c"])
def test_offer_of_another_protocol_is_declined(address: str, offer: str) -> None:
    lines = [f"Upgrade: {offer}", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    head = "\r\n".join(["GET /livez HTTP/1.1", "Host: x", "Connection: Upgrade, close", *lines, "", ""])
    status, headers, body = exchange(address, head.encode())
    assert (status, json.loads(body), headers["connection"]) == (200, {"status": "ok"}, "close")
