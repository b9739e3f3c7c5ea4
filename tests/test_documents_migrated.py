"""Documents where nobody posts: filled by migrations, made anew for another shape, kept by the command line."""

import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import delete, func, insert, select, update

from app.db import Database
from app.derived import DocumentShape, TargetBigram, TargetDocument
from app.migrating import migrate
from app.shape import DOCUMENTS, has_documents, is_up_to_date
from app.tables import Target
from app.targets.schemas import Target as TargetOut
from tests.client import close
from tests.clients.test_keys import Zeren
from tests.clients.test_keys import zeren as zeren
from tests.conftest import Api
from tests.importing import PLAN, corrected, short_plan
from tests.stored import assert_stored_rows_are_right, stored_rows
from tests.walking import ITEMS

FORM = 1  # of how documents and bigrams are stored, to be counted up when that changes
PATHS = ["/targets?limit=100", "/targets?q=教育", "/assignments?unit=嘉鱼县政府", "/targets/xianning-2023.60"]
NOT_MIGRATED = "The database is not up to date. Type: zeren migrate\n"


def write_something(api: Api) -> None:
    """Values, one of them for an indicator of which each unit has its own."""
    for indicator, unit in (("xianning-2023.58.1", "市教育局"), ("xianning-2023.60.1", "嘉鱼县政府")):
        body = {"indicator": indicator, "unit": unit, "period": "2023-06", "value": 46.8}
        assert api.admin.post("/api/v1/values", json=body).status_code == 201


def answers(api: Api) -> dict[str, bytes]:
    return {path: api.reader.get(f"/api/v1{path}").content for path in PATHS}


class TestMigrate:
    @pytest.mark.parametrize("revision", ["0003", "0004"])
    def test_fills_documents_of_what_is_there(self, api: Api, database: Database, revision: str) -> None:
        write_something(api)
        before = answers(api)
        with database.reading() as session:
            stored = stored_rows(session)
        migrate(database, revision)
        assert not is_up_to_date(database.url)
        migrate(database)
        assert is_up_to_date(database.url)
        with database.reading() as session:
            assert stored_rows(session) == stored
        assert answers(api) == before

    @pytest.mark.parametrize("others", [[], ["other"], ["other", "another"]])
    def test_makes_documents_of_another_shape_anew(self, api: Api, database: Database, others: list[str]) -> None:
        """Nothing of what another version stored stays, and no server starts before that."""
        write_something(api)
        before = answers(api)
        with database.writing() as session:
            session.execute(delete(DocumentShape))
            for other in others:
                session.execute(insert(DocumentShape).values(shape=other))
            session.execute(update(TargetDocument).values(document=b"{}", template=b"{}", own=None, searched="别的"))
            session.execute(delete(TargetBigram).where(TargetBigram.bigram.like("%教%")))
            target, plan = session.execute(select(Target.id, Target.plan_id).limit(1)).one()
            stray = {"bigram": "教育", "plan_id": plan, "position": 10_000, "target_id": target}
            session.execute(insert(TargetBigram).values(stray))
        assert not is_up_to_date(database.url)
        migrate(database)
        assert is_up_to_date(database.url)
        assert_stored_rows_are_right(database)
        assert answers(api) == before

    def test_leaves_documents_of_its_own_shape_alone(self, api: Api, database: Database) -> None:
        with database.writing() as session:
            session.execute(update(TargetDocument).values(document=b"{}"))
        migrate(database)
        with database.reading() as session:
            assert session.execute(select(TargetDocument.document).distinct()).scalars().all() == [b"{}"]

    def test_word_for_the_shape_is_another_one_when_a_document_has_other_fields(self) -> None:
        described = json.dumps([TargetOut.model_json_schema(mode="serialization"), FORM])  # fields in their order
        assert hashlib.sha256(described.encode()).hexdigest()[:16] == DOCUMENTS

    def test_empty_database_has_the_shape_and_no_document(self, empty_database_url: str) -> None:
        database = Database(empty_database_url)
        migrate(database)
        with database.reading() as session:
            assert has_documents(session.connection())
            assert session.execute(select(DocumentShape.shape)).scalars().all() == [DOCUMENTS]
            assert session.execute(select(func.count()).select_from(TargetDocument)).scalar_one() == 0
        close(database)


class TestCommandLine:
    def test_seeding_and_importing_leave_documents_right(
        self, zeren: Zeren, empty_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("ZEREN_DATABASE_URL", empty_database_url)
        assert zeren("migrate")[0] == zeren("seed")[0] == 0
        database = Database(empty_database_url)
        assert_stored_rows_are_right(database, "seeded")
        file = tmp_path / "plan.txt"
        lines = [f"{number}.{item}" for number, item in enumerate(ITEMS, start=1)]
        for plan, document in (
            ("xianning-2023", corrected(("占比超过46%", "占比超过47%"))),
            ("demo-2024", short_plan("一、发展产业", *lines)),
            ("demo-2024", short_plan("二、改善民生", *lines[2:5])),
            ("demo-2024", short_plan(*lines[::-1])),
            ("xianning-2023", PLAN),
        ):
            file.write_text(document, encoding="utf-8")
            assert zeren("import", str(file), "--plan", plan)[0] == 0
            assert_stored_rows_are_right(database, plan, document)
        close(database)

    def test_no_command_works_on_documents_of_another_shape(self, zeren: Zeren, database: Database) -> None:
        with database.writing() as session:
            session.execute(update(DocumentShape).values(shape="other"))
        assert zeren("key", "list") == (1, "", NOT_MIGRATED)
        assert zeren("serve") == (1, "", NOT_MIGRATED)
        assert zeren("migrate")[0] == 0
        assert zeren("key", "list")[0] == 0
