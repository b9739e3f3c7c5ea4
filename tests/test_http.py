"""What only a real process can show: upgrades that are offered, workers, signals, and the lines it logs."""

import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.conftest import Template
from tests.server import free_port, running_server, start_server

BODY = json.dumps({"indicator": "xianning-2023.58.1", "period": "2023-06", "value": 46.8})
CURL = shutil.which("curl")


@pytest.fixture
def port(seeded: Template) -> Iterator[int]:
    with running_server(seeded.url) as address:
        yield int(address.rpartition(":")[2])


def exchange(port: int, request: str) -> tuple[str, bytes]:
    """Send bytes as they are; the answer's status line, and all of it."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request.encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer.partition(b"\r\n")[0].decode(), answer


class TestUpgradeToHttp2:
    def test_body_of_a_request_that_offers_it_is_read_whole(self, port: int, seeded: Template) -> None:
        request = (
            f"POST /api/v1/values HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(BODY)}\r\n"
            "Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n"
            "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
            f"Content-Type: application/json\r\nAuthorization: Bearer {seeded.keys['education']}\r\n\r\n{BODY}"
        )
        status, answer = exchange(port, request)
        assert status == "HTTP/1.1 201 Created"
        assert b'"value":46.8' in answer

    @pytest.mark.skipif(CURL is None, reason="curl is not installed")
    def test_curl_with_http2_posts_a_value(self, port: int, seeded: Template) -> None:
        command = [str(CURL), "-sS", "--http2", "-H", f"Authorization: Bearer {seeded.keys['education']}"]
        command += ["-H", "Content-Type: application/json", "-d", BODY, f"http://127.0.0.1:{port}/api/v1/values"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert json.loads(done.stdout)["value"] == 46.8, done.stdout + done.stderr


class TestHead:
    def test_has_the_headers_of_get_and_no_body(self, port: int, seeded: Template) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"Authorization": f"Bearer {seeded.keys['reader']}"}
        answers = []
        for method in ("GET", "HEAD", "GET"):  # on one connection: a body after HEAD would be taken for the next answer
            connection.request(method, "/api/v1/targets/xianning-2023.58", headers=headers)
            answer = connection.getresponse()
            answers.append((answer.status, answer.headers["ETag"], answer.headers["Content-Length"], answer.read()))
        connection.close()
        get, head, again = answers
        assert get == again
        assert head == (*get[:3], b"")
        assert len(get[3]) == int(get[2])


class TestProcess:
    def test_every_answer_names_its_request_and_every_log_line_is_json(self, seeded: Template, tmp_path: Path) -> None:
        port = free_port()
        with (tmp_path / "log").open("wb") as log:
            process = start_server(seeded.url, port, stderr=log.fileno())
            connection = HTTPConnection("127.0.0.1", port, timeout=30)
            asked = {"/api/v1/plans": 401, "/api/v1/nothing": 404, "/openapi.json": 200}
            named = {}
            for path, status in asked.items():
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == status
                named[path] = answer.headers["X-Request-ID"]
            connection.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == -signal.SIGTERM  # after an orderly end, uvicorn ends as the signal says
        lines = [json.loads(line) for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines()]
        assert "Application shutdown complete." in [line["message"] for line in lines]
        logged = {line["path"]: line for line in lines if line["logger"] == "zeren.access"}
        for path, status in asked.items():
            assert logged[path]["status"] == status
            assert logged[path]["request_id"] == named[path]

    def test_several_workers_serve_what_one_of_them_wrote(self, seeded: Template) -> None:
        with running_server(seeded.url, "--workers", "2") as address:
            port = int(address.rpartition(":")[2])
            headers = {"Authorization": f"Bearer {seeded.keys['education']}", "Content-Type": "application/json"}
            for version in range(1, 13):  # each on a connection of its own, which either worker may take
                connection = HTTPConnection("127.0.0.1", port, timeout=30)
                body = json.dumps(json.loads(BODY) | {"value": version})
                connection.request("POST", "/api/v1/values", body=body, headers=headers)
                answer = json.loads(connection.getresponse().read())
                connection.close()
                assert answer["version"] == version
