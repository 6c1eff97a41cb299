"""
The operators, functions, aggregates and conversions that only PostgreSQL has, as tables of its dialect.

Beside each table, in its own module, are the functions that users call.
"""

from typing import Final

from gateways.postgres.aggregates import AGGREGATES
from gateways.postgres.array_functions import ARRAYS
from gateways.postgres.document_functions import DOCUMENT_FUNCTIONS
from gateways.postgres.documents import DOCUMENTS
from gateways.postgres.moments import MOMENTS
from gateways.postgres.patterns import PATTERNS
from gateways.postgres.range_functions import RANGES
from gateways.postgres.text_search import TEXT_SEARCH
from gateways.postgres.types import Domain
from gateways.sql import Casts, Operators, operator
from gateways.sql.templates import enclosing
from mapper.types import Boolean, Float, Integer, Json, Numeric, Text, Uuid

__all__ = ["OWN_AGGREGATES", "OWN_CASTS", "OWN_OPERATORS"]

OWN_OPERATORS: Final[Operators] = {
    **ARRAYS,
    **DOCUMENTS,
    **DOCUMENT_FUNCTIONS,
    **MOMENTS,
    **PATTERNS,
    **RANGES,
    **TEXT_SEARCH,
    ("list_contains", Domain): operator("{1} = ANY({0})"),
}
OWN_AGGREGATES: Final = AGGREGATES

_TEXT: Final = "({0} #>> '{}')"

OWN_CASTS: Final[Casts] = {
    (Json, Text): operator("{0} #>> '{}'"),
    (Json, Integer): enclosing(f"CAST(trunc(CAST({_TEXT} AS numeric)) AS bigint)"),
    (Json, Float): enclosing(f"CAST({_TEXT} AS float8)"),
    (Json, Numeric): enclosing(f"CAST({_TEXT} AS numeric)"),
    (Json, Boolean): enclosing(f"CAST({_TEXT} AS boolean)"),
    (Json, Uuid): enclosing(f"CAST({_TEXT} AS uuid)"),
}
"""What a document holds as a single value; null becomes NULL."""
