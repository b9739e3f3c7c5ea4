"""A picture of the rates as SVG: bars on a logarithmic scale, with nothing to load, readable on light and on dark."""

import math
from collections.abc import Iterator, Sequence
from html import escape

from bench.contestants import BARE, DATASETTE, LITESTAR, SERVICE
from bench.results import Results
from bench.tables import RAW

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 860, 240, 60, 84, 46
_BAR, _GAP = 13, 14
_LIMIT = "limit"  # what the bare application does, and of batches the raw write
_COLOURS = {SERVICE: "#1f77b4", LITESTAR: "#e08214", DATASETTE: "#7fbf7b", _LIMIT: "#999999"}
_LEGEND = {
    SERVICE: "Zeren",
    LITESTAR: "Litestar by hand",
    DATASETTE: "Datasette",
    _LIMIT: "limit: bare Starlette, or raw write",
}
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #222222 }
  .title { font-size: 16px; font-weight: 600 }
  .value { font-size: 10px }
  .grid { stroke: #cccccc; stroke-width: 1 }
  .ground { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6e6e6 } .grid { stroke: #444444 } .ground { fill: #161b22 }
  }
"""
_WORDS = {
    "J1": "J1 page of a unit", "J2": "J2 one target", "J3": "J3 post one value", "J5": "J5 search",
    "J1W": "J1W page, amid posts", "J304": "J304 page, unchanged", "J4N": "J4N new values",
    "J4U": "J4U other figures", "J4": "J4 the same again",
}  # fmt: skip
Group = tuple[str, dict[str, float]]  # a job, and the rates of those who do it


def draw(results: Results) -> str:
    """The picture of one engine and size."""
    groups = list(_groups(results))
    rates = [rate for _, who in groups for rate in who.values()]
    low, high = math.floor(math.log10(min(rates))), math.log10(max(rates)) + 0.05
    height = _TOP + sum(len(who) * _BAR + _GAP for _, who in groups) + _BOTTOM
    assert results.requests is not None
    title = f"Requests a second, {results.requests.facts.engine}, {results.size} data"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" width="{_WIDTH}" height="{height}"/>',
            f'<text class="title" x="16" y="28">{escape(title)}</text>',
            *_legend(groups),
            *_axis(low, high, height),
            *_bars(groups, low, high),
            "</svg>",
            "",
        ]
    )


def _groups(results: Results) -> Iterator[Group]:
    """Each job at each number of connections, and the batches, of which there are so many a second."""
    if results.requests is not None:
        for cell in results.requests.cells:
            rates = {_LIMIT if name == BARE else name: one.rate for name, one in cell.who.items()}
            yield f"{_WORDS[cell.job]}, {cell.connections} at once", rates
    if results.batches is not None:
        for batch in results.batches.compared:
            rates = {_LIMIT if name == RAW else name: 1000 / one.ms for name, one in batch.who.items()}
            yield f"{_WORDS[batch.job]}, {batch.rows:,} each", rates


def _place(rate: float, low: int, high: float) -> float:
    """Where a rate is on the scale, from the left."""
    return _LEFT + (math.log10(rate) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)


def _legend(groups: Sequence[Group]) -> Iterator[str]:
    x = 16
    for name in _COLOURS:
        if any(name in who for _, who in groups):
            yield f'<rect x="{x}" y="44" width="12" height="12" fill="{_COLOURS[name]}"/>'
            yield f'<text x="{x + 18}" y="54">{escape(_LEGEND[name])}</text>'
            x += 40 + 7 * len(_LEGEND[name])


def _axis(low: int, high: float, height: int) -> Iterator[str]:
    for power in range(low, math.floor(high) + 1):
        x = _place(10**power, low, high)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 10}" y2="{height - _BOTTOM}"/>'
        yield _centred(x, height - _BOTTOM + 16, f"{10.0**power:,.{max(0, -power)}f}")
    yield _centred((_LEFT + _WIDTH - _RIGHT) / 2, height - 10, "requests a second (logarithmic; more is better)")


def _centred(x: float, y: float, words: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{words}</text>'


def _bars(groups: Sequence[Group], low: int, high: float) -> Iterator[str]:
    y = _TOP
    for name, who in groups:
        middle = y + len(who) * _BAR / 2 + 4
        yield f'<text x="{_LEFT - 10}" y="{middle:.1f}" text-anchor="end">{escape(name)}</text>'
        for one in (one for one in _COLOURS if one in who):
            end = _place(who[one], low, high)
            rate = f"{who[one]:,.0f}" if who[one] >= 100 else f"{who[one]:.1f}"
            shape = f'x="{_LEFT}" y="{y}" width="{end - _LEFT:.1f}" height="{_BAR - 2}"'
            yield f'<rect {shape} fill="{_COLOURS[one]}"/>'
            yield f'<text class="value" x="{end + 4:.1f}" y="{y + _BAR - 4}">{rate}</text>'
            y += _BAR
        y += _GAP
