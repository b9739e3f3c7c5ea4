"""What `zeren values post` tells of wrong rows, and what becomes of the others."""

import csv
import json
import re
from typing import Any

import pytest

from app.calling import Service
from app.db import Database
from app.messages import Language
from app.posting import PostReport, post_rows
from app.values.batch import read_rows
from app.values.schemas import OnError
from tests.conftest import Api
from tests.posting.helpers import EDUCATION, HEADINGS, Poster, Row, counts, stored


class TestProblems:
    @pytest.fixture
    def wrong(self, rows: list[Row]) -> list[Row]:
        """Wrong rows far apart: a unit and a figure, a period, and two spellings of one key."""
        found = list(rows)
        found[20] = (EDUCATION, "市教肓局", "2023-01-21", "12,5", "")
        found[1500] = (*found[1500][:2], "2023年6月", 1, "")
        found[2990] = (EDUCATION, "xianning-education-bureau", "2023-01-01", 1, "")
        return found

    def test_all_are_told_by_the_rows_of_the_file_and_nothing_is_written(
        self, poster: Poster, wrong: list[Row], database: Database
    ) -> None:
        problems = poster.folder / "problems.csv"
        code, printed, _ = poster(poster.csv(wrong), "--batch-size", "500", "--problems", str(problems))
        lines = [re.split(r"\s{2,}", line.strip()) for line in printed.splitlines()]
        assert code == 1
        assert [line[:2] for line in lines[1:-1]] == [
            ["1", "It has the same indicator, unit and period as row 2991."],
            ["21", "value"],
            ["21", "unit"],
            ["1501", "period"],
            ["2991", "It has the same indicator, unit and period as row 1."],
        ]
        assert lines[3][2:] == ["No unit is called 市教肓局.", "市教育局, 咸宁市教育局, 市人社局"]
        assert printed.endswith("created 2996, updated 0, unchanged 0, rejected 4 – nothing was written\n")
        with problems.open(encoding="utf-8-sig", newline="") as written:
            assert [row["row"] for row in csv.DictReader(written)] == ["1", "21", "21", "1501", "2991"]
        assert stored(database) == ([], 0, 0)

    def test_are_those_that_the_service_tells_of_the_whole_file(
        self, poster: Poster, api: Api, wrong: list[Row]
    ) -> None:
        more: list[Row] = [
            ("", "市教育局", "2023-06", 1, ""),
            (EDUCATION, "x" * 300, "2023-13", 1, ""),
            (EDUCATION, "市科技局", "2024-01", "?", "#"),
            ("xianning-2023.58.7", "市教肓局", "2023-06", "", "n"),
            (EDUCATION, "", "2023-06-31", 1, "", "without a heading"),
            (EDUCATION, "市教育局", "2023-06", "1e99", "\x07"),
            (EDUCATION, "x" * 300, "2023-08-15", 1, ""),
            (EDUCATION, "市教育局", "2023-08-16", "?", ""),
            (EDUCATION, "", "2023-08-17", "?", ""),
        ]
        file = poster.csv([*wrong[:1600], *more, *wrong[1600:]])
        for client in ("admin", "education"):  # who may speak for all units, and who hardly for any
            report = poster.report(file, "--dry-run", "--batch-size", "300", client=client)
            headers = {"Content-Type": "text/csv", "Accept-Language": "en"}
            query = "/api/v1/values/batch?dry_run=true&on_error=skip"
            answer = getattr(api, client).post(query, content=file.read_bytes(), headers=headers).json()
            assert report["problems_left_out"] == 0
            assert len(report["problems"]) == len(answer["problems"]) + answer["problems_left_out"]
            assert report["problems"][: len(answer["problems"])] == answer["problems"]
            for name in ("received", "created", "updated", "unchanged", "rejected", "blank", "encoding"):
                assert report[name] == answer[name], name

    def test_more_than_one_answer_lists_are_all_told(self, poster: Poster, rows: list[Row], database: Database) -> None:
        file = poster.csv(rows)
        for options in (["--dry-run"], ["--on-error", "skip"]):
            report = poster.report(file, *options, "--batch-size", "3000", client="science")
            assert (report["rejected"], report["problems_left_out"], report["written"]) == (3000, 0, 0)
            assert [problem["row"] for problem in report["problems"]] == list(range(1, 3001))
        assert poster(file, client="science")[1].splitlines()[-2].startswith("… and 2950 more problems; --problems ")
        assert stored(database) == ([], 0, 0)

    def test_skip_writes_the_others(self, poster: Poster, wrong: list[Row], database: Database) -> None:
        file = poster.csv(wrong)
        for expected in ([2996, 0, 0, 4, 2996, True], [0, 0, 2996, 4, 2996, True]):
            report = poster.report(file, "--on-error", "skip", "--batch-size", "500")
            assert counts(report) == expected
            assert [problem["row"] for problem in report["problems"]] == [1, 21, 21, 1501, 2991]
        values, revisions, _ = stored(database)
        assert (len(values), revisions) == (2996, 2996)
        assert poster(file, "--on-error", "skip")[0] == 1

    def test_what_goes_wrong_only_while_writing_stops_it_and_is_told(
        self, poster: Poster, api: Api, rows: list[Row], database: Database
    ) -> None:
        headings = (*HEADINGS, "expected_version")
        file = poster.csv([(*row, 0) for row in rows[:900]], headings)
        sent = read_rows(file.read_bytes(), "text/csv", None)
        indicator, unit, period = rows[350][:3]  # in the third of three parts

        def interfere(step: str, done: int, _total: int) -> None:
            if (step, done) == ("writing", 300):
                body = {"indicator": indicator, "unit": unit, "period": period, "value": 1e6}
                assert api.admin.post("/api/v1/values", json=body).status_code == 201

        def told(sentence: str) -> None:
            raise AssertionError(sentence)

        def post(progress: Any) -> PostReport:
            with Service(poster.url, poster.keys["admin"], Language.en, told) as service:
                return post_rows(
                    service, sent, dry_run=False, on_error=OnError.abort, batch_size=300, progress=progress
                )

        report = post(interfere)
        assert (report.committed, report.written, report.rejected, report.received) == (False, 600, 1, 900)
        assert [(one.row, one.code, one.pointer) for one in report.problems] == [
            (351, "stale_version", "/expected_version")
        ]
        assert len(stored(database)[0]) == 601
        again = post(lambda *_: None)
        assert (again.written, again.unchanged, again.created, again.rejected) == (0, 600, 299, 1)
        code, printed, _ = poster(file)
        assert (code, printed.splitlines()[-1].rpartition(" – ")[2]) == (1, "nothing was written")

    def test_row_that_the_reader_refused_is_never_written(self, poster: Poster, database: Database) -> None:
        file = poster.folder / "a.jsonl"
        row = {"indicator": EDUCATION, "period": "2023-06", "unit": "市教育局", "value": 1}
        lines = [json.dumps(row | {"value": "46,8"}), "", "[]", json.dumps(row | {"period": "2023-07"})]
        file.write_text("\n".join(lines), encoding="utf-8")
        report = poster.report(file, "--on-error", "skip")
        assert counts(report) == [1, 0, 0, 2, 1, True]
        assert [(one["row"], one["code"]) for one in report["problems"]] == [(1, "not_a_figure"), (3, "not_an_object")]
        assert [value[2:3] for value in stored(database)[0]] == [("2023-07",)]
