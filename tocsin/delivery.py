"""Delivery of rows to one sink: offered until durable, never offered again once they are."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tocsin.contracts import SinkUnavailable, Writer, Written
from tocsin.logs import Log
from tocsin.metrics import Metrics
from tocsin.model import Alert, Batch, Event, Reject

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts
UNSTORABLE = 1 << 20  # quarantine index of an event that a sink cannot store, besides its own index

log = Log("delivery")
Place = tuple[str, int]  # log id, partition number


class Delivery:
    """The rows that one sink still has to confirm."""

    def __init__(self, name: str, writer: Writer, metrics: Metrics, deadline_seconds: float) -> None:
        self.name = name
        self.down_since: float | None = None
        self._writer = writer
        self._metrics = metrics
        self._deadline_seconds = deadline_seconds
        self._waiting = Batch()
        self._present: dict[Place, Written] = {}
        self._doubtful = False
        self._pause = FIRST_PAUSE
        self._next_try = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def recall(self, place: Place, next_offset: int) -> None:
        """Ask what is stored from `next_offset` on. Raises SinkUnavailable."""
        written = self._writer.written(*place, next_offset)
        self._present.pop(place, None)
        if any(written):
            self._present[place] = written

    def forget(self, place: Place) -> None:
        """The partition is somebody else's: its rows are not to be written any more."""
        self._present.pop(place, None)
        self._waiting = _without(self._waiting, place)

    def offer(self, place: Place, batch: Batch) -> None:
        """Add the rows of one partition that are not stored yet."""
        present = self._present.get(place)
        if present is not None:
            before = len(batch)
            batch = _missing(batch, {place: present})
            self._metrics.count("tocsin_rows_present_total", before - len(batch), sink=self.name)
        waiting = self._waiting
        waiting.events += batch.events
        waiting.signals += batch.signals
        waiting.alerts += batch.alerts
        waiting.rejects += batch.rejects

    def passed(self, place: Place, offset: int) -> None:
        """Everything below `offset` was offered: what is stored below it is of no interest any more."""
        present = self._present.get(place)
        if present and all(at < offset for rows in present for at, _ in rows):
            del self._present[place]

    def due(self, now: float) -> bool:
        """Whether an attempt makes sense now."""
        return len(self._waiting) > 0 and now >= self._next_try

    def attempt(self) -> bool:
        """Write everything that waits; whether nothing waits any more. Raises SinkRefused."""
        started = time.monotonic()
        try:
            if self._doubtful:
                self._read_back()
            if len(self._waiting):
                self._writer.write(self._waiting, started + self._deadline_seconds)
        except SinkUnavailable as error:
            self._failed(error)
            return False
        self._confirmed(time.monotonic() - started)
        return len(self._waiting) == 0

    def aggregate(self, place: Place, minutes: Sequence[int], version: int) -> None:
        """Compute minutes again. Raises as the sink does."""
        self._writer.aggregate(*place, minutes, version)
        self._metrics.count("tocsin_aggregated_minutes_total", len(minutes), sink=self.name)

    def close(self) -> None:
        self._writer.close()

    def _read_back(self) -> None:
        lowest: dict[Place, int] = {}
        for rows in (self._waiting.events, self._waiting.alerts, self._waiting.rejects):
            for row in rows:
                place = (row.log_id, row.log_partition)
                lowest[place] = min(lowest.get(place, row.log_offset), row.log_offset)
        stored = {place: self._writer.written(*place, offset) for place, offset in lowest.items()}
        before = len(self._waiting)
        self._waiting = _missing(self._waiting, stored)
        self._metrics.count("tocsin_rows_present_total", before - len(self._waiting), sink=self.name)
        self._doubtful = False

    def _failed(self, error: SinkUnavailable) -> None:
        now = time.monotonic()
        self._doubtful = True
        self.down_since = self.down_since or now
        self._next_try = now + self._pause
        log.warning("sink does not confirm", sink=self.name, error=str(error), again_in=self._pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self._metrics.count("tocsin_write_retries_total", sink=self.name)
        self._metrics.gauge("tocsin_sink_up", 0, sink=self.name)

    def _confirmed(self, seconds: float) -> None:
        done, self._waiting = self._waiting, Batch()
        for table in ("events", "alerts", "rejects"):
            rows = getattr(done, table)
            if rows:
                self._metrics.count("tocsin_rows_written_total", len(rows), sink=self.name, table=table)
        self._metrics.observe("tocsin_write_seconds", seconds, sink=self.name)
        self._metrics.gauge("tocsin_sink_up", 1, sink=self.name)
        self.down_since, self._next_try, self._pause = None, 0.0, FIRST_PAUSE
        for event, reason in self._writer.unstorable():
            self._metrics.count("tocsin_unstorable_rows_total", sink=self.name)
            self._waiting.rejects.append(_unstorable(event, reason))


def _unstorable(event: Event, reason: str) -> Reject:
    return Reject(
        reason="unstorable",
        detail=reason,
        log_id=event.log_id,
        log_partition=event.log_partition,
        log_offset=event.log_offset,
        log_index=UNSTORABLE + event.log_index,
        arrival=event.arrival,
        source=event.source,
        source_partition=event.source_partition,
        source_offset=event.source_offset,
        source_index=event.source_index,
        tenant=event.tenant,
    )


def _place(row: Event | Alert | Reject) -> Place:
    return row.log_id, row.log_partition


def _without(batch: Batch, place: Place) -> Batch:
    kept = [at for at, event in enumerate(batch.events) if _place(event) != place]
    return Batch(
        [batch.events[at] for at in kept],
        [batch.signals[at] for at in kept],
        [alert for alert in batch.alerts if _place(alert) != place],
        [reject for reject in batch.rejects if _place(reject) != place],
    )


_NOTHING = Written()


def _missing(batch: Batch, stored: dict[Place, Written]) -> Batch:
    """The rows of `batch` that are not among the stored ones."""

    def present(row: Event | Alert | Reject) -> Written:
        return stored.get((row.log_id, row.log_partition), _NOTHING)

    kept = [
        at
        for at, event in enumerate(batch.events)
        if (event.log_offset, event.log_index) not in present(event).events
    ]
    return Batch(
        [batch.events[at] for at in kept],
        [batch.signals[at] for at in kept],
        [row for row in batch.alerts if (row.log_offset, row.log_index) not in present(row).alerts],
        [row for row in batch.rejects if (row.log_offset, row.log_index) not in present(row).rejects],
    )
