"""Two events that tell of one call become one: what only one knows is taken from it."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import msgspec
from msgspec.structs import force_setattr, replace

from tocsin.history import SIZE, split
from tocsin.model import Event, Message, Signals, TextSignal
from tocsin.report import TOLD, Report, encloses, lack, report, streamed

LEADERS = frozenset({"", "span", "response"})  # halves that know best how a call ended

# Decided by the log or by the first to arrive, not by which of both knows more.
_FIXED = frozenset(
    {"id", "log_id", "log_partition", "log_offset", "log_index", "arrival", "duplicate", "join", "half"}
    | {"source", "source_partition", "source_offset", "source_index", "source_format"}
    | {"tenant", "application", "kind", "time", "original_time", "invalid_fields", "attributes"}
    | {"input", "output"}
)
_SHARED = tuple(
    (name, default)
    for name, default in zip(Event.__struct_fields__, Event.__struct_defaults__, strict=True)
    if name not in _FIXED
)
_PLACES = ("input", "output", "arguments", "result", "document", "tool")
Turns = list[tuple[str, Message]]  # digest and message

_COUNTS = ("input_tokens", "output_tokens")
_DETAILS = ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


class Held(msgspec.Struct, gc=False):
    """An event that others may complete. Its text is redacted; digests say which of its messages were new."""

    event: Event
    signals: Signals
    digests: str = ""  # of all its messages, input before output
    arguments: str = ""  # digest of a tool's arguments
    also: tuple[str, ...] = ()  # names of events that it has taken up
    parted: bool = False  # has taken up its child
    answered: bool = False  # has taken up its result, or the execution that the result is of
    whole: bool = False  # has taken up its other half

    def report(self) -> Report:
        """What others are compared with."""
        event = self.event
        digest = self.arguments
        if event.kind == "llm" and event.input and (not event.output or event.duration_ms == 0):
            count = len(event.input)
            digest = f"?{count}.{self.digests[max(0, count - 2) * SIZE : count * SIZE]}"
        lacks = "" if self.whole else lack(event)
        return report(event, digest, lacks, self.also, parted=self.parted, answered=self.answered)


def merge(first: Held, second: Held) -> Held:
    """One event of two; it keeps identity and source of the first to arrive.

    Where both know, the leading one is right: the half that saw the end, of two spans of a model call the
    outer one, which log records name, of two spans of an execution the inner one.
    """
    lead, other = (second, first) if _leads(second, first) else (first, second)
    said = _said(lead, other)
    signals = _merge_signals(lead, other, said)
    reports = first.report(), second.report()
    names = (*first.also, *second.also, *(each.own for each in reports))
    parted = lead.parted or lead.event.span_id == other.event.parent_span_id != ""
    answered = lead.answered or other.answered or TOLD in (lead.event.half, other.event.half)
    whole = lead.whole or other.whole or _are_halves(lead.event, other.event)
    _merge_events(first.event, lead.event, other.event)
    for name, turns in zip(("input", "output"), said, strict=True):
        force_setattr(first.event, name, tuple([message for _, message in turns]))
    also = tuple(dict.fromkeys(name for name in names if name))
    return Held(
        event=first.event,
        signals=signals,
        digests="".join([digest for turns in said for digest, _ in turns]),
        arguments=lead.arguments or other.arguments,
        also=also,
        parted=parted,
        answered=answered,
        whole=whole,
    )


def _leads(one: Held, other: Held) -> bool:
    leads, follows = one.event.half in LEADERS, other.event.half not in LEADERS
    if leads == follows:
        return leads
    if one.event.join == other.event.join:
        return one.event.half == "" != other.event.half
    mine, theirs = one.report(), other.report()
    if streamed(mine, theirs) or streamed(theirs, mine):
        return mine.lacks == "answer"
    apart = one.event.trace_id != other.event.trace_id  # then only the inner one knows the real span
    return encloses(mine, theirs) == (one.event.kind == "llm" and not apart)


def _merge_events(into: Event, lead: Event, other: Event) -> None:
    merged: dict[str, Any] = {
        "kind": lead.kind,
        "time": lead.time,
        "original_time": lead.original_time,
        "join": lead.join or other.join,
        "half": _half(lead, other),
        "invalid_fields": tuple(dict.fromkeys(lead.invalid_fields + other.invalid_fields)),
        "attributes": {**other.attributes, **lead.attributes},
    }
    for name, default in _SHARED:
        value = getattr(lead, name)
        merged[name] = value if value != default else getattr(other, name)
    if other.half == "request":
        merged |= _asked(other, lead)
    elif lead.join != other.join:
        merged |= _placed(lead) | (_counted(lead, other) if lead.kind == "llm" else {})
    for name, value in merged.items():
        force_setattr(into, name, value)


def _half(lead: Event, other: Event) -> str:
    """Two different halves are a whole; two spans are, once they hold the content that one waits for."""
    if lead.half == other.half:
        return lead.half
    if _are_halves(lead, other) or lead.content_available or other.content_available:
        return ""
    return lead.half or other.half


def _are_halves(lead: Event, other: Event) -> bool:
    return lead.half != other.half and (lead.join == other.join or "" not in (lead.half, other.half))


def _asked(request: Event, answer: Event) -> dict[str, Any]:
    """What the request of a pair knows best: what was wanted, and since when."""
    known: dict[str, Any] = {name: getattr(request, name) for name in ("kind", "time", "original_time")}
    if request.operation:
        known["operation"] = request.operation
    if request.duration_ms is None and answer.duration_ms is None and answer.time > request.time > 0:
        known["duration_ms"] = round((answer.time - request.time) * 1e3, 3)
    return known


def _counted(outer: Event, inner: Event) -> dict[str, Any]:
    """What the inner one of two spans knows better: its own usage, and which model really answered.

    Where they agree in one count, the other one is not complete where it is smaller: cached tokens are
    missing, or the end of a stream. Where they agree in none, the outer one counts several calls.
    """
    known: dict[str, Any] = {}
    if inner.response_model and outer.response_model == outer.model:
        known["response_model"] = inner.response_model  # not just the request's again
    counts = {name: (getattr(inner, name) or 0, getattr(outer, name) or 0) for name in _COUNTS}
    if any(inside == outside != 0 for inside, outside in counts.values()):
        return known | {name: max(both) for name, both in counts.items() if 0 not in both}
    if inner.input_tokens is None:
        return known
    return known | {name: getattr(inner, name) for name in (*_COUNTS, *_DETAILS)}


def _placed(lead: Event) -> dict[str, Any]:
    """One span's place in its trace, not half of another's."""
    if not lead.span_id:
        return {}
    return {name: getattr(lead, name) for name in ("trace_id", "span_id", "parent_span_id")}


def _said(lead: Held, other: Held) -> list[Turns]:
    """Input and output, of the one that knows them; two log records of one call tell different parts."""
    parts = lead.event.half == other.event.half == "log"
    said: list[Turns] = []
    for mine, theirs in zip(_turns(lead), _turns(other), strict=True):
        known = {digest for digest, _ in mine}
        said.append(mine + [turn for turn in theirs if turn[0] not in known] if parts else mine or theirs)
    return said


def _turns(held: Held) -> tuple[Turns, Turns]:
    digests, border = split(held.digests), len(held.event.input)
    inputs = zip(digests, held.event.input, strict=False)
    return list(inputs), list(zip(digests[border:], held.event.output, strict=True))


def _merge_signals(lead: Held, other: Held, said: list[Turns]) -> Signals:
    """Flags and scores of both; lengths and indexes of the messages that are kept."""
    one, two = lead.signals, other.signals
    signals = Signals(
        **{name: _stronger(getattr(one, name), getattr(two, name)) for name in Signals.__struct_fields__}
    )
    fresh = _fresh(lead) | _fresh(other)
    signals.new_input, signals.new_output = (
        tuple([at for at, (digest, _) in enumerate(turns) if digest in fresh]) for turns in said
    )
    signals.texts = _texts(lead, other, said)
    parts = lead.event.half == other.event.half == "log"
    if lead.event.input:
        signals.input_length = one.input_length + parts * two.input_length
    if lead.event.output:
        signals.output_length = one.output_length + parts * two.output_length
    return signals


def _texts(lead: Held, other: Held, said: list[Turns]) -> tuple[TextSignal, ...]:
    """What was read of both, each place once: of messages at the index at which they are kept."""
    if not lead.signals.texts and not other.signals.texts:
        return ()
    kept = {
        place: {digest: at for at, (digest, _) in enumerate(turns)}
        for place, turns in zip(("input", "output"), said, strict=True)
    }
    found: dict[tuple[int, int], TextSignal] = {}
    for held in (lead, other):
        digests, border = split(held.digests), len(held.event.input)
        for text in held.signals.texts:
            at: int | None = text.index
            if text.place in kept:
                at = kept[text.place].get(digests[text.index + border * (text.place == "output")])
            if at is not None:
                found.setdefault((_PLACES.index(text.place), at), replace(text, index=at))
    return tuple([text for _, text in sorted(found.items(), key=itemgetter(0))])


def _stronger(one: Any, other: Any) -> Any:
    if isinstance(one, int | float) and one and other:
        return max(one, other)
    return one or other


def _fresh(held: Held) -> set[str]:
    """Digests of messages that were new when this one arrived."""
    inputs, outputs = _turns(held)
    new_input, new_output = held.signals.new_input, held.signals.new_output
    return {inputs[at][0] for at in new_input} | {outputs[at][0] for at in new_output}
