"""A detector on trial: driven as the engine drives it, over fresh copies of the same streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from tocsin.codec import Codec
from tocsin.contracts import Detector
from tocsin.history import Seen
from tocsin.model import Event, Finding, Signals
from tocsin.settings import ContentSettings, ReadingSettings
from tocsin.signals import read

ARRIVAL = 1_750_000_000.0
DAY = 86_400.0

Key = tuple[str, str, str]  # tenant, application, the detector's own
Read = Callable[[Event], Signals]


class BrokenPromise(AssertionError):
    """Something does not do what its contract says; `promise` is which, `detail` how."""

    def __init__(self, promise: str, detail: str) -> None:
        super().__init__(f"{promise}: {detail}")
        self.promise = promise
        self.detail = detail


def promised(kept: bool, detail: str, promise: str = "") -> None:
    """Raise BrokenPromise unless `kept`; without a name the running check's is used."""
    if not kept:
        raise BrokenPromise(promise, detail)


def closed_twice(close: Callable[[], None]) -> None:
    """Raise BrokenPromise where a second `close` raises."""
    try:
        close()
    except Exception as error:
        raise BrokenPromise("close is idempotent", f"closed again it raises {error!r}") from error


def dated(event: Event, number: int) -> Event:
    """The event with an arrival time and an id, if it had none."""
    arrival = event.arrival or event.time or ARRIVAL + number
    return replace(event, arrival=arrival, id=event.id or f"check.0.{number}.0")


def reading(event: Event) -> Signals:
    """What the read step says of an event all of whose messages are new."""
    seen = Seen(event, tuple(range(len(event.input))), tuple(range(len(event.output))))
    return read([seen], ContentSettings(), ReadingSettings())[0]


class Heard(NamedTuple):
    """A finding, by whom and when."""

    key: Key
    at: str  # the event's id, or the time of a timer
    finding: bytes


class Life:
    """A detector driven as the engine drives it: a state a key, inside groups, timers by arrival."""

    def __init__(self, detector: Detector[Any], read: Read = reading) -> None:
        self.detector = replace(detector)
        self.states: dict[Key, Any] = {}
        self.heard: list[Heard] = []
        self._read = read
        self._codec: Codec[Any] = Codec(detector.state_type)
        self._timed = type(detector).due is not Detector.due
        self._due: dict[Key, float] = {}

    def feed(self, events: Sequence[Event]) -> Life:
        for event in events:
            self.one(event)
        return self

    def one(self, event: Event) -> None:
        self.advance(event.arrival)
        name = self.detector.key(event)
        if name is None:
            return
        key = (event.tenant, event.application, name)
        state = self.states.get(key)
        if state is None:
            state = self.states[key] = self.detector.start()
        self._hear(key, event.id, self.detector.observe(event, self._read(event), state))

    def advance(self, clock: float) -> Life:
        """Wake every key that is due at `clock`, the earliest first."""
        wakes = 0
        while self._due:
            key, due = min(self._due.items(), key=lambda item: (item[1], item[0]))
            if due > clock:
                break
            wakes += 1
            self._hear(key, f"timer {due}", self.detector.wake(clock, self.states[key]))
            moves = self._due.get(key) != due and wakes < 100_000
            promised(moves, f"wake leaves `due` of {key[2]!r} at or before {clock}", "timers move on")
        return self

    def save(self) -> dict[Key, bytes]:
        try:
            return {key: self._codec.encode(state) for key, state in self.states.items()}
        except TypeError as error:
            raise BrokenPromise("state survives storage", str(error)) from error

    def restore(self, saved: Mapping[Key, bytes]) -> Life:
        self.states = {key: self._codec.decode(data) for key, data in saved.items()}
        for key in self.states:
            self._schedule(key)
        return self

    def _hear(self, key: Key, at: str, finding: Finding | None) -> None:
        self._schedule(key)
        if finding is not None:
            self.heard.append(Heard(key, at, msgspec.json.encode(finding)))

    def _schedule(self, key: Key) -> None:
        due = self.detector.due(self.states[key]) if self._timed else None
        if due is not None:
            self._due[key] = due
        else:
            self._due.pop(key, None)


class Trial:
    """A detector and the streams it is tried with; every look at a stream is a fresh copy."""

    def __init__(
        self, detector: Detector[Any], incident: Sequence[Event], benign: Sequence[Event], read: Read
    ) -> None:
        self.detector = detector
        self.read = read
        self._incident = [pack(dated(event, number)) for number, event in enumerate(incident)]
        self._benign = [pack(dated(event, number)) for number, event in enumerate(benign)]

    def incident(self) -> list[Event]:
        return [unpack(data) for data in self._incident]

    def benign(self) -> list[Event]:
        return [unpack(data) for data in self._benign]

    def life(self) -> Life:
        return Life(self.detector, self.read)

    def heard(self, events: Sequence[Event]) -> list[Heard]:
        """All that is said about a stream and in the day after it."""
        return self.life().feed(events).advance(end(events)).heard


pack = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder(Event).decode


def end(events: Sequence[Event]) -> float:
    return (events[-1].arrival if events else ARRIVAL) + DAY
