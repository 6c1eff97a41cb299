"""
Types of the database's own that columns need: enumerations and domains.

A storage type goes in; the statements that make and drop what it needs come out. A type that is there already is left
as it is, and one that something else still uses is not dropped.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from gateways.postgres.columns import collation, declared_type, named
from gateways.postgres.literals import literal
from gateways.postgres.types import Domain, PostgresType
from gateways.sql.declarations import OwnType
from mapper.errors import QueryError
from mapper.types import Codec, Enumeration, List, StorageType

__all__ = ["labels", "own_types"]

LONGEST: Final = 63
"""Bytes of a member's text."""

_MADE: Final = "DO $mapper$ BEGIN {0}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $mapper$"
"""Two sessions that make a type at once meet in the catalogue's index."""

_DROPPED: Final = "DO $mapper$ BEGIN {0}; EXCEPTION WHEN dependent_objects_still_exist THEN NULL; END $mapper$"


def own_types(type_: StorageType[Any]) -> Sequence[OwnType]:
    """
    Return the types of the database's own that a storage type needs, each behind those that it needs itself.

    Raises:
        QueryError: A member of an enumeration is too long.
    """
    inner = [each for part in _parts(type_) for each in own_types(part)]
    match type_:
        case Enumeration(native=True):
            return [*inner, _enumeration(type_)]
        case Domain():
            return [*inner, _domain(type_)]
        case _:
            return inner


def labels(type_: Enumeration) -> Sequence[str]:
    """Return what stands for the members of an enumeration, in their order."""
    return [str(type_.kept(member)) for member in type_.python]


def _parts(type_: StorageType[Any]) -> Iterator[StorageType[Any]]:
    match type_:
        case List():
            yield type_.item
        case Codec():
            yield type_.storage
        case PostgresType():
            yield from type_.parts()
        case _:
            pass


def _enumeration(type_: Enumeration) -> OwnType:
    for each in labels(type_):
        if len(each.encode()) > LONGEST:
            raise QueryError(
                f"the member {each!r} of {type_.python.__name__} is longer than {LONGEST} bytes",
                hint="keep it otherwise: column(type=Enumeration())",
            )
    members = ", ".join([literal(each) for each in labels(type_)])
    return _own((type_.schema, type_.own_name), f"CREATE TYPE {declared_type(type_)} AS ENUM ({members})", "TYPE")


def _domain(type_: Domain) -> OwnType:
    name, order = declared_type(type_), collation(type_.of)
    parts = [f"CREATE DOMAIN {name} AS {declared_type(type_.of)}"]
    if order is not None:
        parts.append(f"COLLATE {order}")
    if type_.condition is not None:
        parts.append(f"CONSTRAINT {named(f'ck_{type_.name}')} CHECK ({type_.condition})")
    return _own((type_.schema, type_.name), " ".join(parts), "DOMAIN")


def _own(path: tuple[str | None, str], create: str, kind: str) -> OwnType:
    drop = f"DROP {kind} IF EXISTS {named(*path)}"
    return OwnType(path, _MADE.replace("{0}", create), _DROPPED.replace("{0}", drop))
