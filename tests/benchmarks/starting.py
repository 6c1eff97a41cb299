"""
What it costs to begin: `./run bench start`.

Each statement is run by interpreters of its own, with compiled files that are their own, too; the least time of their
processors comes out, and what modules were imported.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

__all__ = ["DEPENDENCIES", "PROGRAM", "STATEMENTS", "Started", "started", "table"]

ROOT: Final = Path(__file__).parents[2]

DEPENDENCIES: Final = (
    "import asyncio, dataclasses, datetime, decimal, difflib, enum, hashlib, inspect, ipaddress, json, uuid;"
    " import anyio, attrs, msgspec, typing_extensions"
)
"""What the framework itself imports, of the standard library and of others."""

PROGRAM: Final = """
import asyncio, time
from gateways.sqlite import SQLiteGateway
from mapper import Column, Relation, Repository, column, select
import attrs

@attrs.frozen
class Post:
    title: str

class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]

class Blog(Repository[Posts]): ...

async def main():
    async with SQLiteGateway(":memory:") as gateway:
        blog = Blog(gateway)
        await blog.push_schema()
        for name in ("first", "second"):
            begun = time.process_time()
            await select(Post).from_(Posts).where(Posts.id == 1).all(blog)
            took[f"{name} query"] = time.process_time() - begun

took = {}
asyncio.run(main())
"""

STATEMENTS: Final[Mapping[str, str]] = {
    "what it imports": DEPENDENCIES,
    "import mapper": "import mapper",
    "from mapper import Column, Relation, Repository, column, select": (
        "from mapper import Column, Relation, Repository, column, select"
    ),
    "import mapper, gateways.sqlite": "import mapper, gateways.sqlite",
    "import mapper, gateways.postgres": "import mapper, gateways.postgres",
    "a program with one relation": PROGRAM,
}

_RUN: Final = """
import sys, time
before = set(sys.modules)
begun = time.process_time()
{statement}
print((time.process_time() - begun) * 1000)
print(*sorted(set(sys.modules) - before))
print(*["{{}}={{:.3f}}".format(key.replace(" ", "_"), value * 1000) for key, value in globals().get("took", {{}}).items()])
"""


@attrs.frozen
class Started:
    """The milliseconds that a statement took, the modules that were imported then, and what it took by itself."""

    milliseconds: float
    modules: frozenset[str]
    took: Mapping[str, float]

    def foreign(self) -> frozenset[str]:
        """Return the modules that are neither of the standard library nor ours."""
        ours = {"mapper", "gateways", "cache_drivers", "__main__", "_distutils_hack"}
        return frozenset([
            each
            for each in self.modules
            if (top := each.partition(".")[0]) not in sys.stdlib_module_names and top not in ours
        ])  # fmt: skip


def started(statements: Sequence[str], *, times: int = 5) -> list[Started]:
    """Run each statement so many times, by turns, and return the best run of each."""
    with _interpreter() as environment:
        for each in statements:
            _run(each, environment)
        runs = [[_run(each, environment) for each in statements] for _ in range(times)]
    return [min(found, key=lambda each: each.milliseconds) for found in zip(*runs, strict=True)]


@contextmanager
def _interpreter() -> Generator[dict[str, str]]:
    """Give an environment in which modules are compiled once, and kept apart from those of others."""
    with tempfile.TemporaryDirectory(prefix="compiled-") as directory:
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        yield {**kept, "PYTHONPYCACHEPREFIX": directory}


def _run(statement: str, environment: Mapping[str, str]) -> Started:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _RUN.format(statement=statement)],
        env=dict(environment),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    time, modules, took = done.stdout.splitlines()
    pairs = [each.split("=") for each in took.split()]
    return Started(float(time), frozenset(modules.split()), {name: float(value) for name, value in pairs})


def table() -> list[str]:
    """Return a line for each statement."""
    found = dict(zip(STATEMENTS, started(tuple(STATEMENTS.values())), strict=True))
    lines = [
        f"{name}: {each.milliseconds:.0f} ms, {len(each.foreign())} foreign modules" for name, each in found.items()
    ]
    took = [f"{name.replace('_', ' ')}: {value:.2f} ms" for each in found.values() for name, value in each.took.items()]
    return [*lines, *took]
