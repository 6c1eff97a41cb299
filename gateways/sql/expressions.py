"""
Expressions to SQL.

A numbered expression and the scope that it stands in go in; a piece of SQL with the places of its parameters comes out.
What a database says differently is in its dialect's tables; here is only what holds for all of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from gateways.sql.dialect import AggregateText, Dialect, stored
from gateways.sql.frames import frame_text
from gateways.sql.grouping import gives_one_row, require_computed, require_own
from gateways.sql.pieces import NOTHING, Bind, Place, Rank, Sql, enclosed, joined, spliced, sql, within
from gateways.sql.scopes import Around, Scope, place_of
from gateways.sql.shapes import Pairs, flat
from gateways.sql.templates import Template
from mapper.assembly import walk
from mapper.capabilities import unsupported_function
from mapper.columns import ColumnInfo
from mapper.errors import QueryError, Unsupported
from mapper.expressions import Attribute, Call, Expr, Order, RowValue, Slot, Subquery
from mapper.functions import Aggregate, Window
from mapper.grouping import Grouping
from mapper.paths import steps_of
from mapper.placeholders import split_placeholders
from mapper.statements import Select
from mapper.terms import Excluded, Fragment, Outer, Present, SetReturning
from mapper.types import List, StorageType

__all__ = ["Expressions", "Subselect"]

Subselect: TypeAlias = Callable[[Select, Around, bool], Sql]
"""Makes the SQL of a select within another; with True its columns are named `c0`, `c1` …"""

Node: TypeAlias = Expr[Any, Any]


class Expressions:
    """
    Makes SQL of the expressions of one statement.

    Attributes:
        recognized: Whether one of them stands where the store must recognise it as another one of the statement.
        pairs: Numbers of parameters that must be equal, because expressions that they are in were taken for the same.
    """

    def __init__(self, dialect: Dialect, subselect: Subselect) -> None:
        self.dialect = dialect
        self._subselect = subselect
        self.recognized = False
        self.pairs: Pairs = []
        self._nodes: Mapping[type[Any], Callable[[Any, Scope], Sql]] = {
            Attribute: self._attribute,
            Outer: self._outer,
            Excluded: self._excluded,
            Slot: self._slot,
            Call: self._call,
            RowValue: self._row_value,
            Subquery: self._subquery,
            Fragment: self._fragment,
            SetReturning: self._call,
            Grouping: self._grouping,
            Present: self._present,
            Aggregate: self._aggregate,
            Window: self._window,
        }
        self._calls: Mapping[str, Callable[[Any, Scope], Sql]] = {
            "case": self._case,
            "cast": self._cast,
            "coalesce": self._coalesce,
            "output": self._output,
            "in_query": self._in_query,
            "not_in_query": self._not_in_query,
            "not_in_list": self._not_in_list,
            "between": self._between,
            "json_path": self._json_part,
            "json_as": self._json_value,
            "list_item": self._list_item,
            **dict.fromkeys(("list_overlaps", "list_contains_all", "list_append", "list_remove"), self._of_items),
        }

    # -- entry points
    # ----------------------------------------------------------------------------------------------------------------------

    def render(self, node: Node, scope: Scope) -> Sql:
        """Return the SQL of an expression."""
        make = self._nodes.get(type(node)) or self._inherited(type(node))
        if make is None:
            raise QueryError(
                f"{node!r} cannot be compiled to SQL",
                hint="a parameter must be numbered: compile the query, not its parts",
            )
        return make(node, scope)

    def _inherited(self, kind: type[Any]) -> Callable[[Any, Scope], Sql] | None:
        """Return what makes the SQL of a subclass, as gateways have them for operators of their own."""
        return next((make for each in kind.__mro__ if (make := self._nodes.get(each))), None)

    def conditions(self, nodes: Sequence[Node], scope: Scope) -> Sql:
        """Return the SQL of conditions that all hold."""
        require_values(nodes, "a condition")
        require_computed(nodes, Window if scope.groups is not None else Aggregate | Window)
        if len(nodes) == 1:
            return self.render(nodes[0], scope)
        return self._template("and", ()).render(
            len(every := flat("and", nodes)), lambda index, _: self.render(every[index], scope)
        )

    def order(self, term: Order[Any], scope: Scope, *, text: Sql | None = None, nullable: bool | None = None) -> Sql:
        """Return the SQL of a term of an order. `text` stands for its expression where that is named otherwise."""
        piece = self.render(term.expression, scope) if text is None else text
        native_last = (self.dialect.nulls == "largest") is not term.descending
        may_be_null = self.nullable(term.expression, scope) if nullable is None else nullable
        clause = (
            ""
            if not may_be_null or native_last is term.nulls_are_last
            else f" NULLS {'LAST' if term.nulls_are_last else 'FIRST'}"
        )
        return sql(piece, " DESC" if term.descending else "", clause)

    def nullable(self, node: Node, scope: Scope) -> bool:
        """Whether the value can be NULL here, outer joins considered."""
        return node.nullable or any(isinstance(each, Attribute) and scope.is_optional(each) for each in walk(node))

    def assigned(self, node: Node, scope: Scope, column: ColumnInfo, place: Place) -> Sql:
        """
        Return the SQL of a value that is assigned to a column, which loses no digits unseen and is not NULL where that
        is refused.
        """
        if isinstance(node, Slot):
            return self._bound(node, "value", place, required=not column.nullable)
        require_values((node,), "an assignment")
        return self._exact(node, scope, column.type)

    def output(self, node: Node, scope: Scope) -> Sql:
        """Return the SQL of a value that is read."""
        piece = self._exact(node, scope, node.type)
        return self._collated(piece, node.type) if isinstance(node, Slot) else piece

    def _exact(self, node: Node, scope: Scope, target: StorageType[Any]) -> Sql:
        template = self.dialect.exact(stored(target), node)
        piece = self.render(node, scope)
        return piece if template is None else self._collated(template.render(1, lambda _index, _form: piece), target)

    # -- columns and parameters
    # ------------------------------------------------------------------------------------------------------------

    def _attribute(self, node: Attribute[Any, Any], scope: Scope) -> Sql:
        return self._column(node, scope.column(node), scope)

    def _outer(self, node: Outer[Any], scope: Scope) -> Sql:
        return self._column(node.attribute, scope.outer(node.attribute), scope)

    def _column(self, attribute: Attribute[Any, Any], text: str, scope: Scope) -> Sql:
        return Sql((text,)) if scope.collates(attribute) else self._collated(sql(text), attribute.type)

    def _excluded(self, node: Excluded[Any, Any], scope: Scope) -> Sql:
        if not scope.excluded:
            raise QueryError(
                f"excluded({place_of(node.attribute)}) stands outside of an upsert",
                hint="use it in on_conflict(set_=…, where=…)",
            )
        return sql("excluded.", self.dialect.name_of(node.attribute.column.name))

    def _grouping(self, node: Grouping[Any], scope: Scope) -> Sql:
        return sql(
            f"{_GROUPINGS[node.name]} (", joined([self.render(each, scope) for each in node.operands], ", "), ")"
        )

    def _present(self, node: Present[Any], scope: Scope) -> Sql:
        return sql(scope.present(node.token))

    def _slot(self, node: Slot, scope: Scope) -> Sql:
        del scope
        return self._bound(node, "list" if node.many else "value", None)

    def _bound(self, node: Slot, form: str, beside: Place | None, *, required: bool = False) -> Sql:
        return Sql((Bind(node.index, (node.type,), form, beside, required),))

    # -- operators and functions
    # -----------------------------------------------------------------------------------------------------------

    def _call(self, node: Call[Any, Any], scope: Scope) -> Sql:
        piece = self._unchecked(node, scope)
        template = self.dialect.overflow(node)
        return piece if template is None else template.render(1, lambda _index, _form: piece)

    def _unchecked(self, node: Call[Any, Any], scope: Scope) -> Sql:
        """Return a call whose value may have overflowed, for arithmetic that passes it on."""
        special = self._calls.get(_head(node))
        return self._collated(self._operator(node, scope) if special is None else special(node, scope), node.type)

    def _collated(self, piece: Sql, type_: StorageType[Any]) -> Sql:
        collation = self.dialect.collation(type_)
        return piece if collation is None else sql(within(piece, Rank.ATOM), f" COLLATE {collation}")

    def _operator(self, node: Call[Any, Any], scope: Scope, template: Template | None = None) -> Sql:
        template = template or self._template(node.name, node.operands)
        operands = flat(node.name, node.operands) if template.flat else node.operands
        if template.computed is not None and not all(isinstance(operands[each], Slot) for each in template.formed):
            template = template.computed
        beside = _beside(operands)
        collated = self._uncollated(node.name, operands)

        passes = self.dialect.overflow(node) is not None

        def operand(index: int, form: str | None) -> Sql:
            part = operands[index]
            if passes and isinstance(part, Call):
                return self._unchecked(part, scope)
            found = self._operand(part, form, beside, scope)
            return self._collated(found, part.type) if index in collated else found

        return template.render(len(operands), operand)

    def _uncollated(self, name: str, operands: Sequence[Node]) -> Sequence[int]:
        """
        Return the position of the first operand of a comparison, where it and the others are parameters, which have no
        collation of their own: all others, or one of those that BETWEEN compares with it apart.
        """
        if (
            name not in _COMPARING
            or not isinstance(operands[0], Slot)
            or self.dialect.collation(operands[0].type) is None
        ):
            return ()
        bare = [isinstance(each, Slot | Subquery) for each in operands[1:]]
        return (0,) if all(bare) or (name == "between" and any(bare)) else ()

    def _operand(self, node: Node, form: str | None, beside: Sequence[Node], scope: Scope) -> Sql:
        if form == "rows":
            return self._rows(node, beside)
        if isinstance(node, Slot):
            place = _place(beside[0]) if beside else None
            return self._bound(node, form or ("list" if node.many else "value"), place)
        if isinstance(node, RowValue):
            return self._row_value(node, scope, beside)
        return self.render(node, scope)

    def _rows(self, node: Node, beside: Sequence[Node]) -> Sql:
        """Return the rows of parallel lists, or of one list of tuples, for a composite IN."""
        if isinstance(node, RowValue):
            lists = [each for each in node.items if isinstance(each, Slot)]
            return self.dialect.row_list(
                [Bind(each.index, (each.type,), "list", _place(part)) for each, part in zip(lists, beside, strict=True)]
            )
        assert isinstance(node, Slot)
        bind = Bind(node.index, tuple([each.type for each in beside]), "tuples", _place(beside[0]))
        return self.dialect.row_list([bind])

    def _template(self, name: str, operands: Sequence[Node]) -> Template:
        table = self.dialect.operators
        for each in operands:
            found = table.get((name, _class(each)))
            if found is not None:
                return found
        plain = table.get((name, len(operands))) or table.get(name) or table.get(name.partition("::")[0])
        if plain is None:
            raise self._unsupported(name)
        return plain

    def _unsupported(self, name: str) -> Unsupported:
        gateway = self.dialect.capabilities.gateway
        return unsupported_function(name, gateway, hint="write a fragment in the store's language")

    def _case(self, node: Call[Any, Any], scope: Scope) -> Sql:
        require_values(node.operands, "case")
        pairs, rest = divmod(len(node.operands), 2)
        value_beside = _beside(node.operands[1::2])
        parts: list[Sql | str] = ["CASE"]
        for index in range(pairs):
            condition, value = node.operands[2 * index : 2 * index + 2]
            parts.extend(
                (" WHEN ", self.render(condition, scope), " THEN ", self._operand(value, None, value_beside, scope))
            )
        if rest:
            parts.extend((" ELSE ", self._operand(node.operands[-1], None, value_beside, scope)))
        return sql(*parts, " END")

    def _cast(self, node: Call[Any, Any], scope: Scope) -> Sql:
        source, target = type(stored(node.operands[0].type)), type(stored(node.type))
        template = self.dialect.casts.get((source, target)) or self.dialect.casts.get((None, target))
        if template is None:
            raise Unsupported(
                "cast",
                self.dialect.capabilities.gateway,
                f"a cast from {source.__name__} to {target.__name__} is not supported by the {self.dialect.capabilities.gateway} gateway",
                hint="convert the value in Python, or write a fragment in the store's language",
            )
        return self._operator(node, scope, template)

    def _coalesce(self, node: Call[Any, Any], scope: Scope) -> Sql:
        require_values(node.operands, "coalesce")
        only = node.operands[0] if len(node.operands) == 1 else None
        return self._operator(node, scope) if only is None else self.render(only, scope)

    def _output(self, node: Call[Any, Any], scope: Scope) -> Sql:
        return Sql((scope.output(int(node.name.partition(":")[2])),))

    def _between(self, node: Call[Any, Any], scope: Scope) -> Sql:
        """What is behind BETWEEN must be in parentheses where it has a collation of its own."""
        found = self._template(node.name, node.operands)
        low = node.operands[1]
        if isinstance(low, Slot | Attribute) or self.dialect.collation(low.type) is None:
            return self._operator(node, scope)
        beside = _beside(node.operands)
        parts = [self._operand(each, None, beside, scope) for each in node.operands]
        parts[1] = enclosed(parts[1])
        for index in self._uncollated(node.name, node.operands):
            parts[index] = self._collated(parts[index], node.operands[index].type)
        return found.render(len(parts), lambda index, _form: parts[index])

    def _not_in_list(self, node: Call[Any, Any], scope: Scope) -> Sql:
        item = node.operands[0]
        variant = "not_in_list_nullable" if self.nullable(item, scope) else "not_in_list"
        return self._operator(node, scope, self._template(variant, node.operands))

    def _json_part(self, node: Call[Any, Any], scope: Scope) -> Sql:
        return self.dialect.json.part(within(self.render(node.operands[0], scope), Rank.ATOM), steps_of(node.name))

    def _json_value(self, node: Call[Any, Any], scope: Scope) -> Sql:
        document = within(self.render(node.operands[0], scope), Rank.ATOM)
        return self.dialect.json.value(document, steps_of(node.name), stored(node.type))

    def _list_item(self, node: Call[Any, Any], scope: Scope) -> Sql:
        return self._operator(node, scope, self.dialect.list_item(node.type, int(node.name.partition(":")[2])))

    def _of_items(self, node: Call[Any, Any], scope: Scope) -> Sql:
        """Return the SQL of an operator over lists, which depends on what their items are."""
        listed = node.operands[0].type
        assert isinstance(listed, List)
        table = self.dialect.operators
        template = table.get((node.name, type(stored(listed.item)))) or table.get(node.name)
        if template is None:
            raise self._unsupported(node.name)
        return self._operator(node, scope, template)

    # -- subqueries
    # ------------------------------------------------------------------------------------------------------------------------

    def _subquery(self, node: Subquery[Any, Any], scope: Scope) -> Sql:
        select = node.query
        around = Around(scope, scope.around.commons)
        if node.kind == "scalar" and self.dialect.several_rows is not None and not gives_one_row(select):
            return self._only(select, around, node.type)
        text = enclosed(self._subselect(select, around, False))
        return sql(_BEFORE_SUBQUERY[node.kind], self._collated(text, node.type) if node.kind == "scalar" else text)

    def _only(self, select: Select, around: Around, type_: StorageType[Any]) -> Sql:
        """Return the one value of a select, for a store that would take the first one of several."""
        inner = sql(
            f"SELECT {self._c0} FROM (", self._subselect(select, around, True), f") AS {self.dialect.name_of('listed')}"
        )
        text = sql(
            f"(SELECT CASE WHEN count(*) < 2 THEN max({self._c0}) ELSE {self.dialect.several_rows} END FROM (",
            inner,
            f" LIMIT 2) AS {self.dialect.name_of('listed')})",
        )
        return self._collated(text, type_)

    def _in_query(self, node: Call[Any, Any], scope: Scope) -> Sql:
        """
        Return `x IN (…)` in which NULL is a value like any other: NULLs of the subquery hide no row, and a NULL `x` is
        in one that has NULL.
        """
        item, query = node.operands
        select = _select_of(query)
        around = Around(scope, scope.around.commons)
        given = self.render(item, scope)
        left = within(self._collated(given, item.type) if isinstance(item, Slot) else given, Rank.ATOM)
        if isinstance(item, RowValue) or not _gives_null(select):
            return sql(left, " IN ", enclosed(self._subselect(select, around, False)), rank=Rank.OPERATOR)
        known = self._listed(select, around, f"SELECT {self._c0}", f"{self._c0} IS NOT NULL")
        found = sql(left, " IN ", enclosed(known), rank=Rank.OPERATOR)
        if not self.nullable(item, scope):
            return found
        missing = self._listed(select, around, "SELECT 1", f"{self._c0} IS NULL")
        return sql(found, " OR (", left, " IS NULL AND EXISTS (", missing, "))", rank=Rank.OR)

    def _not_in_query(self, node: Call[Any, Any], scope: Scope) -> Sql:
        found = self._in_query(node, scope)
        return self.dialect.operators["is_not_true"].render(1, lambda _index, _form: found)

    def _listed(self, select: Select, around: Around, head: str, condition: str) -> Sql:
        inner = self._subselect(select, around, True)
        return sql(f"{head} FROM (", inner, f") AS {self.dialect.name_of('listed')} WHERE {condition}")

    @property
    def _c0(self) -> str:
        return self.dialect.name_of("listed", "c0")

    # -- rows, fragments, aggregates
    # -------------------------------------------------------------------------------------------------------

    def _row_value(self, node: RowValue[Any, Any], scope: Scope, beside: Sequence[Node] = ()) -> Sql:
        items = [self._part(each, beside[index : index + 1], scope) for index, each in enumerate(node.items)]
        return enclosed(joined(items, ", "))

    def _part(self, node: Node, beside: Sequence[Node], scope: Scope) -> Sql:
        found = self._operand(node, None, beside, scope)
        alone = isinstance(node, Slot) and all(isinstance(each, Slot) for each in beside)
        return self._collated(found, node.type) if alone else found

    def _fragment(self, node: Fragment[Any, Any], scope: Scope) -> Sql:
        pieces = split_placeholders(node.text)
        if len(pieces) - 1 != len(node.operands):
            raise QueryError(
                f"fragment {node.text!r} has {len(pieces) - 1} placeholders and {len(node.operands)} operands",
                hint="write '??' for a literal question mark; in quotes and comments a single one is literal",
            )
        return self._collated(spliced(pieces, [self.render(each, scope) for each in node.operands]), node.type)

    def _aggregate(self, node: Aggregate[Any, Any], scope: Scope) -> Sql:
        if node.window_only:
            raise QueryError(f"{node.name} is for windows", hint=f"give it one: fn.{node.name}(…).over(order_by=[…])")
        # What a subquery in it says of the rows around it, it says of rows, not of groups.
        groups, scope.groups = scope.groups, None
        require_own(node)
        called = self._called(node, scope)
        scope.groups = groups
        return self._with_result(called, node)

    def _called(self, node: Aggregate[Any, Any], scope: Scope) -> Sql:
        text = self._aggregate_text(node)
        require_values(node.children, text.name)
        arguments = self._arguments(node, scope, text.arguments)
        where = NOTHING if node.filter is None else sql(" FILTER (WHERE ", self.render(node.filter, scope), ")")
        if text.ours:
            told = "distinct" if node.distinct else ""
            return sql(f"{text.name}('{told}', ", arguments, *self._told(node, scope), ")", where)
        distinct = "DISTINCT " if node.distinct else ""
        terms = [self.order(each, scope) for each in node.order_by]
        order = sql("ORDER BY ", joined(terms, ", ")) if terms else NOTHING
        self.recognized = self.recognized or (node.distinct and bool(terms))
        inside, behind = (sql(" ", order) if terms else NOTHING), NOTHING
        if text.within_group:
            inside, behind = NOTHING, sql(" WITHIN GROUP (", order, ")")
        return sql(f"{text.name}({distinct}", arguments, inside, ")", behind, where)

    def _told(self, node: Aggregate[Any, Any], scope: Scope) -> Iterator[Sql]:
        """Give the terms of an aggregate's order as arguments."""
        for term in node.order_by:
            numbers = " number" if self.dialect.collation(term.expression.type) else ""
            how = f"{'desc' if term.descending else 'asc'} {'last' if term.nulls_are_last else 'first'}{numbers}"
            yield sql(f", '{how}', ", self.render(term.expression, scope))

    def _arguments(self, node: Aggregate[Any, Any], scope: Scope, template: Template | None) -> Sql:
        if not node.operands:
            return sql(_ARGUMENTS.get(node.name, ""))
        if template is not None:
            return template.render(len(node.operands), lambda index, _form: self.render(node.operands[index], scope))
        return joined([self.render(each, scope) for each in node.operands], ", ")

    def _with_result(self, piece: Sql, node: Aggregate[Any, Any]) -> Sql:
        result = self._aggregate_text(node).result
        converted = piece if result is None else result.render(1, lambda _index, _form: piece)
        return self._collated(converted, node.type)

    def _aggregate_text(self, node: Aggregate[Any, Any]) -> AggregateText:
        table = self.dialect.aggregates
        typed = table.get((node.name, _class(node.operands[0]))) if node.operands else None
        found = typed or table.get(node.name)
        if found is None:
            raise self._unsupported(node.name)
        return found

    def _window(self, node: Window[Any, Any], scope: Scope) -> Sql:
        self.dialect.capabilities.require("windows", what=f"{node.function.name} over a window")
        if node.function.order_by or node.function.distinct:
            raise QueryError(
                f"{node.function.name} over a window has an order or distinct values of its own",
                hint="give the window the order: .over(order_by=[…])",
            )
        clauses = []
        if node.partition_by:
            clauses.append(sql("PARTITION BY ", joined([self.render(each, scope) for each in node.partition_by], ", ")))
        if node.order_by:
            clauses.append(sql("ORDER BY ", joined([self.order(each, scope) for each in node.order_by], ", ")))
        if node.frame is not None:
            clauses.append(sql(frame_text(node, node.frame, self.dialect)))
        called = sql(
            self._called(_without_aggregates_in_filter(node.function), scope), " OVER (", joined(clauses, " "), ")"
        )
        return self._with_result(called, node.function)


def require_values(nodes: Sequence[Node], place: str) -> None:
    """
    Refuse functions that give rows where one value is needed.

    Raises:
        QueryError: One of them is in the nodes.
    """
    for node in nodes:
        for each in walk(node):
            if isinstance(each, SetReturning):
                raise QueryError(
                    f"{each!r} gives rows and stands in {place}, which needs a value",
                    hint="select it in a common table or a subquery, and use its column",
                )


def _without_aggregates_in_filter(function: Aggregate[Any, Any]) -> Aggregate[Any, Any]:
    """
    Return the function of a window over groups with a choice of values in the place of a filter that asks for aggregates,
    which databases allow in the one and not in the other.
    """
    condition = function.filter
    if condition is None or not any(isinstance(each, Aggregate) for each in walk(condition)):
        return function
    item = function.operands[0] if function.operands else condition
    chosen: Node = Call("case", (condition, item), item.type, nullable=True)
    return Aggregate(
        function.name,
        (chosen, *function.operands[1:]),
        function.type,
        nullable=function.nullable,
        distinct=function.distinct,
    )


_COMPARING: Final = frozenset(
    {"eq", "ne", "lt", "le", "gt", "ge", "is_distinct", "is_not_distinct", "ne_or_not_null", "between", "nullif"}
    | {"greatest", "least"}
    | {"in_list", "in_list_or_null", "not_in_list", "not_in_list_or_null"}
)
"""Operators whose first operand decides by which collation they compare, where no other does."""

_PARAMETRISED: Final = ("cast:", "output:", "json_path:", "json_as:", "list_item:")
"""How the names of calls begin that say more than which function it is."""
_GROUPINGS: Final = {"rollup": "ROLLUP", "cube": "CUBE", "grouping_sets": "GROUPING SETS"}
_BEFORE_SUBQUERY: Final = {"scalar": "", "exists": "EXISTS ", "rows": ""}
_ARGUMENTS: Final = {"count": "*"}


def _head(node: Call[Any, Any]) -> str:
    return node.name.partition(":")[0] if node.name.startswith(_PARAMETRISED) else node.name


def _class(node: Node) -> type[Any]:
    return RowValue if isinstance(node, RowValue) else type(stored(node.type))


def _beside(operands: Sequence[Node]) -> Sequence[Node]:
    """Return the column that parameters are compared with (the columns, of a row value), or nothing."""
    for each in operands:
        if isinstance(each, RowValue) and not all(isinstance(item, Slot) for item in each.items):
            return each.items
        if isinstance(each, Attribute | Outer | Excluded):
            return (each,)
    return next((each.items for each in operands if isinstance(each, RowValue)), ())


def _place(node: Node) -> Place | None:
    if isinstance(node, Outer | Excluded):
        node = node.attribute
    return place_of(node) if isinstance(node, Attribute) else None


def _select_of(node: Node) -> Select:
    if isinstance(node, Subquery) and isinstance(node.query, Select):
        return node.query
    raise QueryError(f"{node!r} is no subquery of a numbered statement")


def _gives_null(select: Select) -> bool:
    return select.columns[0].nullable or any(_gives_null(right) for _, right in select.compound)
