"""
The SQL of SQLite 3.40, as data.

The tables here and the general compiler are all that makes SQLite's SQL; the functions that they name are in
`gateways.sqlite.functions`. Identifiers are always qualified, because SQLite takes an unknown name in double quotes for
a string (Quirks of SQLite, 8): a condition over a column that is not there would then hold for every row.
"""

from typing import Any, Final

from gateways.sql import AggregateText, Casts, Dialect, Operators, SchemaStyle, Template, function, operator
from gateways.sql.dialect import OperatorKey, stored
from gateways.sql.pieces import Rank
from gateways.sql.standard import AGGREGATES, COMPOUNDS, OPERATORS
from gateways.sql.templates import enclosing
from gateways.sqlite.binding import FORMS, row_list, value_rows
from gateways.sqlite.columns import collation, declared_type, json_item
from gateways.sqlite.computing import JSON, list_item
from gateways.sqlite.computing import OPERATORS as COMPUTING
from mapper.capabilities import Capabilities
from mapper.expressions import Call, Expr, RowValue
from mapper.types import (
    Boolean,
    Bytes,
    Char,
    Date,
    Float,
    Integer,
    Interval,
    Numeric,
    StorageType,
    Text,
    Time,
    Timestamp,
    TimestampTz,
    Uuid,
    Varchar,
)

__all__ = ["SQLITE", "SQLITE_CAPABILITIES"]

SQLITE_CAPABILITIES: Final = Capabilities(
    gateway="sqlite",
    sql=True,
    transactions=True,
    savepoints=True,
    isolation_levels=frozenset({"read uncommitted", "read committed", "repeatable read", "serializable"}),
    read_only=True,
    relational=True,
    returning=True,
    upsert=True,
    upsert_target=True,
    upsert_where=True,
    update_from=True,
    streaming=True,
    generated_keys=frozenset({"int"}),
    windows=True,
    ctes=True,
    recursive_ctes=True,
    right_join=True,
    full_join_conditions=True,
    foreign_keys=True,
    checks=True,
    schemas=True,
    ddl=True,
    ddl_transactions=True,
    maximum_parameters=32_766,
)

_SAME: Final = enclosing("{0}")


def _member(type_: StorageType[Any], list_: str = "{1}") -> str:
    return f"{{0}} IN (SELECT {json_item(type_)} FROM json_each({list_}))"


def _membership(type_: StorageType[Any]) -> dict[OperatorKey, Template]:
    """
    Return the operators over a list of items of a type. A list is one JSON parameter, so the text is the same whatever
    its length.
    """
    found, known = _member(type_), _member(type_, "{1:known}")
    return {
        "in_list": operator(found),
        "not_in_list": operator(found.replace(" IN ", " NOT IN ", 1)),
        "not_in_list_nullable": operator(f"({found}) IS NOT TRUE"),
        "in_list_or_null": operator(f"({known} OR ({{0}} IS NULL AND {{1:has_none}}))"),
        "not_in_list_or_null": operator(f"({known} OR ({{0}} IS NULL AND {{1:has_none}})) IS NOT TRUE"),
        "list_contains": enclosing(
            "CASE WHEN {0} IS NULL THEN NULL"
            f" ELSE EXISTS (SELECT 1 FROM json_each({{0}}) WHERE {json_item(type_)} = {{1}}) END"
        ),
    }


_SPECIAL_ITEMS: Final[tuple[StorageType[Any], ...]] = (Float(), Bytes(), Numeric())
"""Items that a JSON array does not hold as SQLite would."""

_ROWS: Final = "{0} IN ({1:rows})"

_OPERATORS: Final[Operators] = {
    **OPERATORS,
    **_membership(Text()),
    **{(str(name), type(each)): template for each in _SPECIAL_ITEMS for name, template in _membership(each).items()},
    ("in_list", RowValue): operator(_ROWS),
    ("in_list_or_null", RowValue): operator(_ROWS),
    ("not_in_list", RowValue): operator(f"({_ROWS}) IS NOT TRUE"),
    ("not_in_list_nullable", RowValue): operator(f"({_ROWS}) IS NOT TRUE"),
    ("not_in_list_or_null", RowValue): operator(f"({_ROWS}) IS NOT TRUE"),
    # comparison
    "is_distinct": operator("{0} IS NOT {1}"),
    "is_not_distinct": operator("{0} IS {1}"),
    # arithmetic
    "div": operator("CAST({0} AS REAL) / {1}"),
    ("div", Numeric): function("CASE WHEN decimal_cmp({1}, 0) = 0 THEN NULL ELSE decimal_div({0}, {1}) END"),
    ("div", Interval): function("interval_div({0}, {1})"),
    ("add", Numeric): function("decimal_add({0}, {1})"),
    ("sub", Numeric): function("decimal_sub({0}, {1})"),
    ("mul", Numeric): function("decimal_mul({0}, {1})"),
    ("mul", Interval): function("interval_mul({0}, {1})"),
    ("mod", Numeric): function("mod_exact({0}, {1})"),
    ("mod", Float): function("mod_exact({0}, {1})"),
    ("abs", Numeric): function("ltrim({0}, '-')"),
    "round": function("round_exact({0}, {1})"),
    ("round", Integer): function("round_exact({0}, {1})"),
    "floor": function("floor_exact({0})"),
    "ceil": function("ceil_exact({0})"),
    ("floor", Integer): _SAME,
    ("ceil", Integer): _SAME,
    # text
    # SQLite gives the text itself where there is nothing to be replaced, whatever is to stand for it
    "replace": function("CASE WHEN {2} IS NOT NULL THEN replace({0}, {1}, {2}) END"),
    "lower": function("lower_exact({0})"),
    "upper": function("upper_exact({0})"),
    "like": operator("{0} GLOB {1:like}", computed=function("like_exact({1}, {0}, '\\')")),
    "starts_with": Template(
        "{0} >= {1} AND {0} < {1:after}", Rank.AND, Rank.ATOM, computed=operator("instr({0}, {1}) = 1")
    ),
    "ends_with": operator("substr({0}, -length({1}), length({1})) = {1}"),
    "contains": operator("instr({0}, {1}) > 0"),
    ("substring", 2): function("substr({0}, max({1}, 1))"),
    ("substring", 3): enclosing("substr({0}, max({1}, 1), max({1} + {2} - max({1}, 1), 0))"),
    **COMPUTING,
    # moments
    "now": function("replace(strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'), '.000000', '')"),
    "date": function("date_of({0})"),
    **{name: function(f"{name}_of({{0}})") for name in ("year", "month", "day", "hour", "minute", "second")},
}


def _keys(name: str) -> list[OperatorKey]:
    return [name, *[(name, type(each)) for each in _SPECIAL_ITEMS]]


_INLINE: Final[Operators] = {
    key: operator(text)
    for name, text in (
        ("in_list", "{0} IN {1:items}"),
        ("not_in_list", "{0} NOT IN {1:items}"),
        ("not_in_list_nullable", "({0} IN {1:items}) IS NOT TRUE"),
    )
    for key in _keys(name)
}

_AGGREGATES: Final[dict[OperatorKey, AggregateText]] = {
    **AGGREGATES,
    ("sum", Numeric): AggregateText("decimal_sum"),
    ("avg", Numeric): AggregateText("decimal_avg"),
    "string_agg": AggregateText("string_agg_of", ours=True),
}

_CASTS: Final[Casts] = {
    **{
        (type_, type_): _SAME
        for type_ in (Boolean, Bytes, Date, Float, Integer, Interval, Numeric, Text, Time, Timestamp, TimestampTz, Uuid)
    },
    **{(type_, Text): _SAME for type_ in (Varchar, Char, Numeric, Date, Time, Timestamp, TimestampTz, Uuid)},
    (Integer, Text): function("CAST({0} AS TEXT)"),
    (Interval, Text): function("CAST({0} AS TEXT)"),
    (Bytes, Text): function("CAST({0} AS TEXT)"),
    (Float, Text): function("text_of({0})"),
    (Boolean, Text): function("CASE {0} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"),
    (Boolean, Integer): _SAME,
    (Interval, Integer): _SAME,
    **{(type_, Integer): function("integer_of({0})") for type_ in (Float, Numeric, Text, Varchar, Char)},
    (Boolean, Float): function("CAST({0} AS REAL)"),
    (Integer, Float): function("CAST({0} AS REAL)"),
    **{(type_, Float): function("real_exact({0})") for type_ in (Numeric, Text, Varchar, Char)},
    **{(type_, Numeric): function("decimal_add({0}, 0)") for type_ in (Boolean, Integer, Float, Text, Varchar, Char)},
    (Integer, Boolean): operator("{0} <> 0"),
    (Float, Boolean): operator("{0} <> 0"),
    (Numeric, Boolean): operator("decimal_cmp({0}, 0) <> 0"),
    **{(type_, Bytes): function("CAST({0} AS BLOB)") for type_ in (Text, Varchar, Char)},
    **{(type_, Date): function("date_of({0})") for type_ in (Timestamp, TimestampTz, Text, Varchar, Char)},
    (Date, Timestamp): operator("{0} || ' 00:00:00'"),
    (TimestampTz, Timestamp): function("replace({0}, '+00:00', '')"),
    (Date, TimestampTz): operator("{0} || ' 00:00:00+00:00'"),
    (Timestamp, TimestampTz): operator("{0} || '+00:00'"),
    (Timestamp, Time): function("substr({0}, 12)"),
    (TimestampTz, Time): function("substr(replace({0}, '+00:00', ''), 12)"),
    (Integer, Interval): _SAME,
    **{(type_, Uuid): function("lower({0})") for type_ in (Text, Varchar, Char)},
}

_MAY_LEAVE_64_BITS: Final = frozenset({"add", "sub", "mul"})


def _overflow(expression: Expr[Any, Any]) -> Template | None:
    """SQLite turns an integer that overflows into a float, and goes on with that."""
    leaves = isinstance(expression, Call) and expression.name in _MAY_LEAVE_64_BITS
    return (
        function("integer_exact({0})") if leaves and isinstance(stored(expression.type), Integer | Interval) else None
    )


def _exact(target: StorageType[Any], expression: Expr[Any, Any]) -> Template | None:
    """SQLite neither rounds nor measures what it stores."""
    source = stored(expression.type)
    match target:
        case Integer() | Interval():
            return function("integer_exact({0})") if isinstance(source, Float | Numeric) else None
        case Numeric(precision=int(precision), scale=scale) if source != target:
            return function(f"decimal_exact({{0}}, {precision}, {scale})")
        case Varchar(length=length) if source != target:
            return function(f"varchar_exact({{0}}, {length})")
        case Char(length=length) if source != target:
            return function(f"char_exact({{0}}, {length})")
        case _:
            return None


def _literal(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case int():
            return str(int(value))
        case float():
            return _float_literal(value)
        case bytes():
            return f"X'{value.hex()}'"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case _:
            raise TypeError(f"{value!r} is not what SQLite keeps")


def _float_literal(value: float) -> str:
    infinite = {float("inf"): "9e999", float("-inf"): "-9e999"}
    return infinite.get(value) or repr(value)


SQLITE: Final = Dialect(
    name="SQLite",
    capabilities=SQLITE_CAPABILITIES,
    placeholder=lambda number, bind: "?",
    qualified=True,
    operators=_OPERATORS,
    aggregates=_AGGREGATES,
    casts=_CASTS,
    forms=FORMS,
    row_list=row_list,
    value_rows=value_rows,
    json=JSON,
    list_item=list_item,
    inline=_INLINE,
    collation=collation,
    exact=_exact,
    overflow=_overflow,
    several_rows="several_rows(count(*))",
    literal=_literal,
    # Decimals and moments are texts, which SQLite does not subtract.
    distances={Integer: _literal, Float: _literal},
    nulls="smallest",
    unlimited=" LIMIT -1",
    compounds=COMPOUNDS,
    locks={},
    lone_having=False,
    # SQLite 3.40 loses the WHERE of the first part of a UNION ALL in a subquery where a later part has a right join.
    right_joins_in_parts=False,
    # SQLite 3.40 takes a false one for a reason to end, before a right join has given its rows without a match.
    constants_in_joins=False,
    upsert_any=True,
    schema=SchemaStyle(
        type_text=declared_type,
        autoincrement="{type} PRIMARY KEY AUTOINCREMENT",
        generated="GENERATED ALWAYS AS ({0}) VIRTUAL",
        late_references=True,
        schema_in_references=False,
        schema_in_index=True,
        before_drop="PRAGMA defer_foreign_keys = ON",
    ),
)
