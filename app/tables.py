"""Every table: columns, named constraints and indexes. Rows that a later document no longer names get `removed_at`."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlmodel import Field, SQLModel

from app.columns import FigureType, RowId, UtcTime, foreign_key, one_of
from app.types import Comparator, Frequency, ImportState, IndicatorKind, Role, UnitKind, ValueStatus, enum_values

metadata = SQLModel.metadata
_NOT_VALUES = text("resource <> 'value'")


class Client(SQLModel, table=True):
    __tablename__ = "clients"
    __table_args__ = (UniqueConstraint("code"),)
    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    code: str
    name: str
    created_at: datetime = Field(sa_type=UtcTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UtcTime)


class Key(SQLModel, table=True):
    __tablename__ = "keys"
    __table_args__ = (
        foreign_key("client_id", "clients.id"),
        UniqueConstraint("prefix"),
        UniqueConstraint("secret_hash"),
        CheckConstraint("length(secret_hash) = 64", name="secret_hash_sha256"),
        Index(None, "client_id"),
    )
    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    client_id: int = Field(sa_type=BigInteger)
    prefix: str
    secret_hash: str
    scopes: str
    created_at: datetime = Field(sa_type=UtcTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcTime)


class ClientUnit(SQLModel, table=True):
    __tablename__ = "client_units"
    __table_args__ = (foreign_key("client_id", "clients.id"), foreign_key("unit_id", "units.id"))
    client_id: int = Field(primary_key=True, sa_type=BigInteger)
    unit_id: int = Field(primary_key=True, sa_type=BigInteger)


class Change(SQLModel, table=True):
    __tablename__ = "changes"
    __table_args__ = (
        foreign_key("client_id", "clients.id"),
        Index("ix_changes_code", "code", "resource", "id", sqlite_where=_NOT_VALUES, postgresql_where=_NOT_VALUES),
    )
    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    at: datetime = Field(sa_type=UtcTime)
    type: str
    resource: str
    code: str
    plan_id: int | None = Field(default=None, sa_type=BigInteger)
    unit_id: int | None = Field(default=None, sa_type=BigInteger)
    client_id: int | None = Field(default=None, sa_type=BigInteger)
    request_id: str
    data: str = Field(sa_type=Text)


class Unit(SQLModel, table=True):
    __tablename__ = "units"
    __table_args__ = (
        foreign_key("parent_id", "units.id"),
        UniqueConstraint("code"),
        UniqueConstraint("usci"),
        one_of("kind", UnitKind),
        CheckConstraint("usci IS NULL OR length(usci) = 18", name="usci_length"),
        CheckConstraint("region_code IS NULL OR length(region_code) = 6", name="region_code_length"),
        CheckConstraint("valid_to IS NULL OR valid_from IS NULL OR valid_from <= valid_to", name="valid_order"),
        CheckConstraint("parent_id IS NULL OR parent_id <> id", name="parent_other"),
        Index(None, "name_key"),
        Index(None, "parent_id"),
    )
    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    code: str
    name: str
    name_key: str
    kind: str
    region_code: str | None = None
    usci: str | None = None
    parent_id: int | None = Field(default=None, sa_type=BigInteger)
    valid_from: date | None = None
    valid_to: date | None = None
    updated_at: datetime = Field(sa_type=UtcTime)


class UnitAlias(SQLModel, table=True):
    __tablename__ = "unit_aliases"
    __table_args__ = (foreign_key("unit_id", "units.id"), Index(None, "alias_key"))
    unit_id: int = Field(primary_key=True, sa_type=BigInteger)
    alias: str = Field(primary_key=True)
    alias_key: str
    position: int


class UnitMember(SQLModel, table=True):
    __tablename__ = "unit_members"
    __table_args__ = (
        foreign_key("group_id", "units.id"),
        foreign_key("member_id", "units.id"),
        CheckConstraint("group_id <> member_id", name="member_other"),
        Index(None, "member_id"),
    )
    group_id: int = Field(primary_key=True, sa_type=BigInteger)
    member_id: int = Field(primary_key=True, sa_type=BigInteger)
    position: int


class Plan(SQLModel, table=True):
    __tablename__ = "plans"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("starts_on <= ends_on", name="days_order"),
        CheckConstraint("region_code IS NULL OR length(region_code) = 6", name="region_code_length"),
    )
    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    code: str
    title: str
    issuer: str | None = None
    region_code: str | None = None
    year: int
    starts_on: date
    ends_on: date
    source: str | None = None
    source_sha256: str | None = None
    updated_at: datetime = Field(sa_type=UtcTime)
    approval_required: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class Section(SQLModel, table=True):
    __tablename__ = "sections"
    __table_args__ = (
        foreign_key("plan_id", "plans.id"),
        foreign_key("parent_id", "sections.id"),
        UniqueConstraint("code"),
        Index(None, "plan_id", "position", "id"),
        Index(None, "parent_id"),
    )
    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    plan_id: int = Field(sa_type=BigInteger)
    parent_id: int | None = Field(default=None, sa_type=BigInteger)
    code: str
    heading: str
    position: int
    line: int | None = None
    updated_at: datetime = Field(sa_type=UtcTime)
    removed_at: datetime | None = Field(default=None, sa_type=UtcTime)


class Target(SQLModel, table=True):
    __tablename__ = "targets"
    __table_args__ = (
        foreign_key("plan_id", "plans.id"),
        foreign_key("section_id", "sections.id"),
        UniqueConstraint("code"),
        CheckConstraint("length(statement) > 0", name="statement_said"),
        Index(None, "plan_id", "position", "id"),
        Index(None, "section_id"),
    )
    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    plan_id: int = Field(sa_type=BigInteger)
    section_id: int | None = Field(default=None, sa_type=BigInteger)
    code: str
    number: str
    label: str | None = None
    position: int
    statement: str = Field(sa_type=Text)
    search_text: str = Field(sa_type=Text)
    due_on: date | None = None
    line: int | None = None
    start: int | None = None
    end: int | None = None
    updated_at: datetime = Field(sa_type=UtcTime)
    removed_at: datetime | None = Field(default=None, sa_type=UtcTime)


class TargetUnit(SQLModel, table=True):
    """A unit as the plan prints it for a target: a group once, not its members."""

    __tablename__ = "target_units"
    __table_args__ = (
        foreign_key("target_id", "targets.id"),
        foreign_key("unit_id", "units.id"),
        one_of("role", Role),
        Index(None, "unit_id"),
    )
    target_id: int = Field(primary_key=True, sa_type=BigInteger)
    unit_id: int = Field(primary_key=True, sa_type=BigInteger)
    role: str = Field(primary_key=True)
    position: int


class Assignment(SQLModel, table=True):
    __tablename__ = "assignments"
    __table_args__ = (
        foreign_key("target_id", "targets.id"),
        foreign_key("unit_id", "units.id"),
        foreign_key("via_id", "units.id"),
        foreign_key("acknowledged_by_id", "clients.id"),
        UniqueConstraint("target_id", "unit_id", "role"),
        one_of("role", Role),
        CheckConstraint("(acknowledged_at IS NULL) = (acknowledged_by_id IS NULL)", name="acknowledged_whole"),
        Index(None, "unit_id", "id"),
        Index(None, "via_id", "id"),
    )
    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    target_id: int = Field(sa_type=BigInteger)
    unit_id: int = Field(sa_type=BigInteger)
    role: str
    via_id: int | None = Field(default=None, sa_type=BigInteger)
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcTime)
    acknowledged_by_id: int | None = Field(default=None, sa_type=BigInteger)
    updated_at: datetime = Field(sa_type=UtcTime)
    removed_at: datetime | None = Field(default=None, sa_type=UtcTime)


class Indicator(SQLModel, table=True):
    __tablename__ = "indicators"
    __table_args__ = (
        foreign_key("target_id", "targets.id"),
        UniqueConstraint("code"),
        UniqueConstraint("target_id", "ordinal"),
        one_of("comparator", Comparator),
        one_of("kind", IndicatorKind),
        CheckConstraint(f"frequency IS NULL OR frequency IN ({enum_values(Frequency)})", name="frequency_known"),
        CheckConstraint("goal_version >= 1", name="goal_version_positive"),
    )
    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    target_id: int = Field(sa_type=BigInteger)
    ordinal: int
    code: str
    name: str
    measure: str
    comparator: str
    kind: str
    baseline: Decimal | None = Field(default=None, sa_type=FigureType)
    each_member: bool = False
    frequency: str | None = None
    goal_version: int
    text: str | None = None
    line: int | None = None
    start: int | None = None
    end: int | None = None
    updated_at: datetime = Field(sa_type=UtcTime)
    removed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    quality: dict[str, str | None] | None = Field(default=None, sa_type=JSON(none_as_null=True))


class Goal(SQLModel, table=True):
    __tablename__ = "goals"
    __table_args__ = (
        foreign_key("indicator_id", "indicators.id"),
        foreign_key("client_id", "clients.id"),
        CheckConstraint("goal_to IS NULL OR goal_to > goal", name="range_order"),
        CheckConstraint("version >= 1", name="version_positive"),
        one_of("comparator", Comparator),
    )
    indicator_id: int = Field(primary_key=True, sa_type=BigInteger)
    version: int = Field(primary_key=True)
    goal: Decimal = Field(sa_type=FigureType)
    goal_to: Decimal | None = Field(default=None, sa_type=FigureType)
    reason: str | None = None
    document_number: str | None = None
    recorded_at: datetime = Field(sa_type=UtcTime)
    client_id: int | None = Field(default=None, sa_type=BigInteger)
    request_id: str
    comparator: str


class Value(SQLModel, table=True):
    """The value in force. The natural key is the primary key and the only index: batches pay for no other."""

    __tablename__ = "values"
    __table_args__ = (
        foreign_key("indicator_id", "indicators.id"),
        foreign_key("unit_id", "units.id"),
        foreign_key("client_id", "clients.id"),
        one_of("status", ValueStatus),
        CheckConstraint("version >= 1", name="version_positive"),
        {"sqlite_with_rowid": False},
    )
    indicator_id: int = Field(primary_key=True, sa_type=BigInteger)
    period: str = Field(primary_key=True)
    unit_id: int = Field(primary_key=True, sa_type=BigInteger)
    period_end: date
    value: Decimal = Field(sa_type=FigureType)
    note: str | None = None
    evidence_url: str | None = None
    status: str
    version: int
    recorded_at: datetime = Field(sa_type=UtcTime)
    client_id: int = Field(sa_type=BigInteger)
    request_id: str
    reason: str | None = None


class ValueRevision(SQLModel, table=True):
    """A version that is no longer in force; the one that is stands in `values` alone, and most have no other."""

    __tablename__ = "value_revisions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["indicator_id", "period", "unit_id"],
            ["values.indicator_id", "values.period", "values.unit_id"],
            name="fk_value_revisions_value",
        ),
        foreign_key("client_id", "clients.id"),
        one_of("status", ValueStatus),
        {"sqlite_with_rowid": False},
    )
    indicator_id: int = Field(primary_key=True, sa_type=BigInteger)
    period: str = Field(primary_key=True)
    unit_id: int = Field(primary_key=True, sa_type=BigInteger)
    version: int = Field(primary_key=True)
    value: Decimal = Field(sa_type=FigureType)
    note: str | None = None
    evidence_url: str | None = None
    status: str
    recorded_at: datetime = Field(sa_type=UtcTime)
    client_id: int = Field(sa_type=BigInteger)
    request_id: str
    reason: str | None = None


class LatestValue(SQLModel, table=True):
    """The newest value of an indicator and unit, kept so that a page of assignments need not look for it."""

    __tablename__ = "latest_values"
    __table_args__ = (
        foreign_key("indicator_id", "indicators.id"),
        foreign_key("unit_id", "units.id"),
        {"sqlite_with_rowid": False},
    )
    indicator_id: int = Field(primary_key=True, sa_type=BigInteger)
    unit_id: int = Field(primary_key=True, sa_type=BigInteger)
    period: str
    period_end: date
    value: Decimal = Field(sa_type=FigureType)
    recorded_at: datetime = Field(sa_type=UtcTime)


class Import(SQLModel, table=True):
    __tablename__ = "imports"
    __table_args__ = (
        foreign_key("plan_id", "plans.id"),
        foreign_key("client_id", "clients.id"),
        UniqueConstraint("code"),
        one_of("state", ImportState),
        Index(None, "plan_id", "id"),
    )
    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    plan_id: int = Field(sa_type=BigInteger)
    code: str
    state: str
    source_sha256: str
    created_at: datetime = Field(sa_type=UtcTime)
    client_id: int | None = Field(default=None, sa_type=BigInteger)
    request_id: str
    report: str = Field(sa_type=Text)


class IdempotencyKey(SQLModel, table=True):
    """The answer to a write, kept to be given again to who sends the same `Idempotency-Key`."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (foreign_key("client_id", "clients.id"), Index(None, "created_at"))
    client_id: int = Field(primary_key=True, sa_type=BigInteger)
    key: str = Field(primary_key=True)
    fingerprint: str
    status: int
    headers: str
    body: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=UtcTime)
