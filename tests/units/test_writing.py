"""POST /units and PATCH /units/{unit}: fields, refusals, and the change record; groups have a file of their own."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from httpx2 import Response

from app.db import Database
from tests.asking import ANYONE, faults, suggestions, told
from tests.client import AppClient
from tests.conftest import MERGE_PATCH, Api
from tests.history import changes_after, last_change, snapshot

EDUCATION = "xianning-education-bureau"
USCI = "91350100M000100Y43"
NEW = {"code": "new-bureau", "name": "新设局", "kind": "department"}
DENIED = {"anonymous": 401} | dict.fromkeys(ANYONE, 403)
EMPTY = {
    "region_code": None,
    "usci": None,
    "parent": None,
    "aliases": [],
    "members": [],
    "valid_from": None,
    "valid_to": None,
}

WRONG_FIELDS: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({"code": "New"}, ("/code", "bad_format")),
    ({"code": "咸宁"}, ("/code", "bad_format")),
    ({"code": "-a"}, ("/code", "bad_format")),
    ({"code": "a:b"}, ("/code", "bad_format")),
    ({"code": "a\n"}, ("/code", "bad_format")),
    ({"code": ""}, ("/code", "too_short")),
    ({"code": "a" * 101}, ("/code", "too_long")),
    ({"code": None}, ("/code", "not_text")),
    ({"name": " \u3000"}, ("/name", "too_short")),
    ({"name": "a\x07"}, ("/name", "bad_characters")),
    ({"name": "名" * 201}, ("/name", "too_long")),
    ({"name": 5}, ("/name", "not_text")),
    ({"kind": "bureau"}, ("/kind", "not_allowed")),
    ({"region_code": "4212"}, ("/region_code", "bad_format")),
    ({"region_code": 421200}, ("/region_code", "not_text")),
    ({"usci": "91350100M000100Y4Z"}, ("/usci", "usci_invalid")),
    ({"usci": "91350100M000100Y44"}, ("/usci", "usci_invalid")),
    ({"usci": USCI[:17]}, ("/usci", "too_short")),
    ({"parent": "没有这个局"}, ("/parent", "unit_unknown")),
    ({"parent": "new-bureau"}, ("/parent", "parent_cycle")),
    ({"aliases": ["新局", "甲局", "新局"]}, ("/aliases/2", "alias_repeated")),
    ({"aliases": ["A局", "ａ局"]}, ("/aliases/1", "alias_repeated")),
    ({"aliases": ["甲局", ""]}, ("/aliases/1", "too_short")),
    ({"aliases": ["甲"] * 51}, ("/aliases", "too_long")),
    ({"aliases": "甲局"}, ("/aliases", "not_a_list")),
    ({"aliases": None}, ("/aliases", "not_a_list")),
    ({"members": ["市教育局"]}, ("/members", "not_a_group")),
    ({"valid_from": "2023-02-30"}, ("/valid_from", "date_invalid")),
    ({"valid_to": 20231231}, ("/valid_to", "date_invalid")),
    ({"valid_from": "2023-01-02", "valid_to": "2023-01-01"}, ("/valid_to", "date_order")),
    ({"alias": ["新局"]}, ("/alias", "unknown_field")),
    ({"updated_at": "2023-01-01T00:00:00Z"}, ("/updated_at", "unknown_field")),
]


def create(client: AppClient, **fields: object) -> Response:
    """Post a new department, with other fields where they are given."""
    return client.post("/api/v1/units", json=NEW | fields)


def patch(client: AppClient, unit: str, /, **fields: object) -> Response:
    return client.patch(f"/api/v1/units/{unit}", headers=MERGE_PATCH, json=fields)


def get(api: Api, unit: str) -> Any:
    return api.reader.get(f"/api/v1/units/{unit}").json()


class TestCreateUnit:
    def test_truth_table(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        # who may not is refused before anything is said of the body
        assert told(api, "POST", "/units", content=b"{", headers={"Content-Type": "text/plain"}) == DENIED | {
            "admin": 415
        }
        assert told(api, "POST", "/units", json={}) == DENIED | {"admin": 422}
        assert snapshot(database) == before
        assert told(api, "POST", "/units", json=NEW) == DENIED | {"admin": 201}

    def test_least_fields(self, api: Api, database: Database) -> None:
        number = last_change(database)
        response = create(api.admin)
        assert response.status_code == 201
        assert response.headers["Location"] == "/api/v1/units/new-bureau"
        unit = response.json()
        assert unit == NEW | EMPTY | {"updated_at": unit["updated_at"]}
        assert unit == api.reader.get(response.headers["Location"]).json()
        assert changes_after(database, number) == [("unit.created", "new-bureau", unit)]

    def test_every_field(self, api: Api) -> None:
        fields = {
            "name": " 新设（集团）局 ",
            "region_code": "421221",
            "usci": USCI.lower(),
            "parent": "市教育局",
            "aliases": ["新设局", "Ｘ局"],
            "valid_from": "2023-01-01",
            "valid_to": "2023-01-01",
        }
        unit = create(api.admin, **fields).json()
        unit.pop("updated_at")
        assert unit == NEW | EMPTY | fields | {
            "name": "新设（集团）局",
            "usci": USCI,
            "parent": {"code": EDUCATION, "name": "咸宁市教育局"},
        }
        for name in ("新设(集团)局", "x局", "新设局"):
            assert get(api, name)["code"] == "new-bureau"

    def test_taken_code_or_usci_409(self, api: Api, database: Database) -> None:
        assert create(api.admin, usci=USCI).status_code == 201
        before = snapshot(database)
        same_code = create(api.admin, name="另一个")
        assert (same_code.status_code, same_code.json()["code"]) == (409, "already_exists")
        assert faults(same_code) == [("/code", "already_exists")]
        same_usci = create(api.admin, code="other", usci=USCI.lower())
        assert (same_usci.status_code, same_usci.json()["code"]) == (409, "already_exists")
        assert faults(same_usci) == [("/usci", "already_exists")]
        assert patch(api.admin, EDUCATION, usci=USCI).status_code == 409
        assert snapshot(database) == before

    def test_of_many_at_once_one_is_created(self, api: Api, database: Database) -> None:
        number = last_change(database)
        for taken in ({}, {"usci": USCI}):
            with ThreadPoolExecutor(4) as clients:
                fields = [taken | ({"code": f"bureau-{one}"} if taken else {}) for one in range(4)]
                answers = list(clients.map(lambda body: create(api.admin, **body), fields))
            assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert [kind for kind, _, _ in changes_after(database, number)] == ["unit.created"] * 2

    def test_same_name_or_alias_as_another_is_allowed(self, api: Api) -> None:
        assert create(api.admin, name="咸宁市教育局", aliases=["市科技局"]).status_code == 201
        assert api.reader.get("/api/v1/units/市科技局").status_code == 422

    def test_wrong_field_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for fields, fault in WRONG_FIELDS:
            response = create(api.admin, **fields)
            assert (response.status_code, faults(response)) == (422, [fault]), fields
        assert snapshot(database) == before

    def test_all_wrong_fields_are_told_at_once(self, api: Api) -> None:
        response = api.admin.post("/api/v1/units", json={"name": "", "aliasses": [], "usci": "1" * 18})
        assert sorted(faults(response)) == [
            ("/aliasses", "unknown_field"),
            ("/code", "required"),
            ("/kind", "required"),
            ("/name", "too_short"),
            ("/usci", "usci_invalid"),
        ]
        unknown = create(api.admin, aliasses=[])
        assert suggestions(unknown)[0] == "aliases"


class TestUpdateUnit:
    def test_truth_table(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for body in (b"{}", b"{", b'{"no": 1}'):
            statuses = told(api, "PATCH", f"/units/{EDUCATION}", content=body, headers=MERGE_PATCH)
            assert statuses | {"admin": 0} == DENIED | {"admin": 0}
        assert told(api, "PATCH", "/units/nothing", content=b"{}", headers=MERGE_PATCH) == DENIED | {"admin": 404}
        assert told(api, "PATCH", f"/units/{EDUCATION}", content=b"{}", headers=MERGE_PATCH) == DENIED | {"admin": 200}
        assert snapshot(database) == before

    def test_only_what_is_sent_changes(self, api: Api, database: Database) -> None:
        before, number = get(api, EDUCATION), last_change(database)
        response = patch(api.admin, "市教育局", name="咸宁市教育和体育局", usci=USCI, valid_from="2019-01-01")
        assert response.status_code == 200
        after = response.json()
        assert after == get(api, EDUCATION)
        assert after["updated_at"] > before["updated_at"]
        fields = {"name": "咸宁市教育和体育局", "usci": USCI, "valid_from": "2019-01-01"}
        assert after == before | fields | {"updated_at": after["updated_at"]}
        assert changes_after(database, number) == [("unit.changed", EDUCATION, after)]
        assert get(api, "咸宁市教育和体育局")["code"] == EDUCATION
        assert api.reader.get("/api/v1/units/咸宁市教育局").status_code == 404
        assert get(api, "市教育局")["code"] == EDUCATION  # the alias stays

    def test_null_removes(self, api: Api) -> None:
        fields = {
            "usci": USCI,
            "region_code": "421200",
            "parent": "市科技局",
            "valid_from": "2019-01-01",
            "valid_to": "2029-01-01",
        }
        assert patch(api.admin, EDUCATION, **fields).status_code == 200
        unit = patch(api.admin, EDUCATION, **dict.fromkeys(fields)).json()
        assert {name: unit[name] for name in fields} == dict.fromkeys(fields)

    def test_aliases_are_replaced_whole(self, api: Api) -> None:
        assert patch(api.admin, EDUCATION, aliases=["教育局", "市教育局"]).json()["aliases"] == ["教育局", "市教育局"]
        assert patch(api.admin, EDUCATION, aliases=["市教育局", "教育局"]).json()["aliases"] == ["市教育局", "教育局"]
        assert patch(api.admin, EDUCATION, aliases=[]).json()["aliases"] == []
        assert api.reader.get("/api/v1/units/市教育局").status_code == 404

    def test_same_again_changes_nothing(self, api: Api, database: Database) -> None:
        unit = get(api, EDUCATION)
        before = snapshot(database)
        for fields in (
            {},
            {"name": unit["name"], "kind": unit["kind"], "aliases": unit["aliases"], "region_code": "421200"},
            {"usci": None, "parent": None, "members": [], "valid_from": None},
            {"name": f" {unit['name']}\u3000"},
        ):
            response = patch(api.admin, EDUCATION, **fields)
            assert (response.status_code, response.json()) == (200, unit)
        assert snapshot(database) == before

    def test_wrong_field_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        skipped = {"code"}  # which is for good, so no field here
        for fields, (pointer, code) in WRONG_FIELDS:
            if fields.keys() & skipped or code == "parent_cycle":
                continue
            response = patch(api.admin, EDUCATION, **fields)
            assert (response.status_code, faults(response)) == (422, [(pointer, code)]), fields
        assert faults(patch(api.admin, EDUCATION, code="other")) == [("/code", "unknown_field")]
        assert faults(patch(api.admin, EDUCATION, name=None, kind=None)) == [
            ("/name", "not_text"),
            ("/kind", "not_allowed"),
        ]
        assert snapshot(database) == before

    def test_order_of_days_counts_the_one_that_stands(self, api: Api) -> None:
        assert patch(api.admin, EDUCATION, valid_from="2019-01-01").status_code == 200
        assert faults(patch(api.admin, EDUCATION, valid_to="2018-12-31")) == [("/valid_to", "date_order")]
        assert patch(api.admin, EDUCATION, valid_to="2019-01-01").status_code == 200
        assert faults(patch(api.admin, EDUCATION, valid_from="2019-01-02")) == [("/valid_to", "date_order")]

    def test_parent_of_itself_at_any_depth_refused(self, api: Api) -> None:
        assert faults(patch(api.admin, EDUCATION, parent="市教育局")) == [("/parent", "parent_cycle")]
        for unit, parent in (("市科技局", "市教育局"), ("市财政局", "市科技局")):
            assert patch(api.admin, unit, parent=parent).status_code == 200
        for parent in ("市科技局", "市财政局"):
            assert faults(patch(api.admin, EDUCATION, parent=parent)) == [("/parent", "parent_cycle")]
        assert patch(api.admin, "市财政局", parent="市教育局").status_code == 200
        assert patch(api.admin, EDUCATION, parent="市公安局").status_code == 200

    def test_other_content_types_415(self, api: Api) -> None:
        for content_type in ("application/json", "text/plain", "application/merge-patch", ""):
            response = api.admin.patch(
                f"/api/v1/units/{EDUCATION}", content="{}", headers={"Content-Type": content_type}
            )
            assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
            assert response.headers["Accept-Patch"] == "application/merge-patch+json"
        charset = {"Content-Type": "Application/Merge-Patch+JSON; charset=utf-8"}
        assert api.admin.patch(f"/api/v1/units/{EDUCATION}", content="{}", headers=charset).status_code == 200
        assert api.admin.post("/api/v1/units", json=NEW, headers=MERGE_PATCH).status_code == 415

    def test_no_object_422(self, api: Api) -> None:
        for body in ("[]", "1", '"a"', "null"):
            response = api.admin.patch(f"/api/v1/units/{EDUCATION}", content=body, headers=MERGE_PATCH)
            assert (response.status_code, [pointer for pointer, _ in faults(response)]) == (422, [""]), body

    def test_ambiguous_name_in_the_path_422(self, api: Api) -> None:
        assert create(api.admin, name="咸宁市教育局").status_code == 201
        response = patch(api.admin, "咸宁市教育局", name="x")
        assert (response.status_code, faults(response)) == (422, [("/path/unit", "unit_ambiguous")])
