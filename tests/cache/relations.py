"""Two relations that need no gateway."""

from attrs import frozen

from mapper import Column, Relation, column


@frozen
class User:
    name: str


@frozen
class Place:
    aisle: int
    shelf: str


class Users(Relation[User], name="users"):
    id: Column[int] = column(primary_key=True)
    name: Column[str]


class Places(Relation[Place, tuple[int, str]], name="places"):
    aisle: Column[int] = column(primary_key=True)
    shelf: Column[str] = column(primary_key=True)
