"""`zeren values post` may be stopped at any instant, and run again."""

import json
import signal
import time

from app.db import Database
from tests.conftest import Template
from tests.posting.helpers import Poster, Row, stored
from tests.server import start_server


class TestInterrupted:
    def test_killed_at_any_instant_and_run_again_ends_as_one_undisturbed_run(
        self, poster: Poster, rows: list[Row], database: Database
    ) -> None:
        file = poster.csv(rows)
        for lines in (1, 3, 9):  # of progress, one for each of 30 parts
            process = poster.start(file, "--batch-size", "100", "--on-error", "skip")
            assert process.stderr is not None
            for _ in range(lines):
                process.stderr.readline()
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=30)
        assert 800 <= len(stored(database)[0]) < 3000
        report = poster.report(file, "--batch-size", "100")
        assert report["written"] == report["received"] == 3000
        values, revisions, changes = stored(database)
        assert {value[-1] for value in values} == {1}
        assert (len(values), revisions, changes) == (3000, 3000, 3000)
        assert sorted(float(value[3]) for value in values) == [number / 8 for number in range(3000)]

    def test_service_that_is_killed_and_comes_back_is_waited_for(
        self, seeded: Template, away: Poster, rows: list[Row], database: Database
    ) -> None:
        port = int(away.url.rpartition(":")[2])
        server = start_server(seeded.url, port)
        try:
            process = away.start(away.csv(rows), "--batch-size", "100", "--on-error", "skip", "--output", "json")
            assert process.stderr is not None
            for _ in range(5):
                process.stderr.readline()
            server.kill()
            server.wait(10)
            assert "Trying again in " in next(line for line in process.stderr if "writing" not in line)
            server = start_server(seeded.url, port)
            printed, _ = process.communicate(timeout=120)
        finally:
            server.terminate()
            server.wait(30)
        assert process.returncode == 0
        assert json.loads(printed)["written"] == 3000
        values, revisions, _ = stored(database)
        assert (len(values), revisions, {value[-1] for value in values}) == (3000, 3000, {1})

    def test_interrupt_says_that_running_again_goes_on(self, poster: Poster, rows: list[Row]) -> None:
        process = poster.start(poster.csv(rows), "--batch-size", "50", "--on-error", "skip")
        assert process.stderr is not None
        process.stderr.readline()
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        printed, told = process.communicate(timeout=30)
        assert (process.returncode, printed) == (1, "")
        assert "Interrupted.\nWhat is written stays; run the same command again" in told
        assert "Traceback" not in told
