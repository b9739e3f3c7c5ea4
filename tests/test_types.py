"""The words that tables and wire types share: figures, periods, days, times, credit codes, and the folding of text."""

import json
import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from app.types import (
    Figure,
    Frequency,
    Period,
    check_date,
    check_figure,
    check_name,
    check_period,
    check_text,
    check_time,
    check_usci,
    fold,
    parse_period,
)

settings.register_profile("rules", deadline=None, max_examples=200)
rules = settings.get_profile("rules")
USCI = "91350100M000100Y43"
USCI_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def refusal(check: Any, value: object) -> str:
    """The word by which a check refuses a value."""
    with pytest.raises(PydanticCustomError) as refused:
        check(value)
    return refused.value.type


@st.composite
def figures(draw: st.DrawFn) -> Decimal:
    """Figures that a double carries unchanged, of every length that is allowed."""
    after = draw(st.integers(0, 6))
    digits = draw(st.integers(0, min(12 + after, 15)))
    number = draw(st.integers(-(10**digits) + 1, 10**digits - 1))
    return Decimal(number).scaleb(-after)


class TestCheckFigure:
    @rules
    @given(figures())
    def test_allowed_is_exact_to_the_wire_and_back(self, figure: Decimal) -> None:
        assert check_figure(figure) == figure
        sent = TypeAdapter(Figure).dump_json(check_figure(figure)).decode()
        assert json.loads(sent, parse_float=Decimal, parse_int=Decimal) == figure

    @rules
    @given(st.decimals(allow_nan=False, allow_infinity=False).filter(lambda d: -40 < d.adjusted() < 40))
    def test_refused_exactly_when_a_digit_is_too_many(self, figure: Decimal) -> None:
        before, _, after = format(abs(figure), "f").partition(".")
        before, after = before.lstrip("0"), after.rstrip("0")
        fits = len(before) <= 12 and len(after) <= 6 and len((before + after).strip("0")) <= 15
        if fits:
            assert check_figure(figure) == figure
        else:
            assert refusal(check_figure, figure) == "too_many_digits"

    @pytest.mark.parametrize("zero", [0, Decimal("0.000"), Decimal("-0"), Decimal("0E+400"), -0.0])
    def test_zero_is_a_figure_without_a_sign(self, zero: Any) -> None:
        assert str(check_figure(zero)) == "0"

    @pytest.mark.parametrize(
        "value", [999999999999, Decimal("999999999999.999"), Decimal("1E+11"), Decimal("0.000001")]
    )
    def test_widest_allowed(self, value: Any) -> None:
        assert check_figure(value) == value

    @pytest.mark.parametrize(
        "value",
        [
            *(10**12, 10**40, 1234567890123456),
            *map(Decimal, ("1E+999999999", "1E-999999999", "0.0000001", "999999999999.9999", "46.80000000001")),
        ],
    )
    def test_one_digit_more_refused(self, value: Any) -> None:
        assert refusal(check_figure, value) == "too_many_digits"

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), Decimal("NaN"), Decimal("sNaN")])
    def test_not_finite_refused(self, value: Any) -> None:
        assert refusal(check_figure, value) == "figure_not_finite"

    @pytest.mark.parametrize("value", ["12", "", True, False, None, [46.8], {}, b"1", 1j])
    def test_no_number_refused(self, value: Any) -> None:
        assert refusal(check_figure, value) == "not_a_figure"


def periods_of(day: date) -> list[str]:
    """The periods that a day lies in, one of each frequency."""
    year, quarter = f"{day.year:04}", (day.month + 2) // 3
    half = 1 if day.month < 7 else 2
    return [year, f"{year}-H{half}", f"{year}-Q{quarter}", f"{year}-{day.month:02}", day.isoformat()]


class TestParsePeriod:
    @rules
    @given(st.dates())
    def test_every_day_lies_in_one_period_of_each_frequency(self, day: date) -> None:
        found = [parse_period(text) for text in periods_of(day)]
        assert [period.frequency for period in found if period] == list(Frequency)
        for period in found:
            assert period is not None
            assert period.first_day <= day <= period.last_day
            # the days just outside are in the periods before and after: no gap and no overlap
            for outside in (period.first_day.toordinal() - 1, period.last_day.toordinal() + 1):
                if 1 <= outside <= date.max.toordinal():
                    assert period.text not in periods_of(date.fromordinal(outside))

    @rules
    @given(st.from_regex(r"[0-9]{4}(-[HQ]?[0-9]{1,2}(-[0-9]{1,2})?)?\n?", fullmatch=True) | st.text())
    def test_what_is_accepted_is_the_text_that_its_days_give(self, text: str) -> None:
        period = parse_period(text)
        if period is None:
            assert refusal(check_period, text) == "period_invalid"
        else:
            assert period.text == text == check_period(text)
            assert text in periods_of(period.first_day)
            assert text in periods_of(period.last_day)

    def test_bounds(self) -> None:
        assert parse_period("9999-12") == Period("9999-12", Frequency.month, date(9999, 12, 1), date.max)
        assert parse_period("0001") == Period("0001", Frequency.year, date.min, date(1, 12, 31))
        assert parse_period("2024-02") == Period("2024-02", Frequency.month, date(2024, 2, 1), date(2024, 2, 29))
        assert parse_period("2023-H1") == Period("2023-H1", Frequency.half_year, date(2023, 1, 1), date(2023, 6, 30))

    @pytest.mark.parametrize(
        "text",
        [
            *("2023-13", "2023-00", "2023-02-30", "2023-02-29", "2023-H0", "2023-H3", "2023-Q0", "2023-Q5"),
            *("0000", "0000-06"),
            *("2023-6", "23", "2023-", "２０２３", "2023-h1", "2023-W01", "2023-06-15T00", "+2023"),
            *("", " 2023", "2023-06-15\n"),
        ],
    )
    def test_no_period(self, text: str) -> None:
        assert parse_period(text) is None

    @pytest.mark.parametrize("value", [2023, 2023.0, None, True, ["2023"]])
    def test_no_text_refused(self, value: object) -> None:
        assert refusal(check_period, value) == "period_invalid"


@st.composite
def credit_codes(draw: st.DrawFn) -> str:
    """Seventeen characters and the one last character that the check accepts."""
    body = draw(st.text(USCI_ALPHABET, min_size=17, max_size=17))
    (right,) = (char for char in USCI_ALPHABET if accepts(body + char))
    return body + right


def accepts(text: str) -> bool:
    try:
        return check_usci(text) == text
    except PydanticCustomError:
        return False


class TestCheckUsci:
    @pytest.mark.parametrize("text", [USCI, "914403001922038216", "9144030071526726XG", USCI.lower()])
    def test_published_codes(self, text: str) -> None:
        assert check_usci(text) == text.upper()

    def test_every_single_changed_character_refused(self) -> None:
        changed = {USCI[:at] + char + USCI[at + 1 :] for at in range(18) for char in USCI_ALPHABET + "IOSVZ"} - {USCI}
        assert len(changed) == 18 * 35
        assert not any(map(accepts, changed))

    @rules
    @given(credit_codes(), st.integers(0, 17), st.sampled_from(USCI_ALPHABET), st.integers(0, 15))
    def test_any_slip_of_one_character_or_of_two_neighbours_refused(
        self, text: str, at: int, char: str, pair: int
    ) -> None:
        if text[at] != char:
            assert not accepts(text[:at] + char + text[at + 1 :])
        swapped = text[:pair] + text[pair + 1] + text[pair] + text[pair + 2 :]
        assert accepts(swapped) is (swapped == text)

    @pytest.mark.parametrize("text", ["91350100M000100Y4Z", USCI[:17], USCI + "3", "", "９" + USCI[1:], "ß" + USCI[1:]])
    def test_refused(self, text: str) -> None:
        assert refusal(check_usci, text) == "usci_invalid"


class TestCheckText:
    @rules
    @given(st.text(st.characters(codec=None, exclude_categories=[])))
    def test_accepted_is_what_every_database_keeps(self, text: str) -> None:
        hidden = {char for char in text if unicodedata.category(char) in ("Cc", "Cs")} - set("\n\t\r")
        if hidden:
            assert refusal(check_text, text) == "bad_characters"
        else:
            assert check_text(text).encode().decode() == text
            assert "\0" not in text

    @pytest.mark.parametrize("text", ["", " ", "\u3000", "\n\t "])
    def test_blank_name_refused_with_its_limit(self, text: str) -> None:
        with pytest.raises(PydanticCustomError, match="blank") as refused:
            check_name(text)
        assert (refused.value.type, refused.value.context) == ("too_short", {"min_length": 1})

    def test_spaces_around_a_name_fall_away(self) -> None:
        assert check_name("\u3000市教育局 \n") == "市教育局"


class TestFold:
    @rules
    @given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
    def test_width_and_case_do_not_matter(self, text: str) -> None:
        wide = "".join(chr(ord(char) + 0xFEE0) for char in text)
        assert fold(text) == fold(wide) == fold(text.upper()) == fold(wide.lower()) == fold(f"\u3000{text} ")

    @rules
    @given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)))
    def test_chinese_stays(self, text: str) -> None:
        assert fold(text) == text

    def test_brackets(self) -> None:
        assert fold("咸宁职教（集团）学校") == fold("咸宁职教(集团)学校")


class TestCheckDate:
    @rules
    @given(st.dates())
    def test_iso_form_is_the_day(self, day: date) -> None:
        assert check_date(day.isoformat()) == day == check_date(day)

    @pytest.mark.parametrize(
        "value",
        [
            *("2023-02-30", "2023-2-1", "20230201", "2023-W01-1", "0000-01-01", "2023-01-01T00:00:00"),
            "２０２３-01-01",
            *("", "2023-01-01\n", 20230101, 0, 1.5, True, None, ["2023-01-01"]),
        ],
    )
    def test_anything_else_refused(self, value: object) -> None:
        assert refusal(check_date, value) == "date_invalid"


def zones() -> st.SearchStrategy[timezone]:
    return st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


class TestCheckTime:
    @rules
    @given(st.datetimes(timezones=zones()))
    def test_every_zone_gives_the_same_instant_in_utc(self, at: datetime) -> None:
        assume(1 < at.year < 9999)
        found = check_time(at.isoformat())
        assert found == at
        assert found.tzinfo is UTC
        assert check_time(found.isoformat().replace("+00:00", "z").replace("T", "t")) == at

    @pytest.mark.parametrize(
        "value",
        [
            *("2023-01-01", "2023-01-01T00:00:00", "2023-01-01T00:00Z", "2023-13-01T00:00:00Z"),
            "2023-01-01T25:00:00Z",
            *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),  # no year of UTC
            *("1672531200", 1672531200, 1.5),  # seconds since 1970, which Pydantic alone would take
            *(None, True, "now", ""),
        ],
    )
    def test_anything_else_refused(self, value: object) -> None:
        assert refusal(check_time, value) == "time_invalid"


class TestFigureType:
    def test_description_names_the_bounds(self) -> None:
        schema = TypeAdapter(Figure).json_schema()
        assert schema == {
            "type": "number",
            "format": "double",
            "minimum": -999999999999.999,
            "maximum": 999999999999.999,
        }

    def test_a_refusal_names_the_field(self) -> None:
        with pytest.raises(ValidationError) as refused:
            TypeAdapter(list[Figure]).validate_python([1, "2"])
        assert [(error["loc"], error["type"]) for error in refused.value.errors()] == [((1,), "not_a_figure")]
        assert re.search("not a number", str(refused.value))
