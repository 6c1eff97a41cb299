"""
What a changeset does behind its rows: statements of the user's own, and what only one gateway has.

Operations go in, with refs among their values; stages of the commit come out, in the order given. Each is compiled by
the gateway, which refuses what is not its own before anything is sent.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from attrs import evolve

from mapper.committed import Committed
from mapper.deferred import Ref
from mapper.errors import QueryError
from mapper.gateway import Gateway
from mapper.operations import Call, RawSql, Result
from mapper.stages import Resolve, Sending, Stage
from mapper.statements import Statement
from mapper.types import Codecs

__all__ = ["FollowUp", "FollowUpStage", "checked", "content_of", "follow_up_stages", "replaced"]

FollowUp: TypeAlias = RawSql | Call


def checked(operation: object, owner: object) -> FollowUp:
    """
    Return an operation that may follow the rows of a changeset.

    Raises:
        QueryError: It is none, or names a ref of another changeset.
    """
    if not isinstance(operation, RawSql | Call):
        raise QueryError(
            f"{operation!r} cannot follow the rows of a changeset",
            hint="give a RawSql, or what a gateway makes: notify(…)",
        )
    for each in _refs(_values(operation)):
        if each.owner is not owner:
            raise QueryError(f"{each!r} is a ref of another changeset", hint="push the row in this one")
    return operation


def content_of(operation: FollowUp) -> tuple[object, ...]:
    """Return what makes an operation equal to one of another changeset: a ref is the position that it stands for."""
    text = operation.text if isinstance(operation, RawSql) else operation.name
    return type(operation).__name__, text, _replaced(_values(operation), lambda ref: ("ref", ref.position))


def follow_up_stages(operations: Iterable[FollowUp]) -> list[Stage]:
    """Return the stages, in the order given; calls that can go together are one."""
    return [FollowUpStage(_joined(list(each))) for _, each in groupby(operations, _together)]


def _together(operation: FollowUp) -> tuple[object, ...]:
    """Return what operations share that go together; each that cannot is alone."""
    if isinstance(operation, Call) and operation.joins:
        return operation.name, operation.reads, operation.writes
    return (id(operation), object())


def _joined(operations: Sequence[FollowUp]) -> FollowUp:
    first = operations[0]
    if len(operations) == 1 or not isinstance(first, Call):
        return first
    return evolve(first, arguments=tuple([each for call in operations for each in _values(call)]))


class FollowUpStage(Stage):
    """One operation behind the rows; it writes to no relation that the planner knows of."""

    __slots__ = ("operation",)

    def __init__(self, operation: FollowUp) -> None:
        super().__init__(operation.reads | operation.writes, 0, any(True for _ in _refs(_values(operation))))
        self.operation = operation

    def count(self) -> int:
        return 1

    def statements(self, resolve: Resolve) -> Sequence[tuple[Statement, Any]]:
        """Give none: what it sends is an operation already."""
        del resolve
        return ()

    def operations(self, gateway: Gateway, resolve: Resolve) -> Sequence[Sending]:
        operation = replaced(self.operation, resolve) if self.deferred else self.operation
        return [(gateway.accept(operation) if isinstance(operation, Call) else gateway.compile(operation), None)]

    def take(self, sent: Any, result: Result, done: Committed, codecs: Codecs) -> None:
        """Drop the answer: what follows the rows gives none back."""
        del sent, result, done, codecs


def _values(operation: FollowUp) -> Sequence[Any]:
    return operation.parameters if isinstance(operation, RawSql) else operation.arguments


def _refs(values: Iterable[Any]) -> Iterator[Ref[Any]]:
    for each in values:
        if isinstance(each, Ref):
            yield each
        elif isinstance(each, tuple):
            yield from _refs(each)


def replaced(operation: FollowUp, resolve: Resolve) -> FollowUp:
    """Return an operation with what stands for the refs among its values."""
    if isinstance(operation, Call):
        return evolve(operation, arguments=_replaced(operation.arguments, resolve))
    return evolve(operation, parameters=_replaced(operation.parameters, resolve))


def _replaced(values: Iterable[Any], resolve: Resolve) -> tuple[Any, ...]:
    """Return values with what stands for the refs among them, in tuples too."""
    return tuple(
        [
            resolve(each) if isinstance(each, Ref) else _replaced(each, resolve) if isinstance(each, tuple) else each
            for each in values
        ]
    )
