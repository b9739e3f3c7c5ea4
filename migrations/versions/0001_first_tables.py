"""First tables: plans, targets, units, assignments, indicators, goals, values, changes, clients, imports."""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "clients",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("disabled_at", columns.UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients")),
        sa.UniqueConstraint("code", name=op.f("uq_clients_code")),
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
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
        sa.CheckConstraint("region_code IS NULL OR length(region_code) = 6", name=op.f("ck_plans_region_code_length")),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_plans_days_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("code", name=op.f("uq_plans_code")),
    )
    op.create_table(
        "units",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
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
        sa.CheckConstraint(
            "kind IN ('department', 'government', 'party', 'mass_organization', 'institution', 'company', 'school', 'committee', 'group', 'other')",
            name=op.f("ck_units_kind_known"),
        ),
        sa.CheckConstraint("parent_id IS NULL OR parent_id <> id", name=op.f("ck_units_parent_other")),
        sa.CheckConstraint("region_code IS NULL OR length(region_code) = 6", name=op.f("ck_units_region_code_length")),
        sa.CheckConstraint("usci IS NULL OR length(usci) = 18", name=op.f("ck_units_usci_length")),
        sa.CheckConstraint(
            "valid_to IS NULL OR valid_from IS NULL OR valid_from <= valid_to", name=op.f("ck_units_valid_order")
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["units.id"], name=op.f("fk_units_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_units")),
        sa.UniqueConstraint("code", name=op.f("uq_units_code")),
        sa.UniqueConstraint("usci", name=op.f("uq_units_usci")),
    )
    op.create_index(op.f("ix_units_name_key"), "units", ["name_key"], unique=False)
    op.create_index(op.f("ix_units_parent_id"), "units", ["parent_id"], unique=False)
    op.create_table(
        "changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", columns.UtcTime(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=True),
        sa.Column("unit_id", sa.BigInteger(), nullable=True),
        sa.Column("client_id", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_changes_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
    )
    op.create_index(op.f("ix_changes_resource_code_id"), "changes", ["resource", "code", "id"], unique=False)
    op.create_table(
        "client_units",
        sa.Column("client_id", sa.BigInteger(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_client_units_client_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_client_units_unit_id")),
        sa.PrimaryKeyConstraint("client_id", "unit_id", name=op.f("pk_client_units")),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("source_sha256", sa.String(), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('draft', 'accepted')", name=op.f("ck_imports_state_known")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_imports_client_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_imports_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
        sa.UniqueConstraint("code", name=op.f("uq_imports_code")),
    )
    op.create_index(op.f("ix_imports_plan_id_id"), "imports", ["plan_id", "id"], unique=False)
    op.create_table(
        "keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("expires_at", columns.UtcTime(), nullable=True),
        sa.Column("revoked_at", columns.UtcTime(), nullable=True),
        sa.CheckConstraint("length(secret_hash) = 64", name=op.f("ck_keys_secret_hash_sha256")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_keys_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        sa.UniqueConstraint("prefix", name=op.f("uq_keys_prefix")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_keys_secret_hash")),
    )
    op.create_index(op.f("ix_keys_client_id"), "keys", ["client_id"], unique=False)
    op.create_table(
        "sections",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("heading", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("removed_at", columns.UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["sections.id"], name=op.f("fk_sections_parent_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_sections_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sections")),
        sa.UniqueConstraint("code", name=op.f("uq_sections_code")),
    )
    op.create_index(op.f("ix_sections_parent_id"), "sections", ["parent_id"], unique=False)
    op.create_index(op.f("ix_sections_plan_id_position_id"), "sections", ["plan_id", "position", "id"], unique=False)
    op.create_table(
        "unit_aliases",
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("alias_key", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_unit_aliases_unit_id")),
        sa.PrimaryKeyConstraint("unit_id", "alias", name=op.f("pk_unit_aliases")),
    )
    op.create_index(op.f("ix_unit_aliases_alias_key"), "unit_aliases", ["alias_key"], unique=False)
    op.create_table(
        "unit_members",
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("group_id <> member_id", name=op.f("ck_unit_members_member_other")),
        sa.ForeignKeyConstraint(["group_id"], ["units.id"], name=op.f("fk_unit_members_group_id")),
        sa.ForeignKeyConstraint(["member_id"], ["units.id"], name=op.f("fk_unit_members_member_id")),
        sa.PrimaryKeyConstraint("group_id", "member_id", name=op.f("pk_unit_members")),
    )
    op.create_index(op.f("ix_unit_members_member_id"), "unit_members", ["member_id"], unique=False)
    op.create_table(
        "targets",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
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
        sa.CheckConstraint("length(statement) > 0", name=op.f("ck_targets_statement_said")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_targets_plan_id")),
        sa.ForeignKeyConstraint(["section_id"], ["sections.id"], name=op.f("fk_targets_section_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_targets")),
        sa.UniqueConstraint("code", name=op.f("uq_targets_code")),
    )
    op.create_index(op.f("ix_targets_plan_id_position_id"), "targets", ["plan_id", "position", "id"], unique=False)
    op.create_index(op.f("ix_targets_section_id"), "targets", ["section_id"], unique=False)
    op.create_table(
        "assignments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("via_id", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_at", columns.UtcTime(), nullable=True),
        sa.Column("acknowledged_by_id", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("removed_at", columns.UtcTime(), nullable=True),
        sa.CheckConstraint("role IN ('lead', 'responsible', 'supporting')", name=op.f("ck_assignments_role_known")),
        sa.CheckConstraint(
            "(acknowledged_at IS NULL) = (acknowledged_by_id IS NULL)", name=op.f("ck_assignments_acknowledged_whole")
        ),
        sa.ForeignKeyConstraint(["acknowledged_by_id"], ["clients.id"], name=op.f("fk_assignments_acknowledged_by_id")),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name=op.f("fk_assignments_target_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_assignments_unit_id")),
        sa.ForeignKeyConstraint(["via_id"], ["units.id"], name=op.f("fk_assignments_via_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignments")),
        sa.UniqueConstraint("target_id", "unit_id", "role", name=op.f("uq_assignments_target_id_unit_id_role")),
    )
    op.create_index(op.f("ix_assignments_unit_id_id"), "assignments", ["unit_id", "id"], unique=False)
    op.create_index(op.f("ix_assignments_via_id_id"), "assignments", ["via_id", "id"], unique=False)
    op.create_table(
        "indicators",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
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
        sa.CheckConstraint(
            "comparator IN ('ge', 'gt', 'le', 'lt', 'eq', 'about', 'range')",
            name=op.f("ck_indicators_comparator_known"),
        ),
        sa.CheckConstraint(
            "frequency IS NULL OR frequency IN ('year', 'half_year', 'quarter', 'month', 'day')",
            name=op.f("ck_indicators_frequency_known"),
        ),
        sa.CheckConstraint("kind IN ('level', 'increase')", name=op.f("ck_indicators_kind_known")),
        sa.CheckConstraint("goal_version >= 1", name=op.f("ck_indicators_goal_version_positive")),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name=op.f("fk_indicators_target_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_indicators")),
        sa.UniqueConstraint("code", name=op.f("uq_indicators_code")),
        sa.UniqueConstraint("target_id", "ordinal", name=op.f("uq_indicators_target_id_ordinal")),
    )
    op.create_table(
        "target_units",
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("role IN ('lead', 'responsible', 'supporting')", name=op.f("ck_target_units_role_known")),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name=op.f("fk_target_units_target_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_target_units_unit_id")),
        sa.PrimaryKeyConstraint("target_id", "unit_id", "role", name=op.f("pk_target_units")),
    )
    op.create_index(op.f("ix_target_units_unit_id"), "target_units", ["unit_id"], unique=False)
    op.create_table(
        "goals",
        sa.Column("indicator_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("goal", columns.FigureType(), nullable=False),
        sa.Column("goal_to", columns.FigureType(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("document_number", sa.String(), nullable=True),
        sa.Column("recorded_at", columns.UtcTime(), nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.CheckConstraint("goal_to IS NULL OR goal_to > goal", name=op.f("ck_goals_range_order")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_goals_version_positive")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_goals_client_id")),
        sa.ForeignKeyConstraint(["indicator_id"], ["indicators.id"], name=op.f("fk_goals_indicator_id")),
        sa.PrimaryKeyConstraint("indicator_id", "version", name=op.f("pk_goals")),
    )
    op.create_table(
        "latest_values",
        sa.Column("indicator_id", sa.BigInteger(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("value", columns.FigureType(), nullable=False),
        sa.Column("recorded_at", columns.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["indicator_id"], ["indicators.id"], name=op.f("fk_latest_values_indicator_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_latest_values_unit_id")),
        sa.PrimaryKeyConstraint("indicator_id", "unit_id", name=op.f("pk_latest_values")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "values",
        sa.Column("indicator_id", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("value", columns.FigureType(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("evidence_url", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("recorded_at", columns.UtcTime(), nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "status IN ('submitted', 'approved', 'returned', 'withdrawn')", name=op.f("ck_values_status_known")
        ),
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
        sa.Column("value", columns.FigureType(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("evidence_url", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("recorded_at", columns.UtcTime(), nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.CheckConstraint(
            "status IN ('submitted', 'approved', 'returned', 'withdrawn')", name=op.f("ck_value_revisions_status_known")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_value_revisions_client_id")),
        sa.ForeignKeyConstraint(
            ["indicator_id", "period", "unit_id"],
            ["values.indicator_id", "values.period", "values.unit_id"],
            name="fk_value_revisions_value",
        ),
        sa.PrimaryKeyConstraint("indicator_id", "period", "unit_id", "version", name=op.f("pk_value_revisions")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_table("value_revisions")
    op.drop_table("values")
    op.drop_table("latest_values")
    op.drop_table("goals")
    op.drop_index(op.f("ix_target_units_unit_id"), table_name="target_units")
    op.drop_table("target_units")
    op.drop_table("indicators")
    op.drop_index(op.f("ix_assignments_via_id_id"), table_name="assignments")
    op.drop_index(op.f("ix_assignments_unit_id_id"), table_name="assignments")
    op.drop_table("assignments")
    op.drop_index(op.f("ix_targets_section_id"), table_name="targets")
    op.drop_index(op.f("ix_targets_plan_id_position_id"), table_name="targets")
    op.drop_table("targets")
    op.drop_index(op.f("ix_unit_members_member_id"), table_name="unit_members")
    op.drop_table("unit_members")
    op.drop_index(op.f("ix_unit_aliases_alias_key"), table_name="unit_aliases")
    op.drop_table("unit_aliases")
    op.drop_index(op.f("ix_sections_plan_id_position_id"), table_name="sections")
    op.drop_index(op.f("ix_sections_parent_id"), table_name="sections")
    op.drop_table("sections")
    op.drop_index(op.f("ix_keys_client_id"), table_name="keys")
    op.drop_table("keys")
    op.drop_index(op.f("ix_imports_plan_id_id"), table_name="imports")
    op.drop_table("imports")
    op.drop_table("client_units")
    op.drop_index(op.f("ix_changes_resource_code_id"), table_name="changes")
    op.drop_table("changes")
    op.drop_index(op.f("ix_units_parent_id"), table_name="units")
    op.drop_index(op.f("ix_units_name_key"), table_name="units")
    op.drop_table("units")
    op.drop_table("plans")
    op.drop_table("clients")
