"""A template as a workbook: the figures to fill in, how to do it, and the codes that may be chosen."""

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from app.messages import Language
from app.spreadsheets import AS_TEXT, XLSX_MEDIA_TYPE, CellWriter, cell_text, file_headers, new_workbook, set_widths
from app.types import ValueStatus, plain_digits
from app.values.headings import COLUMNS
from app.values.template import OpenFigure, Template

_PLACES = {column.name: place for place, column in enumerate(COLUMNS)}
_WIDTHS = {"note": 30, "evidence_url": 30, "value": 14}  # of what is empty before it is filled in
_SPARE_ROWS = 1000  # below the last figure, where others may be typed
_MOST_MESSAGES = 10_000  # of a sheet; Excel refuses some 65,000
_MOST_IN_A_MESSAGE = 125  # characters; Excel refuses 256, and some count twice
_LARGEST = 999_999_999_999.999
_GREY = {"font_color": "#595959", "bg_color": "#F2F2F2"}
_SHEETS = {Language.zh: ("填报", "填写说明", "编码"), Language.en: ("Values", "Help", "Codes")}
_STATUS = {
    ValueStatus.returned: {Language.zh: "已退回", Language.en: "returned"},
    ValueStatus.withdrawn: {Language.zh: "已撤回", Language.en: "withdrawn"},
}
_MESSAGE = {
    Language.zh: ("填写数值", "计量单位：{measure}\n目标值：{goal}\n0 是数值；没有数据请留空。", "见各列"),
    Language.en: ("The figure", "Measure: {measure}\nGoal: {goal}\n0 is a figure; leave empty what is not known.", "–"),
}
_NO_FIGURE = {
    Language.zh: ("不是数值", "请只填数字，不带单位、逗号或百分号：46.8% 填 46.8。"),
    Language.en: ("No figure", "Type digits only, without measure, comma or percent sign: 46.8 for 46.8%."),
}
_UNUSUAL_PERIOD = {
    Language.zh: ("请核对期间", "该期间不在待报之列。形式：2023、2023-H1、2023-Q2、2023-06、2023-06-15。"),
    Language.en: ("Look again", "No such period is open. Forms: 2023, 2023-H1, 2023-Q2, 2023-06, 2023-06-15."),
}
_UNKNOWN_CODE = {
    Language.zh: ("请核对编码", "该编码不在“编码”表中。"),
    Language.en: ("Look again", "The sheet Codes does not have this code."),
}
_HELP = (
    ("填写说明", "How to fill this in"),
    (
        "每行是一个待报数值。请填“数值”列；“备注”“佐证材料”可不填。灰色各列供参考，请勿改动。",
        "Each row is a figure to report: fill in `value`, and `note` and `evidence_url` if you like; grey is to read.",
    ),
    (
        "0 是数值，表示“零”；没有数据的行请留空，空行不会报送。",
        "0 is a figure and means none; leave rows empty whose figure is not known: they are not sent.",
    ),
    (
        "只填数字：12 位以内整数、6 位以内小数，合计不超过 15 位；不带单位、千分号或百分号（46.8% 填 46.8）。",
        "Digits only: at most 12 before and 6 after the point, 15 in all; no measure, separator or percent sign.",
    ),
    (
        "期间写作 2023（年）、2023-H1（半年）、2023-Q2（季）、2023-06（月）、2023-06-15（日），依指标的报送频率。",
        "Periods are written 2023, 2023-H1, 2023-Q2, 2023-06 or 2023-06-15, as the indicator's frequency asks.",
    ),
    (
        "未定报送频率的指标也可报其他期间：在表末另起一行，填指标编码、单位编码、期间和数值。",
        "Indicators without a frequency take other periods too: add a row with indicator, unit, period and value.",
    ),
    (
        "“现值”有内容的行是被退回或撤回、需要更正的数值；请保留“预期版本”，以免覆盖他人的更正。",
        "What `current` shows was returned or withdrawn: correct it, and keep its `expected_version` for safety.",
    ),
    (
        "请勿改动第一行的列名和本工作簿中工作表的次序；可以增删行、调整列的次序、筛选和排序。",
        "Leave the headings and the order of the sheets as they are; rows may be added, removed, filtered and sorted.",
    ),
    (
        "填好后存为 .xlsx，原样报送；先加 ?dry_run=true 试报，只检查、不写入：",
        "Save it as .xlsx and send it as it is; ?dry_run=true first checks everything and writes nothing:",
    ),
)


def draw_template(template: Template, language: Language) -> bytes:
    """The workbook, with headings that a batch of values is read by. Equal templates give equal bytes."""
    out = io.BytesIO()
    with new_workbook(out) as book:
        form, notes, codes = (book.add_worksheet(name) for name in _SHEETS[language])
        _draw_form(book, form, template, language)
        _draw_help(book, notes, template)
        lists = _draw_codes(book, codes, template, language)
        _add_choices(form, len(template.figures), lists, language)
        _add_messages(form, template.figures, language)
    return out.getvalue()


def headers_of(template: Template) -> dict[str, str]:
    """What the workbook is called, and that it depends on the language that is asked for."""
    return file_headers(_name(template), "xlsx", f"{template.title}填报表") | {"Vary": "Accept-Language"}


def _name(template: Template) -> str:
    return f"{template.plan}-template"


def _draw_form(book: Workbook, sheet: Worksheet, template: Template, language: Language) -> None:
    to_fill, to_read = CellWriter(book), CellWriter(book, **_GREY)
    writers = [to_fill if column.read and column.name != "measure" else to_read for column in COLUMNS]
    headings = _titles(language).values()
    widths = [
        write.heading(sheet, place, text) for place, (write, text) in enumerate(zip(writers, headings, strict=True))
    ]
    for row, figure in enumerate(template.figures, 1):
        for place, value in enumerate(_cells(figure, language)):
            widths[place] = max(widths[place], writers[place](sheet, row, place, value))
    for name, width in _WIDTHS.items():
        widths[_PLACES[name]] = width
    as_text, as_figure = book.add_format({"num_format": AS_TEXT}), book.add_format()
    figures = (_PLACES["value"], _PLACES["expected_version"])
    set_widths(sheet, widths, [as_figure if place in figures else as_text for place in range(len(widths))])
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(template.figures), len(COLUMNS) - 1)


def _cells(figure: OpenFigure, language: Language) -> list[object]:
    """The cells of a row, in the order of the columns."""
    asked, reported = figure.asked, figure.reported
    cells: dict[str, object] = {
        "indicator": asked.indicator,
        "indicator_name": asked.name,
        "target": f"{asked.number}. {asked.statement}",
        "measure": asked.measure,
        "goal": asked.goal_words,
        "unit": asked.unit,
        "unit_name": asked.unit_name,
        "period": figure.period,
    }
    if reported is not None:
        said = [_STATUS[ValueStatus(reported.status)][language], *filter(None, [reported.reason])]
        cells["current"] = f"{plain_digits(reported.value)} ({': '.join(said)})"
        cells["expected_version"] = reported.version
    return [cells.get(column.name) for column in COLUMNS]


def _draw_help(book: Workbook, sheet: Worksheet, template: Template) -> None:
    command = (
        f'curl -X POST "https://…/api/v1/values/batch?dry_run=true" -H "Authorization: Bearer zrn_…" '
        f'-H "Content-Type: {XLSX_MEDIA_TYPE}" --data-binary @{_name(template)}.xlsx'
    )
    heading, line = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 1, 70)
    for row, texts in enumerate(_HELP):
        for column, text in enumerate(texts):
            sheet.write_string(row, column, text, line if row else heading)
    sheet.write_string(len(_HELP), 0, command, line)
    sheet.write_string(len(_HELP), 1, command, line)
    sheet.write_string(len(_HELP) + 1, 0, cell_text(f"方案：{template.plan} {template.title}"), line)
    sheet.write_string(len(_HELP) + 1, 1, cell_text(f"Plan: {template.plan} {template.title}"), line)


def _draw_codes(book: Workbook, sheet: Worksheet, template: Template, language: Language) -> dict[str, str]:
    """The indicators, units and periods of the form; gives the cells of each list, for a drop-down."""
    tables: dict[str, tuple[list[str], set[tuple[str, ...]]]] = {
        "indicator": (
            ["indicator", "indicator_name", "measure"],
            {(asked.indicator, asked.name, asked.measure) for asked in template.asked},
        ),
        "unit": (["unit", "unit_name"], {(asked.unit, asked.unit_name) for asked in template.asked}),
        "period": (["period"], {(figure.period,) for figure in template.figures}),
    }
    columns: list[list[str]] = []
    lists = {}
    for name, (headings, rows) in tables.items():
        letter = xl_col_to_name(len(columns))
        if rows:
            lists[name] = f"='{sheet.get_name()}'!${letter}$2:${letter}${len(rows) + 1}"
        columns += [[_titles(language)[heading]] for heading in headings]
        for row in sorted(rows):
            for column, cell in zip(columns[-len(headings) :], row, strict=True):
                column.append(cell)
    write = CellWriter(book)
    widths = [write.heading(sheet, place, column[0]) for place, column in enumerate(columns)]
    for number, cells in enumerate(zip_longest(*(column[1:] for column in columns)), 1):
        for place, cell in enumerate(cells):
            widths[place] = max(widths[place], write(sheet, number, place, cell))
    set_widths(sheet, widths)
    sheet.freeze_panes(1, 0)
    return lists


def _titles(language: Language) -> dict[str, str]:
    """What templates call the columns."""
    return {column.name: column.name if language is Language.en else column.chinese[0] for column in COLUMNS}


def _add_choices(sheet: Worksheet, rows: int, lists: dict[str, str], language: Language) -> None:
    """Drop-downs for codes and periods; another one is questioned, not refused: the service decides."""
    for name, source in lists.items():
        title, message = (_UNUSUAL_PERIOD if name == "period" else _UNKNOWN_CODE)[language]
        if source:
            told = {"error_type": "warning", "error_title": title, "error_message": message}
            sheet.data_validation(
                1, _PLACES[name], rows + _SPARE_ROWS, _PLACES[name], {"validate": "list", "source": source} | told
            )


def _add_messages(sheet: Worksheet, figures: Sequence[OpenFigure], language: Language) -> None:
    """Only figures are taken in the column of values, and whoever stands on one is told measure and goal."""
    title, message, elsewhere = _MESSAGE[language]
    runs = list(_runs(figures))
    if len(runs) > _MOST_MESSAGES:
        runs = [(1, len(figures), elsewhere, elsewhere)]
    place = _PLACES["value"]
    for first, last, measure, goal in [*runs, (len(figures) + 1, len(figures) + _SPARE_ROWS, elsewhere, elsewhere)]:
        text = message.format(measure=measure, goal=goal)
        sheet.data_validation(first, place, last, place, _only_figures(language, title, text))


def _runs(figures: Iterable[OpenFigure]) -> Iterator[tuple[int, int, str, str]]:
    """First and last row of figures that stand together and have one measure and goal."""
    numbered = enumerate(figures, 1)
    for (measure, goal), run in groupby(numbered, lambda pair: (pair[1].asked.measure, pair[1].asked.goal_words)):
        rows = [row for row, _ in run]
        yield rows[0], rows[-1], measure, goal


def _only_figures(language: Language, title: str, message: str) -> dict[str, Any]:
    error_title, error_message = _NO_FIGURE[language]
    return {
        "validate": "decimal",
        "criteria": "between",
        "minimum": -_LARGEST,
        "maximum": _LARGEST,
        "input_title": title,
        "input_message": cell_text(message[:_MOST_IN_A_MESSAGE]),
        "error_title": error_title,
        "error_message": error_message,
    }
