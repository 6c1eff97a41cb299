"""
Storing what was found: new rows are inserted, changed ones updated, those that are gone deleted.

Models and a repository go in; what changed comes out, in numbers. All of it is one transaction: whoever reads meanwhile
sees the machine as it was before or as it is now, and nothing in between.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import attrs
from typing_extensions import TypeVar

from examples.packages.machine import Found
from examples.packages.relations import Distributions, Files, Inventory, Labels, Modules, Requirements
from mapper import Changeset, Committed, excluded, select

__all__ = ["Change", "store"]

T = TypeVar("T")

Changes: TypeAlias = Changeset[Distributions | Requirements | Files | Labels | Modules]

CHUNK = 2000
"""Rows of one changeset: enough to be quick, few enough that the progress of a long list can be seen."""


@attrs.frozen
class Change:
    """What happened to the rows of one relation, in numbers of rows."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0

    def and_(self, committed: Committed) -> "Change":
        """Add what a commit did."""
        return Change(
            self.inserted + committed.inserted,
            self.updated + committed.updated,
            self.deleted + committed.deleted,
            self.unchanged + committed.ignored,
        )


def _nothing(rows: int) -> None:
    """Tell nobody of the progress."""


async def store(inventory: Inventory, found: Found, stored: Callable[[int], object] = _nothing) -> dict[str, Change]:
    """
    Make the inventory say what was found, and nothing else.

    Args:
        inventory: Where to.
        found: All that there is.
        stored: Called with the number of rows, whenever some were stored.

    Returns:
        What changed, by the name of the relation.
    """
    result = {"distributions": Change()}
    async with inventory.transaction() as tx:
        for what, rows, changes in upserts(found):
            result[what] = result.get(what, Change()).and_(await changes.commit(tx))
            stored(rows)
        for what, changes in await deletes(tx, found):
            result[what] = result.get(what, Change()).and_(await changes.commit(tx))
    return result


def upserts(found: Found) -> Iterator[tuple[str, int, Changes]]:
    """
    Give the changesets that bring each row up to date, with the name of the relation and the number of rows.

    A changeset is data: making one stores nothing. An incoming row that is there already updates it, where they
    differ; where they do not, it is ignored, and counted as such.
    """
    for distributions in chunks(found.distributions):
        changes = Inventory.change()
        changes.inserts(Distributions).on_conflict(
            Distributions.name,
            update=[Distributions.version, Distributions.summary],
            where=Distributions.version.is_distinct_from(excluded(Distributions.version))
            | Distributions.summary.is_distinct_from(excluded(Distributions.summary)),
        ).extend(distributions)
        yield "distributions", len(distributions), changes

    for requirements in chunks(found.requirements):
        changes = Inventory.change()
        # The rest of a requirement follows from its text, which is part of its key: it cannot differ.
        changes.inserts(Requirements).on_conflict(Requirements.distribution, Requirements.text).extend(requirements)
        yield "requirements", len(requirements), changes

    for files in chunks(found.files):
        changes = Inventory.change()
        changes.inserts(Files).on_conflict(
            Files.distribution,
            Files.path,
            update=[Files.size, Files.digest],
            where=Files.size.is_distinct_from(excluded(Files.size))
            | Files.digest.is_distinct_from(excluded(Files.digest)),
        ).extend(files)
        yield "files", len(files), changes

    for labels in chunks(found.labels):
        changes = Inventory.change()
        changes.inserts(Labels).on_conflict(Labels.distribution, Labels.kind, Labels.text).extend(labels)
        yield "labels", len(labels), changes

    for modules in chunks(found.modules):
        changes = Inventory.change()
        changes.inserts(Modules).on_conflict(Modules.distribution, Modules.name).extend(modules)
        yield "modules", len(modules), changes


async def deletes(inventory: Inventory, found: Found) -> list[tuple[str, Changes]]:
    """
    Return the changesets that delete what is stored and was not found, what refers to distributions first.

    The stored rows are streamed: none of them is kept but those that have to go.
    """
    requirements, files, labels, modules, distributions = (Inventory.change() for _ in range(5))

    texts = {(each.distribution, each.text) for each in found.requirements}
    async for requirement in select(Requirements).execute(inventory):
        if requirement.key not in texts:
            requirements.delete(Requirements, requirement)

    paths = {(each.distribution, each.path) for each in found.files}
    async for file in select(Files).execute(inventory):
        if file.key not in paths:
            files.delete(Files, file)

    words = {(each.distribution, each.kind, each.text) for each in found.labels}
    async for label in select(Labels).execute(inventory):
        if label.key not in words:
            labels.delete(Labels, label)

    imported = {(each.distribution, each.name) for each in found.modules}
    async for module in select(Modules).execute(inventory):
        if module.key not in imported:
            modules.delete(Modules, module)

    names = {each.name for each in found.distributions}
    async for distribution in select(Distributions).execute(inventory):
        if distribution.key not in names:
            distributions.delete(Distributions, distribution)

    return [
        ("requirements", requirements),
        ("files", files),
        ("labels", labels),
        ("modules", modules),
        ("distributions", distributions),
    ]


def chunks(models: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Cut a list into parts of at most `size`; of an empty list there are none."""
    for start in range(0, len(models), size):
        yield models[start : start + size]
