"""
Full-text search: texts as `tsvector`, what is looked for as `tsquery`, matches, ranks and headlines.

Texts and queries go in, expressions come out. What is looked for is bound as a parameter; the name of a configuration
is a part of the statement, so that an index over `to_tsvector('english', body)` is used.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, Literal, Never, Self, TypeAlias, overload

from typing_extensions import TypeVar

from gateways.postgres import arguments
from gateways.postgres.lexemes import QUERY, VECTOR, Lexical, TsQuery, TsVector
from gateways.sql import Operators, function, operator
from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, FLOAT, INTEGER, TEXT, Call, Expr, Parameter
from mapper.terms import Fragment
from mapper.types import List

__all__ = [
    "TEXT_SEARCH",
    "SearchQuery",
    "TsQuery",
    "TsVector",
    "Weight",
    "match",
    "phraseto_tsquery",
    "plainto_tsquery",
    "setweight",
    "ts_headline",
    "ts_rank",
    "ts_rank_cd",
    "tsquery",
    "tsvector",
    "tsvector_concat",
    "websearch_to_tsquery",
]

R = TypeVar("R")
R2 = TypeVar("R2")
R_co = TypeVar("R_co", covariant=True, default=Any)

Weight: TypeAlias = Literal["A", "B", "C", "D"]
"""How much a part of a text weighs; what is not said otherwise is of weight D."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
_WEIGHTS: Final = ("A", "B", "C", "D")
_REALS: Final = "CAST({0} AS real[])"

TEXT_SEARCH: Final[Operators] = {
    "postgres.tsvector": function("to_tsvector({0}, {1})"),
    "postgres.tsvector_concat": operator("{0} || {1}"),
    "postgres.tsquery": function("to_tsquery({0}, {1})"),
    "postgres.plainto_tsquery": function("plainto_tsquery({0}, {1})"),
    "postgres.phraseto_tsquery": function("phraseto_tsquery({0}, {1})"),
    "postgres.websearch_to_tsquery": function("websearch_to_tsquery({0}, {1})"),
    "postgres.tsquery_and": operator("{0} && {1}"),
    "postgres.tsquery_or": operator("{0} || {1}"),
    "postgres.tsquery_not": operator("!! {0}"),
    "postgres.tsquery_phrase": function("tsquery_phrase({0}, {1}, CAST({2} AS int))"),
    "postgres.match": operator("{0} @@ {1}"),
    **{f"postgres.setweight:{each}": function(f"setweight({{0}}, '{each}')") for each in _WEIGHTS},
    **{
        (f"postgres.{each}", count): function(f"CAST({each}({places}, CAST({{{count - 1}}} AS int)) AS float8)")
        for each in ("ts_rank", "ts_rank_cd")
        for count, places in ((3, "{0}, {1}"), (4, f"{_REALS}, {{1}}, {{2}}"))
    },
    ("postgres.ts_headline", 3): function("ts_headline({0}, {1}, {2})"),
    ("postgres.ts_headline", 4): function("ts_headline({0}, {1}, {2}, {3})"),
    "postgres.regconfig": function("CAST({0} AS regconfig)"),
}
"""The operators and functions of text search."""


class SearchQuery(Call[TsQuery, R_co]):
    """What is looked for, and its combinations with others."""

    __slots__ = ()

    def and_(self, other: Expr[TsQuery, R2]) -> "SearchQuery[R_co | R2]":
        """Look for texts that both match."""
        return SearchQuery("postgres.tsquery_and", (self, _query("and_", other)), QUERY, nullable=None)

    def or_(self, other: Expr[TsQuery, R2]) -> "SearchQuery[R_co | R2]":
        """Look for texts that one of them matches."""
        return SearchQuery("postgres.tsquery_or", (self, _query("or_", other)), QUERY, nullable=None)

    def negated(self) -> Self:
        """Look for texts that it does not match."""
        return type(self)("postgres.tsquery_not", (self,), QUERY, nullable=None)

    def followed_by(self, other: Expr[TsQuery, R2], distance: int = 1) -> "SearchQuery[R_co | R2]":
        """Look for texts in which the other comes exactly so many words behind this one."""
        operands = (self, _query("followed_by", other), arguments.integer("followed_by", distance))
        return SearchQuery("postgres.tsquery_phrase", operands, QUERY, nullable=None)


# -- texts --------------------------------------------------------------------------------------------------------------


@overload
def tsvector(text: str, *, config: str | Expr[str, Any] = "english") -> Expr[TsVector, Never]: ...
@overload
def tsvector(text: Expr[str, R], *, config: str | Expr[str, Any] = "english") -> Expr[TsVector, R]: ...
@overload
def tsvector(text: Expr[str | None, R], *, config: str | Expr[str, Any] = "english") -> Expr[TsVector | None, R]: ...
def tsvector(text: Any, *, config: str | Expr[str, Any] = "english") -> Expr[Any, Any]:
    """
    Return the lexemes of a text (`to_tsvector`).

    Args:
        text: The text; where it can be NULL, `fn.coalesce(Posts.body, "")` makes it an empty one.
        config: The name of a configuration of the database, or a column of such names.

    Raises:
        QueryError: The name is none.
    """
    operands = (_config(config), arguments.text("tsvector", text))
    return Call("postgres.tsvector", operands, VECTOR, nullable=None)


def tsvector_concat(vector: Expr[TsVector, R], other: Expr[TsVector, R2]) -> Expr[TsVector, R | R2]:
    """Return the lexemes of two texts, those of the second one behind those of the first (`||`)."""
    operands = (_vector("tsvector_concat", vector), _vector("tsvector_concat", other))
    return Call("postgres.tsvector_concat", operands, VECTOR, nullable=None)


def setweight(vector: Expr[TsVector, R], weight: Weight) -> Expr[TsVector, R]:
    """
    Return the lexemes with a weight: those of a title, for instance, `A`, which a rank then counts more.

    Raises:
        QueryError: There is no such weight.
    """
    if weight not in _WEIGHTS:
        raise QueryError(f"{weight!r} is no weight", hint=f"weights are: {', '.join(_WEIGHTS)}")
    return Call(f"postgres.setweight:{weight}", (_vector("setweight", vector),), VECTOR, nullable=None)


# -- what is looked for -------------------------------------------------------------------------------------------------


@overload
def tsquery(text: str, *, config: str | Expr[str, Any] = "english") -> SearchQuery[Never]: ...
@overload
def tsquery(text: Expr[str, R], *, config: str | Expr[str, Any] = "english") -> SearchQuery[R]: ...
def tsquery(text: Any, *, config: str | Expr[str, Any] = "english") -> SearchQuery[Any]:
    """
    Return what is looked for, written with the operators `& | ! <->`: `tsquery("cat & !dog")` (`to_tsquery`).

    Text that is written otherwise is an error of the store. For what users type in use `websearch_to_tsquery`, which
    takes any text.
    """
    return _asked("tsquery", text, config)


@overload
def plainto_tsquery(text: str, *, config: str | Expr[str, Any] = "english") -> SearchQuery[Never]: ...
@overload
def plainto_tsquery(text: Expr[str, R], *, config: str | Expr[str, Any] = "english") -> SearchQuery[R]: ...
def plainto_tsquery(text: Any, *, config: str | Expr[str, Any] = "english") -> SearchQuery[Any]:
    """Look for all words of a text, in any order. It takes any text."""
    return _asked("plainto_tsquery", text, config)


@overload
def phraseto_tsquery(text: str, *, config: str | Expr[str, Any] = "english") -> SearchQuery[Never]: ...
@overload
def phraseto_tsquery(text: Expr[str, R], *, config: str | Expr[str, Any] = "english") -> SearchQuery[R]: ...
def phraseto_tsquery(text: Any, *, config: str | Expr[str, Any] = "english") -> SearchQuery[Any]:
    """Look for the words of a text one behind the other. It takes any text."""
    return _asked("phraseto_tsquery", text, config)


@overload
def websearch_to_tsquery(text: str, *, config: str | Expr[str, Any] = "english") -> SearchQuery[Never]: ...
@overload
def websearch_to_tsquery(text: Expr[str, R], *, config: str | Expr[str, Any] = "english") -> SearchQuery[R]: ...
def websearch_to_tsquery(text: Any, *, config: str | Expr[str, Any] = "english") -> SearchQuery[Any]:
    """
    Look for a text as search engines take it: words, `"phrases"`, `or`, and `-` before what is not wanted. It takes any
    text.
    """
    return _asked("websearch_to_tsquery", text, config)


# -- matches ------------------------------------------------------------------------------------------------------------


def match(
    vector: Expr[TsVector, R] | Expr[TsVector | None, R], query: Expr[TsQuery, R2] | Expr[TsQuery | None, R2]
) -> Expr[bool, R | R2]:
    """Whether a text matches what is looked for (`@@`); a GIN index over the vector can answer it."""
    return Call("postgres.match", (_vector("match", vector), _query("match", query)), BOOLEAN, nullable=None)


@overload
def ts_rank(
    vector: Expr[TsVector, R],
    query: Expr[TsQuery, R2],
    *,
    weights: Sequence[float] | None = None,
    normalization: int = 0,
) -> Expr[float, R | R2]: ...
@overload
def ts_rank(
    vector: Expr[TsVector | None, R],
    query: Expr[TsQuery | None, R2],
    *,
    weights: Sequence[float] | None = None,
    normalization: int = 0,
) -> Expr[float | None, R | R2]: ...
def ts_rank(
    vector: Expr[Any, Any], query: Expr[Any, Any], *, weights: Sequence[float] | None = None, normalization: int = 0
) -> Expr[Any, Any]:
    """
    Return how well a text matches, by how often it has what is looked for.

    Args:
        vector: The text.
        query: What is looked for.
        weights: Four numbers from 0 to 1, for lexemes of the weights D, C, B and A; 0.1, 0.2, 0.4 and 1 by default.
        normalization: A sum of: 1 or 2, long texts count less; 4, so do matches far apart; 8 or 16, by the number of
            different words; 32, ranks from 0 to 1.

    Raises:
        QueryError: There are not four weights.
    """
    return _ranked("ts_rank", vector, query, weights, normalization)


@overload
def ts_rank_cd(
    vector: Expr[TsVector, R],
    query: Expr[TsQuery, R2],
    *,
    weights: Sequence[float] | None = None,
    normalization: int = 0,
) -> Expr[float, R | R2]: ...
@overload
def ts_rank_cd(
    vector: Expr[TsVector | None, R],
    query: Expr[TsQuery | None, R2],
    *,
    weights: Sequence[float] | None = None,
    normalization: int = 0,
) -> Expr[float | None, R | R2]: ...
def ts_rank_cd(
    vector: Expr[Any, Any], query: Expr[Any, Any], *, weights: Sequence[float] | None = None, normalization: int = 0
) -> Expr[Any, Any]:
    """Return how well a text matches, by how near to each other its words are; as `ts_rank` otherwise."""
    return _ranked("ts_rank_cd", vector, query, weights, normalization)


@overload
def ts_headline(
    text: Expr[str, R],
    query: Expr[TsQuery, R2],
    *,
    config: str | Expr[str, Any] = "english",
    **options: str | int | bool,
) -> Expr[str, R | R2]: ...
@overload
def ts_headline(
    text: Expr[str | None, R],
    query: Expr[TsQuery, R2],
    *,
    config: str | Expr[str, Any] = "english",
    **options: str | int | bool,
) -> Expr[str | None, R | R2]: ...
def ts_headline(
    text: Expr[Any, Any],
    query: Expr[Any, Any],
    *,
    config: str | Expr[str, Any] = "english",
    **options: str | int | bool,
) -> Expr[Any, Any]:
    """
    Return the parts of a text that match, with the words that are looked for marked.

    The rest of the text is left as it is: text from strangers must be escaped before it is shown as HTML.

    Args:
        text: The text itself, not its vector.
        query: What is looked for.
        config: As of `tsvector`.
        options: Among them `start_sel` and `stop_sel` (the marks), `max_words`, `min_words`, `max_fragments`,
            `fragment_delimiter`, `short_word`, `highlight_all`.

    Raises:
        QueryError: There is no such option.
    """
    operands: list[Expr[Any, Any]] = [
        _config(config),
        arguments.text("ts_headline", text),
        _query("ts_headline", query),
    ]
    if options:
        shown = ", ".join([_option(name, value) for name, value in options.items()])
        operands.append(arguments.text("ts_headline", shown))
    return Call("postgres.ts_headline", tuple(operands), TEXT, nullable=None)


_OPTIONS: Final = {
    "start_sel": "StartSel",
    "stop_sel": "StopSel",
    "max_words": "MaxWords",
    "min_words": "MinWords",
    "max_fragments": "MaxFragments",
    "fragment_delimiter": "FragmentDelimiter",
    "short_word": "ShortWord",
    "highlight_all": "HighlightAll",
}


def _option(name: str, value: str | int | bool) -> str:
    if name not in _OPTIONS:
        raise QueryError(f"ts_headline has no option {name!r}", hint=f"options are: {', '.join(_OPTIONS)}")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f'{_OPTIONS[name]}="{text.replace(chr(34), chr(34) * 2)}"'


def _asked(name: str, text: Any, config: str | Expr[str, Any]) -> SearchQuery[Any]:
    return SearchQuery(f"postgres.{name}", (_config(config), arguments.text(name, text)), QUERY, nullable=None)


def _ranked(name: str, vector: Any, query: Any, weights: Sequence[float] | None, normalization: int) -> Expr[Any, Any]:
    operands: tuple[Expr[Any, Any], ...] = (
        _vector(name, vector),
        _query(name, query),
        Parameter(normalization, INTEGER),
    )
    if weights is not None:
        if len(weights) != len(_WEIGHTS):
            raise QueryError(f"{name} has the weights {weights!r}, expected four", hint="give those of D, C, B and A")
        four: Expr[Any, Any] = Parameter([float(each) for each in weights], List(FLOAT))
        return Call(f"postgres.{name}", (four, *operands), FLOAT, nullable=None)
    return Call(f"postgres.{name}", operands, FLOAT, nullable=None)


def _config(config: str | Expr[str, Any]) -> Expr[Any, Any]:
    if isinstance(config, Expr):
        return Call("postgres.regconfig", (arguments.text("config", config),), _REGCONFIG, nullable=None)
    if not isinstance(config, str) or _NAME.fullmatch(config) is None:
        raise QueryError(
            f"{config!r} is no name of a text search configuration",
            hint="give a name such as 'english' or 'simple', with its namespace where that is needed",
        )
    return Fragment(f"CAST('{config}' AS regconfig)", (), _REGCONFIG, nullable=False)


_REGCONFIG: Final = QUERY
"""The type of configurations, which never leave a statement; what matters of it is that it is no text to be collated."""


def _vector(name: str, value: Any) -> Expr[Any, Any]:
    return _of(name, value, VECTOR, "a vector", "make it one: tsvector(…)")


def _query(name: str, value: Any) -> Expr[Any, Any]:
    return _of(name, value, QUERY, "what is looked for", "make it one: websearch_to_tsquery(…)")


def _of(name: str, value: Any, type_: Lexical, expected: str, hint: str) -> Expr[Any, Any]:
    if not isinstance(value, Expr) or value.type != type_:
        raise QueryError(f"{name} takes {expected}, not {value!r}", hint=hint)
    return value
