"""
Dialects as data: what one database's SQL has of its own.

A `Dialect` is a frozen value of texts, tables and small strategies; the compiler asks it and never for its name.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from attrs import frozen

from gateways.sql.pieces import Bind, Sql
from gateways.sql.templates import Template
from mapper.capabilities import Capabilities
from mapper.expressions import Expr
from mapper.types import Codec, Codecs, Encoder, Enumeration, StorageType

__all__ = [
    "AggregateText",
    "Casts",
    "Dialect",
    "Exact",
    "Form",
    "OperatorKey",
    "Operators",
    "RowList",
    "SchemaStyle",
    "stored",
]

OperatorKey: TypeAlias = str | tuple[str, type[Any] | int]
"""
An operator's name; or its name and the class that one of its operands has, a storage type or `RowValue`; or its name
and the number of its operands. The second is looked for first, then the third, then the name alone.
"""

Operators: TypeAlias = Mapping[OperatorKey, Template]

Casts: TypeAlias = Mapping[tuple[type[Any] | None, type[Any]], Template]
"""Templates by the classes of the storage types from which and to which a value is converted; None is any."""

Form: TypeAlias = Callable[[Codecs, Bind], Encoder]
"""Makes the function that makes of a parameter's Python value what is bound."""

RowList: TypeAlias = Callable[[Sequence[Bind]], Sql]
"""
Makes the rows of parallel lists, for the right side of a composite IN. Each place has the index and the type of one
list.
"""

Exact: TypeAlias = Callable[[StorageType[Any], Expr[Any, Any]], Template | None]
"""
What an expression goes through before a column of a type keeps it, or a result has it, so that no digit is lost unseen;
None where none can be.
"""


@frozen
class AggregateText:
    """
    An aggregate or window function.

    Attributes:
        name: The function's name.
        result: What is made of its value, as a template over it; None where it is right already.
        arguments: What is made of its operands, as a template over them; None where they are right as they are.
    """

    name: str
    result: Template | None = None
    arguments: Template | None = None


@frozen(kw_only=True, eq=False)
class SchemaStyle:
    """
    How tables are made.

    Attributes:
        type_text: The text of a storage type.
        autoincrement: What makes a column a key that the store counts, in the place of its type and everything else;
            `{type}` is its type.
        generated: A computed column; `{0}` is its text.
        expression: How an expression stands as a default.
        late_references: Whether a table may refer to one that does not exist yet.
        schema_in_references: Whether the namespace of a table referred to is named.
        schema_in_index: Whether an index is created in the table's namespace by its own name, instead of by the
            table's.
        index_methods: Methods that an index may name.
        drop_together: Whether one statement drops several tables that refer to each other.
        before_drop: A statement that lets tables that refer to each other be dropped one by one, or None.
        namespace: The statement that creates a namespace unless it is there, as a template over its name; None where
            there is nothing to create.
        unless_there: What is put around a statement that adds a constraint, so that it is none where that is there
            already.
        comments: Whether tables and columns have comments.
    """

    type_text: Callable[[StorageType[Any]], str]
    autoincrement: str
    generated: str
    expression: str = "({0})"
    late_references: bool = False
    schema_in_references: bool = True
    schema_in_index: bool = False
    index_methods: frozenset[str] = frozenset()
    drop_together: bool = False
    before_drop: str | None = None
    comments: bool = False
    namespace: str | None = None
    unless_there: str = "{0}"


@frozen(kw_only=True, eq=False)
class Dialect:
    """
    One database's SQL.

    Attributes:
        name: For messages.
        capabilities: What the gateway can do; read before any text is made.
        quote: The character around names; doubled within them.
        placeholder: The text of a parameter's place, of its number from 1 and the place.
        qualified: Whether columns are always qualified, for a store that takes an unknown quoted name for a string.
        operators: Operators and functions by name.
        aggregates: Aggregates and window functions, keyed as operators are.
        casts: Conversions. One that is not in it is refused.
        forms: Ways of binding a parameter; `value`, `list` and those that templates name.
        row_list: See `RowList`.
        inline: Operators for text without parameters, such as checks, that differ from `operators`.
        collation: The collation of columns of a type, which an expression that is no column must be given; None where
            it is the store's own.
        exact: See `Exact`.
        literal: The text of an encoded value, where no parameter may stand.
        nulls: Whether the store sorts NULL as the smallest or as the largest value.
        unlimited: What stands before OFFSET where there is no limit; "" where nothing need.
        values_column: The name of a column of VALUES; `{0}` is its number from 1.
        compounds: Texts of set operations; those missing are made of others.
        intersect_first: Whether INTERSECT binds tighter than UNION and EXCEPT.
        distinct_on: Whether DISTINCT ON is known.
        locks: Texts of row locks.
        upsert_any: Whether an upsert that updates may leave out the conflict's columns.
        default_row: What stands for the columns and values of a row of defaults.
        schema: How tables are made.
    """

    name: str
    capabilities: Capabilities
    quote: str = '"'
    placeholder: Callable[[int, Bind], str]
    qualified: bool = False
    operators: Operators
    aggregates: Mapping[OperatorKey, AggregateText]
    casts: Casts
    forms: Mapping[str, Form]
    row_list: RowList
    inline: Operators
    collation: Callable[[StorageType[Any]], str | None]
    exact: Exact
    literal: Callable[[Any], str]
    nulls: Literal["smallest", "largest"]
    unlimited: str = ""
    values_column: str = "column{0}"
    compounds: Mapping[str, str]
    intersect_first: bool = False
    distinct_on: bool = False
    locks: Mapping[str, str]
    upsert_any: bool = False
    default_row: str = "DEFAULT VALUES"
    schema: SchemaStyle

    def name_of(self, *path: str | None) -> str:
        """Return a name, quoted, behind the names of what it is in; None among those is left out."""
        quote = self.quote
        return ".".join([f"{quote}{each.replace(quote, quote * 2)}{quote}" for each in path if each is not None])

    def encoder(self, codecs: Codecs, bind: Bind) -> Encoder:
        """Return the function that makes of a parameter's value what is bound at a place."""
        return self.forms[bind.form](codecs, bind)


def stored(type_: StorageType[Any]) -> StorageType[Any]:
    """
    Return the storage type of what is in the store: that which an enumeration or a codec of the user's is kept as.
    """
    while True:
        if isinstance(type_, Codec):
            type_ = type_.storage
        elif isinstance(type_, Enumeration):
            type_ = type_.stored
        else:
            return type_
