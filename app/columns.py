"""The column types that both engines need (row numbers, exact figures, times), and how constraints are named.

Figures are exact: NUMERIC(18, 6) on PostgreSQL, the figure times 10^6 as a 64-bit integer on SQLite, which has no
decimal type. Times are UTC.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Dialect, ForeignKeyConstraint, Integer, Numeric
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import SQLModel

from app.types import FIGURE_SCALE, MAX_FRACTION_DIGITS, enum_values

SQLModel.metadata.naming_convention = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}

# SQLite numbers rows itself only for a column that is exactly INTEGER
RowId = BigInteger().with_variant(Integer(), "sqlite")


class FigureType(TypeDecorator[Decimal]):
    """An exact decimal with at most 12 digits before and 6 after the point."""

    impl = Numeric(18, 6)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type that an engine has for it."""
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else Numeric(18, 6))

    def bind_processor(self, dialect: Dialect) -> Callable[[Decimal | None], int | None] | None:
        """How a figure becomes what the engine stores; the same goes for it as for reading."""
        if dialect.name != "sqlite":
            return None
        return lambda value: None if value is None else int(value * FIGURE_SCALE)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Decimal | None] | None:  # noqa: ARG002 - SQLAlchemy's
        """How a stored figure becomes the one that was given.

        Every row of every page is read so: nothing stands between the driver and this function.
        """
        if dialect.name != "sqlite":
            return None  # the driver reads decimals
        return lambda value: None if value is None else Decimal(value).scaleb(-MAX_FRACTION_DIGITS)


class UtcTime(TypeDecorator[datetime]):
    """An instant; aware in Python, UTC in the database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant as the engine stores it; SQLite knows no zones."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], datetime | None] | None:  # noqa: ARG002
        """How a stored instant becomes an aware one in UTC; SQLite keeps it as text."""
        if dialect.name != "sqlite":
            return lambda value: None if value is None else value.astimezone(UTC)
        return lambda value: None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


def foreign_key(column: str, target: str) -> ForeignKeyConstraint:
    """The constraint that a column names a row of another table."""
    return ForeignKeyConstraint([column], [target])


def one_of(column: str, enumeration: type[StrEnum]) -> CheckConstraint:
    """The constraint that a column holds one of an enumeration's values."""
    return CheckConstraint(f"{column} IN ({enum_values(enumeration)})", name=f"{column}_known")
