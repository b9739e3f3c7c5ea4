"""Answers that are given again: the same as new ones, never older than a write, and without the work."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, literal, select, text

from app.answers import Answers
from app.db import Database
from app.hot import open_hot_store
from app.main import create_app
from app.settings import Settings
from tests.client import close, in_loop
from tests.clients.test_keys import Zeren
from tests.clients.test_keys import zeren as zeren
from tests.conftest import MERGE_PATCH, Api, Template
from tests.postgres import PostgresServer, running_postgres

SHARE, TARGET = "xianning-2023.58.1", "xianning-2023.58"
CODE = f"{SHARE}:xianning-education-bureau:2023-06"
ASSIGNMENT = f"{TARGET}:xianning-education-bureau:lead"
READS = ["/targets", f"/targets/{TARGET}", "/assignments?unit=市教育局", "/indicators", "/units", "/plans", "/values"]
VERSION = select(literal("one").label("key"))


@pytest.fixture
def other(seeded: Template) -> Iterator[Api]:
    """The same database behind another application, as another worker or host has it."""
    app = create_app(Settings(database_url=seeded.url))
    yield Api(app, seeded.keys)
    close(app.state.database)


class Counted:
    """What the driver of SQLite is asked to do, on the connections for reading."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def trace(self, connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(self.statements.append)


@pytest.fixture
def counted(database: Database, api: Api) -> Counted:
    found = Counted()
    event.listen(database.reader, "connect", lambda connection, _record: found.trace(connection))
    api.reader.get("/api/v1/plans")  # now the connection of the hot store is open
    found.trace(database.hot._opened)  # type: ignore[attr-defined]
    return found


@contextmanager
def all_tables_locked(database: Database) -> Iterator[None]:
    """PostgreSQL lets nobody even read what the API shows."""
    tables = ["targets", "target_documents", "assignments", "units", "plans", "indicators", "values", "latest_values"]
    with database.writer.connect() as connection:
        for table in tables:
            connection.exec_driver_sql(f'LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE')
        yield
        connection.rollback()


class TestWithoutTheWork:
    @pytest.mark.parametrize("engine", ["sqlite"])
    def test_known_answer_takes_the_version_alone(self, api: Api, counted: Counted) -> None:
        for path in READS:
            first = api.reader.get(f"/api/v1{path}")
            counted.statements.clear()
            again = api.reader.get(f"/api/v1{path}", headers={"If-None-Match": first.headers["ETag"]})
            whole = api.reader.get(f"/api/v1{path}")
            assert (again.status_code, whole.content) == (304, first.content)
            assert counted.statements == ["PRAGMA data_version"] * 2, path

    @pytest.mark.parametrize("engine", ["sqlite"])
    def test_key_is_looked_for_again_after_a_write(self, api: Api, counted: Counted) -> None:
        for value in (1, 2):
            assert post_value(api, value).is_success
            counted.statements.clear()
            for _ in range(2):
                assert api.reader.get("/api/v1/plans").status_code == 200
            asked = [statement for statement in counted.statements if "FROM keys" in statement]
            assert len(asked) == 1

    @pytest.mark.parametrize("engine", ["postgresql"])
    def test_known_answer_touches_no_table_but_that_of_keys(self, api: Api, database: Database) -> None:
        known = {path: api.reader.get(f"/api/v1{path}") for path in READS}
        with ThreadPoolExecutor(1) as pool, all_tables_locked(database):
            for path, first in known.items():
                headers = {"If-None-Match": first.headers["ETag"]}
                again = pool.submit(api.reader.get, f"/api/v1{path}", headers=headers).result(5)
                whole = pool.submit(api.reader.get, f"/api/v1{path}").result(5)
                assert (again.status_code, whole.content) == (304, first.content)
            unknown = pool.submit(api.reader.get, "/api/v1/targets?limit=3")
            with pytest.raises(TimeoutError):
                unknown.result(0.3)
        assert unknown.result(5).status_code == 200


def post_value(api: Api, value: float) -> Any:
    return api.admin.post(
        "/api/v1/values",
        json={"indicator": SHARE, "unit": "xianning-education-bureau", "period": "2023-06", "value": value},
    )


def patch(api: Api, path: str, body: Any) -> Any:
    return api.admin.patch(f"/api/v1{path}", json=body, headers=MERGE_PATCH)


# each write with what shows it
WRITES: list[tuple[Callable[[Api], Any], list[str]]] = [
    (lambda api: post_value(api, 46.8), [f"/targets/{TARGET}", "/targets", "/assignments", "/values", "/indicators"]),
    (lambda api: api.admin.post(f"/api/v1/values/{CODE}/approval", json={}), [f"/values/{CODE}", "/values"]),
    (lambda api: post_value(api, 47), [f"/values/{CODE}/revisions", "/assignments?unit=市教育局"]),
    (
        lambda api: patch(api, "/units/市教育局", {"name": "咸宁市教体局"}),
        ["/units/市教育局", "/targets?q=教育", "/assignments?unit=市教育局", f"/targets/{TARGET}"],
    ),
    (lambda api: patch(api, f"/targets/{TARGET}", {"due_on": "2023-11-30"}), ["/targets", f"/targets/{TARGET}"]),
    (lambda api: patch(api, "/plans/xianning-2023", {"title": "新的标题"}), ["/plans", "/plans/xianning-2023"]),
    (
        lambda api: api.education.post(f"/api/v1/assignments/{ASSIGNMENT}/acknowledgement"),
        ["/assignments", f"/assignments?target={TARGET}", "/assignments?acknowledged=true"],
    ),
]


class TestTwoWorkers:
    """Two applications on one database: what one has acknowledged, the other shows at once."""

    def test_no_answer_is_older_than_a_write_that_was_acknowledged(self, api: Api, other: Api) -> None:
        for write, shown_by in WRITES:
            for reading in (api, other):  # so that all is known to both
                for path in shown_by:
                    reading.reader.get(f"/api/v1{path}")
            before = {path: other.reader.get(f"/api/v1{path}") for path in shown_by}
            assert write(api).status_code in (200, 201)
            for path, old in before.items():
                tag = old.headers.get("ETag", '"none"')
                fresh = other.reader.get(f"/api/v1{path}", headers={"If-None-Match": tag})
                assert fresh.status_code == 200, path
                assert fresh.content != old.content, path
                own = api.reader.get(f"/api/v1{path}", headers={"If-None-Match": tag})
                assert own.content == fresh.content == other.reader.get(f"/api/v1{path}").content

    def test_a_counter_read_by_one_worker_never_falls_behind_the_other(self, api: Api, other: Api) -> None:
        """Each of many writes is read back at once, from both sides in turn."""
        for value in range(20):
            writer, reader = (api, other) if value % 3 else (other, api)
            assert post_value(writer, value).is_success
            for reading in (reader, writer):
                shown = reading.reader.get(f"/api/v1/targets/{TARGET}").json()
                assert shown["indicators"][0]["latest"]["value"] == value
                (item,) = reading.reader.get(f"/api/v1/assignments?target={TARGET}&role=lead").json()["items"]
                assert item["target"]["indicators"][0]["latest"]["value"] == value


class TestWritesOutsideTheApi:
    def test_key_that_is_revoked_is_refused_at_once(self, api: Api, zeren: Zeren) -> None:
        assert api.reader.get("/api/v1/targets").status_code == 200
        tag = api.reader.get("/api/v1/targets").headers["ETag"]
        prefix = api.keys["reader"].split("_")[1]
        assert zeren("key", "revoke", prefix)[0] == 0
        assert api.reader.get("/api/v1/targets").status_code == 401
        assert api.reader.get("/api/v1/targets", headers={"If-None-Match": tag}).status_code == 401
        assert api.education.get("/api/v1/targets", headers={"If-None-Match": tag}).status_code == 304

    def test_row_that_is_changed_in_the_database_itself_is_seen_at_once(self, api: Api, seeded: Template) -> None:
        """By another process, as an administrator has it."""
        before = api.reader.get("/api/v1/plans")
        assert api.reader.get("/api/v1/plans", headers={"If-None-Match": before.headers["ETag"]}).status_code == 304
        program = (
            "import sys; from sqlalchemy import create_engine, text\n"
            "with create_engine(sys.argv[1]).begin() as c: c.execute(text(\"UPDATE plans SET issuer = '某市'\"))"
        )
        subprocess.run([sys.executable, "-c", program, seeded.url], check=True)
        after = api.reader.get("/api/v1/plans", headers={"If-None-Match": before.headers["ETag"]})
        assert after.json()["items"][0]["issuer"] == "某市"

    def test_write_that_is_undone_changes_no_answer(self, api: Api, database: Database) -> None:
        before = api.reader.get("/api/v1/plans")
        with database.writer.connect() as connection:
            connection.execute(text("UPDATE plans SET issuer = '某市'"))
            assert api.reader.get("/api/v1/plans").content == before.content
            connection.rollback()
        again = api.reader.get("/api/v1/plans", headers={"If-None-Match": before.headers["ETag"]})
        assert again.status_code == 304


def version(database: Database) -> object:
    """The version of the database, without what may be read with it."""
    return in_loop(database.hot.find_versioned, VERSION, "one")[1]


class TestVersion:
    def test_stays_while_nothing_is_written(self, api: Api, database: Database) -> None:
        first = version(database)
        with database.reading() as session:
            session.execute(text("SELECT count(*) FROM targets")).scalar_one()
        api.reader.get("/api/v1/targets?limit=2")
        assert version(database) == first

    @pytest.mark.parametrize("engine", ["postgresql"])
    def test_every_commit_changes_it_in_whatever_order(self, database: Database) -> None:
        """A transaction that began first commits last, beside one that goes on and one that is undone."""
        change = text("UPDATE clients SET name = name || 'x' WHERE code = :code")
        codes = ["reader", "reviewer", "education", "science"]
        connections = [database.writer.connect() for _ in codes]
        for connection, code in zip(connections, codes, strict=True):
            connection.execute(change, {"code": code})
        seen = [version(database)]
        for place in (1, 0, 2):
            connections[place].commit()
            seen.append(version(database))
            assert version(database) == seen[-1]
        connections[3].rollback()
        assert len(set(seen)) == 4
        for connection in connections:
            connection.close()

    @pytest.mark.parametrize("engine", ["postgresql"])
    def test_part_of_a_transaction_changes_nothing_until_all_is_committed(self, api: Api, database: Database) -> None:
        before = api.reader.get("/api/v1/plans").json()["items"][0]
        with database.writer.connect() as connection:
            with connection.begin_nested():
                connection.execute(text("UPDATE plans SET issuer = '某市'"))
            assert api.reader.get("/api/v1/plans").json()["items"] == [before]
            connection.commit()
        assert api.reader.get("/api/v1/plans").json()["items"] == [before | {"issuer": "某市"}]

    def test_two_servers_never_have_the_same(self, postgres: PostgresServer) -> None:
        """One that takes another's place may count transactions as that did, but have others."""
        with running_postgres() as another:
            seen = []
            for server in (postgres, another):
                store = open_hot_store(server.url(), 1)
                seen.append(in_loop(store.find_versioned, VERSION, "one")[1])
                in_loop(store.close)
        snapshots, servers = zip(*(str(one).split(" ", 1) for one in seen), strict=True)
        assert servers[0] != servers[1]
        assert all(snapshots)

    @pytest.mark.parametrize("engine", ["sqlite"])
    def test_is_another_for_every_connection(self, seeded: Template, database: Database) -> None:
        """SQLite counts for each connection: two of them may have the same number for different states."""
        first = version(database)
        in_loop(database.hot.close)
        assert version(database) != first
        beside = Database(seeded.url)
        assert version(beside) != version(database)
        close(beside)


class TestWhatIsRemembered:
    def test_other_language_or_form_has_its_own(self, api: Api, counted_keys: list[Any]) -> None:
        path = "/api/v1/targets"
        forms = [{}, {"Accept": "text/csv"}, {"Accept-Language": "en"}, {"Accept": "application/json, text/csv"}]
        first = [api.reader.get(path, headers=headers) for headers in forms]
        again = [api.reader.get(path, headers=headers) for headers in forms]
        assert [one.content for one in first] == [one.content for one in again]
        assert first[0].headers["Content-Type"] == again[0].headers["Content-Type"] == "application/json"
        assert first[1].headers["Content-Type"].startswith("text/csv")
        assert [dict(one.headers) | {"x-request-id": ""} for one in first] == [
            dict(one.headers) | {"x-request-id": ""} for one in again
        ]
        assert len(counted_keys) == len(forms)

    def test_import_report_is_told_in_each_language(self, api: Api) -> None:
        path = "/api/v1/imports/xianning-2023.import-1"
        told = {
            language: [api.reader.get(path, headers={"Accept-Language": language}).json() for _ in range(2)]
            for language in ("zh", "en")
        }
        assert told["zh"][0] == told["zh"][1] != told["en"][0] == told["en"][1]

    def test_what_depends_on_who_asks_is_not(self, api: Api, counted_keys: list[Any]) -> None:
        path = "/api/v1/plans/xianning-2023/values/template"
        both = [[getattr(api, name).get(path).content for _ in range(2)] for name in ("education", "science")]
        assert both[0][0] == both[0][1] != both[1][0] == both[1][1]
        assert counted_keys == []

    def test_what_does_not_is_given_to_all_who_may_read(self, api: Api, counted_keys: list[Any]) -> None:
        bodies = {getattr(api, name).get("/api/v1/targets").content for name in ("reader", "education", "admin")}
        assert len(bodies) == len(counted_keys) == 1
        assert api.anonymous.get("/api/v1/targets").status_code == 401

    def test_refusal_is_not(self, api: Api, counted_keys: list[Any]) -> None:
        for path in ("/targets/none", "/targets?plan=none", "/targets?limit=0", "/assignments?unit=没有"):
            assert api.reader.get(f"/api/v1{path}").status_code in (404, 422)
        assert counted_keys == []

    def test_head_is_answered_from_what_get_left(self, api: Api) -> None:
        got = api.reader.get("/api/v1/targets")
        head = api.reader.head("/api/v1/targets")
        assert (head.headers["ETag"], head.content) == (got.headers["ETag"], b"")
        assert head.headers["Content-Length"] == str(len(got.content))
        assert api.reader.get("/api/v1/targets").content == got.content
        assert api.reader.head("/api/v1/units").content == b""
        assert api.reader.get("/api/v1/units").json()["items"]

    def test_past_is_what_it_was(self, api: Api) -> None:
        at = "2099-01-01T00:00:00Z"
        assert api.reader.get(f"/api/v1/targets?as_of={at}").status_code == 422
        shown = api.reader.get(f"/api/v1/targets/{TARGET}").json()
        assert patch(api, f"/targets/{TARGET}", {"due_on": "2023-11-30"}).status_code == 200
        for _ in range(2):
            past = api.reader.get(f"/api/v1/targets/{TARGET}", params={"as_of": shown["updated_at"]})
            assert past.json() == shown

    def test_wrong_cursor_of_a_plan_that_is_not_known_404(self, api: Api) -> None:
        """As the plain way says it: what is wrong with the filters comes first."""
        for path in ("targets", "assignments"):
            for plan, status in (("none", 404), ("xianning-2023", 400)):
                for cursor in ("x", "WyJhIl0"):
                    refused = api.reader.get(f"/api/v1/{path}", params={"plan": plan, "cursor": cursor})
                    assert refused.status_code == status, (path, plan)


@pytest.fixture
def counted_keys(database: Database) -> Any:
    """The questions whose answers are kept."""
    return KnownQuestions(database.answers)


class KnownQuestions:
    """A list that is always as it is now."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def __len__(self) -> int:
        return len(self._answers._known)

    def __eq__(self, other: object) -> bool:
        return list(self._answers._known) == other

    __hash__ = None  # type: ignore[assignment]


class TestUnderLoad:
    @pytest.mark.parametrize("engine", ["postgresql"])
    def test_own_write_is_read_back_while_others_write_and_read(self, api: Api, other: Api) -> None:
        """Each thread writes its own value through one worker and reads it at once from the other, by turns."""

        def work(thread: int) -> None:
            period = f"2023-0{thread + 1}"
            code = f"{SHARE}:xianning-education-bureau:{period}"
            tag = '""'
            for value in range(12):
                writer, reader = (api, other) if value % 2 else (other, api)
                body = {"indicator": SHARE, "unit": "xianning-education-bureau", "period": period, "value": value}
                assert writer.admin.post("/api/v1/values", json=body).is_success
                seen = reader.reader.get(f"/api/v1/values/{code}", headers={"If-None-Match": tag})
                assert seen.status_code == 200
                assert seen.json()["value"] == value
                tag = seen.headers["ETag"]

        with ThreadPoolExecutor(5) as pool:
            list(pool.map(work, range(5)))
