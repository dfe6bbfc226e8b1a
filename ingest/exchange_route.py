"""Which exchange partition an item goes to, and the frames that are being filled for each."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from tocsin.frame import Framer
from tocsin.model import Event, Reject
from tocsin.section import short

ROUTES = 100_000  # remembered


def route(tenant: str, application: str, partitions: int) -> int:
    """The partition of a group, by the names that its state has."""
    return zlib.crc32(f"{short(tenant)}\0{short(application)}".encode()) % partitions


class Routes:
    """A stable hash of the group: the same on every worker and in every run."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._known: dict[tuple[str, str], int] = {}
        self._framers = [Framer() for _ in range(partitions)]

    def of(self, item: Event | Reject) -> int:
        """An event's partition is its group's. A reject belongs to no group: its source spreads it."""
        if isinstance(item, Event):
            group = (item.tenant, item.application)
        else:
            group = (item.tenant, f"\0{item.source}\0{item.source_partition}")
        partition = self._known.get(group)
        if partition is None:
            if len(self._known) >= ROUTES:
                self._known.clear()
            partition = self._known[group] = route(*group, self._partitions)
        return partition

    def add(self, item: Event | Reject, backfill: bool) -> tuple[int, bytes | None]:
        """Take an item; its partition, with the frame that it closed there."""
        partition = self.of(item)
        return partition, self._framers[partition].add(item, backfill)

    def rest(self) -> Iterator[tuple[int, bytes]]:
        """Close all frames that hold something."""
        for partition, framer in enumerate(self._framers):
            if frame := framer.close():
                yield partition, frame
