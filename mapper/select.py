"""
`select` and what goes into it: the beginning of every query.

Relations, models, columns and expressions go in; a query whose row type follows from them comes out.
"""

from copy import copy
from typing import Any, LiteralString, Never, overload

from typing_extensions import TypeVar

from mapper.assembly import Clause
from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, Expr, Parameter, Subquery
from mapper.placeholders import count_placeholders
from mapper.projection import ExprItem, Item, ModelItem, Projection, RawItem
from mapper.query import Query, SelectModel, begun, whole
from mapper.relation import RelationInfo, Stored, info
from mapper.statements import FromRaw
from mapper.types import infer

__all__ = ["exists", "optional", "raw", "scalar", "select"]

T = TypeVar("T")
M = TypeVar("M")
W = TypeVar("W")
R1 = TypeVar("R1")
R2 = TypeVar("R2")
R3 = TypeVar("R3")
R4 = TypeVar("R4")
R5 = TypeVar("R5")
R6 = TypeVar("R6")
R7 = TypeVar("R7")
R8 = TypeVar("R8")
R9 = TypeVar("R9")
R10 = TypeVar("R10")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")
T7 = TypeVar("T7")
T8 = TypeVar("T8")
T9 = TypeVar("T9")
T10 = TypeVar("T10")


@overload
def select(relation: Stored[Any, W, R1], /) -> Query[W, R1]: ...
@overload
def select(model: type[M], /) -> SelectModel[M]: ...
@overload
def select(a: Expr[T1, R1], /) -> Query[T1, R1]: ...
@overload
def select(a: Expr[T1, R1], b: Expr[T2, R2], /) -> Query[tuple[T1, T2], R1 | R2]: ...
@overload
def select(a: Expr[T1, R1], b: Expr[T2, R2], c: Expr[T3, R3], /) -> Query[tuple[T1, T2, T3], R1 | R2 | R3]: ...
@overload
def select(
    a: Expr[T1, R1], b: Expr[T2, R2], c: Expr[T3, R3], d: Expr[T4, R4], /
) -> Query[tuple[T1, T2, T3, T4], R1 | R2 | R3 | R4]: ...
@overload
def select(
    a: Expr[T1, R1], b: Expr[T2, R2], c: Expr[T3, R3], d: Expr[T4, R4], e: Expr[T5, R5], /
) -> Query[tuple[T1, T2, T3, T4, T5], R1 | R2 | R3 | R4 | R5]: ...
@overload
def select(
    a: Expr[T1, R1], b: Expr[T2, R2], c: Expr[T3, R3], d: Expr[T4, R4], e: Expr[T5, R5], f: Expr[T6, R6], /
) -> Query[tuple[T1, T2, T3, T4, T5, T6], R1 | R2 | R3 | R4 | R5 | R6]: ...
@overload
def select(
    a: Expr[T1, R1],
    b: Expr[T2, R2],
    c: Expr[T3, R3],
    d: Expr[T4, R4],
    e: Expr[T5, R5],
    f: Expr[T6, R6],
    g: Expr[T7, R7],
    /,
) -> Query[tuple[T1, T2, T3, T4, T5, T6, T7], R1 | R2 | R3 | R4 | R5 | R6 | R7]: ...
@overload
def select(
    a: Expr[T1, R1],
    b: Expr[T2, R2],
    c: Expr[T3, R3],
    d: Expr[T4, R4],
    e: Expr[T5, R5],
    f: Expr[T6, R6],
    g: Expr[T7, R7],
    h: Expr[T8, R8],
    /,
) -> Query[tuple[T1, T2, T3, T4, T5, T6, T7, T8], R1 | R2 | R3 | R4 | R5 | R6 | R7 | R8]: ...
@overload
def select(
    a: Expr[T1, R1],
    b: Expr[T2, R2],
    c: Expr[T3, R3],
    d: Expr[T4, R4],
    e: Expr[T5, R5],
    f: Expr[T6, R6],
    g: Expr[T7, R7],
    h: Expr[T8, R8],
    i: Expr[T9, R9],
    /,
) -> Query[tuple[T1, T2, T3, T4, T5, T6, T7, T8, T9], R1 | R2 | R3 | R4 | R5 | R6 | R7 | R8 | R9]: ...
@overload
def select(
    a: Expr[T1, R1],
    b: Expr[T2, R2],
    c: Expr[T3, R3],
    d: Expr[T4, R4],
    e: Expr[T5, R5],
    f: Expr[T6, R6],
    g: Expr[T7, R7],
    h: Expr[T8, R8],
    i: Expr[T9, R9],
    j: Expr[T10, R10],
    /,
) -> Query[tuple[T1, T2, T3, T4, T5, T6, T7, T8, T9, T10], R1 | R2 | R3 | R4 | R5 | R6 | R7 | R8 | R9 | R10]: ...
def select(*items: Any) -> Any:
    """
    Begin a query.

    * `select(Post).from_(Posts)` gives models;
    * `select(Posts)` gives wrappers: the model with its key, and whatever else the relation's wrapper has;
    * `select(Posts.id, Posts.title)` gives tuples, and `select(Posts.title)`, one column alone, its values.

    Raises:
        QueryError: An item is none of these, or a relation has no wrapper for want of a primary key.
    """
    if len(items) == 1 and isinstance(items[0], type) and not _described(items[0]):
        return SelectModel(items[0])
    if len(items) == 1 and (described := _described(items[0])):
        _require_wrapper(described)
        return whole(described, wrapped=True)
    if not items:
        raise QueryError("select of nothing", hint="name a relation, a model or columns: select(Posts.title)")
    return begun(Projection(tuple([_item(each) for each in items])))


def optional(item: Expr[T, R1]) -> Expr[T | None, R1]:
    """Say that a column may be missing, as those of a left-joined relation are: its value is then None."""
    if not isinstance(item, Expr):
        raise QueryError(f"optional takes a column or an expression, not {item!r}")
    twin = copy(item)
    twin.nullable = True
    twin.key = f"{item.key}?"
    return twin


def scalar(query: Query[T, Any]) -> Expr[T | None, Never]:
    """Use a query of one value as an expression; NULL where it gives no row."""
    return query.as_scalar()


def exists(query: Query[Any, Any]) -> Expr[bool, Never]:
    """Hold where the query gives any row; within it, a column of the enclosing query is `outer(Posts.id)`."""
    if not isinstance(query, Query):
        raise QueryError(f"exists takes a query, not {query!r}")
    return Subquery("exists", query, BOOLEAN, nullable=False, key=f"exists({query.key})", parameters=query.parameters)


@overload
def raw(model: type[M], text: LiteralString, *parameters: object) -> Query[M, Never]: ...
@overload
def raw(model: Any, text: LiteralString, *parameters: object) -> Query[Any, Never]: ...
def raw(model: Any, text: str, *parameters: object) -> Query[Any, Never]:
    """
    Read by a statement of the user's own: `raw(Post, "select title, body from posts where id = ?", 3)`.

    Args:
        model: A class, whose fields are matched with the result's columns by name; `tuple[int, str]`, matched by
            position; or the type of the only column.
        text: A literal string; `?` is a parameter on every SQL gateway and `??` a literal question mark.
        parameters: Values and expressions, one for each placeholder.

    Raises:
        QueryError: The numbers of placeholders and parameters differ.
    """
    wanted = count_placeholders(text)
    if wanted != len(parameters):
        raise QueryError(
            f"raw statement has {wanted} placeholders and {len(parameters)} parameters",
            hint="write '??' for a question mark",
        )
    operands = tuple([each if isinstance(each, Expr) else _parameter(each) for each in parameters])
    projection = Projection((RawItem(model),))
    values = tuple([value for each in operands for value in each.parameters])
    begin = Query[Any, Any](None, Clause("select", payload=projection.outputs), f"raw {projection.key}", (), projection)
    shape = f"|[{len(text)}:{text}]({','.join([each.key for each in operands])})"
    return begin._extended(Clause("from", payload=FromRaw(text, operands)), shape, values)


def _parameter(value: object) -> Expr[Any, Any]:
    return Parameter(value, infer(str if value is None else type(value))[0])


def _item(value: Any) -> Item:
    if isinstance(value, Expr):
        return ExprItem(value)
    if isinstance(value, Query):
        return ExprItem(value.as_scalar())
    described = _described(value)
    if described is not None:
        _require_wrapper(described)
        return ModelItem(described.relation, wrapped=True)
    raise QueryError(
        f"select takes relations, columns and expressions, not {value!r}", hint="a plain value is literal(value)"
    )


def _described(value: Any) -> RelationInfo | None:
    return info(value) if hasattr(value, "__relation__") else None


def _require_wrapper(described: RelationInfo) -> None:
    mapping = described.mapping
    if mapping is not None and mapping.wrapper_plan is None:
        raise QueryError(
            f"{described.relation.__name__} gives no wrapper: {mapping.wrapper_problem}",
            hint=f"select the model: select({described.model.__name__}).from_({described.relation.__name__})",
        )
