"""
What a run of the benchmarks shows: a table to read, and JSON to keep.

Measurements go in, text comes out.
"""

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from tests.benchmarks.running import Measured

__all__ = ["as_json", "lines", "machine"]

VERDICTS: Final[Mapping[bool | None, str]] = {True: "met", False: "MISSED", None: ""}


def machine() -> dict[str, Any]:
    """Return what it was measured on, and how busy that was."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "load": [round(each, 2) for each in os.getloadavg()],
    }


def lines(found: Sequence[Measured]) -> list[str]:
    """
    Return the table: a line for each workload and database.

    `goal` is what ours may take, `ours` what it takes: of the code by hand (by the clock, and by the time of this
    process's processors), or in the unit given. `mapped` is ours against code by hand that makes objects.
    """
    peers = _peers(found)
    head = ["workload", "", "database", "goal", "ours", "cpu", "mapped", "verdict", *peers]
    rows = [head, *[_row(each, peers) for each in found]]
    widths = [max([len(row[index]) for row in rows]) for index in range(len(head))]
    shown = [
        "  ".join([
            cell.ljust(width) if index < 3 or index == 7 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]).rstrip()
        for row in rows
    ]  # fmt: skip
    return [*shown, *_remarks(found)]


def _peers(found: Iterable[Measured]) -> list[str]:
    names = {name: None for each in found for name in each.sides if name not in ("raw", "ours", "mapped")}
    return list(names)


def _row(each: Measured, peers: Sequence[str]) -> list[str]:
    unit = "" if each.unit == "ratio" else f" {each.unit}"
    ours = each.sides.get("ours")
    processors = "" if ours is None or ours.processors is None else f"{ours.processors:.2f}"
    mapped = "" if each.mapped is None else f"{each.mapped:.2f}"
    if each.mapped_goal is not None:
        mapped += f" ({each.mapped_goal:.2f})"
    goal = "" if each.goal is None else f"{each.goal:.2f}{unit}"
    others = [f"{each.sides[name].wall:.1f}" if name in each.sides else "" for name in peers]
    return [
        each.name, each.title, each.database, goal, f"{each.value:.2f}{unit}", processors, mapped, VERDICTS[each.met], *others,
    ]  # fmt: skip


def _remarks(found: Iterable[Measured]) -> list[str]:
    return [
        f"{each.name} on {each.database}: {name} could not do it: {reason}"
        for each in found
        for name, reason in each.failed.items()
    ]


def as_json(found: Iterable[Measured], about: Mapping[str, Any]) -> str:
    """Return all that was measured."""
    results = [{**attrs.asdict(each), "met": each.met} for each in found]
    return json.dumps({"machine": dict(about), "results": results}, indent=2, ensure_ascii=False) + "\n"
