"""
Several runs beside each other: `python -m tests.benchmarks.comparison A.json B.json …` prints them as a table in Markdown.

The files are those that `./run bench --json FILE` writes. Each run is a column, and the verdict is of all of them. What
other libraries took is of the first run that has them, as the ratio to the code by hand.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["main", "slower", "table"]

Result: TypeAlias = Mapping[str, Any]
"""What JSON keeps of a `Measured`."""

Run: TypeAlias = Mapping[tuple[str, str], Result]
"""A run's results by workload and database."""

OURS = ("raw", "ours", "mapped")


def read(path: Path) -> Run:
    """Read a run."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    return {(each["name"], each["database"]): each for each in kept["results"]}


def table(runs: Sequence[Run]) -> list[str]:
    """Return the lines of the table: the workloads of the first run, in its order."""
    peers = _peers(runs)
    labels = [chr(ord("A") + number) for number in range(len(runs))]
    head = ["workload", "", "database", "goal", *labels, "cpu", "mapped", "goal met", *peers]
    rows = [_row(key, [each[key] for each in runs if key in each], len(runs), peers) for key in runs[0]]
    return [_line(head), _line(["---"] * len(head)), *map(_line, rows)]


def slower(runs: Sequence[Run]) -> list[str]:
    """Name each workload where another library took less time than ours, in the same run."""
    return [
        f"{name} on {database}: {peer} {side['wall']:.2f}, ours {result['value']:.2f}"
        for run in runs
        for (name, database), result in run.items()
        for peer, side in result["sides"].items()
        if peer not in OURS and side["wall"] < result["value"]
    ]


def _peers(runs: Sequence[Run]) -> list[str]:
    return list({name: None for run in runs for each in run.values() for name in each["sides"] if name not in OURS})


def _row(key: tuple[str, str], found: Sequence[Result], count: int, peers: Sequence[str]) -> list[str]:
    first = found[0]
    unit = "" if first["unit"] == "ratio" else f" {first['unit']}"
    values = [f"{each['value']:.2f}{unit}" for each in found]
    goal = "" if first["goal"] is None else f"{first['goal']:.2f}{unit}"
    with_peers: Result = next(
        (each for each in found if any([name not in OURS for name in each["sides"]])), {"sides": {}}
    )
    sides = with_peers["sides"]
    return [
        key[0], first["title"], key[1], goal, *values, *[""] * (count - len(found)), _each_of(found, "processors"), _mapped(found),
        _verdict(found), *[f"{sides[name]['wall']:.1f}" if name in sides else "" for name in peers],
    ]  # fmt: skip


def _each_of(found: Sequence[Result], what: str) -> str:
    values = [each["sides"].get("ours", {}).get(what) for each in found]
    return " ".join([f"{each:.2f}" for each in values if each is not None])


def _mapped(found: Sequence[Result]) -> str:
    goal = found[0]["mapped_goal"]
    shown = " ".join([f"{each['mapped']:.2f}" for each in found if each["mapped"] is not None])
    return shown if goal is None else f"{shown} (goal {goal:.2f})"


def _verdict(found: Sequence[Result]) -> str:
    met = [each["met"] for each in found]
    if None in met:
        return ""
    if all(met):
        return "yes"
    return f"in {sum(met)} of {len(met)}" if any(met) else "no"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(paths: Sequence[str]) -> int:
    """Print the table of some files."""
    if not paths:
        sys.stderr.write("name the files that ./run bench --json FILE has written\n")
        return 2
    runs = [read(Path(each)) for each in paths]
    lines = [*table(runs), "", *(slower(runs) or ["no other library took less time than ours"])]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
