"""Delivery of rows to one sink: offered until they are durable, and never again once they are.

Where it is not known what is stored (after an assignment, after a write without an answer) the sink is
asked before the next offer, and what it holds is not offered. Sinks do not wait for one another.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from tocsin.backoff import Backoff, Clock
from tocsin.contracts import SinkUnavailable, Writer, Written
from tocsin.logs import Log
from tocsin.metrics import Metrics
from tocsin.model import Alert, Batch, Event, Reject, Signals
from tocsin.settings import EngineSettings

UNSTORABLE = 1 << 20  # quarantine index of an event that a sink cannot store, on top of its own index

log = Log("delivery")
Place = tuple[str, int]  # log id, partition number


class Parcel:
    """Rows that are written together."""

    def __init__(self, since: float) -> None:
        self.since = since  # monotonic time of its first row
        self.rows: dict[Place, Batch] = {}
        self.count = 0
        self.bytes = 0  # of the records that the rows come from
        self.arrivals: list[float] = []  # of the oldest record of each offer
        self.alerts: list[float] = []  # arrivals of alerts

    def add(self, place: Place, batch: Batch, size: int, arrival: float | None) -> None:
        rows = self.rows.get(place)
        if rows is None:
            rows = self.rows[place] = Batch()
        _extend(rows, batch)
        self.count += len(batch)
        self.bytes += size
        if arrival is not None:
            self.arrivals.append(arrival)
            self.alerts += [alert.arrival for alert in batch.alerts]


class Delivery:
    """The rows that one sink still has to confirm, oldest first."""

    def __init__(
        self, name: str, writer: Writer, metrics: Metrics, settings: EngineSettings, clock: Clock
    ) -> None:
        self.name = name
        self.backoff = Backoff(name, clock)
        self._writer = writer
        self._metrics = metrics
        self._settings = settings
        self._clock = clock
        self._parcels: deque[Parcel] = deque()
        self._doubtful: set[Place] = set()
        self._known: dict[Place, Written] = {}

    @property
    def empty(self) -> bool:
        """Whether everything that was offered is durable."""
        return not self._parcels

    @property
    def bytes(self) -> int:
        """Record bytes whose rows wait."""
        return sum(parcel.bytes for parcel in self._parcels)

    def doubt(self, place: Place) -> None:
        """What the sink holds of this log partition is not known: ask before the next offer."""
        self._known.pop(place, None)
        self._doubtful.add(place)

    def forget(self, place: Place) -> None:
        """The partition is somebody else's: nothing of it is to be written any more."""
        self._doubtful.discard(place)
        self._known.pop(place, None)
        for parcel in self._parcels:
            parcel.rows.pop(place, None)
        self._parcels = deque(parcel for parcel in self._parcels if parcel.rows)

    def offer(self, place: Place, batch: Batch, size: int, arrival: float | None) -> None:
        """Add the rows that some records of one log partition released."""
        if not len(batch):
            return
        if not self._parcels or self._full(self._parcels[-1]):
            self._parcels.append(Parcel(self._clock.now()))
        self._parcels[-1].add(place, batch, size, arrival)

    def wait(self) -> float | None:
        """Seconds until a write is due; None: not before more rows come."""
        if not self._parcels:
            return None
        first = self._parcels[0]
        linger = 0.0 if self._full(first) else first.since + self._linger - self._clock.now()
        return max(0.0, linger, self.backoff.left())

    def deliver(self, *, all_of_it: bool = False, deadline: float | None = None) -> None:
        """Write what is due, or everything; stops at the first write without an answer."""
        while self._parcels and self.backoff.due() and (all_of_it or self.wait() == 0.0):
            now = self._clock.now()
            last = now + self._settings.write_deadline_seconds
            if not self._attempt(self._parcels[0], min(last, deadline or last)):
                return
            self._parcels.popleft()

    def aggregate(self, place: Place, minutes: Sequence[int], version: int) -> bool:
        """Compute minutes again; whether it is done."""
        if not self.backoff.due():
            return False
        try:
            self._writer.aggregate(*place, minutes, version)
        except SinkUnavailable as error:
            self._failed(error)
            return False
        self._answered()
        self._metrics.count("tocsin_aggregated_minutes_total", len(minutes), sink=self.name)
        return True

    def close(self) -> None:
        """Let go of the sink."""
        self._writer.close()

    @property
    def _linger(self) -> float:
        return self._settings.linger_ms / 1000

    def _full(self, parcel: Parcel) -> bool:
        return parcel.count >= self._settings.batch_rows or parcel.bytes >= self._settings.batch_bytes

    def _attempt(self, parcel: Parcel, deadline: float) -> bool:
        started = self._clock.now()
        batch = Batch()
        try:
            for place, rows in parcel.rows.items():
                _extend(batch, self._missing(place, rows))
            self._write(batch, deadline)
        except SinkUnavailable as error:
            self._doubtful.update(parcel.rows)
            self._failed(error)
            return False
        self._confirmed(parcel, batch, self._clock.now() - started)
        return True

    def _write(self, batch: Batch, deadline: float) -> None:
        if not len(batch):
            return
        self._writer.unstorable()  # left over from a write without an answer
        self._writer.write(batch, deadline)
        rejects = [_unstorable(event, reason) for event, reason in self._writer.unstorable()]
        if rejects:
            self._metrics.count("tocsin_unstorable_rows_total", len(rejects), sink=self.name)
            rejects = [reject for reject in rejects if not self._holds(reject)]
            self._writer.write(Batch(rejects=rejects), deadline)

    def _holds(self, reject: Reject) -> bool:
        known = self._known.get((reject.log_id, reject.log_partition))
        return known is not None and (reject.log_offset, reject.log_index) in known.rejects

    def _missing(self, place: Place, rows: Batch) -> Batch:
        """The rows that the sink does not hold."""
        first, last = _range(rows)
        if place in self._doubtful:
            self._known[place] = self._writer.written(*place, first)
            self._doubtful.discard(place)
        known = self._known.get(place)
        if known is None:
            return rows
        while known.before is not None and known.before <= last:
            known = self._known[place] = _joined(known, self._writer.written(*place, known.before), first)
        missing = _without(rows, known)
        self._metrics.count("tocsin_rows_present_total", len(rows) - len(missing), sink=self.name)
        return missing

    def _failed(self, error: SinkUnavailable) -> None:
        pause = self.backoff.failed()
        log.warning("sink does not confirm", sink=self.name, error=error, again_in=round(pause, 2))
        self._metrics.count("tocsin_write_retries_total", sink=self.name)
        self._metrics.gauge("tocsin_sink_up", 0, sink=self.name)

    def _answered(self) -> None:
        if self.backoff.down:
            log.info("sink confirms again", sink=self.name, seconds=round(self.backoff.seconds, 1))
        self.backoff.answered()
        self._metrics.gauge("tocsin_sink_up", 1, sink=self.name)

    def _confirmed(self, parcel: Parcel, written: Batch, seconds: float) -> None:
        self._answered()
        for place, rows in parcel.rows.items():
            known = self._known.get(place)
            if known is not None and known.before is None and _highest(known) < _range(rows)[1]:
                del self._known[place]  # replay has passed everything that was stored
        metrics, name = self._metrics, self.name
        tables = (("events", written.events), ("alerts", written.alerts), ("rejects", written.rejects))
        for table, stored in tables:
            metrics.count("tocsin_rows_written_total", len(stored), sink=name, table=table)
        metrics.observe("tocsin_write_seconds", seconds, sink=name)
        now = time.time()
        for arrival in parcel.arrivals:
            metrics.observe("tocsin_row_delay_seconds", max(0.0, now - arrival), sink=name)
        for arrival in parcel.alerts:
            metrics.observe("tocsin_alert_delay_seconds", max(0.0, now - arrival), sink=name)


def _extend(rows: Batch, more: Batch) -> None:
    rows.events += more.events
    rows.signals += more.signals
    rows.alerts += more.alerts
    rows.rejects += more.rejects


def _range(rows: Batch) -> tuple[int, int]:
    """The first and the last offset; each table's rows stand in the order of the log."""
    tables: tuple[Sequence[Event | Alert | Reject], ...] = (rows.events, rows.alerts, rows.rejects)
    filled = [table for table in tables if table]
    return min(table[0].log_offset for table in filled), max(table[-1].log_offset for table in filled)


def _highest(known: Written) -> int:
    return max((offset for table in known[:3] for offset, _ in table), default=-1)


def _joined(known: Written, more: Written, first: int) -> Written:
    """Two answers as one; what lies below `first` will not be offered again."""
    if known.before is not None and known.before <= first:
        return more
    return Written(
        known.events | more.events, known.alerts | more.alerts, known.rejects | more.rejects, more.before
    )


def _without(rows: Batch, known: Written) -> Batch:
    pairs: list[tuple[Event, Signals]] = [
        (event, signals)
        for event, signals in zip(rows.events, rows.signals, strict=True)
        if (event.log_offset, event.log_index) not in known.events
    ]
    return Batch(
        [event for event, _ in pairs],
        [signals for _, signals in pairs],
        [row for row in rows.alerts if (row.log_offset, row.log_index) not in known.alerts],
        [row for row in rows.rejects if (row.log_offset, row.log_index) not in known.rejects],
    )


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
