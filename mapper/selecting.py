"""
`select` and what goes into it: the beginning of every query.

Relations, models, columns and expressions go in; a query whose row type follows from them comes out.
"""

from functools import lru_cache
from typing import Any, Final, Generic, LiteralString, Never, overload

from attrs import evolve
from typing_extensions import TypeVar

from mapper.assembly import Clause
from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, Expr, Parameter, RowValue, Subquery
from mapper.items import AnyModelItem, ExprItem, Item, ModelItem, PartItem, RawItem, TupleItem, maybe
from mapper.models import has_fields
from mapper.placeholders import count_placeholders
from mapper.projection import Projection
from mapper.query import Query, begun, whole
from mapper.relation import RelationInfo, Stored, info
from mapper.selected import Part, Selectable, Selected
from mapper.statements import FromRaw
from mapper.types import infer

__all__ = ["exists", "model_of", "optional", "raw", "scalar", "select"]

T = TypeVar("T")
M = TypeVar("M")
W = TypeVar("W")
R = TypeVar("R")
T1 = TypeVar("T1", default=Any)
T2 = TypeVar("T2", default=Any)
T3 = TypeVar("T3", default=Any)
T4 = TypeVar("T4", default=Any)
T5 = TypeVar("T5", default=Any)
T6 = TypeVar("T6", default=Any)
T7 = TypeVar("T7", default=Any)
T8 = TypeVar("T8", default=Any)
T9 = TypeVar("T9", default=Any)
T10 = TypeVar("T10", default=Any)
R1 = TypeVar("R1", default=Never)
R2 = TypeVar("R2", default=Never)
R3 = TypeVar("R3", default=Never)
R4 = TypeVar("R4", default=Never)
R5 = TypeVar("R5", default=Never)
R6 = TypeVar("R6", default=Never)
R7 = TypeVar("R7", default=Never)
R8 = TypeVar("R8", default=Never)
R9 = TypeVar("R9", default=Never)
R10 = TypeVar("R10", default=Never)


KNOWN: Final = 1024
"""Of how many classes it is remembered what selecting them gives."""


class SelectModel(Generic[M]):
    """A model to be read, from a relation that is yet to be said."""

    __slots__ = ("_model",)

    def __init__(self, model: type[M]) -> None:
        self._model = model

    def from_(self, relation: Stored[M, Any, R]) -> Query[M, R]:
        """
        Read the models of `relation`.

        Raises:
            QueryError: The relation stores another model.
        """
        model: Any = self._model
        of: Any = relation
        return _models(model, of) if isinstance(of, type) else _models_of(model, of)

    def __repr__(self) -> str:
        return f"<select {_name(self._model)} from nothing yet>"


def _models_of(model: Any, relation: Any) -> Query[Any, Any]:
    """Return the query of all models of a relation; see `SelectModel.from_`."""
    described = info(relation)
    if described.model is not model:
        raise QueryError(
            f"{described.relation.__name__} stores {_name(described.model)}, not {_name(model)}",
            hint="select the relation's own model, or its columns with .into(...)",
        )
    return whole(described, wrapped=False)


_models: Final = lru_cache(KNOWN)(_models_of)


@overload
def select(item: Selectable[T1, R1], /) -> Query[T1, R1]: ...
@overload
def select(model: type[M], /) -> SelectModel[M]: ...
@overload
def select(a: Selectable[T1, R1], b: Selectable[T2, R2], /) -> Query[tuple[T1, T2], R1 | R2]: ...
@overload
def select(
    a: Selectable[T1, R1], b: Selectable[T2, R2], c: Selectable[T3, R3], /
) -> Query[tuple[T1, T2, T3], R1 | R2 | R3]: ...
@overload
def select(
    a: Selectable[T1, R1], b: Selectable[T2, R2], c: Selectable[T3, R3], d: Selectable[T4, R4], /
) -> Query[tuple[T1, T2, T3, T4], R1 | R2 | R3 | R4]: ...
@overload
def select(
    a: Selectable[T1, R1], b: Selectable[T2, R2], c: Selectable[T3, R3], d: Selectable[T4, R4], e: Selectable[T5, R5], /
) -> Query[tuple[T1, T2, T3, T4, T5], R1 | R2 | R3 | R4 | R5]: ...
@overload
def select(
    a: Selectable[T1, R1],
    b: Selectable[T2, R2],
    c: Selectable[T3, R3],
    d: Selectable[T4, R4],
    e: Selectable[T5, R5],
    f: Selectable[T6, R6],
    /,
) -> Query[tuple[T1, T2, T3, T4, T5, T6], R1 | R2 | R3 | R4 | R5 | R6]: ...
@overload
def select(
    a: Selectable[T1, R1],
    b: Selectable[T2, R2],
    c: Selectable[T3, R3],
    d: Selectable[T4, R4],
    e: Selectable[T5, R5],
    f: Selectable[T6, R6],
    g: Selectable[T7, R7],
    /,
) -> Query[tuple[T1, T2, T3, T4, T5, T6, T7], R1 | R2 | R3 | R4 | R5 | R6 | R7]: ...
@overload
def select(
    a: Selectable[T1, R1],
    b: Selectable[T2, R2],
    c: Selectable[T3, R3],
    d: Selectable[T4, R4],
    e: Selectable[T5, R5],
    f: Selectable[T6, R6],
    g: Selectable[T7, R7],
    h: Selectable[T8, R8],
    /,
) -> Query[tuple[T1, T2, T3, T4, T5, T6, T7, T8], R1 | R2 | R3 | R4 | R5 | R6 | R7 | R8]: ...
@overload
def select(
    a: Selectable[T1, R1],
    b: Selectable[T2, R2],
    c: Selectable[T3, R3],
    d: Selectable[T4, R4],
    e: Selectable[T5, R5],
    f: Selectable[T6, R6],
    g: Selectable[T7, R7],
    h: Selectable[T8, R8],
    i: Selectable[T9, R9],
    /,
) -> Query[tuple[T1, T2, T3, T4, T5, T6, T7, T8, T9], R1 | R2 | R3 | R4 | R5 | R6 | R7 | R8 | R9]: ...
@overload
def select(
    a: Selectable[T1, R1],
    b: Selectable[T2, R2],
    c: Selectable[T3, R3],
    d: Selectable[T4, R4],
    e: Selectable[T5, R5],
    f: Selectable[T6, R6],
    g: Selectable[T7, R7],
    h: Selectable[T8, R8],
    i: Selectable[T9, R9],
    j: Selectable[T10, R10],
    /,
) -> Query[tuple[T1, T2, T3, T4, T5, T6, T7, T8, T9, T10], R1 | R2 | R3 | R4 | R5 | R6 | R7 | R8 | R9 | R10]: ...
@overload
def select(a: type[T1], b: type[T2], /) -> Query[tuple[T1, T2], Never]: ...
@overload
def select(a: type[T1], b: Selectable[T2, R2], /) -> Query[tuple[T1, T2], R2]: ...
@overload
def select(a: Selectable[T1, R1], b: type[T2], /) -> Query[tuple[T1, T2], R1]: ...
@overload
def select(a: type[T1], b: type[T2], c: type[T3], /) -> Query[tuple[T1, T2, T3], Never]: ...  # pyright: ignore[reportOverlappingOverload]  # it takes a relation for a model
@overload
def select(
    a: Selectable[T1, R1] | type[T1], b: Selectable[T2, R2] | type[T2], c: Selectable[T3, R3] | type[T3], /
) -> Query[tuple[T1, T2, T3], R1 | R2 | R3]: ...
@overload
def select(
    a: Selectable[T1, R1] | type[T1],
    b: Selectable[T2, R2] | type[T2],
    c: Selectable[T3, R3] | type[T3],
    d: Selectable[T4, R4] | type[T4],
    /,
) -> Query[tuple[T1, T2, T3, T4], R1 | R2 | R3 | R4]: ...
@overload
def select(
    a: Selectable[T1, R1] | type[T1],
    b: Selectable[T2, R2] | type[T2],
    c: Selectable[T3, R3] | type[T3],
    d: Selectable[T4, R4] | type[T4],
    e: Selectable[T5, R5] | type[T5],
    /,
) -> Query[tuple[T1, T2, T3, T4, T5], R1 | R2 | R3 | R4 | R5]: ...
def select(*items: Any) -> Any:
    """
    Begin a query.

    * `select(Post).from_(Posts)` gives models;
    * `select(Posts)` gives wrappers: the model with its key, and whatever else the relation's wrapper has;
    * `select(Posts.id, Posts.title)` gives tuples, and `select(Posts.title)`, one column alone, its values;
    * `select(Post, optional(Comment))`, `select(Posts, fn.count(Comments.id))`: any of these beside each other. A model
      is that of the relation among those read whose model it is; `model_of(Posts)` says which.

    Raises:
        QueryError: An item is none of these, or a relation has no wrapper for want of a primary key.
    """
    if len(items) == 1:
        only = items[0]
        if isinstance(only, type):
            return _selected(only)
        if described := _described(only):
            return _wrappers(described)
    if not items:
        raise QueryError("select of nothing", hint="name a relation, a model or columns: select(Posts.title)")
    return begun(Projection(tuple([_item(each) for each in items])))


@lru_cache(KNOWN)
def _selected(cls: type[Any]) -> Any:
    """Return what selecting a class alone gives; it is the same object every time, as far as it is remembered."""
    described = _described(cls)
    return SelectModel(cls) if described is None else _wrappers(described)


def _wrappers(described: RelationInfo) -> Query[Any, Any]:
    _require_wrapper(described)
    return whole(described, wrapped=True)


@overload
def optional(item: Expr[T, R]) -> Expr[T | None, R]: ...  # type: ignore[overload-overlap]  # an expression is the narrower case
@overload
def optional(item: Selectable[T, R]) -> Selected[T | None, R]: ...
@overload
def optional(item: type[M]) -> Selected[M | None, Never]: ...
def optional(item: Any) -> Any:
    """
    Say that something may be missing, as what is selected of a left-joined relation is: None then stands for it.

    * `optional(Comments.text)`: a column, or an expression;
    * `optional(Comments)`: the wrapper, or None where there is no row; never an object of Nones;
    * `optional(Comment)`, `optional(model_of(Comments))`: the model likewise.
    """
    if isinstance(item, Expr):
        return maybe(item)
    found = _item(item, "optional")
    if isinstance(found, ModelItem | AnyModelItem | PartItem):
        return Selected(evolve(found, optional=True))
    raise QueryError(f"optional takes a column, an expression, a relation or a model, not {item!r}")


def model_of(relation: Stored[M, Any, R]) -> Selected[M, R]:
    """
    Select the model of a relation, where several that are read have that model: `select(Post, model_of(parent))`.

    Raises:
        QueryError: A common table, which has none.
    """
    described = info(relation)
    if described.common:
        raise QueryError(f"{described.original.__name__} is a common table and has no model", hint="select its columns")
    return Selected(ModelItem(described.relation, wrapped=False))


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
    begin = Query[Any, Any](None, Clause("select", payload=projection), f"raw {projection.key}", (), projection)
    shape = f"|[{len(text)}:{text}]({','.join([each.key for each in operands])})"
    return begin._extended(Clause("from", payload=FromRaw(text, operands)), shape, values)


def _parameter(value: object) -> Expr[Any, Any]:
    return Parameter(value, infer(str if value is None else type(value))[0])


def _item(value: Any, where: str = "select") -> Item:
    if isinstance(value, RowValue):
        return TupleItem(value)
    if isinstance(value, Expr):
        return ExprItem(value)
    if isinstance(value, Query):
        return ExprItem(value.as_scalar())
    if isinstance(value, Part):
        return PartItem(value.relation, value.field)
    if isinstance(value, Selected):
        found: Item = value.item
        return found
    described = _described(value)
    if described is not None:
        _require_wrapper(described)
        return ModelItem(described.relation, wrapped=True)
    if has_fields(value):
        return AnyModelItem(value)
    raise QueryError(
        f"{where} takes relations, models, columns and expressions, not {value!r}",
        hint="a plain value is literal(value)",
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


def _name(model: Any) -> str:
    return getattr(model, "__name__", repr(model))
