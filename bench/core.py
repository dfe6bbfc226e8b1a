"""What each step of the core costs, in microseconds of CPU an event, on synthetic events of 1.3 KB.

python bench/core.py [events] [plain|real|all]

`plain`: detectors that do next to nothing; `real`: those of rates and levels; `all`: every built-in one. Only
the last reads texts: what that costs is measured by bench/reading.py.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from time import process_time
from typing import Any, ClassVar, Literal

import msgspec
from msgspec.structs import replace

from bench.libraries import calls
from bench.libraries import costs as libraries
from tocsin import core
from tocsin.contracts import About, Detector
from tocsin.core import Instance, PartitionState, Plan, Unpacked
from tocsin.model import Batch, Event, Finding, Message, Signals
from tocsin.settings import ContentSettings, ReadingSettings

SYLLABLES = tuple("".join(pair) for pair in product("bdfklmnprst", ("a", "e", "in", "o", "ur")))
MODES: tuple[Literal["features", "excerpt"], ...] = ("features", "excerpt")
REAL = ("probing_rate", "drift", "first_seen_tool", "error_burst")
FRAME = 64  # events a record, as in the exchange
BATCH = 256  # events decoded at a time: more do not stay in a cache
ROUNDS = 3
CHECKPOINT = 400  # batches, some 100,000 events: two seconds at 50,000 events/s


class Tally(msgspec.Struct, gc=False):
    events: int = 0
    mean: float = 0.0


class Trivial(Detector[Tally], frozen=True, kw_only=True):
    """Counts the events of a user."""

    about: ClassVar[About] = About("trivial", "nothing", "everything", ("user",))
    state_type: ClassVar[type[Any]] = Tally
    field: str = "user"

    def key(self, event: Event) -> str | None:
        return getattr(event, self.field) or None

    def start(self) -> Tally:
        return Tally()

    def observe(self, event: Event, signals: Signals, state: Tally) -> Finding | None:
        state.events += 1
        state.mean += 0.1 * (signals.input_length - state.mean)
        return None


def wire_events(count: int, seed: int = 7) -> list[bytes]:
    """Conversations of six calls by twenty thousand users; an event repeats up to two messages and adds
    a question and an answer: two to four messages, some 1.3 KB of JSON."""
    chance = random.Random(seed)
    words = ["".join(pair) for pair in product(SYLLABLES, repeat=2)]
    encode = msgspec.json.Encoder().encode
    calls: dict[str, int] = {}
    spoken: dict[str, tuple[Message, ...]] = {}

    def say(role: Literal["user", "assistant"]) -> Message:
        return Message(role, " ".join(chance.choices(words, k=38)))

    made = []
    for number in range(count):
        person = int(20_000 * chance.random() ** 2.5)
        user = f"user-{person}"
        turn = calls[user] = calls.get(user, -1) + 1
        before = spoken.get(user, ()) if turn % 6 else ()
        question, answer = say("user"), say("assistant")
        spoken[user] = (question, answer)
        event = Event(
            time=1.8e9 + number / 2000,
            application=f"app-{person % 4}",
            service="assistant",
            environment="production",
            agent=f"agent-{person % 8}",
            session=f"session-{user}-{turn // 6}",
            user=user,
            trace_id=f"{chance.getrandbits(128):032x}",
            span_id=f"{chance.getrandbits(64):016x}",
            parent_span_id=f"{chance.getrandbits(64):016x}",
            operation="chat",
            provider="openai",
            model="gpt-5-mini",
            response_model="gpt-5-mini-2026-08-07",
            response_id=f"chatcmpl-{chance.getrandbits(96):024x}",
            duration_ms=chance.lognormvariate(6, 1),
            input_tokens=chance.randrange(2000),
            output_tokens=chance.randrange(600),
            finish_reason="stop",
            input=(*before, question),
            output=(answer,),
            content_available=True,
        )
        made.append(encode(event))
    return made


def frames(events: Sequence[Event]) -> list[Unpacked]:
    return [
        Unpacked(at, at + 1, 1.8e9 + at / 2000, events[at : at + FRAME], 1300 * FRAME)
        for at in range(0, len(events), FRAME)
    ]


def timed(work: Callable[[], Any], events: int) -> float:
    """Microseconds of CPU an event."""
    start = process_time()
    work()
    return (process_time() - start) / events * 1e6


def whole(plan: Plan, wire: list[bytes]) -> dict[str, float]:
    """Decode and core over everything, in steps of BATCH, with a checkpoint now and then."""
    state = PartitionState.fresh(plan, "bench", 0)
    decode = msgspec.json.Decoder(Event).decode
    cost = dict.fromkeys(("decode", "core", "checkpoint"), 0.0)
    for turn, at in enumerate(range(0, len(wire), BATCH)):
        start = process_time()
        events = [decode(value) for value in wire[at : at + BATCH]]
        decoded = process_time()
        core.step(
            plan, state, [unpacked._replace(offset=at + unpacked.offset) for unpacked in frames(events)]
        )
        stepped = process_time()
        if turn % CHECKPOINT == CHECKPOINT - 1:
            checkpoint, _ = state.checkpoint(1)
            state.saved(checkpoint.sequence)
        cost["decode"] += decoded - start
        cost["core"] += stepped - decoded
        cost["checkpoint"] += process_time() - stepped
    return {name: seconds / len(wire) * 1e6 for name, seconds in cost.items()}


def steps(plan: Plan, wire: list[bytes]) -> dict[str, float]:
    """The passes of one big batch, each on its own."""
    state = PartitionState.fresh(plan, "bench", 0)
    decode = msgspec.json.Decoder(Event).decode
    events = [decode(value) for value in wire]
    works = [core.Work(record, record.items) for record in frames(events)]
    came: list[core.Came] = []
    parts: list[core.Part] = []
    state.redaction.event(Event(error_message="patterns are compiled before the clock starts"))

    def release() -> None:
        released = core._Release(state, Batch())
        for work in works:
            released.run(work, parts[0])

    return {
        "admit, stamp, history": timed(lambda: came.append(core._first_pass(state, works)), len(wire)),
        "read, redact": timed(lambda: parts.append(core._second_pass(state, came[0])), len(wire)),
        "assemble, detect, book, rows": timed(release, len(wire)),
    }


def plain_plan(detectors: int) -> Plan:
    fields = ("user", "model", "agent", "session")
    instances = [Instance(f"trivial{n}", "trivial", Trivial(field=fields[n % 4])) for n in range(detectors)]
    return Plan(instances=tuple(instances), reading=ReadingSettings(enabled=False))


def real_plan(names: Sequence[str] = REAL, *, reading: bool = False) -> Plan:
    """Built-in detectors; all where no names are given."""
    from detectors import BUILTIN
    from tocsin.registry import resolve

    instances = [Instance(name, name, resolve(BUILTIN[name])()) for name in names or BUILTIN]
    return Plan(instances=tuple(instances), reading=ReadingSettings(enabled=reading))


PLANS: Mapping[str, Callable[[], Plan]] = {
    "plain": lambda: plain_plan(4),
    "real": real_plan,
    "all": lambda: real_plan((), reading=True),
}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    plan = PLANS[sys.argv[2] if len(sys.argv) > 2 else "plain"]()
    wire = wire_events(count)
    print(f"{count:,} events of {sum(map(len, wire)) / count:,.0f} bytes, {len(plan.instances)} detectors")
    for name, figure in steps(plan, wire).items():
        print(f"  {name:32s} {figure:6.2f} us")
    for mode in MODES:
        kept = replace(plan, content=ContentSettings(mode=mode))
        made = calls(kept, [wire[at : at + BATCH] for at in range(0, count, BATCH)])
        runs = [(whole(kept, wire), libraries(made)) for _ in range(ROUNDS)]
        ours, theirs = (min(cost, key=lambda each: sum(each.values())) for cost in zip(*runs, strict=True))
        total, least = sum(ours.values()), sum(theirs.values())
        print(f"  {mode}: {_listed(ours)}, together {total:.2f} us: {1e6 / total:,.0f} events/s per core")
        print(
            f"    libraries alone: {_listed(theirs)}, together {least:.2f} us: {total / least:.1f} times that"
        )


def _listed(cost: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {figure:.2f}" for name, figure in cost.items())


if __name__ == "__main__":
    main()
