"""Writers that wait for one another leave the readers alone."""

import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

from sqlalchemy import select
from sqlmodel import col

from app.db import Database
from app.tables import Indicator
from tests.conftest import Template
from tests.server import running_server

INDICATOR = "xianning-2023.58.1"
MANY = 60  # more than a process has threads


def ask(port: int, key: str, method: str, path: str, body: str | None = None) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request(method, f"/api/v1/{path}", body=body, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_reads_are_answered_while_more_posts_wait_than_there_are_threads(seeded: Template, database: Database) -> None:
    body = json.dumps({"indicator": INDICATOR, "period": "2023-06", "value": 46.8})
    with running_server(seeded.url) as address, ThreadPoolExecutor(MANY) as threads:
        port = int(address.rpartition(":")[2])
        with database.writing() as session:
            held = select(Indicator).where(col(Indicator.code) == INDICATOR).with_for_update()
            session.execute(held)
            posts = [threads.submit(ask, port, seeded.keys["education"], "POST", "values", body) for _ in range(MANY)]
            reads = [ask(port, seeded.keys["reader"], "GET", "plans") for _ in range(3)]
            assert reads == [200, 200, 200]
            assert not any(post.done() for post in posts)
        statuses = [post.result() for post in posts]
    assert min(statuses) == 200
    assert statuses.count(201) == 1
    assert set(statuses) <= {200, 201, 503}
