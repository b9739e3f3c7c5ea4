"""What a single line looks like: numbered, a title, a run-in heading, the end of a sentence."""

import re
from typing import NamedTuple

# Styles of numbering, outermost first; the number is also the level of a heading in that style.
CHINESE_COMMA = 1  # 一、
CHINESE_BRACKET = 2  # （一）
RUN_IN = 3  # a heading without a number
ARABIC = 3  # 52.  52、  52．
ARABIC_BRACKET = 4  # （52）

_SPACE = r"[\s\u200b\ufeff]*"
_CHINESE = r"[一二三四五六七八九十百零〇]{1,6}"
_NUMBERS = (
    (CHINESE_COMMA, re.compile(rf"{_SPACE}({_CHINESE}){_SPACE}[、．.]{_SPACE}")),
    (CHINESE_BRACKET, re.compile(rf"{_SPACE}[（(]{_SPACE}({_CHINESE}){_SPACE}[)）]{_SPACE}、?{_SPACE}")),
    # A point before a digit is a decimal or a date (3.5亿元, 2023.05.01) unless what follows is a word or year of its
    # own (52.5G网络…, 52.2023年底前…).
    (ARABIC, re.compile(rf"{_SPACE}(\d{{1,4}})(?:[、．]|\.(?!\d)|\.(?=\d+[A-Za-z]|(?:19|20)\d\d年)){_SPACE}")),
    (ARABIC_BRACKET, re.compile(rf"{_SPACE}[（(]{_SPACE}(\d{{1,4}}){_SPACE}[)）]{_SPACE}、?{_SPACE}")),
)
_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0}

_PLAN_WORDS = "方案|计划|意见|分工|分工表|分解表|一览表|清单|措施|要点|安排|任务|通知"
_TITLE = re.compile(rf"[^>|»→_\t]{{4,120}}(?:{_PLAN_WORDS})[》〉”]?(?:[（(〔][^（）()〔〕]{{1,30}}[）)〕]){{0,3}}")
_YEAR = re.compile(
    r"(?:19|20)\d\d(?=\s*年|[—–\-~～至到]{1,2}(?:19|20)\d\d年)|[一二][〇○零九][〇○零一二三四五六七八九]{2}(?=年)"
)
_RUN_IN = re.compile(r"[\u4e00-\u9fff“”《》、·,，]{4,30}[。：:]?")
_SENTENCE_END = re.compile(r"[。！？；;!?：:][”’）)]?$")
_PAGE_NUMBER = re.compile(
    r"\s*(?:[-—–－]*\s*\d{1,4}\s*[-—–－]*|第\s*\d{1,4}\s*页(?:\s*[,，/]?\s*共\s*\d{1,4}\s*页)?)\s*"
)


class Number(NamedTuple):
    """The number a line begins with: style, as printed without punctuation, what it counts, where the text begins."""

    style: int
    printed: str
    value: int
    end: int


def read_number(text: str) -> Number | None:
    """The number a line begins with, or None."""
    if not text or text.isspace():
        return None
    for style, pattern in _NUMBERS:
        if match := pattern.match(text):
            printed = match[1]
            return Number(style, printed, number_value(printed), match.end())
    return None


def number_value(printed: str) -> int:
    """What a printed number counts, in digits of any script (12, １２) or in Chinese ones (十二)."""
    return int(printed) if printed.isdecimal() else chinese_value(printed)


def chinese_value(numeral: str) -> int:
    """What a Chinese numeral below 1000 counts: 二十三 is 23. One digit after the other (一〇二) counts as well."""
    total, digit = 0, 0
    for char in numeral:
        if char in "十百":
            total += (digit or 1) * (10 if char == "十" else 100)
            digit = 0
        else:
            digit = digit * 10 + _DIGITS[char]
    return total + digit


def heading_text(text: str) -> str:
    """A heading as it is named: without outer space and closing mark."""
    return text.strip().rstrip("。：:").rstrip()


def numbered_heading(text: str) -> str | None:
    """The heading that a numbered line holds: its first sentence, if that is short enough to be one."""
    first, _, _ = text.strip()[:61].partition("。")
    return heading_text(first) if len(first) <= 60 else None


def is_run_in(text: str) -> bool:
    """Whether a line has the shape of a heading without a number: one short sentence of plain words."""
    return _RUN_IN.fullmatch(text.strip()) is not None


def ends_sentence(text: str) -> bool:
    """Whether a line ends where a sentence may end."""
    return _SENTENCE_END.search(text.rstrip()[-2:]) is not None


def is_page_number(text: str) -> bool:
    """Whether a line is nothing but a page number (— 12 —, 第3页 共9页)."""
    return len(text) <= 60 and _PAGE_NUMBER.fullmatch(text) is not None


def title_weight(text: str) -> int:
    """How much a line looks like a plan's title; 0 for not at all.

    Titles end with the word for what the document is (方案, 计划, 分工 …); that it divides tasks or duties and that it
    names its year weigh more. A covering notice (关于印发…的通知) weighs less than the plan it encloses.
    """
    text = text.strip()
    if len(text) > 160 or not _TITLE.fullmatch(text) or any(mark in text for mark in "。；;:：，,"):
        return 0
    weight = 2 + 2 * any(word in text for word in ("责任", "分解", "分工")) + (title_year(text) is not None)
    return weight - text.endswith("通知")


def title_year(title: str) -> int | None:
    """The year a title names (2023年, 二〇二三年): the first, or None."""
    match = _YEAR.search(title)
    if match is None:
        return None
    return int("".join(char if char.isdecimal() else str(_DIGITS.get(char, 0)) for char in match[0]))
