"""Objects out of raw rows: what is generated, and what is said where a row does not fit."""

import traceback
from typing import Any

import attrs
import pytest

from mapper.errors import ValueNotReadable
from mapper.hydration import (
    Apply,
    Build,
    Call,
    Cell,
    Node,
    RowOf,
    TupleOf,
    cells_of,
    compile_batch,
    compile_groups,
    place,
)
from mapper.mapping import MappedColumn, build_mapping
from mapper.models import inspect_model
from mapper.types import Misfit
from tests.mapping import samples
from tests.mapping.samples import declared

TITLE = Cell(0, None, False, "title", "Posts")
BODY = Cell(1, None, True, "body", "Posts")
VISITS = Cell(2, int, False, "visits", "Posts", "an integer")


def build(model: Any, *nodes: Node, absent_when: tuple[int, ...] = ()) -> Build:
    shape = inspect_model(model)
    return Build(shape, tuple(zip(shape.fields, nodes, strict=False)), absent_when)


def body_of(node: Node, **options: Any) -> list[str]:
    """The generated lines between `try` and `except`."""
    lines = compile_batch(node, **options).__source__.splitlines()
    assert lines[:2] == ["def decode(rows, names=()):", "    try:"]
    assert lines[-3:] == ["    except Exception as error:", "        explain(rows, error)", "        raise"]
    return [line.removeprefix("        ") for line in lines[2:-3]]


# -- the shape of what is generated
# ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [each for each in samples.POSITIONAL if each is not samples.Frozen])
def test_object_made_of_the_row_as_it_is_goes_by_starmap(model: type):
    node = build(model, TITLE, BODY, attrs.evolve(VISITS, decode=None))
    assert body_of(node) == [
        "for a0, a1, a2 in rows:",
        "    if a0 is None or a2 is None:",
        "        raise NullFound",
        "return list(starmap(c0, rows))",
    ]


def test_decoders_are_inline_and_null_is_looked_for_in_the_condition():
    body = attrs.evolve(BODY, decode=str)
    assert body_of(build(samples.FrozenData, TITLE, body, VISITS)) == [
        "made = [(i0(o0 := new(c0), a0, (d0(a1) if a1 is not None else None), d1(a2)) or o0)"
        " for a0, a1, a2 in rows if a0 is not None and a2 is not None]",
        "if len(made) != len(rows):",
        "    raise NullFound",
        "return made",
    ]


def test_fields_of_a_frozen_attrs_class_are_assigned():
    assert body_of(build(samples.Frozen, TITLE, BODY, VISITS)) == [
        "made = []",
        "for a0, a1, a2 in rows:",
        "    if a0 is None or a2 is None:",
        "        raise NullFound",
        "    o0 = t0()",
        "    o0.title = a0",
        "    o0.body = a1",
        "    o0.visits = d0(a2)",
        "    o0.__class__ = c0",
        "    made.append(o0)",
        "return made",
    ]


def test_several_objects_of_a_row_are_assigned_apart():
    frozen = build(samples.Frozen, TITLE, BODY, VISITS)
    made = compile_batch(TupleOf((frozen, TITLE, frozen)))([("a", None, "1"), ("b", "c", "2")])
    assert made == [
        (samples.Frozen("a", None, 1), "a", samples.Frozen("a", None, 1)),
        (samples.Frozen("b", "c", 2), "b", samples.Frozen("b", "c", 2)),
    ]
    assert made[0][0] is not made[0][2]


def test_frozen_attrs_class_that_may_be_absent_has_a_maker():
    node = build(samples.Frozen, TITLE, BODY, VISITS, absent_when=(0,))
    assert body_of(node) == [
        "return [(None if a0 is None else m0(a0, a1, (d0(a2) if a2 is not None else null()))) for a0, a1, a2 in rows]"
    ]


def test_decoder_is_not_called_for_values_that_are_told_at_a_glance():
    def decode(value: Any) -> float:
        return float(value)

    decode.as_it_is = "type({0}) is float"  # type: ignore[attr-defined]  # see `mapper.types.Decoder`
    cell = Cell(0, decode, False, "score")
    assert body_of(cell)[0] == "made = [(a0 if type(a0) is float else d0(a0)) for (a0,) in rows if a0 is not None]"
    assert compile_batch(cell)([(1.5,), (2,), ("2.5",)]) == [1.5, 2.0, 2.5]


def test_rows_that_are_no_tuples_are_unpacked():
    batch = compile_batch(build(samples.Frozen, TITLE, BODY, VISITS))
    assert batch.unpacks
    assert batch([["a", None, "1"], "bc2"]) == [samples.Frozen("a", None, 1), samples.Frozen("b", "c", 2)]


def test_groups_have_the_objects_of_each_key_in_their_order():
    group = compile_groups(build(samples.Frozen, TITLE, BODY, VISITS), Cell(3, str, False, "owner"), width=4)
    found = group([("a", None, "1", 7), ("b", "c", "2", 8), ("c", "d", "3", 7)])
    assert found == [
        {"7": [samples.Frozen("a", None, 1), samples.Frozen("c", "d", 3)], "8": [samples.Frozen("b", "c", 2)]}
    ]
    assert group([]) == [{}]


def test_groups_by_several_columns_have_tuples_for_keys():
    key = TupleOf((Cell(1, None, True, "x"), Cell(2, None, True, "y")))
    assert compile_groups(TITLE, key, width=3)([("a", 1, 2), ("b", 1, None), ("c", 1, 2)]) == [
        {(1, 2): ["a", "c"], (1, None): ["b"]}
    ]


def test_null_in_groups_is_told_with_its_column():
    with pytest.raises(ValueNotReadable, match="column 'title' of Posts is NULL"):
        compile_groups(TITLE, Cell(1, None, True, "x"), width=2)([("a", 1), (None, 1)])


def test_class_without_a_python_initialiser_is_called():
    assert body_of(build(samples.Struct, TITLE, BODY, VISITS))[0] == (
        "made = [c0(a0, a1, d0(a2)) for a0, a1, a2 in rows if a0 is not None and a2 is not None]"
    )


def test_arguments_go_by_name_where_the_constructor_wants_it():
    assert body_of(build(samples.FrozenStruct, TITLE, BODY, VISITS))[0].startswith(
        "made = [c0(title=a0, body=a1, visits=d0(a2)) for"
    )


def test_arguments_go_by_name_behind_one_that_is_left_out():
    shape = inspect_model(samples.Struct)
    node = Build(shape, ((shape.fields[0], TITLE), (shape.fields[2], VISITS)))
    assert body_of(node)[0].startswith("made = [c0(a0, visits=d0(a2)) for")


def test_argument_that_is_no_identifier_is_a_constant():
    node = build(samples.Aliased, TITLE, BODY, VISITS)
    assert "postTitle=a0, **{k0: a1}, visits=d0(a2)" in body_of(node)[0]
    assert compile_batch(node)([("a", "b", "3")]) == [
        samples.Aliased.model_validate({"postTitle": "a", "post-body": "b", "visits": 3})
    ]


def test_row_without_required_cells_is_not_looked_at():
    assert body_of(TupleOf((BODY,))) == ["return [(a1,) for a0, a1 in rows]"]


def test_single_value_is_itself():
    assert body_of(TITLE) == [
        "made = [a0 for (a0,) in rows if a0 is not None]",
        "if len(made) != len(rows):",
        "    raise NullFound",
        "return made",
    ]


def test_optional_object_looks_for_null_in_place():
    node = build(samples.Struct, TITLE, BODY, VISITS, absent_when=(0, 2))
    assert body_of(node) == [
        "return [(None if a0 is None and a2 is None else"
        " c0((a0 if a0 is not None else null()), a1, (d0(a2) if a2 is not None else null()))) for a0, a1, a2 in rows]"
    ]


def test_cell_that_decides_over_an_object_is_not_looked_at_twice():
    node = build(samples.Struct, TITLE, BODY, absent_when=(0,))
    assert body_of(node) == ["return [(None if a0 is None else c0(a0, a1)) for a0, a1 in rows]"]


def test_functions_spread_tuples_without_making_them():
    pair = TupleOf((BODY, Cell(0, None, True, "title")))
    assert body_of(Apply(max, pair, spread=True)) == ["return [f0(a1, a0) for a0, a1 in rows]"]
    assert body_of(Apply(max, pair)) == ["return [f0((a1, a0)) for a0, a1 in rows]"]
    assert body_of(Call(len, pair)) == ["return [f0((a1, a0)) for a0, a1 in rows]"]
    assert body_of(Apply(max, Call(list, pair), spread=True)) == ["return [f0(*f1((a1, a0))) for a0, a1 in rows]"]


def test_row_is_made_with_its_layout():
    assert body_of(RowOf((BODY,))) == ["return [c0((a1,), k0) for a0, a1 in rows]"]


def test_width_beyond_what_is_read_is_unpacked():
    assert body_of(BODY, width=4) == ["return [a1 for a0, a1, a2, a3 in rows]"]


def test_nothing_of_a_users_names_is_in_the_source():
    class Evil(str):
        """Text that would break out."""

    cell = Cell(0, None, True, Evil("x) + breakout("), Evil("'; drop"))
    assert "breakout" not in compile_batch(TupleOf((cell,))).__source__


# -- what is made
# ----------------------------------------------------------------------------------------------------------


def test_row_of_no_columns_makes_an_object_each():
    class Link: ...

    assert len(compile_batch(build(Link))([(), ()])) == 2


def test_nodes_nest():
    node = Apply(
        lambda a, b: (b, a),
        TupleOf((build(samples.Named, TITLE, BODY, VISITS), Call(len, TupleOf((TITLE, BODY))))),
        spread=True,
    )
    assert compile_batch(node)([("a", None, "3")]) == [(2, ("a", None, 3))]


def test_empty_batch_is_an_empty_list():
    assert compile_batch(build(samples.Frozen, TITLE, BODY, VISITS))([]) == []


def test_rows_may_be_lists():
    assert compile_batch(build(samples.Frozen, TITLE, BODY, VISITS))([["a", "b", 3]]) == [samples.Frozen("a", "b", 3)]


def test_absent_object_is_none():
    node = TupleOf((build(samples.Struct, TITLE, BODY, VISITS, absent_when=(0, 1, 2)), Cell(3, None, False, "id")))
    assert compile_batch(node)([(None, None, None, 1), ("a", None, "2", 3)]) == [
        (None, 1),
        (samples.Struct("a", None, 2), 3),
    ]


def test_cells_of_a_tree_come_in_order():
    node = Apply(len, TupleOf((build(samples.Named, TITLE, BODY), RowOf((VISITS,)), Call(len, BODY))))
    assert list(cells_of(node)) == [TITLE, BODY, VISITS, BODY]


def test_plan_that_wants_a_model_is_placed_with_one():
    mapping = build_mapping("Posts", samples.Frozen, None, samples.COLUMNS)
    assert mapping.wrapper_plan is not None
    with pytest.raises(ValueError, match="the plan has a place for a model, and none was given"):
        place(mapping.wrapper_plan, {"id": 0})


# -- what is said
# ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "node",
    [
        build(samples.Frozen, TITLE, BODY, attrs.evolve(VISITS, decode=None)),
        build(samples.Frozen, TITLE, BODY, VISITS),
        TupleOf((TITLE, BODY, VISITS)),
        RowOf((TITLE, BODY, VISITS)),
        Call(len, TupleOf((TITLE, BODY, VISITS))),
        build(samples.Frozen, TITLE, BODY, VISITS, absent_when=(0, 2)),
    ],
)
@pytest.mark.parametrize(("row", "column"), [((None, "b", 3), "title"), (("a", "b", None), "visits")])
def test_null_in_a_column_that_has_none_is_an_error_with_its_name(node: Node, row: tuple[Any, ...], column: str):
    with pytest.raises(ValueError, match=f"column '{column}' of Posts is NULL, expected a value\nHINT: ") as caught:
        compile_batch(node)([("a", "b", 3), row])
    assert type(caught.value) is ValueNotReadable


def test_decoder_that_takes_none_is_not_given_it():
    with pytest.raises(ValueError, match="column 'public' is NULL"):
        compile_batch(TupleOf((Cell(0, bool, False, "public"),)))([(None,)])


def test_value_that_cannot_be_decoded_is_an_error_with_its_column():
    with pytest.raises(ValueError, match=r"^column 'visits' of Posts holds 'abc', expected an integer$") as caught:
        compile_batch(TupleOf((TITLE, BODY, VISITS)))([("a", None, "1"), ("a", None, "abc")])
    assert type(caught.value) is ValueNotReadable
    assert isinstance(caught.value.__cause__, ValueError)


def test_misfit_tells_what_was_expected():
    def decode(value: object) -> int:
        raise Misfit(value, "an integer from 0 to 9")

    with pytest.raises(ValueError, match=r"^column 'visits' of Posts holds 12, expected an integer from 0 to 9$"):
        compile_batch(attrs.evolve(VISITS, decode=decode))([(0, 0, 12)])


def test_long_value_is_cut_short():
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the message is compared below)
        compile_batch(attrs.evolve(VISITS, decode=int))([(0, 0, "x" * 1000)])
    assert str(caught.value) == f"column 'visits' of Posts holds '{'x' * 58}…, expected an integer"


def test_decoder_without_expectation_tells_itself():
    with pytest.raises(ValueError, match=r"^column 'n' holds 'abc', expected invalid literal for int"):
        compile_batch(Cell(0, int, False, "n"))([("abc",)])


def test_value_of_a_sensitive_column_is_in_no_message():
    cell = Cell(0, int, False, "pin", "Users", "an integer", sensitive=True)
    rows = [("hunt" + "er2",)]
    with pytest.raises(
        ValueError, match=r"^column 'pin' of Users holds a value that is not shown, expected an integer$"
    ) as caught:
        compile_batch(cell)(rows)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_optional_object_that_is_there_in_part_is_an_error():
    with pytest.raises(ValueError, match="column 'visits' of Posts is NULL"):
        compile_batch(build(samples.Struct, TITLE, BODY, VISITS, absent_when=(0, 2)))([("a", None, None)])


def test_error_of_a_users_function_is_its_own_though_a_later_row_is_at_fault():
    def fail(*_: object) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        compile_batch(Apply(fail, TupleOf((TITLE, VISITS)), spread=True))([("a", None, 1), ("b", None, "abc")])


def test_error_of_a_constructor_is_its_own():
    @attrs.frozen
    class Checked:
        title: str = attrs.field(validator=attrs.validators.max_len(3))

    with pytest.raises(ValueError, match=r"Length of 'title' must be <= 3"):
        compile_batch(build(Checked, TITLE))([("long title",)])


def test_row_of_another_width_is_an_error():
    with pytest.raises(ValueError, match=r"^a row has 2 values, expected 3$"):
        compile_batch(build(samples.Frozen, TITLE, BODY, attrs.evolve(VISITS, decode=None)))(
            [("a", "b", 3), ("a", "b")]
        )


def test_placed_cells_know_their_relation_type_and_secrecy():
    columns = [*declared(id=int), MappedColumn(name="title", annotation=str, sensitive=True, index=1)]
    mapping = build_mapping("Users", samples.Frozen, None, columns)
    node = mapping.wrapper_node({"id": 4, "title": 2}, {"title": str.strip})
    assert list(cells_of(node)) == [
        Cell(4, None, False, "id", "Users", "an integer", False),
        Cell(2, str.strip, False, "title", "Users", "text", True),
    ]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, "an integer"),
        (float | None, "a number"),
        (list[int], "list[int]"),
        (int | str, "an integer or text"),
        (Any, ""),
    ],
)
def test_expectation_of_a_column_is_its_type(annotation: Any, expected: str):
    shape = attrs.make_class("One", {"value": attrs.field(type=annotation)})
    mapping = build_mapping("Ones", shape, None, declared(value=annotation))
    assert [each.expected for each in cells_of(mapping.model_node({"value": 0}))] == [expected]
