"""What holds for every batch, whatever stands in it: Hypothesis looks for one of which it does not hold."""

from typing import Any

from httpx2 import Response
from hypothesis import given
from hypothesis import strategies as st

from app.db import Database
from app.tables import metadata
from app.targets.documents import rebuild
from tests.client import AppClient
from tests.conftest import Api
from tests.history import snapshot
from tests.trying import undone

BATCH = "/api/v1/values/batch"
WRITTEN = ("value_revisions", "latest_values", "values", "changes")
SHARE, EACH_COUNTY = "xianning-2023.58.1", "xianning-2023.60.1"
Row = dict[str, Any]

indicators = st.sampled_from([SHARE, SHARE, SHARE, EACH_COUNTY, "xianning-2023.58.2", 5])
units = st.sampled_from(["嘉鱼县政府", "嘉鱼县政府", "市教育局", "咸安区政府", "市教肓局", "市科技局", None])
# each ends on its own day: of those that end together the newest is told by when they came
periods = st.sampled_from(["2023-01", "2023-02", "2023-03", "2023-04-01", "2023-H1", "2023-13", "2024-01"])
values = st.sampled_from([0, 1, 1, 2, 2.5, "x", None])
rows = st.fixed_dictionaries(
    {"indicator": indicators, "period": periods, "value": values, "unit": units},
    optional={"note": st.sampled_from(["a", None, 5]), "expected_version": st.sampled_from([0, 0, 1, 2, -1, None])},
)
batches = st.lists(rows, max_size=8)
before = st.lists(rows, max_size=6)
clients = st.sampled_from(["jiayu", "admin"])


def key_of(row: Row) -> tuple[object, ...]:
    """What two rows of one batch may not share; a unit that is left out is the client's own."""
    return row["indicator"], row["unit"] or "嘉鱼县政府", row["period"]


distinct = st.lists(rows, max_size=8, unique_by=key_of)


def post(client: AppClient, batch: list[Row], **query: str) -> Response:
    response: Response = client.post(BATCH, json=batch, params=query)
    assert response.status_code in (200, 422), response.text
    return response


def start(api: Api, database: Database, *batches: tuple[str, list[Row]]) -> None:
    """Forget all values, and begin with those that some clients have recorded."""
    with database.writer.begin() as connection:
        for table in WRITTEN:
            connection.execute(metadata.tables[table].delete())
    with database.writing() as session:
        rebuild(session)
    for client, batch in batches:
        post(getattr(api, client), batch, on_error="skip")


def told(response: Response) -> dict[str, Any]:
    """The report, but for what a dry run must say otherwise, and what each request has of its own."""
    return {
        name: value
        for name, value in response.json().items()
        if name not in ("dry_run", "committed", "request_id", "instance")
    }


def state(database: Database) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """What is in force and what is newest, but for when and by which request it was written."""
    found = snapshot(database, "values", "latest_values")
    values, latest = (sorted((_said(name, row) for row in rows), key=repr) for name, rows in found.items())
    return values, latest


def _said(table: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
    cells = zip(metadata.tables[table].columns.keys(), row, strict=True)
    return tuple(cell for name, cell in cells if name not in ("recorded_at", "request_id"))


class TestEveryBatch:
    @undone
    @given(before=before, batch=batches, client=clients, on_error=st.sampled_from(["abort", "skip"]))
    def test_dry_run_tells_what_will_happen_and_leaves_nothing(
        self, api: Api, database: Database, before: list[Row], batch: list[Row], client: str, on_error: str
    ) -> None:
        start(api, database, ("admin", before))
        stood = snapshot(database)
        tried = post(getattr(api, client), batch, on_error=on_error, dry_run="true")
        assert snapshot(database) == stood
        real = post(getattr(api, client), batch, on_error=on_error)
        assert tried.status_code == real.status_code
        assert told(tried) == told(real)
        assert (tried.json()["committed"], real.json()["committed"]) == (False, real.status_code == 200)
        report = real.json()
        written = report["created"] + report["updated"] if report["committed"] else 0
        assert len(snapshot(database, "changes")["changes"]) == len(stood["changes"]) + written

    @undone
    @given(before=before, batch=batches, client=clients, on_error=st.sampled_from(["abort", "skip"]))
    def test_twice_is_once(
        self, api: Api, database: Database, before: list[Row], batch: list[Row], client: str, on_error: str
    ) -> None:
        start(api, database, ("admin", before))
        first = post(getattr(api, client), batch, on_error=on_error)
        stood = snapshot(database)
        second = post(getattr(api, client), batch, on_error=on_error)
        assert snapshot(database) == stood
        assert second.status_code == first.status_code
        expected = told(first)
        if first.json()["committed"]:
            expected["unchanged"] += expected.pop("created") + expected.pop("updated")
            expected |= {"created": 0, "updated": 0}
        assert told(second) == expected

    @undone
    @given(before=before, batch=distinct, client=clients, data=st.data())
    def test_order_of_the_rows_does_not_matter(
        self, api: Api, database: Database, before: list[Row], batch: list[Row], client: str, data: st.DataObject
    ) -> None:
        start(api, database, ("admin", before))
        post(getattr(api, client), batch, on_error="skip")
        one = state(database)
        start(api, database, ("admin", before))
        post(getattr(api, client), data.draw(st.permutations(batch)), on_error="skip")
        assert state(database) == one

    @undone
    @given(before=before, batch=distinct, client=clients)
    def test_rows_become_what_single_posts_of_them_become(
        self, api: Api, database: Database, before: list[Row], batch: list[Row], client: str
    ) -> None:
        start(api, database, ("admin", before))
        problems = post(getattr(api, client), batch, on_error="skip").json()["problems"]
        together = state(database)
        start(api, database, ("admin", before))
        for number, row in enumerate(batch, 1):
            single = getattr(api, client).post("/api/v1/values", json=row)
            said = {(problem["pointer"], problem["code"]) for problem in problems if problem["row"] == number}
            if single.status_code in (200, 201):
                assert not said
                continue
            faults = {(fault["pointer"], fault["code"]) for fault in single.json()["errors"]}
            assert faults <= said, (single.json(), said)
            assert faults or single.json()["code"] in {code for _, code in said}, (single.json(), said)
        assert state(database) == together
