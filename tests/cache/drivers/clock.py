"""A clock for drivers that only moves when it is told to."""


class Clock:
    """Seconds, counted in whole milliseconds; what it says goes in where `time.monotonic` would."""

    def __init__(self, ms: int = 1_000_000) -> None:
        self.ms = ms

    def __call__(self) -> float:
        return self.ms / 1000

    async def advance(self, ms: int) -> None:
        self.ms += ms
