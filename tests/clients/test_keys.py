"""Keys: made, listed and ended by `zeren key`; what they may do, and for whom."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app import cli
from app.auth import Caller, hash_key
from app.clients.service import create_key, list_keys, revoke_key
from app.db import Database
from app.errors import Conflict, NotFound
from app.types import Scope
from app.units.names import resolve_unit
from tests.client import AppClient
from tests.conftest import MERGE_PATCH, Api, Template
from tests.history import changes_after, last_change, snapshot

KEY = re.compile(r"zrn_[0-9a-f]{10}_[0-9a-f]{40}")
VALUE = {"indicator": "xianning-2023.58.1", "period": "2023-06", "value": 46.8}


class Zeren:
    """The command `zeren` on the test's database."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys = capsys
        self.monkeypatch = monkeypatch

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command: its status, what it printed, what it told on standard error."""
        self.monkeypatch.setattr("sys.argv", ["zeren", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = self.capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err


@pytest.fixture
def zeren(seeded: Template, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Zeren:
    monkeypatch.setenv("ZEREN_DATABASE_URL", seeded.url)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return Zeren(capsys, monkeypatch)


def status(api: Api, key: str) -> int:
    """What a key gets for reading."""
    return AppClient(api.app).get("/api/v1/plans", headers={"Authorization": f"Bearer {key}"}).status_code


def as_client(api: Api, key: str) -> AppClient:
    return AppClient(api.app, headers={"Authorization": f"Bearer {key}"})


class TestCreateCommand:
    def test_prints_the_key_and_nothing_else(self, zeren: Zeren, api: Api, database: Database) -> None:
        number = last_change(database)
        code, out, err = zeren("key", "create", "oa", "--scope", "report", "--unit", "市教育局")
        assert (code, err) == (0, "")
        assert KEY.fullmatch(out.removesuffix("\n"))
        response = as_client(api, out.strip()).post("/api/v1/values", json=VALUE)
        assert (response.status_code, response.json()["recorded_by"]) == (201, "oa")
        kinds = [(kind, where) for kind, where, _ in changes_after(database, number)]
        assert kinds[:2] == [("client.created", "oa"), ("key.created", out.split("_")[1])]
        (_, _, told) = changes_after(database, number)[1]
        assert told == {
            "client": "oa",
            "scopes": "report",
            "units": ["xianning-education-bureau"],
            "expires_at": None,
        }

    def test_as_a_program_of_its_own(self, seeded: Template) -> None:
        program = Path(sys.executable).with_name("zeren")
        command = [program, "key", "create", "oa", "--scope", "read"]
        done = subprocess.run(
            command, env={"ZEREN_DATABASE_URL": seeded.url}, capture_output=True, text=True, check=True
        )
        assert KEY.fullmatch(done.stdout.removesuffix("\n"))
        assert done.stderr == ""

    def test_secret_is_nowhere_in_the_database(self, zeren: Zeren, database: Database) -> None:
        _, out, _ = zeren("key", "create", "oa", "--scope", "read")
        key = out.strip()
        held = repr(snapshot(database))
        assert hash_key(key) in held
        assert key.rpartition("_")[2] not in held

    def test_several_scopes_and_units(self, zeren: Zeren, api: Api, database: Database) -> None:
        units = ("--unit", "市教育局", "--unit", "xianning-science-and-technology-bureau", "--unit", "咸宁市教育局")
        _, out, _ = zeren("key", "create", "oa", "--scope", "report", "--scope", "review", "--scope", "report", *units)
        with database.reading() as session:
            (facts,) = [key for key in list_keys(session) if key.client == "oa"]
        assert (facts.scopes, facts.units) == (["report", "review"], ["咸宁市教育局", "咸宁市科学技术局"])
        client = as_client(api, out.strip())
        assert client.post("/api/v1/values", json=VALUE).status_code == 201
        assert client.post("/api/v1/values", json=VALUE | {"indicator": "xianning-2023.67.1"}).status_code == 201

    def test_second_key_of_a_client_adds_units(self, zeren: Zeren, api: Api, database: Database) -> None:
        _, first, _ = zeren("key", "create", "oa", "--scope", "report", "--unit", "市教育局")
        _, second, _ = zeren("key", "create", "oa", "--scope", "report", "--unit", "市科技局", "--unit", "市教育局")
        body = VALUE | {"indicator": "xianning-2023.67.1"}
        assert [
            as_client(api, key.strip()).post("/api/v1/values", json=body).status_code for key in (first, second)
        ] == [
            201,
            200,
        ]
        with database.reading() as session:
            facts = [key.units for key in list_keys(session) if key.client == "oa"]
        assert facts == [["咸宁市教育局", "咸宁市科学技术局"]] * 2

    def test_key_for_some_days(self, zeren: Zeren, api: Api, database: Database) -> None:
        _, out, _ = zeren("key", "create", "oa", "--scope", "read", "--days", "30")
        assert status(api, out.strip()) == 200
        with database.reading() as session:
            (facts,) = [key for key in list_keys(session) if key.client == "oa"]
        assert facts.expires_at is not None
        assert timedelta(days=29) < facts.expires_at - datetime.now(UTC) <= timedelta(days=30)

    def test_wrong_input_is_told_and_makes_nothing(self, zeren: Zeren, database: Database) -> None:
        before = snapshot(database)
        for arguments, told in (
            (("oa", "--scope", "read", "--unit", "市教肓局", "--unit", "没有"), "市教育局"),
            (("OA!", "--scope", "read"), "client"),
            (("oa", "--scope", "read", "--days", "0"), "days"),
            (("oa", "--scope", "write"), "write"),
            (("oa",), "--scope"),
        ):
            code, out, err = zeren("key", "create", *arguments)
            assert code in (1, 2), arguments
            assert out == ""
            assert told in err
        assert snapshot(database) == before


class TestListCommand:
    def test_shows_all_but_the_secret(self, zeren: Zeren, api: Api) -> None:
        code, out, _ = zeren("key", "list")
        assert code == 0
        for name, key in api.keys.items():
            assert name in out
            assert key.split("_")[1] in out
            assert key.split("_")[2] not in out
            assert hash_key(key) not in out
        (line,) = [line for line in out.splitlines() if "counties" in line]
        assert "report" in line
        assert "各县市区人民政府" in line


class TestRevokeCommand:
    def test_ends_the_key_at_once(self, zeren: Zeren, api: Api, database: Database) -> None:
        prefix = api.keys["education"].split("_")[1]
        assert status(api, api.keys["education"]) == 200
        number = last_change(database)
        assert zeren("key", "revoke", prefix)[:2] == (0, "")
        assert status(api, api.keys["education"]) == 401
        assert status(api, api.keys["science"]) == 200
        ((kind, code, data),) = changes_after(database, number)
        assert (kind, code, set(data)) == ("key.revoked", prefix, {"revoked_at"})
        (line,) = [line for line in zeren("key", "list")[1].splitlines() if prefix in line]
        assert data["revoked_at"][:10] in line

    def test_unknown_or_ended_key_is_told(self, zeren: Zeren, api: Api, database: Database) -> None:
        code, out, err = zeren("key", "revoke", "0123456789")
        assert (code, out) == (1, "")
        assert "0123456789" in err
        prefix = api.keys["education"].split("_")[1]
        zeren("key", "revoke", prefix)
        before = snapshot(database)
        code, _, err = zeren("key", "revoke", prefix)
        assert code == 1
        assert prefix in err
        assert snapshot(database) == before

    def test_other_key_of_the_client_lives_on(self, database: Database, api: Api) -> None:
        with database.writing() as session:
            second = create_key(session, Caller.command_line(), "education", [Scope.read])
            revoke_key(session, Caller.command_line(), api.keys["education"].split("_")[1])
        assert (status(api, api.keys["education"]), status(api, second)) == (401, 200)

    def test_service_raises(self, database: Database, api: Api) -> None:
        with database.writing() as session, pytest.raises(NotFound):
            revoke_key(session, Caller.command_line(), "none")
        prefix = api.keys["reader"].split("_")[1]
        with database.writing() as session:
            revoke_key(session, Caller.command_line(), prefix)
        with database.writing() as session, pytest.raises(Conflict):
            revoke_key(session, Caller.command_line(), prefix)


# what a key with one scope gets: for reading, for posting a value of its own unit, for changing an indicator
GRANTED = {
    Scope.read: (200, 403, 403),
    Scope.report: (200, 201, 403),
    Scope.review: (200, 403, 403),
    Scope.admin: (200, 200, 200),
}


class TestScopes:
    def test_each_scope_on_each_kind_of_operation(self, api: Api, database: Database) -> None:
        with database.writing() as session:
            keys = {scope: create_key(session, Caller.command_line(), f"oa-{scope}", [scope]) for scope in Scope}
            create_key(
                session,
                Caller.command_line(),
                "oa-report",
                [Scope.read],
                [resolve_unit(session, "市教育局", "/unit").id],
            )
        for scope, expected in GRANTED.items():
            client = as_client(api, keys[scope])
            read = client.get("/api/v1/values").status_code
            report = client.post("/api/v1/values", json=VALUE | {"unit": "市教育局"}).status_code
            path = "/api/v1/indicators/xianning-2023.58.1"
            admin = client.patch(path, json={"frequency": "month"}, headers=MERGE_PATCH).status_code
            assert (read, report, admin) == expected, scope

    def test_refusal_says_what_is_needed(self, api: Api) -> None:
        response = api.reader.post("/api/v1/values", json=VALUE)
        assert (
            response.headers["WWW-Authenticate"] == 'Bearer realm="zeren", error="insufficient_scope", scope="report"'
        )
        assert "report" in response.json()["detail"]
