"""Numbers of items in any digits: each is a code, and whatever stands in a document, the answer is no failure."""

from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Api
from tests.importing import get, imported, post, short_plan
from tests.trying import undone

PARK, SCHOOL = "新建公园10个。(牵头单位:市住建局)", "新建学校5所。(牵头单位:市教育局)"
DIGITS = "0123456789０１２３４５６７８９०१٣٤๑๒²①一二十百〇零"
PIECES = st.sampled_from(
    [
        *DIGITS,
        *"（）()[]【】〔.．、:：;；，。%\n\n 年",
        "牵头单位",
        "责任单位:",
        "市教育局",
        "新建公园",
        "个",
        "(牵头单位:市教育局)",
    ]
)


class TestNumbers:
    def test_digits_of_any_script_make_the_code_of_what_they_count(self, api: Api) -> None:
        for plan, first, second in (
            ("a", "１．", "２．"),
            ("b", "（１）", "（２）"),
            ("c", "१.", "2."),
            ("d", "（一）", "（二）"),
        ):
            report = imported(api, short_plan(first + PARK, second + SCHOOL), plan)
            assert [target["statement"] for target in report["targets"]] == ["新建公园10个。", "新建学校5所。"]
            listed = [target["code"] for target in get(api, f"/targets?plan={plan}")["items"]]
            assert listed == [f"{plan}.1", f"{plan}.2"]
            assert post(api, short_plan(first + PARK, second + SCHOOL), plan).status_code == 200

    def test_one_number_in_two_spellings_stands_twice(self, api: Api) -> None:
        report = imported(api, short_plan("01." + PARK, "1." + SCHOOL), "p")
        assert [target["code"] for target in get(api, "/targets?plan=p")["items"]] == ["p.1", "p.1-2"]
        assert [finding["line"] for finding in report["findings"] if finding["code"] == "duplicate_number"] == [3]


class TestAnyDocument:
    @undone
    @given(pieces=st.lists(PIECES, max_size=60), tail=st.text(max_size=20))
    def test_is_read_or_refused(self, api: Api, pieces: list[str], tail: str) -> None:
        text = short_plan("1." + PARK, "".join(pieces) + tail.encode("utf-8", "replace").decode())
        assert 200 <= post(api, text, "p", dry_run=True).status_code < 500
