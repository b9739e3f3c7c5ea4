"""Writes of every kind, at random, through the API: what a test of documents does before it looks at them."""

import random
from typing import Any

from httpx2 import Response
from sqlalchemy import select
from sqlmodel import col

from app.db import Database
from app.tables import Assignment, Indicator, Target, TargetUnit, Unit, Value
from tests.conftest import MERGE_PATCH, Api
from tests.importing import PLAN, TEXT, corrected, short_plan

FIRST, SECOND = "xianning-2023", "demo-2024"
MIXED = f"{FIRST}.66"  # has indicators of both kinds: those that each unit must reach, and others
GROUP = "xianning-county-governments"
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
        code = self.some(col(Target.code))[0]
        day = self.chance.choice(["2023-11-30", "2024-02-29", None])
        roles = ["lead", "responsible", "supporting"]
        units = [{"unit": self.unit(), "role": self.chance.choice(roles)} for _ in range(self.chance.randint(0, 3))]
        if self.chance.random() < 0.5:
            units.append({"unit": GROUP, "role": "responsible"})
        body = {"statement": self.words(), "due_on": day, "units": units}
        return self.patch(f"/targets/{code}", dict(self.chance.sample(list(body.items()), self.chance.randint(1, 3))))

    def reorder_units(self) -> Response:
        codes = self.rows(col(Target.code))
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
            "target": self.chance.choice([MIXED, self.some(col(Target.code))[0]]),
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
            for of, unit in sorted(self.rows(col(Assignment.target_id), col(Assignment.unit_id)))
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
            select(col(Target.code), col(Unit.code), col(Assignment.role))
            .join(Assignment, col(Assignment.target_id) == col(Target.id))
            .join(Unit, col(Unit.id) == col(Assignment.unit_id))
            .where(col(Assignment.removed_at).is_(None))
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
