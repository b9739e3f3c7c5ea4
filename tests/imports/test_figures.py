"""Sentences to promised figures. The gold annotation is of the Xianning plan; the other sentences are made for this."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.imports.figures import FoundIndicator, extract_indicators
from app.types import Comparator, IndicatorKind, check_figure

GOLD: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data/xianning_2023.gold.json").read_text(encoding="utf-8")
)


def one(statement: str) -> FoundIndicator:
    (found,) = extract_indicators(statement)
    return found


def goals(statement: str) -> list[str]:
    return [f"{found.name} {found.comparator} {found.goal}{found.measure}" for found in extract_indicators(statement)]


class TestXianning:
    @pytest.mark.parametrize("target", GOLD["targets"], ids=lambda target: target["number"])
    def test_statement_gives_exactly_the_annotated_indicators(self, target: dict[str, Any]) -> None:
        found = [
            {
                "text_span": indicator.text,
                "goal": str(indicator.goal),
                "measure": indicator.measure,
                "comparator": indicator.comparator,
                "kind": indicator.kind,
                "each_member": indicator.each_member,
            }
            for indicator in extract_indicators(target["text"])
        ]
        assert found == target["indicators"]

    def test_names_say_what_is_measured(self) -> None:
        names = [indicator.name for target in GOLD["targets"] for indicator in extract_indicators(target["text"])]
        assert names == [
            "公办幼儿园在园幼儿占比",
            "示范性教联体",
            "重点产业技术研究院",
            "全市规上工业企业研发机构覆盖率",
            "高新技术企业",
            "高新技术企业总数",
            "高新技术产业增加值",
            "高新技术产业增加值占GDP比重",
            "科技成果转移转化",
            "湖北省技术合同登记成交总额",
            "技术合同成交额占GDP比重",
            "发明专利授权量",
        ]


class TestComparators:
    @pytest.mark.parametrize(
        ("words", "comparator"),
        [
            ("超过90%", Comparator.gt),
            ("突破90%", Comparator.gt),
            ("超90%", Comparator.gt),
            ("超过90%以上", Comparator.gt),
            ("90%", Comparator.ge),
            ("达90%", Comparator.ge),
            ("达到90%", Comparator.ge),
            ("达到90%以上", Comparator.ge),
            ("不低于90%", Comparator.ge),
            ("稳定在90%以上", Comparator.ge),
            ("提高到90%", Comparator.ge),
            ("控制在90%以内", Comparator.le),
            ("控制在90%以下", Comparator.le),
            ("控制在90%", Comparator.le),
            ("不超过90%", Comparator.le),
            ("降至90%以下", Comparator.le),
            ("低于90%", Comparator.lt),
            ("控制在90%左右", Comparator.about),
            ("达到90%左右", Comparator.about),
            ("约90%", Comparator.about),
        ],
    )
    def test_words_on_both_sides_give_the_comparator(self, words: str, comparator: Comparator) -> None:
        found = one(f"全市合格率{words}。")
        assert (found.name, found.comparator, found.goal, found.measure) == ("全市合格率", comparator, Decimal(90), "%")

    @pytest.mark.parametrize("dash", ["—", "–", "-", "~", "～", "至", "到", "——"])
    def test_two_figures_with_a_dash_are_a_range(self, dash: str) -> None:
        found = one(f"全市合格率达到7.5%{dash}8%。")
        assert (found.comparator, found.goal, found.goal_to) == (Comparator.range, Decimal("7.5"), Decimal(8))

    def test_range_that_does_not_rise_is_no_goal(self) -> None:
        assert extract_indicators("全市合格率8%—7%。") == []

    @pytest.mark.parametrize("words", ["不少于20家", "至少20家", "20家以上", "20家及以上"])
    def test_counted_things_have_comparators_too(self, words: str) -> None:
        found = one(f"培育专精特新企业{words}。")
        assert (found.name, found.comparator, found.goal) == ("专精特新企业", Comparator.ge, Decimal(20))


class TestForms:
    @pytest.mark.parametrize(
        ("statement", "goal"),
        [
            ("建设不少于20家中试平台。", "中试平台 ge 20家"),
            ("形成200个以上高质量数据集。", "高质量数据集 ge 200个"),
            ("年底前建成10所公办幼儿园并投入使用。", "公办幼儿园 ge 10所"),
            ("建成公办幼儿园10所并投入使用。", "公办幼儿园 ge 10所"),
            ("2023年底前新建高标准农田30万亩。", "高标准农田 ge 30万亩"),
            ("到位资金1,200亿元。", "到位资金 ge 1200亿元"),
            ("合格率达到９０％。", "合格率 ge 90%"),
            ("筹集租赁住房不少于1000套（次）。", "筹集租赁住房 ge 1000套（次）"),
            ("培育营收超1000万元企业100家以上。", "营收超1000万元企业 ge 100家"),
            ("建成区绿化覆盖率达40%。", "建成区绿化覆盖率 ge 40%"),
            ("PM2.5平均浓度降至33微克/立方米以下。", "PM2.5平均浓度 le 33微克/立方米"),
            ("新建5G基站1000个。", "5G基站 ge 1000个"),
            ("打造“四有”学校5所。", "“四有”学校 ge 5所"),
        ],
    )
    def test_figure_behind_or_before_its_thing_is_found(self, statement: str, goal: str) -> None:
        assert goals(statement) == [goal]

    def test_enumerated_goals_are_parted(self) -> None:
        assert [found.text for found in extract_indicators("培育企业100家、集聚人才超1000名。")] == [
            "培育企业100家",
            "集聚人才超1000名",
        ]

    def test_thing_is_carried_within_a_sentence_only(self) -> None:
        statement = "财政收入达到120亿元,增长6%。增速达到7%,占比达到8%。"
        assert goals(statement) == ["财政收入 ge 120亿元", "财政收入 ge 6%", "增速 ge 7%", "占比 ge 8%"]

    @pytest.mark.parametrize("member", ["每个县市区", "每个乡镇", "每县", "每个县（市、区）", "各县市区"])
    def test_each_member_is_seen_and_no_part_of_the_name(self, member: str) -> None:
        found = one(f"{member}至少建成2个示范区。")
        assert (found.name, found.each_member) == ("示范区", True)

    def test_per_head_measure_is_no_member(self) -> None:
        assert one("每万人口发明专利拥有量达20件。").each_member is False


class TestKinds:
    @pytest.mark.parametrize(
        ("statement", "name", "kind"),
        [
            ("企业净增50家。", "企业", IndicatorKind.increase),
            ("地区生产总值增长7%左右。", "地区生产总值", IndicatorKind.increase),
            ("城镇新增就业3万人以上。", "城镇新增就业", IndicatorKind.increase),
            ("森林覆盖率提高2个百分点。", "森林覆盖率", IndicatorKind.increase),
            ("森林覆盖率提高到50%。", "森林覆盖率", IndicatorKind.level),
            ("工业增加值350亿元。", "工业增加值", IndicatorKind.level),
            ("单位GDP能耗下降3%。", "单位GDP能耗下降", IndicatorKind.level),
        ],
    )
    def test_growth_is_an_increase_and_all_else_a_level(self, statement: str, name: str, kind: IndicatorKind) -> None:
        assert (one(statement).name, one(statement).kind) == (name, kind)


NO_GOALS = [
    "深入推进“三个一百”建设。",
    "培养造就一批“四有”好老师。",
    "打造“两山”样板县。",
    "实施“一村一名大学生村医”计划。",
    "打造“15分钟”社区生活圈,建设“10个中心”。",
    "落实《培育100家企业行动方案》。",
    "扩大开放(建设10个中心)。",
    "2023年12月底前完成。",
    "完成2023年任务,迎接2024年大考。",
    "推进5G、4K应用,构建1+3+N体系。",
    "推广T100个人终端。",
    "第3批试点,位列前10名,第108项清单。",
    "组织24小时值守,3日内办结。",
    "进入全国百强县前50位。",
    "建设10个月内完工的项目。",
    "对获奖项目给予最高100万元奖励支持。",
    "给予毕业生支持,每人不超过50万元。",
    "同一企业每年申领算力券金额不超过100万元。",
    "按不超过合同金额的30%、最高800万元的标准给予补助。",
    "对登记数据产品达10个以上的,给予支持。",
    "注册资本1000万元以上的。",
    "每期不超过30人。",
    "支持企业建设10个研发中心。",
    "鼓励每个园区建设1个中心。",
    "全市现有企业350家。",
    "已建成20个口袋公园。",
    "截至目前建成20个口袋公园。",
    "围绕5个方面开展工作。",
    "推进总投资50亿元的项目落地。",
    "设立20亿元产业基金。",
    "支持3万平方米节能率不低于15%的改造。",
    "近10个村受益。",
    "合格率、优良率分别达到98%、50%以上。",
    "覆盖12个乡镇。",
    "达到50家。",
    "超过10。",
    "合格率达9999999999999999%。",
    "",
    "，，。",
]


class TestNoGoals:
    @pytest.mark.parametrize("statement", NO_GOALS)
    def test_figure_that_is_no_promise_is_left_alone(self, statement: str) -> None:
        assert goals(statement) == []


class TestProperties:
    @given(
        st.one_of(
            st.text(),
            st.lists(
                st.sampled_from(
                    [
                        *"建设超过达到新增每个县市区总数占比,，。、;“”（）()%％ \n的",
                        *(
                            "10",
                            "46%",
                            "个",
                            "家",
                            "亿元",
                            "5.5",
                            "以上",
                            "左右",
                            "控制在",
                            "—",
                            "1,200",
                            "50家",
                            "力争",
                        ),
                    ]
                )
            ).map("".join),
        )
    )
    def test_found_text_stands_in_the_statement_and_figures_fit(self, statement: str) -> None:
        end = 0
        for found in extract_indicators(statement):
            assert statement[found.start : found.end] == found.text == found.text.strip() != ""
            assert end <= found.start < found.end
            end = found.end
            assert check_figure(found.goal) == found.goal
            assert (found.goal_to is not None) == (found.comparator is Comparator.range)
            assert found.goal_to is None or check_figure(found.goal_to) > found.goal
            assert 2 <= len(found.name) <= 200
            assert found.measure

    @pytest.mark.parametrize(
        "statement",
        [
            "建设10个中心," * 50_000,
            "1" * 1_000_000 + "个",
            "“" * 200_000,
            "(" * 200_000,
            " " * 1_000_000,
            "1,234" * 200_000,
        ],
        ids=["parts", "digits", "quotations", "brackets", "spaces", "commas"],
    )
    def test_long_statement_finishes(self, statement: str) -> None:
        extract_indicators(statement)
