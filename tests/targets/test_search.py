"""GET /targets?q=: text in the words of a target, Chinese of any length, nothing in it a pattern."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.types import fold
from tests.asking import codes, listed
from tests.conftest import MERGE_PATCH, Api

ODD = {
    "xianning-2023.57": "100%_完成\\５Ｇ基站（ＡＢＣ）建设",
    "xianning-2023.59": "Straße 1,000 km²；完成①项 “四有”",
    "xianning-2023.62": "一行\n两行\t100%",
}


@pytest.fixture
def odd(api: Api) -> dict[str, str]:
    """All statements, some of them with signs that patterns are made of."""
    for code, statement in ODD.items():
        response = api.admin.patch(f"/api/v1/targets/{code}", json={"statement": statement}, headers=MERGE_PATCH)
        assert response.status_code == 200
    return {item["code"]: item["statement"] for item in listed(api.reader, "/targets")}


class TestSearch:
    def test_one_two_and_more_characters(self, api: Api, odd: dict[str, str]) -> None:
        for text in ("教", "教育", "幼儿园", "公办幼儿园在园幼儿占比超过46%", "“四有”", "一行\n两行"):
            assert codes(api.reader, "/targets", q=text) == [code for code in odd if text in odd[code]] != [], text
        assert codes(api.reader, "/targets", q="幼教") == []

    def test_signs_of_patterns_are_plain_characters(self, api: Api, odd: dict[str, str]) -> None:
        for text in ("%", "_", "\\", "%_", "100%_完成\\5g", "46%", "\\5"):
            assert codes(api.reader, "/targets", q=text) == [code for code in odd if text in fold(odd[code])] != [], (
                text
            )
        for text in ("教%育", "幼_园", "学%", "%%", "__", "\\\\", "\\%", "100_", "*", "[教]", "?"):
            assert codes(api.reader, "/targets", q=text) == [], text

    def test_width_and_case_do_not_matter(self, api: Api, odd: dict[str, str]) -> None:
        for text in ("5g", "５Ｇ", "5Ｇ基站(abc)", "１００％＿", "＼5", "（ABC）"):
            assert codes(api.reader, "/targets", q=text) == ["xianning-2023.57"], text
        assert codes(api.reader, "/targets", q="４６％") == ["xianning-2023.58"]
        for text in ("STRASSE", "straße", "1,000 KM2", "完成1项"):
            assert codes(api.reader, "/targets", q=text) == ["xianning-2023.59"], text
        assert codes(api.reader, "/targets", q="  教联体　") == ["xianning-2023.60"]

    @settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.text(st.sampled_from("教育县市建100%％_＿\\＼５5gＧ（(,，s\n"), min_size=1, max_size=3))
    def test_rule(self, api: Api, odd: dict[str, str], text: str) -> None:
        """The examples only read, so they share one database."""
        if text.strip():
            expected = [code for code, statement in odd.items() if fold(text) in fold(statement)]
            assert codes(api.reader, "/targets", q=text) == expected

    def test_within_other_filters(self, api: Api) -> None:
        assert codes(api.reader, "/targets", q="教育", unit="嘉鱼县政府", role="lead") == []
        assert codes(api.reader, "/targets", q="嘉鱼", unit="嘉鱼县政府", role="lead") == ["xianning-2023.53"]
