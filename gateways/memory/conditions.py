"""
SQL text of relations as expressions: checks, server defaults, generated columns.

Text over the names that columns have in the store goes in; an expression comes out. The language is the part of SQL
that means the same everywhere: comparisons, `and or not`, `in`, `between`, `is null`, `+ - * %`, `||`, literals, a few
functions. Everything else is refused, because a check that is not understood would not be kept.
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

from gateways.memory.casts import cast, plain
from mapper.errors import StatementError, Unsupported
from mapper.expressions import BOOLEAN, FLOAT, INTEGER, NUMERIC, TEXT, Call, Expr, ListParameter, Parameter
from mapper.relation import RelationInfo
from mapper.types import Codecs, Date, Float, Integer, Numeric, StorageType, Time, TimestampTz

__all__ = ["parse_sql"]


def parse_sql(text: str, relation: RelationInfo, codecs: Codecs, *, what: str, columns: bool = True) -> Expr[Any, Any]:
    """
    Return SQL text as an expression.

    Args:
        text: The text.
        relation: Whose columns it names, by their names in the store.
        codecs: Of the memory gateway, for the values of literals.
        what: What the text is, for the message.
        columns: Whether it may name columns at all.

    Raises:
        Unsupported: It has something that the memory gateway does not understand.
    """
    try:
        return _Parser(_tokens(text), relation if columns else None, codecs).whole()
    except _NotUnderstood as error:
        raise Unsupported(
            "sql",
            "memory",
            f"{what} of {relation.original.__name__} is {text!r}, which the memory gateway does not understand: {error}",
            hint="give it as an expression: a function, such as check=lambda: Posts.visits >= 0",
        ) from None


class _NotUnderstood(Exception):
    """What the text has that is not understood."""


_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<number>\d+(?:\.\d+)?(?![\w.]))
      | (?P<text>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")+")
      | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
      | (?P<symbol><>|!=|<=|>=|\|\||[=<>+\-*%(),])
    )""",
    re.VERBOSE,
)

_Token: TypeAlias = tuple[str, str]


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    rest = text.rstrip()
    while position < len(rest):
        match = _TOKEN.match(rest, position)
        if match is None or match.lastgroup is None:
            raise _NotUnderstood(f"what stands at {rest[position:]!r}")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return tokens


class _Literal(Expr[Any, Any]):
    """A text or NULL whose type is that of what it stands beside."""

    __slots__ = ("value",)

    def __init__(self, value: str | None) -> None:
        self.value = value
        self.key = "literal"
        self.parameters = ()
        self.type = TEXT
        self.nullable = value is None


_COMPARISONS: Final = {"=": "eq", "<>": "ne", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}

_FUNCTIONS: Final[dict[str, tuple[str, StorageType[Any] | None]]] = {
    "length": ("length", INTEGER),
    "char_length": ("length", INTEGER),
    "lower": ("lower", TEXT),
    "upper": ("upper", TEXT),
    "trim": ("trim", TEXT),
    "abs": ("abs", None),
    "coalesce": ("coalesce", None),
    "nullif": ("nullif", None),
}
"""
Names of functions, what they are called in `mapper.functions`, and the type of their value; None is that of the first
argument.
"""

_MOMENTS: Final[dict[str, tuple[str, StorageType[Any]]]] = {
    "current_timestamp": ("now", TimestampTz()),
    "now": ("now", TimestampTz()),
    "current_date": ("date", Date()),
    "current_time": ("cast:tm", Time()),
}


class _Parser:
    """Reads an expression by the precedence of its operators."""

    def __init__(self, tokens: Sequence[_Token], relation: RelationInfo | None, codecs: Codecs) -> None:
        self._tokens = tokens
        self._next = 0
        known = (
            () if relation is None else [(each.name, relation.attributes[each.attribute]) for each in relation.columns]
        )
        self._columns: dict[str, Expr[Any, Any]] = dict(known)
        self._codecs = codecs

    def whole(self) -> Expr[Any, Any]:
        found = self._either()
        if self._next < len(self._tokens):
            raise _NotUnderstood(f"what stands at {self._tokens[self._next][1]!r}")
        return Parameter(found.value, TEXT) if isinstance(found, _Literal) else found

    # -- conditions ----------------------------------------------------------------------------------------------------

    def _either(self) -> Expr[Any, Any]:
        parts = [self._every()]
        while self._takes_word("or"):
            parts.append(self._every())
        return parts[0] if len(parts) == 1 else Call("or", tuple(parts), BOOLEAN, nullable=None)

    def _every(self) -> Expr[Any, Any]:
        parts = [self._negated()]
        while self._takes_word("and"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else Call("and", tuple(parts), BOOLEAN, nullable=None)

    def _negated(self) -> Expr[Any, Any]:
        if self._takes_word("not"):
            return Call("not", (self._negated(),), BOOLEAN, nullable=None)
        return self._compared()

    def _compared(self) -> Expr[Any, Any]:
        left = self._sum()
        symbol = self._takes_symbol(*_COMPARISONS)
        if symbol:
            return self._condition(_COMPARISONS[symbol], left, self._sum())
        if self._takes_word("is"):
            negative = self._takes_word("not")
            self._require_word("null")
            return Call("is_not_null" if negative else "is_null", (left,), BOOLEAN, nullable=False)
        negative = self._takes_word("not")
        if self._takes_word("between"):
            low = self._sum()
            self._require_word("and")
            return self._maybe_not(negative, self._condition("between", left, low, self._sum()))
        if self._takes_word("in"):
            return self._maybe_not(negative, self._listed(left))
        if negative:
            raise _NotUnderstood("'not' here")
        return left

    def _listed(self, item: Expr[Any, Any]) -> Expr[Any, Any]:
        options = [self._beside(item, each) for each in self._arguments()]
        if all([isinstance(each, Parameter) and each.parameters[0] is not None for each in options]):
            known = ListParameter[Any]([each.parameters[0] for each in options], item.type)
            return Call("in_list", (item, known), BOOLEAN, nullable=None)
        return Call("or", tuple([self._condition("eq", item, each) for each in options]), BOOLEAN, nullable=None)

    def _maybe_not(self, negative: bool, condition: Expr[Any, Any]) -> Expr[Any, Any]:
        return Call("not", (condition,), BOOLEAN, nullable=None) if negative else condition

    def _condition(self, name: str, *operands: Expr[Any, Any]) -> Expr[Any, Any]:
        like = next((each for each in operands if not isinstance(each, _Literal | Parameter)), operands[0])
        return Call(name, tuple([self._beside(like, each) for each in operands]), BOOLEAN, nullable=None)

    # -- values --------------------------------------------------------------------------------------------------------

    def _sum(self) -> Expr[Any, Any]:
        left = self._product()
        while symbol := self._takes_symbol("+", "-", "||"):
            right = self._product()
            if symbol == "||":
                left = Call("concat", (self._beside(left, left), self._beside(right, right)), TEXT, nullable=None)
            else:
                left = self._arithmetic("add" if symbol == "+" else "sub", left, right)
        return left

    def _product(self) -> Expr[Any, Any]:
        left = self._signed()
        while symbol := self._takes_symbol("*", "%"):
            left = self._arithmetic("mul" if symbol == "*" else "mod", left, self._signed())
        return left

    def _signed(self) -> Expr[Any, Any]:
        if self._takes_symbol("-"):
            operand = self._signed()
            if isinstance(operand, Parameter) and operand.parameters[0] is not None:
                return Parameter(-operand.parameters[0], operand.type)
            return self._arithmetic("sub", Parameter(0, INTEGER), operand)
        self._takes_symbol("+")
        return self._atom()

    def _arithmetic(self, name: str, left: Expr[Any, Any], right: Expr[Any, Any]) -> Expr[Any, Any]:
        kinds = [plain(each.type) for each in (left, right)]
        if not all([isinstance(each, Integer | Float | Numeric) for each in kinds]):
            raise _NotUnderstood("arithmetic of what are no numbers")
        type_ = next(
            (
                each
                for kind, each in ((Numeric, NUMERIC), (Float, FLOAT))
                if any(isinstance(part, kind) for part in kinds)
            ),
            INTEGER,
        )
        return Call(name, (left, right), type_, nullable=None)

    def _atom(self) -> Expr[Any, Any]:
        kind, text = self._take()
        if kind == "number":
            return Parameter(Decimal(text), NUMERIC) if "." in text else Parameter(int(text), INTEGER)
        if kind == "text":
            return _Literal(text[1:-1].replace("''", "'"))
        if kind == "quoted":
            return self._column(text[1:-1].replace('""', '"'))
        if kind == "word":
            return self._word(text)
        if text == "(":
            inner = self._either()
            self._require_symbol(")")
            return inner
        raise _NotUnderstood(f"what stands at {text!r}")

    def _word(self, text: str) -> Expr[Any, Any]:
        word = text.lower()
        if word in {"true", "false"}:
            return Parameter(word == "true", BOOLEAN)
        if word == "null":
            return _Literal(None)
        called = self._peek() == ("symbol", "(")
        if word in _MOMENTS and (called or text not in self._columns):
            if called and self._arguments():
                raise _NotUnderstood(f"arguments of {text}")
            return _moment(word)
        return self._function(word) if called else self._column(text)

    def _function(self, word: str) -> Expr[Any, Any]:
        if word not in _FUNCTIONS:
            raise _NotUnderstood(f"the function {word!r}")
        name, type_ = _FUNCTIONS[word]
        arguments = self._arguments()
        if not arguments:
            raise _NotUnderstood(f"{word} of nothing")
        first = self._beside(arguments[0], arguments[0])
        operands = (first, *[self._beside(first, each) for each in arguments[1:]])
        return Call(name, operands, type_ or first.type, nullable=None)

    def _arguments(self) -> list[Expr[Any, Any]]:
        self._require_symbol("(")
        if self._takes_symbol(")"):
            return []
        found = [self._either()]
        while self._takes_symbol(","):
            found.append(self._either())
        self._require_symbol(")")
        return found

    def _column(self, name: str) -> Expr[Any, Any]:
        column = self._columns.get(name)
        if column is None:
            raise _NotUnderstood(f"the column {name!r}, which is not one of {', '.join(self._columns) or 'none'}")
        return column

    def _beside(self, like: Expr[Any, Any], value: Expr[Any, Any]) -> Expr[Any, Any]:
        """Return a literal as a value of the type of what it stands beside."""
        if isinstance(value, _Literal):
            return _typed(value.value, like.type, self._codecs)
        if (
            isinstance(value, Parameter)
            and isinstance(plain(like.type), Float)
            and isinstance(value.parameters[0], int | Decimal)
        ):
            return Parameter(float(value.parameters[0]), FLOAT)
        return value

    # -- tokens --------------------------------------------------------------------------------------------------------

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self) -> _Token:
        token = self._peek()
        if token is None:
            raise _NotUnderstood("its end")
        self._next += 1
        return token

    def _takes(self, accept: Callable[[_Token], bool]) -> str | None:
        token = self._peek()
        if token is None or not accept(token):
            return None
        self._next += 1
        return token[1]

    def _takes_word(self, word: str) -> bool:
        return self._takes(lambda token: token[0] == "word" and token[1].lower() == word) is not None

    def _takes_symbol(self, *symbols: str) -> str | None:
        return self._takes(lambda token: token[0] == "symbol" and token[1] in symbols)

    def _require_word(self, word: str) -> None:
        if not self._takes_word(word):
            raise _NotUnderstood(f"that {word!r} is missing")

    def _require_symbol(self, symbol: str) -> None:
        if not self._takes_symbol(symbol):
            raise _NotUnderstood(f"that {symbol!r} is missing")


def _moment(word: str) -> Expr[Any, Any]:
    name, type_ = _MOMENTS[word]
    now = Call[Any, Any]("now", (), TimestampTz(), nullable=False)
    return now if name == "now" else Call(name, (now,), type_, nullable=False)


def _typed(text: str | None, type_: StorageType[Any], codecs: Codecs) -> Expr[Any, Any]:
    """Return what a literal means as a value of a type."""
    if text is None:
        return Parameter(None, type_)
    decode = codecs.decoder(type_)
    try:
        stored = cast(type_)(text)
        return Parameter(stored if decode is None else decode(stored), type_)
    except (StatementError, ValueError) as error:
        raise _NotUnderstood(f"{text!r} is no {type(plain(type_)).__name__}") from error
