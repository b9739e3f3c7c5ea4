"""Tables that hold nothing of their own: `app.targets.documents` can make all that is in them again from the others."""

from sqlalchemy import BigInteger, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.columns import RowId, foreign_key


class TargetDocument(SQLModel, table=True):
    """A target as answers show it, in JSON, and what its place in lists and searches was when that was written.

    Where each unit's own newest value of some indicators is shown with its assignments, `own` is a JSON array of
    those indicators, and `template` the document with a NUL in the place of each such value.
    """

    __tablename__ = "target_documents"
    __table_args__ = (foreign_key("target_id", "targets.id"), UniqueConstraint("code"))
    target_id: int = Field(primary_key=True, sa_type=RowId, sa_column_kwargs={"autoincrement": False})
    code: str
    plan_id: int = Field(sa_type=BigInteger)
    position: int
    searched: str | None = Field(sa_type=Text)
    own: str | None = Field(sa_type=Text)
    template: bytes | None = Field(sa_type=LargeBinary)
    document: bytes = Field(sa_type=LargeBinary)


class TargetBigram(SQLModel, table=True):
    """Two characters that follow one another in a target's words, in the order in which targets are listed."""

    __tablename__ = "target_bigrams"
    __table_args__ = (
        foreign_key("target_id", "targets.id"),
        {"sqlite_with_rowid": False},
    )
    bigram: str = Field(primary_key=True)
    plan_id: int = Field(primary_key=True, sa_type=BigInteger)
    position: int = Field(primary_key=True)
    target_id: int = Field(primary_key=True, sa_type=BigInteger)


class DocumentShape(SQLModel, table=True):
    """By which shape all documents were written; another one means that all are to be written anew."""

    __tablename__ = "document_shapes"
    shape: str = Field(primary_key=True)
