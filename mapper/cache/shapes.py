"""
Shapes of reads: all that is the same for reads of one form, made once.

A plan, the names of a cache and its policies go in; what makes keys and tags of a read's values comes out.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from attrs import define, evolve, field

from mapper.cache.keys import Names, Prefix, canonical_key, fingerprint, table_of
from mapper.cache.reads import ReadPlan
from mapper.cache.requests import Times
from mapper.cache.writes import dependencies_of
from mapper.caching import WISHES, CacheHints, CacheMode, CachePolicy, overridden, seconds
from mapper.operations import GetByKey, Operation, OutputColumn

__all__ = ["Shape", "shape_of"]

_WISHES: Final = re.compile(f"{WISHES}[^\0]*{WISHES}")
MOST_TEXTS: Final = 8
"""Texts that one shape of query is compiled to: NULL or a value, one or several."""


@define(eq=False)
class Shape:
    """
    What is the same for reads of one form.

    Attributes:
        plan: What they depend on.
        mode, times: How they are served and kept.
        outputs: The result's columns; () where they are not declared.
        whole: The tags of a read that depends on any row.
        shared: The tags of a read by key, but for those of the rows and, at the end, that of absence.
        absence: The tag of absence.
        row: Gives the tag of a row.
        identity: What tells reads of this form from others: declarations, and the store.
        is_of_many: Whether each row is kept by itself.
        named: The name that the query gives what it reads; None where it gives none.
    """

    plan: ReadPlan
    mode: CacheMode
    times: Times
    outputs: tuple[OutputColumn, ...]
    whole: tuple[str, ...]
    shared: tuple[str, ...]
    absence: str
    row: Callable[[tuple[Any, ...]], str]
    identity: tuple[Any, ...]
    names: Names
    _prefixes: dict[tuple[str, str], Prefix] = field(factory=dict)
    is_of_many: bool = field(init=False)
    named: str | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        hints = self.plan.hints
        self.named = None if hints is None else hints.key
        self.is_of_many = self.plan.kind == "keys" and self.named is None

    @property
    def relations(self) -> tuple[str, ...]:
        """Names for events."""
        return self.plan.names

    def key_of(self, statement: Any) -> tuple[Any, ...] | None:
        """Return the key of the row that a read depends on alone; None where it depends on others."""
        plan = self.plan
        if plan.kind != "key":
            return None
        parameters = statement.parameters
        return canonical_key(plan.relations[0], [parameters[each] for each in plan.key_at])

    def prefix(self, kind: str, text: str) -> Prefix:
        """Return what keys of reads with this text begin with."""
        found = self._prefixes.get((kind, text))
        if found is None:
            if len(self._prefixes) >= MOST_TEXTS:
                self._prefixes.clear()
            relation = self.plan.relations[0].name
            found = self._prefixes[kind, text] = self.names.entry(relation, kind, *self.identity, text)
        return found

    def with_hints(self, hints: CacheHints, base: CachePolicy) -> "Shape":
        """Return the shape of the same reads with other wishes."""
        mode, times, tags = wishes(hints, base, self.names)
        whole, shared = [(*each, *[tag for tag in tags if tag not in each]) for each in (self.whole, self.shared)]
        identity = (*self.identity, tags) if tags else self.identity
        return evolve(self, mode=mode, times=times, whole=whole, shared=shared, identity=identity, prefixes={})

    def text_of(self, operation: Operation, statement: Any) -> tuple[str, Any]:
        """Return what is read, as text and values, or by the name that the query gives it."""
        return text_of(operation, statement) if self.named is None else (f"named {self.named}", ())


def text_of(operation: Operation, statement: Any) -> tuple[str, Any]:
    """Return what is read, as text and values: SQL, or the form of the statement where a gateway has no text."""
    sql = getattr(operation, "sql", None)
    if isinstance(sql, str):
        return sql, operation.parameters  # type: ignore[union-attr]  # what has text has parameters
    return _WISHES.sub("", statement.key), statement.parameters


def wishes(hints: CacheHints, base: CachePolicy, names: Names) -> tuple[CacheMode, Times, tuple[str, ...]]:
    """Return what hints come to: the mode, the times, and tags of the user's own."""
    return (
        hints.mode,
        Times.of(overridden(base, dict(hints.settings))),
        tuple([names.user(each) for each in hints.tags]),
    )


def asks_to_keep(hints: CacheHints) -> bool:
    """Whether hints say how long a result is to be kept, which asks for it to be kept at all."""
    return any(name == "ttl" for name, _ in hints.settings)


def policy_of(
    plan: ReadPlan, default: CachePolicy | None, policies: Mapping[str, CachePolicy | None]
) -> CachePolicy | None:
    """
    Return the policy of reads: of several relations, the one that keeps results for the shortest time.

    None where one of them is not to be cached. Where that is so by default alone, a query that says how long its result
    is to be kept is cached all the same.
    """
    if default is None and plan.hints is not None and asks_to_keep(plan.hints):
        default = CachePolicy()
    found = [policies.get(table_of(each), default) for each in plan.relations]
    if any(each is None for each in found):
        return None
    return min([each for each in found if each is not None], key=lambda each: seconds(each.ttl))


def shape_of(
    plan: ReadPlan,
    operation: Operation,
    policy: CachePolicy,
    names: Names,
    scope: Sequence[Any],
    codecs: object,
) -> Shape:
    """Return the shape of reads with a plan, as one operation of them shows it."""
    mode, times, own = wishes(plan.hints or CacheHints(), policy, names)
    removed, rekeyed = dependencies_of(plan.relations)
    actions = [*map(names.removal, removed), *map(names.rekeyed, rekeyed)]
    tables = [table_of(each) for each in plan.relations]
    whole = (names.epoch, *map(names.relation, tables), *actions, *own)
    first = tables[0]
    outputs = () if isinstance(operation, GetByKey) else getattr(operation, "columns", ())
    return Shape(
        plan=plan,
        mode=mode,
        times=times,
        outputs=outputs,
        whole=whole,
        shared=(names.epoch, names.unknown(first), *actions, *own),
        absence=names.absence(first),
        row=names.rows(first),
        identity=(fingerprint(plan.relations, outputs, codecs), tuple(scope), own),
        names=names,
    )
