"""A lane: one log partition that this worker owns, with its state and what a checkpoint still owes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from tocsin import core
from tocsin.contracts import CheckpointStore
from tocsin.logs import Log
from tocsin.metrics import Metrics
from tocsin.model import Batch, Event, Partition
from tocsin.plan import Plan, Unpacked
from tocsin.state import PartitionState

log = Log("lane")


class Claim(NamedTuple):
    """What opening a lane needs besides its partition."""

    plan: Plan
    store: CheckpointStore
    metrics: Metrics


class Lane:
    """Owned from `claim` until it is dropped; everything in between is one epoch."""

    def __init__(self, partition: Partition, log_id: str, claim: Claim) -> None:
        self.partition = partition
        self.place = (log_id, partition.number)
        self._log = f"{log_id}/{partition.number}"
        self._claim = claim
        self._epoch = claim.store.claim(self._log)
        self.state = self._restore(log_id)
        self.minutes: set[int] = set()
        self.saved_at = time.monotonic()
        self._changed = False

    @property
    def next_offset(self) -> int | None:
        """Where reading goes on; None: nothing was ever read."""
        return self.state.next_offset

    def step(self, records: Sequence[Unpacked]) -> Batch:
        """Rows of some records of this partition."""
        self._changed = True
        return self._note(core.step(self._claim.plan, self.state, records))

    def finish(self) -> Batch:
        """Rows that the end of the input releases."""
        batch = core.finish(self._claim.plan, self.state)
        self._changed = self._changed or len(batch) > 0
        return self._note(batch)

    def due(self, now: float, every: float) -> bool:
        """Whether a checkpoint is owed."""
        return self._changed and now - self.saved_at >= every

    def save(self) -> int:
        """Make state and position durable; returns the position. Raises Fenced or StoreUnavailable."""
        started = time.monotonic()
        checkpoint, chunks = self.state.checkpoint(self._epoch)
        self._claim.store.save(self._log, checkpoint, chunks)
        self.state.saved(checkpoint.sequence)
        self.minutes.clear()
        self._changed, self.saved_at = False, time.monotonic()
        metrics = self._claim.metrics
        metrics.count("tocsin_checkpoints_total")
        metrics.count("tocsin_checkpoint_bytes_total", sum(map(len, chunks)))
        metrics.observe("tocsin_checkpoint_seconds", self.saved_at - started)
        return checkpoint.next_offset

    def _note(self, batch: Batch) -> Batch:
        self.minutes.update([minute_of(event) for event in batch.events])
        return batch

    def _restore(self, log_id: str) -> PartitionState:
        saved, complaints = self._claim.store.load(self._log)
        for complaint in complaints:
            self._lost("checkpoint", complaint)
        number = self.partition.number
        if saved is None:
            log.info("starts without a checkpoint", partition=self.partition)
            return PartitionState.fresh(self._claim.plan, log_id, number)
        state, cold = PartitionState.restore(self._claim.plan, log_id, number, saved)
        for complaint in cold:
            self._lost("detector", complaint)
        log.info("goes on from a checkpoint", partition=self.partition, next_offset=state.next_offset)
        return state

    def _lost(self, reason: str, complaint: str) -> None:
        log.error("state lost", partition=self.partition, reason=reason, complaint=complaint)
        self._claim.metrics.count("tocsin_state_resets_total", reason=reason)


def minute_of(event: Event) -> int:
    """The minute of event time that an event counts in, epoch seconds."""
    return int(event.time) // 60 * 60
