"""Invented Chinese names and sentences in the manner of a work report, from which the database is made.

The cities do not exist, so that no figure here can be taken for that of a real government.
"""

from itertools import islice
from random import Random

_CITIES = [
    ("yunze", "云泽"), ("qinglan", "青岚"), ("hanxing", "汉兴"), ("nanlu", "南麓"), ("qingxi", "清溪"),
    ("changle", "长乐"), ("andu", "安渡"), ("fenghe", "丰河"), ("ningchuan", "宁川"), ("taiping", "泰坪"),
]  # fmt: skip

# what the names of more cities are made of
_FIRST = [
    ("dai", "黛"), ("heng", "珩"), ("ji", "霁"), ("lang", "琅"), ("ling", "翎"), ("mu", "暮"), ("ran", "苒"),
    ("sheng", "笙"), ("xiao", "霄"), ("xiu", "岫"),
]  # fmt: skip
_SECOND = [
    ("chuan", "川"), ("feng", "峰"), ("gang", "港"), ("hu", "湖"), ("lin", "林"), ("pu", "浦"), ("shan", "山"),
    ("yang", "阳"), ("zhou", "州"),
]  # fmt: skip

COUNTIES = [
    ("dongshan", "东山县"), ("xihe", "西河县"), ("longquan", "龙泉县"), ("shuangfeng", "双峰县"),
    ("chengguan", "城关区"), ("jiangkou", "江口市"),
]  # fmt: skip

# code, official name, name as printed
DEPARTMENTS = [
    ("development-and-reform-commission", "发展和改革委员会", "发改委"),
    ("economy-and-information-bureau", "经济和信息化局", "经信局"),
    ("education-bureau", "教育局", "教育局"),
    ("science-and-technology-bureau", "科学技术局", "科技局"),
    ("public-security-bureau", "公安局", "公安局"),
    ("civil-affairs-bureau", "民政局", "民政局"),
    ("finance-bureau", "财政局", "财政局"),
    ("human-resources-bureau", "人力资源和社会保障局", "人社局"),
    ("natural-resources-bureau", "自然资源和规划局", "自然资源局"),
    ("ecology-bureau", "生态环境局", "生态环境局"),
    ("housing-bureau", "住房和城乡建设局", "住建局"),
    ("transport-bureau", "交通运输局", "交通局"),
    ("water-bureau", "水利和湖泊局", "水利局"),
    ("agriculture-bureau", "农业农村局", "农业农村局"),
    ("commerce-bureau", "商务局", "商务局"),
    ("culture-and-tourism-bureau", "文化和旅游局", "文旅局"),
    ("health-commission", "卫生健康委员会", "卫健委"),
    ("emergency-bureau", "应急管理局", "应急局"),
    ("audit-bureau", "审计局", "审计局"),
    ("market-regulation-bureau", "市场监督管理局", "市场监管局"),
    ("statistics-bureau", "统计局", "统计局"),
    ("forestry-bureau", "林业局", "林业局"),
    ("medical-insurance-bureau", "医疗保障局", "医保局"),
    ("local-finance-bureau", "地方金融工作局", "金融局"),
    ("investment-promotion-bureau", "招商和投资促进局", "招商局"),
    ("rural-revitalization-bureau", "乡村振兴局", "乡村振兴局"),
    ("government-services-bureau", "政务服务和大数据管理局", "政务局"),
    ("veterans-bureau", "退役军人事务局", "退役军人局"),
    ("city-management-commission", "城市管理执法委员会", "城管委"),
    ("sports-bureau", "体育局", "体育局"),
]

HEADINGS = [
    "突出项目建设，着力扩大有效投资", "突出产业升级，加快建设现代化产业体系", "突出改革创新，推进科教人才兴市",
    "突出乡村振兴，推进农业农村现代化", "突出城市更新，提升城市功能品质", "突出生态优先，建设美丽家园",
    "突出对外开放，打造内陆开放高地", "突出民生改善，提高群众生活品质", "突出安全发展，维护社会大局稳定",
    "突出自身建设，打造人民满意政府",
]  # fmt: skip
SUBHEADINGS = ["夯实工作基础。", "强化要素支撑。", "补齐短板弱项。", "提升服务效能。"]

_ACTIONS = [
    "实施", "推进", "深化", "加快", "强化", "持续开展", "全面落实", "统筹推进", "扎实做好", "积极探索", "优化", "完善",
]  # fmt: skip
_SUBJECTS = [
    "学前教育学位扩充行动", "义务教育优质均衡发展", "高标准农田建设", "城镇老旧小区改造", "重大项目攻坚行动",
    "专精特新企业培育", "科技成果转化", "营商环境革命", "一网通办改革", "河湖长制", "大气污染防治攻坚",
    "农村人居环境整治", "公立医院改革", "养老服务体系建设", "稳就业促增收行动", "安全生产专项整治",
    "招商引资突破年活动", "数字政府建设", "全域旅游示范区创建", "公共文化服务提升工程",
    "交通强市建设", "水网连通工程", "绿色低碳转型", "耕地保护责任制",
    "基层治理能力提升行动", "社会信用体系建设", "粮食安全保障工程", "人才引进培养计划", "中小微企业帮扶",
    "县域经济发展",
]  # fmt: skip
_AIMS = [
    "健全常态化推进机制", "完善配套政策措施", "压实各级主体责任", "补齐基础设施短板", "提升公共服务水平",
    "激发市场主体活力", "守牢安全发展底线", "推动资源要素向基层下沉", "形成可复制可推广的经验做法",
    "打通群众办事堵点难点",
    "建立部门联动工作机制", "确保各项任务按期完成", "增强人民群众获得感", "构建覆盖城乡的服务网络",
    "促进产业链上下游协同",
]  # fmt: skip

# what is measured, its measure, the words before the goal, the comparator they stand for
_MEASURED = [
    ("公办幼儿园在园幼儿占比", "%", "超过", "gt"),
    ("规模以上工业增加值增速", "%", "达到", "ge"),
    ("固定资产投资增速", "%", "达到", "ge"),
    ("城镇登记失业率", "%", "控制在", "le"),
    ("空气质量优良天数比例", "%", "不低于", "ge"),
    ("城镇新增就业人数", "人", "不少于", "ge"),
    ("新增高新技术企业", "家", "达到", "ge"),
    ("净增规模以上工业企业", "家", "超过", "gt"),
    ("高标准农田建设面积", "亩", "达到", "ge"),
    ("改造老旧小区", "个", "不少于", "ge"),
    ("招商引资到位资金", "亿元", "超过", "gt"),
    ("社会消费品零售总额", "亿元", "达到", "ge"),
    ("技术合同成交额", "亿元", "达到", "ge"),
    ("政务服务事项网办率", "%", "达到", "ge"),
    ("每千人口执业医师数", "人", "达到", "ge"),
    ("新建改建农村公路", "公里", "不少于", "ge"),
]


def cities(count: int) -> list[tuple[str, str]]:
    """Code and name of each of some cities, at most a hundred."""
    more = ((first + second, head + tail) for first, head in _FIRST for second, tail in _SECOND)
    return [*_CITIES[:count], *islice(more, max(0, count - len(_CITIES)))]


def draw_statement(random: Random, clauses: list[str]) -> str:
    """A target's sentence: what is done, to what end, and the figures it promises."""
    action, subject = random.choice(_ACTIONS), random.choice(_SUBJECTS)
    aims = random.sample(_AIMS, random.choice((1, 1, 2, 2, 3)))
    return "，".join([f"{action}{subject}", *aims, *clauses]) + "。"


def draw_measure(random: Random) -> tuple[str, str, str, int, str]:
    """An indicator: name, measure, comparator, goal, and the clause of the sentence that promises it."""
    name, measure, words, comparator = random.choice(_MEASURED)
    goal = random.randint(3, 98) if measure == "%" else random.randint(5, 900)
    return name, measure, comparator, goal, f"{name}{words}{goal}{measure}"
