"""What importing the framework brings along, and how long it takes beside that."""

import pytest

from tests.benchmarks.starting import DEPENDENCIES, Started, started

FOREIGN = {"anyio", "attr", "attrs", "idna", "msgspec", "sniffio", "typing_extensions"}
"""What the framework is made with. Drivers and what is for the terminal are not among it."""

MODULES = 60
"""So many modules of these at most; an import that brings a whole library along shows here."""

HOLLOW = 0.8
"""What importing it takes at most of what importing these and the parts of the standard library takes."""

BOUND = 5.0
"""What importing what a program names takes at most of that."""

NAMED = "from mapper import Column, Relation, Repository, column, select"


@pytest.fixture(scope="module")
def runs() -> list[Started]:
    """The imports of what it is made with, of it, and of names from it."""
    return started([DEPENDENCIES, "import mapper", NAMED])


@pytest.mark.parametrize("at", [1, 2])
def test_import_of_mapper_brings_no_driver_and_few_modules_of_others(runs: list[Started], at: int):
    found = runs[at]
    assert {each.partition(".")[0] for each in found.foreign()} - FOREIGN == set()
    assert len(found.foreign()) <= MODULES
    assert not [each for each in found.modules if each.partition(".")[0] in {"gateways", "cache_drivers", "sqlite3"}]


def test_import_of_mapper_takes_less_than_what_it_is_made_with(runs: list[Started]):
    dependencies, mapper, _ = runs
    assert mapper.milliseconds / dependencies.milliseconds <= HOLLOW


def test_import_of_names_takes_at_most_five_times_what_it_is_made_with(runs: list[Started]):
    dependencies, _, named = runs
    assert named.milliseconds / dependencies.milliseconds <= BOUND


@pytest.mark.parametrize("gateway", ["sqlite", "postgres", "memory"])
def test_import_of_a_gateway_brings_no_driver_before_it_connects(gateway: str):
    (found,) = started([f"import gateways.{gateway}"], times=1)
    drivers = {"aiosqlite", "asyncpg", "redis", "hiredis"}
    assert {each.partition(".")[0] for each in found.foreign()} & drivers == set()
