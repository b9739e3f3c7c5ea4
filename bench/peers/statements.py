"""The jobs in plain SQL, for both engines: what the hand-written service asks, and what an engine alone needs.

Parameters are written `:name`. Rows are for who makes the JSON himself; `one_json` has the engine make it.
"""

import re
from dataclasses import dataclass

_COLUMNS = (
    "indicator_id", "period", "unit_id", "period_end", "value", "status", "version", "recorded_at", "client_id",
    "request_id",
)  # fmt: skip
VALUE_COLUMNS = ", ".join(_COLUMNS)
ASSIGNMENTS, TARGET, SEARCH = "J1", "J2", "J5"  # the jobs that read


@dataclass(frozen=True)
class Dialect:
    """How an engine says what the two say differently."""

    keys: str  # a condition that a number is one of a list
    figure: str  # a figure as a floating-point number
    time: str  # an instant as RFC 3339
    json_object: str
    json_list: str  # of what a subquery gives, in its order


SQLITE = Dialect(
    keys="IN (SELECT value FROM json_each(:keys))",
    figure="{} / 1e6",
    time="strftime('%Y-%m-%dT%H:%M:%SZ', {})",
    json_object="json_object({})",
    json_list="json_group_array({})",
)
POSTGRESQL = Dialect(
    keys="= ANY(:keys)",
    figure="CAST({} AS double precision)",
    time="""to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')""",
    json_object="json_build_object({})",
    json_list="coalesce(json_agg({}), '[]')",
)

_NEWEST_UNIT = """(
    SELECT o.unit_id FROM latest_values o WHERE o.indicator_id = i.id
    ORDER BY o.period_end DESC, o.recorded_at DESC, o.unit_id LIMIT 1)"""
_FROM_TARGETS = """
    FROM targets t JOIN plans p ON p.id = t.plan_id
    LEFT JOIN sections s ON s.id = t.section_id LEFT JOIN sections h ON h.id = s.parent_id"""
_FROM_ASSIGNMENTS = """
    FROM units u JOIN assignments a ON a.unit_id = u.id JOIN targets t ON t.id = a.target_id
    JOIN plans p ON p.id = t.plan_id LEFT JOIN units v ON v.id = a.via_id
    LEFT JOIN sections s ON s.id = t.section_id LEFT JOIN sections h ON h.id = s.parent_id"""
_OF_UNIT = "WHERE u.code = :unit AND a.removed_at IS NULL AND a.id > :after ORDER BY a.id LIMIT :limit"
_OF_CODE = "WHERE t.code = :code AND t.removed_at IS NULL"
_OF_PLAN = """WHERE p.code = :plan AND t.removed_at IS NULL AND t.search_text LIKE :pattern AND t.position > :after
    ORDER BY t.position, t.id LIMIT :limit"""
_FILTERS = {
    ASSIGNMENTS: f"{_FROM_ASSIGNMENTS} {_OF_UNIT}",
    TARGET: f"{_FROM_TARGETS} {_OF_CODE}",
    SEARCH: f"{_FROM_TARGETS} {_OF_PLAN}",
}


class Statements:
    """The statements for an engine."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        time = dialect.time.format
        target = "t.id, t.code, t.number, t.statement, p.code, h.heading, s.heading, t.due_on"
        whole = f'{target}, t.label, t.line, t.start, t."end", {time("t.updated_at")}, t.position'
        assignment = f"""a.id, a.role, a.unit_id, u.code, u.name, v.code, v.name,
            {time("a.acknowledged_at")}, {time("a.updated_at")}"""
        shown = {ASSIGNMENTS: f"{assignment}, {target}", TARGET: whole, SEARCH: whole}
        self.rows = {job: f"SELECT {columns} {_FILTERS[job]}" for job, columns in shown.items()}
        self.units = f"""
            SELECT w.target_id, n.code, n.name, w.role FROM target_units w JOIN units n ON n.id = w.unit_id
            WHERE w.target_id {dialect.keys} ORDER BY w.target_id, w.position"""  # noqa: S608 - from above, as all here
        self.indicators = f"""
            SELECT i.target_id, i.code, i.name, i.measure, i.comparator, {self._figure("g.goal")},
            {self._figure("g.goal_to")}, l.period, {self._figure("l.value")}
            {self._from_indicators(":unit_id")} WHERE i.target_id {dialect.keys} AND i.removed_at IS NULL
            ORDER BY i.target_id, i.ordinal"""

    def one_json(self, job: str) -> str:
        """One statement that answers one text of JSON for each item of a job."""
        time, json = self._dialect.time.format, self._json
        target = {
            "code": "t.code", "number": "t.number", "statement": "t.statement", "plan": "p.code",
            "section": self._list("q.heading", self._headings()), "due_on": "t.due_on",
            "units": self._list(json({"code": "q.code", "name": "q.name", "role": "q.role"}), self._units()),
            "indicators": self._list(self._indicator(), self._indicators_of(job)),
        }  # fmt: skip
        if job != ASSIGNMENTS:
            target |= {"label": "t.label", "line": "t.line", "start": "t.start", "end": 't."end"'}
            return f"SELECT {json(target | {'updated_at': time('t.updated_at')})} AS item {_FILTERS[job]}"
        item = {
            "code": "t.code || ':' || u.code || ':' || a.role",
            "role": "a.role",
            "unit": json({"code": "u.code", "name": "u.name"}),
            "via": f"CASE WHEN v.id IS NOT NULL THEN {json({'code': 'v.code', 'name': 'v.name'})} END",
            "acknowledged_at": time("a.acknowledged_at"),
            "updated_at": time("a.updated_at"),
            "target": json(target),
        }
        return f"SELECT {json(item)} AS item {_FILTERS[job]}"

    def _figure(self, column: str) -> str:
        return self._dialect.figure.format(column)

    def _json(self, fields: dict[str, str]) -> str:
        return self._dialect.json_object.format(", ".join(f"'{name}', {value}" for name, value in fields.items()))

    def _list(self, item: str, ordered: str) -> str:
        return f"(SELECT {self._dialect.json_list.format(item)} FROM ({ordered}) q)"  # noqa: S608

    def _headings(self) -> str:
        return "SELECT x.heading FROM sections x WHERE x.id IN (s.id, h.id) ORDER BY x.position"

    def _units(self) -> str:
        return """SELECT n.code, n.name, w.role FROM target_units w JOIN units n ON n.id = w.unit_id
            WHERE w.target_id = t.id ORDER BY w.position"""

    def _indicator(self) -> str:
        latest = self._json({"period": "q.period", "value": "q.value"})
        named = {name: f"q.{name}" for name in ("code", "name", "measure", "comparator", "goal", "goal_to")}
        return self._json(named | {"latest": f"CASE WHEN q.period IS NOT NULL THEN {latest} END"})

    def _indicators_of(self, job: str) -> str:
        return f"""SELECT i.code, i.name, i.measure, i.comparator, {self._figure("g.goal")} AS goal,
            {self._figure("g.goal_to")} AS goal_to, l.period, {self._figure("l.value")} AS value
            {self._from_indicators("a.unit_id" if job == ASSIGNMENTS else "NULL")}
            WHERE i.target_id = t.id AND i.removed_at IS NULL ORDER BY i.ordinal"""

    def _from_indicators(self, unit: str) -> str:
        """Indicators with goal and newest value: a unit's own where each member of a group must reach the goal."""
        own = f"i.each_member AND CAST({unit} AS bigint) IS NOT NULL"
        return f"""FROM indicators i JOIN goals g ON g.indicator_id = i.id AND g.version = i.goal_version
            LEFT JOIN latest_values l ON l.indicator_id = i.id
            AND l.unit_id = CASE WHEN {own} THEN CAST({unit} AS bigint) ELSE {_NEWEST_UNIT} END"""


def for_psycopg(statement: str) -> str:
    """A statement with its parameters as psycopg wants them."""
    return re.sub(r"(?<![:\w]):(\w+)", r"%(\1)s", statement.replace("%", "%%"))
