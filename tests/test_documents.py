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
from httpx2 import Response
from pydantic import BaseModel
from sqlalchemy import select
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
from app.tables import Indicator, TargetUnit, Unit, Value
from app.tables import Target as TargetTable
from app.targets import hot as hot_targets
from app.targets.schemas import Target, TargetQuery
from app.targets.service import get_target, list_targets
from tests.client import AppClient
from tests.conftest import MERGE_PATCH, Api
from tests.importing import PLAN, TEXT, corrected, short_plan
from tests.stored import ask_hot, assert_stored_rows_are_right

FIRST, SECOND = "xianning-2023", "demo-2024"
MIXED = f"{FIRST}.66"  # has indicators of both kinds: those that each unit must reach, and others
GROUP = "xianning-county-governments"
STEPS = 60
# words that look like the JSON around them, like patterns, and those that are hard to write
WORDS = [
    *('","label":"x', '"indicators":[{"code":"demo-2024.1.1","latest":null}]', '"latest":{"period":"2023"}', "}]}"),
    *(
        "100%_\\",
        "a\\",
        "%",
        "__",
        "\\\\u0000",
        "a\tb\nc",
        "\u2028\ufeff",
        "𠮷野家𠮷",
        "教育",
        "学位教育局",
        "ＡＢ㎡ ß",
        "'; --",
    ),
]
FIGURES = [0, -0.5, 0.1, 46.8, 12.345678, 0.000001, 999999999999.999, -999999999999.999, 3, 100]
ITEMS = [
    "新增义务教育学位2000个。(牵头单位:市教育局;配合单位:各县市区人民政府)",
    "每个县市区至少建设1个示范点,覆盖率超过46%。(责任单位:各县市区人民政府)",
    "设立基金10亿元。(牵头单位:市科技局)",
    "修路30公里,绿化率达17.5%。(责任单位:市财政局、市教育局)",
    "办好教育的事。(责任单位:嘉鱼县人民政府)",
    "净增企业50家。(牵头单位:市科技局;责任单位:各县市区人民政府)",
]
HEADINGS = ["一、发展产业", "二、改善民生", "三、教育优先"]
REASON = {"reason": "核实"}


class Walk:
    """Somebody who writes what they like, as an administrator."""

    def __init__(self, api: Api, database: Database, chance: random.Random) -> None:
        self.api, self.database, self.chance = api, database, chance
        self.done: list[tuple[str, Any, int]] = []

    def step(self, action: str) -> None:
        answer = getattr(self, action)()
        status = answer.status_code if answer is not None else 0
        self.done.append((action, answer.request.url if answer is not None else None, status))
        assert status < 500, self.told()

    def told(self) -> Any:
        """The last things that were done, for who looks at a failure."""
        return self.done[-5:]

    def rows(self, *columns: Any) -> list[Any]:
        with self.database.reading() as session:
            return list(session.execute(select(*columns)).all())

    def some(self, *columns: Any) -> Any:
        """One row of a table."""
        rows = sorted(self.rows(*columns))
        return self.chance.choice(rows) if rows else None

    def patch(self, path: str, body: dict[str, Any]) -> Response:
        return self.api.admin.patch(f"/api/v1{path}", json=body, headers=MERGE_PATCH)

    def post(self, path: str, body: Any, **query: Any) -> Response:
        return self.api.admin.post(f"/api/v1{path}", json=body, params=query)

    def words(self) -> str:
        return "".join(self.chance.choices(WORDS, k=self.chance.randint(1, 3)))

    def unit(self) -> str:
        return str(self.some(col(Unit.code))[0])

    def patch_target(self) -> Response:
        code = self.some(col(TargetTable.code))[0]
        day = self.chance.choice(["2023-11-30", "2024-02-29", None])
        roles = ["lead", "responsible", "supporting"]
        units = [{"unit": self.unit(), "role": self.chance.choice(roles)} for _ in range(self.chance.randint(0, 3))]
        if self.chance.random() < 0.5:
            units.append({"unit": GROUP, "role": "responsible"})
        body = {"statement": self.words(), "due_on": day, "units": units}
        return self.patch(f"/targets/{code}", dict(self.chance.sample(list(body.items()), self.chance.randint(1, 3))))

    def reorder_units(self) -> Response:
        codes = self.rows(col(TargetTable.code))
        code = self.chance.choice([code for (code,) in codes])
        shown = self.api.admin.get(f"/api/v1/targets/{code}").json()
        units = [{"unit": unit["code"], "role": unit["role"]} for unit in shown.get("units", [])]
        self.chance.shuffle(units)
        return self.patch(f"/targets/{code}", {"units": units})

    def rename_unit(self) -> Response:
        printed = col(Unit.id).in_(select(col(TargetUnit.unit_id)))
        with self.database.reading() as session:
            codes = sorted(session.execute(select(col(Unit.code)).where(printed)).scalars())
        return self.patch(f"/units/{self.chance.choice(codes)}", {"name": f"{self.words()}{self.chance.randint(0, 9)}"})

    def other_aliases(self) -> Response:
        aliases = [f"别名{number}" for number in self.chance.sample(range(9), self.chance.randint(0, 3))]
        return self.patch(f"/units/{self.unit()}", {"aliases": aliases})

    def add_unit(self) -> Response:
        number = len(self.rows(col(Unit.id)))
        kind = self.chance.choice(["department", "group", "company"])
        members = [self.unit(), self.unit()] if kind == "group" else []
        body = {"code": f"unit-{number}", "name": f"{self.words()}{number}", "kind": kind, "members": members}
        return self.post("/units", body)

    def other_members(self) -> Response:
        kinds = sorted(self.rows(col(Unit.code), col(Unit.kind)))
        group = self.chance.choice([code for code, kind in kinds if kind == "group"])
        members = self.chance.sample([code for code, kind in kinds if kind != "group"], self.chance.randint(0, 5))
        return self.patch(f"/units/{group}", {"members": members})

    def add_indicator(self) -> Response:
        body = {
            "target": self.chance.choice([MIXED, self.some(col(TargetTable.code))[0]]),
            "name": self.words(),
            "measure": self.chance.choice(["%", "个", '"']),
            "comparator": "ge",
            "kind": "level",
            "goal": self.chance.choice(FIGURES),
            "each_member": self.chance.random() < 0.5,
        }
        return self.post("/indicators", body)

    def patch_indicator(self) -> Response:
        body = {"each_member": self.chance.random() < 0.5, "name": self.words(), "measure": "家"}
        fields = dict(self.chance.sample(list(body.items()), self.chance.randint(1, 3)))
        return self.patch(f"/indicators/{self.some(col(Indicator.code))[0]}", fields)

    def revise_goal(self) -> Response:
        goal = self.chance.choice(FIGURES)
        body: dict[str, Any] = {"goal": goal, "reason": self.words(), "document_number": "12号", "comparator": "le"}
        if self.chance.random() < 0.5:
            body |= {"comparator": "range", "goal_to": 999999999999.999}
        return self.post(f"/indicators/{self.some(col(Indicator.code))[0]}/goals", body)

    def figure(self) -> dict[str, Any]:
        """A figure for an indicator, mostly of a unit that answers for it."""
        indicators = sorted(self.rows(col(Indicator.code), col(Indicator.target_id)))
        of_both_kinds = [row for row in indicators if row[0].startswith(MIXED)]
        indicator, target = self.chance.choice(self.chance.choice([indicators, of_both_kinds]))
        units = dict(self.rows(col(Unit.id), col(Unit.code)))
        mine = [
            units[unit]
            for of, unit in sorted(self.rows(col(AssignmentTable.target_id), col(AssignmentTable.unit_id)))
            if of == target
        ]
        period = self.chance.choice(["05", "06", "Q2", "H1", "06-30"])
        return {
            "indicator": indicator,
            "unit": self.chance.choice(mine) if mine else self.unit(),
            "period": f"{'2023' if indicator.startswith(FIRST) else '2024'}-{period}",
            "value": self.chance.choice(FIGURES),
        }

    def post_value(self) -> Response:
        return self.post("/values", self.figure())

    def post_batch(self) -> Response:
        rows = [self.figure() for _ in range(self.chance.randint(1, 12))]
        if self.chance.random() < 0.3:
            rows.append(self.figure() | {"indicator": "demo-2024.999.1"})
        how = self.chance.choice([{"on_error": "skip"}, {"on_error": "skip"}, {"dry_run": "true"}, {}])
        return self.post("/values/batch", rows, **how)

    def values(self) -> list[str]:
        """The codes of all values."""
        statement = select(col(Indicator.code), col(Unit.code), col(Value.period)).join(
            Value, col(Value.indicator_id) == col(Indicator.id)
        )
        with self.database.reading() as session:
            rows = session.execute(statement.join(Unit, col(Unit.id) == col(Value.unit_id))).all()
        return sorted(":".join(row) for row in rows)

    def review(self) -> Response | None:
        codes = self.values()
        if not codes:
            return None
        verb = self.chance.choice(["approval", "return", "withdrawal"])
        return self.post(f"/values/{self.chance.choice(codes)}/{verb}", {} if verb == "approval" else REASON)

    def approve_many(self) -> Response:
        codes = self.values() or ["demo-2024.1.1:nobody:2024"]
        values = [{"code": code} for code in self.chance.sample(codes, min(5, len(codes)))]
        return self.post("/values/approvals", {"values": values}, on_error="skip")

    def patch_plan(self) -> Response:
        plan = self.chance.choice([FIRST, SECOND])
        return self.patch(f"/plans/{plan}", {"approval_required": self.chance.random() < 0.5})

    def import_short(self) -> Response:
        """Some items, in another order, under other headings, perhaps in other words; those left out are removed."""
        lines: list[str] = []
        numbers = self.chance.sample(range(1, 7), self.chance.randint(1, 6))
        for place, number in enumerate(numbers):
            if place % 2 == 0 and self.chance.random() < 0.7:
                lines.append(self.chance.choice(HEADINGS))
            item = ITEMS[number - 1]
            if self.chance.random() < 0.3:
                item = item.replace("。(", f",{self.chance.choice(['办好', '建强', '100%_'])}。(")
            lines.append(f"{number}.{item}")
        return self.imported(short_plan(*lines), SECOND)

    def import_shipped(self) -> Response:
        corrections = [("超过46%", "超过47%"), ("55%", "56%")]
        chosen = [one for one in corrections if PLAN.count(one[0]) == 1 and self.chance.random() < 0.5]
        return self.imported(corrected(*chosen), FIRST)

    def imported(self, document: str, plan: str) -> Response:
        dry_run = self.chance.random() < 0.2
        query = {"plan": plan, "dry_run": str(dry_run).lower()}
        return self.api.admin.post("/api/v1/imports", params=query, content=document.encode(), headers=TEXT)

    def acknowledge(self) -> Response:
        statement = (
            select(col(TargetTable.code), col(Unit.code), col(AssignmentTable.role))
            .join(AssignmentTable, col(AssignmentTable.target_id) == col(TargetTable.id))
            .join(Unit, col(Unit.id) == col(AssignmentTable.unit_id))
            .where(col(AssignmentTable.removed_at).is_(None))
        )
        with self.database.reading() as session:
            rows = sorted(session.execute(statement).all())
        return self.post(f"/assignments/{':'.join(self.chance.choice(rows))}/acknowledgement", None)


ACTIONS = [
    *("patch_target", "patch_target", "reorder_units", "rename_unit", "rename_unit", "other_aliases", "add_unit"),
    *("other_members", "add_indicator", "patch_indicator", "revise_goal", "post_value", "post_value", "post_value"),
    *("post_batch", "post_batch", "review", "review", "approve_many", "patch_plan", "import_short", "import_short"),
    *("import_shipped", "acknowledge"),
]


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
        return True


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
        """A few characters of a statement or of what is looked for."""
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
