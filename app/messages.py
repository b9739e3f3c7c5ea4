"""The sentences of all problems, in Chinese and English, by their stable code."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from app.errors import ErrorCode as E
from app.errors import Fault, ServiceError


class Language(StrEnum):
    """A language that answers come in; the value is its language tag."""

    zh = "zh-CN"
    en = "en"


class Sentence(NamedTuple):
    """One sentence in both languages, with `{placeholders}`."""

    zh: str
    en: str


TITLES: dict[E, Sentence] = {
    E.malformed_json: Sentence("请求体不是有效的 JSON", "The body is not valid JSON"),
    E.bad_cursor: Sentence("游标无效", "The cursor is not valid here"),
    E.bad_request: Sentence("请求无法读取", "The request cannot be read"),
    E.unauthenticated: Sentence("未通过身份验证", "Not authenticated"),
    E.forbidden: Sentence("权限不足", "Not permitted"),
    E.not_your_unit: Sentence("该单位不属于本接入系统", "Not one of your units"),
    E.unit_not_assigned: Sentence("该单位不承担此目标任务", "The unit does not answer for this target"),
    E.not_found: Sentence("未找到", "Not found"),
    E.nothing_to_report: Sentence("没有需要填报的指标", "Nothing to report"),
    E.no_such_path: Sentence("没有这个地址", "No such path"),
    E.method_not_allowed: Sentence("不支持该请求方法", "Method not allowed"),
    E.already_exists: Sentence("已存在", "Already exists"),
    E.stale_version: Sentence("版本已过期", "Stale version"),
    E.transition_refused: Sentence("状态不能这样变更", "The status cannot change so"),
    E.batch_rejected: Sentence("批量数据有误，均未写入", "Rows are wrong, and nothing was written"),
    E.conflict: Sentence("与现有数据冲突", "Conflict"),
    E.values_of_other_periods: Sentence("有指标值的期间形式不同", "Values have periods of another form"),
    E.values_outside_plan: Sentence("有指标值在方案日期之外", "Values lie outside the plan"),
    E.precondition_failed: Sentence("前提条件不满足", "Precondition failed"),
    E.body_too_large: Sentence("请求体过大", "The body is too large"),
    E.unsupported_media_type: Sentence("不支持该内容类型", "Unsupported media type"),
    E.invalid_request: Sentence("请求内容有误", "The request is not valid"),
    E.document_empty: Sentence("文件是空的", "The document is empty"),
    E.document_unreadable: Sentence("文件无法读取", "The document cannot be read"),
    E.document_without_targets: Sentence("文件中没有目标任务", "The document has no target"),
    E.workbook_unreadable: Sentence("工作簿无法读取", "The workbook cannot be read"),
    E.too_many_rows: Sentence("行数过多", "Too many rows"),
    E.idempotency_key_in_use: Sentence("同一幂等键的请求仍在处理", "The idempotency key is in use"),
    E.idempotency_key_reused: Sentence("幂等键已用于另一请求", "The idempotency key stands for another request"),
    E.internal_error: Sentence("服务内部错误", "Internal error"),
    E.unavailable: Sentence("服务暂时不可用", "Temporarily unavailable"),
}

DETAILS: dict[E, Sentence] = {
    E.malformed_json: Sentence("请求体不是有效的 JSON，见 errors。", "The body is not valid JSON, see errors."),
    E.bad_cursor: Sentence(
        "游标须原样取自同一列表、同样筛选条件的上一页 next_cursor。",
        "A cursor must be the next_cursor of the same list with the same filters, unchanged.",
    ),
    E.bad_request: Sentence("请求无法读取。", "The request cannot be read."),
    E.unauthenticated: Sentence(
        "请在 Authorization 头中提供有效密钥：Bearer zrn_…。密钥缺失、错误、过期或已吊销。",
        "Send a valid key in the Authorization header: Bearer zrn_…. It is missing, wrong, expired or revoked.",
    ),
    E.forbidden: Sentence(
        "此操作需要 {scope} 权限，密钥现有：{scopes}。", "This needs the scope {scope}; the key has: {scopes}."
    ),
    E.not_your_unit: Sentence(
        "{unit} 不是接入系统 {client} 的所属单位、其成员或下级单位。",
        "{unit} is not a unit of client {client}, a member or a descendant of one.",
    ),
    E.unit_not_assigned: Sentence(
        "{unit} 不是目标任务 {target} 的牵头、责任或配合单位。",
        "{unit} does not answer for target {target} in any role.",
    ),
    E.not_found: Sentence("没有编码为 {code} 的{resource}。", "There is no {resource} with the code {code}."),
    E.nothing_to_report: Sentence(
        "在方案 {plan} 中，所查单位不负责任何指标。请用参数 unit 指明单位。",
        "In the plan {plan}, the units that are asked for answer for no indicator. Name another one as unit.",
    ),
    E.no_such_path: Sentence("没有 {path} 这个地址，接口说明见 /docs。", "There is nothing at {path}; see /docs."),
    E.method_not_allowed: Sentence(
        "{path} 不支持 {method}，可用：{allowed}。", "{path} does not take {method}; it takes: {allowed}."
    ),
    E.already_exists: Sentence("{value} 已被使用。", "{value} is already in use."),
    E.stale_version: Sentence(
        "期望版本 {expected}，现有版本 {version}，由 {by} 写入。请重新读取后再提交。",
        "Expected version {expected}, but version {version} stands, written by {by}. Read it again before you write.",
    ),
    E.transition_refused: Sentence(
        "{code} 现为 {status}，不能变为 {wanted}；可变为：{allowed}。",
        "{code} is {status} and cannot become {wanted}; it can become: {allowed}.",
    ),
    E.batch_rejected: Sentence(
        "共 {received} 行，其中 {rejected} 行有误，见 problems；均未写入。"
        "请改正后重新提交，或用 on_error=skip 写入其余各行。",
        "Of {received} rows {rejected} are wrong, see problems; nothing was written. Mend them and send all again, or "
        "write the others with on_error=skip.",
    ),
    E.conflict: Sentence("与现有数据冲突：{constraint}。", "This contradicts stored data: {constraint}."),
    E.values_of_other_periods: Sentence(
        "有 {count} 个指标值（如 {period}）的期间不是按 {frequency} 报送的形式。请先撤回这些值，或保留原频率。",
        "{count} value(s), such as that of {period}, have periods of another form than {frequency}. Withdraw them "
        "first, or keep the frequency.",
    ),
    E.values_outside_plan: Sentence(
        "有 {count} 个指标值的期间不在 {starts_on} 至 {ends_on} 之内。请先撤回这些值，或另定日期。",
        "{count} value(s) have periods outside {starts_on} to {ends_on}. Withdraw them first, or set other days.",
    ),
    E.precondition_failed: Sentence(
        "If-Match 与现有 ETag {etag} 不符，资源已被修改，最后由 {by} 写入。请重新读取后再提交。",
        "If-Match is not the present ETag {etag}: it was written since, last by {by}. Read it again before you write.",
    ),
    E.body_too_large: Sentence("请求体最多 {limit} 字节。", "The body may have {limit} bytes at most."),
    E.unsupported_media_type: Sentence(
        "请用 Content-Type: {expected} 提交请求体，收到的是 {received}。",
        "Send the body with Content-Type: {expected}; it came with {received}.",
    ),
    E.invalid_request: Sentence("有 {count} 处错误，见 errors。", "{count} field(s) are wrong, see errors."),
    E.document_empty: Sentence("文件中没有任何文字。", "There is not a word in the document."),
    E.document_unreadable: Sentence(
        "文件不是可识别的文本（支持 UTF-8、UTF-16、GB18030）：{reason}。",
        "The document is not text in UTF-8, UTF-16 or GB18030: {reason}.",
    ),
    E.workbook_unreadable: Sentence(
        "应为未加密的 XLSX 工作簿，解压后不超过 200 MB：{reason}。",
        "An XLSX workbook without a password, of at most 200 MB once unpacked, was expected: {reason}.",
    ),
    E.too_many_rows: Sentence(
        "一次最多提交 {limit} 行，请分批提交。", "A batch may have {limit} rows at most; send it in parts."
    ),
    E.document_without_targets: Sentence(
        "在 {lines} 行中没有找到目标任务。所找的是：行首带编号的条目（如“52.”“1、”“（一）”），并带有单位括注，"
        "如（牵头单位:…;责任单位:…）。",
        "No target was found in {lines} lines. What was looked for: items that begin with a number (such as 52. or 1、 "
        "or （一）) and name units in brackets, such as (牵头单位:…;责任单位:…).",
    ),
    E.idempotency_key_in_use: Sentence(
        "带有同一 Idempotency-Key 的请求仍在处理，请稍后用同样的请求重试，即可得到它的答复。",
        "A request with this Idempotency-Key is still being served; send it again in a moment to get its answer.",
    ),
    E.idempotency_key_reused: Sentence(
        "Idempotency-Key {key} 已用于另一请求（地址、参数或请求体不同）。重试须原样发送，新的请求须用新的键。",
        "The Idempotency-Key {key} stands for a request with another path, query or body. To send that one again, "
        "change nothing; a new request needs a new key.",
    ),
    E.internal_error: Sentence(
        "服务出现内部错误，请将 request_id 告知管理员。同样的请求可以再次提交，不会重复生效。",
        "The service failed: tell the administrator the request_id. The same request may be sent again.",
    ),
    E.unavailable: Sentence(
        "数据库忙或无法连接，请稍后重试。", "The database is busy or cannot be reached; try again."
    ),
    E.json_syntax: Sentence(
        "第 {line} 行第 {column} 个字符处不符合 JSON 语法。", "At line {line}, character {column}, it is no JSON."
    ),
    E.json_not_utf8: Sentence(
        "第 {line} 行第 {byte} 个字节起不是 UTF-8 编码。", "From byte {byte} of line {line} on it is not UTF-8."
    ),
    E.json_too_deep: Sentence("嵌套层数过多。", "It is nested too deep."),
    E.json_repeated_field: Sentence("字段 {name} 在同一对象中出现多次。", "An object has the field {name} twice."),
    E.csv_syntax: Sentence(
        "第 {line} 行不符合 CSV 语法：单元格内的引号须成对，并写作两个引号。",
        "Line {line} is no CSV: quotes come in pairs, and a quote within a quoted cell is written twice.",
    ),
    E.not_in_encoding: Sentence(
        "第 {line} 行“{before}”之后的字节 {byte} 不是 {encoding} 编码，可能被截断或混入了其他编码。",
        'The byte {byte} in line {line}, after "{before}", is no {encoding}: it may have been cut off, or come from '
        "another file.",
    ),
    E.charset_wrong: Sentence(
        "Content-Type 声明 charset={charset}，内容却是 {found} 编码。请改为 charset={found}，"
        "或去掉 charset 由服务识别。",
        "Content-Type says charset={charset}, but the body is {found}. Send charset={found}, or none at all: then the "
        "service finds out.",
    ),
    E.several_tables: Sentence(
        "有不止一张工作表带表头和数据：{sheets}。一次只报一张，请删去其余各张，或分别另存后报送。",
        "More than one sheet has headings and rows: {sheets}. Send one at a time: delete the others, or save each as "
        "a file of its own.",
    ),
    E.headings_not_found: Sentence(
        "前 {rows} 行中没有表头。表头至少应有：{headings}。",
        "There are no headings in the first {rows} rows. At least these were expected: {headings}.",
    ),
    E.heading_missing: Sentence("缺少一列，表头应为：{headings}。", "A column is missing, headed {headings}."),
    E.heading_repeated: Sentence(
        "表头 {name} 与 {other} 指同一字段，只能有一列。",
        "The headings {name} and {other} name one field; keep one of them.",
    ),
    E.too_many_columns: Sentence(
        "表头有 {columns} 列，最多 {limit} 列。", "There are {columns} columns with headings; {limit} may be at most."
    ),
    E.cell_without_heading: Sentence(
        "第 {column} 列没有表头，却有内容：{text}。", "Column {column} has no heading, but holds {text}."
    ),
    E.required: Sentence("缺少必填项。", "This is required."),
    E.unknown_field: Sentence("没有 {name} 这个字段。", "There is no field {name}."),
    E.unknown_parameter: Sentence("没有 {name} 这个查询参数。", "There is no query parameter {name}."),
    E.repeated_parameter: Sentence("查询参数 {name} 只能出现一次。", "The query parameter {name} may stand only once."),
    E.invalid: Sentence("值无效：{reason}。", "Not valid: {reason}."),
    E.not_text: Sentence("应为字符串。", "A string was expected."),
    E.not_a_whole_number: Sentence("应为整数。", "A whole number was expected."),
    E.not_true_or_false: Sentence("应为 true 或 false。", "true or false was expected."),
    E.not_an_object: Sentence("应为 JSON 对象。", "A JSON object was expected."),
    E.not_a_list: Sentence("应为 JSON 数组。", "A JSON array was expected."),
    E.not_null: Sentence("此项不能为 null。", "This cannot be null."),
    E.not_allowed: Sentence("应为以下之一：{expected}。", "One of these was expected: {expected}."),
    E.too_short: Sentence("不能为空，至少 {limit} 个。", "Too short: at least {limit}."),
    E.too_long: Sentence("过长，最多 {limit} 个。", "Too long: at most {limit}."),
    E.too_small: Sentence("过小，至少为 {limit}。", "Too small: at least {limit}."),
    E.too_large: Sentence("过大，最多为 {limit}。", "Too large: at most {limit}."),
    E.bad_format: Sentence("格式不符：{pattern}。", "Not of the form {pattern}."),
    E.bad_characters: Sentence("含有不可见的控制字符。", "It contains control characters."),
    E.time_invalid: Sentence(
        "应为带时区的时间，如 2023-06-30T08:00:00Z。",
        "A time with its zone was expected, such as 2023-06-30T08:00:00Z.",
    ),
    E.time_in_future: Sentence(
        "只能查询已经过去的时间，不晚于现在（{now}）。",
        "A time that is over was expected, not after now ({now}): what is to come could still change the answer.",
    ),
    E.date_invalid: Sentence("应为日期，如 2023-06-15。", "A day was expected, such as 2023-06-15."),
    E.not_a_figure: Sentence(
        "应为数字，如 46.8；在 JSON 中不带引号。", "A number was expected, such as 46.8; in JSON without quotes."
    ),
    E.percent_cell: Sentence(
        "单元格为百分比格式，显示 {shown}，所存的数却不带百分号，是它的百分之一。请把格式改为“常规”，"
        "再按计量单位填写数字：以百分比计的，填百分号前的数。",
        "The cell is formatted as a percentage: it shows {shown}, but holds a hundredth of that. Format it as General "
        "and type the figure in the indicator's measure: in percent, the number before the sign.",
    ),
    E.figure_not_finite: Sentence("不能是 NaN 或无穷大。", "It cannot be NaN or infinite."),
    E.too_many_digits: Sentence(
        "小数点前最多 12 位、后最多 6 位，有效数字最多 15 位；不作四舍五入。",
        "At most 12 digits before the point, 6 after it and 15 significant ones; nothing is rounded.",
    ),
    E.period_invalid: Sentence(
        "应为期间：2023、2023-H1、2023-Q2、2023-06 或 2023-06-15。",
        "A period was expected: 2023, 2023-H1, 2023-Q2, 2023-06 or 2023-06-15.",
    ),
    E.period_wrong_frequency: Sentence(
        "指标 {indicator} 的报送频率为 {frequency}，期间应写作 {form}。",
        "Indicator {indicator} is reported by {frequency}; its periods look like {form}.",
    ),
    E.period_outside_plan: Sentence(
        "期间不在方案的 {starts_on} 至 {ends_on} 之内。",
        "The period lies outside the plan's days {starts_on} to {ends_on}.",
    ),
    E.period_order: Sentence("period_to 早于 period_from。", "period_to lies before period_from."),
    E.usci_invalid: Sentence(
        "不是有效的统一社会信用代码（GB 32100-2015，18 位，末位为校验码）。",
        "Not a unified social credit code (GB 32100-2015: 18 characters, the last one a check digit).",
    ),
    E.unit_unknown: Sentence("没有名为 {name} 的单位。", "No unit is called {name}."),
    E.unit_ambiguous: Sentence("{name} 可指多个单位，请用编码。", "{name} may be several units; use the code."),
    E.measure_differs: Sentence(
        "指标 {indicator} 的计量单位是 {measure}。数值不作换算，请按此单位填报。",
        "The measure of indicator {indicator} is {measure}. Figures are never converted: send them in it.",
    ),
    E.unit_is_group: Sentence(
        "{unit} 是单位组，数值须注明是其中哪个成员单位的。", "{unit} is a group: name the member whose figure it is."
    ),
    E.unit_needed: Sentence(
        "请写明单位：无法从接入系统的所属单位中唯一确定。",
        "Name the unit: the client's own units do not settle which one.",
    ),
    E.unit_repeated: Sentence("{unit} 重复出现。", "{unit} stands more than once."),
    E.alias_repeated: Sentence("别名 {name} 重复出现。", "The alias {name} stands more than once."),
    E.not_a_group: Sentence("只有 kind 为 group 的单位才有成员。", "Only a unit of kind group has members."),
    E.group_cycle: Sentence("{unit} 会成为自己的成员。", "{unit} would become a member of itself."),
    E.parent_cycle: Sentence("{unit} 会成为自己的上级。", "{unit} would become its own parent."),
    E.row_repeated: Sentence(
        "与第 {rows} 行的指标、单位、期间相同。", "It has the same indicator, unit and period as row {rows}."
    ),
    E.date_order: Sentence("结束日期早于开始日期。", "It ends before it begins."),
    E.goal_order: Sentence("goal_to 须大于 goal。", "goal_to must be greater than goal."),
    E.goal_to_needed: Sentence(
        "comparator 为 range 时须有 goal_to，其他情况不得有。",
        "goal_to goes with the comparator range, and only with it.",
    ),
    E.goal_unchanged: Sentence("目标值与现行的相同。", "The goal is the one already in force."),
    E.year_unknown: Sentence("文件标题中没有年份，请用参数 year 给出。", "The title names no year: give it as year."),
    E.title_unknown: Sentence("文件中没有标题，请用参数 title 给出。", "The document has no title: give it as title."),
    E.idempotency_key_invalid: Sentence(
        "应为一个幂等键：1 至 255 个可见 ASCII 字符，如 8e03978e-40d5-43dd-bc93-6894a57f9324；"
        '含有 " , ; \\ 的须加双引号。',
        "One key of 1 to 255 visible ASCII characters was expected, such as 8e03978e-40d5-43dd-bc93-6894a57f9324; "
        'one with " , ; or \\ in it stands in double quotes.',
    ),
    E.template_too_long: Sentence(
        "填报表将超过 {most} 行，请用参数 unit 指明一个单位。",
        "The template would have more than {most} rows: name one unit as unit.",
    ),
    E.unknown_reference: Sentence("没有编码为 {code} 的{resource}。", "There is no {resource} with the code {code}."),
}

RESOURCES: dict[str, Sentence] = {
    "plan": Sentence("方案", "plan"),
    "section": Sentence("部分", "section"),
    "target": Sentence("目标任务", "target"),
    "unit": Sentence("单位", "unit"),
    "assignment": Sentence("责任", "assignment"),
    "indicator": Sentence("指标", "indicator"),
    "value": Sentence("指标值", "value"),
    "import": Sentence("导入", "import"),
    "client": Sentence("接入系统", "client"),
    "key": Sentence("密钥", "key"),
}


class _Filling(dict[str, object]):
    """Placeholders without a value show as they are: a sentence must never be the cause of an error."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def _fill(sentence: Sentence, language: Language, params: Mapping[str, object]) -> str:
    filling = _Filling(params)
    resource = RESOURCES.get(str(params.get("resource")))
    if resource is not None:
        filling["resource"] = getattr(resource, language.name)
    text: str = getattr(sentence, language.name)
    return text.format_map(filling)


def title_of(error: ServiceError, language: Language) -> str:
    """The short, unchanging name of this kind of refusal."""
    return _fill(TITLES[error.code], language, {})


def detail_of(error: ServiceError, language: Language) -> str:
    """What is wrong with this very request."""
    return _fill(DETAILS[error.code], language, {"count": len(error.faults), **error.params})


def fault_detail(fault: Fault, language: Language) -> str:
    """What is wrong with one field."""
    return _fill(DETAILS[fault.code], language, fault.params)


def preferred_language(accept_language: str | None) -> Language:
    """The language of the answer: Chinese, unless English is asked for with a higher weight."""
    weights = {Language.zh: 0.0, Language.en: 0.0}
    for part in (accept_language or "").split(","):
        tag, _, weight = part.partition(";")
        language = {"zh": Language.zh, "en": Language.en}.get(tag.strip().lower().partition("-")[0])
        if language is not None:
            weights[language] = max(weights[language], _weight(weight))
    return Language.en if weights[Language.en] > weights[Language.zh] else Language.zh


def _weight(text: str) -> float:
    """The `q` of an `Accept` header's part; 1 where none is said, 0 where it cannot be read."""
    name, _, number = text.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(number)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
