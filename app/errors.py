"""Everything the service can refuse, on one page: a word to raise, its status and its stable code.

Services raise these; `app.problems` turns them into RFC 9457 answers, `app.messages` holds their sentences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar


class ErrorCode(StrEnum):
    """The stable machine words of problems (`code`) and of the single faults in them (`errors[].code`)."""

    # of a whole request
    malformed_json = "malformed_json"
    bad_cursor = "bad_cursor"
    bad_request = "bad_request"
    unauthenticated = "unauthenticated"
    forbidden = "forbidden"
    not_your_unit = "not_your_unit"
    unit_not_assigned = "unit_not_assigned"
    not_found = "not_found"
    no_such_path = "no_such_path"
    nothing_to_report = "nothing_to_report"
    method_not_allowed = "method_not_allowed"
    already_exists = "already_exists"
    stale_version = "stale_version"
    transition_refused = "transition_refused"
    batch_rejected = "batch_rejected"
    conflict = "conflict"
    values_outside_plan = "values_outside_plan"
    values_of_other_periods = "values_of_other_periods"
    precondition_failed = "precondition_failed"
    body_too_large = "body_too_large"
    unsupported_media_type = "unsupported_media_type"
    invalid_request = "invalid_request"
    document_empty = "document_empty"
    document_unreadable = "document_unreadable"
    document_without_targets = "document_without_targets"
    workbook_unreadable = "workbook_unreadable"
    too_many_rows = "too_many_rows"
    idempotency_key_in_use = "idempotency_key_in_use"
    idempotency_key_reused = "idempotency_key_reused"
    internal_error = "internal_error"
    unavailable = "unavailable"

    # of one field, or of a body that is no JSON
    json_syntax = "json_syntax"
    json_not_utf8 = "json_not_utf8"
    json_too_deep = "json_too_deep"
    json_repeated_field = "json_repeated_field"
    csv_syntax = "csv_syntax"
    not_in_encoding = "not_in_encoding"
    charset_wrong = "charset_wrong"
    several_tables = "several_tables"
    headings_not_found = "headings_not_found"
    heading_missing = "heading_missing"
    heading_repeated = "heading_repeated"
    cell_without_heading = "cell_without_heading"
    too_many_columns = "too_many_columns"
    required = "required"
    unknown_field = "unknown_field"
    unknown_parameter = "unknown_parameter"
    repeated_parameter = "repeated_parameter"
    invalid = "invalid"
    not_text = "not_text"
    not_a_whole_number = "not_a_whole_number"
    not_true_or_false = "not_true_or_false"
    not_an_object = "not_an_object"
    not_a_list = "not_a_list"
    not_null = "not_null"
    not_allowed = "not_allowed"
    too_short = "too_short"
    too_long = "too_long"
    too_small = "too_small"
    too_large = "too_large"
    bad_format = "bad_format"
    bad_characters = "bad_characters"
    time_invalid = "time_invalid"
    time_in_future = "time_in_future"
    date_invalid = "date_invalid"
    not_a_figure = "not_a_figure"
    percent_cell = "percent_cell"
    figure_not_finite = "figure_not_finite"
    too_many_digits = "too_many_digits"
    period_invalid = "period_invalid"
    period_wrong_frequency = "period_wrong_frequency"
    period_outside_plan = "period_outside_plan"
    period_order = "period_order"
    usci_invalid = "usci_invalid"
    unit_unknown = "unit_unknown"
    unit_ambiguous = "unit_ambiguous"
    unit_needed = "unit_needed"
    unit_is_group = "unit_is_group"
    measure_differs = "measure_differs"
    unit_repeated = "unit_repeated"
    row_repeated = "row_repeated"
    alias_repeated = "alias_repeated"
    not_a_group = "not_a_group"
    group_cycle = "group_cycle"
    parent_cycle = "parent_cycle"
    date_order = "date_order"
    goal_order = "goal_order"
    goal_to_needed = "goal_to_needed"
    goal_unchanged = "goal_unchanged"
    year_unknown = "year_unknown"
    title_unknown = "title_unknown"
    unknown_reference = "unknown_reference"
    template_too_long = "template_too_long"
    idempotency_key_invalid = "idempotency_key_invalid"


@dataclass(frozen=True)
class Fault:
    """One wrong thing in a request.

    `pointer` is RFC 6901 into the body, or `/query/<name>`, `/path/<name>`, `/header/<name>`; `params` fill the
    sentence of `code`; `suggestions` are valid values, nearest first.
    """

    pointer: str
    code: ErrorCode
    params: Mapping[str, object] = field(default_factory=dict)
    suggestions: Sequence[str] = ()


class ServiceError(Exception):
    """A refusal. `params` fill its sentence, `faults` name the fields, `current` is the row that stands in the way."""

    status: ClassVar[int]
    code: ClassVar[ErrorCode]
    members: Mapping[str, Any] = {}  # what the problem says beside the fields that all problems have
    table: bytes | None = None

    def __init__(
        self,
        *faults: Fault,
        current: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **params: object,
    ) -> None:
        super().__init__(self.code, *faults)
        self.faults = faults
        self.current = current
        self.headers = dict(headers or {})
        self.params = params

    def __str__(self) -> str:
        told = [f"{fault.pointer}: {fault.code}" for fault in self.faults]
        return "; ".join([f"{self.code} {self.params}" if self.params else self.code, *told])


class MalformedJson(ServiceError):
    """The body is not JSON, or names a field twice."""

    status, code = 400, ErrorCode.malformed_json

    def __init__(self, code: ErrorCode, **params: object) -> None:
        super().__init__(Fault("", code, params))


class BadCursor(ServiceError):
    """A cursor that this list, with these filters, did not give."""

    status, code = 400, ErrorCode.bad_cursor


class BadRequest(ServiceError):
    """A request that cannot be read."""

    status, code = 400, ErrorCode.bad_request


class Unauthenticated(ServiceError):
    """No key, or one that is unknown, expired or revoked."""

    status, code = 401, ErrorCode.unauthenticated


class Forbidden(ServiceError):
    """The key lacks the scope."""

    status, code = 403, ErrorCode.forbidden


class NotYourUnit(ServiceError):
    """The unit is none of the client's own, their members or descendants."""

    status, code = 403, ErrorCode.not_your_unit


class UnitNotAssigned(ServiceError):
    """The unit does not answer for the target."""

    status, code = 403, ErrorCode.unit_not_assigned


class NotFound(ServiceError):
    """Nothing has this code."""

    status, code = 404, ErrorCode.not_found


class NoSuchPath(ServiceError):
    """No operation lives at this path."""

    status, code = 404, ErrorCode.no_such_path


class NothingToReport(ServiceError):
    """The units that are asked for answer for no indicator of the plan."""

    status, code = 404, ErrorCode.nothing_to_report


class MethodNotAllowed(ServiceError):
    """The path exists, but not for this method."""

    status, code = 405, ErrorCode.method_not_allowed


class AlreadyExists(ServiceError):
    """Something else has this code, name or number."""

    status, code = 409, ErrorCode.already_exists


class StaleVersion(ServiceError):
    """The row has moved on since the caller read it."""

    status, code = 409, ErrorCode.stale_version


class TransitionRefused(ServiceError):
    """A value cannot go from where it stands in review to where it was meant to go."""

    status, code = 409, ErrorCode.transition_refused


class Conflict(ServiceError):
    """The write contradicts what is stored."""

    status, code = 409, ErrorCode.conflict


class ValuesOutsidePlan(ServiceError):
    """Values would lie outside the days of their plan."""

    status, code = 409, ErrorCode.values_outside_plan


class PreconditionFailed(ServiceError):
    """`If-Match` names an older state."""

    status, code = 412, ErrorCode.precondition_failed


class BodyTooLarge(ServiceError):
    """The body is larger than the setting allows."""

    status, code = 413, ErrorCode.body_too_large


class TooManyRows(ServiceError):
    """A batch has more rows than one request may have."""

    status, code = 413, ErrorCode.too_many_rows


class UnsupportedMediaType(ServiceError):
    """The body's `Content-Type` is not one the operation takes."""

    status, code = 415, ErrorCode.unsupported_media_type


class InvalidRequest(ServiceError):
    """One or more fields are wrong; `faults` names each."""

    status, code = 422, ErrorCode.invalid_request


class BatchRejected(ServiceError):
    """Rows of a batch are wrong, and nothing of it was written; the report's fields stand beside those of the problem.

    `report` are these fields; `table`, where the caller prefers CSV, is what the answer is instead.
    """

    status, code = 422, ErrorCode.batch_rejected

    def __init__(
        self, *faults: Fault, report: Mapping[str, Any], table: bytes | None, received: int, rejected: int
    ) -> None:
        super().__init__(*faults, received=received, rejected=rejected)
        self.members, self.table = report, table


class DocumentEmpty(ServiceError):
    """A document without a word in it."""

    status, code = 422, ErrorCode.document_empty

    def __init__(self) -> None:
        super().__init__()


class DocumentUnreadable(ServiceError):
    """A document that is not text in a known encoding."""

    status, code = 422, ErrorCode.document_unreadable

    def __init__(self, reason: str, *faults: Fault) -> None:
        super().__init__(*faults, reason=reason)


class WorkbookUnreadable(ServiceError):
    """A spreadsheet that is no XLSX, is encrypted, or is too large once unpacked."""

    status, code = 422, ErrorCode.workbook_unreadable


class DocumentWithoutTargets(ServiceError):
    """A text in which no numbered target was recognised."""

    status, code = 422, ErrorCode.document_without_targets


class ValuesOfOtherPeriods(ServiceError):
    """Values of an indicator have periods that another frequency does not have."""

    status, code = 409, ErrorCode.values_of_other_periods


class IdempotencyKeyInUse(ServiceError):
    """A request with the same `Idempotency-Key` is still being served."""

    status, code = 409, ErrorCode.idempotency_key_in_use


class IdempotencyKeyReused(ServiceError):
    """The `Idempotency-Key` stands for another request."""

    status, code = 422, ErrorCode.idempotency_key_reused


class InternalError(ServiceError):
    """A fault of the service itself."""

    status, code = 500, ErrorCode.internal_error


class Unavailable(ServiceError):
    """The database does not answer, or other writers hold it too long."""

    status, code = 503, ErrorCode.unavailable


def invalid(pointer: str, code: ErrorCode, suggestions: Sequence[str] = (), **params: object) -> InvalidRequest:
    """The refusal of a single field."""
    return InvalidRequest(Fault(pointer, code, params, suggestions))
