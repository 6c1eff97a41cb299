"""Workloads: a module for each, with the code by hand and ours beside each other."""

from typing import Final

from tests.benchmarks.workload import Workload
from tests.benchmarks.workloads import (
    compile_query,
    hit_cache,
    insert_many,
    insert_one,
    read_list,
    read_one,
    read_related,
    stream,
    update_many,
    update_one,
)

__all__ = ["WORKLOADS"]

WORKLOADS: Final[tuple[Workload, ...]] = (
    read_one.ALONE,
    read_one.BY_TASKS,
    *read_one.MERGED,
    read_list.WORKLOAD,
    stream.ALL,
    stream.FIRST,
    stream.GROWTH,
    insert_one.WORKLOAD,
    insert_many.WORKLOAD,
    update_one.WORKLOAD,
    update_many.WORKLOAD,
    read_related.WORKLOAD,
    compile_query.BUILT,
    compile_query.PREPARED,
    compile_query.AGAIN,
    hit_cache.IN_MEMORY,
    hit_cache.WHOLE,
    hit_cache.IN_REDIS,
)
"""All workloads, in the order in which they are run and shown."""
