"""The command `zeren`: what each command prints where, what it leaves, and how it tells what it cannot do."""

import json
import os
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest
from sqlalchemy import text

from app.db import Database
from tests.clients.test_keys import Zeren
from tests.conftest import Api, Template
from tests.history import snapshot
from tests.importing import PLAN, corrected, imported
from tests.server import START_SECONDS, free_port

NOT_MIGRATED = "The database is not up to date. Type: zeren migrate"
COMMANDS = [
    *(["migrate"], ["seed"], ["serve"], ["key", "list"], ["key", "create", "oa", "--scope", "read"]),
    *(["key", "revoke", "0123456789"], ["import", __file__, "--plan", "p"]),
]


@pytest.fixture
def zeren(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Zeren:
    for name in [name for name in os.environ if name.startswith("ZEREN_")]:
        monkeypatch.delenv(name)
    return Zeren(capsys, monkeypatch)


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    file = tmp_path / "plan.txt"
    file.write_text(PLAN, encoding="utf-8")
    return file


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ZEREN_DATABASE_URL", url)


class TestNewDatabase:
    def test_is_migrated_and_seeded_and_a_second_time_nothing_is_new(
        self, zeren: Zeren, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(monkeypatch, empty_database_url)
        for command in COMMANDS[1:]:
            assert zeren(*command) == (1, "", f"{NOT_MIGRATED}\n"), command
        assert zeren("migrate") == (0, "", "The database is up to date.\n")
        assert zeren("migrate") == (0, "", "The database is up to date.\n")
        code, out, err = zeren("seed")
        assert (code, out) == (0, "")
        assert "36 new units of 36." in err
        assert "xianning-2023 (accepted): targets 25, units 34, assignments 154, indicators 12, added 25," in err
        database = Database(empty_database_url)
        before = snapshot(database)
        code, out, err = zeren("seed")
        assert (code, out) == (0, "")
        assert "0 new units of 36." in err
        assert "The plan is there already." in err
        assert snapshot(database) == before
        database.close()


class TestSeed:
    def test_keeps_what_was_made_of_plan_and_units(
        self, zeren: Zeren, seeded: Template, api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The shipped plan must not undo a corrected one that was imported since."""
        use(monkeypatch, seeded.url)
        imported(api, corrected(("占比超过46%", "占比超过48%")))
        name = {"name": "咸宁市教育局（市委教育工委）"}
        headers = {"Content-Type": "application/merge-patch+json"}
        assert api.admin.patch("/api/v1/units/xianning-education-bureau", json=name, headers=headers).status_code == 200
        before = snapshot(database)
        assert zeren("seed")[0] == 0
        assert snapshot(database) == before


class TestImport:
    def test_prints_a_report_to_read(
        self, zeren: Zeren, seeded: Template, plan_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(monkeypatch, seeded.url)
        code, out, err = zeren("import", str(plan_file), "--plan", "p")
        counts, *findings = out.splitlines()
        assert (code, err) == (0, "")
        assert counts.startswith("p (accepted): targets 25, units 34, assignments 154, indicators 12, added 25,")
        assert len(findings) == 7
        assert all(line.split()[0] in ("info", "warning") and " line " in line.lower() for line in findings)
        assert sum("香城人才卡" in line for line in findings) == 1

    def test_json_stands_alone_and_is_the_answer_of_the_api(
        self, zeren: Zeren, seeded: Template, api: Api, plan_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(monkeypatch, seeded.url)
        code, out, err = zeren("import", str(plan_file), "--plan", "p", "--format", "json")
        assert (code, err) == (0, "")
        report = json.loads(out)
        answer = api.admin.get("/api/v1/imports/p.import-1").json()
        assert [finding.pop("detail") for finding in report["findings"] + answer["findings"]]  # in two languages
        assert report == answer
        assert api.reader.get("/api/v1/plans/p").json()["source"] == "plan.txt"

    def test_dry_run_leaves_nothing_and_the_same_document_changes_nothing(
        self, zeren: Zeren, seeded: Template, database: Database, plan_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(monkeypatch, seeded.url)
        before = snapshot(database)
        code, out, _ = zeren("import", str(plan_file), "--plan", "p", "--dry-run")
        assert (code, out.startswith("p (draft): targets 25,")) == (0, True)
        code, out, _ = zeren("import", str(plan_file), "--plan", "xianning-2023")
        assert (code, out.splitlines()[0].endswith("added 0, changed 0, removed 0, unchanged 25")) == (0, True)
        assert snapshot(database) == before

    def test_what_is_refused_is_told_in_sentences_and_leaves_nothing(
        self, zeren: Zeren, seeded: Template, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(monkeypatch, seeded.url)
        before = snapshot(database)
        for content, options, told in (
            (b"", (), ""),
            (b"PK\x03\x04", (), "ZIP (DOCX, XLSX)"),
            (b"hello", (), "52."),
            (PLAN.encode(), ("--year", "23"), "/year: "),
            (PLAN.encode(), ("--region-code", "x"), "/region_code: "),
            (PLAN.split("\n", 1)[1].encode(), (), "/query/title: "),
        ):
            (tmp_path / "file").write_bytes(content)
            code, out, err = zeren("import", str(tmp_path / "file"), "--plan", "p", *options, "--format", "json")
            assert (code, out) == (1, "")
            assert told in err
            assert "Traceback" not in err
        assert zeren("import", str(tmp_path / "file"), "--plan", "Not A Code")[0] == 1
        assert zeren("import", str(tmp_path / "none"), "--plan", "p")[0] == 2
        assert zeren("import", str(tmp_path / "file"))[0] == 2
        assert snapshot(database) == before


class TestUnusableDatabase:
    def test_unreachable_server_is_told_without_the_password(
        self, zeren: Zeren, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(monkeypatch, "postgresql://zeren:s3cret@127.0.0.1:1/zeren")
        for command in COMMANDS:
            code, out, err = zeren(*command)
            assert (code, out) == (1, ""), command
            assert err.startswith("The database cannot be used: ")
            assert "refused" in err
            assert "s3cret" not in err

    @pytest.mark.parametrize("url", ["postgresql://zeren:s3cret@host:port/zeren", "mysql://zeren:s3cret@host/zeren"])
    def test_wrong_address_is_told_without_the_password(
        self, zeren: Zeren, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(monkeypatch, url)
        code, out, err = zeren("migrate")
        assert (code, out) == (1, "")
        assert err.startswith("ZEREN_DATABASE_URL must be sqlite:///FILE or postgresql://")
        assert "s3cret" not in err

    def test_file_that_is_no_database(self, zeren: Zeren, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "zeren.db").write_bytes(b"no database" * 1000)
        use(monkeypatch, f"sqlite:///{tmp_path / 'zeren.db'}")
        for command in COMMANDS:
            assert zeren(*command) == (1, "", "The database cannot be used: file is not a database\n"), command

    def test_database_of_a_newer_version(
        self, zeren: Zeren, seeded: Template, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(monkeypatch, seeded.url)
        with database.writing() as session:
            session.execute(text("UPDATE alembic_version SET version_num = 'ffff'"))
        assert zeren("key", "list") == (1, "", f"{NOT_MIGRATED}\n")
        code, out, err = zeren("migrate")
        assert (code, out) == (1, "")
        assert "ffff" in err

    def test_unknown_setting_stops_every_command(self, zeren: Zeren, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ZEREN_DATABASE_ULR", "sqlite:///zeren.db")
        for command in COMMANDS:
            code, out, err = zeren(*command)
            assert (code, out) == (1, "")
            assert err.startswith("unknown setting ZEREN_DATABASE_ULR; known are ZEREN_DATABASE_URL, ")


class TestInstalledCommand:
    """The program that `pip install` makes, in processes of its own."""

    zeren = Path(sys.executable).with_name("zeren")

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"} | settings
        return subprocess.run(
            [self.zeren, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    def test_prints_the_contract_without_a_database(self, tmp_path: Path) -> None:
        done = self.run("openapi", ZEREN_DATABASE_URL="postgresql://127.0.0.1:1/none")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == (Path(__file__).parents[1] / "openapi.json").read_text(encoding="utf-8")

    def test_fails_with_a_sentence(self, tmp_path: Path) -> None:
        done = self.run("serve", ZEREN_DATABASE_URL=f"sqlite:///{tmp_path / 'new.db'}")
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{NOT_MIGRATED}\n")

    def test_migrates_on_start_where_it_is_told_to(self, empty_database_url: str) -> None:
        """And every line on standard error is a log line, the migration's as well."""
        port = free_port()
        process = subprocess.Popen(
            [self.zeren, "serve", "--port", str(port)],
            env={
                "PATH": os.environ["PATH"],
                "ZEREN_DATABASE_URL": empty_database_url,
                "ZEREN_MIGRATE_ON_START": "true",
            },
            stderr=subprocess.PIPE,
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while (status := self.answer(port)) is None and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            process.terminate()
            _, logged = process.communicate(timeout=START_SECONDS)
        assert status == 401  # no client is there yet, but the tables are
        assert [json.loads(line)["level"] for line in logged.splitlines()]

    @staticmethod
    def answer(port: int) -> int | None:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            key = f"zrn_{'0' * 10}_{'0' * 40}"
            connection.request("GET", "/api/v1/plans", headers={"Authorization": f"Bearer {key}"})
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()
