"""What is stored of targets, and the answers that are joined from it, after any sequence of writes of every kind.

A walk at random, the same in every run: after each write, what is stored is what the tables say, and what is answered
from it is, byte for byte, what the services make of the tables.
"""

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel
from sqlmodel import Session, col

from app.assignments import hot as hot_assignments
from app.assignments.schemas import Assignment, AssignmentQuery
from app.assignments.service import list_assignments
from app.db import Database
from app.errors import NotFound, ServiceError
from app.paging import MOST_HOT
from app.routing import Hot
from app.spreadsheets import list_columns, render_csv
from app.tables import Assignment as AssignmentTable
from app.tables import Target as TargetTable
from app.tables import Unit
from app.targets import hot as hot_targets
from app.targets.schemas import Target, TargetQuery
from app.targets.service import get_target, list_targets
from tests.client import AppClient
from tests.conftest import Api
from tests.stored import ask_hot, assert_stored_rows_are_right
from tests.walking import ACTIONS, FIRST, GROUP, MIXED, SECOND, WORDS, Walk

STEPS = 60


class Asked:
    """A list, by its plain way, its hot path and over HTTP."""

    def __init__(self, path: str, query_of: Any, item: type[BaseModel], plain: Callable[..., Any], quick: Hot) -> None:
        self.path, self.query_of, self.item, self.plain, self.quick = path, query_of, item, plain, quick

    def from_tables(self, session: Session, query: dict[str, Any]) -> bytes | None:
        """The answer as the service makes it; None where it refuses."""
        try:
            page: BaseModel = self.plain(session, self.query_of.model_validate(query))
        except ServiceError:
            return None
        return page.model_dump_json().encode()

    def is_for_the_hot_path(self, query: dict[str, Any]) -> bool:
        if self.item is Target:
            words = query.get("q")
            return words is None or len(words.strip()) > 1
        others = {"plan", "role", "acknowledged", "updated_after"} & query.keys()
        return bool({"unit", "target"} & query.keys()) or not others


ASSIGNMENTS = Asked(
    "/api/v1/assignments", AssignmentQuery, Assignment, list_assignments, hot_assignments.list_assignments
)
TARGETS = Asked("/api/v1/targets", TargetQuery, Target, list_targets, hot_targets.list_targets)


class Asker:
    """Somebody who asks the same thing in every way."""

    def __init__(self, walk: Walk) -> None:
        self.walk, self.api, self.chance = walk, walk.api, walk.chance
        self.client: AppClient = self.api.reader
        self.hot_pages: Counter[str] = Counter()

    def about_assignments(self) -> dict[str, Any]:
        walk = self.walk
        code, name = walk.some(col(Unit.code), col(Unit.name))
        units = [code, name, "市教育局", "各县市区人民政府", GROUP, GROUP, "嘉鱼县政府", "别名1", "没有"]
        filters: dict[str, Any] = {
            "unit": self.chance.choice(units),
            "plan": self.chance.choice([FIRST, SECOND, "none"]),
            "role": self.chance.choice(["lead", "responsible", "supporting"]),
            "acknowledged": self.chance.choice(["true", "false"]),
            "target": walk.some(col(TargetTable.code))[0],
            "updated_after": self.some_time(),
        }
        names = self.chance.sample(list(filters), self.chance.choice([0, 1, 1, 2])) + ["unit"] * self.chance.randint(
            0, 1
        )
        return {name: filters[name] for name in names}

    def about_targets(self) -> dict[str, Any]:
        filters: dict[str, Any] = {"plan": self.chance.choice([FIRST, SECOND, "none"]), "q": self.some_words()}
        return dict(self.chance.sample(list(filters.items()), self.chance.randint(0, 2)))

    def some_words(self) -> str:
        """A few characters of a statement, or what would be found there only if it were a pattern."""
        if self.chance.random() < 0.2:
            return self.chance.choice(["10%_", "10_%", "学位_育", "教育%%"])
        text = self.chance.choice([self.walk.some(col(TargetTable.statement))[0], *WORDS[6:]])
        start = self.chance.randrange(len(text))
        return text[start : start + self.chance.randint(1, 4)].strip() or "教育"

    def some_time(self) -> str:
        (at,) = self.walk.some(col(AssignmentTable.updated_at))
        return at.isoformat().replace("+00:00", "Z")

    def ask(self, asked: Asked, filters: dict[str, Any]) -> None:
        """Each page of a list, however it is asked for."""
        query = filters | {"limit": self.chance.choice([1, 2, 7, 50, MOST_HOT])}
        with self.walk.database.reading() as session:
            for _ in range(3):
                expected = asked.from_tables(session, query)
                answer = self.client.get(asked.path, params=query)
                told = (asked.path, query, self.walk.told())
                quick = self.quickly(asked, query)
                if expected is None:
                    assert answer.status_code in (404, 422), told
                    assert quick is None, told
                    return
                assert answer.content == expected, told
                page = json.loads(expected)
                assert quick in (expected, None), told
                if page["items"] and asked.is_for_the_hot_path(query):
                    assert quick is not None, told
                    self.hot_pages[asked.path] += 1
                if page["next_cursor"] is None:
                    return
                query = filters | {"limit": self.chance.choice([1, 5, 50]), "cursor": page["next_cursor"]}

    def quickly(self, asked: Asked, query: dict[str, Any]) -> bytes | None:
        answer = ask_hot(self.api.app, asked.quick, query)
        return bytes(answer.body) if answer is not None else None

    def ask_otherwise(self, asked: Asked, filters: dict[str, Any]) -> None:
        """What is asked for as of now, and as CSV."""
        with self.walk.database.reading() as session:
            expected = asked.from_tables(session, filters | {"limit": 1000})
            if expected is None:
                return
            items = json.loads(expected)["items"]
        told = (asked.path, filters, self.walk.told())
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        answer = self.client.get(asked.path, params=filters | {"limit": 1000, "as_of": now})
        assert answer.json()["items"] == items, told
        for limit in ({}, {"limit": 20}):
            answer = self.client.get(asked.path, params=filters | limit, headers={"Accept": "text/csv"})
            rows = items[: limit.get("limit", 1000)]
            assert answer.content == render_csv(list_columns(asked.item), rows), told

    def ask_for_one(self, code: str) -> None:
        path, told = f"/api/v1/targets/{code}", (code, self.walk.told())
        quick = ask_hot(self.api.app, hot_targets.get_target, target=code)
        with self.walk.database.reading() as session:
            try:
                expected = get_target(session, code).model_dump_json().encode()
            except NotFound:
                assert quick is None, told
                assert self.client.get(path).status_code == 404, told
                return
        assert quick is not None, told
        assert quick.body == expected, told
        answer = self.client.get(path)
        assert answer.content == expected, told
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        assert self.client.get(path, params={"as_of": now}).content == expected, told
        assert self.client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("seed", [1])
def test_answers_equal_the_tables_after_every_write(api: Api, database: Database, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same walk in every run
    walk = Walk(api, database, chance)
    asker = Asker(walk)
    walk.step("import_short")
    assert walk.patch(f"/indicators/{MIXED}.1", {"each_member": True}).status_code == 200
    for number in range(STEPS):
        walk.step(ACTIONS[number] if number < len(ACTIONS) else chance.choice(ACTIONS))
        assert_stored_rows_are_right(database, walk.told())
        for _ in range(2):
            asker.ask(ASSIGNMENTS, asker.about_assignments())
            asker.ask(TARGETS, asker.about_targets())
        asker.ask_for_one(walk.some(col(TargetTable.code))[0])
        if number % 2:
            asker.ask_otherwise(ASSIGNMENTS, asker.about_assignments())
        else:
            asker.ask_otherwise(TARGETS, asker.about_targets())
    written = {action for action, _, status in walk.done if status in (200, 201)}
    assert written == set(ACTIONS), set(ACTIONS) - written
    assert min(asker.hot_pages.values()) > STEPS / 2
