"""
Dialects as data: what one database's SQL has of its own.

A `Dialect` is a frozen value of texts, tables and small strategies; the compiler asks it and never for its name.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from gateways.sql.declarations import Declarations
from gateways.sql.pieces import Bind, Sql
from gateways.sql.templates import Template
from mapper.capabilities import Capabilities
from mapper.expressions import Expr
from mapper.paths import Steps
from mapper.relation import RelationInfo
from mapper.types import Codec, Codecs, Encoder, Enumeration, StorageType

__all__ = [
    "AggregateText",
    "Casts",
    "Dialect",
    "Exact",
    "Form",
    "JsonStyle",
    "OperatorKey",
    "Operators",
    "RowList",
    "SchemaStyle",
    "ValueRows",
    "stored",
]

OperatorKey: TypeAlias = str | tuple[str, type[Any] | int]
"""
An operator's name, behind which an expression may carry a mark of its own (`name::mark`); or its name and the class that
one of its operands has, a storage type or `RowValue`; or its name and the number of its operands. The second is looked
for first, then the third, then the name alone.
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

ValueRows: TypeAlias = Callable[[Bind, Sequence[str]], Sql]
"""
Makes a select of the rows of a list of tuples: of the place, which has the types of their values, and the quoted names
of the columns.
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
        ours: Whether it is a function of the gateway's own, to which distinctness and order are told by further
            arguments: before the operands a text, `distinct` or nothing, and behind them for each term of the order a
            text such as `desc last` and its expression.
        within_group: Whether its order stands behind its arguments, as that of the rows which it looks at (`WITHIN
            GROUP`), and not among them.
    """

    name: str
    result: Template | None = None
    arguments: Template | None = None
    within_group: bool = False
    ours: bool = False


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
        alters_constraints: Whether constraints of a table that exists can be added and dropped.
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
        index_nulls: Whether an index may say where its NULLs are.
        declarations: What the store has beyond plain tables and indexes.
    """

    type_text: Callable[[StorageType[Any]], str]
    autoincrement: str
    generated: str
    expression: str = "({0})"
    alters_constraints: bool = False
    late_references: bool = False
    schema_in_references: bool = True
    schema_in_index: bool = False
    index_methods: frozenset[str] = frozenset()
    drop_together: bool = False
    before_drop: str | None = None
    comments: bool = False
    namespace: str | None = None
    unless_there: str = "{0}"
    index_nulls: bool = False
    declarations: Declarations = field(factory=Declarations)


@frozen
class JsonStyle:
    """
    How parts of JSON documents are taken.

    Attributes:
        part: The part at some steps, as JSON; NULL where it is not there.
        value: The same as a value of a storage type; NULL where it is nothing of the kind.
    """

    part: Callable[[Sql, Steps], Sql]
    value: Callable[[Sql, Steps, StorageType[Any]], Sql]


@frozen(kw_only=True, eq=False)
class Dialect:
    """
    One database's SQL.

    Attributes:
        name: For messages.
        capabilities: What the gateway can do; read before any text is made.
        quote: The character around names; doubled within them.
        placeholder: The text of a parameter's place, of its number from 1 and the place.
        numbered: Whether that text names the parameter, so that one parameter may have several places, and expressions
            are recognised as the same only where they do.
        qualified: Whether columns are always qualified, for a store that takes an unknown quoted name for a string.
        operators: Operators and functions by name.
        aggregates: Aggregates and window functions, keyed as operators are.
        casts: Conversions. One that is not in it is refused.
        forms: Ways of binding a parameter; `value`, `list` and those that templates name.
        row_list: See `RowList`.
        json: How parts of documents are taken.
        list_item: The template of the item of a list of that type at a position, from its end where that is negative.
        inline: Operators for text without parameters, such as checks, that differ from `operators`.
        collation: The collation of columns of a type, which an expression that is no column must be given; None where
            it is the store's own.
        exact: See `Exact`.
        overflow: What the result of arithmetic goes through where it is used, so that it has not left its range unseen;
            None where the store sees to that.
        several_rows: What fails where a subquery used as one value gives several rows; None where the store sees to that.
        literal: The text of an encoded value, where no parameter may stand.
        distances: What writes a distance between two values, by the class of their storage type. A window ordered by
            one that is not in it has no frame by distance.
        nulls: Whether the store sorts NULL as the smallest or as the largest value.
        unlimited: What stands before OFFSET where there is no limit; "" where nothing need.
        value_rows: See `ValueRows`.
        compounds: Texts of set operations; those missing are made of others.
        intersect_first: Whether INTERSECT binds tighter than UNION and EXCEPT.
        distinct_on: Whether DISTINCT ON is known.
        lone_having: Whether HAVING alone makes a select one of a group.
        right_joins_in_parts: Whether a right or full join may stand in a part of a set operation as it is.
        constants_in_joins: Whether a condition of an inner join that depends on no row may stand before a right or full
            join as it is.
        locks: Texts of row locks.
        upsert_any: Whether an upsert that updates may leave out the conflict's columns.
        default_row: What stands for the columns and values of a row of defaults.
        default_schema: The namespace of relations that declare none; None where that is left to the store.
        schema: How tables are made.
    """

    name: str
    capabilities: Capabilities
    quote: str = '"'
    placeholder: Callable[[int, Bind], str]
    numbered: bool = False
    qualified: bool = False
    operators: Operators
    aggregates: Mapping[OperatorKey, AggregateText]
    casts: Casts
    forms: Mapping[str, Form]
    row_list: RowList
    json: JsonStyle
    list_item: Callable[[StorageType[Any], int], Template]
    inline: Operators
    collation: Callable[[StorageType[Any]], str | None]
    exact: Exact
    overflow: Callable[[Expr[Any, Any]], Template | None] = lambda node: None
    several_rows: str | None = None
    literal: Callable[[Any], str]
    distances: Mapping[type[Any], Callable[[Any], str]]
    nulls: Literal["smallest", "largest"]
    unlimited: str = ""
    value_rows: ValueRows
    compounds: Mapping[str, str]
    intersect_first: bool = False
    distinct_on: bool = False
    lone_having: bool = True
    right_joins_in_parts: bool = True
    constants_in_joins: bool = True
    locks: Mapping[str, str]
    upsert_any: bool = False
    default_row: str = "DEFAULT VALUES"
    default_schema: str | None = None
    schema: SchemaStyle

    def name_of(self, *path: str | None) -> str:
        """Return a name, quoted, behind the names of what it is in; None among those is left out."""
        quote = self.quote
        return ".".join([f"{quote}{each.replace(quote, quote * 2)}{quote}" for each in path if each is not None])

    def schema_of(self, relation: RelationInfo) -> str | None:
        """Return the namespace of a relation; None where it is left to the store."""
        return self.default_schema if relation.schema is None else relation.schema

    def table_of(self, relation: RelationInfo) -> str:
        """Return the name of a relation's table, quoted, behind its namespace."""
        return self.name_of(self.schema_of(relation), relation.name)

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
