"""The inventory of installed distributions: reading them, storing them twice, asking, and the command itself."""

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from examples.packages import machine, questions
from examples.packages.commits import Change, store
from examples.packages.machine import Found, parse_requirement
from examples.packages.relations import Distributions, Files, Inventory, Requirement
from examples.packages.screen import Column, PlainScreen, RichScreen, Table, bytes_text
from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from mapper import select

ROOT = Path(__file__).parent.parent.parent


def install(site: Path, name: str, version: str, *headings: str, record: tuple[str, ...] = ()) -> None:
    """Leave the metadata of a distribution behind, as installers do."""
    uninstall(site, name)
    directory = site / f"{name}-{version}.dist-info"
    directory.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *headings, "", "Text."]
    (directory / "METADATA").write_text("\n".join(lines))
    (directory / "RECORD").write_text("".join(f"{line}\n" for line in record))


def uninstall(site: Path, name: str) -> None:
    """Remove the metadata of a distribution, if it is there."""
    for directory in site.glob(f"{name}-*.dist-info"):
        shutil.rmtree(directory)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A small machine: one distribution needs another, one that is not there, and one for an extra only."""
    path = tmp_path / "site"
    path.mkdir()
    install(
        path,
        "My.App",
        "1.0",
        "Summary: An app.",
        "Keywords: web, fast lane",
        "Classifier: Development Status :: 4 - Beta",
        "Requires-Dist: lib>=2",
        "Requires-Dist: absent (<3)",
        "Requires-Dist: rare; extra == 'all'",
        record=(
            "my_app/__init__.py,sha256=aa,100",
            "my_app/logo.png,sha256=bb,5000",
            "my_app/__pycache__/__init__.cpython-311.pyc,,",
            "../../bin/app,sha256=cc,10",
        ),
    )
    install(path, "lib", "2.1", record=("lib.py,sha256=aa,100", "lib-2.1.dist-info/RECORD,,"))
    return path


def found_at(site: Path) -> Found:
    return machine.read(machine.installed([str(site)]))


@pytest.fixture(params=["memory", "sqlite"])
async def inventory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Inventory]:
    async with MemoryGateway() if request.param == "memory" else SQLiteGateway(tmp_path / "packages.db") as gateway:
        repository = Inventory(gateway)
        await repository.push_schema()
        yield repository


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("attrs", ("attrs", "", None, None)),
        ("Foo.Bar_baz[a,b]>=1, <2", ("foo-bar-baz", ">=1,<2", None, None)),
        ("zope.interface (>=4.0)", ("zope-interface", ">=4.0", None, None)),
        ('x!=1; extra == "t"', ("x", "!=1", 'extra == "t"', "t")),
        (
            "x ; sys_platform != 'win32' and extra == 'a'",
            ("x", "", "sys_platform != 'win32' and extra == 'a'", "a"),
        ),
        ("x; 'b' == extra", ("x", "", "'b' == extra", "b")),
        ("x; python_version < '3'", ("x", "", "python_version < '3'", None)),
        ("x @ https://host/x.zip#a;b ; extra == 'c'", ("x", "https://host/x.zip#a;b", "extra == 'c'", "c")),
        ("!?", ("!?", "", None, None)),
    ],
)
def test_requirement_is_taken_apart(text: str, expected: tuple[str, str, str | None, str | None]):
    assert parse_requirement("app", text) == Requirement("app", text, *expected)


def test_machine_is_read_into_models(site: Path):
    found = found_at(site)
    assert [(each.name, each.version, each.summary) for each in found.distributions] == [
        ("lib", "2.1", None),
        ("my-app", "1.0", "An app."),
    ]
    assert [(each.distribution, each.name) for each in found.modules] == [("lib", "lib"), ("my-app", "my_app")]
    assert [each.text for each in found.labels] == ["Development Status :: 4 - Beta", "fast lane", "web"]
    assert [(each.path, each.suffix, each.size, each.digest) for each in found.files if each.distribution == "lib"] == [
        ("lib-2.1.dist-info/RECORD", "", None, None),
        ("lib.py", ".py", 100, "sha256=aa"),
    ]


def test_distribution_without_a_name_is_left_out(tmp_path: Path):
    (tmp_path / "broken-1.dist-info").mkdir()
    (tmp_path / "broken-1.dist-info" / "METADATA").write_text("")
    assert machine.installed([str(tmp_path)]) == {}


def test_first_of_two_distributions_with_one_name_counts(tmp_path: Path):
    sites = [tmp_path / "first", tmp_path / "second"]
    for number, each in enumerate(sites):
        each.mkdir()
        install(each, "app", f"{number}")
    assert machine.installed(list(map(str, sites)))["app"].version == "0"


async def test_first_run_inserts_everything(site: Path, inventory: Inventory):
    assert await store(inventory, found_at(site)) == {
        "distributions": Change(inserted=2),
        "requirements": Change(inserted=3),
        "files": Change(inserted=6),
        "labels": Change(inserted=3),
        "modules": Change(inserted=2),
    }


async def test_second_run_changes_nothing(site: Path, inventory: Inventory):
    found = found_at(site)
    await store(inventory, found)
    changes = await store(inventory, found)
    assert sum(each.unchanged for each in changes.values()) == found.rows
    assert [(each.inserted, each.updated, each.deleted) for each in changes.values()] == [(0, 0, 0)] * 5


async def test_upgrade_updates_what_differs_and_deletes_what_is_gone(site: Path, inventory: Inventory):
    await store(inventory, found_at(site))
    install(site, "lib", "2.2", record=("lib.py,sha256=dd,120", "lib-2.2.dist-info/RECORD,,"))
    changes = await store(inventory, found_at(site))
    assert changes["distributions"] == Change(updated=1, unchanged=1)
    assert changes["files"] == Change(inserted=1, updated=1, deleted=1, unchanged=4)
    assert await select(Files.size).where(Files.path == "lib.py").one(inventory) == 120


async def test_distribution_that_is_gone_takes_everything_with_it(site: Path, inventory: Inventory):
    await store(inventory, found_at(site))
    uninstall(site, "My.App")
    changes = await store(inventory, found_at(site))
    assert {name: each.deleted for name, each in changes.items()} == {
        "distributions": 1,
        "requirements": 3,
        "files": 4,
        "labels": 3,
        "modules": 1,
    }
    assert await select(Distributions.name).all(inventory) == ["lib"]


async def test_failing_run_leaves_the_inventory_as_it_was(site: Path, inventory: Inventory):
    def fail(rows: int) -> None:
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError):
        await store(inventory, found_at(site), fail)
    assert await select(Distributions).count(inventory) == 0


async def test_answers_of_the_small_machine(site: Path, inventory: Inventory):
    await store(inventory, found_at(site))
    tables = {table.title: list(map(list, table.rows)) for table in await questions.answers(inventory)}
    assert tables == {
        "What is stored": [
            ["distributions", "2"],
            ["requirements", "3"],
            ["files", "6"],
            ["labels", "3"],
            ["modules", "2"],
        ],
        "Distributions by name, the first page": [["lib", "2.1", ""], ["my-app", "1.0", "An app."]],
        "Largest distributions": [["my-app", "1.0", "4", "5.1 kB"], ["lib", "2.1", "2", "100 B"]],
        "Files by suffix, where there are ten or more": [],
        "Files with the same content": [["lib.py", "2", "100 B"]],
        "Who needs whom": [["lib", "1", "my-app"]],
        "Requirements that nothing satisfies": [["absent", "1", "1"], ["rare", "1", "0"]],
        "Modules that several distributions bring": [],
        "Development status, as distributions state it": [["Development Status :: 4 - Beta", "1"]],
    }


async def test_answers_of_an_empty_inventory(inventory: Inventory):
    tables = await questions.answers(inventory)
    assert [list(table.rows) for table in tables[1:]] == [[]] * 8


@pytest.mark.parametrize(
    ("size", "text"), [(None, ""), (0, "0 B"), (999, "999 B"), (12_345, "12.3 kB"), (5_000_000_000, "5.0 GB")]
)
def test_size_is_written_for_people(size: int | None, text: str):
    assert bytes_text(size) == text


@pytest.mark.parametrize("screen", [PlainScreen(), RichScreen()], ids=["plain", "rich"])
def test_screen_shows_tables_within_its_width(
    screen: PlainScreen | RichScreen, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "200")
    columns = [Column("name"), Column("number", number=True)]
    screen.show(Table("Title [x]", columns, [("long " * 50, "1")], note="note"))
    screen.show(Table("Nothing", columns, []))
    with screen.progress("storing", 3) as advance:
        advance(3)
    shown = capsys.readouterr().out
    assert [word for word in ("Title [x]", "number", "note", "Nothing: none", "storing") if word not in shown] == []
    assert max(map(len, shown.splitlines())) < 100


def test_command_run_twice_changes_nothing_the_second_time(tmp_path: Path):
    database = tmp_path / "packages.db"
    command = [sys.executable, "-m", "examples.packages", str(database)]
    first, second = [subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(2)]
    assert max(len(line) for line in first.stdout.splitlines()) < 100 + len(str(database))
    assert changed_rows(first.stdout)["distributions"][0] > 0
    assert {name: row[:3] for name, row in changed_rows(second.stdout).items()} == dict.fromkeys(
        ("distributions", "requirements", "files", "labels", "modules"), (0, 0, 0)
    )


def changed_rows(printed: str) -> dict[str, tuple[int, ...]]:
    """Read the table of changes back: inserted, updated, deleted and unchanged rows by relation."""
    lines = [line.split() for line in printed.splitlines()]
    return {
        line[0]: tuple(int(each.replace(",", "")) for each in line[1:])
        for line in lines
        if len(line) == 5 and line[4][0].isdigit() and line[1][0].isdigit()
    }


def test_command_says_what_is_wrong_with_the_database(tmp_path: Path):
    (tmp_path / "text.db").write_text("this is no database, however long it may be " * 100)
    command = [sys.executable, "-m", "examples.packages", str(tmp_path / "text.db")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, "Traceback" in result.stderr) == (1, False)
