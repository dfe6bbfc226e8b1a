"""What the built-in detectors cost: CPU an event, bytes a key. `python bench/detector_cost.py`"""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from detectors import BUILTIN
from tocsin.codec import Codec
from tocsin.contracts import Detector
from tocsin.model import Event, Kind, Signals, Status
from tocsin.registry import DETECTORS, load

EVENTS = 200_000
RATE = 2000.0  # events a second on the arrival clock


def traffic(users: int, *, seed: int = 1) -> list[Event]:
    """Two LLM calls to one tool call, users by Zipf's law, twenty agents, three models."""
    random = Random(seed)
    names = random.choices(range(users), [1 / (rank + 1) for rank in range(users)], k=EVENTS)
    return [_event(random, number, user) for number, user in enumerate(names)]


def _event(random: Random, number: int, user: int) -> Event:
    status: Status = "error" if random.random() < 0.02 else "ok"
    kind: Kind = "tool" if number % 3 == 0 else "llm"
    at = 1_750_000_000.0 + number / RATE
    who: dict[str, Any] = {
        "user": f"u{user}",
        "session": f"s{user}-{number // 50_000}",
        "agent": f"a{user % 20}",
    }
    if kind == "tool":
        tool = f"tool{random.randrange(12)}"
        return Event(kind=kind, arrival=at, status=status, tool_name=tool, tool_server="s", **who)
    tokens = int(random.lognormvariate(6, 1)), int(random.lognormvariate(5, 1))
    return Event(
        kind=kind,
        arrival=at,
        status=status,
        application="app",
        model=f"m{user % 3}",
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        duration_ms=random.lognormvariate(7, 0.5),
        **who,
    )


def cost(detector: Detector[Any], events: list[Event]) -> tuple[float, float, dict[str, Any]]:
    """Microseconds of `key` and of `observe` an event of the mix, and the states."""
    states: dict[str, Any] = {}
    key, observe, start = detector.key, detector.observe, detector.start
    begun = time.process_time()
    keys = [key(event) for event in events]
    keyed = time.process_time() - begun
    signals = Signals()
    for name in keys:
        if name is not None and name not in states:
            states[name] = start()
    pairs = [(event, states[name]) for event, name in zip(events, keys, strict=True) if name is not None]
    gc.disable()
    begun = time.process_time()
    for event, state in pairs:
        observe(event, signals, state)
    observed = time.process_time() - begun
    gc.enable()
    return keyed / len(events) * 1e6, observed / len(events) * 1e6, states


def _bytes(detector: Detector[Any], states: dict[str, Any]) -> tuple[float, float]:
    """In memory (as copies, which share no numbers; without what Rust holds), and stored."""
    codec: Codec[Any] = Codec(detector.state_type)
    stored = [codec.encode(state) for state in states.values()]
    tracemalloc.start()
    copies = [codec.decode(data) for data in stored]
    size = tracemalloc.get_traced_memory()[0] - sys.getsizeof(copies)
    tracemalloc.stop()
    return size / len(copies), sum(map(len, stored)) / len(stored)


def main() -> None:
    print(f"{EVENTS} events, two LLM calls to one tool call; the best of three rounds")
    head = ("detector", "users", "keys", "key us", "observe us", "memory B/key", "stored B/key")
    print(("{:<18}" + "{:>13}" * 6).format(*head))
    for users in (400, 100_000):
        events = traffic(users)
        for name in BUILTIN:
            detector = load(DETECTORS, name)()
            rounds = [cost(detector, events) for _ in range(3)]
            keyed, observed = min(each[0] for each in rounds), min(each[1] for each in rounds)
            memory, stored = _bytes(detector, states := rounds[0][2])
            row = (name, users, len(states), keyed, observed, memory, stored)
            print("{:<18}{:>13}{:>13}{:>13.2f}{:>13.2f}{:>13.0f}{:>13.0f}".format(*row))


if __name__ == "__main__":
    main()
