"""Histories: every state of the rows that are changed in place, from when until when it was in force.

What is there already begins its history when it was last written, or, where no such time was kept, at the beginning
of time: what it was before is not known.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0003"
down_revision = "0002"

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

Columns = list[sa.Column[Any]]


def upgrade() -> None:
    """Go to this revision."""
    _keep("plans", ["id"], _plan_columns(), [["code"]])
    _keep("sections", ["id"], _section_columns(), [["code"], ["plan_id"]])
    _keep("units", ["id"], _unit_columns(), [["code"], ["name_key"], ["parent_id"]])
    _keep("unit_aliases", ["unit_id", "alias"], _alias_columns(), [["alias_key"]])
    _keep("unit_members", ["group_id", "member_id"], _member_columns(), [["member_id"]])
    _keep("targets", ["id"], _target_columns(), [["code"], ["plan_id", "position", "id"]])
    _keep("target_units", ["target_id", "unit_id", "role"], _printed_columns(), [["unit_id"]])
    _keep("assignments", ["id"], _assignment_columns(), [["target_id"], ["unit_id", "id"], ["via_id", "id"]])
    _keep("indicators", ["id"], _indicator_columns(), [["code"], ["target_id", "ordinal"]])


def _keep(name: str, key: list[str], kept: Columns, found_by: list[list[str]]) -> None:
    """Make the history of a table, and begin it with the rows that are there."""
    history = op.create_table(
        f"{name}_history",
        *kept,
        sa.Column("from_at", columns.UtcTime(), nullable=False),
        sa.Column("until_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint(*key, "from_at", name=op.f(f"pk_{name}_history")),
        sqlite_with_rowid=False,
    )
    for names in found_by:
        op.create_index(op.f(f"ix_{name}_history_{'_'.join(names)}"), f"{name}_history", names, unique=False)
    names = [column.name for column in kept]
    since = "updated_at" if "updated_at" in names else sa.literal(BEGINNING, columns.UtcTime())
    present = sa.table(name, *(sa.column(column) for column in names))
    from_at = present.c[since] if isinstance(since, str) else since
    rows = sa.select(*present.c, from_at, sa.literal(FOREVER, columns.UtcTime()))
    op.execute(history.insert().from_select([*names, "from_at", "until_at"], rows))


def _plan_columns() -> Columns:
    return [
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=True),
        sa.Column("region_code", sa.String(), nullable=True),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("source_sha256", sa.String(), nullable=True),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("approval_required", sa.Boolean(), nullable=False),
    ]


def _section_columns() -> Columns:
    return [
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("heading", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("removed_at", columns.UtcTime(), nullable=True),
    ]


def _unit_columns() -> Columns:
    return [
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("region_code", sa.String(), nullable=True),
        sa.Column("usci", sa.String(), nullable=True),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
    ]


def _alias_columns() -> Columns:
    return [
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("alias_key", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
    ]


def _member_columns() -> Columns:
    return [
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
    ]


def _target_columns() -> Columns:
    return [
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("section_id", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("start", sa.Integer(), nullable=True),
        sa.Column("end", sa.Integer(), nullable=True),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("removed_at", columns.UtcTime(), nullable=True),
    ]


def _printed_columns() -> Columns:
    return [
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
    ]


def _assignment_columns() -> Columns:
    return [
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("via_id", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_at", columns.UtcTime(), nullable=True),
        sa.Column("acknowledged_by_id", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("removed_at", columns.UtcTime(), nullable=True),
    ]


def _indicator_columns() -> Columns:
    return [
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("comparator", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("baseline", columns.FigureType(), nullable=True),
        sa.Column("each_member", sa.Boolean(), nullable=False),
        sa.Column("frequency", sa.String(), nullable=True),
        sa.Column("goal_version", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("start", sa.Integer(), nullable=True),
        sa.Column("end", sa.Integer(), nullable=True),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("removed_at", columns.UtcTime(), nullable=True),
        sa.Column("quality", sa.JSON(none_as_null=True), nullable=True),
    ]


def downgrade() -> None:
    """Go back to the one before: the past is lost."""
    for name in ("indicators", "assignments", "target_units", "targets", "unit_members", "unit_aliases"):
        op.drop_table(f"{name}_history")
    for name in ("units", "sections", "plans"):
        op.drop_table(f"{name}_history")
