"""
What is known of an installed distribution, and how it is stored: models, relations, the repository.

Every row is named by what it is (a distribution by its name, a file by its distribution and path), not by a number of
the store. So the next run finds the rows of this one.
"""

from enum import Enum

import attrs

from mapper import Column, Index, Relation, Repository, column


@attrs.frozen
class Distribution:
    """
    Something that was installed.

    Attributes:
        name: As package indexes compare names: lower case, words joined by hyphens.
    """

    name: str
    version: str
    summary: str | None


@attrs.frozen
class Requirement:
    """
    What a distribution says that it needs.

    Attributes:
        text: The whole of it, as it is written: `attrs>=24; extra == "test"`.
        name: The distribution needed, as `Distribution.name`.
        specifier: Versions allowed, or an address; empty where any version is.
        marker: Where it holds, such as `sys_platform == "win32"`; None where it always does.
        extra: The option of the distribution that needs it; None where it is not optional.
    """

    distribution: str
    text: str
    name: str
    specifier: str
    marker: str | None
    extra: str | None


@attrs.frozen
class File:
    """
    A file that a distribution brought with it.

    Attributes:
        path: Relative to the directory that it was installed into.
        suffix: `.py`, or empty.
        size: In bytes; None where the record of the installation has none.
        digest: Algorithm and hash, `sha256=…`; None likewise.
    """

    distribution: str
    path: str
    suffix: str
    size: int | None
    digest: str | None


class Kind(Enum):
    """What a label is."""

    CLASSIFIER = "classifier"
    KEYWORD = "keyword"


@attrs.frozen
class Label:
    """A word or phrase by which a distribution wants to be found."""

    distribution: str
    kind: Kind
    text: str


@attrs.frozen
class Module:
    """A name that can be imported because a distribution is installed."""

    distribution: str
    name: str


class Distributions(Relation[Distribution, str]):
    name: Column[str] = column(primary_key=True)
    version: Column[str]
    summary: Column[str | None]


class Requirements(Relation[Requirement, tuple[str, str]], indexes=[Index("name")]):
    distribution: Column[str] = column(primary_key=True, references=lambda: Distributions.name, on_delete="cascade")
    text: Column[str] = column(primary_key=True)
    name: Column[str]
    specifier: Column[str]
    marker: Column[str | None]
    extra: Column[str | None]


class Files(Relation[File, tuple[str, str]], indexes=[Index("suffix"), Index("digest")]):
    distribution: Column[str] = column(primary_key=True, references=lambda: Distributions.name, on_delete="cascade")
    path: Column[str] = column(primary_key=True)
    suffix: Column[str]
    size: Column[int | None] = column(check="size >= 0")
    digest: Column[str | None]


class Labels(Relation[Label, tuple[str, Kind, str]]):
    distribution: Column[str] = column(primary_key=True, references=lambda: Distributions.name, on_delete="cascade")
    kind: Column[Kind] = column(primary_key=True)
    text: Column[str] = column(primary_key=True)


class Modules(Relation[Module, tuple[str, str]]):
    distribution: Column[str] = column(primary_key=True, references=lambda: Distributions.name, on_delete="cascade")
    name: Column[str] = column(primary_key=True)


class Inventory(Repository[Distributions | Requirements | Files | Labels | Modules]):
    """Everything that this program stores."""
