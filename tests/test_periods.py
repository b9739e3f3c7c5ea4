"""What a text that names no period may mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.periods import nearest_periods
from app.types import parse_period


class TestNearestPeriods:
    @pytest.mark.parametrize(
        ("text", "meant"),
        [
            ("2023年", ["2023"]),
            ("2023年度", ["2023"]),
            ("2023.0", ["2023"]),
            ("2023", ["2023"]),
            ("2023-13", ["2023-12"]),
            ("2023-00", ["2023-01"]),
            ("2023-6", ["2023-06"]),
            ("2023/6", ["2023-06"]),
            ("2023年6月", ["2023-06"]),
            ("２０２３年６月", ["2023-06"]),
            ("202306", ["2023-06"]),
            ("2023Q2", ["2023-Q2"]),
            ("2023-q5", ["2023-Q4"]),
            ("2023年第二季度", ["2023-Q2"]),
            ("2023年下半年", ["2023-H2"]),
            ("2023-H3", ["2023-H2"]),
            ("2023-02-30", ["2023-02-28"]),
            ("2023/6/15", ["2023-06-15"]),
            ("2023-06-01 00:00:00", ["2023-06", "2023-06-01"]),
            ("2023 年 06 月", ["2023-06"]),
            ("2023.6", ["2023-06"]),
            ("2023-q2", ["2023-Q2"]),
            ("2023年2季度", ["2023-Q2"]),
            ("2023年上半年", ["2023-H1"]),
            ("2023h2", ["2023-H2"]),
            ("2023年6月1日", ["2023-06", "2023-06-01"]),
            ("2023/13", ["2023-12"]),
            ("2023/2/30", ["2023-02-28"]),
            ("2023年第5季度", ["2023-Q4"]),
            ("六月", []),
            ("0000-01-01", []),
            ("June", []),
            ("", []),
        ],
    )
    def test_what_people_write(self, text: str, meant: list[str]) -> None:
        assert nearest_periods(text) == meant

    @given(st.text(max_size=20) | st.from_regex(r"[0-9]{4}[-/年][0-9]{1,2}[-/月][0-9]{1,2}", fullmatch=True))
    def test_all_that_is_suggested_is_a_period(self, text: str) -> None:
        assert all(parse_period(period) is not None for period in nearest_periods(text))
