"""
What dialects have in common: operators and functions that ISO SQL writes in one way.

A dialect begins with these tables and says what it does otherwise.
"""

from collections.abc import Mapping
from typing import Final

from gateways.sql.dialect import AggregateText, OperatorKey, Operators
from gateways.sql.pieces import Rank
from gateways.sql.templates import enclosing, function, junction, operator

__all__ = ["AGGREGATES", "COMPOUNDS", "OPERATORS"]

OPERATORS: Final[Operators] = {
    "eq": operator("{0} = {1}"),
    "ne": operator("{0} <> {1}"),
    "lt": operator("{0} < {1}"),
    "le": operator("{0} <= {1}"),
    "gt": operator("{0} > {1}"),
    "ge": operator("{0} >= {1}"),
    "and": junction(" AND ", Rank.AND, Rank.OPERATOR),
    "or": junction(" OR ", Rank.OR, Rank.OPERATOR),
    "not": operator("NOT {0}"),
    "is_null": operator("{0} IS NULL"),
    "is_not_null": operator("{0} IS NOT NULL"),
    "is_distinct": operator("{0} IS DISTINCT FROM {1}"),
    "is_not_distinct": operator("{0} IS NOT DISTINCT FROM {1}"),
    "is_not_true": operator("{0} IS NOT TRUE"),
    "ne_or_not_null": enclosing("CASE WHEN {1} IS NULL THEN {0} IS NOT NULL ELSE {0} <> {1} END"),
    "between": operator("{0} BETWEEN {1} AND {2}"),
    "add": operator("{0} + {1}"),
    "sub": operator("{0} - {1}"),
    "mul": operator("{0} * {1}"),
    "mod": operator("{0} % {1}"),
    "concat": operator("{0} || {1}"),
    "coalesce": function("coalesce({*})"),
    "nullif": function("nullif({0}, {1})"),
    "lower": function("lower({0})"),
    "upper": function("upper({0})"),
    "trim": function("trim({0})"),
    "ltrim": function("ltrim({0})"),
    "rtrim": function("rtrim({0})"),
    "length": function("length({0})"),
    "replace": function("replace({0}, {1}, {2})"),
    "abs": function("abs({0})"),
}
"""Operators and functions by name."""

AGGREGATES: Final[Mapping[OperatorKey, AggregateText]] = {
    each: AggregateText(each)
    for each in (
        "count",
        "sum",
        "avg",
        "min",
        "max",
        "row_number",
        "rank",
        "dense_rank",
        "lag",
        "lead",
        "first_value",
        "last_value",
        "nth_value",
        "ntile",
        "percent_rank",
        "cume_dist",
    )
}
"""Aggregates and window functions by name."""

COMPOUNDS: Final = {"union": "UNION", "union_all": "UNION ALL", "intersect": "INTERSECT", "except": "EXCEPT"}
"""Set operations by name."""
