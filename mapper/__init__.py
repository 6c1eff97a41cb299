"""
An async-first data mapper: relations as classes, typed queries as async iterators, changesets as data.

Everything that a program needs is imported from here; gateways and cache drivers are in the packages `gateways` and
`cache_drivers`.
"""

import typing as _typing

from mapper import errors
from mapper import functions as fn
from mapper._version import __version__
from mapper.batches import Batch, batch
from mapper.caching import CachePolicy
from mapper.capabilities import Capabilities
from mapper.changeset import Changeset, Deletes, Inserts, Updates
from mapper.columns import Check, Column, Embedded, Index, Unique, column
from mapper.committed import Committed
from mapper.conditions import all_of, any_of, omitted, tuple_
from mapper.deferred import Ref
from mapper.errors import *  # noqa: F403
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

if _typing.TYPE_CHECKING:
    from mapper.cache import Cache, ReadThrough

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


def __getattr__(name: str) -> _typing.Any:
    """Import the cache when it is first asked for: it is a third of everything, and many programs have none."""
    if name in {"Cache", "ReadThrough"}:
        from mapper import cache

        return getattr(cache, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
