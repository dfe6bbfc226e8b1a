"""What a worker without the embedded engine holds in memory with 100,000 active keys.

    python -m bench.memory [users]

Every user is an active key of each detector that looks at principals or sessions, in one application,
and has a conversation that is remembered. The libraries of a worker on Kafka and a server are loaded.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import clickhouse_connect
import kafka

from bench.core import real_plan
from bench.flood import memory
from tocsin.core import PartitionState, Unpacked, step
from tocsin.metrics import Metrics
from tocsin.model import Event, Message

PART = 256


def events(users: int, turns: int) -> Iterator[Event]:
    for turn in range(turns):
        for user in range(users):
            yield Event(
                application="assistant",
                tenant="default",
                user=f"user-{user:06}",
                session=f"session-{user:06}",
                agent="assistant",
                model=f"model-{user % 20}",
                input_tokens=100 + user % 50,
                output_tokens=50 + user % 30,
                duration_ms=400.0 + user % 100,
                input=(Message("user", f"question {turn} of {user}"),),
                output=(Message("assistant", f"answer {turn} to {user}"),),
            )


def main(users: int) -> dict[str, float]:
    """Megabytes before and after."""
    loaded = [module.__name__ for module in (kafka, clickhouse_connect)]
    assert loaded and Metrics()
    state = PartitionState.fresh(real_plan(), "bench", 0)
    before = memory()
    part: list[Event] = []
    offset = 0
    for event in events(users, 3):
        part.append(event)
        if len(part) == PART:
            step(state.plan, state, [Unpacked(offset, offset + 1, 1.8e9 + offset / 40, part, 100)])
            part, offset = [], offset + 1
            if offset % 40 == 0:
                checkpoint, _ = state.checkpoint(1)
                state.saved(checkpoint.sequence)
    keys = {count.section: count.keys for count in state.describe()}
    return {"before_mb": before, "after_mb": memory(), "users": users, **keys}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)))
