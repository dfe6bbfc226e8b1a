"""The events that everything is measured on: the simulator's, as native JSON, some 1.3 KB in the mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tocsin.simulator import Simulator, native

MEAN_BYTES = 1300


def lines(count: int, seed: int = 7) -> list[bytes]:
    """Events in order of time; of long conversations those are left out that would raise the mean."""
    chosen: list[bytes] = []
    total = 0
    for event in Simulator(seed=seed, duration_seconds=count, rate=4.0).events():
        line = native(event)
        if total + len(line) <= len(chosen) * MEAN_BYTES + 20 * MEAN_BYTES:
            chosen.append(line)
            total += len(line)
            if len(chosen) == count:
                break
    return chosen


def write(path: Path, values: Sequence[bytes]) -> None:
    """As a file of lines."""
    path.write_bytes(b"\n".join(values) + b"\n")


def around_time(line: bytes) -> tuple[bytes, bytes]:
    """What stands before and behind an event's time, so that another one can be put there."""
    time = json.dumps(json.loads(line)["time"]).encode()
    before, found, behind = line.partition(b'"time":' + time)
    assert found, "the time is written in another way"
    return before + b'"time":', behind
