"""
What a peer is: another library that does the same workloads.

The modules in `tests.benchmarks.peers` define a class `Library` each. They are imported by name alone, where the
libraries are installed, and no checker of types looks at them.
"""

import importlib
from contextlib import AsyncExitStack
from typing import Any, Final

import attrs

from tests.benchmarks.workload import DATABASES, Bench, Run

__all__ = ["PEERS", "Peer", "opened_peer"]

PEERS: Final = {
    "sqlalchemy_orm": "sqlalchemy",
    "sqlalchemy_core": "sqlalchemy",
    "sqlmodel": "sqlmodel",
    "tortoise": "tortoise",
    "piccolo": "piccolo",
    "django": "django",
    "peewee": "peewee",
    "psycopg": "psycopg_pool",
}
"""The peers, and the module by which it can be told that one is installed."""


@attrs.frozen
class Peer:
    """
    A library that is connected. `library` has a method for each workload that it does, named by the workload's key,
    which takes a bench and returns what the workload checks; and `databases` where it does not connect to all.
    """

    name: str
    library: Any

    def way(self, key: str) -> Run | None:
        """Return what does a workload; None where the library cannot, or was not asked to."""
        found: Run | None = getattr(self.library, key, None)
        return found


async def opened_peer(name: str, bench: Bench, stack: AsyncExitStack) -> Peer | None:
    """
    Connect a library to a database; None where it does not know such a database.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    library: Any = importlib.import_module(f"tests.benchmarks.peers.{name}").Library()
    if bench.database not in getattr(library, "databases", DATABASES):
        return None
    await library.open(bench)
    stack.push_async_callback(library.close)
    return Peer(name, library)
