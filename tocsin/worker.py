"""The detect part: a loop that reads the log, lets the core decide, and makes rows durable.

Per log partition, in this order: rows durable in every sink, minutes computed again, checkpoint saved,
position committed as a hint. A crash between any two of them is made good by reading back what is stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol

from tocsin.contracts import (
    CheckpointStore,
    Fenced,
    LogChanged,
    Reader,
    SinkUnavailable,
    SourceUnavailable,
    StateUnreadable,
    StoreUnavailable,
    TocsinError,
    Writer,
)
from tocsin.delivery import FIRST_PAUSE, LONGEST_PAUSE, Delivery
from tocsin.health import Health
from tocsin.lane import Claim, Lane
from tocsin.limiter import Limiter
from tocsin.logs import Log
from tocsin.metrics import Metrics
from tocsin.model import Batch, Partition, Record
from tocsin.plan import Plan, Unpacked
from tocsin.settings import EngineSettings, QuarantineSettings
from tocsin.watchdog import Watchdog

log = Log("worker")
PART = "detect"
IDLE_SECONDS = 0.2  # longest wait in one poll
SHOW_SECONDS = 5.0  # between updates of gauges
DRAIN_SECONDS = 8.0  # for the last rows and checkpoints of a stopped worker

Unpack = Callable[[Record], Unpacked]


class Stop(Protocol):
    """Set when the loop shall end; threading.Event is one."""

    def is_set(self) -> bool: ...


class Watchers(NamedTuple):
    """Who looks on."""

    metrics: Metrics
    health: Health
    watchdog: Watchdog


class Ports(NamedTuple):
    """What a worker is connected to."""

    reader: Reader
    unpack: Unpack
    writers: Mapping[str, Writer]
    store: CheckpointStore


class Worker:
    """One reader's partitions, from the log to the sinks. One thread owns it."""

    def __init__(
        self,
        plan: Plan,
        ports: Ports,
        watchers: Watchers,
        settings: EngineSettings,
        quarantine: QuarantineSettings | None,
    ) -> None:
        """`quarantine` None: the records come from the exchange, whose ingest part has the limiter."""
        self._reader = ports.reader
        self._unpack = ports.unpack
        self._claim = Claim(plan, ports.store, watchers.metrics)
        self._watchers = watchers
        self._metrics = watchers.metrics
        self._settings = settings
        self._limiter = Limiter(quarantine) if quarantine else None
        self._deliveries = [
            Delivery(name, writer, watchers.metrics, settings.write_deadline_seconds)
            for name, writer in ports.writers.items()
        ]
        self._lanes: dict[Partition, Lane] = {}
        self._opening: dict[Partition, Attempts] = {}
        self._bytes = 0  # of the records whose rows wait
        self._oldest: float | None = None  # monotonic time of the first waiting row
        self._held = False  # every partition is paused because a sink does not confirm
        self._store_down: float | None = None
        self._source_down: float | None = None
        self._shown = 0.0

    def run(self, stop: Stop) -> None:
        """Work until stopped, or until the input has ended. Raises when somebody has to decide."""
        with self._watchers.watchdog.guard("the detect loop"):
            while not stop.is_set():
                self._round()
                if self._at_end():
                    self._finish()
                    break
            self._drain()
        self._watchers.health.rest(PART)

    def close(self) -> None:
        """Let go of everything, whatever state it is in."""
        closings = [self._reader.close, *(delivery.close for delivery in self._deliveries)]
        for close in (*closings, self._claim.store.close):
            try:
                close()
            except TocsinError as error:
                log.warning("did not close in order", error=str(error))

    def _round(self) -> None:
        self._watchers.watchdog.touch()
        self._watchers.health.beat(PART)
        self._assign()
        records = self._poll()
        if records:
            self._work(records)
        now = time.monotonic()
        if self._write_due(now):
            self._write(now)
        self._save(now)
        if now - self._shown >= SHOW_SECONDS:
            self._show(now)

    # Assignment.

    def _assign(self) -> None:
        changes = self._reader.changes()
        for partition in (*changes.revoked, *changes.lost):
            self._drop(partition)
        for change, partitions in changes._asdict().items():
            if partitions:
                self._metrics.count("tocsin_rebalances_total", len(partitions), change=change)
        for partition in changes.assigned:
            self._drop(partition)
            self._opening[partition] = Attempts()
        now = time.monotonic()
        for partition, attempts in list(self._opening.items()):
            if now >= attempts.next_try:
                self._open(partition, attempts)

    def _open(self, partition: Partition, attempts: Attempts) -> None:
        try:
            lane = Lane(partition, self._reader.log_id(partition), self._claim)
            for delivery in self._deliveries:
                delivery.recall(lane.place, lane.next_offset or 0)
            self._reader.seek(partition, lane.next_offset)
        except (SinkUnavailable, StoreUnavailable, SourceUnavailable) as error:
            attempts.failed(error, self._settings.give_up_seconds)
            log.warning("partition cannot be opened yet", partition=partition, error=str(error))
            self._watchers.health.trouble(f"partition {_name(partition)}", str(error))
            return
        except (LogChanged, StateUnreadable) as error:
            del self._opening[partition]
            log.error("partition stopped", partition=partition, error=str(error))
            self._watchers.health.trouble(f"partition {_name(partition)}", str(error))
            if not self._lanes and not self._opening:
                raise
            return
        del self._opening[partition]
        self._lanes[partition] = lane
        self._watchers.health.well(f"partition {_name(partition)}")
        if self._held:
            self._reader.pause([partition])

    def _drop(self, partition: Partition) -> None:
        self._opening.pop(partition, None)
        lane = self._lanes.pop(partition, None)
        if lane is None:
            return
        for delivery in self._deliveries:
            delivery.forget(lane.place)
        if self._limiter:
            self._limiter.forget(partition)
        self._metrics.forget("tocsin_lag_records", partition=_name(partition))
        self._watchers.health.well(f"partition {_name(partition)}")

    # Reading.

    def _poll(self) -> Sequence[Record]:
        try:
            records = self._reader.poll(self._patience())
        except SourceUnavailable as error:
            now = time.monotonic()
            self._source_down = self._source_down or now
            self._watchers.health.trouble("source", str(error))
            self._metrics.gauge("tocsin_source_up", 0, part=PART)
            if now - self._source_down > self._settings.give_up_seconds:
                raise
            time.sleep(IDLE_SECONDS)
            return ()
        self._source_down = None
        self._watchers.health.well("source")
        self._metrics.gauge("tocsin_source_up", 1, part=PART)
        return records

    def _patience(self) -> float:
        """How long a poll may wait for records."""
        if self._oldest is None or self._held:
            return IDLE_SECONDS
        return max(0.0, min(IDLE_SECONDS, self._oldest + self._settings.linger_ms / 1000 - time.monotonic()))

    def _work(self, records: Sequence[Record]) -> None:
        size = sum(len(record.value) for record in records)
        self._metrics.count("tocsin_records_read_total", len(records), part=PART)
        self._metrics.count("tocsin_read_bytes_total", size, part=PART)
        for partition, run in groupby(records, key=lambda record: record.partition):
            lane = self._lanes.get(partition)
            if lane is None:
                continue
            unpacked = [self._unpacked(record) for record in run]
            batch = lane.step(unpacked)
            for delivery in self._deliveries:
                delivery.offer(lane.place, batch)
                delivery.passed(lane.place, lane.next_offset or 0)
            self._count(batch)
        self._bytes += size
        self._oldest = self._oldest or time.monotonic()

    def _unpacked(self, record: Record) -> Unpacked:
        unpacked = self._unpack(record)
        if self._limiter and self._limiter.note(record.partition, unpacked.items):
            self._pause_source(record.partition)
        return unpacked

    def _pause_source(self, partition: Partition) -> None:
        self._reader.pause([partition])
        reason = "almost all of its last records cannot be decoded; it is paused until a restart"
        log.error("partition paused", partition=partition, reason=reason)
        self._watchers.health.trouble(f"limiter {_name(partition)}", reason)
        self._metrics.count("tocsin_limiter_pauses_total")
        self._metrics.gauge("tocsin_limiter_paused", 1, partition=_name(partition))

    # Writing.

    def _write_due(self, now: float) -> bool:
        if self._oldest is None:
            return False
        settings = self._settings
        return (
            self._held
            or now - self._oldest >= settings.linger_ms / 1000
            or self._bytes >= settings.batch_bytes
            or max((len(delivery) for delivery in self._deliveries), default=0) >= settings.batch_rows
        )

    def _write(self, now: float) -> None:
        for delivery in self._deliveries:
            while delivery.due(now) and not delivery.attempt() and delivery.down_since is None:
                continue  # rows that took the place of unstorable ones
            self._tell(delivery)
        if any(len(delivery) for delivery in self._deliveries):
            self._hold()
            return
        self._bytes, self._oldest = 0, None
        self._release()

    def _tell(self, delivery: Delivery) -> None:
        what = f"sink {delivery.name}"
        if delivery.down_since is None:
            self._watchers.health.well(what)
            return
        seconds = time.monotonic() - delivery.down_since
        self._watchers.health.trouble(what, f"no write confirmed for {seconds:.0f} s")
        if seconds > self._settings.give_up_seconds:
            raise SinkUnavailable(f"{what}: no write confirmed for {seconds:.0f} s")

    def _hold(self) -> None:
        if not self._held:
            self._held = True
            self._reader.pause(list(self._lanes))

    def _release(self) -> None:
        if self._held:
            self._held = False
            limited = self._limiter.paused if self._limiter else frozenset()
            self._reader.resume([partition for partition in self._lanes if partition not in limited])

    # Checkpoints.

    def _save(self, now: float, *, every: float | None = None) -> None:
        """Checkpoints of all lanes that owe one; only while no row waits."""
        if self._oldest is not None or any(len(delivery) for delivery in self._deliveries):
            if not any(lane.due(now, self._interval(every)) for lane in self._lanes.values()):
                return
            if self._held:
                return
            self._write(now)
            if self._held:
                return
        committed: dict[Partition, int] = {}
        for partition, lane in list(self._lanes.items()):
            if lane.due(now, self._interval(every)):
                self._save_lane(partition, lane, committed)
        if committed:
            self._reader.commit(committed)

    def _interval(self, every: float | None) -> float:
        return self._settings.checkpoint_seconds if every is None else every

    def _save_lane(self, partition: Partition, lane: Lane, committed: dict[Partition, int]) -> None:
        try:
            minutes = sorted(lane.minutes)
            for delivery in self._deliveries:
                delivery.aggregate(lane.place, minutes, lane.next_offset or 0)
            committed[partition] = lane.save()
        except Fenced as error:
            log.error("another worker owns the partition now", partition=partition, error=str(error))
            self._metrics.count("tocsin_rebalances_total", change="fenced")
            self._drop(partition)
        except (StoreUnavailable, SinkUnavailable) as error:
            self._not_saved(lane, error)
        else:
            self._store_down = None
            self._metrics.gauge("tocsin_store_up", 1)
            self._watchers.health.well("checkpoints")

    def _not_saved(self, lane: Lane, error: TocsinError) -> None:
        now = time.monotonic()
        lane.saved_at = now  # asks again after one interval
        self._store_down = self._store_down or now
        log.warning("checkpoint not saved", partition=lane.partition, error=str(error))
        self._metrics.count("tocsin_checkpoint_failures_total")
        self._metrics.gauge("tocsin_store_up", 0)
        self._watchers.health.trouble("checkpoints", str(error))
        if now - self._store_down > self._settings.give_up_seconds:
            raise error

    # The end.

    def _at_end(self) -> bool:
        return not self._opening and not self._held and self._reader.ended()

    def _finish(self) -> None:
        for lane in self._lanes.values():
            batch = lane.finish()
            for delivery in self._deliveries:
                delivery.offer(lane.place, batch)
            self._count(batch)
        self._oldest = self._oldest or time.monotonic()

    def _drain(self) -> None:
        """The last rows and checkpoints, as far as the sinks play along in time."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._oldest is not None and time.monotonic() < deadline:
            self._write(time.monotonic())
            if self._held:
                self._reader.poll(0.05)
        if not self._held:
            self._save(time.monotonic(), every=0.0)

    # What is shown.

    def _count(self, batch: Batch) -> None:
        formats: dict[str, int] = {}
        for event in batch.events:
            formats[event.source_format] = formats.get(event.source_format, 0) + 1
        for name, events in formats.items():
            self._metrics.count("tocsin_events_total", events, format=name or "unknown")
        for alert in batch.alerts:
            self._metrics.count("tocsin_alerts_total", detector=alert.detector, severity=alert.severity.name)
        for reject in batch.rejects:
            self._metrics.count("tocsin_rejects_total", reason=reject.reason)

    def _show(self, now: float) -> None:
        self._shown = now
        metrics = self._metrics
        metrics.gauge("tocsin_last_progress_timestamp_seconds", time.time(), part=PART)
        metrics.gauge("tocsin_partitions", len(self._lanes), part=PART)
        for partition, waiting in self._reader.lag().items():
            metrics.gauge("tocsin_lag_records", waiting, partition=_name(partition))
        keys: dict[str, int] = {}
        for lane in self._lanes.values():
            for count in lane.state.describe():
                if count.section.startswith("detector:"):
                    name = count.section.removeprefix("detector:")
                    keys[name] = keys.get(name, 0) + count.keys
        for name, total in keys.items():
            metrics.gauge("tocsin_keys", total, detector=name)
        metrics.gauge("tocsin_groups", sum(len(lane.state.groups) for lane in self._lanes.values()))


class Attempts:
    """How often a partition could not be opened, and when to try again."""

    def __init__(self) -> None:
        self.next_try = 0.0
        self._since = time.monotonic()
        self._pause = FIRST_PAUSE

    def failed(self, error: TocsinError, give_up_seconds: float) -> None:
        """Wait longer the next time. Raises the error where it has lasted too long."""
        now = time.monotonic()
        if now - self._since > give_up_seconds:
            raise error
        self.next_try = now + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)


def _name(partition: Partition) -> str:
    return f"{partition.name}/{partition.number}"
