"""The detect part: a loop that reads the log, lets the core decide, and makes rows durable.

Per log partition, in this order: rows durable in every sink, minutes computed again, checkpoint saved,
position committed as a hint. A crash between any two of them is made good by reading back what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from tocsin import figures
from tocsin.assignment import Assignment
from tocsin.backoff import Backoff, Clock
from tocsin.contracts import Fenced, SinkUnavailable, SourceUnavailable, StoreUnavailable, TocsinError
from tocsin.delivery import Delivery
from tocsin.lane import Claim, Lane
from tocsin.limiter import Limiter
from tocsin.logs import Log
from tocsin.model import Batch, Partition, Record
from tocsin.plan import Plan, Unpacked
from tocsin.ports import PART, Ports, Unpack, Watchers, spoken
from tocsin.settings import EngineSettings, QuarantineSettings
from tocsin.watchdog import Stop

__all__ = ["Ports", "Stop", "Unpack", "Watchers", "Worker"]

IDLE_SECONDS = 0.2  # longest wait in one poll
SHOW_SECONDS = 5.0  # between updates of gauges
PIECE_BYTES = 256 << 10  # records that are decoded at once: more do not stay in the processor's cache
PORTIONS = 4  # of the checkpoints that are due one is saved in a round: rows wait no longer than for that
GRACE = 1.2  # times its interval that a checkpoint waits for a round that leaves no row to be written for it
DRAIN_SECONDS = 7.0  # for the last rows of a stopped worker
STOP_SECONDS = 10.0  # then the watchdog ends it

log = Log("worker")


class Worker:
    """One reader's partitions, from the log to the sinks. One thread owns it."""

    def __init__(
        self,
        plan: Plan,
        ports: Ports,
        watchers: Watchers,
        settings: EngineSettings,
        quarantine: QuarantineSettings | None,
        clock: Clock | None = None,
    ) -> None:
        """`quarantine` None: the records come from the exchange, whose ingest part has the limiter."""
        self._clock = clock or Clock()
        self._reader = ports.reader
        self._unpack = ports.unpack
        self._store = ports.store
        self._watchers = watchers
        self._metrics = watchers.metrics
        self._settings = settings
        self._deliveries = [
            Delivery(name, writer, watchers.metrics, settings, self._clock)
            for name, writer in ports.writers.items()
        ]
        claim = Claim(plan, ports.store, watchers.metrics, self._clock)
        limiter = Limiter(quarantine) if quarantine else None
        self._assignment = Assignment(ports.reader, claim, self._deliveries, watchers, settings, limiter)
        self._source = Backoff("source", self._clock)
        self._checkpoints = Backoff("checkpoints", self._clock)
        self._resume = False
        self._show_at = 0.0

    def run(self, stop: Stop) -> None:
        """Work until stopped, or until the input has ended and everything of it is durable.

        Returns within STOP_SECONDS of the stop, or the watchdog ends the process. Raises what somebody
        has to decide: SinkRefused, LogChanged, StateUnreadable, and what stayed away for too long.
        """
        watchdog = self._watchers.watchdog
        with watchdog.guard("stopping", STOP_SECONDS, after=stop), watchdog.guard("the detect loop"):
            finished = False
            while not stop.is_set() and not (finished and self._done()):
                self._round()
                ended = self._assignment.settled and self._reader.ended()
                if ended and not finished:
                    self._finish()
                finished = ended
            if stop.is_set():
                self._drain()
        self._show()
        self._watchers.health.rest(PART)

    def resume(self) -> None:
        """Go on with what the limiter paused. Safe to call from a signal handler or another thread."""
        self._resume = True

    def close(self) -> None:
        """Let go of everything, whatever state it is in."""
        closings = [self._reader.close, *(delivery.close for delivery in self._deliveries)]
        for close in (*closings, self._store.close):
            try:
                close()
            except TocsinError as error:
                log.warning("did not close in order", error=error)

    def _round(self) -> None:
        self._watchers.watchdog.touch()
        self._watchers.health.beat(PART)
        self._assignment.follow()
        if self._resume:
            self._resume = False
            self._assignment.resume_limited()
        records = self._poll()
        if records:
            self._work(records)
        written, every = self._deliver(), self._settings.checkpoint_seconds
        owing = self._owing(every if written else GRACE * every)
        self._save(owing[: -(-len(owing) // PORTIONS)])
        if self._clock.now() >= self._show_at:
            self._show()

    # Reading.

    def _poll(self) -> Sequence[Record]:
        if not self._source.due():
            self._clock.sleep(min(IDLE_SECONDS, self._source.left()))
            return ()
        try:
            records = self._reader.poll(self._patience())
        except SourceUnavailable as error:
            pause = self._source.failed()
            log.warning("source does not answer", error=error, again_in=round(pause, 2))
            self._watchers.health.trouble("source", str(error))
            self._metrics.gauge("tocsin_source_up", 0, part=PART)
            if self._source.seconds > self._settings.give_up_seconds:
                raise
            return ()
        if self._source.down:
            self._source.answered()
            self._watchers.health.well("source")
        return records

    def _patience(self) -> float:
        """How long a poll may wait for records."""
        waits = (delivery.wait() for delivery in self._deliveries)
        return min([IDLE_SECONDS, *(wait for wait in waits if wait is not None)])

    def _work(self, records: Sequence[Record]) -> None:
        figures.read(self._metrics, records)
        for partition, run in groupby(records, key=lambda record: record.partition):
            for piece in _pieces(run):
                lane = self._assignment.lanes.get(partition)
                if lane is None:
                    break
                self._step(lane, piece)
                self._watchers.watchdog.touch()

    def _step(self, lane: Lane, records: Sequence[Record]) -> None:
        unpacked = [self._unpacked(record) for record in records]
        try:
            batch = lane.step(unpacked)
        except Fenced as error:
            self._assignment.fenced(lane.partition, error)
            return
        except StoreUnavailable as error:
            self._assignment.again(lane.partition, records[0].offset, error)
            return
        self._offer(lane, batch, sum(len(record.value) for record in records), records[0].arrival)

    def _unpacked(self, record: Record) -> Unpacked:
        unpacked = self._unpack(record)
        self._assignment.judge(record.partition, unpacked.items)
        return unpacked

    def _offer(self, lane: Lane, batch: Batch, size: int, arrival: float | None) -> None:
        for delivery in self._deliveries:
            delivery.offer(lane.place, batch, size, arrival)
        figures.released(self._metrics, batch)

    # Writing.

    def _deliver(self, *, all_of_it: bool = False, deadline: float | None = None) -> bool:
        """Write what is due, or everything; whether nothing waits any more."""
        for delivery in self._deliveries:
            delivery.deliver(all_of_it=all_of_it, deadline=deadline)
            self._tell(delivery)
            self._watchers.watchdog.touch()
        if any(delivery.bytes >= self._settings.buffer_bytes for delivery in self._deliveries):
            self._assignment.hold()
        else:
            self._assignment.release()
        return all(delivery.empty for delivery in self._deliveries)

    def _tell(self, delivery: Delivery) -> None:
        what = f"sink {delivery.name}"
        if not delivery.backoff.down:
            self._watchers.health.well(what)
            return
        reason = f"no write confirmed for {delivery.backoff.seconds:.0f} s"
        self._watchers.health.trouble(what, reason)
        if delivery.backoff.seconds > self._settings.give_up_seconds:
            raise SinkUnavailable(f"{what}: {reason}")

    # Checkpoints.

    def _owing(self, every: float) -> list[Lane]:
        """The lanes whose checkpoint is due, the longest first."""
        due = [lane for lane in self._assignment.lanes.values() if lane.due(every)]
        return sorted(due, key=lambda lane: lane.saved_at)

    def _save(self, owing: Sequence[Lane], deadline: float | None = None) -> None:
        """Checkpoints of some lanes, once nothing that they released waits any more."""
        if not owing or not self._checkpoints.due():
            return
        if not self._deliver(all_of_it=True, deadline=deadline) or not self._compute(owing):
            return
        committed: dict[Partition, int] = {}
        try:
            for lane in owing:
                self._watchers.watchdog.touch()
                self._save_lane(lane, committed)
        finally:
            if committed:
                self._reader.commit(committed)

    def _compute(self, lanes: Sequence[Lane]) -> bool:
        """Minutes that changed, computed again in every sink; whether it is done."""
        for lane in lanes:
            minutes = lane.minutes
            for delivery in self._deliveries if minutes else ():
                if not delivery.aggregate(lane.place, minutes, lane.version):
                    return False
            lane.computed()
        return True

    def _save_lane(self, lane: Lane, committed: dict[Partition, int]) -> None:
        if not self._checkpoints.due():
            return
        try:
            committed[lane.partition] = lane.save()
        except Fenced as error:
            self._assignment.fenced(lane.partition, error)
        except StoreUnavailable as error:
            self._not_saved(lane, error)
        else:
            self._checkpoints.answered()
            self._watchers.health.well("checkpoints")

    def _not_saved(self, lane: Lane, error: StoreUnavailable) -> None:
        pause = self._checkpoints.failed()
        log.warning(
            "checkpoint not saved", partition=spoken(lane.partition), error=error, again_in=round(pause, 2)
        )
        self._metrics.count("tocsin_checkpoint_failures_total")
        self._metrics.gauge("tocsin_store_up", 0)
        self._watchers.health.trouble("checkpoints", str(error))
        if self._checkpoints.seconds > self._settings.give_up_seconds:
            raise error

    # The end.

    def _finish(self) -> None:
        for lane in self._assignment.lanes.values():
            self._offer(lane, lane.finish(), 0, None)

    def _done(self) -> bool:
        """Whether everything is durable and saved; tries to make it so."""
        self._save(self._owing(0.0))
        return not any(lane.due(0.0) for lane in self._assignment.lanes.values())

    def _drain(self) -> None:
        """The last rows and checkpoints, as far as the sinks play along in time."""
        deadline = self._clock.now() + DRAIN_SECONDS
        while not self._deliver(all_of_it=True, deadline=deadline) and self._clock.now() < deadline:
            left = max(delivery.backoff.left() for delivery in self._deliveries)
            self._clock.sleep(min(IDLE_SECONDS, left))
        if all(delivery.empty for delivery in self._deliveries):
            self._save(self._owing(0.0), deadline)
        else:
            log.warning("stopped with rows that no sink confirmed; the next start reads them again")

    def _show(self) -> None:
        self._show_at = self._clock.now() + SHOW_SECONDS
        self._metrics.gauge("tocsin_source_up", not self._source.down, part=PART)
        self._metrics.gauge("tocsin_store_up", not self._checkpoints.down)
        figures.show(self._metrics, self._reader, self._assignment.lanes.values(), self._deliveries)


def _pieces(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Records cut so that not too much of them is decoded at once."""
    piece: list[Record] = []
    size = 0
    for record in records:
        piece.append(record)
        size += len(record.value)
        if size >= PIECE_BYTES:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece
