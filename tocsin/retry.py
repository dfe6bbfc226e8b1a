"""Quarantine read again: records are fetched from their place in the source and decoded as of today.

A retry is a log of its own. Its name is "retry:" and the name of the source's log, its positions are those
of the source. So it needs no word with the running pipeline, whose state it does not touch, and what was
stored by an earlier retry, whole or cut short, is read back and not stored again.

    Every event stands alone here: halves of a call are not joined, because what joins them would depend
    on which entries were retried together. Alerts are marked as backfill: they are kept and notify nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec
from msgspec.structs import force_setattr

from tocsin.contracts import Changes, LogChanged, Reader, Source
from tocsin.model import Event, Partition, Record, Reject
from tocsin.plan import Unpacked
from tocsin.ports import Lent
from tocsin.unpack import Oversized
from tocsin.wrapped import WrappedReader

PREFIX = "retry:"
PATIENCE_SECONDS = 15.0  # for a partition to be assigned, or a record to come

Unpack = Callable[[Record], Unpacked]


class Place(NamedTuple):
    """Where a record is in its source."""

    source: str
    partition: int
    offset: int


def place_of(entry: Reject) -> Place:
    """Where an entry of the quarantine came from."""
    return Place(entry.source, entry.source_partition, entry.source_offset)


class RetrySource(Source, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source of which only some records are read."""

    inner: Source
    places: tuple[Place, ...]

    def open(self) -> Reader:
        """Raises SourceUnavailable."""
        return RetryReader(self.inner.open(), self.places)

    def open_with(self, lent: Lent) -> Reader:
        """Raises SourceUnavailable."""
        return RetryReader(self.inner.open_with(lent), self.places)


def alone(source: Source) -> Source:
    """The source as a reader beside the running ones: with a consumer group of its own, from the start."""
    own = {
        "group_id": f"{getattr(source, 'group_id', '')}.retry",
        "group_instance_id": "",
        "start": "earliest",
    }
    return msgspec.structs.replace(source.alone(), **{k: v for k, v in own.items() if hasattr(source, k)})


class RetryReader(WrappedReader):
    """Jumps from one wanted record to the next; gone ones are passed over."""

    def __init__(self, inner: Reader, places: Collection[Place]) -> None:
        super().__init__(inner)
        self._wanted: dict[Partition, list[int]] = {}
        for place in sorted(places, reverse=True):
            self._wanted.setdefault(Partition(place.source, place.partition), []).append(place.offset)
        self._deadlines = dict.fromkeys(self._wanted, time.monotonic() + PATIENCE_SECONDS)

    def changes(self) -> Changes:
        changes = self.inner.changes()
        return Changes(*([p for p in partitions if p in self._wanted] for partitions in changes))

    def log_id(self, partition: Partition) -> str:
        return PREFIX + self.inner.log_id(partition)

    def seek(self, partition: Partition, offset: int | None) -> None:
        """To the first wanted record, whatever `offset`: nothing is ever resumed here."""
        self._jump(partition)

    def poll(self, timeout: float) -> Sequence[Record]:
        found = []
        for record in self.inner.poll(timeout):
            wanted = self._wanted.get(record.partition, [])
            while wanted and wanted[-1] < record.offset:
                wanted.pop()  # it is not there any more
            if wanted and wanted[-1] == record.offset:
                wanted.pop()
                found.append(record)
        for partition in {record.partition for record in found}:
            self._jump(partition)
        self._give_up()
        return found

    def lag(self) -> Mapping[Partition, int]:
        return {partition: len(wanted) for partition, wanted in self._wanted.items()}

    def ended(self) -> bool:
        return not any(self._wanted.values())

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """A retry is nobody's progress."""

    def _jump(self, partition: Partition) -> None:
        wanted = self._wanted[partition]
        while wanted:
            self._deadlines[partition] = time.monotonic() + PATIENCE_SECONDS
            try:
                return self.inner.seek(partition, wanted[-1])
            except LogChanged:
                wanted.pop()
        self.inner.pause([partition])

    def _give_up(self) -> None:
        """What does not come is gone: deleted at the end of its log, or its partition was never assigned."""
        now = time.monotonic()
        for partition, wanted in self._wanted.items():
            if wanted and (now > self._deadlines[partition] or self.inner.ended()):
                wanted.clear()


class Sieve:
    """Lets pass what was in quarantine and can be read now; everything else is stored already."""

    def __init__(self, entries: Sequence[Reject], stored: Mapping[Place, Collection[int]]) -> None:
        """`stored`: source indexes of the events of these records that the pipeline has stored."""
        self._digests = {place_of(entry): entry.sha256 for entry in entries}
        self._stored = stored
        self.read = 0  # records with events that were missing
        self.still = 0  # records without
        self.changed = 0  # records that are not the ones of then

    def around(self, unpack: Unpack) -> Unpack:
        """Unpacking with this sieve behind it."""
        return lambda record: self._sifted(record, unpack(record))

    def _sifted(self, record: Record, unpacked: Unpacked) -> Unpacked:
        place = Place(*record.partition, record.offset)
        if self._digests.get(place) != _digest(record):
            self.changed += 1
            return unpacked._replace(items=())
        stored = self._stored.get(place, ())
        events = [
            item for item in unpacked.items if isinstance(item, Event) and item.source_index not in stored
        ]
        for event in events:
            force_setattr(event, "join", "")
            force_setattr(event, "half", "")
        self.read += bool(events)
        self.still += not events
        return unpacked._replace(items=events, backfill=True)


def _digest(record: Record) -> str:
    return record.sha256 if isinstance(record, Oversized) else sha256(record.value).hexdigest()
