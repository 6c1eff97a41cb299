"""
An async-first data mapper: relations as classes, typed queries as async iterators, changesets as data.

Everything that a program needs is imported from here; gateways and cache drivers are in the packages `gateways` and
`cache_drivers`.
"""

from mapper import errors
from mapper import functions as fn
from mapper._version import __version__
from mapper.capabilities import Capabilities
from mapper.changeset import Changeset, Deletes, Inserts, Updates
from mapper.columns import Check, Column, Index, Unique, column
from mapper.commit import Committed
from mapper.deferred import Ref
from mapper.errors import *  # noqa: F403
from mapper.expressions import Assignment, Attribute, Expr, Order
from mapper.functions import rows_between
from mapper.operations import Operation, RawSql, Result
from mapper.pages import Cursor, Page
from mapper.prepared import prepared
from mapper.query import One, Query
from mapper.relation import CommonTable, Relation
from mapper.repository import Repository
from mapper.row import Row
from mapper.rows import Rows
from mapper.select import exists, optional, raw, scalar, select
from mapper.stores import Stores
from mapper.terms import excluded, fragment, literal, outer
from mapper.types import Char, Codec, Enumeration, Json, Numeric, Timestamp, Varchar
from mapper.wrappers import Keyed, Timestamped, Versioned

__all__ = [
    "Assignment",
    "Attribute",
    "Capabilities",
    "Changeset",
    "Char",
    "Check",
    "Codec",
    "Column",
    "Committed",
    "CommonTable",
    "Cursor",
    "Deletes",
    "Enumeration",
    "Expr",
    "Index",
    "Inserts",
    "Json",
    "Keyed",
    "Numeric",
    "One",
    "Operation",
    "Order",
    "Page",
    "Query",
    "RawSql",
    "Ref",
    "Relation",
    "Repository",
    "Result",
    "Row",
    "Rows",
    "Stores",
    "Timestamp",
    "Timestamped",
    "Unique",
    "Updates",
    "Varchar",
    "Versioned",
    "__version__",
    "column",
    "errors",
    "excluded",
    "exists",
    "fn",
    "fragment",
    "literal",
    "optional",
    "outer",
    "prepared",
    "raw",
    "rows_between",
    "scalar",
    "select",
]
__all__ += errors.__all__
