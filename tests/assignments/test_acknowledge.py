"""POST /assignments/{assignment}/acknowledgement (签收)."""

from concurrent.futures import ThreadPoolExecutor

from httpx2 import Response
from sqlalchemy import select
from sqlmodel import col

from app.db import Database
from app.tables import Assignment, Client
from tests.asking import ANYONE, bound_to, codes, faults, listed, suggestions, told
from tests.client import AppClient
from tests.conftest import MERGE_PATCH, Api
from tests.history import changes_after, last_change, snapshot

EDUCATION = "xianning-2023.58:xianning-education-bureau:lead"
JIAYU = "xianning-2023.58:jiayu-county-government:responsible"


def acknowledge(client: AppClient, code: str) -> Response:
    return client.post(f"/api/v1/assignments/{code}/acknowledgement")


class TestAccess:
    def test_truth_table(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        foreign = {"anonymous": 401} | dict.fromkeys(ANYONE, 403)
        unknown = "xianning-2023.58:xianning-education-bureau:supporting"
        reporters = dict.fromkeys(("admin", "education", "science", "jiayu", "counties", "unbound"), 404)
        assert told(api, "POST", f"/assignments/{unknown}/acknowledgement") == foreign | reporters
        for client in (api.science, api.jiayu, api.counties, api.unbound):
            assert acknowledge(client, EDUCATION).json()["code"] == "not_your_unit"
        for client in (api.reader, api.reviewer):
            assert acknowledge(client, EDUCATION).json()["code"] == "forbidden"
        for client in (api.education, api.science, api.unbound):
            assert acknowledge(client, JIAYU).json()["code"] == "not_your_unit"
        assert snapshot(database) == before
        for client in ("admin", "education"):
            assert acknowledge(getattr(api, client), EDUCATION).status_code == 200

    def test_foreign_unit_is_named(self, api: Api) -> None:
        refused = api.education.post(f"/api/v1/assignments/{JIAYU}/acknowledgement", headers={"Accept-Language": "en"})
        assert refused.status_code == 403
        assert "jiayu-county-government" in refused.json()["detail"]
        assert "education" in refused.json()["detail"]

    def test_members_of_an_own_group(self, api: Api) -> None:
        for unit in ("jiayu-county-government", "chibi-city-government"):
            assert acknowledge(api.counties, f"xianning-2023.58:{unit}:responsible").status_code == 200
        # a member does not speak for the other members, nor for its group
        assert acknowledge(api.jiayu, JIAYU).status_code == 200
        assert acknowledge(api.jiayu, "xianning-2023.58:chibi-city-government:responsible").status_code == 403

    def test_units_below_an_own_unit(self, api: Api, database: Database) -> None:
        finance = "xianning-2023.59:xianning-finance-bureau:responsible"
        assert acknowledge(api.education, finance).status_code == 403
        for unit, parent in (("市财政局", "市科协"), ("市科协", "市教育局")):
            response = api.admin.patch(f"/api/v1/units/{unit}", json={"parent": parent}, headers=MERGE_PATCH)
            assert response.status_code == 200
        assert acknowledge(api.education, finance).status_code == 200
        # and not the other way round
        assert acknowledge(bound_to(api, database, "市财政局"), EDUCATION).status_code == 403

    def test_group_of_unknown_members_by_its_own_client(self, api: Api, database: Database) -> None:
        card = "xianning-2023.76:xianning-talent-card-members:responsible"
        assert acknowledge(api.counties, card).status_code == 403
        client = bound_to(api, database, "“香城人才卡”联席会议成员单位", "市教育局")
        assert acknowledge(client, card).status_code == 200
        assert acknowledge(client, EDUCATION).status_code == 200


class TestAcknowledgeAssignment:
    def test_time_of_the_first_counts(self, api: Api, database: Database) -> None:
        (before,) = listed(api.reader, "/assignments", target="xianning-2023.58", role="lead")
        number = last_change(database)
        response = acknowledge(api.education, EDUCATION)
        assert response.status_code == 200
        after = response.json()
        assert after["acknowledged_at"] == after["updated_at"] > before["updated_at"]
        assert after == before | {name: after[name] for name in ("acknowledged_at", "updated_at")}
        assert listed(api.reader, "/assignments", target="xianning-2023.58", role="lead") == [after]
        assert changes_after(database, number) == [("assignment.acknowledged", EDUCATION, after)]
        with database.reading() as session:
            by = select(col(Client.code)).join(Assignment, col(Assignment.acknowledged_by_id) == col(Client.id))
            assert session.execute(by).scalars().all() == ["education"]
        stands = snapshot(database)
        for client in (api.education, api.admin):
            again = acknowledge(client, EDUCATION)
            assert (again.status_code, again.json()) == (200, after)
        assert snapshot(database) == stands

    def test_of_many_at_once_one_counts(self, api: Api, database: Database) -> None:
        number = last_change(database)
        with ThreadPoolExecutor(4) as clients:
            answers = list(clients.map(lambda client: acknowledge(client, JIAYU), [api.jiayu, api.counties] * 2))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["acknowledged_at"] for answer in answers}) == 1
        assert [kind for kind, _, _ in changes_after(database, number)] == ["assignment.acknowledged"]

    def test_updated_after_brings_it_back(self, api: Api) -> None:
        seen = max(one["updated_at"] for one in listed(api.reader, "/assignments"))
        assert acknowledge(api.jiayu, JIAYU).status_code == 200
        assert codes(api.reader, "/assignments", updated_after=seen) == [JIAYU]

    def test_a_body_is_not_needed_and_not_read(self, api: Api) -> None:
        assert api.jiayu.post(f"/api/v1/assignments/{JIAYU}/acknowledgement", content=b"{").status_code == 200

    def test_unknown_404_with_the_nearest(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for code, nearest in {
            "xianning-2023.58:xianning-education-bureau:responsible": EDUCATION,
            "xianning-2023.58:xianning-educatoin-bureau:lead": EDUCATION,
            "xianning-2023.58:jiayu-government:responsible": JIAYU,
        }.items():
            response = acknowledge(api.admin, code)
            assert (response.status_code, response.json()["code"]) == (404, "not_found")
            assert faults(response) == [("/path/assignment", "unknown_reference")]
            assert suggestions(response)[0] == nearest
        assert suggestions(acknowledge(api.admin, "xianning-2023.99:xianning-education-bureau:lead")) == []
        # a printed group has no assignment of its own once its members are known
        assert acknowledge(api.counties, "xianning-2023.58:xianning-county-governments:responsible").status_code == 404
        assert snapshot(database) == before

    def test_no_code_422(self, api: Api) -> None:
        for code in (
            "xianning-2023.58",
            "a:b:leader",
            "a:b:lead:c",
            "A:b:lead",
            "%00:b:lead",
            "a:b:lead%0A",
            "a" * 300,
        ):
            response = acknowledge(api.admin, code)
            assert response.status_code == 422, code
            assert faults(response)[0][0] == "/path/assignment"
        query = api.admin.post(f"/api/v1/assignments/{JIAYU}/acknowledgement?by=me")
        assert faults(query) == [("/query/by", "unknown_parameter")]
