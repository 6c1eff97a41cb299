"""
Functions that every gateway has, as PostgreSQL writes them: of texts, floats, moments, lists and documents.

`OPERATORS` are templates of the dialect, `JSON` says how parts of documents are taken. Where PostgreSQL raises an error
outside of a function's domain, or ignores NULLs, the templates make it NULL.
"""

import json
from itertools import takewhile
from typing import Final

from gateways.postgres.literals import literal
from gateways.sql import Template, function, operator
from gateways.sql.dialect import JsonStyle, OperatorKey
from gateways.sql.pieces import Sql, sql
from gateways.sql.templates import enclosing
from mapper.paths import Steps, kind_of
from mapper.types import Char, Date, Json, List, StorageType, TimestampTz, Varchar

__all__ = ["JSON", "OPERATORS", "list_item"]

_UTC: Final = "({0} AT TIME ZONE 'UTC')"
_UNITS: Final = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
_F0: Final = "CAST({0} AS float8)"
_F1: Final = "CAST({1} AS float8)"
_SIZE: Final = "CAST(CASE WHEN {1} < 0 THEN 0 WHEN {1} > 2147483647 THEN 2147483647 ELSE {1} END AS int)"
_OUTSIDE: Final = f"({_F0} = 0 AND {_F1} < 0) OR ({_F0} < 0 AND {_F1} <> floor({_F1}))"


def _moves(sign: str) -> dict[OperatorKey, Template]:
    name = "moment_add" if sign == "+" else "moment_sub"
    return {
        name: operator(f"{{0}} {sign} {{1}}"),
        (name, TimestampTz): operator(f"({_UTC} {sign} {{1}}) AT TIME ZONE 'UTC'"),
        (name, Date): enclosing(f"CAST({{0}} {sign} {{1}} AS date)"),
    }


def _truncations() -> dict[OperatorKey, Template]:
    found: dict[OperatorKey, Template] = {}
    for unit in _UNITS:
        found[f"trunc_{unit}"] = function(f"date_trunc('{unit}', {{0}})")
        found[f"trunc_{unit}", TimestampTz] = enclosing(f"(date_trunc('{unit}', {_UTC}) AT TIME ZONE 'UTC')")
        found[f"trunc_{unit}", Date] = function(f"CAST(date_trunc('{unit}', {{0}}) AS date)")
    return found


def _of_lists(first: str) -> dict[OperatorKey, Template]:
    return {
        "list_overlaps": operator(f"{first} && {{1}}"),
        "list_contains_all": operator(f"{first} @> {{1}}"),
        "list_append": function(f"CASE WHEN {{0}} IS NULL THEN NULL ELSE array_append({first}, {{1}}) END"),
        "list_remove": function(f"array_remove({first}, {{1}})"),
        "list_contains": operator(f"{first} @> ARRAY[{{1}}]"),
    }


OPERATORS: Final[dict[OperatorKey, Template]] = {
    "position": function("CAST(strpos({0}, {1}) AS bigint)"),
    "left": enclosing(f"left({{0}}, {_SIZE})"),
    "right": enclosing(f"right({{0}}, {_SIZE})"),
    "repeat": enclosing(f"repeat({{0}}, {_SIZE})"),
    "reverse": function("reverse({0})"),
    "lpad": function("lpad({0}, CAST({1} AS int), {2})"),
    "rpad": function("rpad({0}, CAST({1} AS int), {2})"),
    "sqrt": enclosing(f"CASE WHEN {{0}} >= 0 THEN sqrt({_F0}) END"),
    "exp": function(f"exp({_F0})"),
    "ln": enclosing(f"CASE WHEN {{0}} > 0 THEN ln({_F0}) END"),
    "log10": enclosing(f"CASE WHEN {{0}} > 0 THEN log({_F0}) END"),
    "power": enclosing(f"CASE WHEN {_OUTSIDE} THEN NULL ELSE power({_F0}, {_F1}) END"),
    "sign": function("CAST(sign({0}) AS bigint)"),
    "grouping": function("CAST(grouping({0}) AS bigint)"),
    "greatest": function("CASE WHEN num_nulls({*}) = 0 THEN greatest({*}) END"),
    "least": function("CASE WHEN num_nulls({*}) = 0 THEN least({*}) END"),
    **_moves("+"),
    **_moves("-"),
    "moment_diff": operator("{0} - {1}"),
    ("moment_diff", Date): operator("({0} - {1}) * interval '1 day'"),
    **_truncations(),
    ("length", List): function("CAST(cardinality({0}) AS bigint)"),
    **_of_lists("{0}"),
    **{
        (str(name), type_): template
        for type_ in (Varchar, Char)
        for name, template in _of_lists("CAST({0} AS text[])").items()
    },
    "json_type": function("jsonb_typeof({0})"),
    "json_length": enclosing("CASE WHEN jsonb_typeof({0}) = 'array' THEN CAST(jsonb_array_length({0}) AS bigint) END"),
}


def list_item(type_: StorageType[object], position: int) -> Template:
    """Return the template of an item of a list; PostgreSQL counts from 1."""
    del type_
    index = str(position + 1) if position >= 0 else f"cardinality({{0}}) - {-position - 1}"
    return enclosing(f"({{0}})[{index}]")


_NUMBER: Final = r"^-?[0-9]+(\.[0-9]+)?$"
_DATE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_MOMENT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"
_UUID: Final = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"

_FORMS: Final = {"date": (_DATE, "date"), "datetime": (_MOMENT, "timestamptz"), "UUID": (_UUID, "uuid")}
"""Of texts that are values of a type: how they look, and what the type is called."""


def _json_part(document: Sql, steps: Steps) -> Sql:
    """
    Keys go by arrows, which an index over the expression knows; from the first position on it is a path, because an
    arrow takes a single value for an array of it.
    """
    keys = list(takewhile(lambda each: isinstance(each, str), steps))
    arrows = [f" -> {literal(each)}" for each in keys]
    part = sql("(", document, *arrows, ")") if keys else document
    if len(keys) == len(steps):
        return part
    path = "strict $" + "".join([_path_step(each) for each in steps[len(keys) :]])
    return sql("jsonb_path_query_first(", part, f", {literal(path)}, '{{}}', true)")


def _path_step(step: str | int) -> str:
    if isinstance(step, str):
        return f".{json.dumps(step)}"
    return f"[{step}]" if step >= 0 else f"[last - {-step - 1}]"


def _json_value(document: Sql, steps: Steps, type_: StorageType[object]) -> Sql:
    part = _json_part(document, steps)
    kind, text = sql("jsonb_typeof(", part, ")"), sql("(", part, " #>> '{}')")
    if isinstance(type_, Json):
        wanted = kind_of(type_)
        return part if wanted is None else sql("CASE WHEN ", kind, f" = '{wanted}' THEN ", part, " END")
    number = sql("CASE WHEN ", kind, " = 'number' THEN CAST(", part, " AS numeric) END")
    match type_.python.__name__:
        case "str":
            return sql("CASE WHEN ", kind, " = 'string' THEN ", text, " END")
        case "bool":
            return sql("CASE WHEN ", kind, " = 'boolean' THEN CAST(", part, " AS boolean) END")
        case "float":
            return sql("CASE WHEN ", kind, " = 'number' THEN CAST(", part, " AS float8) END")
        case "int":
            bounds = "BETWEEN -9223372036854775808 AND 9223372036854775807"
            held = sql("(", number, ") = trunc(", number, ") AND (", number, f") {bounds}")
            return sql("CASE WHEN ", held, " THEN CAST(", number, " AS bigint) END")
        case "Decimal":
            of_text = sql("CASE WHEN ", text, f" ~ '{_NUMBER}' THEN CAST(", text, " AS numeric) END")
            return sql(
                "CASE ", kind, " WHEN 'number' THEN CAST(", part, " AS numeric) WHEN 'string' THEN ", of_text, " END"
            )
        case name:
            pattern, called = _FORMS[name]
            form = sql("CASE WHEN ", text, f" ~ '{pattern}' THEN CAST(", text, f" AS {called}) END")
            return sql("CASE WHEN ", kind, " = 'string' THEN ", form, " END")


JSON: Final = JsonStyle(_json_part, _json_value)
