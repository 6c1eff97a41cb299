"""
The command: `python -m examples.packages [database]`.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from examples.packages.commits import Change, store
from examples.packages.machine import Found, installed, read
from examples.packages.questions import answers
from examples.packages.relations import Inventory
from examples.packages.screen import Column, Screen, Table, best_screen
from gateways.sqlite import SQLiteGateway
from mapper import MapperError


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.packages", description="What is installed here, in a database."
    )
    parser.add_argument(
        "database",
        nargs="?",
        type=Path,
        default=Path("packages.db"),
        help="a file of SQLite, made where it is not there (default: %(default)s)",
    )
    database: Path = parser.parse_args().database.resolve()
    screen = best_screen()
    try:
        asyncio.run(run(database, look_around(screen), screen))
    except MapperError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def run(database: Path, found: Found, screen: Screen) -> dict[str, Change]:
    """Store what was found and answer the questions. Returns what changed, by relation."""
    async with SQLiteGateway(database) as gateway:
        inventory = Inventory(gateway)
        await inventory.push_schema()
        changes = await save(inventory, found, screen)
        for table in [changed(changes), *await answers(inventory)]:
            screen.show(table)
    screen.say("Run this again to see what has changed since. The database is")
    screen.say(str(database))
    return changes


def look_around(screen: Screen) -> Found:
    """Read the machine, with a progress bar."""
    distributions = installed()
    with screen.progress("reading", len(distributions)) as advance:
        return read(distributions, lambda name: advance(1))


async def save(inventory: Inventory, found: Found, screen: Screen) -> dict[str, Change]:
    """Store what was found, with a progress bar."""
    with screen.progress("storing", found.rows) as advance:
        return await store(inventory, found, advance)


def changed(changes: dict[str, Change]) -> Table:
    """Say what the run did."""
    headings = ("inserted", "updated", "deleted", "unchanged")
    return Table(
        "What this run changed",
        [Column("relation"), *[Column(each, number=True) for each in headings]],
        [
            (name, f"{each.inserted:,}", f"{each.updated:,}", f"{each.deleted:,}", f"{each.unchanged:,}")
            for name, each in changes.items()
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
