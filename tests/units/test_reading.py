"""GET /units and /units/{unit}."""

import pytest

from tests.asking import ANYONE, codes, faults, listed, suggestions, told
from tests.conftest import MERGE_PATCH, Api

EDUCATION = "xianning-education-bureau"
GROUP = "xianning-county-governments"
COUNTIES = [
    *("xianan-district-government", "jiayu-county-government", "tongcheng-county-government"),
    *("chongyang-county-government", "tongshan-county-government", "chibi-city-government"),
]


class TestListUnits:
    def test_truth_table(self, api: Api) -> None:
        assert told(api, "GET", "/units") == {"anonymous": 401} | ANYONE

    def test_by_code(self, api: Api) -> None:
        everything = codes(api.reader, "/units")
        assert len(everything) == 36
        assert everything == sorted(everything)

    def test_kind_and_region(self, api: Api) -> None:
        assert codes(api.reader, "/units", kind="group") == [GROUP, "xianning-talent-card-members"]
        assert codes(api.reader, "/units", kind="government") == sorted(COUNTIES)
        assert codes(api.reader, "/units", kind="party") == []
        assert codes(api.reader, "/units", region_code="421221") == ["jiayu-county-government"]
        assert codes(api.reader, "/units", region_code="421281", kind="government") == ["chibi-city-government"]
        assert codes(api.reader, "/units", region_code="421281", kind="group") == []
        assert codes(api.reader, "/units", region_code="110000") == []

    def test_group_by_code_name_or_alias(self, api: Api) -> None:
        aliases = '{"aliases": ["六县市区"]}'
        assert api.admin.patch(f"/api/v1/units/{GROUP}", content=aliases, headers=MERGE_PATCH).is_success
        for name in (GROUP, "各县市区人民政府", "六县市区", "　各县市区人民政府 "):
            assert codes(api.reader, "/units", group=name) == sorted(COUNTIES)
        assert codes(api.reader, "/units", group="市教育局") == []
        assert codes(api.reader, "/units", group="“香城人才卡”联席会议成员单位") == []

    def test_parent_gives_the_units_right_below(self, api: Api) -> None:
        for code, parent in (("school-one", "市教育局"), ("class-one", "school-one")):
            unit = {"code": code, "name": code, "kind": "school", "parent": parent}
            assert api.admin.post("/api/v1/units", json=unit).status_code == 201
        assert codes(api.reader, "/units", parent=EDUCATION) == ["school-one"]
        assert codes(api.reader, "/units", parent="市教育局") == ["school-one"]
        assert codes(api.reader, "/units", parent="school-one") == ["class-one"]
        assert codes(api.reader, "/units", parent="class-one") == []

    @pytest.mark.parametrize("field", ["group", "parent"])
    def test_unknown_or_ambiguous_unit_422(self, api: Api, field: str) -> None:
        unknown = api.reader.get("/api/v1/units", params={field: "市教肓局"})
        assert (unknown.status_code, faults(unknown)) == (422, [(f"/query/{field}", "unit_unknown")])
        assert suggestions(unknown)[0] == "市教育局"
        for code in ("one", "two"):
            unit = {"code": code, "name": f"第{code}局", "kind": "other", "aliases": ["那个局"]}
            assert api.admin.post("/api/v1/units", json=unit).status_code == 201
        ambiguous = api.reader.get("/api/v1/units", params={field: "那个局"})
        assert (ambiguous.status_code, faults(ambiguous)) == (422, [(f"/query/{field}", "unit_ambiguous")])
        assert suggestions(ambiguous) == ["one (第one局)", "two (第two局)"]

    def test_q_finds_text_in_name_or_alias(self, api: Api) -> None:
        unit = {"code": "odd", "name": "Ａ_50%\\局", "kind": "other", "aliases": ["老Ｂ局"]}
        assert api.admin.post("/api/v1/units", json=unit).status_code == 201
        names = {one["code"]: [one["name"], *one["aliases"]] for one in listed(api.reader, "/units")}
        for text in ("教", "教育", "教育局", "市", "卫健委", "(集团)", "“香城人才卡”"):
            expected = [code for code, words in names.items() if any(text in word for word in words)]
            assert codes(api.reader, "/units", q=text) == expected != []
        for text in ("%", "_", "\\", "a_50%", "Ａ＿５０％", "老b局", "50%\\局", " 老B "):
            assert codes(api.reader, "/units", q=text) == ["odd"], text
        assert codes(api.reader, "/units", q="（集团）") == codes(api.reader, "/units", q="(集团)") != []
        assert codes(api.reader, "/units", q="教%局") == codes(api.reader, "/units", q="教_局") == []
        assert codes(api.reader, "/units", q="市教育局", kind="school") == []

    def test_wrong_filters_422(self, api: Api) -> None:
        for query, fault in {
            "kind=departement": ("/query/kind", "not_allowed"),
            "region_code=4212": ("/query/region_code", "bad_format"),
            "group=": ("/query/group", "too_short"),
            "parent=%20%E3%80%80": ("/query/parent", "too_short"),
            "q=": ("/query/q", "too_short"),
            "q=%00": ("/query/q", "bad_characters"),
            "q=" + "x" * 201: ("/query/q", "too_long"),
            "unit=a": ("/query/unit", "unknown_parameter"),
            "kind=group&kind=group": ("/query/kind", "repeated_parameter"),
        }.items():
            response = api.reader.get(f"/api/v1/units?{query}")
            assert (response.status_code, faults(response)) == (422, [fault]), query
        assert suggestions(api.reader.get("/api/v1/units?kind=departement"))[0] == "department"
        assert suggestions(api.reader.get("/api/v1/units?regioncode=1"))[0] == "region_code"


class TestGetUnit:
    def test_truth_table(self, api: Api) -> None:
        assert told(api, "GET", f"/units/{EDUCATION}") == {"anonymous": 401} | ANYONE
        assert told(api, "GET", "/units/nothing") == {"anonymous": 401} | dict.fromkeys(ANYONE, 404)

    def test_by_code_name_or_alias(self, api: Api) -> None:
        for name in (EDUCATION, "咸宁市教育局", "市教育局", "　市教育局 "):
            unit = api.reader.get(f"/api/v1/units/{name}").json()
            unit.pop("updated_at")
            assert unit == {
                "code": EDUCATION,
                "name": "咸宁市教育局",
                "kind": "department",
                "region_code": "421200",
                "usci": None,
                "parent": None,
                "aliases": ["市教育局"],
                "members": [],
                "valid_from": None,
                "valid_to": None,
            }

    def test_width_of_brackets_does_not_matter(self, api: Api) -> None:
        found = {api.reader.get(f"/api/v1/units/咸宁职教{name}学校").json()["code"] for name in ("(集团)", "（集团）")}
        assert found == {"xianning-vocational-education-group-school"}

    def test_group_shows_its_members_in_order(self, api: Api) -> None:
        group = api.reader.get("/api/v1/units/各县市区人民政府").json()
        assert [member["code"] for member in group["members"]] == COUNTIES
        assert group["members"][1] == {"code": "jiayu-county-government", "name": "嘉鱼县人民政府"}

    def test_list_shows_the_same(self, api: Api) -> None:
        for item in listed(api.reader, "/units", q="各县"):
            assert item == api.reader.get(f"/api/v1/units/{item['code']}").json()

    def test_unknown_404_with_the_nearest(self, api: Api) -> None:
        response = api.reader.get("/api/v1/units/市教肓局", headers={"Accept-Language": "en"})
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
        assert response.json()["detail"] == "There is no unit with the code 市教肓局."
        assert faults(response) == [("/path/unit", "unit_unknown")]
        assert suggestions(response)[0] == "市教育局"

    def test_ambiguous_422_with_the_candidates(self, api: Api) -> None:
        for code in ("two", "one"):
            unit = {"code": code, "name": "同名局", "kind": "other"}
            assert api.admin.post("/api/v1/units", json=unit).status_code == 201
        response = api.reader.get("/api/v1/units/同名局")
        assert (response.status_code, faults(response)) == (422, [("/path/unit", "unit_ambiguous")])
        assert suggestions(response) == ["one (同名局)", "two (同名局)"]
        assert api.reader.get("/api/v1/units/two").json()["code"] == "two"

    def test_no_name_422(self, api: Api) -> None:
        for name, code in {
            "%00": "bad_characters",
            "a%00b": "bad_characters",
            "%20": "too_short",
            "a" * 201: "too_long",
        }.items():
            response = api.reader.get(f"/api/v1/units/{name}")
            assert (response.status_code, faults(response)) == (422, [("/path/unit", code)]), name

    def test_code_wins_over_name_and_name_over_alias(self, api: Api) -> None:
        for unit in (
            {"code": "b", "name": "a", "kind": "other", "aliases": ["丙局", "a"]},
            {"code": "a", "name": "丙局", "kind": "other", "aliases": ["b"]},
        ):
            assert api.admin.post("/api/v1/units", json=unit).status_code == 201
        assert [api.reader.get(f"/api/v1/units/{name}").json()["code"] for name in ("a", "b", "丙局", "Ａ")] == list(
            "abab"
        )
