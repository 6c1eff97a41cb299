"""
The command: `./run bench [workloads] [--peers [names]] [--database NAME] [--rounds N] [--posts N] [--json FILE] [--plot FILE]`.

Workloads are named as the table names them (`W1`, `W3-first`), or by their beginning (`W3`). `growth` alone shows how
cost grows with the work instead, `stalls [--size MiB] [--seconds N]` how long the event loop stands still beside SQLite,
and `start` what it costs to begin. Exit code 1 means that a goal was missed.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from tests.benchmarks import features, growth, report, stalls, starting
from tests.benchmarks.databases import DATABASES, opened
from tests.benchmarks.peer import PEERS, opened_peer
from tests.benchmarks.plot import svg
from tests.benchmarks.running import Measured, measured
from tests.benchmarks.workload import Database, Workload
from tests.benchmarks.workloads import WORKLOADS
from tests.servers import NoServer

__all__ = ["main"]


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./run bench", description="measure the framework beside hand-written code")
    parser.add_argument("workloads", nargs="*", help=f"of {', '.join([each.name for each in WORKLOADS])}; default: all")
    parser.add_argument("--database", choices=DATABASES, action="append", help="default: all")
    parser.add_argument("--peers", action="store_true", help=f"measure {', '.join(PEERS)} too")
    parser.add_argument("--peer", choices=PEERS, action="append", help="only this one of them")
    parser.add_argument("--rounds", type=int, default=11, help="how often each takes its turn (default: 11)")
    parser.add_argument("--posts", type=int, default=100_000, help="rows of the table that is read (default: 100,000)")
    parser.add_argument("--json", type=Path, help="write what was measured there")
    parser.add_argument("--plot", type=Path, help="write a plot (SVG) there")
    parser.add_argument("--size", type=int, default=128, help="of stalls: MiB of the table (default: 128)")
    parser.add_argument("--seconds", type=float, default=1.5, help="of stalls: how long at a time (default: 1.5)")
    found = parser.parse_args(given)
    found.instead = found.workloads[0] if found.workloads in (["growth"], ["stalls"], ["start"]) else None
    found.chosen = [] if found.instead else [each for each in WORKLOADS if chosen(each, found.workloads)]
    if not found.chosen and not found.instead:
        parser.error(f"no workload is called {', '.join(found.workloads)}")
    return found


def chosen(workload: Workload, names: Sequence[str]) -> bool:
    """Tell whether a workload is among those named; without names all are."""
    return not names or any([workload.name == each or workload.name.startswith(f"{each}-") for each in names])


async def run(database: Database, options: argparse.Namespace) -> list[Measured]:
    """Measure the chosen workloads on one database."""
    found: list[Measured] = []
    async with opened(database, options.posts) as bench, AsyncExitStack() as stack:
        names = [each for each in PEERS if options.peers and (not options.peer or each in options.peer)]
        known = [await opened_peer(each, bench, stack) for each in names]
        peers = [each for each in known if each is not None]
        for workload in [each for each in options.chosen if database in each.databases]:
            say(f"{workload.name} on {database}: {workload.title}")
            found.append(await measured(workload, bench, options.rounds, peers))
    return found


async def grown(database: Database, options: argparse.Namespace) -> tuple[list[growth.Grown], list[features.Counted]]:
    """Measure how cost grows with the work, and count what features cost that are off, on one database."""
    async with opened(database, options.posts) as bench:
        say(f"growth on {database}")
        counted = await features.counted(bench)
        found = [*await growth.rows(bench), growth.compiling(bench.gateway), await growth.listening(bench)]
        return found, counted


def main_of_growth(options: argparse.Namespace) -> int:
    """Show how cost grows."""
    found, counted = asyncio.run(growth.relations()), list[features.Counted]()
    for database in options.database or DATABASES:
        more, off = asyncio.run(grown(database, options))
        found += more
        counted += off
    lines = [*growth.table(found), "", *features.table(counted), "", str(report.machine())]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(not (all([each.met for each in found]) and all([each.met for each in counted])))


async def main_of_stalls(options: argparse.Namespace) -> int:
    """Show how long the event loop stands still."""
    say(f"making a table of {options.size} MiB")
    async with stalls.built(options.size, seconds=options.seconds) as made:
        say(f"three rounds of {len(stalls.KINDS)} kinds of reads")
        found = await stalls.measured(made)
    sys.stdout.write("\n".join([*stalls.table(found), "", str(report.machine())]) + "\n")
    return int(any([each.met is False for each in found]))


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(f"bench: {text}\n")


def main(given: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = arguments(given)
    if options.instead == "growth":
        return main_of_growth(options)
    if options.instead == "stalls":
        return asyncio.run(main_of_stalls(options))
    if options.instead == "start":
        sys.stdout.write("\n".join([*starting.table(), "", str(report.machine())]) + "\n")
        return 0
    about, found = report.machine(), list[Measured]()
    for database in options.database or DATABASES:
        try:
            found += asyncio.run(run(database, options))
        except NoServer as missing:
            say(f"{database} is left out: {missing}")
    about["load at the end"] = report.machine()["load"]
    sys.stdout.write("\n".join([*report.lines(found), "", str(about)]) + "\n")
    if options.json is not None:
        options.json.write_text(report.as_json(found, about), encoding="utf-8")
    if options.plot is not None:
        options.plot.write_text(svg(found), encoding="utf-8")
    return int(any([each.met is False for each in found]))


if __name__ == "__main__":
    sys.exit(main())
