"""CPU seconds as they would be on the machines on which the bounds of the tests were set.

An absolute bound fails on a slower or busier machine, so each measurement stands between two runs of a fixed
work, whose time here and now, over its time there, says by how much this machine is slower at the moment.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import orjson

REFERENCE_SECONDS = 0.0044  # of `work` on an otherwise idle core of those machines
TIMES = 3

_DOCUMENT = orjson.dumps([{"key": f"k{n}", "value": {"stringValue": "v" * (n % 50)}} for n in range(2_000)])


def seconds(act: Callable[[], object], times: int = TIMES) -> float:
    """The least CPU seconds that `act` took in this thread, as on the machines of the bounds."""
    return scaled(lambda: timed(act), times)


def scaled(measure: Callable[[], float], times: int = TIMES) -> float:
    """The least of what `measure` says, which is CPU seconds, as on the machines of the bounds."""
    before, found = slowness(), []
    for _ in range(times):
        measured, after = measure(), slowness()
        found.append(measured / max(before, after))
        before = after
    return min(found)


def slowness() -> float:
    """How many times slower this machine is right now; at least 1."""
    return max(1.0, min(timed(work) for _ in range(3)) / REFERENCE_SECONDS)


def timed(act: Callable[[], object]) -> float:
    """CPU seconds here and now; collections of garbage skip what the suite left in memory before."""
    gc.freeze()
    try:
        started = time.thread_time()
        act()
        return time.thread_time() - started
    finally:
        gc.unfreeze()


def work() -> int:
    """What decoders do: a parse, a walk, names looked up, texts cut and joined."""
    found: dict[str, str] = {}
    for _ in range(3):
        for pair in orjson.loads(_DOCUMENT):
            value = pair["value"]
            if type(value) is dict and isinstance(text := value.get("stringValue"), str):
                found[pair["key"]] = "".join((text[:20], ":", str(len(text))))
    return sum(map(len, found.values()))
