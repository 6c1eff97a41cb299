"""
What holds for every test: feature marks, no skips where everything is required, deterministic property tests.

`@pytest.mark.feature("T12", "N2")` says which rows of `features.toml` a test shows; an unknown row is an error at
collection. With `--results FILE` the outcomes by row are written at the end, also when the run is spread over workers.
"""

import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests import features

KNOWN_ROWS = frozenset(features.row_ids(features.load_sections()))

settings.register_profile("ci", derandomize=True, database=None, max_examples=60, deadline=None, print_blob=True)
settings.register_profile("long", database=None, max_examples=3000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("MAPPER_TEST_HYPOTHESIS", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--results", type=Path, metavar="FILE", help="write the outcomes by feature row to FILE")


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector: pytest.Collector) -> Generator[None, Any, Any]:
    made = yield
    for item in made if isinstance(made, list) else [made]:
        if isinstance(item, pytest.Item):
            _refuse_address(item)
            item.user_properties.extend((features.PROPERTY, row) for row in _rows(item))
    return made


def _refuse_address(item: pytest.Item) -> None:
    """Refuse a test whose id differs from process to process: two workers would not collect the same tests."""
    if re.search(r"\bat 0x[0-9a-f]{6,}", item.name):
        raise pytest.Collector.CollectError(
            f"{item.nodeid}: the id has an object's address\nHINT: name it: pytest.param(…, id=…)"
        )


def _rows(item: pytest.Item) -> list[str]:
    rows = sorted({row for mark in item.iter_markers("feature") for row in mark.args})
    if unknown := [row for row in rows if row not in KNOWN_ROWS]:
        raise pytest.Collector.CollectError(
            f"{item.nodeid}: unknown feature {', '.join(unknown)}\nHINT: the rows are in tests/features.toml"
        )
    return rows


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail"):
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where all is required: a machine that cannot run a test must not look green."""
    if report.skipped and os.environ.get("MAPPER_TEST_REQUIRE_ALL") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason}\nHINT: MAPPER_TEST_REQUIRE_ALL=1 allows no skip"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Write the results; workers have no terminal, so that only the controlling process comes here."""
    if path := config.getoption("--results"):
        features.write_results(features.collect(terminalreporter.stats), path)
