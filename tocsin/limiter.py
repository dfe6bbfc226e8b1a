"""The limiter pauses a source partition whose records are almost all undecodable."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tocsin.model import Event, Partition, Reject
from tocsin.settings import QuarantineSettings

REASON = "almost nothing of it can be decoded: paused until resumed (SIGHUP) or restarted"


class Limiter:
    """Looks at the last records of each source partition; only undecodable bytes count.

    An unknown shape is no fault of the source. A paused partition stays so until `resume`, or a
    restart, which looks at `limit_records` more before it pauses again.
    """

    def __init__(self, settings: QuarantineSettings) -> None:
        self._size = settings.limit_records
        self._ratio = settings.limit_ratio
        self._windows: dict[Partition, deque[bool]] = {}
        self._undecodable: dict[Partition, int] = {}
        self._paused: set[Partition] = set()

    @property
    def paused(self) -> frozenset[Partition]:
        """The partitions that wait for the operator."""
        return frozenset(self._paused)

    def note(self, partition: Partition, items: Sequence[Event | Reject]) -> bool:
        """Count one record by what it unpacked to; whether this record is the one too many."""
        window = self._windows.get(partition)
        if window is None:
            window = self._windows[partition] = deque(maxlen=self._size)
            self._undecodable[partition] = 0
        undecodable = bool(items) and type(items[0]) is Reject and _undecodable(items)
        full = len(window) == self._size
        if full:
            self._undecodable[partition] -= window[0]
        window.append(undecodable)
        self._undecodable[partition] += undecodable
        if not undecodable or len(window) < self._size or partition in self._paused:
            return False
        if self._undecodable[partition] <= self._ratio * self._size:
            return False
        self._paused.add(partition)
        return True

    def forget(self, partition: Partition) -> None:
        """The partition is somebody else's now."""
        self._windows.pop(partition, None)
        self._undecodable.pop(partition, None)
        self._paused.discard(partition)

    def resume(self) -> frozenset[Partition]:
        """The operator says go on: the windows of paused partitions start anew. Returns them."""
        resumed = self.paused
        for partition in resumed:
            self.forget(partition)
        return resumed


def _undecodable(items: Sequence[Event | Reject]) -> bool:
    return all(type(item) is Reject and item.reason == "undecodable" for item in items)
