"""
Storage types of single values: numbers, text, bytes, UUIDs.

In goes a Python value, out comes one of the exact class, or a `Misfit`. The commonest case comes first in every
`check`.
"""

from decimal import Decimal
from typing import Any, ClassVar, Final
from uuid import UUID

import attrs
import msgspec

from mapper.errors import DeclarationError
from mapper.types import decimals
from mapper.types.storage import Misfit, StorageType

__all__ = [
    "Boolean",
    "Bytes",
    "Char",
    "Float",
    "Int",
    "Integer",
    "Numeric",
    "Text",
    "Uuid",
    "Varchar",
]

SMALLEST: Final = -(2**63)
LARGEST: Final = 2**63 - 1

_INTEGER: Final = "an int of 64 bits (-2**63 to 2**63 - 1)"
_FINITE: Final = (
    f"a finite Decimal of at most {decimals.DIGITS_BEFORE} digits before and {decimals.DIGITS_AFTER} after the point"
)


@attrs.frozen
class Integer(StorageType[int]):
    """`int` of 64 bits with sign. A bool is refused; an int subclass such as an `IntEnum` becomes an int."""

    as_it_is: ClassVar[str | None] = "type({0}) is int and {0}.bit_length() < 64"

    @property
    def python(self) -> type[int]:
        return int

    def check(self, value: object) -> int:
        if type(value) is int and SMALLEST <= value <= LARGEST:
            return value
        if isinstance(value, int) and not isinstance(value, bool) and SMALLEST <= value <= LARGEST:
            return int(value)
        raise Misfit(value, _INTEGER, hint="store larger ones in a Numeric column" if type(value) is int else None)

    def _key(self) -> str:
        return "i"


@attrs.frozen
class Int(Integer):
    """
    `int` of fewer bits, for columns that a schema has narrower: `Int(32)`, and `Int(16)`.

    Attributes:
        bits: 16, 32 or 64, with sign.
    """

    as_it_is: ClassVar[str | None] = None

    bits: int

    def __attrs_post_init__(self) -> None:
        if self.bits not in {16, 32, 64}:
            raise DeclarationError(f"Int({self.bits!r}): expected 16, 32 or 64 bits")
        Integer.__attrs_post_init__(self)

    @property
    def plain(self) -> StorageType[int]:
        return Integer()

    def check(self, value: object) -> int:
        number = Integer.check(self, value)
        if -(1 << self.bits - 1) <= number < 1 << self.bits - 1:
            return number
        raise Misfit(value, f"an int of {self.bits} bits", hint="store larger ones in a column of more bits")

    def _key(self) -> str:
        return f"i{self.bits}"


@attrs.frozen
class Boolean(StorageType[bool]):
    """`bool`, and nothing that is merely true or false."""

    as_it_is: ClassVar[str | None] = "{0} is True or {0} is False"

    @property
    def python(self) -> type[bool]:
        return bool

    def check(self, value: object) -> bool:
        if value is True or value is False:
            return value
        raise Misfit(value, "a bool")

    def _key(self) -> str:
        return "b"


@attrs.frozen
class Float(StorageType[float]):
    """
    `float` of 64 bits; an int where it is one exactly. What a gateway makes of NaN and infinities is its own rule.
    """

    as_it_is: ClassVar[str | None] = "type({0}) is float"

    @property
    def python(self) -> type[float]:
        return float

    def check(self, value: object) -> float:
        if type(value) is float:
            return value
        if isinstance(value, float):
            return float(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return _as_float(value)
        raise Misfit(value, "a float", hint="convert it with float(...)" if isinstance(value, Decimal) else None)

    def _key(self) -> str:
        return "f"


def _as_float(value: int) -> float:
    try:
        near = float(value)
    except OverflowError:
        near = 0.0
    if int(near) != value:
        raise Misfit(value, "a float, or an int that a float represents exactly")
    return near


@attrs.frozen
class Text(StorageType[str]):
    """
    `str` of any length, without NUL (which PostgreSQL cannot keep) and without lone surrogates (which no store can).
    """

    as_it_is: ClassVar[str | None] = "type({0}) is str and {0}.isascii() and '\\0' not in {0}"

    @property
    def python(self) -> type[str]:
        return str

    def check(self, value: object) -> str:
        if type(value) is str and value.isascii() and "\x00" not in value:
            return value
        return _checked_text(value, "a str")

    def _key(self) -> str:
        return "t"


def _checked_text(value: object, expected: str) -> str:
    if not isinstance(value, str):
        raise Misfit(value, expected)
    if "\x00" in value:
        raise Misfit(value, f"{expected} without NUL characters", hint="store binary data in a bytes column")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Misfit(value, f"{expected} without lone surrogates", hint="decode it with errors='strict'") from None
    return value if type(value) is str else str.__str__(value)


def _require_length(kind: str, length: object) -> None:
    if type(length) is not int or length < 1:
        raise DeclarationError(f"{kind}({length!r}): expected a number of characters from 1", hint=f"write {kind}(50)")


_TEXT: Final = Text()


@attrs.frozen
class Varchar(StorageType[str]):
    """`str` of at most `length` characters (code points); otherwise as `Text`."""

    length: int

    def __attrs_post_init__(self) -> None:
        _require_length("Varchar", self.length)
        super().__attrs_post_init__()

    @property
    def python(self) -> type[str]:
        return str

    @property
    def unlimited(self) -> StorageType[str]:
        return _TEXT

    def check(self, value: object) -> str:
        if type(value) is str and len(value) <= self.length and value.isascii() and "\x00" not in value:
            return value
        expected = f"a str of at most {self.length} characters"
        checked = _checked_text(value, expected)
        if len(checked) > self.length:
            raise Misfit(value, f"{expected}, not {len(checked)}")
        return checked

    def _key(self) -> str:
        return f"vc{self.length}"


@attrs.frozen
class Char(StorageType[str]):
    """`str` of exactly `length` characters, which nothing pads; otherwise as `Text`."""

    length: int

    def __attrs_post_init__(self) -> None:
        _require_length("Char", self.length)
        super().__attrs_post_init__()

    @property
    def python(self) -> type[str]:
        return str

    @property
    def unlimited(self) -> StorageType[str]:
        return _TEXT

    def check(self, value: object) -> str:
        if type(value) is str and len(value) == self.length and value.isascii() and "\x00" not in value:
            return value
        expected = f"a str of exactly {self.length} characters"
        checked = _checked_text(value, expected)
        if len(checked) != self.length:
            raise Misfit(value, f"{expected}, not {len(checked)}")
        return checked

    def _key(self) -> str:
        return f"ch{self.length}"


@attrs.frozen
class Bytes(StorageType[bytes]):
    """`bytes`; a bytearray or memoryview is copied into bytes."""

    @property
    def python(self) -> type[bytes]:
        return bytes

    def check(self, value: object) -> bytes:
        if type(value) is bytes:
            return value
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value)
        raise Misfit(value, "bytes", hint="encode the text: value.encode()" if isinstance(value, str) else None)

    def _key(self) -> str:
        return "by"


@attrs.frozen
class Numeric(StorageType[Decimal]):
    """
    `Decimal`, exact; an int is taken too.

    Without precision a decimal keeps its trailing zeros. With them, at most `precision` digits of which `scale` are
    after the
    point: a value has that scale when it is read, and one that would lose a digit is refused. Zero has no sign.

    Raises:
        DeclarationError: `precision` or `scale` is out of range.
    """

    precision: int | None = None
    scale: int | None = attrs.field(default=None)

    def __attrs_post_init__(self) -> None:
        precision, scale = self.precision, self.scale
        if precision is not None and scale is None:
            scale = 0
            object.__setattr__(self, "scale", scale)
        if precision is None and scale is not None:
            raise DeclarationError(
                f"Numeric(scale={scale!r}): a scale without a precision", hint="write Numeric(12, 2)"
            )
        if precision is not None and not (1 <= precision <= 1000 and scale is not None and 0 <= scale <= precision):
            raise DeclarationError(
                f"Numeric({precision!r}, {scale!r}): expected a precision of 1 to 1000, a scale of 0 to the precision"
            )
        super().__attrs_post_init__()

    @property
    def python(self) -> type[Decimal]:
        return Decimal

    @property
    def unlimited(self) -> StorageType[Decimal]:
        return self if self.precision is None else _NUMERIC

    def check(self, value: object) -> Decimal:
        if self.precision is None and type(value) is Decimal and decimals.ready_text(value):
            return value
        number = _as_decimal(value)
        if self.precision is not None and self.scale is not None:
            return self._scaled(number, self.precision, self.scale)
        if not decimals.fits(number):
            raise Misfit(value, _FINITE)
        return decimals.normalised(number)

    def restored(self, value: Any) -> Decimal:
        """A store may have what is no number."""
        number = msgspec.convert(value, Decimal, strict=False)
        return self.check(number) if number.is_finite() else number

    def _scaled(self, number: Decimal, precision: int, scale: int) -> Decimal:
        expected = f"a Decimal of at most {precision - scale} digits before and {scale} after the point"
        if not number.is_finite():
            raise Misfit(number, f"a finite Decimal; {expected}")
        scaled = decimals.rescaled(number, scale)
        if scaled is None or (scaled and scaled.adjusted() >= precision - scale):
            raise Misfit(number, expected, hint=f"round it first: round(value, {scale})" if scaled is None else None)
        return scaled

    def _key(self) -> str:
        return "n" if self.precision is None else f"n{self.precision},{self.scale}"


def _as_decimal(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value if type(value) is Decimal else Decimal(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    hint = (
        "a float is no exact decimal: write Decimal('1.10'), or Decimal(str(value))"
        if isinstance(value, float)
        else None
    )
    raise Misfit(value, "a Decimal", hint=hint)


_NUMERIC: Final = Numeric()


@attrs.frozen
class Uuid(StorageType[UUID]):
    """`uuid.UUID`; text is refused."""

    @property
    def python(self) -> type[UUID]:
        return UUID

    def check(self, value: object) -> UUID:
        if type(value) is UUID:
            return value
        if isinstance(value, UUID):
            return UUID(int=value.int)
        raise Misfit(value, "a UUID", hint="parse it: UUID(value)" if isinstance(value, str) else None)

    def _key(self) -> str:
        return "u"
