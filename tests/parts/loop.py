"""A worker over memory parts, with time that only passes where a test lets it, and a fuse to crash by."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import msgspec
from parts import watchers

from tocsin.backoff import Clock
from tocsin.contracts import Checkpoint, CheckpointStore, Saved, SinkUnavailable, Writer, Written
from tocsin.health import Health
from tocsin.memory import (
    Crash,
    MemoryLog,
    MemoryReader,
    MemoryShelf,
    MemorySource,
    MemoryStore,
    MemoryTables,
    MemoryWriter,
    position,
)
from tocsin.metrics import Metrics
from tocsin.model import Batch, Event, Partition, Record, Reject
from tocsin.plan import Plan, Unpacked
from tocsin.settings import EngineSettings, QuarantineSettings
from tocsin.signals import prepare
from tocsin.watchdog import Watchdog
from tocsin.worker import Ports, Watchers, Worker

PLAN = watchers.plan()
_items = msgspec.msgpack.Decoder(list[Event | Reject])


class PassingClock(Clock):
    """Time passes where somebody waits."""

    def __init__(self) -> None:
        self.time = time.monotonic()

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Never:
    """A stop that is never set."""

    def is_set(self) -> bool:
        return False


class Fuse:
    """Ends the process at its n-th step; None: never."""

    def __init__(self, steps: int | None = None) -> None:
        self.left = steps
        self.passed: list[str] = []

    def step(self, name: str) -> None:
        self.passed.append(name)
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Crash(name)


class Reader(MemoryReader):
    """Waiting for records makes time pass; what was there at the first start is backfill where asked."""

    def __init__(self, source: MemorySource, clock: Clock, fuse: Fuse, *, backfill: bool = False) -> None:
        super().__init__(source)
        self._clock = clock
        self._fuse = fuse
        self._backfill = backfill
        self.paused: set[Partition] = set()
        self._ends = source.log.ends

    def poll(self, timeout: float) -> Sequence[Record]:
        self._fuse.step("poll")
        found = super().poll(0.0)
        self._clock.sleep(0.004 if found else max(timeout, 1e-4))
        return found

    def seek(self, partition: Partition, offset: int | None) -> None:
        self._fuse.step("seek")
        super().seek(partition, offset)

    def pause(self, partitions: Iterable[Partition]) -> None:
        partitions = list(partitions)
        self.paused.update(partitions)
        super().pause(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        partitions = list(partitions)
        self.paused.difference_update(partitions)
        super().resume(partitions)

    def commit(self, positions: Mapping[Partition, int]) -> None:
        self._fuse.step("commit")
        super().commit(positions)
        self._fuse.step("committed")

    def backfill_until(self, partition: Partition) -> int | None:
        return self._ends[partition.number] if self._backfill else None


class FusedWriter(MemoryWriter):
    """Every row may be the last that is stored."""

    def __init__(self, tables: MemoryTables, fuse: Fuse) -> None:
        super().__init__(tables)
        self._fuse = fuse

    def write(self, batch: Batch, deadline: float) -> None:
        self._fuse.step("write")
        half = len(batch.events) // 2
        for part in (
            Batch(batch.events[:half], batch.signals[:half]),
            Batch(batch.events[half:], batch.signals[half:]),
            Batch(alerts=batch.alerts),
            Batch(rejects=batch.rejects),
        ):
            if len(part):
                super().write(part, deadline)
                self._fuse.step("written in part")

    def written(self, log_id: str, log_partition: int, from_offset: int) -> Written:
        self._fuse.step("read back")
        return super().written(log_id, log_partition, from_offset)

    def aggregate(self, log_id: str, log_partition: int, minutes: Sequence[int], version: int) -> None:
        self._fuse.step("aggregate")
        super().aggregate(log_id, log_partition, minutes, version)


class FusedStore(MemoryStore):
    """The process may end before and after everything that is kept."""

    def __init__(self, shelf: MemoryShelf, fuse: Fuse) -> None:
        super().__init__(shelf)
        self._fuse = fuse

    def claim(self, log: str) -> int:
        epoch = super().claim(log)
        self._fuse.step("claimed")
        return epoch

    def load(self, log: str) -> tuple[Saved | None, Sequence[str]]:
        self._fuse.step("load")
        return super().load(log)

    def save(self, log: str, checkpoint: Checkpoint, chunks: Sequence[bytes]) -> None:
        self._fuse.step("save")
        super().save(log, checkpoint, chunks)
        self._fuse.step("saved")


class FlakyWriter(MemoryWriter):
    """Of its writes a share fails: with nothing, a part or everything stored."""

    def __init__(self, tables: MemoryTables, seed: int, share: float) -> None:
        super().__init__(tables)
        self._tables_ = tables
        self._chance = random.Random(seed)
        self._share = share

    def write(self, batch: Batch, deadline: float) -> None:
        if self._chance.random() < self._share:
            self._tables_.faults.append(self._chance.choice(("unavailable", "half", "lost_reply")))
        super().write(batch, deadline)

    def written(self, log_id: str, log_partition: int, from_offset: int) -> Written:
        if self._chance.random() < self._share / 2:
            raise SinkUnavailable("no answer")
        return super().written(log_id, log_partition, from_offset)

    def aggregate(self, log_id: str, log_partition: int, minutes: Sequence[int], version: int) -> None:
        if self._chance.random() < self._share / 2:
            raise SinkUnavailable("no answer")
        super().aggregate(log_id, log_partition, minutes, version)


def unpack(record: Record) -> Unpacked:
    """What `append` put in."""
    try:
        items: list[Event | Reject] = list(_items.decode(record.value))
    except msgspec.DecodeError:
        items = [Reject(reason="undecodable", size=len(record.value))]
    return Unpacked(record.offset, record.next_offset, record.arrival, items, len(record.value))


def append(log: MemoryLog, records: Iterable[Unpacked], number: int = 0) -> None:
    """Records of a lively log as bytes in a memory log, with gaps between them."""
    for record in records:
        log.append(msgspec.msgpack.encode(list(record.items)), number, record.arrival, gap=record.offset % 3)


def calls(count: int, size: int = 0) -> list[Unpacked]:
    """Records with one plain event each."""
    event = Event(time=1.8e9, user="u", attributes={"filler": "x" * size})
    return [Unpacked(offset, offset + 1, 1.8e9 + offset, [event], size) for offset in range(count)]


def filled(partitions: int = 1, records: int = 60, seed: int = 1) -> MemoryLog:
    """A lively log."""
    log = MemoryLog(partitions)
    for number in range(partitions):
        append(log, watchers.lively(records, seed + number), number)
    return log


class House:
    """What outlives a process, and the means to start another one over it."""

    def __init__(
        self,
        log: MemoryLog,
        sinks: int = 1,
        *,
        max_records: int = 7,
        follow: bool = False,
        start: str = "earliest",
        backfill: bool = False,
        plan: Plan = PLAN,
        quarantine: QuarantineSettings | None = None,
        **settings: float,
    ) -> None:
        self.log = log
        self.tables = [MemoryTables() for _ in range(sinks)]
        self.shelf = MemoryShelf()
        prepare(plan.content, plan.reading)  # in no time of the clock
        self.clock = PassingClock()
        self.fuse = Fuse()
        self.source = MemorySource(
            log=log,
            max_records=max_records,
            follow=follow,
            start="latest" if start == "latest" else "earliest",
        )
        self.backfill = backfill
        self.plan = plan
        self.quarantine = quarantine
        chosen: dict[str, float] = {"linger_ms": 0, "checkpoint_seconds": 0.01} | settings
        self.settings = msgspec.convert(chosen, EngineSettings)
        self.watchers = Watchers(Metrics(), Health(60.0), Watchdog(60.0))

    def writers(self) -> dict[str, Writer]:
        return {f"s{at}": FusedWriter(tables, self.fuse) for at, tables in enumerate(self.tables)}

    def reader(self) -> Reader:
        return Reader(self.source, self.clock, self.fuse, backfill=self.backfill)

    def worker(
        self,
        writers: Mapping[str, Writer] | None = None,
        reader: Reader | None = None,
        store: CheckpointStore | None = None,
    ) -> Worker:
        ports = Ports(
            reader or self.reader(),
            unpack,
            writers or self.writers(),
            store or FusedStore(self.shelf, self.fuse),
        )
        return Worker(self.plan, ports, self.watchers, self.settings, self.quarantine, self.clock)

    def run(self) -> House:
        """One process after another until the log has ended."""
        while True:
            with suppress(Crash):
                self.worker().run(Never())
                return self

    def rounds(self, worker: Worker, times: int) -> None:
        """Some rounds of a process that neither ends nor stops."""
        for _ in range(times):
            worker._round()

    def result(
        self, sink: int = 0
    ) -> tuple[bytes, bytes, bytes, dict[tuple[str, int, int], tuple[int, int]]]:
        """Everything that was stored, in the order of the log, to the last bit; minutes without versions."""
        tables = self.tables[sink]
        events = sorted(tables.events, key=lambda pair: position(pair[0]))
        minutes = {at: (minute.events, minute.input_tokens) for at, minute in tables.minutes.items()}
        return (
            msgspec.msgpack.encode(events),
            msgspec.msgpack.encode(sorted(tables.alerts, key=position)),
            msgspec.msgpack.encode(sorted(tables.rejects, key=position)),
            minutes,
        )
