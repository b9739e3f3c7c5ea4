"""What `zeren values post` writes, of each kind of file, and how it cuts it in parts."""

import json
from io import BytesIO

from xlsxwriter import Workbook

from app.db import Database
from app.posting import body_of, cut
from app.values.batch import read_rows
from tests.conftest import Api
from tests.posting.helpers import EDUCATION, HEADINGS, Poster, Row, counts, stored


class TestPost:
    def test_all_rows_are_written_once_and_a_second_time_nothing_changes(
        self, poster: Poster, rows: list[Row], database: Database
    ) -> None:
        file = poster.csv(rows)
        code, printed, told = poster(file)
        assert (code, printed) == (
            0,
            "received 3000, created 3000, updated 0, unchanged 0, rejected 0 – 3000 rows are in the database\n",
        )
        assert told.splitlines()[-1] == "writing: 3000 of 3000 rows"
        values, revisions, changes = before = stored(database)
        assert (len(values), revisions, changes) == (3000, 3000, 3000)
        assert counts(poster.report(file)) == [0, 0, 3000, 0, 3000, True]
        assert stored(database) == before

    def test_file_of_yesterday_undoes_the_correction_of_today(self, poster: Poster, api: Api) -> None:
        old, new = ([(EDUCATION, "市教育局", "2023-06", figure, "")] for figure in (46.8, 47.1))
        for file, expected in ((old, 46.8), (new, 47.1), (old, 46.8)):
            assert poster(poster.csv(file))[0] == 0
            code = f"{EDUCATION}:xianning-education-bureau:2023-06"
            assert api.reader.get(f"/api/v1/values/{code}").json()["value"] == expected

    def test_dry_run_reports_the_same_and_leaves_nothing(
        self, poster: Poster, rows: list[Row], database: Database
    ) -> None:
        file = poster.csv(rows)
        assert counts(poster.report(file, "--dry-run")) == [3000, 0, 0, 0, 0, False]
        assert poster(file, "--dry-run")[1].endswith("rejected 0 – only checked, nothing was written\n")
        assert stored(database) == ([], 0, 0)

    def test_every_format_and_encoding(self, poster: Poster, api: Api) -> None:
        row = ("市教育局", "2023-06", 46.8, "统计，六月")
        headings = ("指标", "责任单位", "期间", "数值", "备注")
        names = dict(zip(HEADINGS, (EDUCATION, *row), strict=True))
        sheet = BytesIO()
        with Workbook(sheet) as book:
            page = book.add_worksheet()
            page.write_row(0, 0, headings)
            page.write_row(1, 0, (EDUCATION, *row))
        files = {
            "a.xlsx": sheet.getvalue(),
            "a.json": json.dumps({"values": [names]}).encode(),
            "a.NDJSON": json.dumps(names).encode(),
            "a.jsonl": json.dumps(names).encode(),
            "a.csv": poster.csv([(EDUCATION, *row)], headings, "gb18030").read_bytes(),
        }
        for number, (name, content) in enumerate(files.items()):
            (poster.folder / name).write_bytes(content)
            report = poster.report(poster.folder / name)
            assert counts(report) == [int(number == 0), 0, int(number > 0), 0, 1, True], name
            assert report["encoding"] == (None if number == 0 else "gb18030" if name == "a.csv" else "utf-8")
        assert api.reader.get("/api/v1/values").json()["items"][0]["note"] == "统计，六月"
        (poster.folder / "other").write_bytes(files["a.csv"])
        assert poster(poster.folder / "other", "--format", "csv")[0] == 0

    def test_form_that_nobody_filled_in(self, poster: Poster) -> None:
        report = poster.report(poster.csv([(EDUCATION, "市教育局", "2023-06", "", "")]))
        assert (report["received"], report["blank"], counts(report)) == (0, 1, [0, 0, 0, 0, 0, True])


class TestParts:
    def test_rows_of_one_indicator_and_period_stay_together(self) -> None:
        lines = ["indicator,unit,period,value", *(f"p.{n % 3},u{n},2023-0{n % 2 + 1},{n}" for n in range(60))]
        rows = read_rows("\n".join(lines).encode(), "text/csv", None)
        for size in (1, 7, 10, 25, 1000):
            parts = cut(rows, size)
            keys = [
                {
                    json.dumps([*map(json.loads(line.text).get, ("indicator", "period"))])
                    for group in part
                    for line in group
                }
                for part in parts
            ]
            assert sum(map(len, keys)) == len(set().union(*keys)) == 6
            assert sorted(line.row for part in parts for group in part for line in group) == list(range(1, 61))
            assert all(sum(map(len, part)) <= max(size, 10) for part in parts)

    def test_body_counts_the_rows_of_the_file(self) -> None:
        rows = read_rows(b"indicator,unit,period,value\np.1,u,2023,1\n\n\np.1,u,2024,0.1\n", "text/csv", None)
        (part,) = cut(rows, 10)
        lines = body_of(part).split(b"\n")
        assert [number for number, line in enumerate(lines, 1) if line] == [1, 4]
        assert json.loads(lines[3]) == {"indicator": "p.1", "period": "2024", "unit": "u", "value": 0.1}
        again = read_rows(body_of(part), "application/x-ndjson", None)
        assert again.figures == rows.figures
