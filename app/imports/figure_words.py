"""The words around a figure and what they mean: data for `app.imports.figures`.

Collected from plans and work reports of 2004 to 2026. Precision comes before recall: a word that often stands beside a
figure that is no goal is listed as such, and what is not listed makes no figure a goal.
"""

from dataclasses import dataclass

from app.types import Comparator, IndicatorKind


@dataclass(frozen=True, slots=True)
class Word:
    """What a word before a number says about it.

    comparator: how a value is compared; None says nothing about that.
    kind:       `increase` for words of growth.
    promises:   something is to be done, so that the figure may stand before the thing counted (建强10个…).
    falls:      the figure is the size of a decrease.
    never:      the figure is no goal: an ordinal, a baseline, a ceiling.
    firm:       an upper limit that the government sets itself (控制在), not a rule for others (不超过).
    touching:   means this only where nothing that promises stands between it and the number.
    """

    comparator: Comparator | None = None
    kind: IndicatorKind | None = None
    promises: bool = False
    falls: bool = False
    never: bool = False
    firm: bool = False
    touching: bool = False


def _list(words: str) -> list[str]:
    return words.split()


def _words(words: str, meaning: Word) -> dict[str, Word]:
    return dict.fromkeys(_list(words), meaning)


# Before the number, read from the number outwards, the longest first, until something is met that is not here.
BEFORE: dict[str, Word] = {
    **_words("超过 突破 超 超出 高于 多于 大于", Word(Comparator.gt)),
    **_words("达到 达 达到了 不少于 不低于 不小于 不下于 至少", Word(Comparator.ge)),
    **_words("稳定在 保持在 维持在 稳定到 扩大到 扩大至 上升到 上升至", Word(Comparator.ge)),
    **_words("提高到 提高至 提升到 提升至 增长到 增长至 增加到 增加至", Word(Comparator.ge)),
    **_words("不超过 不超 不高于 不多于 不大于", Word(Comparator.le)),
    **_words("控制在 下降到 下降至 降低到 降低至 降到 降至 减少到 减少至", Word(Comparator.le, firm=True)),
    **_words("压减到 压减至 压降到 压降至", Word(Comparator.le, firm=True)),
    **_words("低于 少于 小于", Word(Comparator.lt)),
    **_words("约 约为 大约", Word(Comparator.about)),
    **_words("净增 净增加 新增 新增加 增长 增加 提高 提升", Word(kind=IndicatorKind.increase, promises=True)),
    **_words("同比增长 年均增长 增加了 提高了", Word(kind=IndicatorKind.increase, promises=True)),
    **_words("下降 降低 减少 压减 压降 节约 同比下降", Word(falls=True)),
    **_words("建强 建设 建成 新建 改建 扩建 改造 新改建 建立 创建 创成 争创 打造 形成", Word(promises=True)),
    **_words("培育 引进 招引 引育 发展 壮大 集聚 汇聚 孵化 备案 认定 评选 遴选 选派", Word(promises=True)),
    **_words("完成 实施 举办 开展 组织 开工 完工 竣工 投产 启动 入库 签约 新签约 落地", Word(promises=True)),
    **_words("设立 布局 推出 推广 培养 培训 招录 招聘 发布 制定 制修订 开发 上线 开设", Word(promises=True)),
    **_words("整治 修复 治理 开通 投放 挖掘 转化 促进 提供 筹集 打通 种植", Word(promises=True)),
    **_words("力争 确保 争取 为 共 共计 合计 累计 总计 均 每年 全年 年内", Word()),
    **_words("第 前 由 从 满 每 近 号 预约", Word(never=True, touching=True)),
    **_words("最高 最多 最长 上限 已 已经 其他 一般", Word(never=True)),
}
LONGEST_BEFORE = max(map(len, BEFORE))

# Directly behind the measure.
AFTER: dict[str, Comparator] = {
    **dict.fromkeys(("以上", "及以上"), Comparator.ge),
    **dict.fromkeys(("以内", "之内", "以下", "及以下"), Comparator.le),
    **dict.fromkeys(("左右", "上下"), Comparator.about),
}

# Measures of things that are counted or measured out: their figure may stand before the thing. The pattern behind the
# word excludes longer words that begin with it.
COUNTED: dict[str, str] = {
    "个": "月|小时|工作日|百分点|方面|人",
    "家": "庭",
    "人": "才|口|民|员|大|均|机|工|次",
    "部": "门|分|委",
    "处": "理|置|罚",
    "场": "地|景|所|次",
    "条": "件|例",
    "台": "账|套",
    "片": "区",
    "种": "植|养",
    "次": "方",
    "家次": "",
} | dict.fromkeys(
    _list(
        "名 件 项 户 亩 吨 座 公里 千米 平方米 平方公里 公顷 立方米 所 套 辆 张 类 株 棵 头 只 批 支 位 例 起 份 门 床 "
        "间 栋 宗 款 艘 架 人次 场次 班次 架次 台套 标箱 斤 公斤 微克/立方米 毫克/升 千瓦 兆瓦 千瓦时 吨标准煤"
    ),
    "",
)
# Measures of money and shares: their figure stands behind the thing, or it describes another (1000万元企业).
MONEY = ("元", "美元")
SHARES = ("个百分点", "百分点", "%", "％", "‰")
FACTORS = _list("万亿 千亿 百亿 十亿 亿 千万 百万 十万 万 千 百")

# A part of a sentence with one of these speaks of support for others; money in what follows does so as well.
SUPPORT = _list("给予 补助 补贴 奖励 资助 奖补 贴息 减免 免除 授信 申领 兑付 报销 奖金 最高 上限 封顶")
# A part with one of these describes what is, was or may be.
DESCRIBES = _list(
    "现有 目前 截至 截止 去年 上年 已有 已建成 允许 可以 原则上 分别 符合 涉及 下辖 不足 总投资 占地 全长"
)
# A part that begins so sets a condition, a limit or a wish.
CONDITION = r"对(?!接|口|标|外)|凡|如果|若|每家|每人|每户|按照|按不|围绕|依托|根据|针对|支持|鼓励|引导"

# Announcements that are no part of what a figure measures.
OPENING = (
    r"力争|确保|争取|努力|实现|完成|推动|促进|全年|年内|今年|同时|进一步|继续|累计|预计|净增|打造|建成(?!区)|新建(?!改建)|建设(?!用地)|"
    r"新?(?:培育|引进|招引|创建|认定)|举办|开展|集聚|汇聚|上线|评选|组织|挖掘"
)
# A bare figure measures what ends with one of these; of anything else it may be a mere description.
METRIC = r"(?:[值额量率比重数幅速税效]|收入|支出|投资|资金|外资|消费|营收|规模|贷款|存款|进出口|面积|GDP)$"
# These say only what of a thing is measured: the thing is the one the sentence spoke of before.
RELATIVE = r"总数|总量|总额|总规模|总面积|规模|数量|占比|比重|增速|增幅|占(?!地|用|道).*|同比.*|比上年.*"
# These say only which of things: nobody can read them without the thing (国家级企业10家、省级50家).
BARE_RANK = r"(?:国家|省|市|县|区|部|厅|州|地市)级(?:及以上)?"

MEMBER = (
    r"县市区|县（市、区）|县\(市、区\)|县（市）区|县区|区县|市县|市州|地市|乡镇|镇街|街道|社区|"
    r"开发区|园区|县|市|区|乡|镇|村"
)
