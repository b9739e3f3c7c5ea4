"""What the histories hold: one state for each committed change, and never two at one time."""

import ast
import importlib
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import func, inspect, select
from sqlmodel import Session, col

from app.db import Database, moment
from app.history import FOREVER, VERSIONED
from app.migrating import migrate
from app.tables import Target, Unit
from tests.asking import listed
from tests.conftest import MERGE_PATCH, Api
from tests.importing import corrected, post
from tests.test_house import SOURCES

TARGET = "xianning-2023.58"


def counted(database: Database) -> dict[str, int]:
    """How many states each history holds."""
    with database.reading() as session:
        return {
            history.name: session.execute(select(func.count()).select_from(history)).scalar_one()
            for history in VERSIONED.values()
        }


def grown(database: Database, before: dict[str, int]) -> dict[str, int]:
    """By how many states histories have grown."""
    return {name: count - before[name] for name, count in counted(database).items() if count != before[name]}


def assert_whole(database: Database) -> None:
    """States of one row follow each other without overlapping, and those in force are the rows of the table."""
    with database.reading() as session:
        for model, history in VERSIONED.items():
            table = inspect(model).local_table
            key = [column.name for column in table.primary_key]
            states: dict[Any, list[tuple[datetime, datetime]]] = defaultdict(list)
            for row in session.execute(history.select().order_by(history.c.from_at)):
                states[tuple(row._mapping[name] for name in key)].append((row.from_at, row.until_at))
            for found in states.values():
                assert all(from_at < until_at for from_at, until_at in found)
                assert all(one[1] <= other[0] for one, other in pairwise(found))
            columns = [history.c[column.name] for column in table.columns]
            in_force = session.execute(select(*columns).where(history.c.until_at == FOREVER)).all()
            assert sorted(map(repr, in_force)) == sorted(map(repr, session.execute(table.select()).all())), table.name


def reword(session: Session, words: str) -> None:
    target = session.execute(select(Target).where(col(Target.code) == TARGET).with_for_update()).scalar_one()
    target.statement = words
    session.flush()


class TestKept:
    def test_of_the_seeded_database_is_whole(self, database: Database) -> None:
        assert_whole(database)
        assert all(counted(database).values())

    def test_one_state_for_each_change_however_often_it_is_flushed(self, database: Database) -> None:
        before = counted(database)
        with database.writing() as session:
            for words in ("一", "二", "三"):
                reword(session, words)
        assert grown(database, before) == {"targets_history": 1}
        assert_whole(database)

    def test_writing_the_same_leaves_none(self, api: Api, database: Database) -> None:
        before = counted(database)
        target = api.admin.get(f"/api/v1/targets/{TARGET}").json()
        units = [{"unit": one["code"], "role": one["role"]} for one in target["units"]]
        body = {"statement": target["statement"], "units": units}
        response = api.admin.patch(f"/api/v1/targets/{TARGET}", json=body, headers=MERGE_PATCH)
        assert response.status_code == 200
        assert grown(database, before) == {}

    def test_what_is_undone_leaves_none(self, api: Api, database: Database) -> None:
        before = counted(database)
        with database.new_session(writing=True) as session:
            reword(session, "一")
        document = corrected(("公办幼儿园在园幼儿占比超过46%", "公办幼儿园在园幼儿占比超过49%"))
        assert post(api, document, dry_run=True).status_code == 200
        assert post(api, document, plan="another", dry_run=True).status_code == 200
        assert grown(database, before) == {}
        assert_whole(database)

    def test_savepoint_that_is_undone_leaves_what_was_before_it(self, database: Database) -> None:
        with database.writing() as session:
            reword(session, "一")
            savepoint = session.begin_nested()
            reword(session, "二")
            savepoint.rollback()
            reword(session, "三")
        assert_whole(database)

    def test_join_rows_that_go_and_come_back(self, api: Api, database: Database) -> None:
        for aliases in (["一", "二"], ["二"], ["二", "一"], [], ["一"]):
            body = {"aliases": aliases}
            path = "/api/v1/units/xianning-education-bureau"
            assert api.admin.patch(path, json=body, headers=MERGE_PATCH).status_code == 200
            assert_whole(database)

    def test_clock_that_was_set_back(self, database: Database) -> None:
        for words, hours in (("一", 2), ("二", 1), ("三", 0)):
            with database.writing() as session:
                at = datetime.now(UTC) + timedelta(hours=hours)
                session.info["moment"] = (session.get_transaction(), at)
                reword(session, words)
                reword(session, words * 2)
        assert_whole(database)

    @pytest.mark.parametrize("engine", ["postgresql"])
    def test_two_writers_whose_instants_are_the_wrong_way_round(self, database: Database) -> None:
        with database.writing() as slow:
            moment(slow)
            with database.writing() as fast:
                reword(fast, "一")
            reword(slow, "二")
        assert_whole(database)


class TestMoment:
    def test_is_one_for_a_transaction_and_another_for_the_next(self, database: Database) -> None:
        with database.new_session(writing=True) as session:
            with session.begin():
                first = moment(session)
                savepoint = session.begin_nested()
                assert moment(session) == first
                savepoint.rollback()
                assert moment(session) == first
            with session.begin():
                assert moment(session) > first


class TestHouse:
    def test_nothing_is_written_past_the_session(self) -> None:
        """An `INSERT`, `UPDATE` or `DELETE` of SQLAlchemy's own leaves no history; nor does `only_writer` need any."""
        past = []
        for path, tree in SOURCES.items():
            module = importlib.import_module(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Name):
                    verb = ast.unparse(node.func).rpartition(".")[2]
                    if verb in ("insert", "update", "delete") and getattr(module, node.args[0].id, None) in VERSIONED:
                        past.append(f"{path}:{node.lineno}")
        assert past == []


class TestMigration:
    def test_what_was_there_before_begins_when_it_was_last_written(self, api: Api, database: Database) -> None:
        paths = ("/plans", "/targets", "/units", "/assignments", "/indicators")
        before = {path: listed_all(api, path) for path in paths}
        migrate(database, "0002")
        migrate(database)
        assert_whole(database)
        with database.reading() as session:
            newest = max(session.execute(select(func.max(one.updated_at))).scalar_one() for one in (Target, Unit))
        for path in paths:
            assert listed_all(api, path, as_of=newest.isoformat()) == before[path]
            earlier = newest.replace(year=newest.year - 1).isoformat()
            assert listed_all(api, path, as_of=earlier) == []


def listed_all(api: Api, path: str, **filters: Any) -> list[Any]:
    return listed(api.reader, path, **filters)
