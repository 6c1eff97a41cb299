"""Importing the packages is cheap and pulls in no driver: an extra's library is imported when it is first needed."""

import json
import subprocess
import sys

import pytest

from tests.house.sources import ROOT

DATABASES = {"aiosqlite", "asyncmy", "asyncpg", "psycopg"}
CACHES = {"aiobotocore", "momento", "redis", "upstash_redis"}
TOOLS = {"click", "hypothesis", "opentelemetry", "pydantic", "pytest", "rich", "trio"}

LIMIT_SECONDS = 1.0
"""Generous: only an import that does work, or drags in a large library, takes that long."""

PROGRAM = """
import json, sys, time
begin = time.perf_counter()
import {package}
seconds = time.perf_counter() - begin
print(json.dumps({{"seconds": seconds, "modules": sorted(sys.modules)}}))
"""


def import_afresh(package: str) -> tuple[float, set[str]]:
    """Import the package in a new interpreter; returns the seconds it took and the top-level modules present."""
    command = [sys.executable, "-c", PROGRAM.format(package=package)]
    answer = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    return answer["seconds"], {name.partition(".")[0] for name in answer["modules"]}


@pytest.mark.parametrize("package", ["mapper", "gateways", "cache_drivers"])
def test_import_pulls_in_no_driver(package: str):
    _, modules = import_afresh(package)
    assert sorted(modules & (DATABASES | CACHES | TOOLS)) == []


def test_import_of_mapper_is_quick(record_property):
    # The best of three: the first one may compile, and the machine may be busy.
    seconds = min(import_afresh("mapper")[0] for _ in range(3))
    record_property("import mapper, seconds", round(seconds, 3))
    print(f"import mapper: {seconds * 1000:.0f} ms")
    assert seconds < LIMIT_SECONDS
