"""How much Python the core runs for an event: bytecode instructions and calls, by function.

    python -m bench.opcodes [events] [real|all]

Counts are the same on every machine and under any load, so they tell whether a change helps where times
are too noisy. They say nothing of what compiled code costs: bench/core.py does.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from bench import traffic
from bench.core import PLANS
from tocsin.core import PartitionState, Unpacked, step
from tocsin.model import Event

BATCH = 256
WARM = 2  # batches that pass before it counts
SHOWN = 30


class Count:
    """A trace function that counts."""

    def __init__(self) -> None:
        self.instructions: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    def __call__(self, frame: FrameType, what: str, argument: Any) -> Any:
        name = f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_qualname}"
        self.calls[name] += 1
        frame.f_trace_opcodes, frame.f_trace_lines = True, False

        def inside(frame: FrameType, what: str, argument: Any) -> Any:
            self.instructions[name] += what == "opcode"
            return inside

        return inside


def main(events: int, plan: str) -> None:
    decode = msgspec.json.Decoder(Event).decode
    records = [
        Unpacked(at, at + 1, None, [decode(line)], len(line)) for at, line in enumerate(traffic.lines(events))
    ]
    chosen = PLANS[plan]()
    state, count = PartitionState.fresh(chosen, "bench", 0), Count()
    for at in range(0, events, BATCH):
        sys.settrace(count if at >= WARM * BATCH else None)
        step(chosen, state, records[at : at + BATCH])
    sys.settrace(None)
    counted = events - WARM * BATCH
    each, calls = (sum(some.values()) / counted for some in (count.instructions, count.calls))
    print(f"{each:,.0f} instructions, {calls:.0f} calls an event")
    for name, number in count.instructions.most_common(SHOWN):
        print(f"{number / counted:8.1f} {count.calls[name] / counted:6.2f}  {name}")


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["2304"])[0]), (sys.argv[2:] or ["real"])[0])
