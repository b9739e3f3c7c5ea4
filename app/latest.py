"""Which value is the newest that counts: the rule behind `latest_values`, in SQL, for now and for the past.

`app.values.writing` says the same in Python of the few values that a request writes; a test holds the two together.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, not_, or_

from app.types import ValueStatus


def counts(values: Any, plans: Any) -> ColumnElement[bool]:
    """Whether a value counts: an approved one always, a submitted one unless its plan wants approval first.

    `values` and `plans` are the columns of those tables, or of what stands for them.
    """
    submitted = and_(values.status == ValueStatus.submitted.value, not_(plans.approval_required))
    return or_(values.status == ValueStatus.approved.value, submitted)


def rank(values: Any) -> list[ColumnElement[Any]]:
    """The columns by which the newest value of an indicator and unit is the greatest.

    Of periods that end on one day, the one recorded last; of those recorded together, the one whose text is greatest.
    """
    return [values.period_end, values.recorded_at, values.period]
