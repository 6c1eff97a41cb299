"""
The rows of what the framework does, and which tests show them.

In go `features.toml` (the rows) and the results that a test run left behind; out come the rows that no passing test
shows, and the page `docs/reference/features.md`, which `python -m tests.features` writes.
"""

import json
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import attrs

ROOT = Path(__file__).parent.parent
ROWS = Path(__file__).with_name("features.toml")
RESULTS = ROOT / "build" / "tests"
PAGE = ROOT / "docs" / "reference" / "features.md"
PROPERTY = "feature"
OUTCOMES = ("failed", "passed", "skipped", "deselected", "xfailed", "xpassed", "error")
"""What pytest counts, in the order of its last line."""


class Report(Protocol):
    """What is read of a pytest report."""

    nodeid: str
    user_properties: list[tuple[str, object]]


@attrs.frozen
class Row:
    """One row: `where` names the gateways or drivers concerned, and is empty where there is nothing to name."""

    id: str
    where: str
    text: str


@attrs.frozen
class Section:
    title: str
    rows: tuple[Row, ...]


@attrs.frozen
class Results:
    """
    What a test run found.

    Attributes:
        counts: Number of tests by outcome, in pytest's words.
        passing: Ids of the tests that passed, by row.
        failing: Ids of the tests that failed, or whose fixtures did, by row.
    """

    counts: Mapping[str, int]
    passing: Mapping[str, frozenset[str]]
    failing: Mapping[str, frozenset[str]]

    def shows(self, row: Row) -> bool:
        """Whether a test of the row passed and none failed."""
        return bool(self.passing.get(row.id)) and not self.failing.get(row.id)


def load_sections(path: Path = ROWS) -> tuple[Section, ...]:
    """Read the rows, in the file's order."""
    document = tomllib.loads(path.read_text("utf-8"))
    return tuple(Section(part["title"], tuple(Row(*row) for row in part["rows"])) for part in document.values())


def row_ids(sections: Iterable[Section]) -> list[str]:
    return [row.id for section in sections for row in section.rows]


def collect(stats: Mapping[str, Sequence[Any]]) -> Results:
    """Turn the reports that pytest's terminal keeps by outcome into results; those of workers are among them."""
    failing = _tests_by_row([*stats.get("failed", ()), *stats.get("error", ())])
    passing = _tests_by_row(stats.get("passed", ()))
    counts = {outcome: len(stats[outcome]) for outcome in OUTCOMES if stats.get(outcome)}
    return Results(counts, {row: tests - failing.get(row, frozenset()) for row, tests in passing.items()}, failing)


def _tests_by_row(reports: Iterable[Report]) -> dict[str, frozenset[str]]:
    tests: dict[str, set[str]] = defaultdict(set)
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == PROPERTY:
                tests[str(value)].add(report.nodeid)
    return {row: frozenset(ids) for row, ids in tests.items()}


def merge(parts: Iterable[Results]) -> Results:
    """Add up the results of several runs."""
    counts: Counter[str] = Counter()
    passing: dict[str, frozenset[str]] = {}
    failing: dict[str, frozenset[str]] = {}
    for part in parts:
        counts.update(part.counts)
        for into, ids in ((passing, part.passing), (failing, part.failing)):
            into.update({row: into.get(row, frozenset()) | tests for row, tests in ids.items()})
    return Results(counts, passing, failing)


def write_results(results: Results, path: Path) -> None:
    """Write the results, sorted, so that equal results are equal files."""
    document = {
        "counts": dict(results.counts),
        "passing": {row: sorted(tests) for row, tests in results.passing.items()},
        "failing": {row: sorted(tests) for row, tests in results.failing.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", "utf-8")


def read_results(paths: Iterable[Path]) -> Results:
    """Read and add up the files of several runs; a file that is not there counts as a run of nothing."""
    return merge(_read(path) for path in paths if path.exists())


def _read(path: Path) -> Results:
    document = json.loads(path.read_text("utf-8"))
    by_row = {part: {row: frozenset(ids) for row, ids in document[part].items()} for part in ("passing", "failing")}
    return Results(document["counts"], by_row["passing"], by_row["failing"])


def missing_rows(sections: Iterable[Section], results: Results) -> Iterator[str]:
    """Describe the rows that no passing test shows, a line each."""
    for section in sections:
        for row in section.rows:
            if not results.shows(row):
                state = "failing" if results.failing.get(row.id) else "no test"
                yield f"{row.id:<4} {state:<8} {row.text}"


def page(sections: Iterable[Section], results: Results) -> str:
    """Draw the page; the same results give the same bytes."""
    sections = tuple(sections)
    shown = sum(results.shows(row) for section in sections for row in section.rows)
    parts = [
        "# Features\n",
        "Generated by `python -m tests.features` from `tests/features.toml` and the last full `./run test`.",
        f"A row counts when a test shows it: {shown} of {len(row_ids(sections))} do.\n",
    ]
    for section in sections:
        parts += [f"## {section.title}\n", "| id | row | where | shown by |", "|---|---|---|---|"]
        parts += [_table_row(row, results) for row in section.rows]
        parts.append("")
    return "\n".join(parts)


def _table_row(row: Row, results: Results) -> str:
    tests = _functions_by_file(results.passing.get(row.id, ())) if results.shows(row) else {}
    shown_by = "<br>".join(f"`{file}` ({len(functions)})" for file, functions in tests.items()) or "–"
    return "| " + " | ".join([row.id, row.text.replace("|", "\\|"), row.where, shown_by]) + " |"


def _functions_by_file(tests: Iterable[str]) -> dict[str, set[str]]:
    functions: dict[str, set[str]] = defaultdict(set)
    for test in sorted(tests):
        file, _, name = test.partition("::")
        functions[file].add(name.partition("[")[0])
    return functions


def main() -> int:
    """Write the page from the results of the last full run."""
    files = sorted(RESULTS.glob("full-*.json"))
    if not files:
        print("no results of a full run in build/tests\nHINT: run './run test' first", file=sys.stderr)
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(load_sections(), read_results(files)), "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
