"""What `zeren values post` cannot do is told in a sentence."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from app.calling import PostingError, Service
from app.db import Database
from app.messages import Language
from app.settings import Settings
from tests.posting.helpers import EDUCATION, Poster, stored


@contextmanager
def stranger(*statuses: int) -> Iterator[str]:
    """The address of a server that is not ours, which answers with one status after the other."""
    answers = iter(statuses)

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(next(answers))
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class TestRefused:
    @pytest.fixture
    def file(self, poster: Poster) -> Path:
        return poster.csv([(EDUCATION, "市教育局", "2023-06", 46.8, "")])

    def test_wrong_key_and_a_key_that_may_not(self, poster: Poster, file: Path) -> None:
        for client, told in (
            (f"zrn_{'0' * 10}_{'0' * 40}", "Not authenticated: Send a valid key in the Authorization header"),
            ("reader", "Not permitted: This needs the scope report; the key has: read."),
            ("two words", "The key must be the one line that `zeren key create` printed."),
            ("", "The key must be the one line that `zeren key create` printed."),
        ):
            code, printed, err = poster(file, client=client)
            assert (code, printed, err.startswith(told)) == (1, "", True), err
            assert err.endswith("Nothing was written.\n")

    def test_key_from_a_file(self, poster: Poster, file: Path) -> None:
        key = poster.folder / "key"
        key.write_text(poster.keys["education"] + "\n")
        assert poster(file, "--key-file", str(key), client="")[0] == 0
        key.write_text("密钥")
        assert "holds no key" in poster(file, "--key-file", str(key))[2]

    def test_service_that_is_not_there_is_told_at_once(self, away: Poster) -> None:
        file = away.csv([(EDUCATION, "市教育局", "2023-06", 46.8, "")])
        started = time.monotonic()
        code, printed, told = away(file)
        assert (code, printed) == (1, "")
        assert told.startswith(f"{away.url} cannot be reached: ")
        assert time.monotonic() - started < 5

    def test_address_that_is_none_or_leads_elsewhere(self, poster: Poster, file: Path) -> None:
        for url in ("127.0.0.1:8000", "ftp://host", "http://", "http://zeren:s3cret@host", "http://[::1"):
            code, _, told = poster(file, "--url", url)
            assert (code, told.startswith("The address of the service must be ")) == (1, True), url
            assert "s3cret" not in told
        assert "Is it the address of the service" in poster(file, "--url", f"{poster.url}/elsewhere")[2]
        assert poster(file, "--url", f"{poster.url}/api/v1/")[0] == 0

    def test_answers_of_something_else_are_not_believed(self, away: Poster) -> None:
        """A portal that answers everything with its own page, and a proxy before a service that is away."""
        file = away.csv([(EDUCATION, "市教育局", "2023-06", 46.8, "")])
        with stranger(200, 200) as away.url:
            code, printed, told = away(file)
            assert (code, printed) == (1, "")
            assert "answered 200, but not as Zeren does" in told
        with stranger(502, 503, 403) as away.url:
            code, printed, told = away(file)
            assert (code, printed) == (1, "")
            assert [line.partition(" Trying again in ")[2] for line in told.splitlines()] == ["0.5 s.", "1 s.", "", ""]
            assert "answered 403, but not as Zeren does" in told

    def test_file_that_is_no_such_format(self, poster: Poster, file: Path) -> None:
        for options, told in (
            (["--format", "xlsx"], "The workbook cannot be read: "),
            (["--format", "json"], "The body is not valid JSON: "),
        ):
            code, printed, err = poster(file, *options)
            assert (code, printed, err.startswith(told)) == (1, "", True), err
        (poster.folder / "a.csv").write_text("hello\nworld\n")
        assert "There are no headings in the first 10 rows." in poster(poster.folder / "a.csv")[2]
        (poster.folder / "a.docx").write_text("hello")
        assert "say what it is with --format" in poster(poster.folder / "a.docx")[2]
        assert poster(poster.folder / "none.csv")[0] == 2

    def test_list_of_problems_that_cannot_be_written_is_told_before_anything_is(
        self, poster: Poster, file: Path, database: Database
    ) -> None:
        code, _, told = poster(file, "--problems", str(poster.folder / "none" / "p.csv"))
        assert (code, "There is no folder" in told) == (1, True)
        assert stored(database) == ([], 0, 0)


def test_key_is_not_shown_with_the_settings() -> None:
    assert "zrn_" not in repr(Settings(key="zrn_x"))


def test_address_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(PostingError):
        Service("file:///etc/passwd", "zrn_x", Language.en, print)
