"""
Ways: what a relationship declares, read from its class.

The class of a relationship goes in; a `RelationshipInfo` comes out, which says by which steps its rows are reached, or a
`DeclarationError` that lists everything that is wrong and what mends it.
"""

from collections.abc import Callable, Iterator, Sequence
from types import FunctionType, UnionType
from typing import Any, Final, Never, TypeAlias, Union, get_args, get_origin

from attrs import evolve, field, frozen
from typing_extensions import TypeVar

from mapper.declaring import generic_arguments
from mapper.errors import DeclarationError
from mapper.expressions import BOOLEAN, Attribute, Expr, Order
from mapper.functions import Aggregate, Window
from mapper.relation import RelationInfo, described_name, info
from mapper.terms import Excluded, Outer

__all__ = ["Hop", "RelationshipInfo", "declared"]

OPTIONS: Final = {
    "HasMany": frozenset({"key", "on", "where", "order"}),
    "HasOne": frozenset({"key", "on", "where", "order"}),
    "BelongsTo": frozenset({"key", "on", "where"}),
    "ManyToMany": frozenset({"through", "keys", "on", "where", "order"}),
    "Through": frozenset({"path", "where", "order"}),
}
"""What a class body of each kind may say."""


@frozen(eq=False)
class Hop:
    """
    One step of the way: from the relation before to `relation`.

    Attributes:
        relation: Where it leads.
        pairs: Columns that are equal in both: of the relation before, and of this one.
        where: What rows of `relation` must fulfil to count.
        first: Only one of the rows that fulfil `among` counts, the first in this order; () where all do. No two rows
            are equal in it, if the relation has a primary key.
    """

    relation: Any
    pairs: tuple[tuple[Attribute[Any, Any], Attribute[Any, Any]], ...]
    where: tuple[Expr[bool, Any], ...] = ()
    first: tuple[Order[Any], ...] = ()
    among: tuple[Expr[bool, Any], ...] = ()


@frozen(eq=False)
class RelationshipInfo:
    """
    What a relationship declares.

    Attributes:
        relationship: The class.
        kind: The name of the base that it derives from.
        source, target: The relations that it leads from and to.
        many: Whether a row of the source may have several of the target.
        hops: The steps from source to target; the last one leads to the target.
        order: The order of a row's many.
        repeats: Whether the way may lead to one row of the target more than once.
    """

    relationship: Any
    kind: str
    source: Any
    target: Any
    many: bool
    hops: tuple[Hop, ...]
    order: tuple[Order[Any], ...] = ()
    repeats: bool = False

    @property
    def relations(self) -> frozenset[Any]:
        """The relations that the way touches beyond the source."""
        return frozenset(info(each.relation).original for each in self.hops)


Ends: TypeAlias = tuple[RelationInfo, RelationInfo]


def declared(cls: Any, base: Any) -> RelationshipInfo:
    """
    Return what the class of a relationship declares.

    Args:
        cls: The class.
        base: Which of `HasMany`, `HasOne`, `BelongsTo`, `ManyToMany` and `Through` it derives from.

    Raises:
        DeclarationError: Something is wrong; it lists all that is.
    """
    kind = base.__name__
    reading = _Reading(cls.__name__, kind, generic_arguments(cls, base) or ())
    for name, value in vars(cls).items():
        if not name.startswith("_") and name not in OPTIONS[kind] and not isinstance(value, _METHODS):
            reading.add(f"{name!r} is no option of {kind}; options are: {', '.join(sorted(OPTIONS[kind]))}")
    ends = reading.ends()
    described = None if ends is None else _READERS[kind](reading, cls, ends)
    if described is None or reading.problems:
        raise DeclarationError(
            f"{cls.__name__} is declared wrongly:\n" + "\n".join([f"  {each}" for each in reading.problems])
        )
    return described


@frozen(eq=False)
class _Reading:
    """The reading of one class, and what is wrong with it."""

    name: str
    kind: str
    arguments: tuple[Any, ...]
    problems: list[str] = field(factory=list)

    def add(self, problem: str) -> None:
        """Note what is wrong."""
        self.problems.append(f"{self.name}: {problem}")

    def ends(self) -> Ends | None:
        """Return the relations that the class joins."""
        given = self.arguments[:2]
        if len(given) < 2 or any([isinstance(each, TypeVar) for each in given]):
            self.add(f"no relations; write class {self.name}({self.kind}[Posts, Comments])")
            return None
        first, second = [self.relation(each) for each in given]
        return None if first is None or second is None else (first, second)

    def relation(self, given: Any) -> RelationInfo | None:
        """Return what a relation's class declares, or None and a problem."""
        described = getattr(given, "__relation__", None)
        if not isinstance(described, RelationInfo):
            self.add(f"{given!r} is not a relation; declare the relationship behind both relations, with their classes")
            return None
        name = described.original.__name__
        if described.common:
            self.add(f"{name} is a common table, which no store holds; name the relation that it reads")
        elif described.alias is not None:
            self.add(
                f"{name}.named({described.alias!r}) is an alias; name {name}, and the alias in a query: to=…, of=…"
            )
        else:
            return described
        return None

    def between(self, hops: Sequence[Hop]) -> None:
        """Note a problem where the third argument is not what lies between the ends."""
        given = next(iter(self.arguments[2:]), Never)
        if given is Never or isinstance(given, TypeVar):
            return
        parts = get_args(given) if get_origin(given) in {Union, UnionType} else (given,)
        there = [each.relation for each in hops[:-1]]
        if set(parts) != set(there):
            shown = " | ".join(dict.fromkeys([each.__name__ for each in there])) or "nothing"
            self.add(
                f"{self.kind}[…, …, {_shown(given)}] says what lies between, and that is {shown}; "
                "name that, or leave it out"
            )

    def columns(self, option: str, given: Any, of: RelationInfo) -> tuple[Attribute[Any, Any], ...]:
        """Return columns of a relation that an option names; () and a problem where it names anything else."""
        columns = tuple(given) if isinstance(given, tuple | list) else (given,)
        name = of.relation.__name__
        if given is None or not columns:
            self.add(f"no {option}; name the column of {name}: {option} = {name}.…")
            return ()
        for each in columns:
            if not isinstance(each, Attribute) or info(each.relation).token != of.token:
                self.add(f"{option} is {_shown(each)}, which is no column of {name}; write {option} = {name}.…")
                return ()
        return columns

    def referred(self, option: str, given: Any, of: RelationInfo) -> tuple[Attribute[Any, Any], ...]:
        """Return the columns that a key refers to: those given, or the primary key."""
        if given is not None:
            return self.columns(option, given, of)
        if not of.primary_key:
            name = of.relation.__name__
            self.add(f"{name} has no primary key; name the columns that the key refers to: {option} = {name}.…")
        return tuple([of.attributes[each.attribute] for each in of.primary_key])

    def pairs(
        self, befores: Sequence[Attribute[Any, Any]], afters: Sequence[Attribute[Any, Any]]
    ) -> tuple[tuple[Attribute[Any, Any], Attribute[Any, Any]], ...]:
        """Return columns of two relations side by side, which must be as many and of the same types."""
        if not befores or not afters:
            return ()
        if len(befores) != len(afters):
            self.add(f"{_names(befores)} and {_names(afters)} are not as many; give a tuple of columns, in order")
            return ()
        for before, after in zip(befores, afters, strict=True):
            if before.type.python is not after.type.python:
                self.add(
                    f"{_shown(before)} is {before.type.python.__name__} and {_shown(after)} is "
                    f"{after.type.python.__name__}; give columns of one type"
                )
        return tuple(zip(befores, afters, strict=True))

    def conditions(self, given: Any, target: RelationInfo) -> tuple[Expr[bool, Any], ...]:
        """Return the conditions of `where`, which are on rows of the target."""
        conditions = tuple(given) if isinstance(given, tuple | list) else (given,)
        name = target.relation.__name__
        for each in conditions:
            if not isinstance(each, Expr) or each.type != BOOLEAN:
                self.add(f"where is {_shown(each)}, which is no condition; write one on columns of {name}")
                return ()
            self.own("where", each, (target,))
        return conditions

    def terms(self, given: Any, *of: RelationInfo) -> tuple[Order[Any], ...]:
        """Return the terms of `order`, which are over columns of these relations."""
        terms = tuple(given) if isinstance(given, tuple | list) else (given,)
        name = of[0].relation.__name__
        for each in terms:
            if not isinstance(each, Expr | Order):
                self.add(f"order is {_shown(each)}, expected columns of {name}: order = {name}.….desc()")
                return ()
            self.own("order", each if isinstance(each, Expr) else each.expression, of)
        return tuple([each if isinstance(each, Order) else each.asc() for each in terms])

    def own(self, option: str, expression: Expr[Any, Any], of: Sequence[RelationInfo]) -> None:
        """Note what an option says of anything but these relations."""
        known = [each.token for each in of]
        named = " and ".join([each.relation.__name__ for each in of])
        for each in _parts(expression):
            if isinstance(each, Attribute) and info(each.relation).token not in known:
                self.add(f"{option} names {_shown(each)}; it is about columns of {named} alone")
            elif isinstance(each, _MISPLACED):
                self.add(f"{option} has {_shown(each)}, which has no meaning there; name columns of {named}")


def _has(reading: _Reading, cls: Any, ends: Ends, *, many: bool) -> RelationshipInfo:
    source, target = ends
    afters = reading.columns("key", cls.key, target)
    pairs = reading.pairs(reading.referred("on", cls.on, source), afters)
    order = reading.terms(cls.order, target)
    first = () if many or _is_unique(target, afters) else _total(order, target)
    where = reading.conditions(cls.where, target)
    hop = Hop(target.relation, pairs, where, first, where if first else ())
    kind = "HasMany" if many else "HasOne"
    return RelationshipInfo(cls, kind, source.relation, target.relation, many, (hop,), order)


def _has_many(reading: _Reading, cls: Any, ends: Ends) -> RelationshipInfo:
    return _has(reading, cls, ends, many=True)


def _has_one(reading: _Reading, cls: Any, ends: Ends) -> RelationshipInfo:
    return _has(reading, cls, ends, many=False)


def _belongs(reading: _Reading, cls: Any, ends: Ends) -> RelationshipInfo:
    source, target = ends
    befores = reading.columns("key", cls.key, source)
    pairs = reading.pairs(befores, reading.referred("on", cls.on, target))
    hop = Hop(target.relation, pairs, reading.conditions(cls.where, target))
    return RelationshipInfo(cls, "BelongsTo", source.relation, target.relation, False, (hop,))


def _many_to_many(reading: _Reading, cls: Any, ends: Ends) -> RelationshipInfo | None:
    source, target = ends
    keys, on = cls.keys, (None, None) if cls.on is None else cls.on
    where = reading.conditions(cls.where, target)
    between = None if cls.through is None else reading.relation(cls.through)
    if cls.through is None:
        reading.add("no relation between; write through = PostTagLinks")
    if not isinstance(keys, tuple) or len(keys) != 2:
        reading.add(f"keys is {keys!r}, expected two: keys = (PostTagLinks.post_id, PostTagLinks.tag_id)")
        return None
    if not isinstance(on, tuple) or len(on) != 2:
        reading.add(f"on is {on!r}, expected the columns of either side that keys refer to: on = (Posts.id, Tags.id)")
        return None
    if between is None:
        return None
    first = reading.pairs(reading.referred("on", on[0], source), reading.columns("keys", keys[0], between))
    last = reading.pairs(reading.columns("keys", keys[1], between), reading.referred("on", on[1], target))
    hops = (Hop(between.relation, first), Hop(target.relation, last, where))
    reading.between(hops)
    order = reading.terms(cls.order, target, between)
    return RelationshipInfo(cls, "ManyToMany", source.relation, target.relation, True, hops, order)


def _through(reading: _Reading, cls: Any, ends: Ends) -> RelationshipInfo | None:
    source, target = ends
    where, order = reading.conditions(cls.where, target), reading.terms(cls.order, target)
    path = tuple(cls.path) if isinstance(cls.path, tuple | list) else (cls.path,)
    if not path:
        reading.add("no path; write path = (PostComments, CommentAuthor)")
        return None
    hops: list[Hop] = []
    at = source.relation
    for each in path:
        step = vars(each).get("__relationship__") if isinstance(each, type) else None
        if not isinstance(step, RelationshipInfo):
            reading.add(
                f"path has {_shown(each)}, which is no relationship; write path = (PostComments, CommentAuthor)"
            )
            return None
        if step.source is not at:
            reading.add(
                f"path: {each.__name__} starts from {step.source.__name__}, and the way is at {at.__name__}; "
                f"go on with a relationship of {at.__name__}"
            )
            return None
        hops.extend(step.hops)
        at = step.target
    if at is not target.relation:
        reading.add(
            f"path leads to {at.__name__}, not to {target.relation.__name__}; "
            f"write Through[{source.relation.__name__}, {at.__name__}], or go on"
        )
        return None
    hops[-1] = evolve(hops[-1], where=(*hops[-1].where, *where))
    reading.between(hops)
    return RelationshipInfo(cls, "Through", source.relation, target.relation, True, tuple(hops), order, repeats=True)


def _is_unique(relation: RelationInfo, columns: Sequence[Attribute[Any, Any]]) -> bool:
    """Whether no two rows of a relation are equal in these columns."""
    named = {each.column.attribute for each in columns}
    unique = [relation.key_columns, *[frozenset(each.columns) for each in relation.uniques]]
    unique.extend([frozenset(each.columns) for each in relation.indexes if each.unique and each.where is None])
    return any([each and each <= named for each in unique])


def _total(order: Sequence[Order[Any]], relation: RelationInfo) -> tuple[Order[Any], ...]:
    """Return an order in which no two rows are equal: behind it, that of the keys."""
    named = {each.expression.key for each in order}
    keys = [relation.attributes[each.attribute] for each in relation.primary_key]
    return (*order, *[each.asc() for each in keys if each.key not in named])


def _parts(expression: Expr[Any, Any]) -> Iterator[Expr[Any, Any]]:
    yield expression
    for each in expression.children:
        yield from _parts(each)


def _names(columns: Sequence[Attribute[Any, Any]]) -> str:
    return ", ".join([_shown(each) for each in columns])


def _shown(value: Any) -> str:
    """Return a value as the user wrote it."""
    if isinstance(value, Attribute):
        return f"{described_name(info(value.relation))}.{value.column.attribute}"
    return value.__name__ if isinstance(value, type) else repr(value)


_METHODS: Final = (FunctionType, classmethod, staticmethod, property)
_MISPLACED: Final = (Outer, Excluded, Aggregate, Window)
_READERS: Final[dict[str, Callable[[_Reading, Any, Ends], RelationshipInfo | None]]] = {
    "HasMany": _has_many,
    "HasOne": _has_one,
    "BelongsTo": _belongs,
    "ManyToMany": _many_to_many,
    "Through": _through,
}
