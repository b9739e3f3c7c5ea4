"""What a text that names no period may mean: as people and spreadsheets write periods, and what is nearest."""

import re
import unicodedata
from calendar import monthrange

from app.types import parse_period

_YEAR = re.compile(r"([0-9]{4})(?:年|年度|\.0+)?")
_YEAR_AND_PART = re.compile(
    r"([0-9]{4})[年/.\-]?(?:([0-9]{1,2})月?|Q([0-9])|第?([0-9一二三四])季度|H([0-9])|([上下])半年)"
)
_DAY = re.compile(r"([0-9]{4})[年/.\-]([0-9]{1,2})[月/.\-]([0-9]{1,2})日?(?: 00?:00(?::00)?)?")
_DIGITS = {"一": 1, "二": 2, "三": 3, "四": 4, "上": 1, "下": 2}


def nearest_periods(text: str) -> list[str]:
    """The periods that a text such as `2023年6月`, `2023年第二季度` or `2023-13` may mean, likeliest first."""
    found = _meant(re.sub(r"\s+(?!\d+:)", "", unicodedata.normalize("NFKC", text).upper()))
    return [period for period in found if parse_period(period) is not None and "1900" <= period < "3000"]


def _meant(text: str) -> list[str]:
    if match := _YEAR.fullmatch(text):
        return [match[1]]
    if match := _DAY.fullmatch(text):
        return _days(int(match[1]), int(match[2]), int(match[3]))
    if match := _YEAR_AND_PART.fullmatch(text):
        year, month, quarter, season, half, which = match.groups()
        if month:
            return [f"{year}-{_within(month, 12):02}"]
        if quarter or season:
            return [f"{year}-Q{_within(quarter or season, 4)}"]
        return [f"{year}-H{_within(half or which, 2)}"]
    return []


def _days(year: int, month: int, day: int) -> list[str]:
    month = _within(month, 12)
    last = monthrange(year, month)[1] if year else 28
    found = f"{year:04}-{month:02}-{_within(day, last):02}"
    # the first of a month may be what a spreadsheet made of the month
    return [found[:7], found] if day == 1 else [found]


def _within(part: str | int, most: int) -> int:
    number = _DIGITS[part] if part in _DIGITS else int(part)
    return max(1, min(number, most))
