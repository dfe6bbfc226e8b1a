"""Waiting for something that does not answer: ever longer, spread over workers, the same on every run."""

from __future__ import annotations

import time
from zlib import crc32

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds


class Clock:
    """Time that never goes back, in seconds; tests bring their own."""

    def now(self) -> float:
        """For deadlines and durations alone."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Nothing happens meanwhile."""
        time.sleep(seconds)


class Backoff:
    """When to ask again. The pause doubles with each failure, less up to a quarter that the name decides."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._failures = 0
        self._next = 0.0
        self._since = 0.0

    @property
    def down(self) -> bool:
        """Whether the last attempt failed."""
        return self._failures > 0

    @property
    def seconds(self) -> float:
        """How long it has not answered."""
        return self._clock.now() - self._since if self._failures else 0.0

    def due(self) -> bool:
        """Whether an attempt makes sense now."""
        return not self._failures or self._clock.now() >= self._next

    def left(self) -> float:
        """Seconds until an attempt makes sense."""
        return max(0.0, self._next - self._clock.now()) if self._failures else 0.0

    def failed(self) -> float:
        """Note a failure; returns the seconds until the next attempt."""
        now = self._clock.now()
        if not self._failures:
            self._since = now
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures, 10))
        self._failures += 1
        share = crc32(f"{self._name}:{self._failures}".encode()) / 2**32
        pause = max(FIRST_PAUSE, longest * (1 - share / 4))
        self._next = now + pause
        return pause

    def answered(self) -> None:
        """All is well."""
        self._failures = 0
