"""Documents under writers at the same time: each order that matters is forced, and then all write what they like.

On PostgreSQL, where writers of different rows do not wait for each other; SQLite has one writer at a time.
"""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import make_url
from sqlmodel import Session

from app.auth import Caller
from app.db import Database, touched_by
from app.imports.schemas import ImportQuery
from app.imports.service import import_document, read_plan
from app.indicators.schemas import GoalCreate
from app.indicators.service import revise_goal
from app.messages import Language
from app.targets.schemas import TargetUpdate
from app.targets.service import update_target
from app.touched import keep_documents
from app.units.schemas import UnitUpdate
from app.units.service import update_unit
from app.values.recording import record_value
from app.values.schemas import ValueCreate
from tests.conftest import MERGE_PATCH, Api
from tests.importing import PLAN, TEXT, corrected
from tests.stored import assert_stored_rows_are_right
from tests.test_concurrency import at_once

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])

TARGET = "xianning-2023.66"  # of two indicators
ONE, OTHER = f"{TARGET}.1", f"{TARGET}.2"
UNIT, UNPRINTED = "xianning-science-and-technology-bureau", "xianning-education-bureau"
WHY = {"reason": "调整", "document_number": "1号"}
ADMIN = Caller.command_line()
NAME = "新的名称"
Write = Callable[[Session], object]


def renames(unit: str, name: str) -> Write:
    return lambda session: update_unit(session, ADMIN, unit, UnitUpdate(name=name), None)


def prints(target: str, *units: str) -> Write:
    body = TargetUpdate.model_validate({"units": [{"unit": unit, "role": "lead"} for unit in units]})
    return lambda session: update_target(session, ADMIN, target, body, None)


def revises(indicator: str, goal: int) -> Write:
    body = GoalCreate.model_validate(WHY | {"goal": goal})
    return lambda session: revise_goal(session, ADMIN, indicator, body)


def imports(document: str, plan: str = "xianning-2023") -> Write:
    read, query = read_plan(document.encode()), ImportQuery(plan=plan)
    return lambda session: import_document(session, ADMIN, read, query, Language.zh)


def only_done(session: Session) -> None:
    """Nothing is committed, and no document is written yet."""
    session.flush()


def documents_written(session: Session) -> None:
    """Nothing is committed, but all is written."""
    session.flush()
    keep_documents(session, touched_by(session))


@pytest.fixture(autouse=True)
def patient_with_deadlocks(database: Database) -> None:
    """A deadlock is found so late that no test here could take one for a short wait."""
    name = make_url(database.url).database
    with database.writer.begin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE \"{name}\" SET deadlock_timeout = '25s'")
    database.writer.dispose()


@contextmanager
def behind(
    database: Database, first: Write, until: Write, second: Callable[[], Response], *, waits: bool
) -> Iterator[Response]:
    """The answer to a request that comes while another write is under way, and whether it has to wait for that."""
    with ThreadPoolExecutor(1) as pool:
        with database.writing() as session:
            first(session)
            until(session)
            answer: Future[Response] = pool.submit(second)
            if waits:
                with pytest.raises(TimeoutError):
                    answer.result(timeout=0.3)
            else:
                answer.result(timeout=10)
        yield answer.result(timeout=10)


def patched(api: Api, path: str, body: Any) -> Callable[[], Response]:
    return lambda: api.admin.patch(f"/api/v1{path}", json=body, headers=MERGE_PATCH)


def posted(api: Api, path: str, body: Any) -> Callable[[], Response]:
    return lambda: api.admin.post(f"/api/v1{path}", json=body)


def figure(indicator: str, value: float, unit: str = UNIT) -> dict[str, Any]:
    return {"indicator": indicator, "unit": unit, "period": "2023-06", "value": value}


def shown(api: Api) -> Any:
    return api.reader.get(f"/api/v1/targets/{TARGET}").json()


def latest(api: Api) -> list[float | None]:
    found = [indicator["latest"] for indicator in shown(api)["indicators"]]
    return [one["value"] if one is not None else None for one in found]


def records(api: Api, indicator: str, value: float) -> Write:
    """A value posted as an office posts it."""
    body = ValueCreate.model_validate(figure(indicator, value))
    client = Caller(client_id_of(api), "admin", ADMIN.scopes, "0" * 32)
    return lambda session: record_value(session, client, body)


def client_id_of(api: Api) -> int:
    with api.app.state.database.reading() as session:
        return int(session.connection().exec_driver_sql("SELECT id FROM clients WHERE code = 'admin'").scalar_one())


class TestValuesOfOneTarget:
    def test_two_indicators_while_the_first_document_is_not_yet_written(self, api: Api, database: Database) -> None:
        second = posted(api, "/values", figure(OTHER, 2))
        with behind(database, records(api, ONE, 1), only_done, second, waits=False) as answer:
            assert answer.status_code == 201
        assert latest(api) == [1, 2]
        assert_stored_rows_are_right(database)

    @pytest.mark.parametrize("path", ["/values", "/values/batch"])
    def test_two_indicators_while_the_first_document_is_written(self, api: Api, database: Database, path: str) -> None:
        body = figure(OTHER, 2)
        second = posted(api, path, body if path == "/values" else [body])
        with behind(database, records(api, ONE, 1), documents_written, second, waits=True) as answer:
            assert answer.is_success
        assert latest(api) == [1, 2]
        assert_stored_rows_are_right(database)

    @pytest.mark.parametrize("until", [only_done, documents_written])
    def test_value_beside_a_revised_goal(self, api: Api, database: Database, until: Write) -> None:
        second, waits = posted(api, "/values", figure(OTHER, 2)), until is documents_written
        with behind(database, revises(ONE, 77), until, second, waits=waits) as answer:
            assert answer.status_code == 201
        assert latest(api) == [None, 2]
        assert shown(api)["indicators"][0]["goal"] == 77
        assert_stored_rows_are_right(database)

    @pytest.mark.parametrize("until", [only_done, documents_written])
    def test_value_behind_an_import(self, api: Api, database: Database, until: Write) -> None:
        second = posted(api, "/values", figure("xianning-2023.58.1", 46.8, "xianning-education-bureau"))
        changed = imports(corrected(("占比超过46%", "占比超过47%")))
        with behind(database, changed, until, second, waits=True) as answer:
            assert answer.status_code == 201
        assert_stored_rows_are_right(database)


class TestValuesOfManyTargets:
    def test_take_the_documents_in_one_order_however_many_there_are(
        self, api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else two who write many wait for each other in a ring: indicators stand in another order than targets."""
        monkeypatch.setattr("app.targets.documents._MOST_AT_ONCE", 1)
        early, late = "xianning-2023.58", TARGET
        body = {"target": early, "name": "后来加的", "measure": "家", "comparator": "ge", "goal": 1, "kind": "level"}
        added = api.admin.post("/api/v1/indicators", json=body)
        assert added.status_code == 201
        lead = api.reader.get(f"/api/v1/targets/{early}").json()["units"][0]["code"]
        rows = [figure(ONE, 1), figure(added.json()["code"], 2, lead)]
        with ThreadPoolExecutor(1) as pool, database.writing() as holding:
            lock(holding, early)
            answer = pool.submit(posted(api, "/values/batch", rows))
            with pytest.raises(TimeoutError):
                answer.result(timeout=0.5)
            with database.writing() as other:
                lock(other, late)  # which the one that waits has not taken
            holding.rollback()
            assert answer.result(timeout=10).is_success
        assert_stored_rows_are_right(database)


def lock(session: Session, target: str) -> None:
    """Lock a target's document, without waiting for it."""
    query = "SELECT 1 FROM target_documents WHERE code = %s FOR NO KEY UPDATE NOWAIT"
    session.connection().exec_driver_sql(query, (target,))


class TestUnitsThatAreRenamed:
    @pytest.mark.parametrize("until", [only_done, documents_written])
    def test_while_it_is_renamed_it_is_printed(self, api: Api, database: Database, until: Write) -> None:
        """Who renames it cannot see for which targets it is being printed."""
        body = {"units": [{"unit": UNPRINTED, "role": "lead"}]}
        with behind(database, renames(UNPRINTED, NAME), until, patched(api, f"/targets/{TARGET}", body), waits=True):
            pass
        assert shown(api)["units"][0]["name"] == NAME
        assert_stored_rows_are_right(database)

    @pytest.mark.parametrize("until", [only_done, documents_written])
    def test_while_it_is_printed_it_is_renamed(self, api: Api, database: Database, until: Write) -> None:
        second, waits = patched(api, f"/units/{UNPRINTED}", {"name": NAME}), until is documents_written
        with behind(database, prints(TARGET, UNPRINTED), until, second, waits=waits) as answer:
            assert answer.status_code == 200
        assert shown(api)["units"][0]["name"] == NAME
        assert_stored_rows_are_right(database)

    @pytest.mark.parametrize("until", [only_done, documents_written])
    def test_while_a_new_target_prints_it(self, api: Api, database: Database, until: Write) -> None:
        document = "2024年某市重点工作责任分解方案\n1.修路30公里。(牵头单位:市教育局)\n"
        second, waits = patched(api, f"/units/{UNPRINTED}", {"name": NAME}), until is documents_written
        with behind(database, imports(document, "new-2024"), until, second, waits=waits) as answer:
            assert answer.status_code == 200
        new = api.reader.get("/api/v1/targets/new-2024.1").json()
        assert new["units"][0]["name"] == NAME
        assert_stored_rows_are_right(database)

    def test_and_its_target_is_patched_and_neither_waits_for_the_other_in_a_ring(
        self, api: Api, database: Database
    ) -> None:
        """Both must write the document of a target that prints the unit already."""
        body = {"statement": "另一句话"}
        second = patched(api, f"/targets/{TARGET}", body)
        with behind(database, renames(UNIT, NAME), only_done, second, waits=False) as answer:
            assert answer.status_code == 200
        assert (shown(api)["units"][0]["name"], shown(api)["statement"]) == (NAME, "另一句话")
        assert_stored_rows_are_right(database)

    def test_and_printed_once_more_and_neither_waits_for_the_other_in_a_ring(
        self, api: Api, database: Database
    ) -> None:
        units = [{"unit": UNIT, "role": "supporting"}, {"unit": UNIT, "role": "lead"}]
        second = patched(api, f"/targets/{TARGET}", {"units": units})
        with behind(database, renames(UNIT, NAME), only_done, second, waits=True) as answer:
            assert answer.status_code == 200
        assert [unit["name"] for unit in shown(api)["units"]] == [NAME, NAME]
        assert_stored_rows_are_right(database)

    def test_two_of_one_target_at_once(self, api: Api, database: Database) -> None:
        assert patched(api, f"/targets/{TARGET}", {"units": printed(UNIT, UNPRINTED)})().status_code == 200
        together = Barrier(2)

        def rename(unit: str) -> None:
            with database.writing() as session:
                renames(unit, f"新{unit}")(session)
                session.flush()
                together.wait(10)

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(rename, unit) for unit in (UNIT, UNPRINTED)]:
                done.result(timeout=10)
        assert [unit["name"] for unit in shown(api)["units"]] == [f"新{UNIT}", f"新{UNPRINTED}"]
        assert_stored_rows_are_right(database)


def printed(*units: str) -> list[dict[str, str]]:
    return [{"unit": unit, "role": "lead"} for unit in units]


class TestAllAtOnce:
    ROUNDS = 8

    def test_documents_equal_the_tables_in_the_end(self, api: Api, database: Database) -> None:
        """Ten threads, each of one kind of write, all about the same few targets."""
        units = [UNIT, UNPRINTED, "xianning-finance-bureau", "xianning-county-governments"]
        indicators = [ONE, OTHER, "xianning-2023.58.1", "xianning-2023.67.1", "xianning-2023.67.2"]

        def work(thread: int) -> list[int]:
            chance = random.Random(thread)  # noqa: S311 - the same writes in every run
            return [write(thread, chance).status_code for _ in range(self.ROUNDS)]

        def write(thread: int, chance: random.Random) -> Response:
            indicator, word = chance.choice(indicators), f"{thread}{chance.randint(0, 999)}"
            rows = [figure(one, chance.randint(0, 999)) for one in indicators]
            kinds: list[Callable[[], Response]] = [
                posted(api, "/values", figure(indicator, chance.randint(0, 999))),
                posted(api, "/values", figure(indicator, chance.randint(0, 999))),
                patched(api, f"/units/{chance.choice(units)}", {"name": f"单位{word}"}),
                patched(api, f"/units/{chance.choice(units)}", {"name": f"单位{word}"}),
                patched(api, f"/targets/{TARGET}", {"units": printed(*chance.sample(units, 3))}),
                patched(api, "/targets/xianning-2023.67", {"statement": word}),
                posted(api, f"/indicators/{indicator}/goals", WHY | {"goal": int(word)}),
                posted(api, "/values/batch?on_error=skip", rows),
                lambda: api.admin.post(
                    "/api/v1/imports?plan=xianning-2023",
                    content=PLAN.replace("超过46%", f"超过{chance.randint(40, 60)}%").encode(),
                    headers=TEXT,
                ),
                patched(api, "/plans/xianning-2023", {"approval_required": chance.random() < 0.5}),
            ]
            return kinds[thread % len(kinds)]()

        told = {status for statuses in at_once(work) for status in statuses}
        assert told <= {200, 201, 403, 409, 422}, told
        assert {200, 201} <= told
        assert_stored_rows_are_right(database)
