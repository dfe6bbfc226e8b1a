"""Two spans of one call inside one record become one event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from tocsin.model import Event, Reject
from tocsin.report import CLOSE, SLACK

_OWN = frozenset(
    ("kind", "operation", "time", "trace_id", "span_id", "parent_span_id", "duration_ms", "join", "half")
)
_FILLED = tuple(
    (name, default)
    for name, default in zip(Event.__struct_fields__, Event.__struct_defaults__, strict=True)
    if name not in _OWN and name != "attributes"
)


def joined(items: list[Event | Reject]) -> Sequence[Event | Reject]:
    """The items without spans that tell of the same call or execution as another one.

    A provider's SDK and an instrumentation around it both report a call: they share the response
    id, or, where one of them lacks it, one is the other's parent and they agree on the model. Two
    spans of one tool execution share the call's id, or are parent and child. A streamed reply may
    come as a span without duration that repeats the question. Of model calls the outer or earlier span
    stays (log records name it), of executions the inner one; it learns what only the other knows.
    """
    if len(items) < 2:
        return items
    spans = {item.span_id: item for item in items if isinstance(item, Event) and item.span_id}
    firsts: dict[tuple[str, str], Event] = {}
    silent: dict[tuple[Any, ...], Event] | None = None
    gone: set[int] = set()
    for item in items:
        if isinstance(item, Reject) or item.kind not in ("llm", "tool"):
            continue
        streamed = item.duration_ms == 0 and item.output and item.input
        identity = item.response_id if item.kind == "llm" else item.tool_call_id
        first = firsts.setdefault((item.kind, identity), item) if identity else item
        if first is item and item.parent_span_id not in spans and not streamed:
            continue  # as with most: alone so far, and without a parent at all
        other = _around(item, spans) or _same_call(item, spans, firsts)
        if other is None and streamed:
            silent = _silent(items) if silent is None else silent
            other = _asked(item, silent)
        if other is None or id(other) in gone or id(item) in gone:
            continue
        outer, inner = (item, other) if other.parent_span_id == item.span_id != "" else (other, item)
        stays, goes = (inner, outer) if item.kind == "tool" else (outer, inner)
        _fill(stays, goes)
        gone.add(id(goes))
    _name_arguments(items)
    return [item for item in items if id(item) not in gone] if gone else items


def _name_arguments(items: list[Event | Reject]) -> None:
    """A tool that was given a bare text as its only argument gets the arguments that the model wrote."""
    bare = [
        item
        for item in items
        if isinstance(item, Event) and item.kind == "tool" and (item.tool_arguments or "{")[0] not in "{["
    ]
    if not bare:
        return
    called = {
        (item.trace_id, call.name, value): call.arguments
        for item in items
        if isinstance(item, Event) and item.kind == "llm"
        for message in item.output
        for call in message.tool_calls
        if (value := _only_value(call.arguments)) is not None
    }
    for item in bare:
        arguments = called.get((item.trace_id, item.tool_name, item.tool_arguments or ""))
        if arguments is not None:
            force_setattr(item, "tool_arguments", arguments)


def _only_value(arguments: str) -> str | None:
    try:
        value = msgspec.json.decode(arguments, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return None
    only = next(iter(value.values())) if len(value) == 1 else None
    return only if isinstance(only, str) else None


def _around(item: Event, spans: dict[str, Event]) -> Event | None:
    """The call whose bodies this span repeats."""
    parent = spans.get(item.parent_span_id) if item.half == "response" else None
    return parent if parent is not None and parent.join == item.join and not parent.half else None


def _same_call(item: Event, spans: dict[str, Event], firsts: dict[tuple[str, str], Event]) -> Event | None:
    identity = item.response_id if item.kind == "llm" else item.tool_call_id
    if identity:
        first = firsts.setdefault((item.kind, identity), item)
        if first is not item and _agree(first, item):
            return first
    parent = spans.get(item.parent_span_id)
    if parent is None or parent.kind != item.kind or parent.trace_id != item.trace_id:
        return None
    theirs = parent.response_id if item.kind == "llm" else parent.tool_call_id
    return parent if not (identity and theirs) and _agree(parent, item) else None


def _agree(one: Event, other: Event) -> bool:
    """Whether both are about the same tool or model, at the same time."""
    if one.kind == "tool":
        alike = one.tool_name == other.tool_name and one.trace_id == other.trace_id
        return alike and (_within(one, other) or _within(other, one))
    if not {one.model, one.response_model} & {other.model, other.response_model} - {""}:
        return False
    return one.time <= _end(other) + SLACK and other.time <= _end(one) + SLACK


def _within(inner: Event, outer: Event) -> bool:
    """An execution that comes after another one is its own, even where both calls are named `call_0`."""
    return outer.time <= inner.time + CLOSE and _end(inner) <= _end(outer) + CLOSE


def _end(event: Event) -> float:
    return event.time + (event.duration_ms or 0.0) / 1e3


def _silent(items: list[Event | Reject]) -> dict[tuple[Any, ...], Event]:
    """The calls without an answer by what they asked; of equal ones the earliest."""
    found: dict[tuple[Any, ...], Event] = {}
    for item in items:
        if isinstance(item, Event) and item.kind == "llm" and item.input and not item.output:
            first = found.setdefault((item.model, item.input), item)
            if item.time < first.time:
                found[item.model, item.input] = item
    return found


def _asked(reply: Event, silent: dict[tuple[Any, ...], Event]) -> Event | None:
    """The call whose streamed reply this is: it asked the same, before, and has no answer of its own."""
    call = silent.get((reply.model, reply.input))
    return call if call is not None and call.time <= reply.time else None


def _fill(stays: Event, goes: Event) -> None:
    for name, default in _FILLED:
        value: Any = getattr(stays, name)
        other: Any = getattr(goes, name)
        if value == default and other != default:
            force_setattr(stays, name, other)
    if goes.half == "response" and goes.response_id:
        force_setattr(stays, "response_id", goes.response_id)  # the provider's own
    if stays.response_model == stays.model != goes.response_model != "":
        force_setattr(stays, "response_model", goes.response_model)  # not just the request's again
    if stays.input_tokens is not None and goes.input_tokens is not None:
        # the one that counts cached tokens says more
        force_setattr(stays, "input_tokens", max(stays.input_tokens, goes.input_tokens))
    if stays.half and stays.content_available:
        force_setattr(stays, "half", "")
