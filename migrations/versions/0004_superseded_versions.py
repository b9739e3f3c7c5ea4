"""Revisions of values are those no longer in force: a version that is in force stands in `values` alone.

A value that was written once, as most are, is then one row instead of two. Each keeps the request that wrote it.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0004"
down_revision = "0003"

KEY = "indicator_id, period, unit_id"
CONTENT = "value, note, evidence_url, status, version, recorded_at, client_id, reason"
VALUES = f"""
    SELECT present.*, coalesce(revision.request_id, '') AS request_id
    FROM "values" AS present LEFT JOIN value_revisions AS revision USING ({KEY}, version)"""  # noqa: S608 - from above
SUPERSEDED = f"""
    SELECT revision.* FROM value_revisions AS revision JOIN "values" AS present USING ({KEY})
    WHERE revision.version < present.version"""  # noqa: S608 - from above
STATUS_KNOWN = "status IN ('submitted', 'approved', 'returned', 'withdrawn')"

Columns = list[sa.Column[Any]]


def upgrade() -> None:
    """Go to this revision."""
    _set_aside(VALUES, SUPERSEDED)
    _make_tables([sa.Column("request_id", sa.String(), nullable=False)])
    _put_back(f"{KEY}, period_end, {CONTENT}, request_id")


def downgrade() -> None:
    """Go back to the one before."""
    versions = f"{KEY}, {CONTENT}, request_id"
    _set_aside(
        'SELECT * FROM "values"',
        f'SELECT {versions} FROM value_revisions UNION ALL SELECT {versions} FROM "values"',  # noqa: S608 - from above
    )
    _make_tables([])
    _put_back(f"{KEY}, period_end, {CONTENT}")


def _set_aside(values: str, revisions: str) -> None:
    """Take both tables away; what is to be in them afterwards is kept. SQLite changes a table by making it anew."""
    op.execute(f"CREATE TABLE kept_values AS {values}")
    op.execute(f"CREATE TABLE kept_revisions AS {revisions}")
    op.drop_table("value_revisions")
    op.drop_table("values")


def _put_back(names: str) -> None:
    """Fill the new tables, in the order of their keys, which is the fastest."""
    for table, kept, shown in (
        ("values", "kept_values", names),
        ("value_revisions", "kept_revisions", f"{KEY}, {CONTENT}, request_id"),
    ):
        statement = f'INSERT INTO "{table}" ({shown}) SELECT {shown} FROM {kept} ORDER BY {KEY}, version'  # noqa: S608
        op.execute(statement)
        op.drop_table(kept)


def _make_tables(added: Columns) -> None:
    op.create_table(
        "values",
        sa.Column("indicator_id", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        *_figure(),
        sa.Column("version", sa.Integer(), nullable=False),
        *_written(),
        *added,
        sa.Column("reason", sa.String(), nullable=True),
        sa.CheckConstraint(STATUS_KNOWN, name=op.f("ck_values_status_known")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_values_version_positive")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_values_client_id")),
        sa.ForeignKeyConstraint(["indicator_id"], ["indicators.id"], name=op.f("fk_values_indicator_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_values_unit_id")),
        sa.PrimaryKeyConstraint("indicator_id", "period", "unit_id", name=op.f("pk_values")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "value_revisions",
        sa.Column("indicator_id", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *_figure(),
        *_written(),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.CheckConstraint(STATUS_KNOWN, name=op.f("ck_value_revisions_status_known")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_value_revisions_client_id")),
        sa.ForeignKeyConstraint(
            ["indicator_id", "period", "unit_id"],
            ["values.indicator_id", "values.period", "values.unit_id"],
            name="fk_value_revisions_value",
        ),
        sa.PrimaryKeyConstraint("indicator_id", "period", "unit_id", "version", name=op.f("pk_value_revisions")),
        sqlite_with_rowid=False,
    )


def _figure() -> Columns:
    return [
        sa.Column("value", columns.FigureType(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("evidence_url", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
    ]


def _written() -> Columns:
    return [
        sa.Column("recorded_at", columns.UtcTime(), nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=False),
    ]
