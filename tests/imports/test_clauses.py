"""Unit clauses in the forms of the genre."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.imports.clauses import find_clauses, tail_start
from app.types import Role

LEAD, RESPONSIBLE, SUPPORTING = Role.lead, Role.responsible, Role.supporting


def units(text: str) -> list[tuple[str, Role]]:
    return [(unit.name, unit.role) for clause in find_clauses(text) for unit in clause.units]


def notes(text: str) -> list[str]:
    return [note.code for clause in find_clauses(text) for note in clause.notes]


class TestFindClauses:
    @pytest.mark.parametrize("brackets", ["()", "（）", "〔〕", "[]", "【】", "(）", "（)"])
    def test_every_bracket_holds_a_clause(self, brackets: str) -> None:
        text = f"发展。{brackets[0]}牵头单位:市教育局;责任单位:市财政局、市公安局{brackets[1]}"
        assert units(text) == [("市教育局", LEAD), ("市财政局", RESPONSIBLE), ("市公安局", RESPONSIBLE)]

    @pytest.mark.parametrize("between", [";", "；", "，", ",", "。", " ", "\n"])
    def test_labels_are_parted_by_any_mark(self, between: str) -> None:
        assert units(f"（牵头单位：市科技局、市数据局{between}责任单位：资产集团）") == [
            ("市科技局", LEAD),
            ("市数据局", LEAD),
            ("资产集团", RESPONSIBLE),
        ]

    @pytest.mark.parametrize("between", ["、", ",", "，", ";", "；"])
    def test_units_are_parted_by_any_mark(self, between: str) -> None:
        assert units(f"（责任单位：市教育局{between}团市委）") == [("市教育局", RESPONSIBLE), ("团市委", RESPONSIBLE)]

    @pytest.mark.parametrize(
        ("label", "role"),
        [
            ("牵头单位", LEAD),
            ("牵头部门", LEAD),
            ("牵头责任单位", LEAD),
            ("责任单位", RESPONSIBLE),
            ("主要责任单位", RESPONSIBLE),
            ("其他责任单位", RESPONSIBLE),
            ("负责部门", RESPONSIBLE),
            ("配合单位", SUPPORTING),
            ("协办单位", SUPPORTING),
            ("支撑单位", SUPPORTING),
            ("参与单位", SUPPORTING),
            ("推进单位", SUPPORTING),
            ("协同责任单位", SUPPORTING),
        ],
    )
    def test_label_gives_the_role(self, label: str, role: Role) -> None:
        assert units(f"发展。（{label}：市教育局）") == [("市教育局", role)]

    @pytest.mark.parametrize(
        "name",
        [
            "咸宁职教(集团)学校",
            "市委组织部（人才办）",
            "各区〔县、市〕政府",
            "各县（市、区）人民政府",
            "各区、县（市）政府",
            "“香城、人才卡”联席会议成员单位",
            '"一卡,通"联席会议成员单位',
        ],
    )
    def test_separators_inside_a_name_do_not_split_it(self, name: str) -> None:
        text = f"发展。（责任单位：市教育局、{name}，团市委）"
        assert units(text) == [("市教育局", RESPONSIBLE), (name, RESPONSIBLE), ("团市委", RESPONSIBLE)]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "（市教育局牵头，市财政局、市公安局配合）",
                [("市教育局", LEAD), ("市财政局", SUPPORTING), ("市公安局", SUPPORTING)],
            ),
            ("（市教育局、市财政局负责）", [("市教育局", RESPONSIBLE), ("市财政局", RESPONSIBLE)]),
            (
                "（省发展改革委，各地级以上市人民政府按职责分工负责）",
                [("省发展改革委", RESPONSIBLE), ("各地级以上市人民政府", RESPONSIBLE)],
            ),
            ("（市教育局牵头负责，各镇参与）。", [("市教育局", LEAD), ("各镇", SUPPORTING)]),
        ],
    )
    def test_role_after_the_names_is_read_at_the_end(self, text: str, expected: list[tuple[str, Role]]) -> None:
        assert units("加快发展。" + text) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "加快发展。（加快推进）",
            "加快发展。（省市共建，企业参与）",
            "加快发展（市教育局牵头）并推进改革。",
            "加快发展。（注：数据来自市统计局）",
            "落实责任，单位：万元。",
            "加快发展。（牵头单位：）",
            "加快发展。",
        ],
    )
    def test_other_brackets_are_no_clause(self, text: str) -> None:
        assert find_clauses(text) == []

    def test_clause_needs_no_bracket_on_a_line_of_its_own(self) -> None:
        assert units("责任单位：市科技局、市工信局，各区县（市）政府") == [
            ("市科技局", RESPONSIBLE),
            ("市工信局", RESPONSIBLE),
            ("各区县（市）政府", RESPONSIBLE),
        ]

    def test_only_responsible_unit_means_no_lead(self) -> None:
        assert units("发展。(责任单位:市科技局)") == [("市科技局", RESPONSIBLE)]

    def test_name_broken_over_lines_is_joined(self) -> None:
        assert units("发展。(责任单位:市发\n  改委、市财政局)") == [
            ("市发改委", RESPONSIBLE),
            ("市财政局", RESPONSIBLE),
        ]

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("发展。(牵头单位:市教育局;责任单位:咸宁职教(集团)学校", "clause_unclosed"),
            ("发展。〔牵头单位:市教育局;责任单位:咸宁职教(集团)学校)", "clause_unclosed"),
            ("发展。（责任单位：市教育局；完成时限：12月底）", "clause_field_unread"),
            ("发展。（分管领导：某某；责任单位：市教育局）", "clause_field_unread"),
            ("发展。（责任单位：市教育局。列第一位的为牵头单位，下同）", "clause_note"),
            ("发展。（责任单位：市教育局等相关部门）", "units_open_ended"),
        ],
    )
    def test_what_is_not_a_plain_name_is_noted(self, text: str, code: str) -> None:
        assert notes(text) == [code]
        assert units(text)[0] in {("市教育局", LEAD), ("市教育局", RESPONSIBLE)}

    def test_overlong_name_is_noted_and_left_out(self) -> None:
        text = f"发展。（责任单位：市教育局、{'很' * 61}）"
        assert (units(text), notes(text)) == ([("市教育局", RESPONSIBLE)], ["clause_note"])

    @given(st.text('市局牵头单位责任配合负:：;；、,，。()（）〔〕[]【】“”《》"\n x'))
    def test_offsets_always_point_at_the_words(self, text: str) -> None:
        for clause in find_clauses(text):
            assert 0 <= clause.start < clause.end <= len(text)
            for unit in clause.units:
                assert clause.start <= unit.start < unit.end <= clause.end
                assert "".join(text[unit.start : unit.end].split()) == "".join(unit.name.split())
            for note in clause.notes:
                assert clause.start <= note.start <= note.end <= clause.end


class TestTailStart:
    def test_two_clauses_at_the_end_are_one_tail(self) -> None:
        text = "发展。(牵头单位:市教育局)(责任单位:市财政局)。"
        assert tail_start(text, find_clauses(text)) == 3

    def test_clause_in_the_middle_is_no_tail(self) -> None:
        text = "发展(牵头单位:市教育局)教育"
        assert tail_start(text, find_clauses(text)) is None
