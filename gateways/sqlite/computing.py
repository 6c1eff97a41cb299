"""
Functions of texts, floats, moments, lists and documents that SQLite lacks, and how its SQL calls them.

`FUNCTIONS` has what `gateways.sqlite.functions` makes known to each connection, `OPERATORS` the templates of the
dialect, `JSON` how parts of documents are taken. NULL never gets into a function.

| name | value |
|---|---|
| `repeat_of(a, n)` `reverse_of(a)` `lpad_of(a, n, fill)` `rpad_of(a, n, fill)` | text |
| `sqrt_of(a)` `exp_of(a)` `ln_of(a)` `log10_of(a)` `power_of(a, b)` | floats; NULL outside of the domain |
| `moment_add_of(a, b)` `moment_sub_of(a, b)` | a moment or a date, `b` microseconds later or earlier |
| `moment_diff_of(a, b)` | microseconds between two moments or two dates |
| `trunc_of(unit, a)` | the beginning of the year, month … of a moment or a date |
| `list_append_of(a, b)` `list_remove_of(a, b)` `decimal_remove_of(a, b)` | a list with an item more, or without some |
| `json_part_of(a, path)` | the part of a document at a path, a JSON array of keys and positions |
| `json_value_of(type, a)` | a document as a value of a type; NULL where it is nothing of the kind |
"""

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec

from gateways.sql import Template, function, operator
from gateways.sql.computed import FLOATS, JSON_VALUES, moved, padded, repeated, truncated
from gateways.sql.dialect import JsonStyle, OperatorKey
from gateways.sql.pieces import Sql, sql
from gateways.sql.templates import enclosing
from gateways.sqlite.columns import json_item
from gateways.sqlite.decoding import decimal_of
from mapper.paths import Steps, kind_of
from mapper.types import Bytes, Float, Json, List, Numeric, StorageType, Text, decimals

__all__ = ["FUNCTIONS", "JSON", "OPERATORS", "list_item"]

_encode: Final = msgspec.json.Encoder().encode
_RAW: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ANY: Final = msgspec.json.Decoder(float_hook=Decimal)
MICROSECOND: Final = dt.timedelta(microseconds=1)


# -- moments -----------------------------------------------------------------------------------------------------------


def _read(text: str) -> Any:
    return dt.date.fromisoformat(text) if len(text) == len("2000-01-01") else dt.datetime.fromisoformat(text)


def _written(moment: Any) -> str:
    return moment.isoformat(" ") if isinstance(moment, dt.datetime) else moment.isoformat()


def _moved(sign: int, text: str, microseconds: int) -> str:
    return _written(moved(_read(text), sign * microseconds * MICROSECOND))


def _difference(left: str, right: str) -> int:
    return int((_read(left) - _read(right)) // MICROSECOND)


# -- lists -------------------------------------------------------------------------------------------------------------


def _item(value: Any) -> Any:
    """Return a value as it stands in a JSON array; see `gateways.sqlite.codecs.json_parameter`."""
    if isinstance(value, float) and value - value != 0:
        raise ValueError("JSON, in which SQLite keeps lists, has no infinity")
    return value.hex() if isinstance(value, bytes) else value


def _appended(text: str, value: Any) -> str:
    return _encode([*_RAW.decode(text), msgspec.Raw(_encode(_item(value)))]).decode()


def _removed(same: Callable[[Any, Any], bool], text: str, value: Any) -> str:
    unwanted = _item(value)
    kept = [each for each in _RAW.decode(text) if not same(msgspec.json.decode(each), unwanted)]
    return _encode(kept).decode()


def _same_decimal(item: Any, value: Any) -> bool:
    return item is not None and decimal_of(item) == decimal_of(value)


# -- documents ---------------------------------------------------------------------------------------------------------


def _part(text: str, path: str) -> str | None:
    found = msgspec.json.decode(text)
    for step in msgspec.json.decode(path):
        if isinstance(step, int):
            if not isinstance(found, list) or not -len(found) <= step < len(found):
                return None
        elif not isinstance(found, dict) or step not in found:
            return None
        found = found[step]
    return _encode(found).decode()


_KINDS: Final = {each.__name__: each for each in (Decimal, dt.date, dt.datetime, UUID)}


def _value(kind: str, text: str) -> str | None:
    found = JSON_VALUES[_KINDS[kind]](_ANY.decode(text))
    if found is None:
        return None
    if isinstance(found, Decimal):
        return decimals.text(found)
    return _written(found) if isinstance(found, dt.date) else str(found)


FUNCTIONS: Final[tuple[tuple[str, int, Callable[..., Any]], ...]] = (
    ("repeat_of", 2, repeated),
    ("reverse_of", 1, lambda text: text[::-1]),
    ("lpad_of", 3, partial(padded, before=True)),
    ("rpad_of", 3, partial(padded, before=False)),
    *[(f"{name}_of", 2 if name == "power" else 1, compute) for name, compute in FLOATS.items()],
    ("moment_add_of", 2, partial(_moved, 1)),
    ("moment_sub_of", 2, partial(_moved, -1)),
    ("moment_diff_of", 2, _difference),
    ("trunc_of", 2, lambda unit, text: _written(truncated(unit, _read(text)))),
    ("list_append_of", 2, _appended),
    ("list_remove_of", 2, partial(_removed, lambda item, value: item == value and item is not None)),
    ("decimal_remove_of", 2, partial(_removed, _same_decimal)),
    ("json_part_of", 2, _part),
    ("json_value_of", 2, _value),
)


# -- the dialect -------------------------------------------------------------------------------------------------------


def _of_lists(type_: StorageType[Any]) -> dict[OperatorKey, Template]:
    """Return the operators over lists whose items are of a type."""
    a, b = json_item(type_, "a.value"), json_item(type_, "b.value")
    unknown = "CASE WHEN {0} IS NULL OR {1} IS NULL THEN NULL ELSE"
    overlap = f"SELECT 1 FROM json_each({{0}}) AS a WHERE {a} IN (SELECT {b} FROM json_each({{1}}) AS b)"
    lacking = (
        f"SELECT 1 FROM json_each({{1}}) AS b WHERE NOT EXISTS (SELECT 1 FROM json_each({{0}}) AS a WHERE {a} = {b})"
    )
    return {
        "list_overlaps": enclosing(f"{unknown} EXISTS ({overlap}) END"),
        "list_contains_all": enclosing(f"{unknown} NOT EXISTS ({lacking}) END"),
    }


_TRUNCATED: Final = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")

OPERATORS: Final[dict[OperatorKey, Template]] = {
    "position": function("instr({0}, {1})"),
    "left": function("substr({0}, 1, max({1}, 0))"),
    "right": enclosing("CASE WHEN {1} <= 0 THEN substr({0}, 1, 0) ELSE substr({0}, -{1}) END"),
    "repeat": function("repeat_of({0}, {1})"),
    "reverse": function("reverse_of({0})"),
    "lpad": function("lpad_of({0}, {1}, {2})"),
    "rpad": function("rpad_of({0}, {1}, {2})"),
    **{name: function(f"{name}_of({{*}})") for name in FLOATS},
    "sign": enclosing("CASE WHEN {0} > 0 THEN 1 WHEN {0} < 0 THEN -1 WHEN {0} = 0 THEN 0 END"),
    ("sign", Numeric): function("decimal_cmp({0}, 0)"),
    "greatest": function("max({*})"),
    "least": function("min({*})"),
    "moment_add": function("moment_add_of({0}, {1})"),
    "moment_sub": function("moment_sub_of({0}, {1})"),
    "moment_diff": function("moment_diff_of({0}, {1})"),
    **{f"trunc_{unit}": function(f"trunc_of('{unit}', {{0}})") for unit in _TRUNCATED},
    ("length", List): function("json_array_length({0})"),
    **_of_lists(Text()),
    **{
        (str(name), type(each)): text
        for each in (Float(), Bytes(), Numeric())
        for name, text in _of_lists(each).items()
    },
    "list_append": function("list_append_of({0}, {1})"),
    "list_remove": function("list_remove_of({0}, {1})"),
    ("list_remove", Numeric): function("decimal_remove_of({0}, {1})"),
    "json_type": enclosing(
        "CASE json_type({0}) WHEN 'text' THEN 'string' WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number'"
        " WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean' ELSE json_type({0}) END"
    ),
    "json_length": enclosing("CASE WHEN json_type({0}) = 'array' THEN json_array_length({0}) END"),
}


def list_item(type_: StorageType[Any], position: int) -> Template:
    """Return the template of an item of a list."""
    reference = f"({{0}} ->> '$[{'' if position >= 0 else '#'}{position}]')"
    return operator(json_item(type_, reference))


_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f]+')
"""Keys that a path of SQLite can name; its labels know no escapes."""


def _path(steps: Steps) -> str | None:
    """Return the steps as a path of SQLite, in quotes; None where it cannot name one of them."""
    if not all(isinstance(each, int) or _PLAIN.fullmatch(each) for each in steps):
        return None
    parts = [f'."{each}"' if isinstance(each, str) else f"[{'' if each >= 0 else '#'}{each}]" for each in steps]
    return _quoted("$" + "".join(parts))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _json_part(document: Sql, steps: Steps) -> Sql:
    path = _path(steps)
    if path is None:
        return sql("json_part_of(", document, f", {_quoted(_encode(list(steps)).decode())})")
    return sql("(", document, f" -> {path})")


def _json_value(document: Sql, steps: Steps, type_: StorageType[Any]) -> Sql:
    part, path = _json_part(document, steps), _path(steps)
    place = sql(document, f", {path}") if path is not None else sql(part, ", '$'")
    kind, value = sql("json_type(", place, ")"), sql("json_extract(", place, ")")
    if isinstance(type_, Json):
        wanted = kind_of(type_)
        return part if wanted is None else sql("CASE WHEN ", kind, f" = '{wanted}' THEN ", part, " END")
    match type_.python.__name__:
        case "str":
            return sql("CASE WHEN ", kind, " = 'text' THEN ", value, " END")
        case "bool":
            return sql("CASE ", kind, " WHEN 'true' THEN 1 WHEN 'false' THEN 0 END")
        case "float":
            return sql("CASE WHEN ", kind, " IN ('integer', 'real') THEN CAST(", value, " AS REAL) END")
        case "int":
            cut = sql("CAST(", value, " AS INTEGER)")
            is_whole = sql(kind, " IN ('integer', 'real') AND ", value, " = ", cut)
            return sql("CASE WHEN ", is_whole, " THEN ", cut, " END")
        case name:
            return sql(f"json_value_of('{name}', ", part, ")")


JSON: Final = JsonStyle(_json_part, _json_value)
