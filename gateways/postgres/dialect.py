"""
The SQL of PostgreSQL 13 and later, as data.

The tables here and the general compiler are all that makes PostgreSQL's SQL. Where a computed value could lose digits
without a word when it is stored, a cast that must fail stands in the way: see `_fails`.
"""

from datetime import timedelta
from typing import Any, Final

from gateways.postgres.binding import FORMS, placeholder, row_list, value_rows
from gateways.postgres.columns import collation, declared_type
from gateways.postgres.computing import JSON, list_item
from gateways.postgres.computing import OPERATORS as COMPUTING
from gateways.postgres.declarations import PostgresDeclarations
from gateways.postgres.functions import OWN_AGGREGATES, OWN_CASTS, OWN_OPERATORS
from gateways.postgres.literals import literal
from gateways.sql import AggregateText, Casts, Dialect, Operators, SchemaStyle, Template, function, operator
from gateways.sql.dialect import OperatorKey, stored
from gateways.sql.standard import AGGREGATES, COMPOUNDS, OPERATORS
from gateways.sql.templates import enclosing
from mapper.capabilities import Capabilities
from mapper.expressions import Expr, RowValue
from mapper.types import (
    Boolean,
    Bytes,
    Char,
    Date,
    Float,
    Int,
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
    decimals,
)

__all__ = ["POSTGRES", "POSTGRES_CAPABILITIES"]

POSTGRES_CAPABILITIES: Final = Capabilities(
    gateway="postgres",
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
    bulk_arrays=True,
    streaming=True,
    generated_keys=frozenset({"int"}),
    native_json=True,
    native_array=True,
    native_enum=True,
    native_uuid=True,
    native_decimal=True,
    native_timestamptz=True,
    ilike=True,
    windows=True,
    ctes=True,
    recursive_ctes=True,
    writable_ctes=True,
    lateral=True,
    right_join=True,
    correlated_order=True,
    correlated_grouping=True,
    grouping_sets=True,
    row_locks=True,
    skip_locked=True,
    foreign_keys=True,
    checks=True,
    schemas=True,
    ddl=True,
    ddl_transactions=True,
    listen=True,
)

_SAME: Final = enclosing("{0}")
_ROWS: Final = "{0} IN ({1:rows})"
_ANY: Final = "{0} = ANY({1})"
_KNOWN: Final = "({0} = ANY({1:known}) OR ({0} IS NULL AND {1:has_none}))"
_UTC: Final = "({0} AT TIME ZONE 'UTC')"

_PLACES: Final = f"0.{'0' * decimals.QUOTIENT_PLACES}"
"""Added to what is divided, it gives a quotient as many digits after the point as on every gateway."""

_PARTS: Final = ("year", "month", "day", "hour", "minute", "second")


def _part(name: str, value: str) -> Template:
    return enclosing(f"CAST(floor(extract({name} FROM {value})) AS bigint)")


def _exactly(text: str) -> str:
    """A float as the decimal that its shortest text is; PostgreSQL itself would keep 15 digits of it."""
    return f"CAST(CAST({text} AS text) AS numeric)"


def _written(value: str, pattern: str) -> str:
    """A moment as text with microseconds or without any; PostgreSQL itself would leave out zeros at the end."""
    return f"replace(to_char({value}, '{pattern}'), '.000000', '')"


_LIKE: Final = r"CASE WHEN {1} ~ '(^|[^\\])(\\\\)*\\$' THEN {0} <> {0} ELSE {0} LIKE {1} END"
"""A pattern that ends in a lone backslash matches nothing; PostgreSQL fails where it gets to its end."""


_OPERATORS: Final[Operators] = {
    **OPERATORS,
    # lists: one array each, so that the text is the same whatever their length
    "in_list": operator(_ANY),
    "not_in_list": operator("{0} <> ALL({1})"),
    "not_in_list_nullable": operator(f"({_ANY}) IS NOT TRUE"),
    "in_list_or_null": operator(_KNOWN),
    "not_in_list_or_null": operator(f"{_KNOWN} IS NOT TRUE"),
    **{(name, RowValue): operator(_ROWS) for name in ("in_list", "in_list_or_null")},
    **{
        (name, RowValue): operator(f"({_ROWS}) IS NOT TRUE")
        for name in ("not_in_list", "not_in_list_nullable", "not_in_list_or_null")
    },
    # arithmetic: a division by zero is NULL, as on every gateway
    "div": operator("CAST({0} AS float8) / NULLIF({1}, 0)"),
    ("div", Numeric): function(f"trim_scale((CAST({{0}} AS numeric) + {_PLACES}) / NULLIF(CAST({{1}} AS numeric), 0))"),
    ("div", Interval): operator("{0} / NULLIF(CAST({1} AS float8), 0)"),
    "mod": operator("{0} % NULLIF({1}, 0)"),
    ("mod", Float): function(f"CAST({_exactly('{0}')} % NULLIF({_exactly('{1}')}, 0) AS float8)"),
    ("round", Float): function(f"CAST(round({_exactly('{0}')}, CAST({{1}} AS int)) AS float8)"),
    ("round", Numeric): function("round({0}, CAST({1} AS int))"),
    ("round", Integer): function("CAST(round(CAST({0} AS numeric), CAST({1} AS int)) AS bigint)"),
    ("floor", Integer): _SAME,
    ("ceil", Integer): _SAME,
    "floor": function("CAST(floor({0}) AS bigint)"),
    "ceil": function("CAST(ceil({0}) AS bigint)"),
    # text: letters of all languages change case, which they do not by code point
    "lower": function('lower({0} COLLATE "default")'),
    "upper": function('upper({0} COLLATE "default")'),
    "like": operator("{0} LIKE {1:pattern}", computed=enclosing(_LIKE)),
    "ilike": operator('{0} COLLATE "default" ILIKE {1}'),
    "starts_with": function("starts_with({0}, {1})"),
    "ends_with": operator("right({0}, length({1})) = {1}"),
    "contains": operator("strpos({0}, {1}) > 0"),
    ("substring", 2): function("substr({0}, CAST({1} AS int))"),
    ("substring", 3): function("substr({0}, CAST({1} AS int), CAST(CASE WHEN {2} < 0 THEN 0 ELSE {2} END AS int))"),
    # moments
    "now": function("now()"),
    "date": function("CAST({0} AS date)"),
    ("date", TimestampTz): enclosing(f"CAST({_UTC} AS date)"),
    **{name: _part(name, "{0}") for name in _PARTS},
    **{(name, TimestampTz): _part(name, _UTC) for name in _PARTS},
    **COMPUTING,
    **OWN_OPERATORS,
}

_INLINE: Final[Operators] = {
    "in_list": operator("{0} IN {1:items}"),
    "not_in_list": operator("{0} NOT IN {1:items}"),
    "not_in_list_nullable": operator("({0} IN {1:items}) IS NOT TRUE"),
}

_OFFSET: Final = function("{0}, CAST({1} AS int)")

_AGGREGATES: Final[dict[OperatorKey, AggregateText]] = {
    **AGGREGATES,
    "string_agg": AggregateText("string_agg"),
    **OWN_AGGREGATES,
    ("sum", Integer): AggregateText("sum", function("CAST({0} AS bigint)")),
    ("avg", Integer): AggregateText("avg", function("CAST({0} AS float8)")),
    ("avg", Numeric): AggregateText("avg", function("trim_scale({0})"), arguments=operator(f"{{0}} + {_PLACES}")),
    "ntile": AggregateText("ntile", arguments=function("CAST({0} AS int)")),
    "nth_value": AggregateText("nth_value", arguments=_OFFSET),
    "lag": AggregateText("lag", arguments=_OFFSET),
    "lead": AggregateText("lead", arguments=_OFFSET),
    ("min", Boolean): AggregateText("bool_and"),
    ("max", Boolean): AggregateText("bool_or"),
    ("min", Uuid): AggregateText(
        "min", function("CAST({0} AS uuid)"), arguments=function('CAST({0} AS text) COLLATE "C"')
    ),
    ("max", Uuid): AggregateText(
        "max", function("CAST({0} AS uuid)"), arguments=function('CAST({0} AS text) COLLATE "C"')
    ),
}

_TEXTS: Final = (Text, Varchar, Char)


def _interval(distance: timedelta) -> str:
    """Return a distance without days, which have the length that the time zone gives them, and times have none of."""
    return f"interval '{distance // timedelta(microseconds=1)} microseconds'"


_CASTS: Final[Casts] = {
    **{
        (type_, type_): _SAME
        for type_ in (Boolean, Bytes, Date, Float, Integer, Interval, Numeric, Time, Timestamp, TimestampTz, Uuid)
    },
    # An enumeration of the database's own is text to us.
    (Text, Text): function("CAST({0} AS text)"),
    **{
        (type_, Text): function("CAST({0} AS text)")
        for type_ in (Boolean, Date, Float, Integer, Numeric, Uuid, Varchar, Char)
    },
    (Time, Text): function(_written("{0}", "HH24:MI:SS.US")),
    (Timestamp, Text): function(_written("{0}", "YYYY-MM-DD HH24:MI:SS.US")),
    (Bytes, Text): function("convert_from({0}, 'UTF8')"),
    (TimestampTz, Text): operator(f"{_written(_UTC, 'YYYY-MM-DD HH24:MI:SS.US')} || '+00:00'"),
    (Boolean, Integer): function("CAST(CAST({0} AS int) AS bigint)"),
    (Interval, Integer): function("CAST(extract(epoch FROM {0}) * 1000000 AS bigint)"),
    **{(type_, Integer): function("CAST(trunc({0}) AS bigint)") for type_ in (Float, Numeric)},
    **{(type_, Integer): function("CAST(trunc(CAST({0} AS numeric)) AS bigint)") for type_ in _TEXTS},
    (Boolean, Float): function("CAST(CAST({0} AS int) AS float8)"),
    **{(type_, Float): function("CAST({0} AS float8)") for type_ in (Integer, Numeric, *_TEXTS)},
    (Boolean, Numeric): function("CAST(CAST({0} AS int) AS numeric)"),
    (Float, Numeric): function(_exactly("{0}")),
    **{(type_, Numeric): function("CAST({0} AS numeric)") for type_ in (Integer, *_TEXTS)},
    **{(type_, Boolean): operator("{0} <> 0") for type_ in (Integer, Float, Numeric)},
    **{(type_, Bytes): function("convert_to({0}, 'UTF8')") for type_ in _TEXTS},
    **{(type_, Date): function("CAST({0} AS date)") for type_ in (Timestamp, *_TEXTS)},
    (TimestampTz, Date): enclosing(f"CAST({_UTC} AS date)"),
    (Date, Timestamp): function("CAST({0} AS timestamp)"),
    (TimestampTz, Timestamp): enclosing(_UTC),
    (Date, TimestampTz): function("(CAST({0} AS timestamp) AT TIME ZONE 'UTC')"),
    (Timestamp, TimestampTz): enclosing(_UTC),
    (Timestamp, Time): function("CAST({0} AS time)"),
    (TimestampTz, Time): enclosing(f"CAST({_UTC} AS time)"),
    (Integer, Interval): operator("{0} * interval '1 microsecond'"),
    **{(type_, Uuid): function("CAST({0} AS uuid)") for type_ in _TEXTS},
    **OWN_CASTS,
}


def _fails(condition: str, type_: str, problem: str) -> Template:
    """
    Give the value where the condition holds; else cast it, with the problem behind it, to a type whose texts look
    otherwise.
    """
    return function(
        f"CASE WHEN {condition} THEN {{0}} ELSE CAST(CAST(concat({{0}}, ' {problem}') AS numeric) AS {type_}) END"
    )


def _exact(target: StorageType[Any], expression: Expr[Any, Any]) -> Template | None:
    """
    PostgreSQL rounds what it stores in a column of fewer digits, and cuts blanks off what it stores in a shorter one.
    """
    source = stored(expression.type)
    match target:
        case Integer() if isinstance(source, Float | Numeric):
            return _fails("({0}) IS NULL OR ({0}) = trunc({0})", "bigint", "is no whole number")
        case Numeric(precision=int(), scale=scale) if source != target and not isinstance(source, Integer):
            return _fails(
                f"({{0}}) IS NULL OR ({{0}}) = round({{0}}, {scale})",
                "numeric",
                f"has more than {scale} digits after the point",
            )
        case Varchar(length=length) if source != target:
            return _fails(f"({{0}}) IS NULL OR length({{0}}) <= {length}", "text", f"has more than {length} characters")
        case Char(length=length) if source != target:
            return _fails(f"({{0}}) IS NULL OR length({{0}}) = {length}", "text", f"has not {length} characters")
        case _:
            return None


_LOCKS: Final = {
    f"{strength}{wait and ' '}{wait}": f"FOR {strength.upper()}{wait and ' '}{wait.replace('_', ' ').upper()}"
    for strength in ("update", "share")
    for wait in ("", "nowait", "skip_locked")
}

POSTGRES: Final = Dialect(
    name="PostgreSQL",
    capabilities=POSTGRES_CAPABILITIES,
    placeholder=placeholder,
    numbered=True,
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
    literal=literal,
    distances={
        **dict.fromkeys((Integer, Int, Float, Numeric), literal),
        **dict.fromkeys((Date, Time, Timestamp, TimestampTz, Interval), _interval),
    },
    nulls="largest",
    compounds={**COMPOUNDS, "intersect_all": "INTERSECT ALL", "except_all": "EXCEPT ALL"},
    intersect_first=True,
    distinct_on=True,
    locks=_LOCKS,
    schema=SchemaStyle(
        type_text=declared_type,
        autoincrement="{type} GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
        generated="GENERATED ALWAYS AS ({0}) STORED",
        alters_constraints=True,
        namespace="CREATE SCHEMA IF NOT EXISTS {0}",
        unless_there="DO $mapper$ BEGIN {0}; EXCEPTION WHEN duplicate_object THEN NULL; END $mapper$",
        index_methods=frozenset({"btree", "hash", "gin", "gist", "spgist", "brin"}),
        drop_together=True,
        comments=True,
        index_nulls=True,
        declarations=PostgresDeclarations(),
    ),
)
