"""The benchmark: it runs, its files and the READMEs say what was measured, and its client counts right."""

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.load import Load, LoadError, Task
from bench.readme import READMES, filled
from bench.report import files_of
from bench.results import RESULTS, Results

ROOT = Path(__file__).parent.parent
KEPT = sorted(path.stem for path in RESULTS.glob("*.json"))


class TestReadmes:
    @pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
    def test_show_the_results_that_are_kept(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert filled(text) == text, "type: .venv/bin/python -m bench.readme"


@pytest.mark.skipif(not KEPT, reason="nothing was measured yet")
@pytest.mark.parametrize("stem", KEPT or ["none"])
class TestResults:
    def test_tables_and_picture_are_made_of_what_was_measured(self, stem: str) -> None:
        files = files_of(Results.load(*stem.split("-")))
        assert {path.name: path.read_text(encoding="utf-8") for path in files} == {
            path.name: content for path, content in files.items()
        }

    def test_picture_is_whole_and_loads_nothing(self, stem: str) -> None:
        for path, content in files_of(Results.load(*stem.split("-"))).items():
            if path.suffix == ".svg":
                ET.fromstring(content)  # noqa: S314 - our own
                assert not re.search(r"href|url\(|@import|<script", content)


class TestPeersLock:
    def test_has_a_hash_for_each_package(self) -> None:
        lock = (ROOT / "bench" / "peers" / "requirements.lock").read_text(encoding="utf-8")
        packages = re.split(r"\n(?=[a-z])", re.sub(r"^\s*#.*\n", "", lock, flags=re.MULTILINE))
        assert {"datasette", "litestar"} <= {package.split("==")[0] for package in packages}
        assert [package for package in packages if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", package)] == []


@contextmanager
def answering(*parts: bytes) -> Iterator[int]:
    """A server that answers every request with the same bytes, sent piece by piece; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, parts))
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(listener: socket.socket, parts: Sequence[bytes]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while connection.recv(65536):
                    for part in parts:
                        connection.sendall(part)
            except OSError:
                continue


def load(port: int, status: str = "2") -> Load:
    return Load(Task(port, 0, None, ["GET / HTTP/1.1\r\n\r\n"], 1, 0.1, 0.0, 0, status))


class TestLoadGenerator:
    @pytest.mark.parametrize(
        ("status", "parts"),
        [
            ("2", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b"body"]),
            ("2", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", b"\r\nbo", b"dy"]),
            ("2", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\nbody\r\n", b"0\r\n\r\n"]),
            ("304", [b"HTTP/1.1 304 Not Modified\r\n\r\n"]),
        ],
        ids=["length", "split", "chunked", "not-modified"],
    )
    def test_counts_whole_answers(self, status: str, parts: list[bytes]) -> None:
        with answering(*parts) as port:
            result = load(port, status).run()
        assert result.sent >= len(result.latencies) > 0

    @pytest.mark.parametrize(
        ("status", "answer"),
        [
            ("2", b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"),
            ("304", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            ("2", b"HTTP/1.1 200 OK\r\n\r\n"),
        ],
        ids=["error", "modified", "without-length"],
    )
    def test_refuses_another_answer_than_expected(self, status: str, answer: bytes) -> None:
        with answering(answer) as port, pytest.raises(LoadError):
            load(port, status).run()


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_short_run_prints_its_table(engine: str) -> None:
    options = ["--engine", engine, "--size", "small", "--seconds", "0.2", "--rounds", "1", "--connections", "2"]
    command = [sys.executable, "-m", "bench", *options, "--no-peers", "--job", "J1", "--job", "J3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^J1 +2 ", done.stdout, flags=re.MULTILINE)
    assert re.search(r"^J3 +2 ", done.stdout, flags=re.MULTILINE)
