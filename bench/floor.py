"""The floor of a path: everything that a worker does with its records, without the engine."""

from __future__ import annotations

import time
from collections.abc import Sequence

from msgspec.structs import force_setattr

from tocsin.model import Batch, Event, Reject, Signals
from tocsin.plan import Plan
from tocsin.settings import EngineSettings, QuarantineSettings
from tocsin.worker import Ports, Stop, Watchers


class Floor:
    """Polls, unpacks and inserts; keeps no state, detects nothing, saves no checkpoint."""

    def __init__(
        self,
        plan: Plan,
        ports: Ports,
        watchers: Watchers,
        settings: EngineSettings,
        quarantine: QuarantineSettings | None,
    ) -> None:
        self._ports = ports
        self._metrics = watchers.metrics
        self._settings = settings

    def run(self, stop: Stop) -> None:
        batch, since = Batch(), time.monotonic()
        reader = self._ports.reader
        while not stop.is_set():
            for partition in reader.changes().assigned:
                reader.seek(partition, None)
            for record in reader.poll(0.02):
                self._take(record.offset, self._ports.unpack(record).items, batch)
            due = time.monotonic() - since >= self._settings.linger_ms / 1000
            if len(batch.events) >= self._settings.batch_rows or (due and batch.events) or reader.ended():
                batch, since = self._write(batch), time.monotonic()
            if reader.ended():
                break

    def _take(self, offset: int, items: Sequence[Event | Reject], batch: Batch) -> None:
        for index, item in enumerate(items):
            if isinstance(item, Event):
                force_setattr(item, "log_offset", offset)
                force_setattr(item, "log_index", index)
                force_setattr(item, "arrival", item.time)
                force_setattr(item, "input", ())
                force_setattr(item, "output", ())
                batch.events.append(item)
                batch.signals.append(_NOTHING)
            elif isinstance(item, Reject):
                batch.rejects.append(item)

    def _write(self, batch: Batch) -> Batch:
        for name, writer in self._ports.writers.items():
            writer.write(batch, time.monotonic() + 60)
            self._metrics.count("tocsin_rows_written_total", len(batch.events), sink=name, table="events")
        self._metrics.count("tocsin_events_total", len(batch.events), format="floor")
        return Batch()

    def resume(self) -> None:
        """There is no limiter."""

    def close(self) -> None:
        for writer in self._ports.writers.values():
            writer.close()
        self._ports.reader.close()
        self._ports.store.close()


_NOTHING = Signals()
