"""When something is to happen, on the arrival clock."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

from tocsin.section import Entry


class Timer(NamedTuple):
    """A wish to act on one entry; its order among others is the order of its fields."""

    due: float
    tenant: str
    application: str
    place: int  # of the section in its group
    key: str
    group: int


class Timers:
    """A heap that may hold outdated timers: an entry counts only when `queued` says that time.

    A timer that moves to later stays where it is and is queued again when it comes up, so keys that
    put their timer off with every event cost nothing.
    """

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._stale = 0

    def __len__(self) -> int:
        return len(self._heap)

    def want(self, timer: Timer, entry: Entry[Any]) -> None:
        """Make sure that `entry` comes up no later than `timer.due`."""
        if entry.queued is not None:
            if entry.queued <= timer.due:
                return
            self._stale += 1
        entry.queued = timer.due
        heappush(self._heap, timer)

    def due(self, clock: float) -> bool:
        """Whether anything may have to be done."""
        heap = self._heap
        return bool(heap) and heap[0].due <= clock or self._stale > 1024 and self.crowded

    def next(self, clock: float) -> Timer | None:
        """The first timer at or before `clock`, taken out."""
        if self._heap and self._heap[0].due <= clock:
            return heappop(self._heap)
        return None

    @property
    def crowded(self) -> bool:
        """Whether most of the heap may be outdated."""
        return self._stale > 1024 + len(self._heap) // 2

    def refill(self, timers: list[Timer]) -> None:
        """Start anew with what is true now."""
        self._heap = timers
        self._stale = 0
        heapify(self._heap)
