"""
Plans of reads whose rows grow: that of the owners, with a plan for each relationship.

A planned read and a way to ask about one operation go in, a `Plan` comes out.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from attrs import evolve

from mapper.combining import Branch, Combined
from mapper.explaining import Plan
from mapper.gateway import Executor
from mapper.operations import Operation

__all__ = ["Ask", "explained"]

Ask: TypeAlias = Callable[[Operation], Awaitable[Plan]]
"""Asks the store how it runs an operation."""


async def explained(plan: Combined, executor: Executor, ask: Ask, *, analyze: bool) -> Plan:
    """
    Ask about every operation of a read, one after the other.

    Args:
        plan: The read.
        executor: Where it would be run.
        ask: Asks about one operation.
        analyze: Whether operations are measured. Then rows are read as well: the relationships are asked about with the
            keys of the rows that they start from, without it with none.
    """
    found = await ask(plan.operation)
    if not plan.branches:
        return found
    rows = await executor.fetch(plan.operation, plan.decode) if analyze else ()
    return evolve(found, parts=tuple([await _part(each, rows, executor, ask, analyze) for each in plan.branches]))


async def _part(branch: Branch, rows: Sequence[Any], executor: Executor, ask: Ask, analyze: bool) -> Plan:
    plan = await explained(branch.planned(branch.keys(rows), executor), executor, ask, analyze=analyze)
    return evolve(plan, relationship=branch.way.relationship.__name__)
