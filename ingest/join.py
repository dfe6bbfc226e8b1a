"""Two spans of one call inside one record become one event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import force_setattr

from tocsin.model import Event, Reject

_OWN = frozenset(
    ("kind", "operation", "time", "trace_id", "span_id", "parent_span_id", "duration_ms", "join", "half")
)
_FILLED = tuple(
    (name, default)
    for name, default in zip(Event.__struct_fields__, Event.__struct_defaults__, strict=True)
    if name not in _OWN
)


def joined(items: list[Event | Reject]) -> Sequence[Event | Reject]:
    """The items without inner spans that tell of the same call or execution as an outer one.

    A provider's SDK and an instrumentation around it both report a call: they share the response
    id, or, where one of them lacks it, one is the other's parent and they agree on the model. Two
    spans of one tool execution share the call's id. The outer span stays and learns what only the
    inner one knows.
    """
    if len(items) < 2:
        return items
    spans = {item.span_id: item for item in items if isinstance(item, Event) and item.span_id}
    firsts: dict[tuple[str, str], Event] = {}
    gone: set[int] = set()
    for item in items:
        if isinstance(item, Reject):
            continue
        other = _same_call(item, spans, firsts)
        if other is not None and other is not item:
            outer, inner = (item, other) if other.parent_span_id == item.span_id else (other, item)
            if id(outer) not in gone and id(inner) not in gone:
                _fill(outer, inner)
                gone.add(id(inner))
    return [item for item in items if id(item) not in gone] if gone else items


def _same_call(item: Event, spans: dict[str, Event], firsts: dict[tuple[str, str], Event]) -> Event | None:
    identity = item.response_id if item.kind == "llm" else item.tool_call_id if item.kind == "tool" else ""
    if identity:
        first = firsts.setdefault((f"{item.kind}{item.trace_id}", identity), item)
        if first is not item:
            return first
    parent = spans.get(item.parent_span_id)
    if parent is None or parent.kind != item.kind or item.kind not in ("llm", "tool"):
        return None
    return parent if _agree(parent, item) else None


def _agree(parent: Event, child: Event) -> bool:
    if child.kind == "tool":
        same_call = not (parent.tool_call_id and child.tool_call_id)
        return same_call and parent.tool_name == child.tool_name and parent.trace_id == child.trace_id
    both = parent.response_id and child.response_id
    models = {parent.model, parent.response_model} & {child.model, child.response_model} - {""}
    return not both and bool(models) and parent.trace_id == child.trace_id


def _fill(outer: Event, inner: Event) -> None:
    for name, default in _FILLED:
        value: Any = getattr(outer, name)
        other: Any = getattr(inner, name)
        if value == default and other != default:
            force_setattr(outer, name, other)
    if outer.input_tokens is not None and inner.input_tokens is not None:
        # the one that counts cached tokens says more
        force_setattr(outer, "input_tokens", max(outer.input_tokens, inner.input_tokens))
    if outer.half and outer.content_available:
        force_setattr(outer, "half", "")
        force_setattr(outer, "join", "")
