"""`Row`: values by attribute."""

from types import SimpleNamespace
from typing import Any

import pytest

from mapper.errors import QueryError
from mapper.hydration import Cell, Row, RowOf, compile_batch

pytestmark = pytest.mark.feature("B4")


def attribute(key: str) -> Any:
    return SimpleNamespace(key=key)


def rows(*values: Any) -> list[Row]:
    cells = (Cell(0, None, False, "title"), Cell(1, str.upper, True, "token", sensitive=True))
    return compile_batch(RowOf(cells, {"Posts.title": 0, "p.title": 0, "Posts.token": 1}))(values)


def test_value_is_found_by_the_attributes_key_under_each_alias():
    (row,) = rows(("a", "b"))
    assert [row[attribute(key)] for key in ("Posts.title", "p.title", "Posts.token")] == ["a", "a", "B"]


def test_column_that_was_not_read_is_an_error_that_lists_those_that_were():
    (row,) = rows(("a", "b"))
    with pytest.raises(QueryError, match="is not in the row\nHINT: the columns that were read are: title, token"):
        row[attribute("Posts.body")]


def test_representation_hides_sensitive_values():
    assert repr(rows(("a", "secret"))[0]) == "Row(title='a', token=…)"


def test_rows_are_equal_by_value():
    first, second, third = rows(("a", None), ("a", None), ("b", None))
    assert first == second
    assert first != third
    assert first != ("a", None)
    assert len({first, second, third}) == 2
