"""
Which constraint refused a row: the relation, the columns, the constraint.

The server's error goes in, with the operation that met it; the violation comes out. The server names table and
constraint; the columns stand in its detail, whose form `(a, b)=(1, 2)` is the same in all languages.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from gateways.postgres.types import Domain, PostgresType
from gateways.sql.naming import fingerprint
from mapper.assembly import walk
from mapper.columns import Check
from mapper.errors import CheckViolation, ConstraintViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation
from mapper.expressions import Attribute
from mapper.operations import Operation
from mapper.relation import RelationInfo, info
from mapper.types import List, StorageType

__all__ = ["relations_of", "violation"]

_KEY: Final = re.compile(r"\(((?:\"(?:[^\"]|\"\")*\"|[^()\"])+)\)=\(")
_NAME: Final = re.compile(r"\"((?:[^\"]|\"\")*)\"|([^,\s]+)")

_KINDS: Final[dict[type[ConstraintViolation], str]] = {
    UniqueViolation: "a unique constraint",
    NotNullViolation: "a not-null constraint",
    ForeignKeyViolation: "a foreign key",
    CheckViolation: "a check",
}

_HINTS: Final[dict[type[ConstraintViolation], str]] = {
    UniqueViolation: "the row is there already: change the values, or use on_conflict(...) to update or ignore it",
    NotNullViolation: "give the column a value or a default",
    ForeignKeyViolation: "write the row referred to first, and delete it last",
}


def violation(kind: type[ConstraintViolation], error: Any, operation: Operation | None) -> ConstraintViolation:
    """Give the violation that the server told of."""
    table, constraint = error.table_name, error.constraint_name
    if table is None and error.data_type_name is not None:
        described, columns = _of_domain(error.data_type_name, operation)
    else:
        described = _relation_named(error.schema_name, table, operation)
        columns = _columns(kind, error, described)
    place = described.original.__name__ if described is not None else table
    where = f" of {place}" if place else ""
    text = str(error).partition("\n")[0]
    return kind(
        f"{_KINDS.get(kind, 'a constraint')}{where} refused a row: {text}{_detail(error, described)}",
        relation=None if described is None else described.original,
        columns=_attributes(described, columns),
        constraint=constraint,
        operation=operation,
        hint=_HINTS.get(kind),
    )


def relations_of(operation: Operation | None) -> list[RelationInfo]:
    """Give the relations that an operation touches, that which it writes first."""
    if operation is None:
        return []
    own = getattr(operation, "relation", None)
    touched = [own, *sorted(operation.writes | operation.reads, key=lambda each: str(getattr(each, "__name__", "")))]
    return [info(each) for each in touched if isinstance(getattr(each, "__relation__", None), RelationInfo)]


def _relation_named(schema: str | None, table: str | None, operation: Operation | None) -> RelationInfo | None:
    same = [each for each in relations_of(operation) if each.name == table]
    return next((each for each in same if each.schema in (None, schema)), None)


def _of_domain(name: str, operation: Operation | None) -> tuple[RelationInfo | None, Sequence[str]]:
    """Give the relation that was written, and its columns of a domain: the server tells of the domain alone."""
    for each in relations_of(operation)[:1]:
        found = [column.name for column in each.columns if name in _domains(column.type)]
        if found:
            return each, found
    return None, ()


def _domains(type_: StorageType[Any]) -> Iterator[str]:
    """Give the domains that a storage type is, or has in it."""
    if isinstance(type_, Domain):
        yield type_.name
    parts = type_.parts() if isinstance(type_, PostgresType) else (type_.item,) if isinstance(type_, List) else ()
    for each in parts:
        yield from _domains(each)


def _detail(error: Any, described: RelationInfo | None) -> str:
    """
    Give the server's detail, which has values; not of a relation with a sensitive column, nor of one that is not known.
    """
    if described is None or error.detail is None or any(each.options.sensitive for each in described.columns):
        return ""
    return f" ({error.detail.rstrip('.')})"


def _columns(kind: type[ConstraintViolation], error: Any, described: RelationInfo | None) -> Sequence[str]:
    if error.column_name is not None:
        return [error.column_name]
    if kind is CheckViolation:
        return [] if described is None else _checked(described, error.constraint_name)
    if kind is ForeignKeyViolation:
        own = _referring(error.table_name, error.constraint_name, described)
        if own:
            return own
    found = _KEY.search(error.detail or "")
    return [] if found is None else [_unquoted(*each) for each in _NAME.findall(found[1])]


def _unquoted(quoted: str, plain: str) -> str:
    return quoted.replace('""', '"') if quoted else plain


def _referring(table: str | None, constraint: str | None, described: RelationInfo | None) -> list[str]:
    """Give the column that refers, by the name that our schemas give to references."""
    prefix = f"fk_{table}_"
    if not constraint or not constraint.startswith(prefix):
        return []
    name = constraint.removeprefix(prefix)
    return [name] if described is None or any(each.name == name for each in described.columns) else []


def _checked(described: RelationInfo, constraint: str | None) -> list[str]:
    """Give the columns that a check reads, as far as its text tells."""
    for column in described.columns:
        if constraint == f"ck_{described.name}_{column.name}":
            return [column.name]
    check = next((each for each in described.checks if constraint in (each.name, _named(described, each))), None)
    return [] if check is None else list(_mentioned(described, check))


def _named(described: RelationInfo, check: Check) -> str | None:
    return f"ck_{described.name}_{fingerprint(check.condition)}" if isinstance(check.condition, str) else None


def _mentioned(described: RelationInfo, check: Check) -> Iterable[str]:
    if isinstance(check.condition, str):
        words = frozenset(re.findall(r"\w+", check.condition))
    else:
        words = frozenset([each.column.name for each in walk(check.condition()) if isinstance(each, Attribute)])
    return [each.name for each in described.columns if each.name in words]


def _attributes(described: RelationInfo | None, names: Iterable[str]) -> tuple[str, ...]:
    known = {} if described is None else {each.name: each.attribute for each in described.columns}
    return tuple([known.get(name, name) for name in names])
