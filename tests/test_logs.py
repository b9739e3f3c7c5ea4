"""Logs of a real server: every line is a JSON object, every request has one, and none holds a secret."""

import json
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.db import Database
from tests.conftest import Template
from tests.server import free_port, start_server

CHINESE = "/api/v1/units/%E5%B8%82%E6%95%99%E8%82%B2%E5%B1%80"
REQUEST = {"level", "logger", "message", "request_id", "method", "path", "status", "milliseconds", "client", "time"}


@pytest.fixture
def engine() -> str:
    """What is logged does not depend on it."""
    return "sqlite"


class Served:
    """A server, what it answers, and the lines it leaves."""

    def __init__(self, port: int, file: Path) -> None:
        self.port = port
        self.file = file

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, str]:
        """Status and request id of an answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        names = {name.replace("_", "-"): told for name, told in headers.items()}
        connection.request(method, path, headers=names)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status, response.headers["X-Request-ID"]

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()]


@contextmanager
def serving(url: str, file: Path) -> Iterator[Served]:
    """A server that has ended when the block is left, so that all its lines are there."""
    port = free_port()
    with file.open("wb") as log:
        process = start_server(url, port, stderr=log.fileno())
        try:
            yield Served(port, file)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


class TestLogs:
    def test_every_request_has_a_line_with_its_id_and_its_client(self, seeded: Template, tmp_path: Path) -> None:
        began = datetime.now(UTC)
        key = f"Bearer {seeded.keys['reader']}"
        with serving(seeded.url, tmp_path / "log") as served:
            asked = [
                ("GET", "/api/v1/plans", "reader", *served.ask("GET", "/api/v1/plans?limit=1", Authorization=key)),
                ("GET", "/api/v1/plans", None, *served.ask("GET", "/api/v1/plans", Authorization=key + "0")),
                ("GET", "/api/v1/units/市教育局", "reader", *served.ask("GET", CHINESE, Authorization=key)),
                ("HEAD", '/a"\n{}', None, *served.ask("HEAD", "/a%22%0A%7B%7D")),
                ("GET", "/livez", None, *served.ask("GET", "/livez", X_Request_ID="oa-1")),
            ]
            with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
                connection.sendall(b"NO HTTP\r\n\r\n")
                assert connection.recv(100)
        lines = served.lines()
        requests = {line["request_id"]: line for line in lines if line["logger"] == "zeren.access"}
        assert [status for *_, status, _ in asked] == [200, 401, 200, 404, 200]
        assert asked[-1][-1] == "oa-1"
        for method, path, client, status, request_id in asked:
            line = requests[request_id]
            assert set(line) == REQUEST
            assert (line["method"], line["path"], line["status"]) == (method, path, status)
            assert (line["client"], line["level"], line["message"]) == (client, "INFO", "request")
            assert line["milliseconds"] >= 0
            at = datetime.fromisoformat(line["time"])
            assert at.utcoffset() == timedelta(0)
            assert began <= at <= datetime.now(UTC)
        (refused,) = [line for line in lines if line["message"].startswith("no HTTP: ")]
        assert (refused["status"], len(refused["request_id"])) == (400, 32)
        assert any(line["message"].startswith("Finished server process") for line in lines)
        told = served.file.read_text(encoding="utf-8")
        assert not re.search(r"zrn_|limit=1|\x1b|\\u001b", told)

    def test_unforeseen_fault_is_one_line_with_all_of_it(
        self, seeded: Template, database: Database, tmp_path: Path
    ) -> None:
        with database.writing() as session:
            session.execute(text("UPDATE imports SET report = '{'"))
        with serving(seeded.url, tmp_path / "log") as served:
            key = f"Bearer {seeded.keys['reader']}"
            status, request_id = served.ask("GET", "/api/v1/imports/xianning-2023.import-1", Authorization=key)
        fault, request = [line for line in served.lines() if line["request_id"] == request_id]
        assert (status, request["status"], fault["level"], fault["message"]) == (500, 500, "ERROR", "unexpected error")
        assert fault["exc_info"].startswith("Traceback")
        assert "JSONDecodeError" in fault["exc_info"]

    def test_offers_of_java_clients_are_not_worth_a_line(self, seeded: Template, tmp_path: Path) -> None:
        with serving(seeded.url, tmp_path / "log") as served:
            offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAEAAEAAAAI"}
            assert served.ask("GET", "/livez", **offer)[0] == 200
        assert {line["level"] for line in served.lines()} == {"INFO"}
