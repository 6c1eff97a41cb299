"""
The steps of `./run test`: format, lint, types, tests, trio tests, and the feature rows that no test shows.

Every step runs, whatever failed before it; the exit code is non-zero when any failed. Arguments go to pytest: they make
the run a partial one, which leaves the results of the last full run alone and tells nothing of features. The last line
printed adds up what all pytest runs counted.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import attrs

from tests import features

TRIO = "tests/trio"
# A file stays on one worker, so that what its fixtures start (type checkers, servers) is started once.
WORKERS = ("-n", os.environ.get("MAPPER_TEST_WORKERS", "2"), "--dist", "loadfile")
NO_TESTS_RAN = 5


@attrs.frozen
class Step:
    """A command to run in the project's root; `passes` are its exit codes that are no failure."""

    name: str
    arguments: tuple[str, ...]
    results: Path | None = None
    passes: tuple[int, ...] = (0,)


@attrs.frozen
class Finished:
    step: Step
    seconds: float
    code: int

    @property
    def failed(self) -> bool:
        return self.code not in self.step.passes


def static_steps() -> list[Step]:
    """The checks that run no code of the project."""
    return [
        Step("format", ("ruff", "format", "--check", "--output-format=concise", ".")),
        Step("lint", ("ruff", "check", "--output-format=concise", ".")),
        Step("mypy", ("mypy",)),
        Step("basedpyright", ("basedpyright", "--pythonpath", sys.executable)),
    ]


def pytest_steps(arguments: list[str]) -> Iterator[Step]:
    """
    The run on asyncio and the run on trio.

    They are apart because in auto mode pytest-asyncio takes every coroutine test, so that those for trio would silently
    run on asyncio.
    """
    paths = [argument for argument in arguments if Path(argument.partition("::")[0]).exists()]
    trio_paths = [path for path in paths if path.startswith(TRIO)]
    options = [argument for argument in arguments if argument not in paths]
    scope = "part" if arguments else "full"
    passes = (0, NO_TESTS_RAN) if arguments else (0,)
    if not paths or len(paths) > len(trio_paths):
        chosen = [path for path in paths if path not in trio_paths]
        workers = () if arguments else WORKERS
        yield _pytest("tests", f"{scope}-asyncio", (*workers, *options, *chosen), passes)
    if not paths or trio_paths:
        modes = ("-o", "asyncio_mode=strict", "-o", "anyio_mode=auto")
        yield _pytest("trio tests", f"{scope}-trio", (*modes, *options, *(trio_paths or [TRIO])), passes)


def _pytest(name: str, results: str, arguments: Iterable[str], passes: tuple[int, ...]) -> Step:
    path = features.RESULTS / f"{results}.json"
    return Step(name, ("pytest", f"--results={path}", *arguments), path, passes)


def run(step: Step) -> Finished:
    """Run the step with its output on ours; the results that an earlier run left are removed first."""
    if step.results:
        step.results.unlink(missing_ok=True)
    print(f"\n--- {step.name}: {' '.join(step.arguments)}", flush=True)
    begin = time.monotonic()
    code = subprocess.run([sys.executable, "-m", *step.arguments], cwd=features.ROOT).returncode
    return Finished(step, time.monotonic() - begin, code)


def print_features(results: features.Results) -> None:
    """Print the rows that no test shows, and whether the page about them is up to date."""
    sections = features.load_sections()
    rows = list(features.missing_rows(sections, results))
    print(f"\n--- features: {len(rows)} of {len(features.row_ids(sections))} rows without a passing test")
    print("\n".join(rows))
    if not features.PAGE.exists() or features.PAGE.read_text("utf-8") != features.page(sections, results):
        print("docs/reference/features.md is out of date\nHINT: python -m tests.features")


def closing_line(counts: Mapping[str, int], seconds: float) -> str:
    """Sum up in pytest's own form, which CI reads."""
    words = [word for word in features.OUTCOMES if counts.get(word)]
    text = ", ".join(f"{counts[word]} {'errors' if word == 'error' and counts[word] > 1 else word}" for word in words)
    return f" {text or 'no tests ran'} in {seconds:.2f}s ".center(80, "=")


def main(arguments: list[str]) -> int:
    finished = [run(step) for step in [*static_steps(), *pytest_steps(arguments)]]
    results = features.read_results(one.step.results for one in finished if one.step.results)
    if not arguments:
        print_features(results)
    print("\n--- steps")
    for one in finished:
        print(f"{one.step.name:<14}{one.seconds:7.1f} s   {f'FAILED ({one.code})' if one.failed else 'ok'}")
    seconds = sum(one.seconds for one in finished if one.step.results)
    print(closing_line(results.counts, seconds))
    return 1 if any(one.failed for one in finished) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
