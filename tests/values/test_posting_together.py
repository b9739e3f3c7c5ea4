"""Values posted at the same moment share a transaction, and none of them is the wiser."""

import re
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from httpx2 import Response
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import Session, col

from app.auth import Caller
from app.db import Database
from app.errors import ServiceError
from app.grouping import ALONE
from app.tables import Change, Client, Indicator, Value, metadata
from app.values.recording import record_value
from app.values.schemas import ValueCreate
from app.values.together import Post, Recorded, record_together
from tests.conftest import CLIENTS, Api
from tests.history import last_change, snapshot
from tests.trying import trying, undone

SHARE, EACH_COUNTY = "xianning-2023.58.1", "xianning-2023.60.1"
EDUCATION = "xianning-education-bureau"
WRITTEN = ("values", "value_revisions", "latest_values", "changes")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
on_postgresql = pytest.mark.parametrize("engine", ["postgresql"])

indicators = st.sampled_from([SHARE, SHARE, SHARE, EACH_COUNTY, "xianning-2023.58.9"])
units = st.sampled_from(
    [EDUCATION, "市教育局", "jiayu-county-government", "嘉鱼县政府", "各县市区人民政府", "市教肓局", None]
)
bodies = st.fixed_dictionaries(
    {
        "indicator": indicators,
        "period": st.sampled_from(["2023-01", "2023-01", "2023-02", "2023-H1", "2024-01"]),
        "value": st.sampled_from([0, 1, 2]),
        "unit": units,
    },
    optional={
        "note": st.sampled_from(["a", None]),
        "expected_version": st.sampled_from([0, 1, 2, None]),
        "measure": st.sampled_from(["%", "家"]),
    },
)
posts = st.lists(st.tuples(st.sampled_from(sorted(CLIENTS.keys() - {"reader", "reviewer"})), bodies), max_size=12)


def callers(session: Session) -> Mapping[str, Caller]:
    """The clients of the tests, as callers."""
    found = session.execute(select(col(Client.code), col(Client.id))).all()
    return {
        code: Caller(key, code, frozenset(CLIENTS[code][0]), f"request-of-{code}")
        for code, key in found
        if code in CLIENTS
    }


def told(answer: object) -> object:
    """An answer without its time."""
    if isinstance(answer, Recorded):
        return answer.value.model_dump(exclude={"recorded_at"}), answer.created
    assert isinstance(answer, ServiceError)
    current = {**answer.current, "recorded_at": None} if answer.current is not None else None
    return type(answer), answer.faults, current, answer.params


def alone(session: Session, post: Post) -> Recorded | ServiceError:
    """What becomes of a post that comes alone."""
    try:
        return Recorded(*record_value(session, post.caller, post.body))
    except ServiceError as error:
        return error


def state(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    """What is written of values, without times and numbers."""
    found = {}
    for name in WRITTEN:
        table = metadata.tables[name]
        columns = [column for column in table.c if column.name not in ("recorded_at", "at", "id")]
        found[name] = sorted((tuple(row) for row in session.execute(select(*columns))), key=repr)
    return found


@undone
@given(sent=posts)
def test_posts_together_end_as_one_after_the_other(database: Database, sent: list[tuple[str, Any]]) -> None:
    with trying(database) as session:
        known = callers(session)
        group = [
            Post(known[client], ValueCreate.model_validate(body))._replace(
                caller=Caller(known[client].client_id, client, known[client].scopes, f"request-{place}")
            )
            for place, (client, body) in enumerate(sent)
        ]
        one_by_one = [told(alone(session, post)) for post in group], state(session)
    with trying(database) as session:
        answers = record_together(session, group)
        # the plain way says it of an indicator that nobody could lock
        left = [place for place, answer in enumerate(answers) if answer is ALONE]
        assert all(group[place].body.indicator == "xianning-2023.58.9" for place in left)
        for place in left:
            answers[place] = alone(session, group[place])
        assert ([told(answer) for answer in answers], state(session)) == one_by_one


def at_once(work: Any, *arguments: Any) -> list[Any]:
    """What a function gives for each of some arguments, asked for in as many threads at the same moment."""
    together = threading.Barrier(len(arguments))

    def begin(argument: Any) -> Any:
        together.wait(30)
        return work(argument)

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(begin, arguments))


class TestAnswer:
    def test_is_that_of_the_plain_way(self, api: Api, database: Database) -> None:
        """What bears an `Idempotency-Key` goes the plain way."""
        good = {"indicator": SHARE, "period": "2023-06", "value": 46.8, "unit": EDUCATION}
        changes: list[dict[str, Any]] = [
            {},  # created
            {},  # unchanged
            {"value": 47, "note": "改"},  # another version
            {"unit": None},
            {"unit": "市教育局", "value": 48},
            {"expected_version": 7},
            {"indicator": "xianning-2023.58.9"},
            {"unit": "市教肓局"},
            {"unit": "市科技局"},
            {"unit": "嘉鱼县政府"},
            {"period": "2022-01"},
            {"measure": "家"},
            {"value": "x"},
            {"value": None},
            {"period": 5},
            {"unknown": 1},
        ]
        for number, change in enumerate(changes):
            plain = api.education.post(
                "/api/v1/values", json=good | {"period": "2023-05"} | change, headers={"Idempotency-Key": f"k{number}"}
            )
            hot = api.education.post("/api/v1/values", json=good | change)
            assert same_form(hot) == same_form(plain), change

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b'{"indicator": 1, "indicator": 2}', b"\xff"])
    def test_body_that_is_none_is_that_of_the_plain_way(self, api: Api, body: bytes) -> None:
        headers = {"Content-Type": "application/json", "Accept-Language": "en"}
        plain = api.education.post("/api/v1/values", content=body, headers=headers | {"Idempotency-Key": "k"})
        hot = api.education.post("/api/v1/values", content=body, headers=headers)
        assert same_form(hot) == same_form(plain)


def same_form(answer: Response) -> object:
    """An answer without what each request has of its own; those of May and June look the same."""
    text = TIME.sub("", answer.text.replace("2023-05", "2023-06").replace(answer.headers["x-request-id"], ""))
    headers = {name: value.replace("2023-05", "2023-06") for name, value in answer.headers.items()}
    assert int(headers.pop("content-length")) == len(answer.content)
    del headers["x-request-id"]
    return answer.status_code, text, headers


class TestRecords:
    def test_each_bears_its_own_request_and_client(self, api: Api, database: Database) -> None:
        number = last_change(database)
        sent = [("education", EDUCATION, day) for day in range(1, 13)] + [
            ("admin", "jiayu-county-government", day) for day in range(1, 13)
        ]

        def post(one: tuple[str, str, int]) -> Response:
            client, unit, day = one
            body = {"indicator": SHARE, "period": f"2023-03-{day:02}", "value": day, "unit": unit}
            headers = {"X-Request-ID": f"{client}-{day}"}
            return getattr(api, client).post("/api/v1/values", json=body, headers=headers)  # type: ignore[no-any-return]

        answers = at_once(post, *sent)
        assert [answer.status_code for answer in answers] == [201] * len(sent)
        with database.reading() as session:
            changes = session.execute(
                select(col(Change.code), col(Change.request_id), col(Client.code))
                .join(Client, col(Client.id) == col(Change.client_id))
                .where(col(Change.id) > number)
            ).all()
            kept = set(session.execute(select(col(Value.request_id))).scalars())
        assert {tuple(row) for row in changes} == {
            (answer.json()["code"], f"{client}-{day}", client)
            for answer, (client, _, day) in zip(answers, sent, strict=True)
        }
        assert kept == {f"{client}-{day}" for client, _, day in sent}


@contextmanager
def forbidden(database: Database, period: str) -> Iterator[None]:
    """A database that takes no change of a value of one period."""
    with database.writer.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(
                "CREATE TRIGGER poison BEFORE INSERT ON changes WHEN NEW.code LIKE "
                f"'%{period}' BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: poison'); END"
            )
        else:
            connection.exec_driver_sql(
                f"ALTER TABLE changes ADD CONSTRAINT poison CHECK (code NOT LIKE '%%{period}') NOT VALID"
            )
    yield


class TestPoison:
    def test_hurts_nobody_else(self, api: Api, database: Database) -> None:
        with forbidden(database, "2023-03-07"):
            days = [*range(1, 13)] * 2

            def post(day: int) -> int:
                body = {"indicator": SHARE, "period": f"2023-03-{day:02}", "value": day}
                return api.education.post("/api/v1/values", json=body).status_code

            answers = at_once(post, *days)
        found = {day: {status for status, one in zip(answers, days, strict=True) if one == day} for day in days}
        assert found.pop(7) == {409}
        assert all(statuses == {200, 201} for statuses in found.values())
        assert len(snapshot(database, "values")["values"]) == 11


class TestLocks:
    @on_postgresql
    def test_post_for_an_indicator_that_another_holds_keeps_nobody_waiting(self, api: Api, database: Database) -> None:
        def post(indicator: str, **fields: object) -> Response:
            body = {"indicator": indicator, "period": "2023-06", "value": 1, "unit": "嘉鱼县政府"} | fields
            return api.admin.post("/api/v1/values", json=body)

        with ThreadPoolExecutor(1) as threads:
            with database.writing() as session:
                session.execute(select(Indicator).where(col(Indicator.code) == SHARE).with_for_update())
                held = threads.submit(post, SHARE)
                others = [post(EACH_COUNTY, value=value).status_code for value in range(3)]
                assert others == [201, 200, 200]
                assert not held.done()
            assert held.result(30).status_code == 201
