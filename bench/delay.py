"""Detection delay: from the time an event was sent to Kafka to the moment its alert row is stored.

    python -m bench.delay CONFIG SECONDS

Runs the pipeline of CONFIG with one more detector, which finds every event of the user `marked`. The time
it was sent is the event's own time. Prints the delays' percentiles in milliseconds.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from tocsin import config, logs, pipeline
from tocsin.contracts import About, Detector, Sink, Writer, Written
from tocsin.model import Batch, Event, Finding, Severity, Signals
from tocsin.plan import Instance
from tocsin.settings import DetectorOptions

MARKED = "marked"
WARM_SECONDS = 12.0  # until the parts have found each other and what waited is worked off


class Nothing(msgspec.Struct):
    pass


class Marked(Detector[Nothing], frozen=True, kw_only=True):
    """Finds every event of one user."""

    about: ClassVar[About] = About("marked", "marked events", "all others", ("user", "time"))
    state_type: ClassVar[type[Any]] = Nothing

    def key(self, event: Event) -> str | None:
        return MARKED if event.user == MARKED else None

    def start(self) -> Nothing:
        return Nothing()

    def observe(self, event: Event, signals: Signals, state: Nothing) -> Finding | None:
        return Finding(severity=Severity.low, summary="marked", evidence={"sent": event.time})


class Stopwatch(Sink, frozen=True, kw_only=True):
    """Notes when alerts of `sink` are durable."""

    sink: Sink
    delays: list[float]

    def open(self) -> Writer:
        return StopwatchWriter(self.sink.open(), self.delays)


class StopwatchWriter(Writer):
    def __init__(self, writer: Writer, delays: list[float]) -> None:
        self._writer = writer
        self._delays = delays
        self._warm = time.time() + WARM_SECONDS

    def write(self, batch: Batch, deadline: float) -> None:
        self._writer.write(batch, deadline)
        now = time.time()
        for alert in batch.alerts:
            if alert.detector == MARKED and now > self._warm:
                self._delays.append(now - float(alert.evidence["sent"]))

    def written(self, log_id: str, log_partition: int, from_offset: int) -> Written:
        return self._writer.written(log_id, log_partition, from_offset)

    def aggregate(self, log_id: str, log_partition: int, minutes: Any, version: int) -> None:
        self._writer.aggregate(log_id, log_partition, minutes, version)

    def close(self) -> None:
        self._writer.close()


def main(path: Path, seconds: float) -> dict[str, float]:
    """Run for so long, and say what was seen."""
    logs.setup("json", "error")
    settings = config.load(path)
    marked = Instance(MARKED, MARKED, Marked(), DetectorOptions(cooldown_seconds=0.0))
    delays: list[float] = []
    settings = replace(
        settings,
        instances=(*settings.instances, marked),
        sinks={name: Stopwatch(sink=sink, delays=delays) for name, sink in settings.sinks.items()},
    )
    stop = threading.Event()
    threading.Timer(seconds, stop.set).start()
    pipeline.build(settings).run(stop)
    delays.sort()
    figures = {f"p{p}_ms": delays[min(len(delays) - 1, len(delays) * p // 100)] * 1e3 for p in (50, 95, 99)}
    return {"alerts": len(delays), **figures}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), float(sys.argv[2]))))
