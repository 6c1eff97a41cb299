"""
An async-first data mapper: relations as classes, typed queries as async iterators, changesets as data.

Everything that a program needs is imported from here; gateways and cache drivers are in the packages `gateways` and
`cache_drivers`. A name is imported when it is first asked for, with what it needs: a program pays for what it uses.
"""

import typing as _typing
from importlib import import_module as _import_module

from mapper import errors
from mapper._version import __version__
from mapper.errors import *  # noqa: F403

if _typing.TYPE_CHECKING:
    from mapper import functions as fn
    from mapper.batches import Batch, batch
    from mapper.cache import Cache, ReadThrough
    from mapper.caching import CachePolicy
    from mapper.capabilities import Capabilities
    from mapper.changeset import Changeset, Deletes, Inserts, Updates
    from mapper.columns import Check, Column, Embedded, Index, Unique, column
    from mapper.committed import Committed
    from mapper.conditions import all_of, any_of, omitted, tuple_
    from mapper.deferred import Ref
    from mapper.explaining import Plan
    from mapper.expressions import Assignment, Attribute, Expr, Order
    from mapper.functions import groups_between, range_between, rows_between, window
    from mapper.nesting import Children
    from mapper.operations import Operation, RawSql, Result
    from mapper.pages import Cursor, Page
    from mapper.preparing import prepared
    from mapper.pushed import Pushed
    from mapper.query import One, Query
    from mapper.relating import aggregate, all_, any_, none_
    from mapper.relation import CommonTable, Relation
    from mapper.relationships import BelongsTo, HasMany, HasOne, ManyToMany, Through
    from mapper.repository import Repository
    from mapper.returned import Returned
    from mapper.row import Row
    from mapper.rows import Rows
    from mapper.selecting import exists, model_of, optional, raw, scalar, select
    from mapper.sources import subquery, values
    from mapper.stores import Stores
    from mapper.terms import excluded, fragment, literal, outer
    from mapper.types import Char, Codec, Enumeration, Int, Json, Numeric, Timestamp, Varchar
    from mapper.violations import constraint_errors
    from mapper.wrappers import Keyed, Timestamped, Versioned

__all__ = [
    "Assignment",
    "Attribute",
    "Batch",
    "BelongsTo",
    "Cache",
    "CachePolicy",
    "Capabilities",
    "Changeset",
    "Char",
    "Check",
    "Children",
    "Codec",
    "Column",
    "Committed",
    "CommonTable",
    "Cursor",
    "Deletes",
    "Embedded",
    "Enumeration",
    "Expr",
    "HasMany",
    "HasOne",
    "Index",
    "Inserts",
    "Int",
    "Json",
    "Keyed",
    "ManyToMany",
    "Numeric",
    "One",
    "Operation",
    "Order",
    "Page",
    "Plan",
    "Pushed",
    "Query",
    "RawSql",
    "ReadThrough",
    "Ref",
    "Relation",
    "Repository",
    "Result",
    "Returned",
    "Row",
    "Rows",
    "Stores",
    "Through",
    "Timestamp",
    "Timestamped",
    "Unique",
    "Updates",
    "Varchar",
    "Versioned",
    "__version__",
    "aggregate",
    "all_",
    "all_of",
    "any_",
    "any_of",
    "batch",
    "column",
    "constraint_errors",
    "errors",
    "excluded",
    "exists",
    "fn",
    "fragment",
    "groups_between",
    "literal",
    "model_of",
    "none_",
    "omitted",
    "optional",
    "outer",
    "prepared",
    "range_between",
    "raw",
    "rows_between",
    "scalar",
    "select",
    "subquery",
    "tuple_",
    "values",
    "window",
]
__all__ += errors.__all__

_PLACES: _typing.Final[_typing.Mapping[str, str]] = {
    "mapper.batches": "Batch batch",
    "mapper.cache": "Cache ReadThrough",
    "mapper.caching": "CachePolicy",
    "mapper.capabilities": "Capabilities",
    "mapper.changeset": "Changeset Deletes Inserts Updates",
    "mapper.columns": "Check Column Embedded Index Unique column",
    "mapper.committed": "Committed",
    "mapper.conditions": "all_of any_of omitted tuple_",
    "mapper.deferred": "Ref",
    "mapper.explaining": "Plan",
    "mapper.expressions": "Assignment Attribute Expr Order",
    "mapper.functions": "groups_between range_between rows_between window",
    "mapper.nesting": "Children",
    "mapper.operations": "Operation RawSql Result",
    "mapper.pages": "Cursor Page",
    "mapper.preparing": "prepared",
    "mapper.pushed": "Pushed",
    "mapper.query": "One Query",
    "mapper.relating": "aggregate all_ any_ none_",
    "mapper.relation": "CommonTable Relation",
    "mapper.relationships": "BelongsTo HasMany HasOne ManyToMany Through",
    "mapper.repository": "Repository",
    "mapper.returned": "Returned",
    "mapper.row": "Row",
    "mapper.rows": "Rows",
    "mapper.selecting": "exists model_of optional raw scalar select",
    "mapper.sources": "subquery values",
    "mapper.stores": "Stores",
    "mapper.terms": "excluded fragment literal outer",
    "mapper.types": "Char Codec Enumeration Int Json Numeric Timestamp Varchar",
    "mapper.violations": "constraint_errors",
    "mapper.wrappers": "Keyed Timestamped Versioned",
}
"""The names that are imported when they are first asked for, by the modules that they are in."""

_PLACE_OF: _typing.Final = {name: place for place, names in _PLACES.items() for name in names.split()}


_MODULES: _typing.Final = frozenset({"cache", "progress", "schema", "testing", "types"})
"""The packages and modules that users import from by themselves: `mapper.schema.describe` is found as it is."""


def __getattr__(name: str) -> _typing.Any:
    """Import a name that is asked for the first time."""
    if name in _MODULES:
        return _import_module(f"mapper.{name}")
    if name == "fn":
        value: _typing.Any = _import_module("mapper.functions")
    elif (place := _PLACE_OF.get(name)) is not None:
        value = getattr(_import_module(place), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__]
