"""What every detector, source, sink and store promises, as checks that anyone can run on theirs.

    check_detector(Night(), incident=read_events(path), benign=read_events(other))
    check_source(source, values)   check_sink(sink)   check_store(open_store)

A check raises BrokenPromise, which names the promise. The kit itself is tested with detectors, sources
and sinks that are wrong on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tocsin.contracts import Detector
from tocsin.memory import (
    Crash,
    Fault,
    MemoryLog,
    MemoryReader,
    MemoryShelf,
    MemorySink,
    MemorySource,
    MemoryStore,
    MemoryTables,
    MemoryWriter,
)
from tocsin.model import Event
from tocsin.testing.detector import CHECKS, ONCE
from tocsin.testing.sink import check_sink, missing
from tocsin.testing.source import check_source
from tocsin.testing.store import check_store
from tocsin.testing.trial import BrokenPromise, Life, Read, Trial, dated, reading

__all__ = [
    "CHECKS",
    "BrokenPromise",
    "Crash",
    "Fault",
    "Life",
    "MemoryLog",
    "MemoryReader",
    "MemoryShelf",
    "MemorySink",
    "MemorySource",
    "MemoryStore",
    "MemoryTables",
    "MemoryWriter",
    "Trial",
    "check_detector",
    "check_sink",
    "check_source",
    "check_store",
    "missing",
    "read_events",
]


def read_events(path: Path) -> list[Event]:
    """A golden stream: one event in native JSON a line, in order of arrival, which is its `time`."""
    lines = path.read_bytes().splitlines()
    events = (msgspec.json.decode(line, type=Event) for line in lines if line.strip())
    return [dated(event, number) for number, event in enumerate(events)]


def check_detector(
    detector: Detector[Any],
    incident: Sequence[Event],
    benign: Sequence[Event] = (),
    *,
    read: Read = reading,
    skip: Sequence[str] = (),
) -> None:
    """Raise BrokenPromise unless the detector keeps every promise of the contract.

    `incident` is a stream about which the detector, set as it is, says something, and `benign` its
    harmless twin. All other promises are checked for its `examples()` too. `read` makes the signals
    of an event; `skip` names checks of CHECKS that do not apply.
    """
    examples = [each for each in type(detector).examples() if each != detector]
    trials = [Trial(each, incident, benign, read) for each in (detector, *examples)]
    for name in CHECKS:
        for trial in trials[:1] if name in ONCE else trials:
            if name not in skip:
                _run(name, trial)


def _run(name: str, trial: Trial) -> None:
    try:
        CHECKS[name](trial)
    except BrokenPromise as broken:
        raise BrokenPromise(broken.promise or name, f"{broken.detail} [{trial.detector!r}]") from broken
    except Exception as error:
        raise BrokenPromise(name, f"raised {error!r} [{trial.detector!r}]") from error
