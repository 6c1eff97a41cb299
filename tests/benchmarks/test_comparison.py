"""Runs of the benchmarks beside each other."""

from pathlib import Path

import pytest

from tests.benchmarks.comparison import main, read, slower, table
from tests.benchmarks.report import as_json, machine
from tests.benchmarks.running import Measured, Side


def some(ours: float, **peers: float) -> Measured:
    sides = {"raw": Side(1.0, 1.0, 50.0), "ours": Side(ours, ours + 0.1, 30.0)}
    sides |= {name: Side(each, None, each * 50) for name, each in peers.items()}
    return Measured(
        name="W1", title="read one", database="sqlite", unit="ratio", value=ours, goal=1.2, mapped=ours, rounds=3,
        mapped_goal=1.0, load=0.1, sides=sides,
    )  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three runs: the second with another library, the third beyond its goals."""
    found = [tmp_path / f"{name}.json" for name in "ABC"]
    for path, run in zip(found, [some(0.5), some(0.6, tortoise=0.4, peewee=3.0), some(1.1)], strict=True):
        path.write_text(as_json([run], machine()))
    return found


def test_table_has_a_column_for_each_run_and_a_verdict_of_all(files: list[Path]):
    head, rule, row = table([read(each) for each in files])
    assert head == "| workload |  | database | goal | A | B | C | cpu | mapped | goal met | tortoise | peewee |"
    assert rule.count("---") == 12
    assert row == (
        "| W1 | read one | sqlite | 1.20 | 0.50 | 0.60 | 1.10 | 0.60 0.70 1.20 | 0.50 0.60 1.10 (goal 1.00) | in 2 of 3 |"
        " 0.4 | 3.0 |"
    )


@pytest.mark.parametrize(("values", "verdict"), [((0.5, 0.6), "yes"), ((1.1, 1.3), "no")])
def test_verdict_is_yes_where_all_runs_meet_the_goals(files: list[Path], values: tuple[float, ...], verdict: str):
    for path, value in zip(files, values, strict=False):
        path.write_text(as_json([some(value)], machine()))
    assert f"| {verdict} |" in table([read(each) for each in files[:2]])[-1]


def test_library_that_took_less_is_named(files: list[Path], capsys: pytest.CaptureFixture[str]):
    assert slower([read(each) for each in files]) == ["W1 on sqlite: tortoise 0.40, ours 0.60"]
    assert main([str(files[0])]) == 0
    assert "no other library took less time" in capsys.readouterr().out


def test_comparison_of_nothing_says_what_to_name(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 2
    assert "--json FILE" in capsys.readouterr().err
