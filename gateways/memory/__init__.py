"""
The memory gateway: tables in the memory of this process, with everything that the mapper promises, on asyncio and trio.

`MemoryGateway()` goes into a repository like any other gateway.
"""

from gateways.memory.gateway import MemoryGateway

__all__ = ["MemoryGateway"]
