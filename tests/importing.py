"""Documents in tests: the shipped plan, corrected copies of it, short ones, and posting them."""

from typing import Any

from httpx2 import Response

from app.seeding import shipped_plan
from tests.conftest import Api

PLAN = (shipped_plan() / "plan.txt").read_text(encoding="utf-8")
TEXT = {"Content-Type": "text/plain"}


def corrected(*corrections: tuple[str, str], text: str = PLAN) -> str:
    """A document, each `(old, new)` put right in it; every old text stands in it once."""
    for old, new in corrections:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def short_plan(*lines: str) -> str:
    """A plan of these lines under a title with a year."""
    return "\n".join(["2024年某市重点工作责任分解方案", *lines, ""])


def post(api: Api, document: str | bytes, plan: str = "xianning-2023", **query: Any) -> Response:
    """What an administrator gets for a document."""
    content = document.encode() if isinstance(document, str) else document
    return api.admin.post("/api/v1/imports", params={"plan": plan} | query, content=content, headers=TEXT)


def imported(api: Api, document: str, plan: str = "xianning-2023", **query: Any) -> dict[str, Any]:
    """The report of a document that leaves a new import."""
    response = post(api, document, plan, **query)
    assert response.status_code == 201, response.text
    report: dict[str, Any] = response.json()
    return report


def what_changes(report: dict[str, Any]) -> tuple[int, int, int, int]:
    """How many targets a document adds, changes, removes and leaves."""
    counts = report["counts"]
    return counts["added"], counts["changed"], counts["removed"], counts["unchanged"]


def get(api: Api, path: str) -> Any:
    """A resource as it stands."""
    response = api.admin.get(f"/api/v1{path}")
    assert response.status_code == 200, response.text
    return response.json()
