"""What encloses nothing of its own keeps its operand together: a value converted to the type that it has."""

from typing import Any

import pytest

from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper import Expr, fn, select
from mapper.operations import QuerySql
from tests.sql.blog import Posts

GATEWAYS = [SQLiteGateway("never/opened.db"), PostgresGateway("postgresql://nobody@nowhere/nothing")]


@pytest.mark.parametrize("gateway", GATEWAYS, ids=lambda each: each.name)
@pytest.mark.parametrize(
    "whole",
    [(Posts.visits + 1).cast(int), fn.floor(Posts.visits + 1), fn.ceil(Posts.visits + 1)],
    ids=["cast", "floor", "ceil"],
)
def test_sum_that_is_converted_to_its_own_type_is_multiplied_as_a_whole(gateway: Any, whole: Expr[int, Posts]):
    operation = gateway.compile(select(Posts.id).where(whole * 2 > 5))
    assert isinstance(operation, QuerySql)
    place = "?" if gateway.name == "sqlite" else "$1::bigint"
    assert f'"visits" + {place}) * ' in operation.sql
