"""Many callers at once: nothing acknowledged is missing, nothing is counted twice, stale writes are refused."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from httpx2 import Response

from app.db import Database
from tests.conftest import MERGE_PATCH, Api
from tests.history import changes_after, last_change

THREADS = 6
SHARE = "xianning-2023.58.1"
CODE = f"{SHARE}:xianning-education-bureau:2023-06"
Result = TypeVar("Result")


def at_once(work: Callable[[int], Result]) -> list[Result]:
    """What the threads bring back that do a work at the same moment, each knowing its number."""
    together = threading.Barrier(THREADS)

    def begin(number: int) -> Result:
        together.wait(30)
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def statuses(responses: list[Response]) -> dict[int, int]:
    return dict(Counter(response.status_code for response in responses))


def revisions(api: Api, code: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = api.reader.get(f"/api/v1/values/{code}/revisions?limit=1000").json()["items"]
    return items


class TestRecordValue:
    ROUNDS = 6

    def test_nothing_acknowledged_is_missing(self, api: Api, database: Database) -> None:
        """Each thread writes its own value and one that all write, every time another figure."""
        number = last_change(database)

        def post(thread: int) -> list[Response]:
            client = api.education
            return [
                client.post("/api/v1/values", json={"indicator": SHARE, "period": period, "value": value})
                for value in range(thread * 100, thread * 100 + self.ROUNDS)
                for period in ("2023-06", f"2023-05-{thread + 1:02}")
            ]

        answers = [response for responses in at_once(post) for response in responses]
        assert statuses(answers) == {201: THREADS + 1, 200: len(answers) - THREADS - 1}
        for answer in (response.json() for response in answers):
            (revision,) = [one for one in revisions(api, answer["code"]) if one["version"] == answer["version"]]
            assert (revision["value"], revision["recorded_at"]) == (answer["value"], answer["recorded_at"])
        shared = revisions(api, CODE)
        assert [one["version"] for one in shared] == list(range(1, THREADS * self.ROUNDS + 1))
        assert api.reader.get(f"/api/v1/values/{CODE}").json()["value"] == shared[-1]["value"]
        assert api.reader.get(f"/api/v1/indicators/{SHARE}").json()["latest"]["value"] == shared[-1]["value"]
        told = [(code, data["version"]) for kind, code, data in changes_after(database, number)]
        assert sorted(told) == sorted((answer["code"], answer["version"]) for answer in (r.json() for r in answers))
        # of one value, the changes stand in the order of its versions
        assert [version for code, version in told if code == CODE] == sorted(v for code, v in told if code == CODE)

    def test_same_figure_from_all_is_one_version(self, api: Api, database: Database) -> None:
        number = last_change(database)
        body = {"indicator": SHARE, "period": "2023-06", "value": 46.8}
        answers = at_once(lambda _: api.education.post("/api/v1/values", json=body))
        assert statuses(answers) == {201: 1, 200: THREADS - 1}
        assert len({answer.text for answer in answers}) == 1
        assert len(revisions(api, CODE)) == len(changes_after(database, number)) == 1

    def test_first_of_several_new_values_wins(self, api: Api, database: Database) -> None:
        number = last_change(database)
        body = {"indicator": SHARE, "period": "2023-06", "expected_version": 0}
        answers = at_once(lambda thread: api.education.post("/api/v1/values", json=body | {"value": thread}))
        assert statuses(answers) == {201: 1, 409: THREADS - 1}
        (written,) = [answer.json() for answer in answers if answer.status_code == 201]
        assert all(answer.json()["current"] == written for answer in answers if answer.status_code == 409)
        assert len(revisions(api, CODE)) == len(changes_after(database, number)) == 1

    def test_no_update_is_lost(self, api: Api) -> None:
        """A counter in a value: each thread reads it and adds one, again where another one was faster."""
        client, steps = api.education, 3
        body = {"indicator": SHARE, "period": "2023-06"}
        assert client.post("/api/v1/values", json=body | {"value": 0}).status_code == 201

        def count(thread: int) -> Counter[int]:
            told: Counter[int] = Counter()
            while told[200] < steps:
                current = client.get(f"/api/v1/values/{CODE}").json()
                # the note tells the threads apart: to be sent twice by one client is to be sent again
                step = {"value": current["value"] + 1, "expected_version": current["version"], "note": f"{thread}"}
                told[client.post("/api/v1/values", json=body | step).status_code] += 1
            return told

        assert set(sum(at_once(count), Counter())) <= {200, 409}
        figures = [(one["version"], one["value"]) for one in revisions(api, CODE)]
        assert figures == [(n + 1, n) for n in range(THREADS * steps + 1)]


class TestOtherWrites:
    def test_indicators_of_one_target_get_different_codes(self, api: Api) -> None:
        body = {
            "target": "xianning-2023.57",
            "name": "新增学位",
            "measure": "个",
            "comparator": "ge",
            "kind": "level",
            "goal": 1,
        }
        answers = at_once(lambda _: api.admin.post("/api/v1/indicators", json=body))
        assert statuses(answers) == {201: THREADS}
        assert {a.json()["code"] for a in answers} == {f"xianning-2023.57.{n + 1}" for n in range(THREADS)}

    def test_one_goal_follows_another(self, api: Api, database: Database) -> None:
        number = last_change(database)
        body = {"reason": "调整", "document_number": "咸政办发〔2023〕12号", "expected_version": 1}
        path = f"/api/v1/indicators/{SHARE}/goals"
        answers = at_once(lambda thread: api.admin.post(path, json=body | {"goal": 50 + thread}))
        assert statuses(answers) == {201: 1, 409: THREADS - 1}
        assert api.reader.get(f"/api/v1/indicators/{SHARE}").json()["goal_version"] == 2
        assert len(changes_after(database, number)) == 1

    def test_one_patch_of_a_state_wins(self, api: Api, database: Database) -> None:
        for path, field in (
            (f"/api/v1/indicators/{SHARE}", "name"),
            ("/api/v1/targets/xianning-2023.58", "statement"),
            ("/api/v1/units/xianning-education-bureau", "name"),
        ):
            number = last_change(database)
            headers = MERGE_PATCH | {"If-Match": api.reader.get(path).headers["ETag"]}

            def patch(thread: int, path: str = path, field: str = field, headers: Any = headers) -> Response:
                return api.admin.patch(path, json={field: f"新名称{thread}"}, headers=headers)

            assert statuses(at_once(patch)) == {200: 1, 412: THREADS - 1}
            assert len(changes_after(database, number)) == 1

    def test_one_code_is_one_unit(self, api: Api, database: Database) -> None:
        number = last_change(database)
        body = {"code": "xianning-sports-bureau", "kind": "department"}
        answers = at_once(lambda thread: api.admin.post("/api/v1/units", json=body | {"name": f"体育局{thread}"}))
        assert statuses(answers) == {201: 1, 409: THREADS - 1}
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"already_exists"}
        assert len(changes_after(database, number)) == 1

    def test_acknowledged_once(self, api: Api, database: Database) -> None:
        number = last_change(database)
        path = "/api/v1/assignments/xianning-2023.58:xianning-education-bureau:lead/acknowledgement"
        answers = at_once(lambda _: api.education.post(path))
        assert statuses(answers) == {200: THREADS}
        assert len({answer.json()["acknowledged_at"] for answer in answers}) == 1
        assert [kind for kind, _, _ in changes_after(database, number)] == ["assignment.acknowledged"]
