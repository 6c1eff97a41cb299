"""
Texts as PostgreSQL searches them, and what is looked for: columns of `tsvector` and `tsquery`.

Both travel as the text that PostgreSQL writes them as.
"""

from typing import Any, Final

import attrs

from gateways.postgres.types import Naming, PostgresType
from mapper.types import Codecs, Decoder, Misfit, StorageType

__all__ = ["QUERY", "VECTOR", "Lexical", "TsQuery", "TsVector"]


class TsVector(str):
    """
    A text as PostgreSQL searches it: its lexemes with their places. `Column[TsVector]` is a column of type `tsvector`.
    """

    __slots__ = ()

    @classmethod
    def __storage_type__(cls) -> StorageType[Any]:
        """Return how a column annotated with it is stored."""
        return Lexical(cls)


class TsQuery(str):
    """What is looked for, as PostgreSQL writes it. `Column[TsQuery]` is a column of type `tsquery`."""

    __slots__ = ()

    @classmethod
    def __storage_type__(cls) -> StorageType[Any]:
        """Return how a column annotated with it is stored."""
        return Lexical(cls)


@attrs.frozen
class Lexical(PostgresType[Any]):
    """The storage type of `tsvector` or `tsquery`, by the class of its values, which travel as text."""

    cls: type[TsVector] | type[TsQuery]

    @property
    def python(self) -> type[Any]:
        return self.cls

    def check(self, value: object) -> Any:
        if not isinstance(value, str) or "\x00" in value:
            raise Misfit(value, f"the text of a {self.cls.__name__}")
        return value

    def parameter_type(self, named: Naming) -> str:
        del named
        return self.cls.__name__.lower()

    def decoder(self, codecs: Codecs) -> Decoder:
        del codecs
        return self.cls

    def _key(self) -> str:
        return f"pg:{self.cls.__name__.lower()}"


VECTOR: Final = Lexical(TsVector)
"""The storage type of texts."""

QUERY: Final = Lexical(TsQuery)
"""The storage type of what is looked for."""
