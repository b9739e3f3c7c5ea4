"""The pages at /docs and /problems in a real browser: everything they need comes from the service itself."""

import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, sync_playwright

from app.errors import ErrorCode
from tests.conftest import Template
from tests.server import running_server

CHROMIUM = shutil.which("chromium")
# Chromium's own calls to its maker's services are no part of the page
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture
def engine() -> str:
    """The pages do not depend on the database: one engine will do."""
    return "sqlite"


@pytest.fixture
def address(seeded: Template) -> Iterator[str]:
    with running_server(seeded.url) as running:
        yield running


@pytest.fixture
def visited() -> list[str]:
    """Every address that the browser asks for."""
    return []


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console says is wrong."""
    return []


@pytest.fixture
def page(visited: list[str], complaints: list[str]) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        opened = browser.new_page()
        opened.on("request", lambda request: visited.append(request.url))
        opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        yield opened
        browser.close()


def foreign(visited: list[str], address: str) -> list[str]:
    return [url for url in visited if urlsplit(url).scheme != "data" and not url.startswith(f"{address}/")]


class TestDocs:
    def test_shows_every_operation_and_asks_nothing_foreign(
        self, page: Page, address: str, visited: list[str], complaints: list[str]
    ) -> None:
        page.goto(f"{address}/docs")
        page.wait_for_selector(".opblock")
        shown = page.locator(".opblock").count()
        document = page.request.get(f"{address}/openapi.json").json()
        assert shown == sum(len(operations) for operations in document["paths"].values())
        assert foreign(visited, address) == []
        assert complaints == []

    def test_tries_an_operation_with_a_key(self, page: Page, address: str, seeded: Template) -> None:
        page.goto(f"{address}/docs")
        page.click("button.authorize")
        page.fill(".auth-container input", seeded.keys["reader"])
        page.click(".auth-btn-wrapper button[type=submit]")
        page.click(".btn-done")
        page.click("#operations-plans-get_plan .opblock-summary-control")
        page.fill("#operations-plans-get_plan .parameters input", "xianning-2023")
        page.click("#operations-plans-get_plan button.execute")
        answer = page.wait_for_selector("#operations-plans-get_plan .live-responses-table .highlight-code")
        assert answer is not None
        assert "咸宁市" in answer.inner_text()


class TestProblems:
    def test_the_type_of_a_problem_leads_to_its_words(
        self, page: Page, address: str, visited: list[str], complaints: list[str]
    ) -> None:
        problem = page.request.get(f"{address}/api/v1/plans").json()
        page.goto(address + problem["type"])
        row = page.locator("tr:target")
        assert row.locator("code").inner_text() == problem["code"] == ErrorCode.unauthenticated
        assert problem["title"] in row.inner_text()
        assert foreign(visited, address) == []
        assert complaints == []
