"""The feature marks: what they collect, on one process and on several, and the page that is made of it."""

import json
import shutil
from pathlib import Path

import pytest

from tests import features
from tests.features import Results, Row, Section

TESTS = Path(__file__).parent.parent
ROWS = """
[A]
title = "Rows"
rows = [["A1", "all", "one"], ["A2", "", "a | b"], ["A3", "", "three"]]
"""
SAMPLE = """
import pytest

pytestmark = pytest.mark.feature("A1")

@pytest.mark.feature("A2", "A3")
@pytest.mark.parametrize("n", [1, 2])
def test_passes(n): pass

@pytest.mark.feature("A3")
def test_fails(): assert False

def test_skips(): pytest.skip("no reason needed here")
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with this project's conftest, three rows and a sample test module."""
    monkeypatch.delenv("MAPPER_TEST_REQUIRE_ALL", raising=False)
    directory = pytester.mkpydir("tests")
    for name in ("conftest.py", "features.py"):
        shutil.copy(TESTS / name, directory)
    (directory / "features.toml").write_text(ROWS)
    (directory / "test_sample.py").write_text(SAMPLE)
    markers = "feature(id): a row"
    pytester.makeini(
        f"[pytest]\npythonpath = .\naddopts = --import-mode=importlib -p no:cacheprovider\nmarkers = {markers}\n"
    )
    return pytester


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "two workers"])
def test_results_tell_the_tests_of_each_row(project: pytest.Pytester, workers: list[str]):
    project.runpytest_subprocess("--results=results.json", *workers)
    results = json.loads((project.path / "results.json").read_text())
    passed = ["tests/test_sample.py::test_passes[1]", "tests/test_sample.py::test_passes[2]"]
    failed = ["tests/test_sample.py::test_fails"]
    assert results == {
        "counts": {"failed": 1, "passed": 2, "skipped": 1},
        "passing": {"A1": passed, "A2": passed, "A3": passed},
        "failing": {"A1": failed, "A3": failed},
    }


def test_unknown_row_is_an_error_at_collection(project: pytest.Pytester):
    project.makepyfile(**{"tests/test_unknown": 'import pytest\n@pytest.mark.feature("Z9")\ndef test_it(): pass\n'})
    result = project.runpytest_subprocess("tests/test_unknown.py")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*unknown feature Z9"])


def test_id_with_an_address_is_an_error_at_collection(project: pytest.Pytester):
    body = 'import pytest\n@pytest.mark.parametrize("x", [object()], ids=repr)\ndef test_it(x): pass\n'
    project.makepyfile(**{"tests/test_address": body})
    result = project.runpytest_subprocess("tests/test_address.py")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the id has an object's address"])


def test_skip_fails_where_everything_is_required(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MAPPER_TEST_REQUIRE_ALL", "1")
    result = project.runpytest_subprocess("-k", "skips")
    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.fnmatch_lines(["*MAPPER_TEST_REQUIRE_ALL=1 allows no skip"])


SECTIONS = (Section("Rows", (Row("A1", "all", "one"), Row("A2", "", "a | b"), Row("A3", "", "three"))),)
RESULTS = Results(
    {"passed": 3},
    {"A2": frozenset({"t/b.py::f[1]", "t/b.py::f[2]", "t/a.py::g"}), "A3": frozenset({"t/a.py::g"})},
    {"A3": frozenset({"x"})},
)


def test_rows_without_a_passing_test_are_told_with_their_state():
    assert list(features.missing_rows(SECTIONS, RESULTS)) == ["A1   no test  one", "A3   failing  three"]


def test_page_counts_the_test_functions_of_a_row_by_file():
    table = features.page(SECTIONS, RESULTS).splitlines()[-4:]
    assert table == [
        "|---|---|---|---|",
        "| A1 | one | all | – |",
        "| A2 | a \\| b |  | `t/a.py` (1)<br>`t/b.py` (1) |",
        "| A3 | three |  | – |",
    ]


def test_results_of_two_runs_add_up_after_a_round_trip(tmp_path: Path):
    files = [tmp_path / "a.json", tmp_path / "b.json", tmp_path / "absent.json"]
    features.write_results(Results({"passed": 1}, {"A1": frozenset({"x"})}, {}), files[0])
    features.write_results(
        Results({"passed": 2, "failed": 1}, {"A1": frozenset({"y"})}, {"A2": frozenset({"z"})}), files[1]
    )
    assert features.read_results(files) == Results(
        {"passed": 3, "failed": 1}, {"A1": frozenset({"x", "y"})}, {"A2": frozenset({"z"})}
    )


def test_row_ids_are_unique_and_belong_to_their_section():
    ids = features.row_ids(features.load_sections())
    assert (len(set(ids)), {row[0] for row in ids}) == (len(ids), set("BTCVMN"))
