"""What a batch is told of its rows: every problem of every row, in their order, in bounded time and length."""

import csv
import io
import time
from typing import Any

import pytest

from app.db import Database
from tests.conftest import Api
from tests.history import snapshot
from tests.values.test_batch import BATCH, SHARE, counts, days, post, problems, row

WRONG: list[tuple[dict[str, object], str, str, list[str]]] = [
    ({"indicator": None}, "/indicator", "not_text", []),
    ({"indicator": 58}, "/indicator", "not_text", []),
    ({"indicator": "Xianning 58"}, "/indicator", "bad_format", []),
    ({"indicator": "xianning-2023.58.2"}, "/indicator", "unknown_reference", [SHARE]),
    ({"period": "2023-13"}, "/period", "period_invalid", []),
    ({"period": 2023}, "/period", "period_invalid", []),
    ({"period": "2024-01"}, "/period", "period_outside_plan", []),
    ({"value": None}, "/value", "not_a_figure", []),
    ({"value": "46.8"}, "/value", "not_a_figure", []),
    ({"value": True}, "/value", "not_a_figure", []),
    ({"value": [46.8]}, "/value", "not_a_figure", []),
    ({"value": 1.2345678}, "/value", "too_many_digits", []),
    ({"unit": ""}, "/unit", "too_short", []),
    ({"unit": " "}, "/unit", "too_short", []),
    ({"unit": 7}, "/unit", "not_text", []),
    ({"unit": "市教肓局"}, "/unit", "unit_unknown", ["市教育局"]),
    ({"unit": None}, "/unit", "unit_needed", ["chibi-city-government"]),
    ({"unit": "市科技局"}, "/unit", "unit_not_assigned", []),
    ({"note": 5}, "/note", "not_text", []),
    ({"note": "x" * 2001}, "/note", "too_long", []),
    ({"note": "\u0000"}, "/note", "bad_characters", []),
    ({"evidence_url": "ftp://x"}, "/evidence_url", "bad_format", []),
    ({"expected_version": "1"}, "/expected_version", "not_a_whole_number", []),
    ({"expected_version": -1}, "/expected_version", "too_small", []),
    ({"expected_version": 1}, "/expected_version", "stale_version", []),
    ({"valeu": 1}, "/valeu", "unknown_field", ["value"]),
    ({"a/b~c": 1}, "/a~1b~0c", "unknown_field", []),
]


class TestProblems:
    def test_every_kind_is_told_with_row_field_code_and_the_nearest_valid_value(
        self, api: Api, database: Database
    ) -> None:
        before = snapshot(database)
        rows = [row(period) | wrong for period, (wrong, *_) in zip(days(len(WRONG)), WRONG, strict=True)]
        response = post(api.admin, *rows)
        assert counts(response) == (len(rows), 0, 0, 0, len(rows))
        assert problems(response) == [(number, wrong[1], wrong[2]) for number, wrong in enumerate(WRONG, 1)]
        for problem, sent, (_, _, _, nearest) in zip(response.json()["problems"], rows, WRONG, strict=True):
            assert problem["suggestions"][: len(nearest)] == nearest
            assert problem["detail"]
            for name in ("indicator", "unit", "period"):
                assert problem[name] == (sent[name] if isinstance(sent[name], str) else None)
        for fault, (number, pointer, code) in zip(response.json()["errors"], problems(response), strict=False):
            assert (fault["pointer"], fault["code"]) == (f"/{number - 1}{pointer}", code)
        assert snapshot(database) == before

    def test_all_that_is_wrong_with_one_row_is_told(self, api: Api) -> None:
        wrong: dict[str, object] = {
            "indicator": "xianning-2023.58.2",
            "unit": "市教肓局",
            "period": "2023-13",
            "value": "x",
            "note": 5,
            "extra": 1,
        }
        response = post(api.admin, row(), wrong, {})
        assert sorted(problems(response)) == [
            (2, "/extra", "unknown_field"),
            (2, "/indicator", "unknown_reference"),
            (2, "/note", "not_text"),
            (2, "/period", "period_invalid"),
            (2, "/unit", "unit_unknown"),
            (2, "/value", "not_a_figure"),
            (3, "/indicator", "required"),
            (3, "/period", "required"),
            (3, "/value", "required"),
        ]
        named = {
            tuple(problem[name] for name in ("indicator", "unit", "period")) for problem in response.json()["problems"]
        }
        assert named == {("xianning-2023.58.2", "市教肓局", "2023-13"), (None, None, None)}

    def test_wrong_unit_and_wrong_period_of_a_known_indicator(self, api: Api) -> None:
        response = post(
            api.jiayu, row("2024-01"), row("2024-01", unit="市教肓局"), row("2024-01", "x", unit="嘉鱼县政府")
        )
        assert problems(response) == [
            (1, "/unit", "not_your_unit"),
            (1, "/period", "period_outside_plan"),
            (2, "/unit", "unit_unknown"),
            (2, "/period", "period_outside_plan"),
            (3, "/value", "not_a_figure"),
            (3, "/period", "period_outside_plan"),
        ]

    def test_problems_come_in_the_order_of_the_rows(self, api: Api) -> None:
        rows = [row(period) | WRONG[number % len(WRONG)][0] for number, period in enumerate(days(100))]
        found = [number for number, _, _ in problems(post(api.admin, *rows))]
        assert found == sorted(found)
        assert set(found) == set(range(1, 101))

    def test_accept_language_en(self, api: Api) -> None:
        for language, detail in (("en", "No unit is called 市教肓局."), ("zh", "没有名为 市教肓局 的单位。")):
            response = api.admin.post(BATCH, json=[row(unit="市教肓局")], headers={"Accept-Language": language})
            assert response.json()["problems"][0]["detail"] == detail

    def test_each_row_gets_its_own_suggestion(self, api: Api) -> None:
        wrong = [("2023-13", "2023-12"), ("2023-Q7", "2023-Q4"), ("2023-02-30", "2023-02-28"), ("2022-13", "2022-12")]
        response = post(api.admin, *(row(period) for period, _ in wrong))
        assert [problem["suggestions"] for problem in response.json()["problems"]] == [[near] for _, near in wrong]

    def test_answer_to_endless_words_is_short(self, api: Api) -> None:
        wrong = {"indicator": "x" * 100_000, "unit": "市" * 100_000, "period": "2" * 100_000}
        response = post(api.admin, wrong | {f"other-{number}": 1 for number in range(100)})
        assert response.json()["rejected"] == 1
        assert len(response.json()["problems"]) == 24  # three words, no figure, and the first unknown fields
        assert len(response.content) < 500_000


class TestRepeated:
    @pytest.mark.parametrize("on_error", ["abort", "skip"])
    def test_two_rows_for_one_value_are_both_refused(self, api: Api, database: Database, on_error: str) -> None:
        rows = [row("2023-01"), row("2023-02"), row("2023-01"), row("2023-03"), row("2023-01", 1)]
        before = snapshot(database)
        response = post(api.admin, *rows, on_error=on_error, dry_run=True)
        assert problems(response) == [(number, "", "row_repeated") for number in (1, 3, 5)]
        first = response.json()["problems"][0]
        assert "3, 5" in first["detail"]
        assert counts(response) == (5, 2, 0, 0, 3)
        assert snapshot(database) == before

    def test_also_where_one_of_them_is_wrong_otherwise(self, api: Api) -> None:
        """Else the next answer would tell what this one did not."""
        response = post(api.admin, row("2023-01"), row("2023-01", "x"), row("2023-02", "x"))
        assert problems(response) == [
            (1, "", "row_repeated"),
            (2, "/value", "not_a_figure"),
            (2, "", "row_repeated"),
            (3, "/value", "not_a_figure"),
        ]

    def test_thousands_of_rows_for_one_value_are_told_quickly_and_briefly(self, api: Api) -> None:
        began = time.monotonic()
        response = post(api.admin, *[row()] * 5000)
        assert time.monotonic() - began < 5
        assert counts(response) == (5000, 0, 0, 0, 5000)
        assert max(len(problem["detail"]) for problem in response.json()["problems"]) < 200


class TestMany:
    def test_beyond_1000_problems_the_others_are_counted(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        rows: list[dict[str, Any]] = [row("2023-13", "x") for _ in range(700)]
        response = post(api.admin, *rows)
        report = response.json()
        assert (len(report["problems"]), report["problems_left_out"], report["rejected"]) == (1000, 400, 700)
        assert len(report["errors"]) <= 100
        assert report["problems"][-1]["row"] == 500
        for language, word in (("en", "number"), ("zh", "数字")):
            headers = {"Accept": "text/csv", "Accept-Language": language}
            table = api.admin.post(BATCH, json=rows, headers=headers)
            assert table.status_code == 422
            assert table.headers["Content-Type"].startswith("text/csv")
            assert table.content.startswith(b"\xef\xbb\xbf")
            found = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig"))))
            assert len(found) == 1400
            assert {(one["pointer"], one["code"]) for one in found} == {
                ("/period", "period_invalid"),
                ("/value", "not_a_figure"),
            }
            assert [int(one["row"]) for one in found] == [number // 2 + 1 for number in range(1400)]
            assert sum(word in one["detail"] for one in found) == 700
        assert snapshot(database) == before

    def test_table_of_a_batch_that_is_right_is_empty(self, api: Api) -> None:
        response = api.admin.post(BATCH, json=[row()], headers={"Accept": "text/csv"})
        assert response.status_code == 200
        assert len(response.text.splitlines()) == 1
        assert api.admin.post(BATCH, json=[row()]).json()["unchanged"] == 1

    @pytest.mark.parametrize("field", ["indicator", "unit"])
    def test_thousands_of_unknown_words_are_answered_quickly(self, api: Api, field: str) -> None:
        rows = [row() | {field: f"xianning-2023.58.{number}x" * 3} for number in range(5000)]
        began = time.monotonic()
        response = post(api.admin, *rows)
        assert time.monotonic() - began < 5
        assert response.json()["rejected"] == 5000
        assert response.json()["problems"][0]["suggestions"]
