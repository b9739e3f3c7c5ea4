"""Figures by the ten thousand, and the bodies in which a client sends them."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import islice, product
from random import Random
from typing import NamedTuple

from sqlalchemy import select, update
from sqlmodel import col
from xlsxwriter import Workbook

from app.auth import Caller
from app.clients.service import create_key
from app.db import Database
from app.tables import Assignment, Client, Indicator, Unit
from app.types import FIGURE_SCALE, Frequency, Scope
from bench.data import REPORTER_ID
from bench.rows import YEAR

CLIENT = "statistics-bureau"
JSON = "application/json"
CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_HEADINGS = ("指标编码", "单位编码", "期间", "数值")


class Pair(NamedTuple):
    """An indicator and a unit that answers for its target, by key and by code."""

    indicator_id: int
    unit_id: int
    indicator: str
    unit: str


class Figure(NamedTuple):
    """One row of a batch."""

    pair: Pair
    day: date
    value: Decimal


class Sheets:
    """Draws rows in the order of a plan: one day's figures of all indicators and units, then those of the next day.

    The first day is the one after the months that have values, so that what is new is the newest too, and behind
    December comes what is left of the year. Figures do not come twice.
    """

    def __init__(self, pairs: Sequence[Pair], months: int) -> None:
        first, end = date(YEAR, months + 1, 1), date(YEAR + 1, 1, 1)
        days = [first + timedelta(days=number) for number in range((end - first).days)]
        days += [date(YEAR, 1, 1) + timedelta(days=number) for number in range((first - date(YEAR, 1, 1)).days)]
        self._places: Iterator[tuple[date, Pair]] = product(days, pairs)
        self._random = Random(YEAR)

    def draw(self, count: int) -> list[Figure]:
        """Figures where there are none yet. Raises RuntimeError when the year has no more days."""
        figures = [
            Figure(pair, day, Decimal(self._random.randrange(1, 99_999)).scaleb(-2))
            for day, pair in islice(self._places, count)
        ]
        if len(figures) < count:
            raise RuntimeError("the year has no days left for new figures: take fewer rounds")
        return figures


def corrected(figures: Sequence[Figure]) -> list[Figure]:
    """The same rows with other figures."""
    return [figure._replace(value=figure.value + 1) for figure in figures]


def open_sheets(database: Database, months: int) -> tuple[Sheets, str, int]:
    """Rows for a filled database, and the key and the number of a client that reports for all of its units.

    From now on its indicators are reported daily, so that there are enough periods. History does not matter here.
    """
    with database.writing() as session:
        units = session.execute(select(col(Unit.id)).order_by(col(Unit.id))).scalars().all()
        key = create_key(session, Caller.command_line(), CLIENT, [Scope.report], units)
        session.execute(update(Indicator).values(frequency=Frequency.day.value))
        client = session.execute(select(col(Client.id)).where(col(Client.code) == CLIENT)).scalar_one()
        pairs = session.execute(
            select(col(Indicator.id), col(Unit.id), col(Indicator.code), col(Unit.code))
            .join(Assignment, col(Assignment.target_id) == col(Indicator.target_id))
            .join(Unit, col(Unit.id) == col(Assignment.unit_id))
            .order_by(col(Indicator.id), col(Unit.id))
        )
        return Sheets([Pair(*row) for row in pairs], months), key, client


def as_json(figures: Sequence[Figure]) -> bytes:
    """A JSON list."""
    rows = [
        {
            "indicator": figure.pair.indicator,
            "unit": figure.pair.unit,
            "period": figure.day.isoformat(),
            "value": float(figure.value),
        }
        for figure in figures
    ]
    return json.dumps(rows).encode()


def as_rows(figures: Sequence[Figure]) -> bytes:
    """Rows of the table itself, for who has no words of its own for them, as SQLite stores them."""
    rows = [
        {
            "indicator_id": figure.pair.indicator_id,
            "period": figure.day.isoformat(),
            "unit_id": figure.pair.unit_id,
            "period_end": figure.day.isoformat(),
            "value": int(figure.value * FIGURE_SCALE),
            "status": "submitted",
            "version": 1,
            "recorded_at": f"{figure.day} 00:00:00.000000",
            "client_id": REPORTER_ID,
            "request_id": "",
        }
        for figure in figures
    ]
    return json.dumps({"rows": rows}).encode()


def as_csv(figures: Sequence[Figure]) -> bytes:
    """A table in UTF-8 with Chinese headings."""
    out = io.StringIO()
    csv.writer(out).writerows([_HEADINGS, *map(_cells, figures)])
    return out.getvalue().encode()


def as_xlsx(figures: Sequence[Figure]) -> bytes:
    """The same as a workbook; its text is shared between cells, as spreadsheet programs save it."""
    out = io.BytesIO()
    with Workbook(out) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate([_HEADINGS, *map(_cells, figures)]):
            sheet.write_row(row, 0, cells)
    return out.getvalue()


def _cells(figure: Figure) -> tuple[str, str, str, float]:
    return figure.pair.indicator, figure.pair.unit, figure.day.isoformat(), float(figure.value)
