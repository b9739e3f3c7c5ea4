"""Lines to outline: the Xianning plan alone and in a page, other forms in small, and input made to break it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DocumentEmpty, DocumentUnreadable
from app.imports.findings import FINDING_TEXTS, Finding
from app.imports.grammar import Outline, recognise
from app.imports.reading import Document, read_document
from app.types import Role

ROOT = Path(__file__).parents[2]
PLAN = (ROOT / "seed/xianning-2023/plan.txt").read_text(encoding="utf-8")
GOLD: dict[str, Any] = json.loads((ROOT / "tests/data/xianning_2023.gold.json").read_text(encoding="utf-8"))
CLAUSE = "(牵头单位:市教育局;责任单位:市财政局)"
TITLE = "2023年某市重点工作责任分解方案"


def read(text: str) -> Outline:
    return recognise(read_document(text.encode()))


def codes(outline: Outline) -> list[str]:
    return [finding.code for finding in outline.findings]


def found(outline: Outline, code: str) -> list[Finding]:
    return [finding for finding in outline.findings if finding.code == code]


def numbers(outline: Outline) -> list[str]:
    return [item.number for item in outline.items]


def as_gold(outline: Outline) -> list[dict[str, Any]]:
    return [
        {
            "number": item.number,
            "text": item.statement,
            "lead_units": [unit.name for unit in item.units if unit.role is Role.lead],
            "responsible_units": [unit.name for unit in item.units if unit.role is not Role.lead],
            "path": outline.path(item.section),
        }
        for item in outline.items
    ]


EXPECTED = [
    {key: target[key] for key in ("number", "text", "lead_units", "responsible_units", "path")}
    for target in GOLD["targets"]
]

MENU = """
本站首页
1.首页
2.政务公开(责任单位:某市政府办)
3.办事服务
51.通知公告。
当前位置：首页 > 政务公开 > 规划计划 > 2022年工作方案
一、栏目导航
（一）领导之窗。
(湖北省)2022年咸宁市《政府工作报告》主要目标任务责任分解方案
扫一扫，分享到朋友圈
"""
ABOUT = """
2023-05-01 09:12:33 来源：某某日报
浏览次数:58.
字号：[大 中 小]
"""
FOOTER = """
〖打印本页〗 〖关闭窗口〗

本页内容仅供参考，不作为办事依据。

1.关于本站
2.联系方式：0715-0000000
3.网站地图
77.免责声明
四、本站声明
（五）版权说明。
上一篇：2024年某市重点工作责任分解方案
"""
COMMENTS = """
全部评论（3）
58.实施学前教育学位扩充行动,公办幼儿园在园幼儿占比超过99%。(牵头单位:市督查室;责任单位:各县市区人民政府)
一楼 2023-05-02 10:00
写得真好。
二楼
77.建议增加公交线路100条。(牵头单位:市交通运输局)
三楼
我也来说一条：1.加强监督。（责任单位：网友）
办好人民满意教育。
"""


def spaced(text: str) -> str:
    """The plan as pages print it: indented, a blank line between paragraphs."""
    return "\n\n".join(f"  {line}" for line in text.splitlines())


PAGES = {
    "alone": PLAN,
    "without last line end": PLAN.rstrip("\n"),
    "spaced": spaced(PLAN),
    "menu": MENU + PLAN,
    "title, then date and source": PLAN.replace("方案\n", "方案\n" + ABOUT, 1),
    "footer": PLAN + FOOTER,
    "comments": PLAN + COMMENTS,
    "page": MENU + spaced(PLAN.replace("方案\n", "方案\n" + ABOUT, 1)) + "\n" + FOOTER + COMMENTS,
    "page without blank lines": MENU + PLAN.replace("方案\n", "方案\n" + ABOUT, 1) + FOOTER + COMMENTS,
    "page numbers": PLAN.replace("60.", "— 2 —\n60.").replace("70.", "第3页 共4页\n70."),
}


class TestXianning:
    @pytest.mark.parametrize("page", PAGES)
    def test_page_gives_exactly_the_plan(self, page: str) -> None:
        outline = read(PAGES[page])
        assert as_gold(outline) == EXPECTED
        assert (outline.title, outline.year) == (GOLD["document"]["title"], 2023)

    @pytest.mark.parametrize("page", PAGES)
    def test_page_gives_exactly_the_plans_headings(self, page: str) -> None:
        assert [(section.heading, section.level, section.parent) for section in read(PAGES[page]).sections] == [
            ("(四)突出改革创新,千方百计推进科教人才兴市", 2, None),
            ("办好人民满意教育", 3, 0),
            ("强化科技创新支撑", 3, 0),
            ("实施人才强市工程", 3, 0),
            ("深化重点领域改革", 3, 0),
        ]

    @pytest.mark.parametrize("page", PAGES)
    def test_places_point_at_the_words(self, page: str) -> None:
        document = read_document(PAGES[page].encode())
        outline = recognise(document)
        for item in outline.items:
            text = document.lines[item.line - 1].text
            assert text[item.start : item.end] == item.statement
            assert text[: item.start].strip() == f"{item.number}."
            assert all(document.lines[unit.line - 1].text[unit.start : unit.end] == unit.name for unit in item.units)
        for section in outline.sections:
            assert document.lines[section.line - 1].text.strip() == section.heading + "。"

    def test_findings_are_the_five_without_lead_and_the_empty_section(self) -> None:
        outline = read(PLAN)
        assert codes(outline) == ["no_lead"] * 5 + ["empty_section"]
        assert {finding.severity for finding in outline.findings} == {"info"}
        assert [finding.params["number"] for finding in found(outline, "no_lead")] == ["67", "68", "69", "73", "75"]

    def test_comments_that_name_units_are_told(self) -> None:
        left_out = [finding.text or "" for finding in found(read(PLAN + COMMENTS), "target_left_out")]
        assert [text[:10] for text in left_out] == ["58.实施学前教育学", "77.建议增加公交线", "我也来说一条：1.加"]


class TestItems:
    def test_item_without_units_is_a_target_with_a_finding(self) -> None:
        text = PLAN.replace("(牵头单位:市教育局;责任单位:市残联,各县市区人民政府)", "")
        outline = read(text)
        assert numbers(outline) == [target["number"] for target in GOLD["targets"]]
        assert [finding.params for finding in found(outline, "no_units")] == [{"number": "62"}]

    @pytest.mark.parametrize("number", [52, 76])
    def test_first_or_last_item_without_units_is_a_target(self, number: int) -> None:
        lines = [line.partition("(")[0] if line.startswith(f"{number}.") else line for line in PLAN.splitlines()]
        outline = read(MENU + "\n".join(lines) + FOOTER)
        assert numbers(outline) == [target["number"] for target in GOLD["targets"]]
        assert [finding.params for finding in found(outline, "no_units")] == [{"number": str(number)}]

    def test_number_that_comes_twice_is_told(self) -> None:
        outline = read(f"{TITLE}\n1.甲。{CLAUSE}\n2.乙。{CLAUSE}\n2.丙。{CLAUSE}\n4.丁。{CLAUSE}")
        assert numbers(outline) == ["1", "2", "2", "4"]
        assert found(outline, "duplicate_number")[0].params == {"number": "2", "first_line": "3"}
        assert found(outline, "number_gap")[0].params == {"previous": "2", "number": "4"}

    def test_misprinted_number_does_not_end_the_plan(self) -> None:
        text = PLAN.replace("59.", "95.", 1).replace("65.", "56.", 1)
        assert numbers(read(text))[7:9] == ["95", "60"]
        assert len(read(text).items) == 25

    def test_number_without_words_is_left_out_and_told(self) -> None:
        outline = read(f"{TITLE}\n1.甲。{CLAUSE}\n2.{CLAUSE}\n3.丙。{CLAUSE}")
        assert numbers(outline) == ["1", "3"]
        assert "no_statement" in codes(outline)

    def test_page_text_between_items_is_told(self) -> None:
        outline = read(PLAN.replace("60.", "点击图片：查看大图\n\n广告\n60.", 1))
        assert as_gold(outline) == EXPECTED
        assert [(finding.line, finding.text, finding.params) for finding in found(outline, "text_left_out")] == [
            (12, "点击图片：查看大图", {"count": "2"})
        ]

    @pytest.mark.parametrize(
        ("mark", "number"),
        [("3.", "3"), ("3．", "3"), ("3、", "3"), ("（3）", "3"), ("(3) ", "3"), ("（三）", "三"), ("三、", "三")],
    )
    def test_every_style_of_number_is_read(self, mark: str, number: str) -> None:
        outline = read(f"{TITLE}\n{mark}发展教育。{CLAUSE}")
        assert [(item.number, item.value, item.statement) for item in outline.items] == [(number, 3, "发展教育。")]

    @pytest.mark.parametrize("words", ["5G网络全覆盖。", "2023年底前完成。", "“两山”转化。"])
    def test_statement_may_begin_with_a_figure(self, words: str) -> None:
        assert [item.statement for item in read(f"{TITLE}\n8.{words}{CLAUSE}").items] == [words]

    @pytest.mark.parametrize("line", ["2023.05.01 发布", "3.5亿元投资", "2023-05-01 来源：某网", "1:30 直播"])
    def test_date_or_decimal_is_no_number(self, line: str) -> None:
        outline = read(f"{TITLE}\n1.甲。{CLAUSE}\n{line}{CLAUSE}\n2.乙。{CLAUSE}")
        assert numbers(outline) == ["1", "2"]

    def test_numbers_may_begin_anew_under_each_heading(self) -> None:
        prose = "围绕主要目标，坚持优先发展：全面落实上级要求，推动各项事业再上新的台阶。\n"
        part = f"{prose}1.甲事业。{CLAUSE}\n2.乙事业。{CLAUSE}\n"
        outline = read(f"{TITLE}\n一、教育\n{part}二、科技\n{part}三、人才\n{prose}1.丙。{CLAUSE}")
        assert numbers(outline) == ["1", "2", "1", "2", "1"]
        assert [outline.path(item.section) for item in outline.items] == [
            ["一、教育"],
            ["一、教育"],
            ["二、科技"],
            ["二、科技"],
            ["三、人才"],
        ]

    def test_text_without_unit_clause_has_no_items(self) -> None:
        outline = read("某市工作方案\n1.首页\n2.发展教育事业。\n")
        assert (outline.items, outline.title) == ((), None)

    def test_units_inside_the_text_are_taken_and_told(self) -> None:
        outline = read(f"{TITLE}\n1.发展教育。(责任单位:市教育局)发展科技。(责任单位:市科技局)")
        assert outline.items[0].statement == "发展教育。(责任单位:市教育局)发展科技。"
        assert [unit.name for unit in outline.items[0].units] == ["市教育局", "市科技局"]
        assert "units_inside_text" in codes(outline)


class TestContinuation:
    @pytest.mark.parametrize("between", ["\n", "\n\n", "\n  "])
    def test_clause_on_a_line_of_its_own_belongs_to_the_item_above(self, between: str) -> None:
        outline = read(
            f"{TITLE}\n1．发展教育。{between}责任单位：市教育局，各区县（市）政府\n\n2．发展科技。\n（责任单位：市科技局）"
        )
        assert [item.statement for item in outline.items] == ["发展教育。", "发展科技。"]
        assert [unit.name for unit in outline.items[0].units] == ["市教育局", "各区县（市）政府"]
        assert codes(outline) == ["no_lead", "no_lead"]

    def test_labels_on_two_lines_are_one_clause(self) -> None:
        outline = read(f"{TITLE}\n1.发展教育。\n牵头单位：市教育局\n配合单位：市财政局\n2.发展科技。{CLAUSE}")
        assert [(unit.name, unit.role) for unit in outline.items[0].units] == [
            ("市教育局", Role.lead),
            ("市财政局", Role.supporting),
        ]

    def test_broken_lines_are_joined(self) -> None:
        words = "推进产教融合、科教融汇,支持湖北科技学院创建全国知\n名学科,支持院校打造品牌专业。"
        text = f"{TITLE}\n1.{words}(牵头单位:市教\n育局)\n2.乙。{CLAUSE}"
        document = read_document(text.encode())
        item = recognise(document).items[0]
        assert item.statement == words
        assert "\n".join(line.text for line in document.lines[item.line - 1 :])[item.start : item.end] == item.statement
        assert [(unit.name, unit.line, unit.start) for unit in item.units] == [("市教育局", 3, 21)]

    def test_page_text_below_an_item_without_units_is_not_joined(self) -> None:
        outline = read(
            f"{TITLE}\n1.甲。{CLAUSE}\n2.发展教育事业和科技事业。\n留言与评论\n网友：好。(责任单位:市教育局)"
        )
        assert [item.statement for item in outline.items] == ["甲。", "发展教育事业和科技事业。"]
        assert outline.items[1].units == ()


class TestHeadings:
    def test_three_levels_make_a_tree(self) -> None:
        outline = read(
            f"{TITLE}\n一、发展\n（一）教育。\n办好教育。\n1.甲。{CLAUSE}\n（二）科技：\n2.乙。{CLAUSE}\n二、民生\n3.丙。{CLAUSE}"
        )
        assert [outline.path(item.section) for item in outline.items] == [
            ["一、发展", "（一）教育", "办好教育"],
            ["一、发展", "（二）科技"],
            ["二、民生"],
        ]

    def test_heading_with_text_behind_it_ends_at_its_first_sentence(self) -> None:
        outline = read(f"{TITLE}\n（一）发展教育。坚持优先发展，落实要求。\n1.甲。{CLAUSE}")
        assert outline.path(outline.items[0].section) == ["（一）发展教育"]

    def test_section_of_prose_is_no_section(self) -> None:
        outline = read(f"{TITLE}\n一、总体要求\n坚持以人民为中心的思想，全面落实。\n二、任务\n1.甲。{CLAUSE}")
        assert [section.heading for section in outline.sections] == ["二、任务"]

    def test_table_of_contents_is_no_section(self) -> None:
        outline = read(f"{TITLE}\n一、教育\n二、科技\n一、教育\n1.甲。{CLAUSE}\n二、科技\n2.乙。{CLAUSE}")
        assert [section.heading for section in outline.sections] == ["一、教育", "二、科技"]

    def test_single_line_without_mark_is_no_heading(self) -> None:
        outline = read(f"{TITLE}\n1.甲。{CLAUSE}\n点击查看更多\n2.乙。{CLAUSE}")
        assert (outline.sections, codes(outline)) == ((), ["text_left_out"])


class TestTitle:
    @pytest.mark.parametrize(
        ("title", "year"),
        [
            ("咸宁市2023年重点工作责任分解方案", 2023),
            ("二〇二三年政府工作报告任务分工", 2023),
            ("某市行动计划（2026—2028年）（征求意见稿）", 2026),
            ("某市若干措施", None),
        ],
    )
    def test_year_is_the_titles_first(self, title: str, year: int | None) -> None:
        outline = read(f"首页\n{title}\n1.甲。{CLAUSE}")
        assert (outline.title, outline.year) == (title, year)
        assert ("no_year" in codes(outline)) == (year is None)

    def test_plan_goes_before_the_notice_that_encloses_it(self) -> None:
        outline = read(f"关于印发2023年某市责任分解方案的通知\n各单位：\n请落实。\n{TITLE}\n1.甲。{CLAUSE}")
        assert outline.title == TITLE

    def test_plan_without_title_is_told(self) -> None:
        outline = read(f"1.甲。{CLAUSE}")
        assert (outline.title, codes(outline)) == (None, ["no_title"])


HOSTILE = {
    "one long line": "责" * 3_000_000,
    "one long item": "1." + "建设10个中心," * 300_000 + CLAUSE,
    "deep brackets": "1.甲" + "(" * 100_000 + "牵头单位:市教育局" + ")" * 100_000,
    "open brackets": "1.甲" + "(牵头单位:市教育局" * 100_000,
    "crossed brackets": "1.甲" + "(〔【[" * 50_000 + ")〕】]" * 50_000 + CLAUSE,
    "open quotations": "1.甲(责任单位:" + "“" * 100_000 + "、" * 100_000 + ")",
    "spaces": "1." + " " * 3_000_000 + CLAUSE,
    "spaces in a clause": "1.甲(牵头单位:" + " " * 2_000_000 + "市教育局)",
    "blank lines": "\n" * 500_000 + "1.甲。" + CLAUSE,
    "many items": f"1.建设中心。{CLAUSE}\n" * 20_000,
    "many items without units": f"1.甲。{CLAUSE}\n" + "2.建设中心\n" * 100_000,
    "open clauses": ("1.甲(牵头单位:市教育局、\n" + "市财政局、\n" * 10) * 5_000,
    "many headings": "一、教育\n" * 50_000 + f"1.甲。{CLAUSE}",
    "many run-in headings": f"1.甲。{CLAUSE}\n" + "办好教育。\n" * 50_000 + f"2.乙。{CLAUSE}",
    "many labels": "1.甲(" + "责任单位:市教育局;" * 100_000 + ")",
    "many units": "1.甲(责任单位:" + "市教育局、" * 100_000 + ")",
    "long number": "1" * 1_000_000 + ".甲。" + CLAUSE,
}


class TestHostileInput:
    @pytest.mark.parametrize("name", HOSTILE)
    def test_recognising_finishes(self, name: str) -> None:
        recognise(read_document(HOSTILE[name].encode()))


LINES = st.lists(
    st.one_of(
        st.text("一二（）()、.。:：;，,单位责任牵头市局 123〔〕“”\t"),
        st.sampled_from([*PLAN.splitlines(), *MENU.splitlines(), *COMMENTS.splitlines(), "", "（责任单位：市教育局）"]),
    ),
    max_size=30,
)


class TestProperties:
    @given(st.one_of(st.text(), LINES.map("\n".join)))
    def test_any_text_is_recognised_and_places_point_at_the_words(self, text: str) -> None:
        try:
            document = read_document(text.encode("utf-8", "ignore"))
        except (DocumentEmpty, DocumentUnreadable):
            return
        outline = recognise(document)
        check_places(document, outline)
        check_findings(document, outline)

    @given(st.binary())
    def test_any_bytes_are_recognised_or_refused(self, data: bytes) -> None:
        try:
            document = read_document(data)
        except (DocumentEmpty, DocumentUnreadable):
            return
        recognise(document)


def check_places(document: Document, outline: Outline) -> None:
    for item in outline.items:
        rest = "\n".join(line.text for line in document.lines[item.line - 1 :])
        assert rest[item.start : item.end] == item.statement == item.statement.strip() != ""
        assert item.section is None or 0 <= item.section < len(outline.sections)
        for unit in item.units:
            rest = "\n".join(line.text for line in document.lines[unit.line - 1 :])
            assert "".join(rest[unit.start : unit.end].split()) == "".join(unit.name.split())
    for index, section in enumerate(outline.sections):
        assert section.heading
        assert section.parent is None or section.parent < index
        assert section.heading in document.lines[section.line - 1].text


def check_findings(document: Document, outline: Outline) -> None:
    for finding in outline.findings:
        assert all(text.format(**finding.params) for text in FINDING_TEXTS[finding.code])
        if finding.line is not None:
            rest = "\n".join(line.text for line in document.lines[finding.line - 1 :])
            assert rest[finding.start : finding.end].startswith(finding.text or "")
