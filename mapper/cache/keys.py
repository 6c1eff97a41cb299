"""
Keys and tags: under what name a result is kept, and the names of what it depends on.

Operations, relations and the keys of rows go in; short printable ASCII comes out, the same in every process, on every
Python and for every hash seed. Two reads have one key only where they are the same read of the same store.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from mapper.encoding import encoded
from mapper.errors import CacheConfigError
from mapper.types import Bytes, Integer, StorageType, Text, Uuid, Varchar

if TYPE_CHECKING:
    from mapper.operations import OutputColumn
    from mapper.relation import RelationInfo

__all__ = ["Names", "Prefix", "canonical_key", "fingerprint", "has_canonical_keys", "short", "table_of"]

VERSION: Final = 1
"""Of all names. A change of what a key or an envelope means raises it, and nothing that was kept before is read."""

DIGEST: Final = 20
LONGEST_NAMESPACE: Final = 40
READABLE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")


def table_of(described: "RelationInfo") -> str:
    """Return the name of a relation's table with its namespace, which all relations of one table share."""
    return described.name if described.schema is None else f"{described.schema}.{described.name}"


def canonical_key(described: "RelationInfo", values: Sequence[Any]) -> tuple[Any, ...] | None:
    """
    Return the primary key of a row in the one form that it has here; None where its columns are of types whose equality
    in a store is not that of Python, such as text that is compared without regard to case.
    """
    found: list[Any] = []
    for column, value in zip(described.primary_key, values, strict=True):
        kind: type[StorageType[Any]] = type(column.type)
        if issubclass(kind, Integer) and isinstance(value, int):
            found.append(int(value))
        elif kind in {Text, Varchar} and isinstance(value, str):
            found.append(str.__str__(value))
        elif kind is Uuid and isinstance(value, UUID):
            found.append(value.bytes)
        elif kind is Bytes and isinstance(value, bytes | bytearray | memoryview):
            found.append(bytes(value))
        else:
            return None
    return tuple(found)


def has_canonical_keys(described: "RelationInfo") -> bool:
    """Whether rows of a relation have a key in one form; see `canonical_key`."""
    kinds = [type(each.type) for each in described.primary_key]
    return bool(kinds) and all(issubclass(each, Integer) or each in {Text, Varchar, Uuid, Bytes} for each in kinds)


def fingerprint(relations: Iterable["RelationInfo"], outputs: Sequence["OutputColumn"], codecs: object) -> bytes:
    """
    Return what tells results of one declaration from those of another: names, columns and types of what is read and
    given, and how values are stored.
    """
    read = [
        [table_of(each), [[column.name, _type(column.type), column.nullable] for column in each.columns]]
        for each in sorted(relations, key=table_of)
    ]
    given = [[each.name, _type(each.type), each.nullable] for each in outputs]
    return encoded([read, given, f"{type(codecs).__module__}.{type(codecs).__qualname__}"])


def _type(storage: StorageType[Any]) -> list[str]:
    python = storage.python
    return [type(storage).__qualname__, f"{python.__module__}.{python.__qualname__}", *_limits(storage)]


def _limits(storage: StorageType[Any]) -> list[str]:
    """Return what a type was made with, as far as that are numbers and text: the size of a Varchar, say."""
    given = [getattr(storage, each.name) for each in getattr(type(storage), "__attrs_attrs__", ())]
    return [str(each) for each in given if isinstance(each, int | str | None) and each is not storage.key]


class Prefix:
    """What the keys of one shape of read begin with; the values of one read are added to it."""

    __slots__ = ("_begin", "_name")

    def __init__(self, name: str, *parts: object) -> None:
        self._name = name
        self._begin = blake2b(encoded(parts), digest_size=DIGEST)

    def key(self, values: object) -> tuple[str, bytes]:
        """
        Return the key of a read and its digest.

        Raises:
            Unencodable: A value has no encoding, so that the read has no key.
        """
        whole = self._begin.copy()
        whole.update(encoded(values))
        return f"{self._name}{whole.hexdigest()}", whole.digest()


class Names:
    """
    The names of one namespace.

    Args:
        namespace: Letters, digits and `_ - .`, 40 at most.

    Raises:
        CacheConfigError: It is none.
    """

    __slots__ = ("_begin", "epoch", "namespace")

    def __init__(self, namespace: str) -> None:
        if (
            not isinstance(namespace, str)
            or not 0 < len(namespace) <= LONGEST_NAMESPACE
            or not READABLE.issuperset(namespace)
        ):
            raise CacheConfigError(
                f"namespace is {namespace!r}, expected 1 to {LONGEST_NAMESPACE} letters, digits and '_-.'",
                hint='name the application: Cache(driver, namespace="shop")',
            )
        self.namespace = namespace
        self._begin = f"{namespace}:{VERSION}:"
        self.epoch = f"{self._begin}t:g"

    @property
    def prefix(self) -> str:
        """What every name begins with."""
        return self._begin

    @property
    def entries(self) -> str:
        """What the names of entries begin with."""
        return f"{self._begin}e:"

    def entry(self, relation: str, kind: str, *parts: object) -> Prefix:
        """Return what the keys of a shape of read begin with."""
        return Prefix(f"{self._begin}e:{short(relation)}:{kind}:", *parts)

    def lease(self, key: str) -> str:
        """Return the key of the lease of an entry."""
        return f"{self._begin}l:{key.rpartition(':')[2]}"

    def relation(self, table: str) -> str:
        """Return the tag that any change of a relation bumps."""
        return f"{self._begin}t:r:{short(table)}"

    def unknown(self, table: str) -> str:
        """Return the tag that a change of rows bumps whose keys are not known."""
        return f"{self._begin}t:P:{short(table)}"

    def absence(self, table: str) -> str:
        """Return the tag that an insert of a row bumps whose key is not known: nothing is known to be absent then."""
        return f"{self._begin}t:a:{short(table)}"

    def removal(self, table: str) -> str:
        """Return the tag that is bumped where rows go that other relations may refer to."""
        return f"{self._begin}t:d:{short(table)}"

    def row(self, table: str, key: tuple[Any, ...]) -> str:
        """Return the tag of one row, by its key in canonical form."""
        return self.rows(table)(key)

    def rows(self, table: str) -> "Callable[[tuple[Any, ...]], str]":
        """Return what gives the tags of rows."""
        begin = f"{self._begin}t:p:{short(table)}:"

        def row(key: tuple[Any, ...]) -> str:
            if len(key) == 1 and type(key[0]) is int:
                return f"{begin}{key[0]}"
            return f"{begin}h{_digest(key)}"

        return row

    def rekeyed(self, table: str) -> str:
        """Return the tag that is bumped where values change that other relations may refer to."""
        return f"{self._begin}t:k:{short(table)}"

    def user(self, name: str) -> str:
        """Return a tag of the user's own."""
        return f"{self._begin}t:u:{_digest(name)}"


def _digest(value: object) -> str:
    return blake2b(encoded(value), digest_size=16).hexdigest()


@lru_cache(maxsize=1000)
def short(name: str) -> str:
    """Return a name as a part of a key: itself, or a readable beginning and a digest."""
    if 0 < len(name) <= 48 and READABLE.issuperset(name):
        return name
    begin = "".join([each for each in name if each in READABLE])[:16]
    return f"{begin}~{blake2b(encoded(name), digest_size=10).hexdigest()}"
