"""Sending again under an `Idempotency-Key`: done once, answered the same; and what is no such thing is told."""

import json
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import func, insert, select, update
from sqlmodel import col

from app.db import Database, only_writer
from app.idempotency import MOST_CLEARED
from app.tables import Client, IdempotencyKey, Plan, Value
from tests.asking import faults
from tests.client import AppClient
from tests.conftest import MERGE_PATCH, Api, Template
from tests.history import snapshot
from tests.server import running_server
from tests.test_errors import problem
from tests.test_house import DOCUMENT, INDICATOR, OPERATIONS, UNIT, VALUE, WRITES

SHOWN = ("Content-Type", "Location", "Content-Length", "Idempotency-Replayed")
WRITE = VALUE | {"unit": "市教育局"}


def post(client: AppClient, key: str, path: str = "values", **request: Any) -> Response:
    """A POST under a key; the example of a value where nothing else is said."""
    headers = {"Idempotency-Key": key} | request.pop("headers", {})
    content = request if request or path != "values" else {"json": WRITE}
    return client.post(f"/api/v1/{path}", headers=headers, **content)


def post_over_the_line(address: str, key: str) -> tuple[int, bytes, str | None]:
    """Ask a served process for an indicator, under a key: status, body, and whether the answer was given before."""
    connection = HTTPConnection(address.rpartition("/")[2], timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Idempotency-Key": "k"}
    connection.request("POST", "/api/v1/indicators", json.dumps(INDICATOR), headers)
    response = connection.getresponse()
    answer = response.status, response.read(), response.headers["Idempotency-Replayed"]
    connection.close()
    return answer


def told(response: Response) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of an answer, as far as they tell what was done."""
    return response.status_code, response.content, {n: response.headers[n] for n in SHOWN if n in response.headers}


def kept(database: Database) -> int:
    """How many answers are kept."""
    with database.reading() as session:
        return session.execute(select(func.count()).select_from(IdempotencyKey)).scalar_one()


def age(database: Database, hours: float) -> None:
    """Make every answer older."""
    made = datetime.now(UTC) - timedelta(hours=hours)
    with database.writing() as session:
        session.execute(update(IdempotencyKey).values(created_at=made))


class TestSentAgain:
    def test_every_post_is_answered_as_the_first_time_and_done_once(self, api: Api, database: Database) -> None:
        posts = [name for name in WRITES if OPERATIONS[name].methods == {"POST"}]
        for name in posts:
            client = api.admin
            client.headers["Idempotency-Key"] = name
            first = WRITES[name](client)
            assert first.status_code in (200, 201), (name, first.text)
            assert "Idempotency-Replayed" not in first.headers
            before = snapshot(database)
            again = WRITES[name](client)
            status, content, headers = told(first)
            assert told(again) == (status, content, headers | {"Idempotency-Replayed": "true"}), name
            assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
            assert snapshot(database) == before, name
        assert kept(database) == len(posts)

    def test_answer_is_what_it_would_be_without_a_key(self, api: Api, database: Database) -> None:
        """Everything but the times, and the codes that follow from what is there."""
        units = [UNIT | {"code": f"unit-{n}", "name": f"单位{n}", "aliases": []} for n in (1, 2)]
        without, under = api.admin.post("/api/v1/units", json=units[0]), post(api.admin, "k", "units", json=units[1])
        assert under.status_code == without.status_code == 201
        assert dict(under.headers).keys() == dict(without.headers).keys()
        same = without.text.replace("unit-1", "unit-2").replace("单位1", "单位2")
        assert under.text == same.replace(without.json()["updated_at"], under.json()["updated_at"])
        # a value that stands already: nothing differs, to the byte
        assert post(api.education, "first").status_code == 201
        unkeyed, keyed = api.education.post("/api/v1/values", json=WRITE), post(api.education, "second")
        assert told(unkeyed) == told(keyed)
        assert unkeyed.status_code == 200

    def test_answer_stays_the_first_after_the_value_has_moved_on(self, api: Api) -> None:
        first = post(api.education, "a")
        assert post(api.education, "b", json=WRITE | {"value": 47}).json()["version"] == 2
        again = post(api.education, "a")
        assert (again.status_code, again.content) == (201, first.content)
        assert api.reader.get(first.headers["Location"]).json()["value"] == 47

    def test_other_clients_have_keys_of_their_own(self, api: Api, database: Database) -> None:
        assert post(api.education, "k").status_code == 201
        other = post(api.admin, "k", json=WRITE | {"value": 47})
        assert (other.status_code, other.json()["version"]) == (200, 2)
        assert kept(database) == 2

    def test_quoted_and_bare_key_are_the_same(self, api: Api, database: Database) -> None:
        for first, second in (("abc", '"abc"'), ("~" * 255, f'"{"~" * 255}"')):
            assert "Idempotency-Replayed" not in post(api.education, first).headers
            assert post(api.education, second).headers["Idempotency-Replayed"] == "true"
        assert "Idempotency-Replayed" not in post(api.education, '"a\\"b\\\\c"').headers
        with database.reading() as session:
            assert set(session.execute(select(col(IdempotencyKey.key))).scalars()) == {"abc", "~" * 255, 'a"b\\c'}

    def test_who_may_no_longer_write_is_not_told(self, api: Api) -> None:
        assert post(api.education, "k").status_code == 201
        problem(post(api.anonymous, "k"), 401, "unauthenticated")
        problem(post(api.reader, "k"), 403, "forbidden")


class TestAnotherRequest:
    def test_under_the_same_key_422(self, api: Api, database: Database) -> None:
        assert post(api.admin, "k").status_code == 201
        before = snapshot(database)
        typed = {"Content-Type": "application/json; charset=utf-8"}
        for path, request in (
            ("values", {"json": WRITE | {"value": 47}}),
            ("values", {"content": post(api.admin, "k").request.content + b" ", "headers": typed}),
            ("units", {"json": UNIT}),
            ("indicators/xianning-2023.58.1/goals", {"json": {"goal": 48, "reason": "a", "document_number": "b"}}),
        ):
            refused = problem(post(api.admin, "k", path, **request), 422, "idempotency_key_reused")
            assert "Idempotency-Key k " in refused["detail"]
        assert snapshot(database) == before
        text = {"content": DOCUMENT, "headers": {"Content-Type": "text/plain"}}
        imported = post(api.admin, "doc", "imports?plan=xianning-2024", **text)
        assert imported.status_code == 201
        before = snapshot(database)
        problem(post(api.admin, "doc", "imports?plan=xianning-2025", **text), 422, "idempotency_key_reused")
        assert snapshot(database) == before

    def test_malformed_key_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for key in (
            "",
            '""',
            "a b",
            '"a b"',
            '"',
            '"a',
            'a"',
            "a,b",
            'a"b',
            "a;b",
            '"a";p=1',
            "\\",
            '"\\a"',
            "~" * 256,
        ):
            assert faults(post(api.education, key)) == [("/header/Idempotency-Key", "idempotency_key_invalid")], key
        latin = post(api.education, "k", headers={b"Idempotency-Key": "é".encode("latin-1")})  # type: ignore[dict-item]
        assert faults(latin) == [("/header/Idempotency-Key", "idempotency_key_invalid")]
        headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
        twice = api.education.post("/api/v1/values", json=WRITE, headers=headers)
        assert faults(twice) == [("/header/Idempotency-Key", "idempotency_key_invalid")]
        assert snapshot(database) == before


class TestNothingIsKept:
    def test_of_a_refusal_so_that_it_can_be_mended(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for body, status in (
            ({"value": "x"}, 422),
            (WRITE | {"unit": "市科技局"}, 403),
            (WRITE | {"indicator": "x.1"}, 404),
            (WRITE | {"expected_version": 3}, 409),
        ):
            assert post(api.education, "k", json=body).status_code == status
        assert snapshot(database) == before
        assert post(api.education, "k").status_code == 201

    def test_of_a_dry_run(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        text = {"content": DOCUMENT, "headers": {"Content-Type": "text/plain"}}
        for _ in range(2):
            tried = post(api.admin, "k", "imports?plan=xianning-2024&dry_run=true", **text)
            assert (tried.status_code, tried.json()["dry_run"]) == (200, True)
            assert "Idempotency-Replayed" not in tried.headers
        assert snapshot(database) == before
        assert post(api.admin, "k", "imports?plan=xianning-2024", **text).status_code == 201

    def test_of_other_methods(self, api: Api, database: Database) -> None:
        key = {"Idempotency-Key": "not, a key"}
        assert api.reader.get("/api/v1/units", headers=key).status_code == 200
        patched = api.admin.patch("/api/v1/targets/xianning-2023.58", json={}, headers=MERGE_PATCH | key)
        assert patched.status_code == 200
        assert kept(database) == 0


class TestStillRunning:
    def test_409_and_the_answer_later(self, api: Api, database: Database) -> None:
        """Of two at once, one waits for the database, which somebody else holds; the other is told at once."""
        with ThreadPoolExecutor(2) as pool:
            with database.writing() as session:
                session.execute(select(Plan))
                only_writer(session, Value)
                first, second = (pool.submit(post, api.education, "k") for _ in range(2))
                (refused,), (waiting,) = wait((first, second), 30, FIRST_COMPLETED)
                told = refused.result()
                problem(told, 409, "idempotency_key_in_use")
                assert told.headers["Retry-After"] == "1"
                assert not waiting.done()
            answer = waiting.result(30)
        assert answer.status_code == 201
        again = post(api.education, "k")
        assert (again.status_code, again.content) == (201, answer.content)

    @pytest.mark.parametrize("engine", ["postgresql"])
    def test_in_another_process_409_without_a_long_wait(self, api: Api, database: Database) -> None:
        with database.writing() as session:
            education = select(col(Client.id)).where(col(Client.code) == "education")
            row = {"key": "k", "fingerprint": "", "status": 0, "headers": "", "body": b""}
            row |= {"client_id": education.scalar_subquery(), "created_at": datetime.now(UTC)}
            session.execute(insert(IdempotencyKey).values(**row))
            began = time.monotonic()
            problem(post(api.education, "k"), 409, "idempotency_key_in_use")
            assert time.monotonic() - began < 2
            assert post(api.education, "other").status_code == 201
            session.rollback()
        assert post(api.education, "k").status_code == 200

    def test_two_processes_do_it_once(self, seeded: Template, database: Database) -> None:
        key = seeded.keys["admin"]
        with running_server(seeded.url) as one, running_server(seeded.url) as other, ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: post_over_the_line((one, other)[n % 2], key), range(8)))
            done = {body for status, body, _ in answers if status == 201}
            assert len(done) == 1
            assert {status for status, _, _ in answers} <= {201, 409}
            for address in (one, other):
                assert post_over_the_line(address, key) == (201, *done, "true")
        assert kept(database) == 1

    def test_same_key_from_many_at_once_is_done_once(self, api: Api, database: Database) -> None:
        together = threading.Barrier(6)

        def send(_: int) -> Response:
            together.wait(30)
            return post(api.admin, "k", "indicators", json=INDICATOR)

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(send, range(6)))
        assert {answer.status_code for answer in answers} <= {201, 409}
        done = {answer.content for answer in answers if answer.status_code == 201}
        assert len(done) == 1
        assert post(api.admin, "k", "indicators", json=INDICATOR).content in done
        assert kept(database) == 1


class TestExpiry:
    def test_key_of_an_expired_answer_is_free(self, api: Api, database: Database) -> None:
        first = post(api.education, "k")
        age(database, 23.9)
        assert post(api.education, "k").headers["Idempotency-Replayed"] == "true"
        age(database, 24.1)
        other = post(api.education, "k", json=WRITE | {"value": 47})
        assert (other.status_code, other.json()["version"]) == (200, 2)
        problem(post(api.education, "k"), 422, "idempotency_key_reused")
        assert first.status_code == 201
        assert kept(database) == 1

    def test_expired_answers_are_cleared_away_a_few_at_a_time(self, api: Api, database: Database) -> None:
        for number in range(MOST_CLEARED + 2):
            assert post(api.education, f"old-{number}").status_code in (200, 201)
        age(database, 25)
        assert post(api.education, "a").status_code == 200
        assert kept(database) == 3
        assert post(api.education, "b").status_code == 200
        assert kept(database) == 2

    def test_who_clears_away_waits_for_nobody(self, api: Api, database: Database, engine: str) -> None:
        """Another writer is clearing the same rows, and needs the value's row, too."""
        assert post(api.education, "old").status_code == 201
        age(database, 25)
        if engine == "sqlite":
            assert post(api.education, "new").status_code == 200
            return
        with database.writing() as session:
            session.execute(select(IdempotencyKey).with_for_update())
            began = time.monotonic()
            assert post(api.education, "new").status_code == 200
            assert time.monotonic() - began < 2
        assert kept(database) == 2
