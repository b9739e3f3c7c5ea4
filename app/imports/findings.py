"""What a person should look at in an imported document: one thing, where it stands, and its text in two languages."""

from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in a document that a person should look at.

    `line` counts from 1; `start` and `end` are offsets in characters (Unicode code points) within the line, 0-based,
    end exclusive. All three are None for a finding about the document as a whole. `text` is the words it is about,
    long ones cut; `params` fills the placeholders of the code's sentence in `FINDING_TEXTS`.
    """

    severity: Severity
    code: str
    line: int | None = None
    start: int | None = None
    end: int | None = None
    text: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    suggestions: tuple[str, ...] = ()


# code: (Chinese, English); placeholders are filled by str.format from Finding.params
FINDING_TEXTS: dict[str, tuple[str, str]] = {
    # of the file
    "encoding_detected": (
        "文件未注明编码，按 {encoding} 读取。",
        "The file does not name its encoding; it was read as {encoding}.",
    ),
    "control_characters": (
        "{count} 个不可见的控制字符按空格处理。",
        "{count} control character(s), which no reader sees, were read as spaces.",
    ),
    # of the plan as a whole
    "no_title": ("没有找到方案标题。", "No title was found."),
    "no_year": ("标题中没有年份。", "The title does not name a year."),
    "empty_section": ("标题“{heading}”下没有目标任务。", "No target follows the heading “{heading}”."),
    "text_left_out": (
        "自此起 {count} 行既不是标题，也不属于任何目标任务，未导入。",
        "From here on {count} line(s) are no heading and belong to no target; they were left out.",
    ),
    "target_left_out": (
        "此处写有责任单位，但不在方案的编号序列内，未作为目标任务导入。",
        "This text names units but stands outside the plan's run of numbers; it was not read as a target.",
    ),
    # of the run of numbers
    "duplicate_number": (
        "编号 {number} 重复，首次出现在第 {first_line} 行。",
        "Number {number} appears again; it was first used on line {first_line}.",
    ),
    "number_gap": ("编号 {previous} 与 {number} 之间有缺号。", "Numbers are missing between {previous} and {number}."),
    "renumbered": (
        "上次导入时此项编号为 {previous}，现为 {number}；数据和历史仍随原编号，请人工核对。",
        "Was number {previous} in the last import; values and history stay with the number, not with item {number}.",
    ),
    # of one target
    "no_statement": ("第 {number} 项没有正文，未导入。", "Item {number} has no text and was left out."),
    "no_units": ("第 {number} 项没有写明单位。", "Item {number} names no unit."),
    "no_lead": (
        "第 {number} 项没有写明牵头单位，不作推定。",
        "Item {number} names no lead unit; none was assumed.",
    ),
    "statement_long": (
        "第 {number} 项正文有 {length} 字，可能未正确分段。",
        "The text of item {number} has {length} characters; it may not be split rightly.",
    ),
    "units_inside_text": (
        "第 {number} 项正文中间还写有单位，这些单位均归入该项。",
        "Item {number} names units in the middle of its text as well; all were taken for the whole item.",
    ),
    "indicator_replaced": (
        "已有填报值的指标“{old}”（{code}）不再出现，同一目标任务新增“{new}”；如为同一指标，请人工核对。",
        "“{old}” ({code}), which has values, is gone and its target now has “{new}”: please check whether it is one.",
    ),
    # of one unit clause
    "clause_unclosed": ("单位括注缺少右括号。", "The bracket around the units is not closed."),
    "clause_field_unread": (
        "括注中的“{label}”不是单位，未导入。",
        "The field “{label}” in the bracket does not name units and was left out.",
    ),
    "clause_note": (
        "括注中单位之后的说明未导入，如有约定请人工核对。",
        "The note after the units was left out; if it sets a rule, please check by hand.",
    ),
    "units_open_ended": (
        "单位名单以“{tail}”结尾，其余单位未写明。",
        "The list of units ends with “{tail}”: the others are not named.",
    ),
    # of units against the register, raised by the service
    "group_members_unknown": (
        "“{name}”是一组单位，但成员未登记，只能分解到该组。",
        "“{name}” is a group whose members are not registered; only the group itself is assigned.",
    ),
    "unit_unknown": ("单位库中没有“{name}”。", "The register has no unit “{name}”."),
    "unit_ambiguous": ("“{name}”对应不止一个单位。", "“{name}” may be more than one unit."),
}
