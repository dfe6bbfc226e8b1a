"""A source, a sink and a checkpoint store in memory: what the real ones are measured by.

A log, tables and a shelf outlive the readers, writers and stores that use them, as a broker, a database
and a disk outlive a process. What goes wrong is a value: a fault in a list, a crash at an offset.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from tocsin.checkpoint import digest
from tocsin.contracts import (
    Changes,
    Checkpoint,
    CheckpointStore,
    Fenced,
    Forgotten,
    LogChanged,
    Reader,
    Saved,
    Sink,
    SinkUnavailable,
    Source,
    SourceUnavailable,
    StoreUnavailable,
    Writer,
    Written,
)
from tocsin.model import Alert, Batch, Event, Partition, Record, Reject, Signals

EPOCH = 1_750_000_000.0  # arrival of the first record of a memory log that is not told otherwise

Fault = Literal["", "unavailable", "half", "lost_reply", "crash_before", "crash_half", "crash_after"]


class Crash(BaseException):
    """The process ended here. What is in a log, in tables or on a shelf is all that is left."""


class MemoryLog:
    """Partitions of records: the broker. Offsets count from 0 and may have gaps; arrival never falls."""

    def __init__(self, partitions: int = 1, name: str = "memory", *, clock: bool = True) -> None:
        self.name = name
        self.records: list[list[Record]] = [[] for _ in range(partitions)]
        self.ends = [0] * partitions
        self.begins = [0] * partitions
        self.ids = [f"{name}-{number}-1" for number in range(partitions)]
        self.committed: dict[Partition, int] = {}
        self.crashes: set[tuple[int, int]] = set()  # (number, offset): the poll that reaches it dies, once
        self.outages = 0  # polls that fail from now on
        self._clock = clock
        self._arrival = EPOCH

    def append(self, value: bytes, number: int = 0, arrival: float | None = None, gap: int = 0) -> Record:
        """Add a record, `gap` offsets behind the last (as transaction markers leave them)."""
        self._arrival = max(self._arrival, arrival if arrival is not None else self._arrival + 0.001)
        offset = self.ends[number] + gap
        time_of = self._arrival if self._clock else None
        record = Record(Partition(self.name, number), offset, offset + 1, time_of, value)
        self.records[number].append(record)
        self.ends[number] = offset + 1
        return record

    def truncate(self, number: int, offset: int) -> None:
        """Retention: what lies below `offset` is gone."""
        self.begins[number] = offset
        self.records[number] = [record for record in self.records[number] if record.offset >= offset]

    def recreate(self, number: int = 0) -> None:
        """Deleted and made again under the same name: another incarnation, empty."""
        incarnation = int(self.ids[number].rpartition("-")[2]) + 1
        self.ids[number] = f"{self.name}-{number}-{incarnation}"
        self.records[number], self.begins[number], self.ends[number] = [], 0, 0


class MemorySource(Source, frozen=True, kw_only=True):
    """Reads a memory log; all partitions are assigned at once, tests move them afterwards."""

    log: MemoryLog
    start: Literal["earliest", "latest"] = "earliest"
    follow: bool = False
    max_records: int = 500

    def open(self) -> MemoryReader:
        return MemoryReader(self)


class MemoryReader(Reader):
    """An open memory log. `assign`, `revoke` and `lose` are the group's coordinator."""

    def __init__(self, source: MemorySource) -> None:
        self.closed = False
        self._source = source
        self._log = source.log
        self._assigned: list[Partition] = []
        self._revoked: list[Partition] = []
        self._lost: list[Partition] = []
        self._positions: dict[Partition, int | None] = {}  # None: assigned, not sought
        self._paused: set[Partition] = set()
        self._turn = 0
        self.assign(*(Partition(self._log.name, number) for number in range(len(self._log.ids))))

    def assign(self, *partitions: Partition) -> None:
        self._assigned += partitions
        self._positions.update(dict.fromkeys(partitions))

    def revoke(self, *partitions: Partition) -> None:
        self._revoked += partitions
        self._forget(partitions)

    def lose(self, *partitions: Partition) -> None:
        self._lost += partitions
        self._forget(partitions)

    def _forget(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._positions.pop(partition, None)
            self._paused.discard(partition)
            if partition in self._assigned:
                self._assigned.remove(partition)

    def changes(self) -> Changes:
        changes = Changes(tuple(self._assigned), tuple(self._revoked), tuple(self._lost))
        self._assigned, self._revoked, self._lost = [], [], []
        return changes

    def poll(self, timeout: float) -> Sequence[Record]:
        if self._log.outages:
            self._log.outages -= 1
            raise SourceUnavailable(f"{self._log.name} does not answer")
        ready = sorted(p for p, at in self._positions.items() if at is not None and p not in self._paused)
        self._turn += 1
        found: list[Record] = []
        for step in range(len(ready)):
            self._take(ready[(self._turn + step) % len(ready)], found)
        if not found:
            time.sleep(min(timeout, 0.001))
        return found

    def _take(self, partition: Partition, found: list[Record]) -> None:
        records, at = self._log.records[partition.number], self._next(partition)
        for record in records[at : at + self._source.max_records - len(found)]:
            place = (partition.number, record.offset)
            if place in self._log.crashes:
                self._log.crashes.discard(place)
                raise Crash(f"at {place}")
            found.append(record)
            self._positions[partition] = record.next_offset

    def _next(self, partition: Partition) -> int:
        """Index of the record that is read next."""
        records, at = self._log.records[partition.number], self._positions[partition] or 0
        return bisect_left(records, at, key=lambda record: record.offset)

    def log_id(self, partition: Partition) -> str:
        return self._log.ids[partition.number]

    def seek(self, partition: Partition, offset: int | None) -> None:
        number = partition.number
        begin, end = self._log.begins[number], self._log.ends[number]
        if offset is None:
            offset = begin if self._source.start == "earliest" else end
        if not begin <= offset <= end:
            raise LogChanged(f"{partition}: offset {offset} is not in {begin}..{end}")
        self._positions[partition] = offset

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._paused.update(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._paused.difference_update(partitions)

    def commit(self, positions: Mapping[Partition, int]) -> None:
        self._log.committed.update(positions)

    def lag(self) -> Mapping[Partition, int]:
        return {
            partition: len(self._log.records[partition.number]) - self._next(partition)
            for partition, at in self._positions.items()
            if at is not None
        }

    def ended(self) -> bool:
        done = all(at is not None for at in self._positions.values()) and not any(self.lag().values())
        return done and not self._source.follow

    def close(self) -> None:
        self.closed = True
        self._positions.clear()


class Minute(NamedTuple):
    """One minute of one log partition, as the newest version of it says."""

    version: int
    events: int
    input_tokens: int
    output_tokens: int


class MemoryTables:
    """What was stored: the database. Rows are kept as they were written, doubled ones too.

    `faults` are used up one a write, "" meaning that it succeeds; then every write does.
    """

    def __init__(
        self, faults: Iterable[Fault] = (), refuses: Callable[[Event], bool] = lambda event: False
    ) -> None:
        self.faults: list[Fault] = list(faults)
        self.refuses = refuses
        self.events: list[tuple[Event, Signals]] = []
        self.alerts: list[Alert] = []
        self.rejects: list[Reject] = []
        self.minutes: dict[tuple[str, int, int], Minute] = {}
        self.writes = 0

    @property
    def doubled(self) -> int:
        """Rows whose position is taken by another row."""
        tables: tuple[Sequence[Event | Alert | Reject], ...] = (
            [event for event, _ in self.events],
            self.alerts,
            self.rejects,
        )
        return sum(len(rows) - len({(row.log_id, *position(row)) for row in rows}) for rows in tables)


def position(row: Event | Alert | Reject) -> tuple[int, int, int]:
    """Where in its log a row was released: partition, offset, index."""
    return row.log_partition, row.log_offset, row.log_index


class MemorySink(Sink, frozen=True, kw_only=True):
    """Writes into memory tables."""

    tables: MemoryTables

    def open(self) -> MemoryWriter:
        return MemoryWriter(self.tables)


def _who(row: Event | Alert) -> set[str]:
    return {row.user, row.api_key, row.session}


class MemoryWriter(Writer):
    """Open memory tables."""

    def __init__(self, tables: MemoryTables) -> None:
        self.closed = False
        self._tables = tables
        self._unstorable: list[tuple[Event, str]] = []

    def write(self, batch: Batch, deadline: float) -> None:
        tables = self._tables
        tables.writes += 1
        fault = tables.faults.pop(0) if tables.faults else ""
        if fault == "crash_before":
            raise Crash("before the write")
        if fault == "unavailable" or time.monotonic() >= deadline:
            raise SinkUnavailable("the tables do not answer in time")
        self._store(batch, len(batch) // 2 if fault in ("half", "crash_half") else len(batch))
        if fault in ("crash_half", "crash_after"):
            raise Crash("in the write" if fault == "crash_half" else "after the write")
        if fault:
            raise SinkUnavailable("no reply")

    def _store(self, batch: Batch, rows: int) -> None:
        for event, signals in list(zip(batch.events, batch.signals, strict=True))[:rows]:
            if self._tables.refuses(event):
                self._unstorable.append((event, "refused"))
            else:
                self._tables.events.append((event, signals))
        rows -= min(rows, len(batch.events))
        self._tables.alerts += batch.alerts[:rows]
        self._tables.rejects += batch.rejects[: max(0, rows - len(batch.alerts))]

    def written(self, log_id: str, log_partition: int, from_offset: int) -> Written:
        def places(rows: Iterable[Event | Alert | Reject]) -> frozenset[tuple[int, int]]:
            return frozenset(
                (row.log_offset, row.log_index)
                for row in rows
                if (row.log_id, row.log_partition) == (log_id, log_partition)
                and row.log_offset >= from_offset
            )

        tables = self._tables
        events = (event for event, _ in tables.events)
        return Written(places(events), places(tables.alerts), places(tables.rejects))

    def aggregate(self, log_id: str, log_partition: int, minutes: Sequence[int], version: int) -> None:
        events = {
            position(event): event
            for event, _ in self._tables.events
            if (event.log_id, event.log_partition) == (log_id, log_partition)
        }
        for minute in minutes:
            known = self._tables.minutes.get((log_id, log_partition, minute))
            if known is None or known.version < version:
                inside = [event for event in events.values() if minute <= event.time < minute + 60]
                self._tables.minutes[log_id, log_partition, minute] = Minute(
                    version,
                    len(inside),
                    sum(event.input_tokens or 0 for event in inside),
                    sum(event.output_tokens or 0 for event in inside),
                )

    def forget(self, tenant: str, names: Collection[str]) -> Forgotten:
        tables = self._tables
        gone = [event for event, _ in tables.events if event.tenant == tenant and _who(event) & {*names}]
        places = {position(event) for event in gone}
        told = [alert for alert in tables.alerts if alert.tenant == tenant and _who(alert) & {*names}]
        tables.events = [pair for pair in tables.events if position(pair[0]) not in places]
        tables.alerts = [alert for alert in tables.alerts if alert not in told]
        for log, number, minute in {(e.log_id, e.log_partition, int(e.time) // 60 * 60) for e in gone}:
            known = tables.minutes.pop((log, number, minute), None)
            self.aggregate(log, number, [minute] if known else [], known.version if known else 0)
        conversations = sorted({event.session for event in gone} - {""})
        return Forgotten({"events": len(gone), "alerts": len(told)}, conversations=conversations)

    def unstorable(self) -> Sequence[tuple[Event, str]]:
        handed, self._unstorable = self._unstorable, []
        return handed

    def close(self) -> None:
        self.closed = True


class MemoryShelf:
    """Saved checkpoints: the disk. `faults` as in MemoryTables."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults: list[Fault] = list(faults)
        self.epochs: dict[str, int] = {}
        self.saved: dict[str, dict[int, Saved]] = {}

    def damage(self, log: str) -> None:
        """Flip a bit in the newest checkpoint's chunks."""
        saved = self.saved[log]
        checkpoint, chunks = saved[newest := max(saved)]
        broken = [bytes([chunks[0][0] ^ 1]) + chunks[0][1:], *chunks[1:]] if chunks else [b"\0"]
        saved[newest] = Saved(checkpoint, broken)


class MemoryStore(CheckpointStore):
    """Checkpoints on a memory shelf; two generations stay loadable."""

    def __init__(self, shelf: MemoryShelf | None = None) -> None:
        self.shelf = shelf or MemoryShelf()

    def claim(self, log: str) -> int:
        self.shelf.epochs[log] = self.shelf.epochs.get(log, 0) + 1
        return self.shelf.epochs[log]

    def load(self, log: str) -> tuple[Saved | None, Sequence[str]]:
        complaints: list[str] = []
        saved = self.shelf.saved.get(log, {})
        for sequence in sorted(saved, reverse=True)[:2]:
            line = [saved.get(number) for number in range(saved[sequence].checkpoint.base, sequence + 1)]
            parts = [part for part in line if part is not None and _whole(part)]
            if len(parts) == len(line):
                chunks = [chunk for part in parts for chunk in part.chunks]
                return Saved(saved[sequence].checkpoint, chunks), complaints
            complaints.append(f"{log}: checkpoint {sequence} is unusable")
        return None, complaints

    def save(self, log: str, checkpoint: Checkpoint, chunks: Sequence[bytes]) -> None:
        fault = self.shelf.faults.pop(0) if self.shelf.faults else ""
        if fault == "crash_before":
            raise Crash("before the save")
        if self.shelf.epochs.get(log) != checkpoint.epoch:
            raise Fenced(f"{log}: epoch {checkpoint.epoch} was followed by {self.shelf.epochs.get(log)}")
        if fault in ("unavailable", "half"):  # a save is whole or not there
            raise StoreUnavailable("the shelf does not answer")
        if fault == "crash_half":
            raise Crash("in the save")
        saved = self.shelf.saved.setdefault(log, {})
        for number in [number for number in saved if number >= checkpoint.sequence]:
            del saved[number]
        copy = msgspec.msgpack.decode(msgspec.msgpack.encode(checkpoint), type=Checkpoint)
        saved[checkpoint.sequence] = Saved(copy, [bytes(chunk) for chunk in chunks])
        oldest = min(saved[number].checkpoint.base for number in sorted(saved)[-2:])
        for number in [number for number in saved if number < oldest]:
            del saved[number]
        if fault == "lost_reply":
            raise StoreUnavailable("no reply")
        if fault == "crash_after":
            raise Crash("after the save")

    def logs(self) -> Sequence[str]:
        return sorted(log for log, saved in self.shelf.saved.items() if saved)

    def reset(self, log: str) -> None:
        self.shelf.saved.pop(log, None)

    def close(self) -> None:
        """Nothing to let go of."""


def _whole(part: Saved) -> bool:
    return len(part.chunks) == part.checkpoint.chunks and digest(part.chunks) == part.checkpoint.sha256
