"""Imports while others write: one after the other, whichever comes first, and never a mixture of both."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from httpx2 import Response
from sqlmodel import Session

from app.auth import Caller
from app.db import Database
from app.indicators.schemas import GoalCreate
from app.indicators.service import revise_goal
from app.targets.schemas import TargetUpdate
from app.targets.service import update_target
from tests.conftest import Api
from tests.importing import PLAN, corrected, get, post, what_changes
from tests.test_concurrency import at_once

TARGET, INDICATOR = "xianning-2023.57", "xianning-2023.58.1"
UNITS = ("配置。(牵头单位:市教育局;责任单位:各县市区人民政府)", "配置。(牵头单位:市教育局;责任单位:市财政局)")
CALLER = Caller.command_line()


def last_word(api: Api) -> tuple[list[str], list[str]]:
    """The units printed for the target and those assigned to it."""
    named = [f"{unit['name']}:{unit['role']}" for unit in get(api, f"/targets/{TARGET}")["units"]]
    items = get(api, f"/assignments?target={TARGET}")["items"]
    return named, sorted(f"{item['unit']['name']}:{item['role']}" for item in items)


@contextmanager
def waiting_behind(
    database: Database, first: Callable[[Session], object], document: str, api: Api
) -> Iterator[Response]:
    """The answer for a document that is sent while another write is not yet committed."""
    with ThreadPoolExecutor(1) as pool:
        with database.writing() as session:
            first(session)
            answer: Future[Response] = pool.submit(post, api, document)
            with pytest.raises(TimeoutError):
                answer.result(timeout=0.4)
        yield answer.result(timeout=20)


class TestImportAtOnce:
    def test_same_new_plan_is_imported_once(self, api: Api) -> None:
        answers = at_once(lambda _: post(api, PLAN, "new-plan"))
        assert sorted(answer.status_code for answer in answers) == [200] * (len(answers) - 1) + [201]
        assert {answer.json()["code"] for answer in answers} == {"new-plan.import-1"}
        assert get(api, "/targets?plan=new-plan&limit=100")["next_cursor"] is None
        assert len(get(api, "/targets?plan=new-plan&limit=100")["items"]) == 25

    def test_document_that_comes_behind_a_changed_unit_list_writes_its_own_whole(
        self, api: Api, database: Database
    ) -> None:
        body = TargetUpdate.model_validate({"units": [{"unit": "市科技局", "role": "lead"}]})
        with waiting_behind(
            database, lambda session: update_target(session, CALLER, TARGET, body, None), corrected(UNITS), api
        ) as answer:
            assert what_changes(answer.json()) == (0, 1, 0, 24)
        assert last_word(api) == (["咸宁市教育局:lead", "咸宁市财政局:responsible"],) * 2

    def test_document_that_comes_behind_a_revised_goal_counts_on_from_it(self, api: Api, database: Database) -> None:
        body = GoalCreate.model_validate(
            {"goal": 45, "reason": "常务会议调整", "document_number": "咸政办发〔2024〕1号"}
        )
        with waiting_behind(
            database,
            lambda session: revise_goal(session, CALLER, INDICATOR, body),
            corrected(("占比超过46%", "占比超过48%")),
            api,
        ) as answer:
            assert answer.status_code == 201
        shown = get(api, f"/indicators/{INDICATOR}")
        assert (shown["goal"], shown["goal_version"]) == (48, 3)
