"""Halves of one call find each other: span and log record, request and response."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import force_setattr

from tocsin.codec import Codec
from tocsin.history import split
from tocsin.model import Event, Signals
from tocsin.section import Section, short
from tocsin.settings import AssemblySettings

LEADERS = frozenset({"", "span", "response"})  # halves that know best how a call ended
TOLD_SECONDS = 600.0  # for which it is remembered that a call was told without its other half

# Decided by the log or by the first half to arrive, not by which half knows more.
_FIXED = frozenset(
    {"id", "log_id", "log_partition", "log_offset", "log_index", "arrival", "duplicate", "join", "half"}
    | {"source", "source_partition", "source_offset", "source_index", "source_format"}
    | {"tenant", "application", "kind", "time", "original_time", "invalid_fields", "attributes"}
)
_SHARED = tuple(
    (name, default)
    for name, default in zip(Event.__struct_fields__, Event.__struct_defaults__, strict=True)
    if name not in _FIXED
)


class Held(msgspec.Struct, gc=False):
    """A half that waits. Its text is redacted; digests say which of its messages were new."""

    event: Event
    signals: Signals
    digests: str = ""  # of all its messages, input before output


_CODEC: Codec[Held | None] = Codec(Held | None)
_MARK: Codec[bool] = Codec(bool)


def moved(data: bytes, log_id: str, number: int) -> bytes:
    """A saved half as one of another log partition, in which it will become a row. Raises StateUnreadable."""
    held = _CODEC.decode(data)
    if held:
        force_setattr(held.event, "log_id", log_id)
        force_setattr(held.event, "log_partition", number)
    return _CODEC.encode(held)


class Assembly:
    """The halves that one group holds, by join key, in order of arrival; and which calls were told."""

    __slots__ = ("_by_response", "held", "hold_seconds", "told")

    def __init__(self, settings: AssemblySettings) -> None:
        self.hold_seconds = settings.hold_seconds
        self.held: Section[Held | None] = Section(lambda: None, _CODEC, limit=settings.held)
        self.told: Section[bool] = Section(bool, _MARK, limit=settings.held, idle=TOLD_SECONDS)
        self._by_response: dict[str, dict[str, None]] = {}  # response id -> join keys; follows from `held`

    def restored(self) -> None:
        """Call once `held` was filled from a checkpoint."""
        for key, entry in self.held.items():
            self._index(key, entry.value)

    def flush(self) -> list[Held]:
        """All that wait, the oldest first; they are no longer held."""
        return [half for key in list(self.held) if (half := self.take(key))]

    def partner(self, half: Held) -> Held | None:
        """The waiting other half, taken out: by join key, else by response id."""
        event = half.event
        for key in (short(event.join), *self._by_response.get(event.response_id, ())):
            entry = self.held.get(key)
            if entry and entry.value and entry.value.event.half != event.half:
                return self.take(key)
        return None

    def tell(self, event: Event, clock: float) -> None:
        """The call goes on: a half of it that comes from now on tells nothing new."""
        self.told.touch(short(event.join), clock)

    def was_told(self, event: Event) -> bool:
        """Whether the call that this half belongs to has gone on already.

        A request begins a new one: ids on a connection are used again.
        """
        return event.half != "request" and self.told.get(short(event.join)) is not None

    def hold(self, half: Held, clock: float) -> tuple[str, list[Held]]:
        """Keeps a half under the key it returns, with those that must go on alone to make room."""
        key = short(half.event.join)
        crowded = [self.take(key)]  # the same half once more
        while self.held.full:
            oldest = self.held.pop()
            crowded.append(self._release(oldest.key, oldest.value))
        self.held.touch(key, clock).value = half
        self._index(key, half)
        return key, [held for held in crowded if held]

    def take(self, key: str) -> Held | None:
        """The half under a key, which is no longer held then."""
        entry = self.held.get(key)
        self.held.remove(key)
        return self._release(key, entry.value) if entry else None

    def _index(self, key: str, held: Held | None) -> None:
        if held and held.event.response_id:
            self._by_response.setdefault(held.event.response_id, {})[key] = None

    def _release(self, key: str, held: Held | None) -> Held | None:
        if held and held.event.response_id:
            keys = self._by_response[held.event.response_id]
            del keys[key]
            if not keys:
                del self._by_response[held.event.response_id]
        return held


def merge(first: Held, second: Held) -> tuple[Event, Signals]:
    """One event from two halves; it keeps identity and source of the first to arrive.

    What only one half knows is taken from it; where both know, the leading half is right.
    """
    lead, other = (second, first) if _leads(second, first) else (first, second)
    signals = _merge_signals(lead, other)
    _merge_events(first.event, lead.event, other.event)
    return first.event, signals


def _leads(half: Held, other: Held) -> bool:
    return half.event.half in LEADERS and other.event.half not in LEADERS


def _merge_events(into: Event, lead: Event, other: Event) -> None:
    merged: dict[str, Any] = {
        "kind": lead.kind,
        "time": lead.time,
        "original_time": lead.original_time,
        "invalid_fields": tuple(dict.fromkeys(lead.invalid_fields + other.invalid_fields)),
        "attributes": {**other.attributes, **lead.attributes},
    }
    for name, default in _SHARED:
        value = getattr(lead, name)
        merged[name] = value if value != default else getattr(other, name)
    if other.half == "request":
        merged |= _asked(other, lead)
    for name, value in merged.items():
        force_setattr(into, name, value)


def _asked(request: Event, answer: Event) -> dict[str, Any]:
    """What the request of a pair knows best: what was wanted, and since when."""
    known: dict[str, Any] = {name: getattr(request, name) for name in ("kind", "time", "original_time")}
    if request.operation:
        known["operation"] = request.operation
    if request.duration_ms is None and answer.duration_ms is None and answer.time > request.time > 0:
        known["duration_ms"] = round((answer.time - request.time) * 1e3, 3)
    return known


def _merge_signals(lead: Held, other: Held) -> Signals:
    """Flags and scores of both; lengths and indexes of the half whose messages are kept."""
    signals = Signals(
        **{
            name: _stronger(getattr(lead.signals, name), getattr(other.signals, name))
            for name in Signals.__struct_fields__
        }
    )
    fresh = _fresh(lead) | _fresh(other)
    speaker = lead if lead.event.input else other
    inputs, _ = _digests(speaker)
    signals.new_input = tuple([at for at, digest in enumerate(inputs) if digest in fresh])
    signals.input_length = speaker.signals.input_length
    speaker = lead if lead.event.output else other
    _, outputs = _digests(speaker)
    signals.new_output = tuple([at for at, digest in enumerate(outputs) if digest in fresh])
    signals.output_length = speaker.signals.output_length
    return signals


def _stronger(one: Any, other: Any) -> Any:
    if isinstance(one, int | float) and one and other:
        return max(one, other)
    return one or other


def _fresh(half: Held) -> set[str]:
    """Digests of messages that were new when this half arrived."""
    inputs, outputs = _digests(half)
    return {inputs[at] for at in half.signals.new_input} | {outputs[at] for at in half.signals.new_output}


def _digests(half: Held) -> tuple[list[str], list[str]]:
    digests, border = split(half.digests), len(half.event.input)
    return digests[:border], digests[border:]
