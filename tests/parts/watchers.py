"""Small detectors, a lively seeded log and a chain of checkpoints in memory, for tests of the core."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec

from tocsin.contracts import About, Checkpoint, Detector, Saved
from tocsin.core import Instance, PartitionState, Plan, Unpacked, finish, step
from tocsin.model import Batch, Event, Finding, Message, Reject, Severity, Signals, ToolCall
from tocsin.settings import AssemblySettings, DetectorOptions, GroupSettings, HistorySettings

Items = Sequence[Event | Reject]


class Count(msgspec.Struct):
    events: int = 0


class Every(Detector[Count], frozen=True, kw_only=True):
    """Finds every n-th event of a user, ever more severe."""

    about: ClassVar[About] = About(
        "every", "the n-th event", "others", ("user",), ("LLM06:2026",), ("AML.T0034",)
    )
    state_type: ClassVar[type[Any]] = Count
    n: int = 3

    def key(self, event: Event) -> str | None:
        return event.user or None

    def start(self) -> Count:
        return Count()

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        state.events += 1
        if state.events % self.n:
            return None
        severity = Severity(min(5, state.events // self.n))
        return Finding(severity=severity, summary=f"event {state.events}", value=float(state.events))


class Fragile(Every, frozen=True, kw_only=True):
    """Counts like Every and breaks at an event whose error type is `boom`."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        state.events += 100
        if event.error_type == "boom":
            raise ZeroDivisionError("secret text of the input")
        state.events -= 100
        return super().observe(event, signals, state)


class Last(msgspec.Struct):
    at: float | None = None
    events: int = 0


class Silence(Detector[Last], frozen=True, kw_only=True):
    """Finds sessions that fall silent."""

    about: ClassVar[About] = About("silence", "an end", "the rest", ("session",))
    state_type: ClassVar[type[Any]] = Last
    seconds: float = 20.0

    def key(self, event: Event) -> str | None:
        return event.session or None

    def start(self) -> Last:
        return Last()

    def observe(self, event: Event, signals: Signals, state: Last) -> Finding | None:
        state.at, state.events = event.arrival, state.events + 1
        return None

    def due(self, state: Last) -> float | None:
        return None if state.at is None else state.at + self.seconds

    def wake(self, now: float, state: Last) -> Finding | None:
        began, state.at = state.at, None
        return Finding(severity=Severity.low, summary=f"silent after {state.events}", since=began)


def plan(**changes: Any) -> Plan:
    """Tight bounds, so that a short log meets every one of them."""
    tight = DetectorOptions(max_keys=16, cooldown_seconds=30.0, idle_seconds=200.0)
    settings: dict[str, Any] = {
        "instances": (
            Instance("every", "every", Every(), tight),
            Instance("fragile", "fragile", Fragile(n=2), tight),
            Instance("silence", "silence", Silence(), tight),
            Instance("each", "every", Every(n=1), DetectorOptions(max_keys=16, cooldown_seconds=0.0)),
        ),
        "groups": GroupSettings(max_groups=3, idle_seconds=100.0),
        "history": HistorySettings(conversations=16, messages=16, duplicates=16, idle_seconds=150.0),
        "assembly": AssemblySettings(hold_seconds=5.0, held=2),
    }
    return Plan(**settings | changes)


def lively(records: int, seed: int, *, clocked: bool = True) -> list[Unpacked]:
    """A log with many users, silences, halves, duplicates, compactions, rejects and failing detectors."""
    chance = random.Random(seed)
    now, made = 1.8e9, []
    earlier: list[Event] = []
    for offset in range(records):
        now += chance.choice((0.0, 0.1, 1.0, 1.0, 4.0, 7.0, 40.0 if chance.random() < 0.3 else 2.0))
        now += 300.0 if chance.random() < 0.01 else 0.0
        items = [_item(chance, now, earlier) for _ in range(chance.choice((0, 1, 1, 2, 5)))]
        arrival = now - chance.choice((0.0, 0.0, 3.0)) if clocked else None
        made.append(Unpacked(offset * 10, offset * 10 + 10, arrival, items, 100, offset < records // 10))
    return made


def _item(chance: random.Random, now: float, earlier: list[Event]) -> Event | Reject:
    if chance.random() < 0.04:
        return Reject(reason="invalid", detail="no", sample="xyz", size=3)
    if earlier and chance.random() < 0.08:
        return msgspec.structs.replace(chance.choice(earlier))
    user = f"u{int(40 * chance.random() ** 2)}"
    session = f"s-{user}-{chance.randrange(3)}"
    call = chance.randrange(12)
    half: Literal["", "span", "log"] = chance.choice(("", "", "", "span", "log"))
    event = Event(
        time=now + chance.choice((0.0, -5.0, 9e5, -9e5)),
        tenant=chance.choice(("t1", "t1", "t2")),
        application=f"app{int(6 * chance.random() ** 3)}",
        user=user,
        session=session if chance.random() < 0.9 else "",
        trace_id=f"t{chance.randrange(50)}",
        span_id=f"{chance.getrandbits(48):x}",
        error_type="boom" if chance.random() < 0.03 else "",
        input=tuple(_message(chance) for _ in range(chance.randrange(4))),
        output=tuple(_message(chance) for _ in range(chance.randrange(2))),
        compacted=chance.random() < 0.03,
        join=f"{session}-{call}" if half else "",
        half=half,
        input_tokens=chance.choice((None, 5, 7)),
    )
    if chance.random() < 0.2:
        earlier.append(msgspec.structs.replace(event))
    return event


def _message(chance: random.Random) -> Message:
    role: Literal["user", "assistant"] = chance.choice(("user", "assistant"))
    calls = (ToolCall("c1", "search", "{}"),) if chance.random() < 0.1 else ()
    return Message(role, f"words {chance.randrange(30)}", calls)


def copy(records: Sequence[Unpacked]) -> list[Unpacked]:
    """Records are consumed by a step; their events are copied for every run."""
    return [r._replace(items=[msgspec.structs.replace(item) for item in r.items]) for r in records]


class Store:
    """Checkpoints of one log, the needed chunks only."""

    def __init__(self) -> None:
        self.kept: dict[int, tuple[Checkpoint, list[bytes]]] = {}

    def save(self, state: PartitionState, *, confirm: bool = True) -> None:
        checkpoint, chunks = state.checkpoint(1)
        if confirm:
            self.kept[checkpoint.sequence] = checkpoint, chunks
            for sequence in [each for each in self.kept if each < checkpoint.base]:
                del self.kept[sequence]
            state.saved(checkpoint.sequence)

    def load(self, plan: Plan) -> tuple[PartitionState, list[str]]:
        checkpoint = self.kept[max(self.kept)][0]
        chunks = [chunk for sequence in sorted(self.kept) for chunk in self.kept[sequence][1]]
        return PartitionState.restore(plan, "log", 0, Saved(checkpoint, chunks))


def extend(batch: Batch, more: Batch) -> None:
    batch.events += more.events
    batch.signals += more.signals
    batch.alerts += more.alerts
    batch.rejects += more.rejects


def run(
    plan: Plan, records: Sequence[Unpacked], cuts: Sequence[int] = (), log: str = "log"
) -> tuple[Batch, PartitionState]:
    """All rows of a log, worked on in batches that end at `cuts`."""
    state, batch = PartitionState.fresh(plan, log, 0), Batch()
    records = copy(records)
    borders = [0, *sorted(cuts), len(records)]
    for start, end in zip(borders, borders[1:], strict=False):
        extend(batch, step(plan, state, records[start:end]))
    extend(batch, finish(plan, state))
    return batch, state


def rows(batch: Batch) -> bytes:
    """Every bit of a batch."""
    return msgspec.msgpack.encode(batch)
