"""Forwarding: what one ingest worker does between two errors."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ingest.dead_letter import letter
from ingest.exchange_route import Routes
from ingest.exchange_topic import Exchange, Ledger, Origin
from ingest.kafka_client import offsets_of
from ingest.kafka_reader import KafkaReader
from ingest.kafka_transaction import WAIT_SECONDS, Transactions
from tocsin.contracts import Changes, LogChanged
from tocsin.frame import TICK, Sealer
from tocsin.health import Health
from tocsin.limiter import REASON, Limiter
from tocsin.logs import Log
from tocsin.metrics import Metrics
from tocsin.model import Event, Partition, Record, Reject
from tocsin.reading.redaction import Redactor
from tocsin.settings import QuarantineSettings
from tocsin.watchdog import Watchdog

LOOK_SECONDS = 5.0  # between two looks at backlog and lag
IDLE_SECONDS = 0.5  # one wait for a record

log = Log("exchange")

Unpack = Callable[[Record], Sequence[Event | Reject]]


class Surroundings(NamedTuple):
    """What the process lends to its parts."""

    metrics: Metrics
    watchdog: Watchdog
    health: Health


class Forwarder:
    """A member of the source's group with a transactional name. Raises SourceUnavailable, TransactionLost.

    After a TransactionLost, `rewind` and another `turn` go on where the last commit ended.
    """

    def __init__(
        self,
        exchange: Exchange,
        slot: str,
        unpack: Unpack,
        surroundings: Surroundings,
        quarantine: QuarantineSettings,
    ) -> None:
        self._exchange = exchange
        self._settings = exchange.settings
        self._unpack = unpack
        self._metrics, self._watchdog, self._health = surroundings
        self._dead_letters = quarantine.dead_letter_topic
        self._redact = Redactor().redact
        self._limiter = Limiter(quarantine)
        self._rule = exchange.prepare()
        if self._dead_letters:
            exchange.ensure(self._dead_letters)
        self._topic = exchange.name(self._rule.generation)
        self._seal = Sealer(exchange.keys) if exchange.keys else None
        self._routes = Routes(self._rule.partitions)
        self._spoken = [time.monotonic()] * self._rule.partitions
        name = f"{exchange.source.group_id}.{self._topic}.{slot}"
        self._transactions = Transactions(exchange.connection, name, self._settings.transaction_seconds)
        self._reader: KafkaReader = exchange.source.open()
        self._mine: set[Partition] = set()
        self._backfill: dict[Partition, int] = {}
        self._rewind = True  # the first `own` aborts what a killed worker left open under the name
        self._per_record = 1.0  # events, in the mean
        self._frame_bytes = 0.0  # of a frame, in the mean
        self._full = False
        self._look_at = 0.0

    def turn(self) -> None:
        """Take what is there, up to a transaction's worth or the linger, and forward it."""
        if self._rewind:
            self._routes = Routes(self._rule.partitions)
            self._still_ours(self._reader.changes(), [])
            self._begin_all(sorted(self._mine))
            self._rewind = False
        records = self._gather()
        if records:
            self._forward(records)
        self._tick()
        if time.monotonic() >= self._look_at:
            self._look()
        self._metrics.gauge("tocsin_last_progress_timestamp_seconds", time.time(), part="ingest")

    def rewind(self) -> None:
        """The next turn begins where the group's offsets are."""
        self._rewind = True

    def resume(self) -> None:
        """Go on with the partitions that the limiter paused."""
        resumed = self._limiter.resume()
        for partition in resumed:
            self._limited(partition, False)
        if not self._full:
            self._reader.resume(resumed)

    def close(self) -> None:
        """Leave the group. Nothing is open: a transaction never outlives a turn."""
        self._reader.close()
        self._transactions.abandon()

    # What is read.

    def _gather(self) -> list[Record]:
        """Records of partitions that are ours at the end of the gathering."""
        records: list[Record] = []
        wanted = max(1, int(self._settings.batch_events / self._per_record))
        deadline = time.monotonic() + IDLE_SECONDS
        while True:
            left = deadline - time.monotonic()
            found = self._reader.poll(max(0.0, left), min(wanted, self._exchange.source.poll_records))
            records = self._still_ours(self._reader.changes(), [*records, *found] if records else list(found))
            if found and len(records) == len(found):
                deadline = time.monotonic() + self._settings.linger_ms / 1000
            if len(records) >= wanted or time.monotonic() >= deadline:
                return records

    def _still_ours(self, changes: Changes, records: list[Record]) -> list[Record]:
        gone = {*changes.revoked, *changes.lost}
        if gone:
            self._mine -= gone
            for partition in gone:
                self._limiter.forget(partition)
                self._limited(partition, False)
            records = [record for record in records if record.partition not in gone]
        for change in ("revoked", "lost", "assigned"):
            if partitions := getattr(changes, change):
                self._metrics.count("tocsin_rebalances_total", len(partitions), change=change)
        if changes.assigned:
            self._mine.update(changes.assigned)
            if not self._rewind:
                self._begin_all(changes.assigned)
        return records

    def _begin_all(self, partitions: Sequence[Partition]) -> None:
        """Begin to read. What was never read enters the ledger in one transaction with its position."""
        self._transactions.own()
        # Before the ledger is read: what it lacks is entered by the next owner once this one is thrown out.
        membership = self._reader.group_metadata()
        # The ledger first: an origin is committed with its offset, so one that is seen has an offset.
        ledger = self._exchange.ledger()
        if ledger.current.generation != self._rule.generation:
            name = self._exchange.name(ledger.current.generation)
            raise LogChanged(f"{name} was begun while this worker was away: start it with its settings")
        if membership.generation_id < 0:
            return  # thrown out, as the next poll tells; brokers take offsets of no member without a look
        fresh = [origin for partition in partitions if (origin := self._begin(partition, ledger))]
        if self._full:
            self._reader.pause(partitions)
        if fresh:
            places = [Partition(origin.topic, origin.number) for origin in fresh]
            with self._watchdog.guard("entering the ledger", 2 * WAIT_SECONDS):
                self._transactions.begin()
                for origin in fresh:
                    self._transactions.send(self._exchange.ledger_topic, 0, origin.value, origin.key)
                positions = {p: self._reader.positions[p] for p in places if p in self._reader.positions}
                self._commit(positions, membership)

    def _begin(self, partition: Partition, ledger: Ledger) -> Origin | None:
        """Seek to where reading goes on; the partition's line where the ledger has none yet."""
        topic_id = self._reader.log_id(partition)
        committed = self._reader.committed(partition)
        origin = ledger.origins.get((topic_id, partition.number))
        others = ledger.ids(partition.name) - {topic_id}
        if origin is not None:
            if committed is None:
                raise LogChanged(_offsets_lost(self._exchange, partition))
            self._reader.seek(partition, committed)
            self._backfill[partition] = origin.backfill_below
            return None
        if committed is not None and others:
            committed = self._other_topic(partition, topic_id)
        end = self._reader.range(partition)[1]
        self._reader.seek(partition, committed)
        below = 0 if ledger.ids(partition.name) else end
        self._backfill[partition] = below
        return Origin(partition.name, topic_id, partition.number, below)

    def _other_topic(self, partition: Partition, topic_id: str) -> int:
        """The group's offset is of a topic that is gone: begin with the new one, where that is allowed."""
        if self._exchange.source.out_of_range == "fail":
            raise LogChanged(
                f"topic {partition.name} was deleted and made again ({topic_id}); set out_of_range = "
                '"earliest" to read the new one from its beginning'
            )
        log.error("topic was made anew, reading it from its beginning", topic=partition.name, id=topic_id)
        return self._reader.range(partition)[0]

    # What is written.

    def _forward(self, records: Sequence[Record]) -> None:
        """One transaction, or several where records hold many events."""
        with self._watchdog.guard("exchange transaction", 2 * WAIT_SECONDS + 60):
            left = deque(records)
            while left:
                self._transact(left)
        self._metrics.count("tocsin_records_read_total", len(records), part="ingest")
        size = sum(len(record.value) for record in records)
        self._metrics.count("tocsin_read_bytes_total", size, part="ingest")

    def _transact(self, records: deque[Record]) -> None:
        """As many of the records as fill a transaction, at least one."""
        began, before = time.monotonic(), len(records)
        positions: dict[Partition, int] = {}
        events = 0
        self._transactions.begin()
        while records and events < self._settings.batch_events:
            record = records.popleft()
            events += self._take(record)
            positions[record.partition] = record.next_offset
        self._commit(positions, self._reader.membership)
        self._metrics.observe("tocsin_transaction_seconds", time.monotonic() - began)
        mean = max(1.0, events / (before - len(records)))
        self._per_record += 0.2 * (mean - self._per_record)

    def _take(self, record: Record) -> int:
        items = self._unpack(record)
        backfill = record.offset < self._backfill.get(record.partition, 0)
        for item in items:
            partition, frame = self._routes.add(item, backfill)
            if frame is not None:
                self._send(partition, frame)
            if self._dead_letters and isinstance(item, Reject):
                self._transactions.send(self._dead_letters, None, letter(item, self._redact))
                self._metrics.count("tocsin_dead_letters_total")
        if self._limiter.note(record.partition, items):
            self._reader.pause([record.partition])
            self._limited(record.partition, True)
        return len(items)

    def _send(self, partition: int, frame: bytes) -> None:
        if self._seal:
            frame = self._seal(frame, Partition(self._topic, partition))
        self._transactions.send(self._topic, partition, frame)
        self._spoken[partition] = time.monotonic()
        self._frame_bytes += 0.05 * (len(frame) - self._frame_bytes)
        self._metrics.count("tocsin_frames_total")
        self._metrics.count("tocsin_frame_bytes_total", len(frame))

    def _commit(self, positions: Mapping[Partition, int], membership: Any) -> None:
        for partition, frame in self._routes.rest():
            self._send(partition, frame)
        self._transactions.commit(offsets_of(positions), membership)
        self._metrics.count("tocsin_transactions_total", outcome="committed")

    def _tick(self) -> None:
        now = time.monotonic()
        silent = [n for n, spoken in enumerate(self._spoken) if now - spoken >= self._settings.tick_seconds]
        if not silent:
            return
        with self._watchdog.guard("exchange tick", 2 * WAIT_SECONDS):
            self._transactions.begin()
            for number in silent:
                self._transactions.send(self._topic, number, TICK)
                self._spoken[number] = now
            self._transactions.commit()
        self._metrics.count("tocsin_ticks_total", len(silent))

    # What is watched.

    def _look(self) -> None:
        self._look_at = time.monotonic() + LOOK_SECONDS
        for partition, lag in self._reader.lag().items():
            self._metrics.gauge("tocsin_lag_records", lag, partition=_place(partition))
        self._metrics.gauge("tocsin_partitions", len(self._reader.positions), part="ingest")
        frames = 0
        for partition, waiting in self._exchange.backlog(self._reader.admin, self._rule).items():
            self._metrics.gauge("tocsin_exchange_backlog_records", waiting, partition=_place(partition))
            frames += waiting
        share = max(
            frames / self._settings.backlog_frames,
            frames * self._frame_bytes / self._settings.backlog_bytes,
        )
        if share >= 1 and not self._full:
            self._hold_back(frames)
        elif share < 0.9 and self._full:
            self._let_go(frames)

    def _hold_back(self, frames: int) -> None:
        self._full = True
        self._reader.pause(list(self._reader.positions))
        self._health.trouble("backlog", f"{frames} frames wait for detection: ingest pauses")
        log.error("ingest pauses: too much waits for detection", frames=frames)

    def _let_go(self, frames: int) -> None:
        self._full = False
        self._reader.resume([p for p in self._reader.positions if p not in self._limiter.paused])
        self._health.well("backlog")
        log.info("ingest goes on", frames=frames)

    def _limited(self, partition: Partition, paused: bool) -> None:
        place = _place(partition)
        if not paused:
            self._health.well(f"limiter {place}")
            self._metrics.forget("tocsin_limiter_paused", partition=place)
            return
        self._metrics.gauge("tocsin_limiter_paused", 1, partition=place)
        self._metrics.count("tocsin_limiter_pauses_total")
        self._health.trouble(f"limiter {place}", REASON)
        log.error("source partition paused", partition=place, reason=REASON)


def _place(partition: Partition) -> str:
    return f"{partition.name}/{partition.number}"


def _offsets_lost(exchange: Exchange, partition: Partition) -> str:
    group, place = exchange.source.group_id, _place(partition)
    return (
        f"the group {group} lost its offset of {place}, but the exchange holds data of it: some would come "
        f"twice or never. Set the offset (kafka-consumer-groups --group {group} --reset-offsets), or begin "
        f"as [source] start says: tocsin exchange forget {partition.name}"
    )
