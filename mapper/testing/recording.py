"""
A gateway that records what reaches the store.

A gateway goes in; one that behaves alike, with a log of its operations, comes out: to count them, or to compare them
with what was meant.
"""

from collections import deque
from typing import Final

from mapper.delegating import DelegatingGateway
from mapper.gateway import Gateway, OperationEvent
from mapper.operations import Operation, SqlOperation

__all__ = ["RecordingGateway"]

LIMIT: Final = 10_000


class RecordingGateway(DelegatingGateway):
    """
    Records every operation of a gateway, transaction control included, with its event.

    Args:
        gateway: The gateway that does the work.
        limit: How many of the last events are kept.
    """

    def __init__(self, gateway: Gateway, *, limit: int = LIMIT) -> None:
        super().__init__(gateway)
        self._events: deque[OperationEvent] = deque(maxlen=limit)
        self._stop = gateway.subscribe(self._events.append)

    @property
    def events(self) -> list[OperationEvent]:
        """The events, oldest first; a failed operation is among them, with its error."""
        return list(self._events)

    @property
    def operations(self) -> list[Operation]:
        """The operations, oldest first."""
        return [each.operation for each in self._events]

    @property
    def statements(self) -> list[str]:
        """The texts of the operations that have one, oldest first."""
        texts = [each.sql for each in self.operations if isinstance(each, SqlOperation)]
        return [each for each in texts if each is not None]

    def clear(self) -> None:
        """Forget what was recorded."""
        self._events.clear()

    async def aclose(self) -> None:
        """Close the gateway. Recording goes on at its next use."""
        await super().aclose()
