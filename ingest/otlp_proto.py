"""OTLP in protobuf: the same spans and log records as in JSON, read from the binary form.

Needs the extra `otlp`; without it such a record is refused and the reason names the extra.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any

from msgspec.structs import force_setattr

from ingest.draft import Attributes, Span, resource_fields
from ingest.otlp_export import Exports, Form, Log, TooDeep, TooMany
from ingest.otlp_walk import LATEST
from ingest.otlp_wire import Signal, signal_of
from tocsin.model import Decoded, Reject
from tocsin.settings import LimitSettings

EXTRA = "OTLP in protobuf needs the extra: pip install 'tocsin[otlp]'"

_PAIRS = 16_384  # attributes read of one span or log record, those of its events included
_EVENTS = 1024
_NO_ID = (b"", bytes(8), bytes(16))
_REQUESTS = {
    "traces": ("trace.v1.trace_service_pb2", "ExportTraceServiceRequest"),
    "logs": ("logs.v1.logs_service_pb2", "ExportLogsServiceRequest"),
    "metrics": ("metrics.v1.metrics_service_pb2", "ExportMetricsServiceRequest"),
}


class OtlpProtoDecoder:
    """Export requests as the Collector's Kafka exporter and the SDKs send them by default."""

    name = "otlp_proto"
    title = "OTLP in protobuf"
    evidence = "recorded"

    def __init__(self, limits: LimitSettings | None = None) -> None:
        self._exports = Exports(limits or LimitSettings())

    def decode(self, value: bytes) -> Decoded:
        signal = signal_of(value)
        if not signal:
            return Decoded((Reject(reason="undecodable", detail="no OTLP export request in protobuf"),))
        try:
            parse = _parser(signal)
        except ImportError:
            return Decoded((Reject(reason="undecodable", detail=EXTRA),))
        try:
            request = parse(value)
        except Exception:  # DecodeError cannot be named without the library; its message may quote the input
            return Decoded((Reject(reason="undecodable", detail=f"{self.title}: malformed {signal}"),))
        if signal == "traces":
            return _named(self._exports.traces(_spans(request), _FORM))
        if signal == "logs":
            return _named(self._exports.logs(_logs(request), _FORM))
        return Decoded((), 1)


def looks_like(value: bytes) -> bool:
    """Whether bytes are an export request in protobuf: never so for JSON and other text."""
    return bool(signal_of(value))


def _named(decoded: Decoded) -> Decoded:
    for item in decoded.items:
        if not isinstance(item, Reject):
            force_setattr(item, "source_format", OtlpProtoDecoder.name)
    return decoded


@cache
def _parser(signal: Signal) -> Callable[[bytes], Any]:
    """Raises ImportError without the extra. Importing takes a tenth of a second: not before it is needed."""
    module, name = _REQUESTS[signal]
    found = import_module(f"opentelemetry.proto.collector.{module}")
    parse: Callable[[bytes], Any] = getattr(found, name).FromString
    return parse


def _spans(request: Any) -> Iterator[tuple[dict[str, Any], str, Any]]:
    for group in request.resource_spans:
        fields = resource_fields(_attributes(group.resource.attributes[:_PAIRS], 64))
        for part in group.scope_spans:
            scope = part.scope.name
            for span in part.spans:
                yield fields, scope, span


def _logs(request: Any) -> Iterator[tuple[dict[str, Any], str, Any]]:
    for group in request.resource_logs:
        fields = resource_fields(_attributes(group.resource.attributes[:_PAIRS], 64))
        for part in group.scope_logs:
            scope = part.scope.name
            for record in part.log_records:
                yield fields, scope, record


def _as_span(span: Any, scope: str, depth: int) -> Span:
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    pairs, status = span.attributes[:_PAIRS], span.status
    return Span(
        _id(span.trace_id),
        _id(span.span_id),
        _id(span.parent_span_id),
        span.name,
        span.kind,
        start if start < LATEST else 0,
        end if end < LATEST else 0,
        _attributes(pairs, depth),
        _events(span.events, depth, _PAIRS - len(pairs)) if span.events else [],
        status.code == 2,
        status.message[:4096],
        scope,
    )


def _as_log(record: Any, scope: str, depth: int) -> Log:
    times = (record.time_unix_nano, record.observed_time_unix_nano)
    span = Span(
        _id(record.trace_id),
        _id(record.span_id),
        start=next((time for time in times if 0 < time < LATEST), 0),
        attributes=_attributes(record.attributes[:_PAIRS], depth),
        scope=scope,
    )
    body = _value(record.body, depth, [_PAIRS]) if record.HasField("body") else None
    return Log(span, body, record.event_name)


_FORM = Form(_as_span, _as_log)


def _id(value: bytes) -> str:
    return "" if value in _NO_ID else value[:32].hex()


def _events(events: Any, depth: int, room: int) -> list[tuple[str, Attributes]]:
    found: list[tuple[str, Attributes]] = []
    for event in events[:_EVENTS]:
        pairs = event.attributes[:room]
        room -= len(pairs)
        found.append((event.name, _attributes(pairs, depth)))
    return found


def _attributes(pairs: Any, depth: int) -> Attributes:
    """Key-value pairs as a plain dict. Raises TooDeep and TooMany."""
    attributes: Attributes = {}
    room: list[int] = [_PAIRS]
    for pair in pairs:
        value = pair.value
        kind = value.WhichOneof("value")
        if kind in _PLAIN:
            attributes[pair.key] = getattr(value, kind)
        elif kind is not None:
            attributes[pair.key] = _value(value, depth, room)
    return attributes


_PLAIN = frozenset(("string_value", "int_value", "double_value", "bool_value"))


def _value(value: Any, depth: int, room: list[int]) -> Any:
    """An AnyValue as a Python value, bytes in base64 as in JSON; an empty one is None."""
    kind = value.WhichOneof("value")
    if kind is None or kind in _PLAIN:
        return getattr(value, kind) if kind else None
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind not in ("array_value", "kvlist_value"):  # of a later version
        return None
    if depth <= 0:
        raise TooDeep
    inner = getattr(value, kind).values
    room[0] -= len(inner)
    if room[0] < 0:
        raise TooMany
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value, depth - 1, room) for pair in inner}
    return [_value(item, depth - 1, room) for item in inner]
