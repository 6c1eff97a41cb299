"""The relation that the tests of the gateway's runtime read and write."""

from typing import Any

from attrs import frozen

from mapper.changeset import Changeset
from mapper.columns import Column, column
from mapper.relation import Relation
from mapper.repository import Repository


@frozen
class Note:
    """A plain model."""

    text: str


class Notes(Relation[Note]):
    """Notes, by number."""

    id: Column[int] = column(primary_key=True)
    text: Column[str] = column(unique=True)


class Book(Repository[Notes]): ...


def written(*texts: str) -> Changeset[Any]:
    """Return a changeset of these notes."""
    changes = Book.change()
    changes.inserts(Notes).extend([Note(each) for each in texts])
    return changes
