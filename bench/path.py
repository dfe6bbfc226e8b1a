"""One run of a whole path in a process of its own: CPU per event between its first and its last row.

python -m bench.path CONFIG floor|full EVENTS
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from bench.floor import Floor
from bench.peak import peak
from tocsin import config, logs, pipeline
from tocsin.pipeline import Passed

WARM = 0.15  # share of the events that pass before the clock starts
LONGEST = 300.0


class Meter:
    """Looks at how far a pipeline is, and stops it when it is through."""

    def __init__(self, events: int, stop: threading.Event) -> None:
        self._events = events
        self._stop = stop
        self._began = time.monotonic()
        self.first: tuple[float, float, float] | None = None
        self.last: tuple[float, float, float] | None = None

    def look(self, passed: Passed) -> None:
        now = (passed.events, time.process_time(), time.monotonic())
        if self.first is None and passed.events >= WARM * self._events:
            self.first = now
        self.last = now
        if passed.events >= self._events or time.monotonic() - self._began > LONGEST:
            self._stop.set()


def main(path: Path, mode: str, events: int) -> dict[str, Any]:
    """Events per second of CPU and of the clock, and the peak of memory."""
    logs.setup("json", "error")
    stop = threading.Event()
    if mode == "floor":
        setattr(pipeline, "Worker", Floor)  # noqa: B010 - a name that pipeline does not export
    built = pipeline.build(config.load(path))
    meter = Meter(events, stop)
    built.run(stop, meter.look)
    assert meter.first and meter.last, "too few events passed"
    done, cpu, clock = (b - a for a, b in zip(meter.first, meter.last, strict=True))
    return {
        "events": int(meter.last[0]),
        "us_of_cpu": cpu / done * 1e6,
        "events_per_cpu_second": done / cpu,
        "events_per_second": done / clock,
        "peak_mb": peak(),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
