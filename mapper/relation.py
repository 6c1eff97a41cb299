"""
Relations: zero-state classes that say what a store holds of a model.

A class body with columns goes in; a class whose attributes are typed expressions comes out, or a `DeclarationError`
that lists all that is wrong. Everything else about a relation is in its `RelationInfo`, which `info(relation)` gives,
so that a column may have any name.
"""

import itertools
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import GenericAlias, new_class
from typing import TYPE_CHECKING, Any, Final, Generic, LiteralString, Never, Protocol, Self, get_args, get_origin

from attrs import field, fields_dict, frozen
from typing_extensions import TypeVar

from mapper.annotations import type_name
from mapper.columns import Check, ColumnInfo, Constraint, Index, Storage, Unique
from mapper.declaring import declared_columns, generic_arguments
from mapper.errors import DeclarationError
from mapper.expressions import Assignment, Attribute
from mapper.hydration import Row
from mapper.mapping import MappedColumn, RelationMapping, build_mapping
from mapper.selected import Part, Selected
from mapper.types.naming import snake_case
from mapper.wrappers import Keyed

if TYPE_CHECKING:
    from mapper.stores import Stores

__all__ = [
    "CommonTable",
    "Relation",
    "RelationInfo",
    "Source",
    "Stored",
    "StoredIn",
    "Target",
    "described_name",
    "info",
]

C = TypeVar("C")
M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)
K = TypeVar("K", default=int)
W = TypeVar("W", default=Keyed[M, K])
W_co = TypeVar("W_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)
Scope_contra = TypeVar("Scope_contra", contravariant=True)
ModelT = TypeVar("ModelT")
KeyT = TypeVar("KeyT")
WrapperT = TypeVar("WrapperT")
RelationT = TypeVar("RelationT")

_tokens: Final = itertools.count(1)

DEFAULTS: Final[tuple[Any, ...]] = tuple([getattr(each, "__default__") for each in (K, W)])  # noqa: B009
"""What a relation is given where it names its model alone."""


class Source(Generic[M_co, W_co, R_co]):
    """For type checkers: the model, the wrapper and the relation that a relation's class stands for."""


class Stored(Protocol[M_co, W_co, R_co]):
    """For type checkers: satisfied by a relation's class."""

    def _source(self) -> Source[M_co, W_co, R_co]: ...


class Target(Generic[ModelT, KeyT, WrapperT, RelationT]):
    """
    For type checkers: what a relation's class stands for when it is written; invariant, so that nothing is widened to
    fit.
    """


class StoredIn(Protocol[Scope_contra, ModelT, KeyT, WrapperT, RelationT]):
    """
    For type checkers: satisfied by the class of a relation that `Scope` stores, as `Stores[Posts | Comments]` does
    `Posts`.
    """

    def _stored_in(self, scope: Scope_contra, /) -> Target[ModelT, KeyT, WrapperT, RelationT]: ...


@frozen(eq=False)
class RelationInfo:
    """
    What a relation declares.

    Attributes:
        relation: The class; of an alias, the alias's class.
        original: The class itself, for an alias too.
        name, schema: Its table and namespace in the store.
        alias: The name under which a statement reads it; None for the relation itself.
        token: Its identity in structural keys: the class's name and a number of this process, and the alias.
        model, key, wrapper: The types that it was given. `wrapper` is None for a common table.
        columns: In the order of declaration.
        primary_key: The columns of the key, in order; () where there is none.
        version: The column that counts a row's writes, or None.
        uniques: Unique constraints, those of single columns included. `indexes` likewise.
        checks: Check constraints, those of single columns included.
        constraints: Constraints of kinds that only some stores have.
        storage: How it is kept, where that is no plain table.
        mapping: How rows become models and wrappers, and back.
        own_hydrate, own_dehydrate: Whether the class does that by hand.
        common: Whether it is a common table, which no store holds.
        parts: Names of the objects that the model embeds, as the class declares them.
    """

    relation: Any
    original: Any
    name: str
    schema: str | None
    alias: str | None
    token: str
    model: Any
    key: Any
    wrapper: Any
    columns: tuple[ColumnInfo, ...]
    primary_key: tuple[ColumnInfo, ...]
    version: ColumnInfo | None
    indexes: tuple[Index, ...]
    uniques: tuple[Unique, ...]
    checks: tuple[Check, ...]
    comment: str | None
    mapping: RelationMapping | None
    own_hydrate: bool
    own_dehydrate: bool
    common: bool
    constraints: tuple[Constraint, ...]
    storage: Storage | None
    attributes: Mapping[str, Attribute[Any, Any]] = field(repr=False)
    parts: tuple[str, ...] = ()

    def column(self, attribute: str) -> ColumnInfo:
        """Return a column by its attribute's name."""
        return self.attributes[attribute].column

    @property
    def key_columns(self) -> frozenset[str]:
        """Attribute names of the key's columns."""
        return frozenset(each.attribute for each in self.primary_key)


def described_name(relation: RelationInfo) -> str:
    """Return a relation, or an alias of one, as the user wrote it: `Posts`, `Posts.named('other')`."""
    name: str = relation.original.__name__
    return name if relation.alias is None else f"{name}.named({relation.alias!r})"


def aliased(cls: type[C], alias: str) -> type[C]:
    """
    Return the class of a relation under an alias.

    Raises:
        DeclarationError: The alias is no name.
    """
    described = info(cls)
    if not alias or "\x00" in alias:
        raise DeclarationError(
            f"{alias!r} cannot be an alias of {cls.__name__}", hint="give a name of at least one character"
        )
    alias_class: type[C] = new_class(
        cls.__name__, (cls,), {"_alias_of": (described, alias)}, lambda body: body.update(__module__=cls.__module__)
    )
    return alias_class


def info(relation: Any) -> RelationInfo:
    """
    Return what a relation's class declares.

    Raises:
        DeclarationError: It is not a relation's class.
    """
    found = getattr(relation, "__relation__", None)
    if isinstance(found, RelationInfo):
        return found
    raise DeclarationError(
        f"{relation!r} is not a relation",
        hint="a relation is a class with columns: class Posts(Relation[Post]): id: Column[int] = …",
    )


class Relation(Generic[M, K, W]):
    """
    The base of relations: `class Posts(Relation[Post])`, with the model, and where they differ from the default the
    key's type (`int`) and the wrapper (`Keyed[Model, Key]`).

    Class keywords:
        name: The table's name; by default the class's name in snake case.
        schema: Its namespace.
        indexes, checks: `Index`, `Unique` and `Check` values over several columns, and constraints that only one store
            has; a check may be given as its text.
        storage: How the store keeps it, where that is no plain table: a value of a gateway's package.
        comment: A remark kept in the schema where the store can.

    Raises:
        DeclarationError: When the class is made; it lists everything that is wrong.
    """

    def __init_subclass__(
        cls,
        *,
        name: str | None = None,
        schema: str | None = None,
        indexes: Iterable[Index | Unique | Constraint] = (),
        checks: Iterable[LiteralString | Check] = (),
        comment: str | None = None,
        storage: Storage | None = None,
        **extra: Any,
    ) -> None:
        super().__init_subclass__()
        alias_of = extra.pop("_alias_of", None)
        if extra:
            raise DeclarationError(
                f"{cls.__name__} has an unknown class keyword {next(iter(extra))!r}",
                hint="class keywords are: name, schema, indexes, checks, comment, storage",
            )
        if alias_of is not None:
            _become_alias(cls, *alias_of)
            return
        frame = sys._getframe(1)
        keywords = _Keywords(name, schema, tuple(indexes), tuple(checks), comment, storage)
        _become_relation(cls, keywords, frame.f_locals if frame.f_locals is not frame.f_globals else {})

    def __new__(cls, *_: object, **__: object) -> Self:
        raise TypeError(
            f"{cls.__name__} is a relation, which has no instances\nHINT: make the model instead: {_model_name(cls)}(…)"
        )

    @classmethod
    def named(cls, alias: str) -> type[Self]:
        """
        Return the same relation under an alias, for self-joins.

        Two calls with one alias give the same source.
        """
        return aliased(cls, alias)

    @classmethod
    def hydrate(cls, row: Row) -> M:
        """Make a model of a row. Redefine it to map by hand; `row[Posts.title]` is a column's value."""
        described = info(cls)
        mapping = _mapping(described)
        model: M = mapping.hydrate_model([row[described.attributes[each]] for each in mapping.model_reads])
        return model

    @classmethod
    def dehydrate(cls, model: M) -> Iterable[Assignment[Self]]:
        """Give the assignments that store a model. Redefine it to map by hand."""
        described = info(cls)
        mapping = _mapping(described)
        values = mapping.dehydrate_model(model)
        return [described.attributes[name].to(value) for name, value in zip(mapping.model_columns, values, strict=True)]

    @classmethod
    def _source(cls) -> Source[M, W, Self]:
        """For type checkers: project the model, the wrapper and the relation."""
        return Source()

    @classmethod
    def _selected(cls) -> Selected[W, Self]:
        """For type checkers: project what `select` gives of it."""
        return Selected(cls)

    @classmethod
    def _stored_in(cls, scope: "Stores[Self]", /) -> Target[M, K, W, Self]:
        """For type checkers: project model, key, wrapper and relation, where `scope` stores the relation."""
        return Target()


class CommonTable:
    """
    The base of relations that no store holds: names and columns for the rows of a common table expression, of a
    subquery, or of values.

    `class Chain(CommonTable): id: Column[int]`, then `query.with_(Chain, definition)`, `query.join(subquery(Chain,
    definition), on=…)` or `query.join(values(Chain, rows), on=…)`.
    """

    def __init_subclass__(cls, *, name: str | None = None, **extra: Any) -> None:
        super().__init_subclass__()
        alias_of = extra.pop("_alias_of", None)
        if extra:
            raise DeclarationError(
                f"{cls.__name__} has an unknown class keyword {next(iter(extra))!r}", hint="the class keyword is: name"
            )
        if alias_of is not None:
            _become_alias(cls, *alias_of)
            return
        frame = sys._getframe(1)
        keywords = _Keywords(name, None, (), (), None)
        _become_relation(cls, keywords, frame.f_locals if frame.f_locals is not frame.f_globals else {}, common=True)

    @classmethod
    def named(cls, alias: str) -> type[Self]:
        """Return the same common table under an alias, as `Relation.named` does."""
        return aliased(cls, alias)

    @classmethod
    def _source(cls) -> Source[Never, Never, Never]:
        """For type checkers: it can be read, and asks nothing of the repository."""
        return Source()


@frozen
class _Keywords:
    name: str | None
    schema: str | None
    indexes: tuple[Index | Unique | Constraint, ...]
    checks: tuple[str | Check, ...]
    comment: str | None
    storage: Storage | None = None


def _become_relation(cls: type, keywords: _Keywords, scope: Mapping[str, Any], *, common: bool = False) -> None:
    declaration = declared_columns(cls, scope)
    problems = list(declaration.problems)
    columns = declaration.columns
    model, key, wrapper = (None, None, None) if common else _arguments(cls, problems)
    primary_key = tuple(each for each in columns if each.primary_key)
    problems.extend(_column_problems(cls, columns))
    problems.extend(_constraint_problems(cls, columns, keywords))
    if not common and not problems:
        problems.extend(_key_problems(cls, primary_key, key))
    own_hydrate, own_dehydrate = _overridden(cls, "hydrate"), _overridden(cls, "dehydrate")
    mapping = None
    if not common and not problems:
        mapping = _map(cls, model, wrapper, columns, scope, own_hydrate and own_dehydrate, problems)
    problems.extend(_part_problems(cls, mapping, declaration.parts))
    if problems:
        raise DeclarationError(f"{cls.__name__} is declared wrongly:\n" + "\n".join(f"  {each}" for each in problems))
    token = f"{cls.__name__}#{next(_tokens)}"
    attributes = {each.attribute: Attribute[Any, Any](cls, token, each) for each in columns}
    _install(
        cls,
        RelationInfo(
            relation=cls,
            original=cls,
            name=keywords.name if keywords.name is not None else snake_case(cls.__name__),
            schema=keywords.schema,
            alias=None,
            token=token,
            model=model,
            key=key,
            wrapper=wrapper,
            columns=columns,
            primary_key=primary_key,
            version=next((each for each in columns if each.version), None),
            indexes=_indexes(columns, keywords),
            uniques=_uniques(columns, keywords),
            checks=_checks(columns, keywords),
            comment=keywords.comment,
            mapping=mapping,
            own_hydrate=own_hydrate,
            own_dehydrate=own_dehydrate,
            common=common,
            constraints=tuple([each for each in keywords.indexes if isinstance(each, Constraint)]),
            storage=keywords.storage,
            attributes=attributes,
            parts=tuple(declaration.parts),
        ),
    )


def _become_alias(cls: type, original: RelationInfo, alias: str) -> None:
    token = f"{original.token.split('@')[0]}@{alias}"
    attributes = {each.attribute: Attribute[Any, Any](cls, token, each) for each in original.columns}
    values = {each: getattr(original, each) for each in fields_dict(RelationInfo)}
    _install(cls, RelationInfo(**{**values, "relation": cls, "alias": alias, "token": token, "attributes": attributes}))


def _install(cls: Any, described: RelationInfo) -> None:
    cls.__relation__ = described
    for name, attribute in described.attributes.items():
        setattr(cls, name, attribute)
    for name in described.parts:
        setattr(cls, name, Part(cls, name))


def _arguments(cls: type, problems: list[str]) -> tuple[Any, Any, Any]:
    inherited = next(
        (each.__dict__["__relation__"] for each in cls.__mro__[1:] if "__relation__" in each.__dict__), None
    )
    if inherited is not None:
        return inherited.model, inherited.key, inherited.wrapper
    arguments = generic_arguments(cls, Relation)
    if arguments is None or isinstance(arguments[0], TypeVar):
        problems.append(f"{cls.__name__}: no model; write class {cls.__name__}(Relation[Model])")
        return None, None, None
    model, key, wrapper = (*arguments, *DEFAULTS[len(arguments) - 1 :])
    if not isinstance(model, type) and get_origin(model) is None:
        problems.append(
            f"{cls.__name__}: the model {model!r} is not a class; write Relation[Model] with the class itself"
        )
    return model, key, _substituted(wrapper, {M: model, K: key})


def _substituted(hint: Any, values: Mapping[Any, Any]) -> Any:
    parameters = getattr(hint, "__parameters__", ())
    if not parameters:
        return hint
    return hint[tuple(values.get(each, each) for each in parameters)]


def _column_problems(cls: type, columns: Sequence[ColumnInfo]) -> list[str]:
    problems = [] if columns else [f"{cls.__name__}: no columns; write title: Column[str]"]
    names: dict[str, str] = {}
    for each in columns:
        if each.name in names:
            problems.append(
                f"{cls.__name__}.{each.attribute}: the name {each.name!r} is that of {names[each.name]}; give one of them column(name=…)"
            )
        names[each.name] = each.attribute
    versions = [each.attribute for each in columns if each.version]
    if len(versions) > 1:
        problems.append(f"{cls.__name__}: {' and '.join(versions)} are both versions; one column counts the writes")
    return problems


def _constraint_problems(cls: type, columns: Sequence[ColumnInfo], keywords: _Keywords) -> list[str]:
    known = [each.attribute for each in columns]
    problems: list[str] = []
    for each in keywords.indexes:
        if not isinstance(each, Index | Unique | Constraint):
            problems.append(f"{cls.__name__}: {each!r} is not an index; write indexes=[Index('title')]")
            continue
        problems.extend(
            f"{cls.__name__}: {each!r} names {name!r}, which is not a column; columns are: {', '.join(known)}"
            for name in (each.columns if isinstance(each, Unique) else each.mentioned)
            if name not in known
        )
    if keywords.storage is not None and not isinstance(keywords.storage, Storage):
        problems.append(
            f"{cls.__name__}: the storage {keywords.storage!r} is none; write storage=Unlogged() or leave it out"
        )
    if keywords.name is not None and (not keywords.name or "\x00" in keywords.name):
        problems.append(
            f"{cls.__name__}: the name {keywords.name!r} cannot be a relation's; give at least one character and no NUL"
        )
    return problems


def _key_problems(cls: type, primary_key: Sequence[ColumnInfo], key: Any) -> list[str]:
    if not primary_key:
        return []
    parts = tuple([each.annotation for each in primary_key])
    declared: Any = parts[0] if len(parts) == 1 else GenericAlias(tuple, parts)
    if declared == key or key is Any or isinstance(key, TypeVar):
        return []
    shown = declared.__name__ if isinstance(declared, type) and not get_args(declared) else declared
    given = key.__name__ if isinstance(key, type) and not get_args(key) else key
    return [
        f"{cls.__name__}: its primary key is {shown} and Relation[...] says {given}; write Relation[{_model_name(cls)}, {shown}]"
    ]


def _map(
    cls: type,
    model: Any,
    wrapper: Any,
    columns: Sequence[ColumnInfo],
    scope: Mapping[str, Any],
    by_hand: bool,
    problems: list[str],
) -> RelationMapping | None:
    mapped = [
        MappedColumn(
            name=each.attribute,
            annotation=each.annotation,
            nullable=each.nullable,
            primary_key=each.primary_key,
            version=each.version,
            index=each.position,
            has_default=each.has_default,
            generated=each.options.generated is not None,
            deferred=each.options.deferred,
            sensitive=each.options.sensitive,
        )
        for each in columns
    ]
    try:
        return build_mapping(cls.__name__, model, wrapper, mapped, by_hand=by_hand, localns=scope)
    except DeclarationError as error:
        lines = error.message.splitlines()
        problems.extend([each.strip() for each in lines[1:]] if len(lines) > 1 else lines)
        return None


def _part_problems(cls: type, mapping: RelationMapping | None, parts: Mapping[str, Any]) -> list[str]:
    """Tell which embedded objects are none, or of another type than their field."""
    problems: list[str] = []
    for name, annotation in parts.items() if mapping is not None else ():
        field_ = mapping.part_field(name) if mapping is not None else None
        if field_ is None:
            problems.append(
                f"{cls.__name__}.{name}: Embedded, and the model has no field {name!r} that several columns keep; "
                f"declare them: {name}_…: Column[…]"
            )
        elif field_.annotation != annotation:
            problems.append(
                f"{cls.__name__}.{name}: Embedded[{type_name(annotation)}], and the model's field is "
                f"{type_name(field_.annotation)}; make them the same"
            )
    return problems


def _overridden(cls: type, method: str) -> bool:
    return any(method in each.__dict__ for each in cls.__mro__ if each not in (Relation, object))


def _mapping(described: RelationInfo) -> RelationMapping:
    if described.mapping is None:
        raise DeclarationError(f"{described.name} is a common table and has no model")
    return described.mapping


def _indexes(columns: Sequence[ColumnInfo], keywords: _Keywords) -> tuple[Index, ...]:
    own = [Index(each.attribute) for each in columns if each.options.index]
    return (*own, *[each for each in keywords.indexes if isinstance(each, Index)])


def _uniques(columns: Sequence[ColumnInfo], keywords: _Keywords) -> tuple[Unique, ...]:
    own = [Unique(each.attribute) for each in columns if each.options.unique]
    return (*own, *[each for each in keywords.indexes if isinstance(each, Unique)])


def _checks(columns: Sequence[ColumnInfo], keywords: _Keywords) -> tuple[Check, ...]:
    own = [Check(each.options.check) for each in columns if each.options.check]
    return (*own, *[each if isinstance(each, Check) else Check(each) for each in keywords.checks])


def _model_name(cls: type) -> str:
    found = cls.__dict__.get("__relation__")
    model = found.model if found is not None else (generic_arguments(cls, Relation) or (None,))[0]
    return getattr(model, "__name__", "Model")
