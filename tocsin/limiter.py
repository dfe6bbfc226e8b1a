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
        self._windows: dict[Partition, _Window] = {}
        self._paused: set[Partition] = set()

    @property
    def paused(self) -> frozenset[Partition]:
        """The partitions that wait for the operator."""
        return frozenset(self._paused)

    def note(self, partition: Partition, items: Sequence[Event | Reject]) -> bool:
        """Count one record by what it unpacked to; whether this record is the one too many."""
        window = self._windows.get(partition)
        if window is None:
            window = self._windows[partition] = _Window(self._size)
        undecodable = bool(items) and type(items[0]) is Reject and _undecodable(items)
        full = window.add(undecodable)
        if not undecodable or not full or partition in self._paused:
            return False
        if window.undecodable <= self._ratio * self._size:
            return False
        self._paused.add(partition)
        return True

    def forget(self, partition: Partition) -> None:
        """The partition is somebody else's now."""
        self._windows.pop(partition, None)
        self._paused.discard(partition)

    def resume(self) -> frozenset[Partition]:
        """The operator says go on: the windows of paused partitions start anew. Returns them."""
        resumed = self.paused
        for partition in resumed:
            self.forget(partition)
        return resumed


class _Window:
    """The last records of a partition: which of them were undecodable, and how many."""

    __slots__ = ("_records", "undecodable")

    def __init__(self, size: int) -> None:
        self._records: deque[bool] = deque(maxlen=size)
        self.undecodable = 0

    def add(self, undecodable: bool) -> bool:
        """Count one more; whether there are as many as are looked at."""
        records = self._records
        if self.undecodable and len(records) == records.maxlen:
            self.undecodable -= records[0]
        records.append(undecodable)
        self.undecodable += undecodable
        return len(records) == records.maxlen


def _undecodable(items: Sequence[Event | Reject]) -> bool:
    return all(type(item) is Reject and item.reason == "undecodable" for item in items)
