"""
SQL for every gateway that speaks it: one compiler, whose dialects are data.

Statements go in, with a `Dialect`; operations with SQL text and encoded parameters come out.
"""

from gateways.sql.compiler import SqlCompiler
from gateways.sql.dialect import AggregateText, Casts, Dialect, Form, Operators, SchemaStyle
from gateways.sql.templates import Template, function, operator

__all__ = [
    "AggregateText",
    "Casts",
    "Dialect",
    "Form",
    "Operators",
    "SchemaStyle",
    "SqlCompiler",
    "Template",
    "function",
    "operator",
]
