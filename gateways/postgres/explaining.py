"""
`explain`: how PostgreSQL runs a query or a statement, as a tree.

A query or an operation goes in, with where to ask; a `Plan` comes out.
"""

from functools import partial
from typing import Any

from typing_extensions import TypeVar

from gateways.postgres.sources import gateway_of, postgres_executor
from mapper.combining import combined, keyed
from mapper.explained import explained
from mapper.explaining import Plan
from mapper.gateway import Gateway
from mapper.operations import Operation, RawSql
from mapper.query import One, Query
from mapper.stores import Stores

__all__ = ["explain"]

R = TypeVar("R")


async def explain(
    statement: Query[Any, R] | One[Any, R] | Operation,
    source: Stores[R] | Gateway,
    *,
    analyze: bool = False,
    buffers: bool = False,
    verbose: bool = False,
    settings: bool = False,
) -> Plan:
    """
    Ask how a statement is run: `print(await explain(query, repository, analyze=True))`.

    Beside `query.explain(repository)`, which every gateway has, it knows PostgreSQL's options, and takes what a changeset
    sends: any operation, compiled, recorded or a `RawSql`. Of a write of many rows it tells the plan of the first, of a
    query that combines those of its relationships too, as `parts`.

    Args:
        statement: A query, or an operation.
        source: A repository, a transaction of one, or a gateway.
        analyze: Run it, and measure: the plan has actual rows and times. What it writes is undone, whatever it is;
            what the server never undoes (numbers taken from sequences) stays.
        buffers: Tell how many blocks were read, and from where.
        verbose: Tell the columns of each step, and schemas.
        settings: Tell the server's settings that matter to the plan and differ from their defaults.

    Raises:
        Unsupported: The gateway is none of PostgreSQL, or the operation has no plan. Before I/O.
        NotStored: The repository does not store what the query reads. Before I/O.
        StoreError: What the server answered.
    """
    gateway, executor = gateway_of(source, "explain"), postgres_executor(source, "explain")
    ask = partial(
        gateway.explain, analyze=analyze, executor=executor, buffers=buffers, verbose=verbose, settings=settings
    )
    query = statement._query if isinstance(statement, One) else statement
    if isinstance(query, Query) and query._combines():
        plan = combined(query, source) if isinstance(source, Stores) else keyed(query, executor)
        return await explained(plan, executor, ask, analyze=analyze)
    operation = gateway.compile(query) if isinstance(query, Query | RawSql) else query
    if isinstance(source, Stores):
        source._require(operation.reads | operation.writes)
    return await ask(operation)
