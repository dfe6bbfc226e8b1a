"""OTLP/JSON traces in their usual dialect, read by types: twice as fast as by walking a parsed document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ingest.draft import Attributes, Span, resource_fields
from ingest.otlp_walk import LATEST, hex_id, nanoseconds, outcome, plain, single


class Value(msgspec.Struct, frozen=True, gc=False):
    """An AnyValue: a union, so one field at most is set."""

    stringValue: Any = None  # noqa: N815 - names of the wire
    intValue: int | None = None  # noqa: N815
    doubleValue: float | None = None  # noqa: N815
    boolValue: Any = None  # noqa: N815
    arrayValue: Any = None  # noqa: N815
    kvlistValue: Any = None  # noqa: N815
    bytesValue: Any = None  # noqa: N815


class KeyValue(msgspec.Struct, gc=False):
    key: str
    value: Value = Value()


class Status(msgspec.Struct, gc=False):
    code: Any = None
    message: Any = None


class SpanEvent(msgspec.Struct):
    name: str = ""
    attributes: list[KeyValue] = []


_WIRE = {
    "trace_id": "traceId",
    "span_id": "spanId",
    "parent_id": "parentSpanId",
    "start": "startTimeUnixNano",
    "end": "endTimeUnixNano",
    "pairs": "attributes",
    "moments": "events",
    # What `as_span` fills in has no name on the wire.
    **{name: f" {name}" for name in ("attributes", "events", "failed", "message", "scope")},
}


class TypedSpan(Span, rename=_WIRE):
    """A span as it came; `as_span` makes it the span that it is."""

    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    start: int = 0
    end: int = 0
    attributes: Attributes = {}
    events: list[tuple[str, Attributes]] = []
    failed: bool = False
    message: str = ""
    scope: str = ""
    pairs: list[KeyValue] = []
    moments: list[SpanEvent] = []
    status: Status | None = None


class Holder(msgspec.Struct, frozen=True):
    """A resource or a scope."""

    name: str = ""
    attributes: tuple[KeyValue, ...] = ()


class ScopeSpans(msgspec.Struct):
    scope: Holder = Holder()
    spans: list[TypedSpan] = []


class ResourceSpans(msgspec.Struct, rename="camel"):
    resource: Holder = Holder()
    scope_spans: list[ScopeSpans] = []


class Export(msgspec.Struct, rename="camel"):
    """An export request for traces; logs in the same record are left to the walk."""

    resource_spans: list[ResourceSpans] = []
    resource_logs: Any = None


_decode = msgspec.json.Decoder(Export, strict=False).decode  # integers are text, mostly


def export(value: bytes) -> Export | None:
    """The request; None where it is in no usual dialect, or not one at all."""
    try:
        found = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    groups = found.resource_spans
    usual = bool(groups) and all(group.scope_spans for group in groups)
    return found if usual else None


def spans(found: Export) -> Iterator[tuple[dict[str, Any], str, TypedSpan]]:
    """(fields of the resource, name of the scope, span) for each span, in order."""
    for group in found.resource_spans:
        fields = resource_fields(attributes_of(group.resource.attributes, 64))
        for part in group.scope_spans:
            for span in part.spans:
                yield fields, part.scope.name, span


def attributes_of(pairs: Sequence[KeyValue], depth: int) -> Attributes:
    """Key-value pairs as a plain dict. Raises TooDeep."""
    attributes: Attributes = {}
    for pair in pairs:
        value = pair.value
        plainly = value.stringValue
        if plainly is None:
            plainly = value.intValue
            if plainly is None:
                plainly = _rare(value, depth)
        attributes[pair.key] = plainly
    return attributes


def _rare(value: Value, depth: int) -> Any:
    if value.arrayValue is not None:
        return single("arrayValue", value.arrayValue, depth)
    if value.kvlistValue is not None:
        return plain(value.kvlistValue, depth)
    for simple in (value.doubleValue, value.boolValue, value.bytesValue):
        if simple is not None:
            return simple
    return None


def as_span(span: TypedSpan, scope: str, depth: int) -> Span:
    """The same object, with everything in its place: a span is read once."""
    span.scope = scope
    span.attributes = attributes_of(span.pairs, depth)
    if span.moments:
        span.events = _events(span.moments, depth)
    if span.status is not None and span.status.code is not None:
        span.failed, span.message = outcome(span.status.code, span.status.message)
    trace_id, span_id, parent_id = span.trace_id, span.span_id, span.parent_id
    if not (len(trace_id) == 32 and trace_id.islower()):
        span.trace_id = hex_id(trace_id, 32)
    if not (len(span_id) == 16 and span_id.islower()):
        span.span_id = hex_id(span_id, 16)
    if parent_id and not (len(parent_id) == 16 and parent_id.islower()):
        span.parent_id = hex_id(parent_id, 16)
    if not (0 <= span.start < LATEST and 0 <= span.end < LATEST):
        span.start, span.end = nanoseconds(span.start), nanoseconds(span.end)
    return span


def _events(events: list[SpanEvent], depth: int) -> list[tuple[str, Attributes]]:
    return [(event.name, attributes_of(event.attributes, depth)) for event in events[:1024]]
