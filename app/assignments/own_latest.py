"""A unit's own newest values, in the one statement that reads a page: of indicators that each member must reach."""

from collections.abc import Callable
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Dialect, Text, TypeDecorator
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.types import FIGURE_SCALE


class _OwnLatest(TypeDecorator[list[bytes]]):
    """A unit's own newest values as JSON, in the order of a document's `own`; None where a document has none."""

    impl = Text
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], list[bytes] | None]:  # noqa: ARG002
        """How the list of periods and figures, as an engine stores them, is read."""
        scale = FIGURE_SCALE if dialect.name == "sqlite" else 1

        def written(one: str) -> bytes:
            period, _, value = one.partition(" ")
            if not period:
                return b"null"
            figure = int(value) / scale if scale > 1 else float(value)
            return b'{"period":"%b","value":%b}' % (period.encode(), to_json(figure))

        return lambda stored: None if stored is None else [written(one) for one in stored.split(",")]


class own_latest(FunctionElement[list[bytes]]):  # noqa: N801 - reads as the SQL function that it is
    """The newest values that a unit itself has of the indicators in a document's `own`."""

    type = _OwnLatest()
    inherit_cache = True


_ROWS = (
    "SELECT coalesce(latest.period || ' ' || latest.value, '') AS one, own.place FROM {listed}"
    " LEFT JOIN latest_values AS latest ON latest.indicator_id = own.id AND latest.unit_id = {unit}"
)


@compiles(own_latest, "sqlite")
def _in_sqlite(element: own_latest, compiler: SQLCompiler, **options: Any) -> str:
    own, unit = (compiler.process(part, **options) for part in element.clauses)
    listed = f"(SELECT key AS place, value AS id FROM json_each({own})) AS own"  # noqa: S608 - of two columns
    rows = _ROWS.format(listed=listed, unit=unit)
    return f"CASE WHEN {own} IS NOT NULL THEN (SELECT group_concat(one, ',') FROM ({rows} ORDER BY place)) END"  # noqa: S608


@compiles(own_latest, "postgresql")
def _in_postgresql(element: own_latest, compiler: SQLCompiler, **options: Any) -> str:
    own, unit = (compiler.process(part, **options) for part in element.clauses)
    listed = (
        "(SELECT id::bigint, place FROM json_array_elements_text({}::json) WITH ORDINALITY AS t (id, place)) AS own"
    )
    rows = _ROWS.format(listed=listed.format(own), unit=unit)
    return f"CASE WHEN {own} IS NOT NULL THEN (SELECT string_agg(one, ',' ORDER BY place) FROM ({rows}) AS r) END"  # noqa: S608
