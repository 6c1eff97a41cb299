"""The comparison of comments with made-up reports; `cases/harness.py` shows it on those of the checkers themselves."""

import pytest

from tests.typing.harness import Finding, differences, expectations, normalize

SOURCE = """\
reveal_type(x)  # revealed: int
f(
    1,
)  # error: wrong
g()
"""
GOOD = [
    Finding(1, "mypy", "revealed", "builtins.int"),
    Finding(1, "pyright", "revealed", "int"),
    Finding(3, "mypy", "error", "no [arg-type]"),
    Finding(2, "pyright", "error", "no [reportArgumentType]"),
]


def test_reports_as_expected_make_no_difference():
    assert differences(SOURCE, GOOD) == []


def test_other_type_is_a_difference():
    reported = [Finding(1, "mypy", "revealed", "str"), *GOOD[1:]]
    assert differences(SOURCE, reported) == ["line 1: mypy reveals str, expected: int"]


def test_missing_type_is_a_difference():
    assert differences(SOURCE, GOOD[1:]) == ["line 1: mypy reveals nothing, expected: int"]


def test_type_without_comment_is_a_difference():
    reported = [*GOOD, Finding(5, "mypy", "revealed", "str")]
    assert differences(SOURCE, reported) == ["line 5: mypy reveals str, expected: nothing"]


def test_error_that_one_checker_misses_is_a_difference():
    assert differences(SOURCE, GOOD[:3]) == ["line 2: pyright reports no error, expected: wrong"]


def test_error_without_comment_is_a_difference():
    reported = [*GOOD, Finding(5, "pyright", "error", "bad [rule]")]
    assert differences(SOURCE, reported) == ["line 5: pyright reports an unexpected error: bad [rule]"]


def test_comment_may_name_a_checker():
    assert expectations("x  # revealed[mypy]: Any  # revealed[pyright]: Unknown\ny  # error[mypy]\n") == [
        Finding(1, "mypy", "revealed", "Any"),
        Finding(1, "pyright", "revealed", "Unknown"),
        Finding(2, "mypy", "error", ""),
    ]


def test_comment_in_the_head_of_a_block_is_not_about_its_body():
    source = "if x:  # error\n    y\n"
    reported = [Finding(1, "mypy", "error", "a"), Finding(2, "mypy", "error", "b"), Finding(1, "pyright", "error", "a")]
    assert differences(source, reported) == ["line 2: mypy reports an unexpected error: b"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mapper.query.Query[tests.cases.Post, tests.cases.Posts]", "Query[Post, Posts]"),
        ("tuple[str | None, int]", "tuple[None | str, int]"),
        ("a.X[a.B | a.A | a.C]", "X[A | (B | C)]"),
        ("typing.Coroutine[Any, Any, int]", "CoroutineType[Any, Any, int]"),
        ("tuple[Literal[1]?, ...]", "tuple[Literal[1], ...]"),
        ("def (int) -> m.A", "(int) -> A"),
        ("Query[tuple[list[int], str, fallback=m.Named], m.Posts]", "Query[Named, Posts]"),
        ("m.Query[T`-1, R`2]", "Query[T@first, R@first]"),
        ("Literal['x']", 'Literal["x"]'),
    ],
)
def test_types_of_the_two_checkers_are_equal(one: str, other: str):
    assert normalize(one) == normalize(other)


def test_different_types_stay_different():
    assert normalize("Query[int | str]") != normalize("Query[int]")
