"""Invented keys against one keyed section: what they cost in memory, and how many honest keys stay.

    python bench/flood.py [limit] [honest] [invented]

Prints one JSON object. Every honest user is seen twice; then invented keys come alone, which is harder than
any mix. `honest_mb` is what the honest keys cost with a state of about 100 bytes each.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from time import process_time
from typing import Any, ClassVar

import msgspec

from tocsin.contracts import About, Detector
from tocsin.core import Instance, PartitionState, Plan, Unpacked, step
from tocsin.model import Event, Finding, Signals
from tocsin.settings import DetectorOptions

PART = 256  # events a step
RATE = 10_000  # events a second of arrival time


class Baseline(msgspec.Struct, gc=False):
    events: int = 0
    mean: float = 0.0
    variance: float = 0.0


class Usual(Detector[Baseline], frozen=True, kw_only=True):
    """Learns how long a user's events are apart, and says nothing."""

    about: ClassVar[About] = About("usual", "nothing", "everything", ("user",))
    state_type: ClassVar[type[Any]] = Baseline

    def key(self, event: Event) -> str | None:
        return event.user or None

    def start(self) -> Baseline:
        return Baseline()

    def observe(self, event: Event, signals: Signals, state: Baseline) -> Finding | None:
        state.events += 1
        state.mean += 0.1 * (event.arrival - state.mean)
        state.variance += 0.1 * (event.arrival - state.variance)
        return None


def memory() -> float:
    """Resident megabytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def records(name: str, count: int, first: int) -> Iterator[Unpacked]:
    for start in range(0, count, PART):
        events = [Event(user=f"{name}-{number:09}") for number in range(start, min(start + PART, count))]
        offset = first + start
        yield Unpacked(offset, offset + PART, 1.8e9 + offset / RATE, events, 100)


def feed(plan: Plan, state: PartitionState, log: Iterable[Unpacked]) -> None:
    """With a checkpoint now and then, as the worker makes them."""
    for number, record in enumerate(log):
        step(plan, state, [record])
        if number % 40 == 39:
            checkpoint, _ = state.checkpoint(1)
            state.saved(checkpoint.sequence)


def main() -> None:
    given = [int(word) for word in sys.argv[1:]]
    limit, honest, invented = given or (100_000, 70_000, 10_000_000)
    plan = Plan(instances=(Instance("usual", "usual", Usual(), DetectorOptions(max_keys=limit)),))
    state = PartitionState.fresh(plan, "log", 0)
    step(plan, PartitionState.fresh(plan, "log", 1), [*records("first", 1, 0)])  # loads the patterns
    marks = [memory()]
    start = process_time()
    parts = (records("honest-user", honest, 0), records("honest-user", honest, honest))
    feed(plan, state, chain(*parts))
    marks.append(memory())
    feed(plan, state, records("invented-user", invented, 2 * honest))
    seconds = process_time() - start
    marks.append(memory())
    section = next(iter(state.groups)).watches[0].section
    kept = sum(section.get(f"honest-user-{number:09}") is not None for number in range(honest))
    print(
        json.dumps(
            {
                "honest_mb": round(marks[1] - marks[0], 1),
                "flood_mb": round(marks[2] - marks[1], 1),
                "kept": kept / honest,
                "keys": len(section),
                "us_per_event": round(seconds / (2 * honest + invented) * 1e6, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
