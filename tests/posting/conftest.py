"""The command `zeren values post`, with a service and without, and a file for it."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.clients.test_keys import Zeren
from tests.conftest import Api, Template
from tests.posting.helpers import Poster, Row
from tests.server import free_port, running_server


@pytest.fixture
def away(
    seeded: Template, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Poster:
    """The command, where nothing listens yet."""
    monkeypatch.setattr("locale.getlocale", lambda: ("en_US", "UTF-8"))
    monkeypatch.setenv("COLUMNS", "250")
    (tmp_path / "files").mkdir()
    return Poster(f"http://127.0.0.1:{free_port()}", seeded.keys, tmp_path / "files", Zeren(capsys, monkeypatch))


@pytest.fixture
def poster(seeded: Template, away: Poster) -> Iterator[Poster]:
    with running_server(seeded.url) as away.url:
        yield away


@pytest.fixture
def rows(api: Api) -> list[Row]:
    """3,000 figures: every day of a year, for some of the units that answer for some indicators."""
    found = api.reader.get("/api/v1/assignments", params={"limit": 1000}).json()["items"]
    pairs = {(one["code"], item["unit"]["name"]): None for item in found for one in item["target"]["indicators"]}
    days = [date(2023, 1, 1) + timedelta(day) for day in range(365)]
    every = [(indicator, unit, day.isoformat()) for indicator, unit in pairs for day in days]
    return [(*key, number / 8, "统计") for number, key in enumerate(every[:3000])]
