"""Plans and their sections."""

from sqlalchemy import select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.lookups import get_row
from app.paging import ListQuery, fetch_page
from app.plans.schemas import Plan, PlanPage, PlanQuery, Section, SectionPage
from app.tables import Plan as PlanTable
from app.tables import Section as SectionTable


def list_plans(session: Session, query: PlanQuery) -> PlanPage:
    """One page of plans, by code."""
    statement = select(PlanTable, col(PlanTable.code))
    if query.year is not None:
        statement = statement.where(col(PlanTable.year) == query.year)
    if query.region_code is not None:
        statement = statement.where(col(PlanTable.region_code) == query.region_code)
    if query.updated_after is not None:
        statement = statement.where(col(PlanTable.updated_at) > query.updated_after)
    rows, next_cursor = fetch_page(session, statement, [col(PlanTable.code)], query)
    return PlanPage(items=[render_plan(row[0]) for row in rows], next_cursor=next_cursor)


def get_plan(session: Session, code: str) -> Plan:
    """One plan. Raises NotFound."""
    return render_plan(get_row(session, PlanTable, code, "/path/plan"))


def render_plan(plan: PlanTable) -> Plan:
    """A row as answers show it."""
    return Plan.model_validate(plan, from_attributes=True)


def list_sections(session: Session, plan_code: str, query: ListQuery) -> SectionPage:
    """One page of a plan's headings, in the order of the document. Raises NotFound."""
    plan = get_row(session, PlanTable, plan_code, "/path/plan")
    parent = aliased(SectionTable)
    statement = (
        select(SectionTable, col(parent.code), col(SectionTable.position), col(SectionTable.id))
        .outerjoin(parent, col(parent.id) == col(SectionTable.parent_id))
        .where(col(SectionTable.plan_id) == plan.id, col(SectionTable.removed_at).is_(None))
    )
    if query.updated_after is not None:
        statement = statement.where(col(SectionTable.updated_at) > query.updated_after)
    keys = [col(SectionTable.position), col(SectionTable.id)]
    rows, next_cursor = fetch_page(session, statement, keys, query, within=plan.code)
    items = [
        Section(
            code=section.code,
            plan=plan.code,
            parent=parent_code,
            heading=section.heading,
            position=section.position,
            line=section.line,
            updated_at=section.updated_at,
        )
        for section, parent_code in (row[:2] for row in rows)
    ]
    return SectionPage(items=items, next_cursor=next_cursor)
