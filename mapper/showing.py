"""
Queries as text, for people: each clause on a line, values apart from it.

A query goes in; text like SQL comes out, without a gateway. What a gateway makes of the query is in its operation:
`gateway.compile(query)`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen

from mapper.assembly import walk
from mapper.errors import MapperError
from mapper.expressions import Attribute, Call, Expr, Order, Slot, Subquery
from mapper.placeholders import split_placeholders
from mapper.relation import info
from mapper.statements import Cte, FromRaw, FromRelation, FromSelect, FromValues, Join, Select, Source
from mapper.terms import Excluded, Outer
from mapper.windows import in_order
from mapper.wording import Style, Words

__all__ = ["one_line", "shown"]

LONGEST: Final = 60
"""Characters of a value that are shown."""

LINE: Final = 300
"""Characters of a query that is shown in one line."""

_OPERATORS: Final[Mapping[str, str]] = {
    "and": "AND",
    "or": "OR",
    "not": "NOT {0}",
    "eq": "{0} = {1}",
    "ne": "{0} <> {1}",
    "ne_or_not_null": "{0} <> {1}",
    "lt": "{0} < {1}",
    "le": "{0} <= {1}",
    "gt": "{0} > {1}",
    "ge": "{0} >= {1}",
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "mod": "{0} % {1}",
    "concat": "{0} || {1}",
    "moment_add": "{0} + {1}",
    "moment_sub": "{0} - {1}",
    "moment_diff": "{0} - {1}",
    "is_null": "{0} IS NULL",
    "is_not_null": "{0} IS NOT NULL",
    "is_distinct": "{0} IS DISTINCT FROM {1}",
    "is_not_distinct": "{0} IS NOT DISTINCT FROM {1}",
    "is_not_true": "{0} IS NOT TRUE",
    "between": "{0} BETWEEN {1} AND {2}",
    **{f"in_{kind}": "{0} IN {1}" for kind in ("list", "list_or_null", "query")},
    **{f"not_in_{kind}": "{0} NOT IN {1}" for kind in ("list", "list_or_null", "query")},
    "like": "{0} LIKE {1}",
    "ilike": "{0} ILIKE {1}",
    "cast": "CAST({0} AS {type})",
    "list_item": "{0}[{rest}]",
    "output": "c{rest}",
}

_JOINS: Final = {
    "inner": "JOIN",
    "left": "LEFT JOIN",
    "right": "RIGHT JOIN",
    "full": "FULL JOIN",
    "cross": "CROSS JOIN",
}


def shown(query: Any) -> str:
    """
    Return a query as text: SQL with a clause a line, and behind it the values, those of sensitive columns hidden.

    The text is for reading; it is not what a gateway sends.
    """
    try:
        select = query.assemble()
    except MapperError as error:
        return "\n".join([f"-- {each}" for each in f"not a query yet: {error}".splitlines()])
    style = _Sql(_OPERATORS, "", "*")
    lines = list(_lines(select, style))
    hidden = frozenset(_sensitive(select))
    values = query.parameters
    for number, index in enumerate(style.order, 1):
        lines.append(f"-- ${number}: {'…' if index in hidden else _value(values[index])}")
    steps = [step for kind, step in query._steps if kind == "combine"]
    lines.extend([f"-- combine {each.relationship.__name__}" for each in steps])
    return "\n".join(lines)


def one_line(query: Any) -> str:
    """Return the text of a query without its values, in one line of limited length."""
    text = " ".join([each.strip() for each in shown(query).splitlines() if not each.startswith("-- $")])
    return text if len(text) <= LINE else f"{text[: LINE - 1]}…"


@frozen
class _Sql(Style):
    """
    As SQL is written. Values are numbered as they come in the text.

    Attributes:
        order: The positions of values among the query's parameters, in the order of the text.
    """

    order: list[int] = field(factory=list)

    def column(self, attribute: Any) -> Words:
        described = info(attribute.relation)
        return Words(f"{_name(described.alias or described.name)}.{_name(attribute.column.name)}")

    def outer(self, attribute: Any) -> Words:
        return self.column(attribute)

    def excluded(self, attribute: Any) -> Words:
        return Words(f"excluded.{_name(attribute.column.name)}")

    def value(self, index: int | None) -> Words:
        if index is None:
            return Words("?")
        if index not in self.order:
            self.order.append(index)
        return Words(f"${self.order.index(index) + 1}")

    def call(self, name: str, operands: Sequence[Words], type_name: str) -> Words:
        if name != "case":
            return super().call(name, operands, type_name)
        pairs = zip(operands[::2], operands[1::2], strict=False)
        branches = " ".join([f"WHEN {condition} THEN {value}" for condition, value in pairs])
        return Words(f"CASE {branches}{f' ELSE {operands[-1]}' if len(operands) % 2 else ''} END")

    def subquery(self, kind: str, query: Any) -> Words:
        text = f"({' '.join([each.strip() for each in _lines(query, self)])})"
        return Words(f"EXISTS {text}" if kind == "exists" else text)


def _name(name: str) -> str:
    return name if name.isidentifier() else '"' + name.replace('"', '""') + '"'


def _lines(select: Select, style: _Sql) -> Iterator[str]:
    yield from _commons(select.ctes, style)
    yield from _core(select, style)
    for operator, right in select.compound:
        yield operator.replace("_", " ").upper()
        yield from _core(right, style) if not right.compound and right.limit is None else _enclosed(right, style)
    if select.order_by:
        yield f"ORDER BY {', '.join([in_order(each, style) for each in select.order_by])}"
    if select.limit is not None:
        yield f"LIMIT {select.limit.worded(style)}"
    if select.offset is not None:
        yield f"OFFSET {select.offset.worded(style)}"
    if select.lock is not None:
        yield f"FOR {select.lock.replace('_', ' ').upper()}"


def _core(select: Select, style: _Sql) -> Iterator[str]:
    if isinstance(select.source, FromRaw) and not select.items:
        yield _raw(select.source, style)
        return
    distinct = "DISTINCT " if select.distinct else ""
    if select.distinct_on:
        distinct = f"DISTINCT ON ({_all(select.distinct_on, style)}) "
    yield f"SELECT {distinct}{_all(select.items, style) or '*'}"
    if select.source is not None:
        yield from _source("FROM ", select.source, "", style)
    for join in select.joins:
        yield from _join(join, style)
    for keyword, conditions in (("WHERE", select.where), ("HAVING", select.having)):
        if keyword == "HAVING" and select.group_by:
            yield f"GROUP BY {_all(select.group_by, style)}"
        if conditions:
            whole = style.junction("and", [each.worded(style) for each in conditions]) if conditions[1:] else None
            yield f"{keyword} {whole or conditions[0].worded(style)}"


def _all(expressions: Sequence[Expr[Any, Any]], style: _Sql) -> str:
    return ", ".join([str(each.worded(style)) for each in expressions])


def _join(join: Join, style: _Sql) -> Iterator[str]:
    # The source's values come before those of the condition.
    lines = list(_source(f"{_JOINS[join.kind]} ", join.source, "", style))
    on = "" if join.on is None else f" ON {join.on.worded(style)}"
    yield from lines[:-1]
    yield lines[-1] + on


def _source(before: str, source: Source, behind: str, style: _Sql) -> Iterator[str]:
    match source:
        case FromRelation():
            described = info(source.relation)
            table = (
                _name(described.name)
                if described.schema is None
                else f"{_name(described.schema)}.{_name(described.name)}"
            )
            alias = "" if described.alias is None else f" AS {_name(described.alias)}"
            yield f"{before}{table}{alias}{behind}"
        case FromSelect():
            yield f"{before}{'LATERAL ' if source.lateral else ''}("
            yield from _indented(_lines(source.select, style))
            yield f") AS {_name(source.alias)}{behind}"
        case FromValues():
            described = info(source.relation)
            columns = ", ".join([_name(each.name) for each in described.columns])
            yield f"{before}(VALUES {source.rows.worded(style)}) AS {_name(described.alias or described.name)} ({columns}){behind}"
        case FromRaw():
            yield f"{before}({_raw(source, style)}) AS raw{behind}"


def _raw(source: FromRaw, style: _Sql) -> str:
    operands = [str(each.worded(style)) for each in source.operands]
    pieces = split_placeholders(source.text)
    return "".join([text for pair in zip(pieces, [*operands, ""], strict=True) for text in pair])


def _commons(ctes: Sequence[Cte], style: _Sql) -> Iterator[str]:
    for number, each in enumerate(ctes):
        described = info(each.relation)
        columns = ", ".join([_name(column.name) for column in described.columns])
        keyword = ("WITH RECURSIVE " if any(one.recursive for one in ctes) else "WITH ") if number == 0 else ""
        yield f"{keyword}{_name(described.name)} ({columns}) AS ("
        yield from _indented(_lines(each.select, style))
        yield ")" if number == len(ctes) - 1 else "),"


def _enclosed(select: Select, style: _Sql) -> Iterator[str]:
    yield "("
    yield from _indented(_lines(select, style))
    yield ")"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    for each in lines:
        yield f"  {each}"


# -- values ------------------------------------------------------------------------------------------------------------


def _value(value: object) -> str:
    if isinstance(value, list | tuple) and len(value) > 3:
        return f"{repr(list(value[:3]))[:-1]}, … {len(value)} in all]"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _sensitive(select: Select) -> Iterator[int]:
    """Give the positions of values that stand beside a sensitive column, in whatever depth."""
    for expression in _expressions(select):
        for each in walk(expression):
            if isinstance(each, Subquery):
                yield from _sensitive(each.query)
            elif isinstance(each, Call) and any(_is_sensitive(part) for part in walk(each)):
                yield from [part.index for part in walk(each) if isinstance(part, Slot)]


def _is_sensitive(expression: Expr[Any, Any]) -> bool:
    attribute = expression.attribute if isinstance(expression, Outer | Excluded) else expression
    return isinstance(attribute, Attribute) and attribute.column.options.sensitive


def _expressions(select: Select) -> Iterator[Expr[Any, Any]]:
    orders: list[Order[Any]] = list(select.order_by)
    yield from (*select.items, *select.where, *select.group_by, *select.having, *select.distinct_on)
    yield from [each.expression for each in orders]
    sources = [select.source, *[each.source for each in select.joins]]
    yield from [each.on for each in select.joins if each.on is not None]
    inner = [each.select for each in sources if isinstance(each, FromSelect)]
    for each in (*inner, *[right for _, right in select.compound], *[cte.select for cte in select.ctes]):
        yield from _expressions(each)
