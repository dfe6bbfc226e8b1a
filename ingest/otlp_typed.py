"""OTLP/JSON traces in their usual dialect, read by types: twice as fast as by walking a parsed document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ingest.draft import Attributes, Span, resource_fields
from ingest.otlp_walk import hex_id, nanoseconds, outcome, plain, single, span_kind


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


class TypedSpan(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    name: str = ""
    kind: Any = 0
    start_time_unix_nano: Any = 0
    end_time_unix_nano: Any = 0
    attributes: list[KeyValue] = []
    events: list[SpanEvent] = []
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
    status, parent = span.status, span.parent_span_id
    failed, message = (False, "") if status is None else outcome(status.code, status.message)
    return Span(
        hex_id(span.trace_id, 32),
        hex_id(span.span_id, 16),
        hex_id(parent, 16) if parent else "",
        span.name,
        span_kind(span.kind),
        nanoseconds(span.start_time_unix_nano),
        nanoseconds(span.end_time_unix_nano),
        attributes_of(span.attributes, depth),
        _events(span.events, depth) if span.events else [],
        failed,
        message,
        scope,
    )


def _events(events: list[SpanEvent], depth: int) -> list[tuple[str, Attributes]]:
    return [(event.name, attributes_of(event.attributes, depth)) for event in events[:1024]]
