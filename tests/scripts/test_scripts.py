"""
Random scripts of commits, transactions, savepoints, failures and rollbacks against a plain model, on every store.

`MAPPER_TEST_HYPOTHESIS=long` has more of them.
"""

import asyncio
import os
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper import Repository
from mapper.gateway import Gateway
from mapper.once import CommitRecords
from tests.scripts.steps import Play, Script, scripts
from tests.scripts.stock import Products, Shelves, State, Stock, Tags, found
from tests.servers.fixtures import Databases, databases

__all__ = ["databases"]

LONG = os.environ.get("MAPPER_TEST_HYPOTHESIS") == "long"
EXAMPLES = {"memory": 2000, "sqlite": 2000, "postgres": 1500} if LONG else {"memory": 100, "sqlite": 60, "postgres": 40}

UNTROUBLED = [HealthCheck.too_slow, HealthCheck.data_too_large]


class Ids(Repository[CommitRecords]):
    """What `once` keeps."""


class Store:
    """A store with the tables of `Stock`, on an event loop of its own that outlives the examples."""

    def __init__(self, runner: asyncio.Runner, gateway: Gateway) -> None:
        self.gateway = gateway
        self.stock = Stock(gateway)
        self._runner = runner
        runner.run(self.stock.push_schema())

    def play(self, script: Script) -> None:
        """Play a script on empty tables."""
        self._runner.run(self._played(script))

    def play_in_sandbox(self, script: Script) -> None:
        """Play a script on empty tables, in a sandbox, which leaves them so."""
        self._runner.run(self._played_in_sandbox(script))

    async def _played(self, script: Script) -> None:
        await self._emptied()
        await Play(self.stock).play(script)
        assert self.gateway.statistics().in_use == 0

    async def _played_in_sandbox(self, script: Script) -> None:
        async with self.stock.sandbox() as box:
            await Play(box).play(script)
        assert await found(self.stock) == State().rows
        assert self.gateway.statistics().in_use == 0

    async def _emptied(self) -> None:
        changes = Stock.change()
        changes.deletes(Products).everywhere()
        changes.deletes(Shelves).everywhere()
        changes.deletes(Tags).everywhere()
        await changes.commit(self.stock)
        ids = Ids.change()
        ids.deletes(CommitRecords).everywhere()
        await ids.commit(Ids(self.gateway))


@contextmanager
def opened(kind: str, databases: Databases | None) -> Generator[Store]:
    """Open a store of a kind."""
    with asyncio.Runner() as runner:
        url = "" if databases is None else runner.run(databases.create())
        gateway: Gateway
        if kind == "memory":
            gateway = MemoryGateway()
        else:
            gateway = SQLiteGateway(":memory:") if kind == "sqlite" else PostgresGateway(url, max_connections=3)
        yield Store(runner, gateway)
        runner.run(gateway.aclose())
        if databases is not None:
            runner.run(databases.drop(url))


@pytest.mark.timeout(900)
@pytest.mark.feature("B13", "B14", "B16", "T12", "T23", "T25", "T26", "N2")
@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
def test_scripts_give_what_the_model_says(kind: str, request: pytest.FixtureRequest):
    databases: Databases | None = request.getfixturevalue("databases") if kind == "postgres" else None
    with opened(kind, databases) as store:

        @settings(max_examples=EXAMPLES[kind], suppress_health_check=UNTROUBLED)
        @given(scripts())
        def check(script: Script) -> None:
            store.play(script)

        check()


@pytest.mark.timeout(900)
@pytest.mark.feature("N6")
@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
def test_scripts_in_a_sandbox_give_what_the_model_says(kind: str, request: pytest.FixtureRequest):
    databases: Databases | None = request.getfixturevalue("databases") if kind == "postgres" else None
    with opened(kind, databases) as store:

        @settings(max_examples=EXAMPLES[kind] // 4, suppress_health_check=UNTROUBLED)
        @given(scripts())
        def check(script: Script) -> None:
            store.play_in_sandbox(script)

        check()
