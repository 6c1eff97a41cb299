"""
Expressions in words, for people: in messages as they are written in Python, in the text of a query as in SQL.

The names of operators and functions go in, with the words of their operands; words come out. Values are never in them.
"""

import json
import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

from attrs import frozen

__all__ = ["PYTHON", "Rank", "Style", "Words", "laid_out", "within"]


class Rank(IntEnum):
    """How tightly words hold together; what is looser than its surroundings need is put into parentheses."""

    OR = 1
    AND = 2
    OPERATOR = 3
    ATOM = 4


@frozen
class Words:
    """A text, and how tightly it holds together."""

    text: str
    rank: Rank = Rank.ATOM

    def __str__(self) -> str:
        return self.text


def within(words: Words, needed: Rank) -> str:
    """Return a text, in parentheses where it is looser than needed."""
    return words.text if words.rank >= needed else f"({words.text})"


@frozen
class Style:
    """
    How expressions are written: as Python.

    Attributes:
        operators: Texts of operators, with places for their operands.
        prefix: What stands before the name of a function.
        everything: What an aggregate of rows is of.
    """

    operators: Mapping[str, str]
    prefix: str
    everything: str = ""

    def column(self, attribute: Any) -> Words:
        """Return a column."""
        return Words(f"{_relation(attribute.relation)}.{attribute.column.attribute}")

    def outer(self, attribute: Any) -> Words:
        """Return a column of the enclosing query."""
        return Words(f"outer({self.column(attribute)})")

    def excluded(self, attribute: Any) -> Words:
        """Return the incoming value of a column."""
        return Words(f"excluded({self.column(attribute)})")

    def value(self, index: int | None) -> Words:
        """Return the place of a value."""
        del index
        return Words("?")

    def subquery(self, kind: str, query: Any) -> Words:
        """Return a query as an expression."""
        del query
        return Words("exists(…)" if kind == "exists" else "(select …)")

    def call(self, name: str, operands: Sequence[Words], type_name: str) -> Words:
        """Return an operator or a function over its operands; `type_name` is the type of its value."""
        head, _, rest = name.partition(":")
        if head in {"and", "or"}:
            return self.junction(head, operands)
        if head in {"json_path", "json_as"}:
            steps, _ = json.JSONDecoder().raw_decode(rest)
            path = "".join([f"[{each!r}]" for each in steps])
            return Words(f"{within(operands[0], Rank.ATOM)}{path}{f'.as_({type_name})' if head == 'json_as' else ''}")
        text = self.operators.get(head)
        if text is None:
            return Words(f"{self.prefix}{name}({', '.join([each.text for each in operands])})")
        rank = Rank.OPERATOR if text.startswith(("{0} ", "~", "NOT ")) else Rank.ATOM
        parts = [within(each, Rank.ATOM) for each in operands]
        return Words(text.format(*parts, rest=rest, type=type_name), rank)

    def junction(self, name: str, operands: Sequence[Words]) -> Words:
        """Return conditions joined by `and` or `or`."""
        rank = Rank.AND if name == "and" else Rank.OR
        needed = Rank.OPERATOR if self.prefix == "" else Rank.ATOM
        return Words(f" {self.operators[name]} ".join([within(each, needed) for each in operands]), rank)


def _relation(relation: Any) -> str:
    alias = relation.__relation__.alias
    return str(relation.__name__) if alias is None else f"{relation.__name__}.named({alias!r})"


PYTHON: Final = Style(
    {
        "and": "&",
        "or": "|",
        "not": "~{0}",
        "eq": "{0} == {1}",
        "ne": "{0} != {1}",
        "ne_or_not_null": "{0} != {1}",
        "lt": "{0} < {1}",
        "le": "{0} <= {1}",
        "gt": "{0} > {1}",
        "ge": "{0} >= {1}",
        "add": "{0} + {1}",
        "sub": "{0} - {1}",
        "mul": "{0} * {1}",
        "div": "{0} / {1}",
        "mod": "{0} % {1}",
        "concat": "{0} + {1}",
        "moment_add": "{0} + {1}",
        "moment_sub": "{0} - {1}",
        "moment_diff": "{0} - {1}",
        "is_null": "{0}.is_null()",
        "is_not_null": "{0}.is_not_null()",
        "is_distinct": "{0}.is_distinct_from({1})",
        "is_not_distinct": "{0}.is_not_distinct_from({1})",
        "is_not_true": "~{0}",
        "between": "{0}.between({1}, {2})",
        **{f"in_{kind}": "{0}.in_({1})" for kind in ("list", "list_or_null", "query")},
        **{f"not_in_{kind}": "{0}.not_in({1})" for kind in ("list", "list_or_null", "query")},
        **{name: f"{{0}}.{name}({{1}})" for name in ("like", "ilike", "starts_with", "ends_with", "contains")},
        "list_contains": "{0}.contains({1})",
        **{f"list_{name}": f"fn.{name}({{0}}, {{1}})" for name in ("overlaps", "contains_all", "append", "remove")},
        **{
            f"trunc_{unit}": f"fn.date_trunc('{unit}', {{0}})"
            for unit in ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
        },
        "list_item": "{0}[{rest}]",
        "cast": "{0}.cast({type})",
        "output": "column {rest}",
    },
    "fn.",
)
"""As it is written in Python: `Posts.visits > ?`."""

_CLAUSE: Final = re.compile(
    r"(?:WITH(?: RECURSIVE)?|SELECT|FROM|(?:LEFT |RIGHT |FULL |CROSS )?JOIN|WHERE|GROUP BY|HAVING|ORDER BY|LIMIT|OFFSET|"
    r"UNION(?: ALL)?|INTERSECT(?: ALL)?|EXCEPT(?: ALL)?|FOR (?:UPDATE|SHARE)|RETURNING|SET|VALUES|ON CONFLICT)\b"
)
_TOKEN: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[()]|\s+|\w+|.", re.DOTALL)


def laid_out(sql: str) -> str:
    """Return SQL with each clause of its outermost statement on a line of its own."""
    parts: list[str] = []
    depth = position = 0
    for found in _TOKEN.finditer(sql):
        token = found.group()
        depth += (token == "(") - (token == ")")
        clause = _CLAUSE.match(sql, found.start()) if depth == 0 and found.start() >= position else None
        if clause is not None and parts:
            while parts and parts[-1].isspace():
                parts.pop()
            parts.append("\n")
        if clause is not None:
            position = clause.end()
        parts.append(token)
    return "".join(parts)
