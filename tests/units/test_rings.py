"""Changes of the register that are right one by one and would close a ring together."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.conftest import MERGE_PATCH, Api

ROUNDS = 5


@pytest.mark.parametrize(("field", "kind"), [("parent", "department"), ("members", "group")])
def test_of_two_at_once_that_would_close_a_ring_one_is_refused(api: Api, field: str, kind: str) -> None:
    def unit(code: str, **fields: object) -> None:
        body = {"code": code, "name": f"环{code}", "kind": kind} | fields
        assert api.admin.post("/api/v1/units", json=body).status_code == 201

    def change(code: str, other: str, together: Barrier) -> int:
        together.wait(30)
        value: object = other if field == "parent" else [other]
        return api.admin.patch(f"/api/v1/units/{code}", json={field: value}, headers=MERGE_PATCH).status_code

    for number in range(ROUNDS):
        p, q = f"p{number}-", f"q{number}-"
        for name in (p, q):
            if field == "parent":
                unit(f"{name}1")
                unit(f"{name}2", parent=f"{name}1")
            else:
                unit(f"{name}2")
                unit(f"{name}1", members=[f"{name}2"])
        # p1 above p2 and q1 above q2: p1 below q2 and q1 below p2 would make a ring of the four
        changes = [(f"{p}1", f"{q}2"), (f"{q}1", f"{p}2")]
        if field == "members":
            changes = [(f"{p}2", f"{q}1"), (f"{q}2", f"{p}1")]
        together = Barrier(2)
        with ThreadPoolExecutor(2) as threads:
            statuses = sorted(threads.map(lambda pair: change(*pair, together), changes))  # noqa: B023 - run at once
        assert statuses == [200, 422]
