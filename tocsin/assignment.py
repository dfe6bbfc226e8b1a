"""Which partitions this worker reads: those it owns, those that wait to be opened, those that are paused."""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.backoff import Backoff
from tocsin.contracts import (
    LogChanged,
    Reader,
    SourceUnavailable,
    StateUnreadable,
    StoreUnavailable,
    TocsinError,
)
from tocsin.delivery import Delivery
from tocsin.lane import Claim, Lane
from tocsin.limiter import REASON, Limiter
from tocsin.logs import Log
from tocsin.model import Event, Partition, Reject
from tocsin.ports import Watchers, spoken
from tocsin.settings import EngineSettings

FENCED_SECONDS = 30.0  # for the group to move a partition that another worker claimed

log = Log("assignment")


class Opening:
    """A partition that is assigned and not owned yet."""

    def __init__(self, backoff: Backoff, start: int | None = None, not_before: float = 0.0) -> None:
        self.backoff = backoff
        self.start = start  # where reading begins if there is no checkpoint; None: as the source says
        self.not_before = not_before


class Assignment:
    """Follows what the reader says, and tells the reader what to hand out."""

    def __init__(
        self,
        reader: Reader,
        claim: Claim,
        deliveries: Sequence[Delivery],
        watchers: Watchers,
        settings: EngineSettings,
        limiter: Limiter | None,
    ) -> None:
        self.lanes: dict[Partition, Lane] = {}
        self.held = False  # every partition is paused
        self._opening: dict[Partition, Opening] = {}
        self._opened: dict[Partition, Opening] = {}
        self._limiter = limiter
        self._reader = reader
        self._claim = claim
        self._clock = claim.clock
        self._deliveries = deliveries
        self._watchers = watchers
        self._settings = settings
        self._tell()

    @property
    def settled(self) -> bool:
        """Whether every assigned partition is read."""
        return not self._opening

    def follow(self) -> None:
        """Drop what was taken, open what was given."""
        changes = self._reader.changes()
        for change, partitions in (
            ("revoked", changes.revoked),
            ("lost", changes.lost),
            ("assigned", changes.assigned),
        ):
            if partitions:
                self._watchers.metrics.count("tocsin_rebalances_total", len(partitions), change=change)
            for partition in partitions:
                self.drop(partition)
        for partition in changes.assigned:
            self._opening[partition] = Opening(self._backoff(partition))
        for partition, opening in list(self._opening.items()):
            if opening.backoff.due() and self._clock.now() >= opening.not_before:
                self._open(partition, opening)
        if any(changes) or self._opening:
            self._tell()

    def drop(self, partition: Partition) -> None:
        """Forget the state of a partition and what of it is not written yet."""
        self._opening.pop(partition, None)
        self._watchers.health.well(f"partition {spoken(partition)}")
        if self._limiter:
            self._limiter.forget(partition)
            self._unlimited(partition)
        self._opened.pop(partition, None)
        lane = self.lanes.pop(partition, None)
        if lane is None:
            return
        for delivery in self._deliveries:
            delivery.forget(lane.place)
        self._watchers.metrics.forget("tocsin_lag_records", partition=spoken(partition))

    def fenced(self, partition: Partition, error: TocsinError) -> None:
        """Another worker owns it: nothing of ours counts any more."""
        log.error("another worker owns the partition now", partition=spoken(partition), error=error)
        self._watchers.metrics.count("tocsin_rebalances_total", change="fenced")
        not_before = self._clock.now() + FENCED_SECONDS
        self._close(partition, Opening(self._backoff(partition), not_before=not_before))
        self._watchers.health.trouble(f"partition {spoken(partition)}", str(error))

    def again(self, partition: Partition, start: int, error: TocsinError) -> None:
        """It cannot be begun with now: open it anew, at the record that was to be its first."""
        opening = self._opened[partition]
        opening.start = start
        self._close(partition, opening)
        self._failed(partition, opening, error)

    def hold(self) -> None:
        """Read nothing until `release`."""
        if not self.held:
            self.held = True
            self._reader.pause(list(self.lanes))

    def release(self) -> None:
        """Read on, but not what the limiter paused."""
        if self.held:
            self.held = False
            limited = self._limiter.paused if self._limiter else frozenset()
            self._reader.resume([partition for partition in self.lanes if partition not in limited])

    def judge(self, partition: Partition, items: Sequence[Event | Reject]) -> None:
        """Pause a partition of which this record is the one undecodable record too many."""
        if not self._limiter or not self._limiter.note(partition, items):
            return
        self._reader.pause([partition])
        place, metrics = spoken(partition), self._watchers.metrics
        log.error("source partition paused", partition=place, reason=REASON)
        self._watchers.health.trouble(f"limiter {place}", REASON)
        metrics.count("tocsin_limiter_pauses_total")
        metrics.gauge("tocsin_limiter_paused", 1, partition=place)

    def resume_limited(self) -> None:
        """The operator wants to go on with what the limiter paused."""
        resumed = self._limiter.resume() if self._limiter else frozenset()
        if not self.held:
            self._reader.resume([partition for partition in resumed if partition in self.lanes])
        for partition in resumed:
            log.info("source partition resumed", partition=spoken(partition))
            self._unlimited(partition)

    def _open(self, partition: Partition, opening: Opening) -> None:
        try:
            lane = self._lane(partition, opening.start)
        except (StoreUnavailable, SourceUnavailable) as error:
            self._failed(partition, opening, error)
            return
        except (LogChanged, StateUnreadable) as error:
            del self._opening[partition]
            log.error("partition stopped", partition=spoken(partition), error=error)
            self._watchers.health.trouble(f"partition {spoken(partition)}", str(error))
            if not self.lanes and not self._opening:
                raise  # there is nothing else to do
            return
        self._opened[partition] = self._opening.pop(partition)
        self.lanes[partition] = lane
        for delivery in self._deliveries:
            delivery.doubt(lane.place)
        (self._reader.pause if self.held else self._reader.resume)([partition])
        self._watchers.health.well(f"partition {spoken(partition)}")

    def _lane(self, partition: Partition, start: int | None) -> Lane:
        self._watchers.watchdog.touch()
        lane = Lane(partition, self._reader.log_id(partition), self._claim)
        if lane.next_offset is None:
            lane.state.backfill_until = self._reader.backfill_until(partition)
        self._reader.seek(partition, start if lane.next_offset is None else lane.next_offset)
        return lane

    def _close(self, partition: Partition, opening: Opening) -> None:
        self.drop(partition)
        self._opening[partition] = opening
        self._reader.pause([partition])

    def _failed(self, partition: Partition, opening: Opening, error: TocsinError) -> None:
        pause = opening.backoff.failed()
        log.warning(
            "partition cannot be opened", partition=spoken(partition), error=error, again_in=round(pause, 2)
        )
        self._watchers.health.trouble(f"partition {spoken(partition)}", str(error))
        if opening.backoff.seconds > self._settings.give_up_seconds:
            raise error

    def _unlimited(self, partition: Partition) -> None:
        self._watchers.health.well(f"limiter {spoken(partition)}")
        self._watchers.metrics.forget("tocsin_limiter_paused", partition=spoken(partition))

    def _backoff(self, partition: Partition) -> Backoff:
        return Backoff(spoken(partition), self._clock)

    def _tell(self) -> None:
        if self.lanes:
            self._watchers.health.well("partitions")
        else:
            self._watchers.health.trouble("partitions", "none is read yet")
