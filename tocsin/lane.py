"""A lane: one log partition that this worker owns, with its state and what a checkpoint still owes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from tocsin import core
from tocsin.backoff import Clock
from tocsin.contracts import CheckpointStore
from tocsin.logs import Log
from tocsin.metrics import Metrics
from tocsin.model import Batch, Event, Partition
from tocsin.plan import Plan, Unpacked
from tocsin.ports import spoken
from tocsin.state import PartitionState

log = Log("lane")


class Claim(NamedTuple):
    """What opening a lane needs besides its partition."""

    plan: Plan
    store: CheckpointStore
    metrics: Metrics
    clock: Clock


class Lane:
    """Owned from `claim` until it is dropped; everything in between is one epoch."""

    def __init__(self, partition: Partition, log_id: str, claim: Claim) -> None:
        self.partition = partition
        self.place = (log_id, partition.number)
        self.log = f"{log_id}/{partition.number}"
        self._claim = claim
        self._epoch = claim.store.claim(self.log)
        self.state = self._restore(log_id)
        self._minutes: set[int] = set()
        self.saved_at = claim.clock.now()
        self._changed = self._finished = False
        self._evicted = self._evictions()
        self._overflow = self.state.groups.overflow

    @property
    def next_offset(self) -> int | None:
        """Where reading goes on; None: nothing was ever read."""
        return self.state.next_offset

    @property
    def minutes(self) -> Sequence[int]:
        """Minutes of event time whose rows changed and were not computed again since."""
        return sorted(self._minutes)

    @property
    def version(self) -> int:
        """Of the minutes as they are now. What the end of the input released is news at the same offset."""
        return (self.next_offset or 0) + self._finished

    def step(self, records: Sequence[Unpacked]) -> Batch:
        """Rows of some records of this partition. Raises Fenced or StoreUnavailable before it begins."""
        if self.next_offset is None:
            self._begin(records[0].offset)
        until = self.state.backfill_until
        if until is not None and records[0].offset < until:
            records = [r._replace(backfill=r.backfill or r.offset < until) for r in records]
        self._changed, self._finished = True, False
        return self._note(core.step(self._claim.plan, self.state, records))

    def finish(self) -> Batch:
        """Rows that the end of the input releases."""
        batch = core.finish(self._claim.plan, self.state)
        if len(batch):
            self._changed = self._finished = True
        return self._note(batch)

    def due(self, every: float) -> bool:
        """Whether a checkpoint is owed."""
        return self._changed and self._claim.clock.now() - self.saved_at >= every

    def computed(self) -> None:
        """Every sink has computed the minutes again."""
        self._minutes.clear()

    def save(self) -> int:
        """Make state and position durable; returns the position. Raises Fenced or StoreUnavailable."""
        position = self._save(None)
        self._changed, self.saved_at = False, self._claim.clock.now()
        return position

    def lost(self) -> Mapping[str, int]:
        """Keys that each detector's bounds have pushed out since this was last asked."""
        before, self._evicted = self._evicted, self._evictions()
        return {name: max(0, now - before.get(name, 0)) for name, now in self._evicted.items()}

    def overflowed(self) -> int:
        """Events that found no room for their group since this was last asked."""
        before, self._overflow = self._overflow, self.state.groups.overflow
        return max(0, self._overflow - before)

    def _begin(self, offset: int) -> None:
        """A restart before the first checkpoint must begin at the same record, with the same backfill."""
        self._save(offset)

    def _save(self, next_offset: int | None) -> int:
        clock, metrics = self._claim.clock, self._claim.metrics
        started = clock.now()
        checkpoint, chunks = self.state.checkpoint(self._epoch)
        if next_offset is not None:
            checkpoint = replace(checkpoint, next_offset=next_offset)
        self._claim.store.save(self.log, checkpoint, chunks)
        self.state.saved(checkpoint.sequence)
        metrics.count("tocsin_checkpoints_total")
        metrics.count("tocsin_checkpoint_bytes_total", sum(map(len, chunks)))
        metrics.observe("tocsin_checkpoint_seconds", clock.now() - started)
        return checkpoint.next_offset

    def _note(self, batch: Batch) -> Batch:
        self._minutes.update([minute_of(event) for event in batch.events])
        return batch

    def _restore(self, log_id: str) -> PartitionState:
        plan, number, place = self._claim.plan, self.partition.number, spoken(self.partition)
        saved, complaints = self._claim.store.load(self.log)
        for complaint in complaints:
            self._cold("checkpoint", complaint)
        if saved is None:
            log.info("starts without a checkpoint", partition=place)
            return PartitionState.fresh(plan, log_id, number)
        state, cold = PartitionState.restore(plan, log_id, number, saved)
        for complaint in cold:
            self._cold("detector", complaint)
        log.info("goes on from a checkpoint", partition=place, next_offset=state.next_offset)
        return state

    def _cold(self, reason: str, complaint: str) -> None:
        log.error("state lost", partition=spoken(self.partition), reason=reason, complaint=complaint)
        self._claim.metrics.count("tocsin_state_resets_total", reason=reason)

    def _evictions(self) -> dict[str, int]:
        evicted: dict[str, int] = {}
        for count in self.state.describe():
            kind, _, name = count.section.partition(":")
            if kind == "detector":
                evicted[name] = evicted.get(name, 0) + count.evicted
        return evicted


def minute_of(event: Event) -> int:
    """The minute of event time that an event counts in, epoch seconds."""
    return int(event.time) // 60 * 60
