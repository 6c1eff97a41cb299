"""
Prepared queries: built once with placeholders in the place of arguments, then only bound.

A function that builds a query goes in; a function with the same signature comes out, whose calls cost one tuple.
"""

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Generic, ParamSpec

from typing_extensions import TypeVar

from mapper.deferred import Placeholder
from mapper.errors import QueryError
from mapper.query import One, Query

__all__ = ["Prepared", "prepared"]

P = ParamSpec("P")
Q = TypeVar("Q", bound=Query[Any, Any] | One[Any, Any])


class Prepared(Generic[P, Q]):
    """A query whose arguments are bound by calling it. The function ran once, with placeholders."""

    __slots__ = ("__dict__", "_bind", "_build", "_names", "_places", "_signature", "_size", "_template")

    def __init__(self, build: Callable[P, Q]) -> None:
        self._build = build
        self._signature = inspect.signature(build)
        self._names = _parameter_names(build, self._signature)
        self._size = len(self._names)
        self._template: Query[Any, Any] | One[Any, Any] | None = None
        self._places: tuple[int | None, ...] = ()
        # What makes the query of all arguments, in order: until the first call, what finds that out.
        self._bind: Callable[[tuple[Any, ...]], Any] = self._bind_first
        update_wrapper(self, build)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Q:
        """Return the query with these arguments."""
        if kwargs or len(args) != self._size:
            bound = self._signature.bind(*args, **kwargs)
            bound.apply_defaults()
            args = bound.args  # type: ignore[assignment]  # the same arguments, by position
        query: Q = self._bind(args)
        return query

    def _bind_first(self, args: tuple[Any, ...]) -> Any:
        """Build the template, find out how arguments get into it, and bind these."""
        template = self._build(*[Placeholder(index, name) for index, name in enumerate(self._names)])  # type: ignore[call-arg,arg-type]  # placeholders stand for values
        if not isinstance(template, Query | One):
            raise QueryError(
                f"prepared function {self._build.__qualname__} returned {template!r}", hint="return a query"
            )
        self._places = tuple([each.index if isinstance(each, Placeholder) else None for each in template.parameters])
        nested = {each.index for each in template.nested_parameters() if isinstance(each, Placeholder)}
        unused = set(range(len(self._names))) - {each for each in self._places if each is not None} - nested
        if unused:
            names = ", ".join(repr(self._names[each]) for each in sorted(unused))
            raise QueryError(
                f"prepared function {self._build.__qualname__} does not bind {names}",
                hint="an argument can stand for a value only; where it decides the shape of the query, leave @prepared away",
            )
        self._template = template
        in_order = self._places == tuple(range(self._size))
        self._bind = template.bound if nested else template.with_parameters if in_order else self._bind_placed
        return self._bind(args)

    def _bind_placed(self, args: tuple[Any, ...]) -> Any:
        """Bind arguments that the query has in another order, more than once, or beside values of its own."""
        template = self._template
        assert template is not None, "it is there from the first call on"
        values = [
            args[place] if place is not None else own
            for place, own in zip(self._places, template.parameters, strict=True)
        ]
        return template.with_parameters(tuple(values))


def prepared(build: Callable[P, Q]) -> Prepared[P, Q]:
    """
    Build the query once, with placeholders in the place of the arguments; each call then binds its values only.

    `None` keeps the meaning of `== None`. An argument can stand for a value, a list for `in_`, a limit or an offset,
    not for what decides the query's shape.

    Raises:
        QueryError: At the first call: the function returns no query, or leaves an argument unused.
        TypeError: At the first call: the function asks a placeholder for its truth value or its text.
    """
    return Prepared(build)


def _parameter_names(build: Callable[..., Any], signature: inspect.Signature) -> tuple[str, ...]:
    for parameter in signature.parameters.values():
        if parameter.kind not in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
            raise QueryError(
                f"prepared function {build.__qualname__} takes {parameter}",
                hint="take each value as a named, positional parameter",
            )
    return tuple(signature.parameters)
