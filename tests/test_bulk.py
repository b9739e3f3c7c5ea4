"""Many rows at once: what is written is what single writes would leave, on either engine."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import FromClause, select
from sqlmodel import col

from app.bulk import KeySet, fetch_keyed, insert_many, update_many, upsert_many
from app.db import Database
from app.tables import Client, Indicator, LatestValue, Unit, Value

KEYS = KeySet(indicator_id=int, period=str, unit_id=int)
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
NOTES = [None, "", "引号 ' \" 与反斜线 \\ {花括号},NULL", "换\n行\t", "𠮷", "NULL"]


def _of_keys(keys: FromClause) -> object:
    return select(keys.c.indicator_id, keys.c.period, keys.c.unit_id)


def _columns(database: Database) -> dict[str, list[object]]:
    with database.reading() as session:
        indicator = session.execute(select(col(Indicator.id))).scalars().first()
        unit = session.execute(select(col(Unit.id))).scalars().first()
        client = session.execute(select(col(Client.id))).scalars().first()
    count = len(NOTES)
    return {
        "indicator_id": [indicator] * count,
        "period": [f"2023-0{place + 1}" for place in range(count)],
        "unit_id": [unit] * count,
        "period_end": [date(2023, place + 1, 28) for place in range(count)],
        "value": [
            Decimal(0),
            Decimal("-0.000001"),
            Decimal("999999999999.999"),
            Decimal("1E+3"),
            Decimal(7),
            Decimal("46.8"),
        ],
        "note": NOTES,
        "evidence_url": [None] * count,
        "status": ["submitted"] * count,
        "version": [1] * count,
        "recorded_at": [AT] * count,
        "client_id": [client] * count,
        "request_id": ["first"] * count,
    }


class TestInsertMany:
    def test_every_kind_of_value_comes_back_as_it_was(self, database: Database) -> None:
        columns = _columns(database)
        with database.writing() as session:
            insert_many(session, Value, columns)
        with database.reading() as session:
            rows = session.execute(select(Value).order_by(col(Value.period))).scalars().all()
        for name, values in columns.items():
            assert [getattr(row, name) for row in rows] == values, name

    def test_none_is_none(self, database: Database) -> None:
        with database.writing() as session:
            insert_many(session, Value, {})
            insert_many(session, Value, {name: [] for name in _columns(database)})
        with database.reading() as session:
            assert session.execute(select(Value)).all() == []


class TestUpdateMany:
    def test_each_row_gets_its_own_values_and_others_stay(self, database: Database) -> None:
        columns = _columns(database)
        keys = {name: columns[name][1:3] for name in ("indicator_id", "period", "unit_id")}
        with database.writing() as session:
            insert_many(session, Value, columns)
            update_many(session, Value, keys, {"value": [Decimal("1.5"), Decimal("2.5")], "version": [2, 3]})
        with database.reading() as session:
            rows = session.execute(select(Value).order_by(col(Value.period))).scalars().all()
        assert [row.version for row in rows] == [1, 2, 3, 1, 1, 1]
        assert [row.value for row in rows[1:3]] == [Decimal("1.5"), Decimal("2.5")]
        assert [row.note for row in rows] == NOTES


class TestUpsertMany:
    RANK = ("period_end", "recorded_at", "period")

    def test_only_what_ranks_below_gives_way(self, database: Database) -> None:
        columns = _columns(database)
        keys = {name: columns[name][:1] for name in ("indicator_id", "unit_id")}
        written = [
            ("2023-06", date(2023, 6, 30), AT, 1, 1),
            ("2023-05", date(2023, 5, 31), AT + timedelta(days=1), 2, 1),  # of an earlier period: it stays out
            ("2023-06", date(2023, 6, 30), AT, 3, 3),  # the same rank: a correction
            ("2023-H1", date(2023, 6, 30), AT, 4, 4),  # of two that were recorded together the greater text
            ("2023-Q2", date(2023, 6, 30), AT - timedelta(seconds=1), 5, 4),
            ("2023-07", date(2023, 7, 31), AT - timedelta(days=1), 6, 6),
        ]
        for period, end, at, value, stands in written:
            row = {"period": [period], "period_end": [end], "value": [Decimal(value)], "recorded_at": [at]}
            with database.writing() as session:
                upsert_many(session, LatestValue, keys, row, self.RANK)
            with database.reading() as session:
                assert session.execute(select(LatestValue)).scalars().one().value == stands


class TestFetchKeyed:
    def test_keys_are_a_table(self, database: Database) -> None:
        keys = [(1, "2023-06", 5), (2**62, "2023", 7), (3, "a'b\"c", 1)]
        with database.reading() as session:
            assert [tuple(row) for row in fetch_keyed(session, _of_keys, KEYS, keys)] == keys

    def test_without_keys_nothing_is_asked(self, database: Database) -> None:
        with database.reading() as session:
            assert fetch_keyed(session, _of_keys, KEYS, []) == []
