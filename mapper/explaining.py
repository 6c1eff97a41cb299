"""
Plans: how a store runs a statement, as a tree of steps.

A gateway makes a `Plan` of what its store says about an operation; `str(plan)` is the tree, drawn.
"""

from collections.abc import Iterator
from typing import Final

from attrs import frozen

__all__ = ["Plan"]


@frozen(kw_only=True)
class Plan:
    """
    One step of how a store runs a statement, with the steps that give it its rows.

    What a store does not say is None. `str(plan)` draws the tree.

    Attributes:
        node: The kind of step, in the store's words: `Index Scan`, `SEARCH`.
        relation: The table that it reads, by the store's name.
        index: The index that it uses.
        details: What else the store says, as pairs of name and text, in the store's order.
        startup_cost, cost: What the store expects it to cost, up to the first row and to the last, steps below included;
            in the store's own unit.
        rows: Rows that the store expects of each run of the step.
        actual_rows: Rows that it gave, all runs together; of an analysed statement, as are the next two.
        loops: How often it ran.
        seconds: How long it took, all runs and the steps below included.
        planning_seconds, execution_seconds: Of the whole statement; on the topmost step alone.
        children: The steps that it takes its rows from, in the store's order.
        relationship: The relationship whose rows are read; on the topmost step of a part alone.
        parts: Of a query that combines: the plans of its further operations, one for each relationship, in the order
            in which they were combined; on the topmost step alone. A part of a relationship that combines has its own.
    """

    node: str
    relation: str | None = None
    index: str | None = None
    details: tuple[tuple[str, str], ...] = ()
    startup_cost: float | None = None
    cost: float | None = None
    rows: float | None = None
    actual_rows: float | None = None
    loops: float | None = None
    seconds: float | None = None
    planning_seconds: float | None = None
    execution_seconds: float | None = None
    children: "tuple[Plan, ...]" = ()
    relationship: str | None = None
    parts: "tuple[Plan, ...]" = ()

    def detail(self, name: str) -> str | None:
        """Return what the store says under a name, such as `Filter`; None where it says nothing."""
        return next((text for each, text in self.details if each == name), None)

    def walk(self) -> "Iterator[Plan]":
        """Give this step and all below it, each before those that it takes its rows from, and then its parts'."""
        yield self
        for each in (*self.children, *self.parts):
            yield from each.walk()

    def __str__(self) -> str:
        return "\n".join([*_drawn(self, "", ""), *_totals(self), *_parts(self, "")])


_BRANCH: Final = ("├─ ", "│  ")
_LAST: Final = ("└─ ", "   ")


def _drawn(plan: Plan, head: str, below: str) -> Iterator[str]:
    """Give the lines of a step: `head` stands before its first, `below` before the others."""
    yield head + _line(plan)
    stem = "│  " if plan.children else "   "
    for name, text in plan.details:
        yield f"{below}{stem}{name}: {text}"
    for each in plan.children:
        own, deeper = _LAST if each is plan.children[-1] else _BRANCH
        yield from _drawn(each, below + own, below + deeper)


def _line(plan: Plan) -> str:
    words = [plan.node]
    if plan.relation is not None:
        words.append(f"on {plan.relation}")
    if plan.index is not None:
        words.append(f"using {plan.index}")
    figures = "; ".join([each for each in (_expected(plan), _measured(plan)) if each])
    return " ".join(words) + (f"  ({figures})" if figures else "")


def _expected(plan: Plan) -> str:
    found = []
    if plan.cost is not None:
        found.append(f"cost {plan.cost:.2f}")
    if plan.rows is not None:
        found.append(f"{_rows(plan.rows)} expected")
    return ", ".join(found)


def _measured(plan: Plan) -> str:
    if plan.loops == 0:
        return "never run"
    found = []
    if plan.actual_rows is not None:
        found.append(_rows(plan.actual_rows))
    if plan.loops is not None and plan.loops > 1:
        found.append(f"{plan.loops:.0f} runs")
    if plan.seconds is not None:
        found.append(_milliseconds(plan.seconds))
    return ", ".join(found)


def _totals(plan: Plan) -> Iterator[str]:
    for name, seconds in (("planned", plan.planning_seconds), ("executed", plan.execution_seconds)):
        if seconds is not None:
            yield f"{name} in {_milliseconds(seconds)}"


def _parts(plan: Plan, within: str) -> Iterator[str]:
    """Give the drawings of the parts, each below the names of the relationships that lead to it."""
    for each in plan.parts:
        name = f"{within}{each.relationship}"
        yield from ("", f"{name}:", *_drawn(each, "", ""), *_totals(each), *_parts(each, f"{name}, "))


def _rows(number: float) -> str:
    return f"{number:,.0f} row{'s' * (round(number) != 1)}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3f} ms"
