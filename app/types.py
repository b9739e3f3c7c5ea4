"""Words shared by tables and wire types: enumerations, codes, figures and periods."""

import functools
import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_INTEGER_DIGITS = 12
MAX_FRACTION_DIGITS = 6
MAX_SIGNIFICANT_DIGITS = 15
FIGURE_SCALE = 10**MAX_FRACTION_DIGITS


class Scope(StrEnum):
    """What a key may do. `admin` includes all others; `report` and `review` include `read`."""

    read = "read"
    report = "report"
    review = "review"
    admin = "admin"


class Role(StrEnum):
    """How a unit answers for a target."""

    lead = "lead"
    responsible = "responsible"
    supporting = "supporting"


class Comparator(StrEnum):
    """How a value is compared with its goal."""

    ge = "ge"
    gt = "gt"
    le = "le"
    lt = "lt"
    eq = "eq"
    about = "about"
    range = "range"


class IndicatorKind(StrEnum):
    """`level`: the figure itself counts. `increase`: what was added during the plan counts."""

    level = "level"
    increase = "increase"


class Frequency(StrEnum):
    """How often an indicator is reported; names the form its periods take."""

    year = "year"
    half_year = "half_year"
    quarter = "quarter"
    month = "month"
    day = "day"


class UnitKind(StrEnum):
    """What an organisation is; `group` stands for a list of units."""

    department = "department"
    government = "government"
    party = "party"
    mass_organization = "mass_organization"
    institution = "institution"
    company = "company"
    school = "school"
    committee = "committee"
    group = "group"
    other = "other"


class ValueStatus(StrEnum):
    """Where a value stands in review."""

    submitted = "submitted"
    approved = "approved"
    returned = "returned"
    withdrawn = "withdrawn"


class ImportState(StrEnum):
    """Where an import stands."""

    draft = "draft"
    accepted = "accepted"


CODE_PATTERN = r"^[a-z0-9][a-z0-9._-]*$"
ASSIGNMENT_CODE_PATTERN = r"^[a-z0-9][a-z0-9._-]*:[a-z0-9][a-z0-9._-]*:(lead|responsible|supporting)$"
VALUE_CODE_PATTERN = r"^[a-z0-9][a-z0-9._-]*:[a-z0-9][a-z0-9._-]*:[0-9]{4}(-(H[12]|Q[1-4]|[01][0-9](-[0-3][0-9])?))?$"
PERIOD_PATTERN = r"^[0-9]{4}(-(H[12]|Q[1-4]|(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?))?$"
REGION_PATTERN = r"^[0-9]{6}$"


_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def check_text(text: str) -> str:
    """Refuse what no database keeps (NUL, lone surrogates) and what no reader sees (other control characters)."""
    if _UNREADABLE.search(text):
        raise PydanticCustomError("bad_characters", "contains control characters")
    return text


def check_name(text: str) -> str:
    """A name has something to read in it; spaces around it are not part of it."""
    text = check_text(text).strip()
    if not text:
        raise PydanticCustomError("too_short", "is blank", {"min_length": 1})
    return text


Text = Annotated[str, AfterValidator(check_text)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(check_name)]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=4000), AfterValidator(check_name)]
Note = Annotated[str, StringConstraints(max_length=2000), AfterValidator(check_text)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=CODE_PATTERN)]
RegionCode = Annotated[str, StringConstraints(pattern=REGION_PATTERN)]
UnitReference = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(check_name)]


_EXACT = (int, Decimal)


def check_figure(value: object) -> Decimal:
    """A figure as JSON number, exactly as it was sent.

    Raises: `not_a_figure` for anything but a number, `figure_not_finite` for NaN and infinity, `too_many_digits`
    beyond 12 digits before or 6 after the point or 15 significant ones: the most that a double carries unchanged.
    """
    if isinstance(value, float):
        # only NaN and Infinity arrive as floats: the JSON reader makes every other number a Decimal or int
        value = Decimal(repr(value))
    if isinstance(value, bool) or not isinstance(value, _EXACT):
        raise PydanticCustomError("not_a_figure", "is not a number")
    figure = Decimal(value)
    if not figure.is_finite():
        raise PydanticCustomError("figure_not_finite", "is not a finite number")
    if not figure:
        return Decimal(0)
    _, places, exponent = figure.as_tuple()
    if len(places) <= MAX_INTEGER_DIGITS and -MAX_FRACTION_DIGITS <= exponent <= 0:  # type: ignore[operator]
        return figure  # as nearly all are: no limit is near
    digits = "".join(map(str, places)).rstrip("0")
    before = figure.adjusted() + 1
    after = len(digits) - before
    if before > MAX_INTEGER_DIGITS or after > MAX_FRACTION_DIGITS or len(digits) > MAX_SIGNIFICANT_DIGITS:
        raise PydanticCustomError("too_many_digits", "has too many digits")
    return figure


Figure = Annotated[
    Decimal,
    BeforeValidator(check_figure),
    PlainSerializer(float, return_type=float, when_used="json"),
    WithJsonSchema({"type": "number", "format": "double", "minimum": -999999999999.999, "maximum": 999999999999.999}),
]


def check_date(value: object) -> date:
    """A day as `2023-06-15`; Pydantic alone would also take numbers and times."""
    if isinstance(value, date):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("date_invalid", "is not a day such as 2023-06-15")


Day = Annotated[date, BeforeValidator(check_date), WithJsonSchema({"type": "string", "format": "date"})]

_TIME_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"


def check_time(value: object) -> datetime:
    """A time of RFC 3339, in UTC; Pydantic alone would also take numbers, and times that UTC has no year for."""
    if isinstance(value, str) and re.fullmatch(_TIME_PATTERN, value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("time_invalid", "is not a time with its zone such as 2023-06-30T08:00:00Z")


Time = Annotated[datetime, BeforeValidator(check_time), WithJsonSchema({"type": "string", "format": "date-time"})]


class Period(NamedTuple):
    """A reporting period in one of the SDMX forms: `2023`, `2023-H1`, `2023-Q2`, `2023-06`, `2023-06-15`."""

    text: str
    frequency: Frequency
    first_day: date
    last_day: date

    def within(self, starts_on: date, ends_on: date) -> bool:
        """Whether all of it lies within some days, the first and last included."""
        return starts_on <= self.first_day and self.last_day <= ends_on


def _month_end(year: int, month: int) -> date:
    following = date(year + month // 12, month % 12 + 1, 1) if (year, month) != (9999, 12) else date.max
    return following - timedelta(days=1) if following != date.max else following


@functools.lru_cache(maxsize=4096)  # thousands of figures are of a few periods
def parse_period(text: str) -> Period | None:
    """The period a text names, or None where it names none (`2023-13`, `2023-02-30`)."""
    if not re.fullmatch(PERIOD_PATTERN, text) or text.startswith("0000"):
        return None
    year, _, part = text.partition("-")
    y = int(year)
    if not part:
        return Period(text, Frequency.year, date(y, 1, 1), date(y, 12, 31))
    if part[0] in "HQ":
        months = 6 if part[0] == "H" else 3
        last = int(part[1]) * months
        frequency = Frequency.half_year if months == 6 else Frequency.quarter
        return Period(text, frequency, date(y, last - months + 1, 1), _month_end(y, last))
    if len(part) == 2:
        return Period(text, Frequency.month, date(y, int(part), 1), _month_end(y, int(part)))
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return Period(text, Frequency.day, day, day)


def check_period(value: object) -> str:
    """A period's text, if it names a period."""
    if not isinstance(value, str) or parse_period(value) is None:
        raise PydanticCustomError(
            "period_invalid", "is not a period such as 2023, 2023-H1, 2023-Q2, 2023-06, 2023-06-15"
        )
    return value


PeriodText = Annotated[
    str, BeforeValidator(check_period), WithJsonSchema({"type": "string", "pattern": PERIOD_PATTERN, "maxLength": 10})
]


def plain_digits(figure: Decimal) -> str:
    """The digits of a figure, and no more: neither an exponent nor zeros behind the last one that counts."""
    return f"{figure.normalize():f}"


_USCI_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def check_usci(text: str) -> str:
    """A 统一社会信用代码 whose last character is right.

    GB 32100-2015: weight of place i is 3^(i-1) mod 31; check = alphabet[(31 - sum(C_i * W_i) mod 31) mod 31].
    """
    text = text.upper()
    if len(text) != 18 or any(char not in _USCI_ALPHABET for char in text):
        raise PydanticCustomError("usci_invalid", "is not a unified social credit code")
    total = sum(_USCI_ALPHABET.index(char) * pow(3, place, 31) for place, char in enumerate(text[:17]))
    if _USCI_ALPHABET[(31 - total % 31) % 31] != text[17]:
        raise PydanticCustomError("usci_invalid", "has a wrong check digit")
    return text


Usci = Annotated[str, StringConstraints(min_length=18, max_length=18), AfterValidator(check_usci)]


def fold(text: str) -> str:
    """The form in which names and statements are compared: width, case and outer spaces do not matter."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


def enum_values(enumeration: type[StrEnum]) -> str:
    """The values of an enumeration as an SQL list, for a check constraint."""
    return ", ".join(f"'{member.value}'" for member in enumeration)


Json = dict[str, Any]
