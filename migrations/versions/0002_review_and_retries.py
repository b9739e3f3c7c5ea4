"""Review, quality facts and retries: reasons, plans that want approval, answers kept for `Idempotency-Key`.

A goal also keeps its comparator. What earlier goals were compared by was not kept with them: they take their
indicator's.
"""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0002"
down_revision = "0001"

NOT_VALUES = sa.text("resource <> 'value'")


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "idempotency_keys",
        sa.Column("client_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_idempotency_keys_client_id")),
        sa.PrimaryKeyConstraint("client_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"], unique=False)
    op.drop_index(op.f("ix_changes_resource_code_id"), table_name="changes")
    op.create_index(
        "ix_changes_code",
        "changes",
        ["code", "resource", "id"],
        unique=False,
        sqlite_where=NOT_VALUES,
        postgresql_where=NOT_VALUES,
    )
    op.add_column("indicators", sa.Column("quality", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("plans", sa.Column("approval_required", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("value_revisions", sa.Column("reason", sa.String(), nullable=True))
    op.add_column("values", sa.Column("reason", sa.String(), nullable=True))
    op.add_column("goals", sa.Column("comparator", sa.String(), nullable=True))
    op.execute("UPDATE goals SET comparator = (SELECT comparator FROM indicators WHERE id = goals.indicator_id)")
    with op.batch_alter_table("goals") as goals:  # SQLite can only copy the table
        goals.alter_column("comparator", existing_type=sa.String(), nullable=False)
        goals.create_check_constraint(
            op.f("ck_goals_comparator_known"), "comparator IN ('ge', 'gt', 'le', 'lt', 'eq', 'about', 'range')"
        )


def downgrade() -> None:
    """Go back to the one before."""
    with op.batch_alter_table("goals") as goals:
        goals.drop_constraint(op.f("ck_goals_comparator_known"), type_="check")
        goals.drop_column("comparator")
    op.drop_column("values", "reason")
    op.drop_column("value_revisions", "reason")
    op.drop_column("plans", "approval_required")
    op.drop_column("indicators", "quality")
    op.drop_index("ix_changes_code", table_name="changes")
    op.create_index(op.f("ix_changes_resource_code_id"), "changes", ["resource", "code", "id"], unique=False)
    op.drop_index(op.f("ix_idempotency_keys_created_at"), table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
