"""
Storage types that only PostgreSQL has: their base, domains, moments that may be infinite, documents kept as text.

Python values go in and out as of every storage type; `parameter_type` and `declared_type` say what PostgreSQL calls the
type. Another gateway refuses them before anything is sent.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import Any, LiteralString, TypeAlias

import attrs
from typing_extensions import TypeVar

from gateways.postgres.beyond import Infinity
from mapper.errors import DeclarationError
from mapper.types import (
    Codecs,
    Date,
    Decoder,
    Encoder,
    Json,
    StorageType,
    Timestamp,
    TimestampTz,
    UnknownType,
    document_decoder,
    document_encoder,
    narrow,
)

__all__ = ["Domain", "JsonText", "Naming", "OrInfinity", "PostgresType", "as_it_is"]

T = TypeVar("T")

Naming: TypeAlias = Callable[[StorageType[Any]], str]
"""Gives the name of a storage type in PostgreSQL."""


@attrs.frozen
class PostgresType(StorageType[T]):
    """
    A storage type of PostgreSQL alone: the base of those of this package, and of your own for an extension's types.

    A subclass has `python`, `check` and `_key` as every storage type, and `parameter_type`.
    """

    @abstractmethod
    def parameter_type(self, named: Naming) -> str:
        """Return the type that a parameter is cast to; `named` gives that of a storage type within this one."""

    def declared_type(self, named: Naming) -> str:
        """Return the type of a column; `named` gives that of a storage type within this one."""
        return self.parameter_type(named)

    def encoder(self, codecs: Codecs) -> Encoder:
        """Return the function that checks a value and makes what asyncpg takes; `codecs` are those of the gateway."""
        del codecs
        return self.check

    def decoder(self, codecs: Codecs) -> Decoder | None:
        """Return the function that makes a value of what asyncpg gave; None where that is the value."""
        del codecs
        return None

    def parts(self) -> Sequence[StorageType[Any]]:
        """Return the storage types that it is made of."""
        return ()


def as_it_is(value: Any) -> Any:
    """Decode what needs no decoding."""
    return value


@attrs.frozen
class Domain(PostgresType[Any]):
    """
    A type of the database's own, made of another: `Domain("email", Varchar(200), check="VALUE LIKE '%@%'")`.

    `push_schema` makes it where it is missing, and `reset_schema` drops it where nothing else uses it. In queries its
    columns are as those of the type that it is made of.

    Attributes:
        name, schema: What it is called, and its namespace.
        of: The type that it is made of.
        condition: SQL over `VALUE` that every value fulfils; given as `check=`.
    """

    name: str
    of: StorageType[Any]
    condition: LiteralString | None = attrs.field(default=None, alias="check", kw_only=True)
    schema: str | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not self.name or "\x00" in self.name:
            raise DeclarationError(f"Domain({self.name!r}): a name has at least one character and no NUL")
        super().__attrs_post_init__()

    @property
    def python(self) -> type[Any]:
        return self.of.python

    @property
    def plain(self) -> StorageType[Any]:
        return self.of.plain

    def completed(self, members: tuple[Any, ...]) -> StorageType[Any] | None:
        of, _ = narrow(reduce(or_, members), self.of)
        return attrs.evolve(self, of=of)

    def check(self, value: object) -> Any:
        return self.of.check(value)

    def parameter_type(self, named: Naming) -> str:
        """Return that of the type that it is made of: a value that the domain refuses is then found nowhere."""
        return named(self.of)

    def encoder(self, codecs: Codecs) -> Encoder:
        return codecs.encoder(self.of)

    def decoder(self, codecs: Codecs) -> Decoder | None:
        return codecs.decoder(self.of)

    def portable(self, value: Any) -> Any:
        return self.of.portable(value)

    def restored(self, value: Any) -> Any:
        return self.of.restored(value)

    def parts(self) -> Sequence[StorageType[Any]]:
        return (self.of,)

    def _key(self) -> str:
        return f"pg:domain({self.schema!r},{self.name!r},{self.of.key},{self.condition!r})"


@attrs.frozen
class OrInfinity(PostgresType[Any]):
    """
    Dates or moments that may also be `Infinity.FUTURE` or `Infinity.PAST`: `Column[datetime | Infinity]` with
    `type=OrInfinity(TimestampTz())`.

    Attributes:
        of: `Date()`, `Timestamp()` or `TimestampTz()`.
    """

    of: StorageType[Any]

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.of, Date | Timestamp | TimestampTz):
            raise DeclarationError(
                f"OrInfinity({self.of!r}): expected dates or moments", hint="write OrInfinity(TimestampTz())"
            )
        super().__attrs_post_init__()

    @property
    def python(self) -> type[Any]:
        return object

    def completed(self, members: tuple[Any, ...]) -> StorageType[Any] | None:
        if len(members) != 2 or set(members) != {self.of.python, Infinity}:
            name = self.of.python.__name__
            raise UnknownType(f"{self!r} keeps {name} or Infinity", hint=f"annotate the column as {name} | Infinity")
        return self

    def check(self, value: object) -> Any:
        return value if isinstance(value, Infinity) else self.of.check(value)

    def parameter_type(self, named: Naming) -> str:
        return named(self.of)

    def encoder(self, codecs: Codecs) -> Encoder:
        encode = codecs.encoder(self.of)
        return lambda value: value if isinstance(value, Infinity) else encode(value)

    def decoder(self, codecs: Codecs) -> Decoder:
        decode = codecs.decoder(self.of) or as_it_is
        return lambda value: value if isinstance(value, Infinity) else decode(value)

    def portable(self, value: Any) -> Any:
        return value.value if isinstance(value, Infinity) else self.of.portable(value)

    def restored(self, value: Any) -> Any:
        infinite = {each.value: each for each in Infinity}
        return infinite[value] if value in infinite else self.of.restored(value)

    def parts(self) -> Sequence[StorageType[Any]]:
        return (self.of,)

    def _key(self) -> str:
        return f"pg:or_infinity({self.of.key})"


@attrs.frozen
class JsonText(PostgresType[Any]):
    """
    A document in a column of type `json`, which keeps the text as it was written: with the order of its keys, where
    `Json()` keeps it as `jsonb`. PostgreSQL compares no such values.

    Attributes:
        annotation: As of `Json`.
    """

    annotation: Any = attrs.field(default=None, alias="python")

    @property
    def python(self) -> type[Any]:
        return Json(self.annotation).python

    def completed(self, members: tuple[Any, ...]) -> StorageType[Any] | None:
        document, _ = narrow(reduce(or_, members), Json(self.annotation))
        return JsonText(document.annotation) if isinstance(document, Json) else None

    def check(self, value: object) -> Any:
        return Json(self.annotation).check(value)

    def parameter_type(self, named: Naming) -> str:
        del named
        return "json"

    def encoder(self, codecs: Codecs) -> Encoder:
        del codecs
        return document_encoder(self.annotation)

    def decoder(self, codecs: Codecs) -> Decoder:
        del codecs
        return document_decoder(self.annotation)

    def portable(self, value: Any) -> Any:
        return Json(self.annotation).portable(value)

    def restored(self, value: Any) -> Any:
        return Json(self.annotation).restored(value)

    def _key(self) -> str:
        return f"pg:{Json(self.annotation).key}"
