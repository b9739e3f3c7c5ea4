"""Targets as they are shown, stored as documents, and the index by which searches find them.

They hold nothing that is not in other tables: `app.targets.documents` writes them when the migrations are done.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "target_documents",
        sa.Column("target_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("searched", sa.Text(), nullable=True),
        sa.Column("own", sa.Text(), nullable=True),
        sa.Column("template", sa.LargeBinary(), nullable=True),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("target_id", name="pk_target_documents"),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name="fk_target_documents_target_id"),
        sa.UniqueConstraint("code", name="uq_target_documents_code"),
    )
    op.create_table(
        "target_bigrams",
        sa.Column("bigram", sa.String(), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bigram", "plan_id", "position", "target_id", name="pk_target_bigrams"),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name="fk_target_bigrams_target_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "document_shapes",
        sa.Column("shape", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("shape", name="pk_document_shapes"),
    )


def downgrade() -> None:
    """Go back to the one before; nothing is lost."""
    op.drop_table("document_shapes")
    op.drop_table("target_bigrams")
    op.drop_table("target_documents")
