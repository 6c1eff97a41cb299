"""
What PostgreSQL has beyond plain tables and indexes, for the general writer of schemas.

Declared values go in, parts of statements come out; the values and their texts are in the modules imported here.
"""

from collections.abc import Sequence
from typing import Any

from gateways.postgres.enums import own_types
from gateways.postgres.indexes import Exclusion, exclusion_text, index_text
from gateways.postgres.storages import table_text, view_text
from gateways.sql.declarations import Declarations, IndexText, OwnType, TableText, TableWriter, ViewText
from gateways.sql.dialect import Dialect
from mapper.columns import Constraint, Index, Storage
from mapper.relation import RelationInfo
from mapper.types import Codecs, StorageType

__all__ = ["PostgresDeclarations"]


class PostgresDeclarations(Declarations):
    """Enumerations, domains, indexes with options, exclusion constraints, unlogged tables, materialized views."""

    def own_types(self, type_: StorageType[Any]) -> Sequence[OwnType]:
        """Return the types of the database's own that a storage type needs."""
        return own_types(type_)

    def index(self, index: Index, table: TableWriter) -> IndexText | None:
        """Return the parts of an index that a plain one does not have."""
        return index_text(index, table)

    def constraint(self, constraint: Constraint, table: TableWriter) -> str | None:
        """Return the text of a constraint, behind its name."""
        return exclusion_text(constraint, table) if isinstance(constraint, Exclusion) else None

    def table(self, storage: Storage) -> TableText | None:
        """Return the parts of a table that is kept otherwise than usual."""
        return table_text(storage)

    def view(self, relation: RelationInfo, dialect: Dialect, codecs: Codecs) -> ViewText | None:
        """Return the statements of a materialized view."""
        return view_text(relation, dialect, codecs)
