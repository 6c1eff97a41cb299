"""
What declarations of one store alone become: types of its own, indexes with more options, other constraints, views.

Values of a gateway's own package go in; parts of statements come out, or None where the store has no such thing, which
is then refused. `Declarations` has none of them; a dialect gives a subclass of it.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from attrs import frozen

from mapper.columns import Constraint, Index, IndexTerm, Storage
from mapper.expressions import Expr
from mapper.types import Codecs, StorageType

if TYPE_CHECKING:
    from gateways.sql.dialect import Dialect
    from mapper.relation import RelationInfo

__all__ = ["Condition", "Declarations", "IndexText", "OwnType", "TableText", "TableWriter", "ViewText"]

Condition: TypeAlias = str | Callable[[], Expr[bool, Any]]
"""SQL over column names, or a function that gives an expression."""


@frozen
class OwnType:
    """
    A type of the store's own, which is made before the tables whose columns have it, and dropped after them.

    Attributes:
        path: Its namespace, or None, and its name.
        create, drop: Statements; nothing is done where it is there already, or in use elsewhere.
    """

    path: tuple[str | None, str]
    create: str
    drop: str


@frozen
class IndexText:
    """
    The parts of an index.

    Attributes:
        suffixes: What stands behind each term; () where nothing does.
        behind: What stands behind all of them, before the condition.
    """

    suffixes: tuple[str, ...] = ()
    behind: str = ""


@frozen
class TableText:
    """
    The parts of a table.

    Attributes:
        kind: What is created.
        behind: What stands behind its columns and constraints.
    """

    kind: str = "TABLE"
    behind: str = ""


@frozen(eq=False)
class ViewText:
    """
    A relation that has the rows of a query.

    Attributes:
        kind: What it is, as DROP and COMMENT name it.
        create: The statement that creates it where it is missing.
        reads: Relations that its query reads.
    """

    kind: str
    create: str
    reads: frozenset[Any]


class TableWriter(Protocol):
    """Writes parts of one table; see `gateways.sql.tables.Table`."""

    def column_name(self, attribute: str) -> str:
        """Return the name of a column, quoted."""
        ...

    def term(self, term: IndexTerm) -> str:
        """Return a column's name, or an expression in parentheses, with its order."""
        ...

    def condition(self, condition: Condition) -> str:
        """Return the text of a condition."""
        ...


class Declarations:
    """What a store has beyond tables with columns, checks and plain indexes: nothing."""

    def own_types(self, type_: StorageType[Any]) -> Sequence[OwnType]:
        """Return the types of the store's own that a storage type needs, each behind those that it needs itself."""
        del type_
        return ()

    def index(self, index: Index, table: TableWriter) -> IndexText | None:
        """Return the parts of an index that a plain one does not have."""
        del table
        return IndexText() if type(index) is Index else None

    def constraint(self, constraint: Constraint, table: TableWriter) -> str | None:
        """Return the text of a constraint, behind its name."""
        del constraint, table
        return None

    def table(self, storage: Storage) -> TableText | None:
        """Return the parts of a table that is kept otherwise than usual."""
        del storage
        return None

    def view(self, relation: "RelationInfo", dialect: "Dialect", codecs: Codecs) -> ViewText | None:
        """Return the statements of a relation that has the rows of a query."""
        del relation, dialect, codecs
        return None
