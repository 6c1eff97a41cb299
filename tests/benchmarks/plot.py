"""
The plot of a run: a bar for each way of doing a workload, against the code by hand.

Measurements go in, the text of an SVG comes out; nothing is drawn for workloads that are not compared.
"""

from collections.abc import Iterable, Sequence
from html import escape
from math import log10
from typing import Final

from tests.benchmarks.running import Measured

__all__ = ["svg"]

COLOURS: Final = {
    "ours": "#1b7f5f",
    "sqlalchemy_orm": "#b5432e",
    "sqlalchemy_core": "#d9825b",
    "sqlmodel": "#e0b34f",
    "tortoise": "#8a6fb0",
    "piccolo": "#5b84b1",
    "django": "#3f4f5f",
    "peewee": "#9aa83a",
    "psycopg": "#c07fa6",
}
OTHER: Final = "#888888"

LEFT, RIGHT, TOP, BAR, GAP, WIDTH = 330, 60, 58, 12, 12, 900
LEAST, MOST = 0.1, 100.0
MARKS: Final = (0.1, 0.3, 1, 3, 10, 30, 100)


def svg(found: Iterable[Measured]) -> str:
    """Return the plot; ratios are on a logarithmic scale, and shorter is faster."""
    shown = [each for each in found if each.unit == "ratio"]
    names = [name for name in COLOURS if any([name in each.sides for each in shown])]
    parts: list[str] = []
    top = TOP
    for each in shown:
        bars = [(name, each.sides[name].wall) for name in names if name in each.sides]
        parts += _group(each, bars, top)
        top += len(bars) * BAR + GAP
    height = top + 20
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">'
    background = f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
    return "\n".join([head, background, *_legend(names), *_scale(top), *parts, "</svg>"]) + "\n"


def _place(ratio: float) -> float:
    share = (log10(min(max(ratio, LEAST), MOST)) - log10(LEAST)) / (log10(MOST) - log10(LEAST))
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}"{more}>{escape(text)}</text>'


def _legend(names: Sequence[str]) -> list[str]:
    parts = [_text(10, 18, "time of what hand-written driver code takes (1 = the same; shorter is faster)")]
    step = min(130, (WIDTH - 10) // max(len(names), 1))
    for number, name in enumerate(names):
        x = 10 + number * step
        parts.append(f'<rect x="{x}" y="26" width="10" height="10" fill="{COLOURS.get(name, OTHER)}"/>')
        parts.append(_text(x + 14, 35, name.replace("_", " ")))
    return parts


def _scale(bottom: int) -> list[str]:
    parts: list[str] = []
    for mark in MARKS:
        x, colour = _place(mark), "#444444" if mark == 1 else "#dddddd"
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{bottom}" stroke="{colour}"/>')
        parts.append(_text(x, TOP - 9, f"{mark:g}", ' text-anchor="middle"'))
    return parts


def _group(each: Measured, bars: Sequence[tuple[str, float]], top: int) -> list[str]:
    title = f"{each.name} {each.title} · {each.database}"
    parts = [_text(LEFT - 8, top + BAR - 3, title, ' text-anchor="end"')]
    for number, (name, ratio) in enumerate(bars):
        y, start, end = top + number * BAR, _place(LEAST), _place(ratio)
        parts.append(
            f'<rect x="{start:.1f}" y="{y}" width="{end - start:.1f}" height="{BAR - 2}"'
            f' fill="{COLOURS.get(name, OTHER)}"/>'
        )
        parts.append(_text(end + 4, y + BAR - 3, f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"))
    return parts
