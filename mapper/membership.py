"""
Which relations a repository stores, as its declaration says: `Repository[Posts | Comments]`.

The union goes in when the class is made, and its relations come out; or all that is wrong with it, at once.
"""

import types
from collections.abc import Sequence
from typing import Any, Union, get_args, get_origin

from mapper.errors import DeclarationError
from mapper.expressions import Attribute
from mapper.relation import RelationInfo, info

__all__ = ["relations_of"]


def relations_of(name: str, union: Any) -> tuple[Any, ...]:
    """
    Return the relations of a union, by the names of their tables.

    A union's own order cannot be told: `Repository[A | B]` and `Repository[B | A]` are one object to Python.

    Raises:
        DeclarationError: With everything that is wrong.
    """
    members = get_args(union) if get_origin(union) in (Union, types.UnionType) else (union,)
    problems = [each for each in [_member_problem(member) for member in members] if each is not None]
    if not problems:
        problems = [*_same_tables(members), *[each for member in members for each in _reference_problems(info(member))]]
    if problems:
        raise DeclarationError(f"{name} is declared wrongly:\n" + "\n".join([f"  {each}" for each in problems]))
    return tuple(sorted(members, key=_table))


def _table(relation: Any) -> tuple[str, str]:
    described = info(relation)
    return described.schema or "", described.name


def _member_problem(member: Any) -> str | None:
    if not isinstance(member, type):
        return f"{member!r} is not a relation; name the classes themselves, Repository[Posts | Comments], after they are made"
    try:
        described = info(member)
    except DeclarationError:
        return f"{member.__name__} is not a relation; a relation is a class with columns: class Posts(Relation[Post])"
    if described.alias is not None:
        return f"{member.__name__} is an alias ({described.alias!r}) of a relation; name the relation itself"
    if described.common:
        return f"{member.__name__} is a common table, which no store holds; give it to a query: with_(…)"
    return None


def _same_tables(members: Sequence[Any]) -> list[str]:
    problems: list[str] = []
    found: dict[tuple[str | None, str], Any] = {}
    for member in members:
        described = info(member)
        other = found.setdefault((described.schema, described.name), member)
        if other is not member:
            name = described.name if described.schema is None else f"{described.schema}.{described.name}"
            problems.append(
                f"{other.__name__} and {member.__name__} are both kept in {name!r}; "
                f'name one of them otherwise: class {member.__name__}(Relation[…], name="…")'
            )
    return problems


def _reference_problems(described: RelationInfo) -> list[str]:
    problems: list[str] = []
    for column in described.columns:
        where = f"{described.relation.__name__}.{column.attribute}"
        try:
            target = column.referenced()
        except Exception as error:
            problems.append(f"{where}: its references function raises {error!r}; name a column that exists by now")
            continue
        if target is None:
            continue
        if not isinstance(target, Attribute):
            problems.append(f"{where} refers to {target!r}, which is not a column; write references=lambda: Users.id")
        elif target.type.key != column.type.plain.key:
            other = f"{target.relation.__name__}.{target.column.attribute}"
            problems.append(
                f"{where} is {column.type!r} and refers to {other}, which is {target.type!r}; make them the same"
            )
    return problems
