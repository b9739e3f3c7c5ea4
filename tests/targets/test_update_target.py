"""PATCH /targets/{target}: its words, its day, and who answers for it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from httpx2 import Response

from app.db import Database
from tests.asking import ANYONE, codes, faults, listed, suggestions, told
from tests.client import AppClient
from tests.conftest import MERGE_PATCH, Api
from tests.history import changes_after, last_change, snapshot

TARGET = "xianning-2023.65"  # led by 市科技局, with 市财政局 and 市地方金融工作局
LEAD = {"unit": "市科技局", "role": "lead"}
FINANCE = {"unit": "市财政局", "role": "responsible"}
LOCAL_FINANCE = {"unit": "市地方金融工作局", "role": "responsible"}
GROUP = "各县市区人民政府"
DENIED = {"anonymous": 401} | dict.fromkeys(ANYONE, 403)


def patch(client: AppClient, target: str = TARGET, if_match: str | None = None, **fields: object) -> Response:
    headers = MERGE_PATCH | ({"If-Match": if_match} if if_match is not None else {})
    return client.patch(f"/api/v1/targets/{target}", json=fields, headers=headers)


def get(api: Api, target: str = TARGET) -> Any:
    return api.reader.get(f"/api/v1/targets/{target}").json()


def assigned(api: Api, target: str = TARGET) -> dict[str, str | None]:
    """A target's assignments: `unit:role` with the group each came through."""
    return {
        item["code"].removeprefix(f"{target}:"): item["via"] and item["via"]["code"]
        for item in listed(api.reader, "/assignments", target=target)
    }


def told_of(database: Database, number: int) -> list[tuple[str, str]]:
    """What changed after a change, the target's own code left out."""
    return [(kind, code.removeprefix(f"{TARGET}:")) for kind, code, _ in changes_after(database, number)]


class TestAccess:
    def test_truth_table(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        path, headers = f"/targets/{TARGET}", MERGE_PATCH
        # who may not is refused before anything is said of the body
        assert told(api, "PATCH", path, content=b"{", headers=headers) == DENIED | {"admin": 400}
        assert told(api, "PATCH", path, content=b"{}", headers={"Content-Type": "a/b"}) == DENIED | {"admin": 415}
        assert told(api, "PATCH", "/targets/nothing", content=b"{}", headers=headers) == DENIED | {"admin": 404}
        assert told(api, "PATCH", path, json={"statement": ""}, headers=headers) == DENIED | {"admin": 422}
        assert told(api, "PATCH", path, json={}, headers=headers) == DENIED | {"admin": 200}
        assert snapshot(database) == before


class TestFields:
    def test_statement_and_day(self, api: Api, database: Database) -> None:
        before, number = get(api), last_change(database)
        response = patch(api.admin, statement="　设立３支基金。 ", due_on="2023-10-31")
        assert response.status_code == 200
        after = response.json()
        assert after == get(api)
        fields = {"statement": "设立３支基金。", "due_on": "2023-10-31"}
        assert after == before | fields | {"updated_at": after["updated_at"]}
        assert after["updated_at"] > before["updated_at"]
        assert changes_after(database, number) == [("target.changed", TARGET, after)]
        assert codes(api.reader, "/targets", q="设立3支") == [TARGET]
        assert patch(api.admin, due_on=None).json()["due_on"] is None
        assert listed(api.reader, "/assignments", target=TARGET)[0]["target"]["statement"] == "设立３支基金。"

    def test_same_again_changes_nothing(self, api: Api, database: Database) -> None:
        target, before = get(api), snapshot(database)
        for fields in (
            {},
            {"statement": target["statement"], "due_on": None},
            {"statement": f"\n{target['statement']}"},
            {"units": [LEAD, FINANCE, LOCAL_FINANCE]},
            {
                "units": [LEAD | {"unit": "xianning-science-and-technology-bureau"}, FINANCE, LOCAL_FINANCE],
                "due_on": None,
            },
        ):
            response = patch(api.admin, **fields)
            assert (response.status_code, response.json()) == (200, target)
        assert snapshot(database) == before

    def test_wrong_fields_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        unknown = {"unit": "市教肓局", "role": "lead"}
        for fields, expected in [
            ({"statement": None}, [("/statement", "not_text")]),
            ({"statement": " "}, [("/statement", "too_short")]),
            ({"statement": "a\x00"}, [("/statement", "bad_characters")]),
            ({"statement": "字" * 4001}, [("/statement", "too_long")]),
            ({"due_on": "2023-02-30"}, [("/due_on", "date_invalid")]),
            ({"due_on": "2023-06"}, [("/due_on", "date_invalid")]),
            ({"due_on": 2023}, [("/due_on", "date_invalid")]),
            ({"units": None}, [("/units", "not_a_list")]),
            ({"units": {"unit": "a"}}, [("/units", "not_a_list")]),
            ({"units": ["市教育局"]}, [("/units/0", "not_an_object")]),
            ({"units": [{"unit": "市教育局"}]}, [("/units/0/role", "required")]),
            ({"units": [{"unit": "市教育局", "role": "boss"}]}, [("/units/0/role", "not_allowed")]),
            ({"units": [LEAD | {"name": "x"}]}, [("/units/0/name", "unknown_field")]),
            ({"units": [LEAD, unknown]}, [("/units/1/unit", "unit_unknown")]),
            (
                {"units": [unknown, LEAD, unknown]},
                [("/units/0/unit", "unit_unknown"), ("/units/2/unit", "unit_unknown")],
            ),
            ({"units": [LEAD, FINANCE, LEAD | {"unit": "咸宁市科学技术局"}]}, [("/units/2", "unit_repeated")]),
            ({"units": [LEAD] * 101}, [("/units", "too_long")]),
            ({"number": "1"}, [("/number", "unknown_field")]),
            ({"statment": "x", "due": None}, [("/statment", "unknown_field"), ("/due", "unknown_field")]),
        ]:
            response = patch(api.admin, **fields)
            assert (response.status_code, faults(response)) == (422, expected), fields
        assert suggestions(patch(api.admin, statment="x"))[0] == "statement"
        assert suggestions(patch(api.admin, units=[unknown]))[0] == "市教育局"
        assert patch(api.admin, "xianning-2023.99", due_on=None).status_code == 404
        assert snapshot(database) == before

    def test_a_wrong_unit_keeps_the_other_fields_from_being_written(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        assert patch(api.admin, statement="新", units=[LEAD, LEAD]).status_code == 422
        assert snapshot(database) == before


class TestIfMatch:
    def test_stale_412_with_the_current_row(self, api: Api, database: Database) -> None:
        old = api.reader.get(f"/api/v1/targets/{TARGET}").headers["ETag"]
        assert patch(api.admin, if_match=old, due_on="2023-10-31").status_code == 200
        before = snapshot(database)
        refused = patch(api.admin, if_match=old, due_on="2023-11-30")
        assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
        assert refused.json()["current"] == get(api)
        assert refused.headers["ETag"] == api.reader.get(f"/api/v1/targets/{TARGET}").headers["ETag"]
        assert snapshot(database) == before
        assert patch(api.admin, if_match=refused.headers["ETag"], due_on="2023-11-30").status_code == 200

    def test_of_two_writers_at_once_one_is_refused(self, api: Api) -> None:
        etag = api.reader.get(f"/api/v1/targets/{TARGET}").headers["ETag"]
        days = [f"2023-11-{day}" for day in range(10, 14)]
        with ThreadPoolExecutor(len(days)) as writers:
            answers = list(writers.map(lambda day: patch(api.admin, if_match=etag, due_on=day), days))
        assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
        (written,) = (answer.json() for answer in answers if answer.status_code == 200)
        assert get(api) == written
        assert all(answer.json()["current"] == written for answer in answers if answer.status_code == 412)


class TestUnits:
    def test_assignments_are_created_and_removed(self, api: Api, database: Database) -> None:
        science, finance, local = (
            *("xianning-science-and-technology-bureau:lead", "xianning-finance-bureau:responsible"),
            "xianning-local-finance-bureau:responsible",
        )
        assert assigned(api) == dict.fromkeys([science, finance, local])
        number = last_change(database)
        response = patch(
            api.admin, units=[LEAD | {"unit": "市教育局"}, FINANCE, LOCAL_FINANCE | {"role": "supporting"}]
        )
        assert [(unit["name"], unit["role"]) for unit in response.json()["units"]] == [
            ("咸宁市教育局", "lead"),
            ("咸宁市财政局", "responsible"),
            ("咸宁市地方金融工作局", "supporting"),
        ]
        moved = local.replace("responsible", "supporting")
        assert assigned(api) == dict.fromkeys([finance, "xianning-education-bureau:lead", moved])
        assert told_of(database, number) == [
            ("assignment.created", "xianning-education-bureau:lead"),
            ("assignment.created", moved),
            ("assignment.removed", science),
            ("assignment.removed", local),
            ("target.changed", TARGET),
        ]
        assert TARGET not in codes(api.reader, "/targets", unit="市科技局")
        assert TARGET in codes(api.reader, "/targets", unit="市教育局", role="lead")

    def test_restored_ones_must_be_acknowledged_anew(self, api: Api, database: Database) -> None:
        code = f"{TARGET}:xianning-science-and-technology-bureau:lead"
        assert api.science.post(f"/api/v1/assignments/{code}/acknowledgement").status_code == 200
        assert patch(api.admin, units=[FINANCE, LOCAL_FINANCE]).status_code == 200
        assert code not in codes(api.reader, "/assignments")
        number = last_change(database)
        assert patch(api.admin, units=[LEAD, FINANCE, LOCAL_FINANCE]).status_code == 200
        assert told_of(database, number) == [
            ("assignment.created", "xianning-science-and-technology-bureau:lead"),
            ("target.changed", TARGET),
        ]
        (item,) = (one for one in listed(api.reader, "/assignments", target=TARGET) if one["code"] == code)
        assert item["acknowledged_at"] is None
        assert api.science.post(f"/api/v1/assignments/{code}/acknowledgement").status_code == 200

    def test_group_stands_once_and_assigns_its_members(self, api: Api, database: Database) -> None:
        number = last_change(database)
        response = patch(api.admin, units=[{"unit": GROUP, "role": "supporting"}])
        assert response.json()["units"] == [
            {"code": "xianning-county-governments", "name": GROUP, "role": "supporting"}
        ]
        assert len(assigned(api)) == 6
        assert set(assigned(api).values()) == {"xianning-county-governments"}
        assert [kind for kind, _ in told_of(database, number)] == [
            *["assignment.created"] * 6,
            *["assignment.removed"] * 3,
            "target.changed",
        ]

    def test_unit_named_directly_and_through_a_group_is_one_direct_assignment(
        self, api: Api, database: Database
    ) -> None:
        group, jiayu = {"unit": GROUP, "role": "lead"}, {"unit": "嘉鱼县政府", "role": "lead"}
        through = "xianning-county-governments"
        assert patch(api.admin, units=[group]).status_code == 200
        code = f"{TARGET}:jiayu-county-government:lead"
        acknowledged = api.jiayu.post(f"/api/v1/assignments/{code}/acknowledgement").json()
        number = last_change(database)
        assert patch(api.admin, units=[group, jiayu]).status_code == 200
        assert assigned(api)["jiayu-county-government:lead"] is None
        assert sorted(map(str, assigned(api).values())) == ["None", *[through] * 5]
        assert told_of(database, number)[0] == ("assignment.changed", "jiayu-county-government:lead")
        (item,) = (one for one in listed(api.reader, "/assignments", unit="嘉鱼县政府") if one["code"] == code)
        # how it came about has changed, not what the unit took notice of
        assert item["acknowledged_at"] == acknowledged["acknowledged_at"]
        assert patch(api.admin, units=[jiayu]).status_code == 200
        assert assigned(api) == {"jiayu-county-government:lead": None}
        assert patch(api.admin, units=[group, jiayu | {"role": "supporting"}]).status_code == 200
        assert assigned(api)["jiayu-county-government:lead"] == through
        assert assigned(api)["jiayu-county-government:supporting"] is None
        assert len(assigned(api)) == 7

    def test_nobody(self, api: Api) -> None:
        assert patch(api.admin, units=[]).json()["units"] == []
        assert assigned(api) == {}
        assert patch(api.admin, units=[]).status_code == 200

    def test_order_alone_changes_the_target_and_no_assignment(self, api: Api, database: Database) -> None:
        number = last_change(database)
        assert patch(api.admin, units=[FINANCE, LOCAL_FINANCE, LEAD]).status_code == 200
        assert [unit["name"] for unit in get(api)["units"]][-1] == "咸宁市科学技术局"
        assert told_of(database, number) == [("target.changed", TARGET)]
