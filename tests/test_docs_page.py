"""`/docs` and `/problems` as a person sees them, in Debian's Chromium and without the internet."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, sync_playwright

from app.errors import ErrorCode
from app.main import create_app
from app.messages import DETAILS, TITLES
from app.settings import Settings
from tests.conftest import Api, Template
from tests.server import running_server

CHROMIUM = shutil.which("chromium")
# a name as a government network would use: pages ask other servers for more where they are not on `localhost`
HOST = "zeren.test"


@dataclass
class Visit:
    """A page in the browser, what it asked for and what it complained of."""

    page: Page
    address: str
    asked: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)


@pytest.fixture
def visit(seeded: Template) -> Iterator[Visit]:
    with running_server(seeded.url) as address, sync_playwright() as playwright:
        port = urlsplit(address).port
        # the sandbox needs rights that containers lack, and all that is shown is our own
        arguments = ["--no-sandbox", f"--host-resolver-rules=MAP {HOST} 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        found = Visit(browser.new_page(), f"http://{HOST}:{port}")
        found.page.on("request", lambda request: found.asked.add(request.url))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("console", lambda told: found.complaints.append(told.text) if told.type != "log" else None)
        yield found
        browser.close()


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("engine", ["sqlite"])
class TestInTheBrowser:
    def test_contract_is_shown_and_tried_out_and_nothing_foreign_is_asked_for(
        self, visit: Visit, seeded: Template
    ) -> None:
        page = visit.page
        operations = create_app(Settings()).openapi()["paths"]
        visit.open("/docs")
        page.locator(".opblock").first.wait_for()
        assert page.locator(".opblock").count() == sum(map(len, operations.values()))
        assert page.get_by_text("/api/v1/assignments/{assignment}/acknowledgement").is_visible()
        page.locator("button.authorize").first.click()
        page.locator(".auth-container input").fill(seeded.keys["reader"])
        page.locator(".auth-container button[type=submit]").click()
        page.locator("button.btn-done").click()
        operation = page.locator("#operations-plans-list_plans")
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Execute").click()
        answer = operation.locator(".live-responses-table")
        answer.wait_for()
        assert answer.locator(".response-col_status").last.inner_text().startswith("200")
        assert "xianning-2023" in answer.inner_text()
        assert any("/api/v1/plans" in url for url in visit.asked)
        assert {urlsplit(url).hostname for url in visit.asked if not url.startswith("data:")} == {HOST}
        assert visit.complaints == []

    def test_type_of_a_problem_leads_to_its_explanation(self, visit: Visit) -> None:
        for code in ("unit_not_assigned", "unit_unknown"):
            visit.open(f"/problems#{code}")
            row = visit.page.locator("tr:target")
            assert row.count() == 1
            assert row.locator("code").inner_text() == code
            zh, en = TITLES.get(ErrorCode(code)) or DETAILS[ErrorCode(code)]
            assert zh in row.inner_text()
            assert en in row.inner_text()
        assert {urlsplit(url).hostname for url in visit.asked} == {HOST}
        assert visit.complaints == []


class TestPages:
    def test_every_code_is_explained(self, api: Api) -> None:
        response = api.anonymous.get("/problems")
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert sorted(re.findall(r'<tr id="(\w+)">', response.text)) == sorted(ErrorCode)

    def test_name_no_other_server(self, api: Api) -> None:
        for path in ("/docs", "/problems"):
            response = api.anonymous.get(path)
            assert response.status_code == 200
            assert not re.search(r"(?:src|href|url)\s*[=:(]\s*[\"']?(?:https?:)?//", response.text)
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy
            assert "http" not in policy
        for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"):
            assert api.anonymous.get(f"/swagger/{name}").status_code == 200
        assert api.anonymous.get("/swagger/../../app/settings.py").status_code == 404
