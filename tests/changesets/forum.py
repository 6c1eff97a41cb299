"""Relations that refer to each other in circles, to themselves and across, for the tests of related writes."""

import attrs

from mapper.columns import Column, column
from mapper.relation import Relation
from mapper.relationships import BelongsTo, HasMany, HasOne, ManyToMany, Through
from mapper.repository import Repository
from mapper.wrappers import Keyed, Versioned


@attrs.frozen
class Member:
    name: str


@attrs.frozen
class Profile:
    motto: str


@attrs.frozen
class Thread:
    title: str


@attrs.frozen
class Message:
    text: str


@attrs.frozen
class Label:
    name: str
    color: str = "grey"


@attrs.frozen
class Mark:
    weight: int


@attrs.frozen
class Shelf:
    room: str
    number: int


@attrs.frozen
class Book:
    title: str


class Members(Relation[Member]):
    """Refers to itself."""

    id: Column[int] = column(primary_key=True)
    name: Column[str]
    boss_id: Column[int | None] = column(references=lambda: Members.id)


class Profiles(Relation[Profile]):
    """One for each member, at most."""

    id: Column[int] = column(primary_key=True)
    member_id: Column[int | None] = column(references=lambda: Members.id, unique=True)
    motto: Column[str]


class Threads(Relation[Thread]):
    """Refers to messages, which refer to it."""

    id: Column[int] = column(primary_key=True)
    title: Column[str]
    latest_id: Column[int | None] = column(references=lambda: Messages.id)


class Messages(Relation[Message, int, Versioned[Keyed[Message, int]]]):
    """Versioned; each may answer another."""

    id: Column[int] = column(primary_key=True)
    thread_id: Column[int] = column(references=lambda: Threads.id)
    answers_id: Column[int | None] = column(references=lambda: Messages.id)
    text: Column[str]
    version: Column[int] = column(version=True)


class Labels(Relation[Label, str]):
    """A natural key."""

    name: Column[str] = column(primary_key=True)
    color: Column[str]


class Marks(Relation[Mark, tuple[int, str]], name="marks"):
    """Ties threads and labels."""

    thread_id: Column[int] = column(primary_key=True, references=lambda: Threads.id)
    label: Column[str] = column(primary_key=True, references=lambda: Labels.name)
    weight: Column[int] = column(default=1)


class Shelves(Relation[Shelf, tuple[str, int]]):
    """A key of two columns."""

    room: Column[str] = column(primary_key=True)
    number: Column[int] = column(primary_key=True)


class Books(Relation[Book]):
    """Refers to a key of two columns."""

    id: Column[int] = column(primary_key=True)
    room: Column[str | None]
    number: Column[int | None]
    title: Column[str]


class MemberProfile(HasOne[Members, Profiles]):
    key = Profiles.member_id


class Staff(HasMany[Members, Members]):
    key = Members.boss_id


class ThreadMessages(HasMany[Threads, Messages]):
    key = Messages.thread_id


class Answers(HasMany[Messages, Messages]):
    key = Messages.answers_id


class MessageThread(BelongsTo[Messages, Threads]):
    key = Messages.thread_id


class LatestMessage(BelongsTo[Threads, Messages]):
    key = Threads.latest_id


class ThreadLabels(ManyToMany[Threads, Labels]):
    through = Marks
    keys = (Marks.thread_id, Marks.label)


class ShelfBooks(HasMany[Shelves, Books]):
    key = (Books.room, Books.number)


class ThreadAnswers(Through[Threads, Messages]):
    path = (ThreadMessages, Answers)


class Forum(Repository[Members | Profiles | Threads | Messages | Labels | Marks | Shelves | Books]): ...
