"""
What the inventory can tell: queries, each with the class that its rows become, and the tables made of their answers.

Queries are values, written once and run on whatever repository stores their relations. Nothing here is SQL.
"""

from typing import NamedTuple

from examples.packages.relations import (
    Distribution,
    Distributions,
    Files,
    Inventory,
    Kind,
    Labels,
    Modules,
    Requirements,
)
from examples.packages.screen import Column, Table, bytes_text
from mapper import Query, fn, optional, prepared, select

__all__ = ["answers"]

LONGEST = 10
"""Rows of one table."""


async def answers(inventory: Inventory) -> list[Table]:
    """
    Ask all questions in one read-only transaction, so that the answers fit together whatever is written meanwhile.
    """
    async with inventory.transaction(read_only=True) as tx:
        return [
            await totals(tx),
            await first_page(tx),
            await largest(tx),
            await by_suffix(tx),
            await copies(tx),
            await most_needed(tx),
            await not_there(tx),
            await shared_modules(tx),
            await maturity(tx),
        ]


# -- How much is there? -----------------------------------------------------------------------------------------------


async def totals(inventory: Inventory) -> Table:
    rows = [
        ("distributions", await select(Distributions).count(inventory)),
        ("requirements", await select(Requirements).count(inventory)),
        ("files", await select(Files).count(inventory)),
        ("labels", await select(Labels).count(inventory)),
        ("modules", await select(Modules).count(inventory)),
    ]
    return Table(
        "What is stored",
        [Column("relation"), Column("rows", number=True)],
        [(name, f"{rows:,}") for name, rows in rows],
    )


# -- What is it? (a page, which knows where the next one begins) ------------------------------------------------------

BY_NAME = select(Distribution).from_(Distributions).order_by(Distributions.name)


async def first_page(inventory: Inventory) -> Table:
    page = await BY_NAME.page(inventory, size=LONGEST)
    more = await BY_NAME.count(inventory) - len(page.items)
    return Table(
        "Distributions by name, the first page",
        [Column("distribution"), Column("version"), Column("summary")],
        [(each.name, each.version, shortened(each.summary or "")) for each in page.items],
        note=f"{more} more follow: page(size={LONGEST}, after=page.next)" if page.next else "",
    )


# -- What takes the space? (a left join, so that distributions without files are there too) ---------------------------


class Weight(NamedTuple):
    name: str
    version: str
    files: int
    size: int | None


LARGEST = (
    select(Distributions.name, Distributions.version, fn.count(Files.path), fn.sum(Files.size))
    .left_join(Files, on=Files.distribution == Distributions.name)
    .group_by(Distributions.name, Distributions.version)
    .order_by(fn.sum(Files.size).desc().nulls_last(), Distributions.name)
    .limit(LONGEST)
    .into(Weight)
)


async def largest(inventory: Inventory) -> Table:
    rows: list[Weight] = []
    async for each in LARGEST.execute(inventory):
        rows.append(each)
    return Table(
        "Largest distributions",
        [Column("distribution"), Column("version"), Column("files", number=True), Column("size", number=True)],
        [(each.name, each.version, f"{each.files:,}", bytes_text(each.size)) for each in rows],
    )


# -- What kinds of files? (groups, and only those of some size) -------------------------------------------------------


class Suffix(NamedTuple):
    suffix: str
    files: int
    distributions: int
    size: int | None


BY_SUFFIX = (
    select(Files.suffix, fn.count(), fn.count(Files.distribution, distinct=True), fn.sum(Files.size))
    .group_by(Files.suffix)
    .having(fn.count() >= 10)
    .order_by(fn.count().desc(), Files.suffix)
    .limit(LONGEST)
    .into(Suffix)
)


async def by_suffix(inventory: Inventory) -> Table:
    return Table(
        "Files by suffix, where there are ten or more",
        [
            Column("suffix"),
            Column("files", number=True),
            Column("distributions", number=True),
            Column("size", number=True),
        ],
        [
            (each.suffix or "(none)", f"{each.files:,}", f"{each.distributions}", bytes_text(each.size))
            async for each in BY_SUFFIX.execute(inventory)
        ],
    )


# -- What is there more than once? (arithmetic over aggregates) -------------------------------------------------------


class Copies(NamedTuple):
    path: str | None
    copies: int
    spare: int | None


SPARE = (fn.count() - 1) * fn.max(Files.size)

COPIES = (
    select(fn.min(Files.path), fn.count(), SPARE)
    .where(Files.digest != None, Files.size > 0)
    .group_by(Files.digest)
    .having(fn.count() > 1)
    .order_by(SPARE.desc().nulls_last(), fn.min(Files.path))
    .limit(LONGEST)
    .into(Copies)
)


async def copies(inventory: Inventory) -> Table:
    return Table(
        "Files with the same content",
        [Column("one of them"), Column("copies", number=True), Column("could be saved", number=True)],
        [
            (shortened_path(each.path or ""), f"{each.copies}", bytes_text(each.spare))
            async for each in COPIES.execute(inventory)
        ],
    )


# -- Who needs whom? (a join, and a prepared query that is built once and asked for each) -----------------------------


class Needed(NamedTuple):
    name: str
    by: int


MOST_NEEDED = (
    select(Distributions.name, fn.count(Requirements.distribution, distinct=True))
    .join(Requirements, on=Requirements.name == Distributions.name)
    .where(Requirements.extra == None)
    .group_by(Distributions.name)
    .order_by(fn.count(Requirements.distribution, distinct=True).desc(), Distributions.name)
    .limit(LONGEST)
    .into(Needed)
)


@prepared
def needing(name: str) -> Query[str, Requirements]:
    """Distributions that need another one, and not only for an extra."""
    return (
        select(Requirements.distribution)
        .where(Requirements.name == name, Requirements.extra == None)
        .order_by(Requirements.distribution)
        .distinct()
    )


async def most_needed(inventory: Inventory) -> Table:
    rows = [
        (each.name, f"{each.by}", shortened(", ".join(await needing(each.name).all(inventory))))
        for each in await MOST_NEEDED.all(inventory)
    ]
    return Table("Who needs whom", [Column("needed"), Column("by", number=True), Column("namely")], rows)


# -- What is asked for and not there? (a left join whose other side is missing) ---------------------------------------


class NotThere(NamedTuple):
    name: str
    by: int
    always: int


ALWAYS = fn.count(filter=Requirements.marker == None)

NOT_THERE = (
    select(Requirements.name, fn.count(Requirements.distribution, distinct=True), ALWAYS)
    .left_join(Distributions, on=Distributions.name == Requirements.name)
    .where(optional(Distributions.name) == None)
    .group_by(Requirements.name)
    .order_by(ALWAYS.desc(), fn.count(Requirements.distribution, distinct=True).desc(), Requirements.name)
    .into(NotThere)
)


async def not_there(inventory: Inventory) -> Table:
    missing = await NOT_THERE.count(inventory)
    return Table(
        "Requirements that nothing satisfies",
        [Column("distribution"), Column("asked for by", number=True), Column("unconditionally by", number=True)],
        [(each.name, f"{each.by}", f"{each.always}") async for each in NOT_THERE.limit(LONGEST).execute(inventory)],
        note=f"{missing} in all; what is asked for under a condition only (an extra, another system) may well be absent",
    )


# -- What do several bring? -------------------------------------------------------------------------------------------


class Shared(NamedTuple):
    module: str
    distributions: int
    first: str | None
    last: str | None


SHARED = (
    select(Modules.name, fn.count(), fn.min(Modules.distribution), fn.max(Modules.distribution))
    .group_by(Modules.name)
    .having(fn.count() > 1)
    .order_by(fn.count().desc(), Modules.name)
    .limit(LONGEST)
    .into(Shared)
)


async def shared_modules(inventory: Inventory) -> Table:
    return Table(
        "Modules that several distributions bring",
        [Column("module"), Column("distributions", number=True), Column("among them")],
        [
            (each.module, f"{each.distributions}", f"{each.first}, {each.last}")
            async for each in SHARED.execute(inventory)
        ],
    )


# -- How mature is it? (an enumeration, and the beginning of a text) --------------------------------------------------

MATURITY = (
    select(Labels.text, fn.count())
    .where(Labels.kind == Kind.CLASSIFIER, Labels.text.starts_with("Development Status ::"))
    .group_by(Labels.text)
    .order_by(Labels.text.desc())
)


async def maturity(inventory: Inventory) -> Table:
    return Table(
        "Development status, as distributions state it",
        [Column("classifier"), Column("distributions", number=True)],
        [(text, f"{count}") async for text, count in MATURITY.execute(inventory)],
    )


def shortened(text: str, size: int = 48) -> str:
    """Return a text in one line of at most `size` characters, without its end where it is longer."""
    line = " ".join(text.split())
    return line if len(line) <= size else line[: size - 1] + "…"


def shortened_path(path: str, size: int = 48) -> str:
    """Return a path of at most `size` characters, without its beginning where it is longer."""
    return path if len(path) <= size else "…" + path[1 - size :]
