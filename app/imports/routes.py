"""Imports over HTTP."""

from typing import Annotated

from fastapi import Body, Depends, Path, Query, Response

from app.auth import CallerDep
from app.db import SessionAsOf, WriteSession
from app.errors import DocumentEmpty, DocumentUnreadable, DocumentWithoutTargets, NotFound
from app.imports import service
from app.imports.schemas import ImportQuery, ImportReport
from app.routing import LanguageDep, Router, operation
from app.types import CODE_PATTERN, Scope

routes = Router("imports")
ImportPath = Annotated[
    str,
    Path(
        description="The import's code.",
        examples=["xianning-2023.import-1"],
        pattern=CODE_PATTERN,
        max_length=120,
    ),
]
# a document is taken as bytes under any of these: curl names the last one when nobody says otherwise
DOCUMENT_TYPES = ("application/octet-stream", "text/plain", "application/x-www-form-urlencoded")

EXAMPLE = """\
2023年咸宁市重点工作责任分解方案
58.实施学前教育学位扩充行动,公办幼儿园在园幼儿占比超过46%。(牵头单位:市教育局;责任单位:各县市区人民政府)
"""


def read_plan(
    # an empty body is a document too, one that is told to be empty
    document: Annotated[
        bytes,
        Body(
            media_type=DOCUMENT_TYPES[0],
            description="The document: plain text.",
            openapi_examples={"plan": {"summary": "A plan with one target", "value": EXAMPLE}},
        ),
    ] = b"",
) -> service.PlanDocument:
    """The document in the body, read before the transaction begins."""
    return service.read_plan(document)


@routes.post(
    "/imports",
    status_code=201,
    **operation(
        Scope.admin,
        DocumentEmpty,
        DocumentUnreadable,
        DocumentWithoutTargets,
        takes=DOCUMENT_TYPES,
        repeats=True,
    ),
)
def import_document(
    session: WriteSession,
    caller: CallerDep,
    query: Annotated[ImportQuery, Query()],
    language: LanguageDep,
    response: Response,
    document: Annotated[service.PlanDocument, Depends(read_plan)],
) -> ImportReport:
    """Import a plan document.

    Reads sections, targets, units and indicators out of a document and puts them in force. A document that was
    imported before changes nothing (200); a corrected one changes what was corrected, and keeps values and history.
    With `dry_run=true` the answer is the same and nothing is left behind.
    """
    report, recorded = service.import_document(session, caller, document, query, language)
    response.status_code = 201 if recorded else 200
    if report.code is not None:
        response.headers["Location"] = f"/api/v1/imports/{report.code}"
    return report


# not {import}: generated clients name an argument after it, and in most languages that word is reserved
@routes.get("/imports/{import_code}", **operation(Scope.read, NotFound))
def get_import(session: SessionAsOf, import_code: ImportPath, language: LanguageDep) -> ImportReport:
    """Get the report of an import.

    What was read in a document, and what a person should look at.
    """
    return service.get_import(session, import_code, language)
