"""
Hydration: objects out of raw rows.

A tree of nodes goes in, which says what is made of the values of a row; out comes one function, generated for that
tree, that takes a batch of raw rows and returns a list.

How the function is written was measured, against `[Post(a, b, …) for a, b, … in rows]` over seven columns:

* A loop over columns costs 2.4 of it, so converters are inline, and arguments go by position wherever the constructor
  takes them so.
* A frozen attrs class without anything of its own in its `__init__` is not called at all: the loop assigns the fields
  of an object (0.3; by a function that does so for each object 0.35 to 0.4); see `mapper.making`.
* An object of another class whose arguments are the row as it is goes by `starmap` (0.7), after a loop that looks for
  NULL (together 0.87 to 1.0).
* Elsewhere NULL is looked for in the condition of the comprehension, two bytecodes a column: 20 ns a row, which only
  a msgspec.Struct shows (1.15). The result is then shorter than the batch.
* `object.__new__` and `__init__` called apart do what calling the class does and spare a C call (0.9) and, with names,
  a dict of them (0.5 to 0.7). Skipping `__init__` measured 0.73 to 0.84 for classes that are not frozen, no better than
  `starmap`, so it is called.
* Rows are unpacked and nothing else is done to them, so that a driver's own kind of row, that is no tuple, goes in as
  it is: making tuples of them takes 90 ns a row, and more in the garbage collector.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, assert_never, cast

from mapper.annotations import NONE, alternatives, type_name
from mapper.faults import explainer
from mapper.making import maker, twin_of
from mapper.nodes import Apply, Build, Call, Cell, Decoder, Maybe, Node, RowOf, TupleOf, cells_of
from mapper.plans import BuildNode, MappedColumn, ModelPart, PlanNode, ReadColumn, ReadKey
from mapper.row import Row, RowLayout
from mapper.source import Program, compiled, is_plain_name

__all__ = [
    "Apply",
    "Batch",
    "Build",
    "BuildNode",
    "Call",
    "Cell",
    "Decoder",
    "Maybe",
    "Node",
    "Row",
    "RowOf",
    "TupleOf",
    "cells_of",
    "compile_batch",
    "compile_groups",
    "place",
]

EXPECTED: Final[Mapping[Any, str]] = {int: "an integer", float: "a number", str: "text", bool: "true or false"}
"""How messages call the commonest types; others go by their name."""


class Batch(Protocol):
    """
    A function made by `compile_batch`. `__source__` is its text, for debugging.

    It can be a `mapper.gateway.Decode` as it is: the names of the columns, which it knows, are passed over.

    Attributes:
        unpacks: Rows may be anything that can be unpacked, and has indexes and a length; see `mapper.gateway.Decode`.
    """

    __source__: str
    unpacks: bool

    def __call__(self, rows: Sequence[Sequence[Any]], names: Sequence[str] = (), /) -> list[Any]: ...


def place(
    plan: PlanNode,
    positions: Mapping[str, int],
    decoders: Mapping[str, Decoder | None] | None = None,
    *,
    relation: str = "",
    model: Node | None = None,
) -> Node:
    """
    Put a plan on the rows of a query.

    Args:
        plan: What is made of which columns.
        positions: For each column that it reads, its index in the raw row.
        decoders: For each column what makes a value of what is stored; columns left out are taken as they are.
        relation: The relation's name, for messages.
        model: What stands in the place of the model within a wrapper.
    """
    decoders = decoders or {}
    match plan:
        case ReadColumn(column, nullable):
            return _cell(column, nullable, positions, decoders, relation)
        case ReadKey(parts):
            return TupleOf(tuple([_cell(each, False, positions, decoders, relation) for each in parts]))
        case ModelPart():
            if model is None:
                raise ValueError("the plan has a place for a model, and none was given")
            return model
        case BuildNode(shape, arguments, optional):
            placed = [
                (each, place(node, positions, decoders, relation=relation, model=model)) for each, node in arguments
            ]
            return Build(shape, tuple(placed), tuple([positions[each] for each in plan.columns]) if optional else ())
        case _:
            assert_never(plan)


def _cell(
    column: MappedColumn,
    nullable: bool,
    positions: Mapping[str, int],
    decoders: Mapping[str, Decoder | None],
    relation: str,
) -> Cell:
    return Cell(
        positions[column.name],
        decoders.get(column.name),
        nullable,
        column.name,
        relation,
        _expected(column.annotation),
        column.sensitive,
    )


def _expected(annotation: Any) -> str:
    values = [each for each in alternatives(annotation) or () if each is not NONE]
    return " or ".join([EXPECTED.get(each) or type_name(each) for each in values])


def compile_batch(node: Node, *, width: int | None = None) -> Batch:
    """
    Generate the function that makes objects of raw rows.

    Args:
        node: What is made of a row.
        width: How many values a row has; by default as many as the node reads.

    Returns:
        A function of a sequence of rows. It raises `ValueError` for a value that its column cannot hold and for NULL in
        a column that has none, with the names of column and relation; and whatever a constructor or a function of the
        user raises.
    """
    needed = max([each.index for each in cells_of(node)], default=-1) + 1
    writer = _Writer(needed if width is None else width)
    return _function(writer, writer.batch(node), node)


def compile_groups(node: Node, key: Node, *, width: int) -> Batch:
    """
    Generate the function that makes objects of raw rows and puts them into lists by a key.

    Args:
        node: What is made of a row.
        key: What it belongs to; it has to be hashable.
        width: How many values a row has.

    Returns:
        A function of a sequence of rows, as of `compile_batch`, that returns one dict in a list: for each key the
        objects, in the order of their rows.
    """
    writer = _Writer(width)
    return _function(writer, writer.groups(node, key), TupleOf((node, key)))


def _function(writer: "_Writer", source: str, node: Node) -> Batch:
    writer.program.constants["explain"] = explainer(node, writer.width)
    function = cast("Batch", compiled(source, writer.program.constants, "decode"))
    function.__source__ = source
    function.unpacks = True
    return function


class _Writer:
    """
    Writes the source of one function.

    `required` are the indexes that must not be NULL in any row: the function looks at them before an object is made.
    `lines` are statements that a row goes through before the expression of what is made of it.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.required: set[int] = set()
        self.program = Program()
        self.objects = 0
        self.lines: list[str] = []

    def batch(self, node: Node) -> str:
        """Return the text of the whole function."""
        return self._text(self._spread(node) if _is_the_row(node, self.width) else self._each(node))

    def groups(self, node: Node, key: Node) -> str:
        """Return the text of a function that puts what is made into lists by a key."""
        value, by = self._value(node, frozenset(), False), self._value(key, frozenset(), False)
        made = f"{self.program.constant('g', defaultdict)}(list)"
        return self._text([f"made = {made}", *self._loop(f"made[{by}].append({value})"), "return [made]"])

    def _text(self, body: Sequence[str]) -> str:
        lines = ["def decode(rows, names=()):", "    try:", *[f"        {line}" for line in body]]
        lines += ["    except Exception as error:", "        explain(rows, error)", "        raise"]
        return "\n".join(lines) + "\n"

    def _each(self, node: Node) -> list[str]:
        """Return a comprehension where an expression is all that a row goes through, and else a loop."""
        value = self._value(node, frozenset(), False)
        if not self.lines:
            return self._comprehension(value)
        return ["made = []", *self._loop(f"made.append({value})"), "return made"]

    def _loop(self, last: str) -> list[str]:
        nulls = " or ".join(f"a{index} is None" for index in sorted(self.required))
        refused = [f"    if {nulls}:", "        raise NullFound"] if nulls else []
        return [f"for {self._targets()} in rows:", *refused, *[f"    {line}" for line in (*self.lines, last)]]

    def _spread(self, node: Node) -> list[str]:
        build = cast("Build", node)
        self.required.update([each.index for each in cells_of(build) if not each.nullable])
        nulls = " or ".join(f"a{index} is None" for index in sorted(self.required))
        made = self.program.constant("c", build.shape.cls)
        lines = [f"for {self._targets()} in rows:", f"    if {nulls}:", "        raise NullFound"]
        return [*lines, f"return list(starmap({made}, rows))"]

    def _comprehension(self, value: str) -> list[str]:
        over = f"for {self._targets()} in rows"
        if not self.required:
            return [f"return [{value} {over}]"]
        checks = " and ".join(f"a{index} is not None" for index in sorted(self.required))
        lines = [f"made = [{value} {over} if {checks}]", "if len(made) != len(rows):", "    raise NullFound"]
        return [*lines, "return made"]

    def _targets(self) -> str:
        names = [f"a{index}" for index in range(self.width)]
        return f"({names[0]},)" if len(names) == 1 else ", ".join(names) or "_"

    def _value(self, node: Node, known: frozenset[int], conditional: bool) -> str:
        """
        Return the expression for a node.

        Args:
            known: Indexes that were found not to be NULL on the way here.
            conditional: Whether it is evaluated for some rows only, so that NULL has to be looked for in place.
        """
        match node:
            case Cell():
                return self._cell(node, known, conditional)
            case Build():
                return self._build(node, known, conditional)
            case TupleOf(items):
                return self._tuple([self._value(each, known, conditional) for each in items])
            case RowOf(cells, positions):
                layout = RowLayout.of(positions, [(each.column, each.sensitive) for each in cells])
                values = self._tuple([self._value(each, known, conditional) for each in cells])
                return f"{self.program.constant('c', Row)}({values}, {self.program.constant('k', layout)})"
            case Maybe(inner, absent_when):
                return self._unless_absent(absent_when, known, lambda found: self._value(inner, found, True))
            case Apply(function, TupleOf(items), True):
                arguments = ", ".join([self._value(each, known, conditional) for each in items])
                return f"{self.program.constant('f', function)}({arguments})"
            case Apply() | Call():
                star = "*" if isinstance(node, Apply) and node.spread else ""
                return (
                    f"{self.program.constant('f', node.function)}({star}{self._value(node.node, known, conditional)})"
                )
            case _:
                assert_never(node)

    def _tuple(self, values: Sequence[str]) -> str:
        return f"({values[0]},)" if len(values) == 1 else f"({', '.join(values)})"

    def _cell(self, cell: Cell, known: frozenset[int], conditional: bool) -> str:
        name = f"a{cell.index}"
        value = name if cell.decode is None else self._decoded(name, cell.decode)
        if cell.index in known or (cell.nullable and cell.decode is None):
            return value
        if cell.nullable:
            return f"({value} if {name} is not None else None)"
        if conditional:
            return f"({value} if {name} is not None else null())"
        self.required.add(cell.index)
        return value

    def _decoded(self, name: str, decode: Decoder) -> str:
        """Return what a decoder makes of a value; without a call where a glance tells that this is the value."""
        called, as_it_is = f"{self.program.constant('d', decode)}({name})", getattr(decode, "as_it_is", None)
        return called if not isinstance(as_it_is, str) else f"({name} if {as_it_is.format(name)} else {called})"

    def _build(self, build: Build, known: frozenset[int], conditional: bool) -> str:
        if not build.absent_when:
            return self._construct(build, known, conditional)
        return self._unless_absent(build.absent_when, known, lambda found: self._construct(build, found, True))

    def _unless_absent(
        self, indexes: Sequence[int], known: frozenset[int], made: Callable[[frozenset[int]], str]
    ) -> str:
        """Return the expression that is None where the values at all indexes are NULL, and else what is made."""
        absent = " and ".join(f"a{index} is None" for index in indexes)
        found = frozenset(indexes) if len(indexes) == 1 else frozenset[int]()
        return f"(None if {absent} else {made(known | found)})"

    def _construct(self, build: Build, known: frozenset[int], conditional: bool) -> str:
        arguments = self._arguments(build, known, conditional)
        if not conditional and _is_whole(build) and (making := twin_of(build.shape)) is not None:
            return self._assigned(build, making, arguments)
        if _is_whole(build) and (make := maker(build.shape)) is not None:
            return f"{self.program.constant('m', make)}({', '.join(arguments)})"
        cls = self.program.constant("c", build.shape.cls)
        if not build.shape.initialises:
            return f"{cls}({', '.join(arguments)})"
        made, initialise = f"o{self.objects}", self.program.constant("i", build.shape.cls.__init__)
        self.objects += 1
        return f"({initialise}({', '.join([f'{made} := new({cls})', *arguments])}) or {made})"

    def _assigned(self, build: Build, making: Any, arguments: Sequence[str]) -> str:
        """Write the statements that make an object which every row has, and return its name."""
        made = f"o{self.objects}"
        self.objects += 1
        self.lines.append(f"{made} = {self.program.constant('t', making)}()")
        fields = zip(build.shape.fields, arguments, strict=True)
        self.lines += [f"{made}.{each.name} = {value}" for each, value in fields]
        self.lines.append(f"{made}.__class__ = {self.program.constant('c', build.shape.cls)}")
        return made

    def _arguments(self, build: Build, known: frozenset[int], conditional: bool) -> list[str]:
        """Return the arguments: by position up to the first that is left out or has to be named."""
        written: list[str] = []
        in_place = True
        for position, (each, node) in enumerate(build.arguments):
            value = self._value(node, known, conditional)
            in_place = in_place and each.positional and build.shape.fields[position].argument == each.argument
            if in_place:
                written.append(value)
            elif is_plain_name(each.argument):
                written.append(f"{each.argument}={value}")
            else:
                written.append(f"**{{{self.program.constant('k', each.argument)}: {value}}}")
        return written


def _is_whole(build: Build) -> bool:
    """Whether each field of the object is given, by position."""
    given = [each.argument for each, _ in build.arguments if each.positional]
    return given == [each.argument for each in build.shape.fields]


def _is_the_row(node: Node, width: int) -> bool:
    """
    Whether the arguments of an object are the values of the row, in order, as they are; one of them at least without
    NULL.
    """
    if not isinstance(node, Build) or node.absent_when or width != len(node.arguments):
        return False
    in_order = all(
        isinstance(cell, Cell) and (cell.index, cell.decode) == (position, None) and each.positional
        for position, (each, cell) in enumerate(node.arguments)
    )
    complete = [each.argument for each, _ in node.arguments] == [each.argument for each in node.shape.fields[:width]]
    assigned = _is_whole(node) and twin_of(node.shape) is not None
    return in_order and complete and not assigned and not all(each.nullable for each in cells_of(node))
