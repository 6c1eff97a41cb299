"""
Compiled plans: text that is made once for a shape, and how values are bound to it.

Values go in, the parameters of an operation come out, or an error that names the column whose value was refused.
`Plans` keeps plans by their keys.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from operator import length_hint
from typing import Any, Final, Generic, TypeAlias

from attrs import field, frozen
from typing_extensions import TypeVar

from gateways.sql.dialect import Dialect
from gateways.sql.forms import as_it_is
from gateways.sql.pieces import Bind, Place
from mapper.errors import ValueNotStorable
from mapper.making import unfrozen
from mapper.operations import OutputColumn, QuerySql
from mapper.source import Program, compiled
from mapper.types import Codecs, Encoder, Misfit

__all__ = ["LIMIT", "Binder", "CompiledSelect", "CompiledWrite", "Plans", "binder", "of_rows", "refused"]

P = TypeVar("P")

LIMIT: Final = 2048
"""How many plans are kept."""

GENERATED: Final = 64
"""Up to how many parameters a function is generated for binding them."""

Index: TypeAlias = int | slice


@frozen(eq=False)
class Binder:
    """
    Binds a statement's parameters.

    Attributes:
        steps: For each place in the text the parameter's index and its encoder.
        binds: The places.
        fast: Binds, and raises what an encoder raises; `fast_rows` binds rows.
    """

    steps: tuple[tuple[Any, Encoder], ...]
    binds: tuple[Bind, ...]
    fast: Callable[[Sequence[Any]], tuple[Any, ...]] = field(init=False)
    fast_rows: Callable[[Sequence[tuple[Any, ...]]], list[tuple[Any, ...]]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        fast = self._generated() if len(self.steps) <= GENERATED else self._bound
        object.__setattr__(self, "fast", fast)
        object.__setattr__(self, "fast_rows", self._generated_rows(fast))

    def bind(self, parameters: Sequence[Any]) -> tuple[Any, ...]:
        """
        Return what is bound, in the order of the text.

        Raises:
            ValueNotStorable: A value is refused.
        """
        try:
            return self.fast(parameters)
        except ValueError as error:
            raise self.refusal(parameters, error) from None

    def bind_rows(self, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """
        Bind rows of parameters.

        Raises:
            ValueNotStorable: A value is refused; of several rows the message says in which, from 0.
        """
        try:
            return self.fast_rows(rows)
        except ValueError as error:
            raise self._refusal_of_rows(rows, error) from None

    def refusal(self, parameters: Sequence[Any], error: Exception, *, row: int | None = None) -> Exception:
        """Return the error of the first value that is refused; of none, the error that came."""
        for (index, encode), each in zip(self.steps, self.binds, strict=True):
            value = parameters[index]
            if value is None and not each.required:
                continue
            try:
                encode(value)
            except ValueError as found:
                return refused(found, value, each.beside, row=row)
        return error

    def _generated(self) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
        """
        Make a function without a loop, and without a call for values of which can be told at a glance that they are
        bound as they are: a quarter of the time. Where all of them are, and stand in order, they are returned themselves.
        """
        program = Program()
        values, results = [], []
        for number, ((index, encode), bind) in enumerate(zip(self.steps, self.binds, strict=True)):
            place = index if isinstance(index, int) else program.constant("s", index)
            values.append(f"    v{number} = p[{place}]")
            bound = f"{program.constant('e', encode)}(v{number})"
            plain = _as_it_is(encode, number)
            if plain is not None:
                bound = f"v{number} if {plain} else {bound}"
            results.append(bound if bind.required else f"None if v{number} is None else {bound}")
        lines = ["def bind(p):", *self.unchanged("return p"), *values]
        lines.append(f"    return ({''.join([f'{each}, ' for each in results])})")
        return compiled("\n".join(lines), program.constants, "bind")

    def _generated_rows(
        self, bind: Callable[[Sequence[Any]], tuple[Any, ...]]
    ) -> Callable[[Sequence[tuple[Any, ...]]], list[tuple[Any, ...]]]:
        """
        Make a function that looks through rows in one loop, without a call for each, as long as they are bound as they
        are; the first that is not, and those behind it, are bound one by one.
        """
        alone = self.unchanged("return [p]")
        if not alone:
            return lambda rows: list(map(bind, rows))
        _, names, condition, _ = [each.strip() for each in alone]
        program = Program()
        lines = [
            "def bind_rows(rows):",
            "    if len(rows) == 1:",
            "        p = rows[0]",
            *[f"    {each}" for each in alone],
            "        return [bind(p)]",
            "    each = iter(rows)",
            "    if set(map(type, rows)) <= tuples:",
            f"        for {names.partition('=')[0]}in each:",
            f"            {condition}",
            "                continue",
            "            break",
            "        else:",
            "            return list(rows)",
            "        return bound_from(rows, len(rows) - 1 - length_hint(each))",
            "    return bound_from(rows, 0)",
        ]
        program.constants |= {"bind": bind, "bound_from": partial(_bound_from, bind), "length_hint": length_hint}
        program.constants |= {"iter": iter, "map": map, "set": set, "tuples": frozenset((tuple,))}
        return compiled("\n".join(lines), program.constants, "bind_rows")

    def unchanged(self, then: str) -> list[str]:
        """
        Return the lines of a generated function that look whether the parameters `p` are bound as they are, and `then` do
        something; none where they cannot be.
        """
        plain = [_as_it_is(encode, number) for number, (_, encode) in enumerate(self.steps)]
        in_order = [index for index, _ in self.steps] == list(range(len(self.steps)))
        if not plain or len(plain) > GENERATED or not in_order or None in plain:
            return []
        conditions = [
            f"({each})" if bind.required else f"(v{number} is None or {each})"
            for number, (each, bind) in enumerate(zip(plain, self.binds, strict=True))
        ]
        names = "".join([f"v{number}, " for number in range(len(plain))])
        return [
            f"    if type(p) is tuple and len(p) == {len(plain)}:",
            f"        {names}= p",
            f"        if {' and '.join(conditions)}:",
            f"            {then}",
        ]

    def _bound(self, parameters: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(
            [
                None if (value := parameters[index]) is None and not each.required else encode(value)
                for (index, encode), each in zip(self.steps, self.binds, strict=True)
            ]
        )

    def _refusal_of_rows(self, rows: Sequence[tuple[Any, ...]], error: Exception) -> Exception:
        for number, row in enumerate(rows):
            found = self.refusal(row, error, row=number if len(rows) > 1 else None)
            if found is not error:
                return found
        return error


def _bound_from(
    bind: Callable[[Sequence[Any]], tuple[Any, ...]], rows: Sequence[tuple[Any, ...]], number: int
) -> list[tuple[Any, ...]]:
    """Bind rows from that on which is the first that is not bound as it is."""
    return [*rows[:number], *map(bind, rows[number:])]


def _as_it_is(encode: Encoder, number: int) -> str | None:
    """Return the condition on which an encoder returns what it is given, the value of this number; None without one."""
    condition = as_it_is(encode)
    return None if condition is None else condition.format(f"v{number}")


def binder(dialect: Dialect, codecs: Codecs, binds: Sequence[Bind]) -> Binder:
    """Return how the parameters at these places are bound."""
    return Binder(tuple([(each.index, dialect.encoder(codecs, each)) for each in binds]), tuple(binds))


def refused(error: Exception, value: object, place: Place | None, *, row: int | None = None) -> ValueNotStorable:
    """
    Return the error of a value that an encoder refused. Of a sensitive column it says what was expected and no more.
    """
    misfit = error if isinstance(error, Misfit) else Misfit(value, str(error))
    sensitive = place is not None and place.sensitive
    found = f"expected {misfit.expected}" if sensitive else misfit.message
    where = (
        f"{place or 'a value of the query'} cannot be stored" if row is None else f"row {row}: {place} cannot be stored"
    )
    column = None if place is None else place.attribute
    return ValueNotStorable(f"{where}: {found}", column=column, value=None if sensitive else value, hint=misfit.hint)


@frozen(eq=False)
class CompiledSelect:
    """
    A read: its text, how values are bound, what comes back, and the relations that it reads.

    Attributes:
        operation: Returns the operation with these values; raises `ValueNotStorable` where one of them is refused.
    """

    sql: str
    binder: Binder
    columns: tuple[OutputColumn, ...]
    reads: frozenset[Any]
    operation: Callable[[Sequence[Any]], QuerySql] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "operation", self._generated())

    def _generated(self) -> Callable[[Sequence[Any]], QuerySql]:
        """
        Make the one function that runs for every query: it looks at the values, and makes the operation without the
        `__init__` of a frozen class, which takes as long as all the rest; see `mapper.making`.
        """
        lines = ["def operation(p):", "    bound = None", *self.binder.unchanged("bound = p")]
        lines += ["    if bound is None:", "        try:", "            bound = bind(p)"]
        lines += ["        except ValueError as error:", "            raise refusal(p, error) from None"]
        if _Unfrozen is None:
            lines.append("    return operation_of(sql, bound, columns, reads)")
        else:
            lines += ["    made = unfrozen()", "    made.sql = sql", "    made.parameters = bound"]
            lines += ["    made.columns = columns", "    made.reads = reads", "    made.writes = nothing"]
            lines += ["    made.__class__ = operation_of", "    return made"]
        constants = {
            "bind": self.binder.fast,
            "refusal": self.binder.refusal,
            "sql": self.sql,
            "columns": self.columns,
            "reads": self.reads,
            "nothing": frozenset(),
            "unfrozen": _Unfrozen,
            "operation_of": QuerySql,
            "ValueError": ValueError,
        }
        return compiled("\n".join(lines), constants, "operation")


_Unfrozen: Final = unfrozen(QuerySql)


def of_rows(kind: type[Any], binder: Binder, place: str, constants: Mapping[str, Any]) -> Callable[[Any], Any]:
    """
    Return a generated function that makes an operation on rows of parameters, as `CompiledSelect.operation` does: it looks
    at a row that comes alone by itself.

    Args:
        kind: The class of the operation.
        place: Its field for the rows as they are bound; the function raises `ValueNotStorable` where one is refused.
        constants: Its other fields, all of them.
    """
    twin = unfrozen(kind)
    if twin is None:
        return lambda rows: kind(**constants, **{place: binder.bind_rows(rows)})
    lines = ["def operation(rows):", "    bound = None", "    if len(rows) == 1:", "        p = rows[0]"]
    lines += [f"    {each}" for each in binder.unchanged("bound = [p]")]
    lines += ["    if bound is None:", "        try:", "            bound = fast_rows(rows)"]
    lines += ["        except ValueError:", "            bound = bind_rows(rows)  # which tells what was refused"]
    lines += ["    made = twin()", f"    made.{place} = bound"]
    lines += [f"    made.{name} = of_{name}" for name in constants]
    lines += ["    made.__class__ = kind", "    return made"]
    names = {"fast_rows": binder.fast_rows, "bind_rows": binder.bind_rows, "twin": twin, "kind": kind}
    names |= {"ValueError": ValueError, **{f"of_{name}": value for name, value in constants.items()}}
    return compiled("\n".join(lines), names, "operation")


@frozen(eq=False)
class CompiledWrite:
    """
    A write.

    Attributes:
        relation, writes: What is written.
        sql, binder: As of a read; of an insert the text is that of one row.
        more: How the parameters beside the rows are bound: those of a conflict's expressions.
        returning: What comes back.
        reads: Relations that its subqueries read.
        key_at, probe: Of updates and deletes of single rows: where the key stands among the parameters of a row, and
            the text that looks for it.
        schema: Of an insert, the namespace of a relation that declares none.
        operation: Of inserts and updates of rows, what makes the operation of their parameters; see `of_rows`.
    """

    relation: Any
    sql: str
    binder: Binder
    more: Binder | None = None
    returning: tuple[OutputColumn, ...] = ()
    reads: frozenset[Any] = frozenset()
    key_at: slice | None = None
    probe: str | None = None
    schema: str | None = None
    operation: Callable[[Any], Any] | None = None
    writes: frozenset[Any] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "writes", frozenset((self.relation,)))


class Plans(Generic[P]):
    """
    A bounded table of plans.

    It has two generations: a plan that is used moves to the young one, and when that is full it becomes the old one,
    whose plans are forgotten with the next change. A look-up in the young generation, the usual case, changes nothing.
    """

    __slots__ = ("_half", "old", "young")

    def __init__(self, limit: int = LIMIT) -> None:
        self._half = max(1, limit // 2)
        self.young: dict[Hashable, P] = {}
        self.old: dict[Hashable, P] = {}

    def get(self, key: Hashable, make: Callable[[], P]) -> P:
        """Return the plan of a key, made where it is not known."""
        plan = self.young.get(key)
        if plan is None:
            plan = self.old.get(key)
            if plan is None:
                plan = make()
            self.keep(key, plan)
        return plan

    def keep(self, key: Hashable, plan: P) -> None:
        """Keep a plan as one that was used just now."""
        if len(self.young) >= self._half:
            self.old, self.young = self.young, {}
        self.young[key] = plan

    def __len__(self) -> int:
        return len({*self.young, *self.old})
