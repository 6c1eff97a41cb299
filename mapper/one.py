"""
One row at most, by primary key.

A query restricted to a key goes in; it is awaited instead of iterated.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, Self

from typing_extensions import TypeVar, Unpack

from mapper.batched import Batched
from mapper.cachedqueries import CacheSettings
from mapper.caching import CacheMode
from mapper.errors import ManyRows
from mapper.explaining import Plan
from mapper.statements import Select
from mapper.stores import Stores

if TYPE_CHECKING:
    from mapper.query import Query

__all__ = ["One"]

_new: Final = object.__new__

T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R", default=Any)


class One(Generic[T_co, R]):
    """
    At most one row, by primary key: awaited, and None where the key is absent.

    Attributes:
        key: The shape; see `Query.key`.
        parameters: The values; see `Query.parameters`.
    """

    __slots__ = ("_shape", "key", "parameters")

    def __init__(self, query: "Query[T_co, R]") -> None:
        self._shape = query
        self.key = query.key
        self.parameters = query.parameters

    async def execute(self, repository: Stores[R]) -> T_co | None:
        """
        Return the row, or None.

        Raises:
            NotStored: The relation is not in the repository. Before I/O.
        """
        rows = await self._shape._fetched(repository, self)
        if len(rows) > 1:
            query = self._query
            raise ManyRows(f"a key of {query._name()} gives several rows through joins", query=query, count=len(rows))
        return rows[0] if rows else None

    def cached(
        self,
        *,
        mode: CacheMode = "read",
        tags: Sequence[str] = (),
        reads: Any = (),
        key: str | None = None,
        **settings: Unpack[CacheSettings],
    ) -> Self:
        """As `Query.cached`."""
        return type(self)(self._query.cached(mode=mode, tags=tags, reads=reads, key=key, **settings))

    async def explain(self, repository: Stores[R], *, analyze: bool = False) -> Plan:
        """As `Query.explain`."""
        return await self._query.explain(repository, analyze=analyze)

    def _batched(self) -> Batched[T_co | None, R]:
        return Batched(self._query, single=True)

    @property
    def _query(self) -> "Query[T_co, R]":
        """The query itself. Most are run without one: a shape and values are all that it takes."""
        shape = self._shape
        return shape if self.parameters is shape.parameters else shape.with_parameters(self.parameters)

    def assemble(self) -> Select:
        """As `Query.assemble`."""
        return self._query.assemble()

    def with_parameters(self, values: tuple[Any, ...]) -> Self:
        """As `Query.with_parameters`."""
        made = _new(type(self))
        made._shape = self._shape
        made.key = self.key
        made.parameters = values
        return made

    def nested_parameters(self) -> Iterator[Any]:
        """As `Query.nested_parameters`."""
        return self._query.nested_parameters()

    def bound(self, arguments: Sequence[Any]) -> Self:
        """As `Query.bound`."""
        return type(self)(self._query.bound(arguments))

    def __eq__(self, other: object) -> bool:
        return self._query == other._query if isinstance(other, One) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._shape)

    def __str__(self) -> str:
        """As of a `Query`."""
        return str(self._query)

    def __repr__(self) -> str:
        return f"<One {repr(self._query).removeprefix('<Query ')}"
