"""One span or log record as tools write them alone: SDK exporters, Jaeger, Zipkin, tables, shippers' JSON.

Each place where a thing may stand is a row of names; a name with dots is also a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ingest import aliases
from ingest.draft import Attributes, Span, resource_fields
from ingest.leaf import Json
from ingest.otlp_walk import any_value, hex_id, outcome
from ingest.times import epoch

_TRACE = ("traceId", "trace_id", "traceID", "TraceId", "context.trace_id", "trace.trace_id", "trace.id",
          "spanContext.traceId", "_spanContext.traceId")  # fmt: skip
_SPAN = ("spanId", "span_id", "spanID", "SpanId", "context.span_id", "trace.span_id", "span.id",
         "transaction.id", "spanContext.spanId", "_spanContext.spanId", "id")  # fmt: skip
_PARENT = ("parentSpanId", "parent_span_id", "ParentSpanId", "parentId", "parent_id", "parentID",
           "trace.parent_id", "parent.id", "parentSpanContext.spanId")  # fmt: skip
_NAME = ("name", "operationName", "operation_name", "SpanName", "span_name", "span.name",
         "transaction.name")  # fmt: skip
_START = ("startTimeUnixNano", "start_time_unix_nano", "start_time", "startTime", "start_ns",
          "timeUnixNano", "time_unix_nano", "Timestamp", "timestamp", "@timestamp", "time", "ts",
          "observedTimeUnixNano", "observed_time_unix_nano", "observed_timestamp", "ObservedTimestamp",
          "timestamp_ns", "event.timestamp", "attributes.event.timestamp")  # fmt: skip
_END = ("endTimeUnixNano", "end_time_unix_nano", "end_time", "endTime", "end_ns", "EndTime")
_SCOPE = ("scope.name", "instrumentationScope.name", "instrumentation_scope.name", "ScopeName",
          "instrumentationLibrary.name", "otel.scope.name", "otel.library.name", "scope")  # fmt: skip
_STATUS = ("status.code", "status.status_code", "status_code", "statusCode", "StatusCode", "otel.status_code",
           "event.outcome", "status")  # fmt: skip
_SAID = ("status.message", "status.description", "statusMessage", "status_message", "StatusMessage",
         "otel.status_description")  # fmt: skip
_BODY = ("body", "Body", "message", "msg", "attributes.event.body")
_EVENT = ("eventName", "event_name", "EventName", "event.name")
_SERVICE = ("service.name", "serviceName", "ServiceName", "service_name", "process.serviceName",
            "localEndpoint.serviceName", "ml_app", "service")  # fmt: skip
_RESOURCE = ("resource.attributes", "resource", "resource._rawAttributes", "resources", "ResourceAttributes",
             "resource_attributes", "process.tags", "Resource")  # fmt: skip
_ATTRIBUTES = ("attributes", "Attributes", "SpanAttributes", "LogAttributes", "span_attributes", "tags")
HOLDERS = (*_ATTRIBUTES, "log_attributes", "Tags", "labels", "numeric_labels", "fields", "span.attributes")
_DURATIONS = (("duration_ms", 1e6), ("durationMs", 1e6), ("duration_ns", 1.0), ("durationNano", 1.0),
              ("Duration", 1.0), ("span.duration.us", 1e3), ("transaction.duration.us", 1e3),
              ("event.duration", 1.0))  # fmt: skip
_MICROSECONDS = ("operationName", "traceID", "id")  # Jaeger, Zipkin, JavaScript's console
_FAILED = frozenset(("failure", "error", "ERROR", "Error", "STATUS_CODE_ERROR", "StatusCode.ERROR"))
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")

_FAMILIES = ("gen_ai", "llm", "openinference", "traceloop", "ai", "langfuse", "langsmith", "mlflow", "mcp")
NAMES = frozenset(name for field in aliases.SPAN_FIELDS for name in field.names)
_SIGNS = [name for name, _ in aliases.OPERATION_NAMES]
_UNDOTTED: Mapping[str, str] = {
    name.replace(".", "_"): name for name in (*sorted(NAMES), *_SIGNS) if "." in name
}
_MOST = 4096  # attributes that are read of one span
_STRUCTURE = frozenset(
    name for names in (_TRACE, _SPAN, _PARENT, _NAME, _START, _END, _SCOPE, _STATUS, _SAID, _BODY, _SERVICE)
    for name in names
) | {name for name, _ in _DURATIONS} | {
    "kind", "duration", "SpanKind", "flags", "severity_text", "events", "links", "logs", "references",
    "warnings", "tags", "start", "end", "trace_flags", "schema_url", "droppedAttributesCount",
    "droppedEventsCount", "dropped_attributes", "severity_number", "severityNumber", "SeverityNumber",
}  # fmt: skip
_EITHER = frozenset(("status_code", "status", "duration_ms", "event.timestamp"))  # may be attributes, too


class Single(NamedTuple):
    """A span, or a log record with its name and body, and what is said of its resource."""

    span: Span
    name: str
    body: Any
    resource: dict[str, Any]


def at(value: Any, path: str) -> Any:
    """A member by its name, dots and all, or by the path that the dots make; None: nothing there."""
    while isinstance(value, dict):
        if path in value:
            return value[path]
        first, dot, path = path.partition(".")
        if not dot:
            return None
        value = value.get(first)
    return None


def first(document: Json, names: Iterable[str], kinds: tuple[type, ...] = (str, int, float)) -> Any:
    """The first of these that holds a plain value."""
    for name in names:
        value = at(document, name)
        if isinstance(value, kinds) and value != "" and not isinstance(value, bool):
            return value
    return None


def is_span(document: Json) -> bool:
    """Whether a document without a sign of its own is a span or log record: both ids and attributes."""
    if first(document, _TRACE) is None or first(document, _SPAN[:-1]) is None:
        return False
    return any(isinstance(document.get(holder), dict | list) for holder in _ATTRIBUTES)


def single(document: Json, depth: int) -> Single:
    """A document in the one shape that spans and log records have here."""
    attributes = attributes_of(document, depth)
    failed, message = _outcome(document, attributes)
    start = nanoseconds(_time(document, _START))
    trace, parent, own = first(document, _TRACE), first(document, _PARENT), first(document, _SPAN)
    span = Span(
        _id(trace, 32), _id(own, 16) if trace is not None else "", _id(parent, 16) or _reference(document),
        str(first(document, _NAME, (str,)) or "")[:4096], 0, start, _end(document, start), attributes,
        list(_events(document, depth)), failed, message, str(first(document, _SCOPE, (str,)) or "")[:256],
    )  # fmt: skip
    name = first(document, _EVENT, (str,)) or first(attributes, ("event.name",), (str,)) or ""
    body = next((body for place in _BODY if (body := at(document, place)) not in (None, "")), None)
    return Single(span, name[:256], _value(body, depth), _resource(document, attributes, depth))


def is_log(document: Json) -> bool:
    """Whether a document is a log record: it has a body or an event's name, and no end."""
    if first(document, _EVENT, (str,)):
        return True
    if first(document, _END) is not None or "duration" in document or "Duration" in document:
        return False
    if any(at(document, place) is not None for place in _BODY):
        return True
    return "severity_number" in document or "severityNumber" in document or "LogAttributes" in document


def attributes_of(document: Json, depth: int) -> Attributes:
    """All that is said of the span: in its attributes, tags or labels, or beside them at the top."""
    found: Attributes = {}
    for key, value in islice(document.items(), _MOST):
        if isinstance(value, dict):
            if key in _FAMILIES:
                _flatten(value, f"{key}.", found, depth)
        elif key not in _STRUCTURE or key in _EITHER:
            found[_UNDOTTED.get(key, key)] = value
    for holder in HOLDERS:
        value = at(document, holder)
        if isinstance(value, dict):
            _flatten(value, "", found, depth)
        elif isinstance(value, list):
            found.update(_pairs(value, depth))
        if value is not None:
            found.pop(holder, None)
    return found


def _flatten(value: Json, prefix: str, found: Attributes, depth: int) -> None:
    for key, inner in islice(value.items(), max(0, _MOST - len(found))):
        name = prefix + key
        if isinstance(inner, dict) and inner and name not in NAMES and depth > 0:
            if _value(inner, depth) is inner:
                _flatten(inner, f"{name}.", found, depth - 1)
            else:
                found[name] = any_value(inner, depth)
        else:
            found[name if "." in name else _UNDOTTED.get(name, name)] = inner


def _value(value: Any, depth: int) -> Any:
    """What OTLP wrapped with its type, or the value itself."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _WRAPPED:
        return any_value(value, depth)
    return value


_WRAPPED = frozenset(("stringValue", "intValue", "doubleValue", "boolValue", "arrayValue", "kvlistValue"))
_VALUES = ("value", "vStr", "vInt64", "vFloat64", "vBool", "v_str", "v_int64", "v_float64", "v_bool")


def _pairs(pairs: Sequence[Any], depth: int) -> Iterator[tuple[str, Any]]:
    """Keys and values of a list: objects (OTLP, Jaeger), `key:value` (Datadog), pairs (JavaScript's SDK)."""
    for pair in islice(pairs, _MOST):
        if isinstance(pair, dict) and isinstance(pair.get("key"), str):
            value = next((pair[name] for name in _VALUES if name in pair), None)
            yield pair["key"], _value(value, depth)
        elif isinstance(pair, str) and ":" in pair:
            key, _, text = pair.partition(":")
            yield key, text
        elif isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str):
            yield pair[0], pair[1]


def _outcome(document: Json, attributes: Attributes) -> tuple[bool, str]:
    code = first(document, _STATUS)
    code = code if code is not None else first(attributes, ("otel.status_code",))
    said = first(document, _SAID, (str,)) or first(attributes, ("otel.status_description",), (str,)) or ""
    failed, message = outcome(code, said)
    flagged = attributes.get("error") in (True, "true") and attributes.pop("error")
    return bool(failed or code in _FAILED or flagged), message


def _resource(document: Json, attributes: Attributes, depth: int) -> dict[str, Any]:
    said: Attributes = {}
    for place in _RESOURCE:
        value = at(document, place)
        if isinstance(value, dict):
            _flatten(value, "", said, depth)
        elif isinstance(value, list):
            said.update(_pairs(value, depth))
    service = first(document, _SERVICE, (str,)) or first(attributes, ("service.name",), (str,))
    if service and not said.get("service.name"):
        said["service.name"] = service
    return resource_fields(said)


def _time(document: Json, names: Iterable[str]) -> Any:
    return first(document, names, (str, int, float, list))


def nanoseconds(value: Any) -> int:
    """Epoch nanoseconds of a time in any spelling, [seconds, nanoseconds] among them; 0: none."""
    if isinstance(value, list):
        return _pair(value)
    if isinstance(value, str) and value.isdecimal() and len(value) < 24:
        value = int(value)
    seconds = epoch(value)
    if seconds is None:
        return 0
    return value if isinstance(value, int) and value > 1e17 else round(seconds * 1e6) * 1000


def _pair(value: Sequence[Any]) -> int:
    if len(value) != 2 or not all(isinstance(part, int) and 0 <= part < 1 << 33 for part in value):
        return 0
    return int(value[0]) * 1_000_000_000 + int(value[1])


def _end(document: Json, start: int) -> int:
    end = nanoseconds(_time(document, _END))
    if end or not start:
        return end
    for name, unit in _DURATIONS:
        length = first(document, (name,), (int, float, str))
        if length is not None:
            return start + _length(length, unit)
    length = first(document, ("duration",), (int, float, str, list))
    if length is None:
        return 0
    if isinstance(length, list):
        return start + _pair(length)
    return start + _length(length, 1e3 if any(name in document for name in _MICROSECONDS) else 1.0)


def _length(value: Any, unit: float) -> int:
    """A duration in nanoseconds; text is a number, or seconds with an s."""
    if isinstance(value, str):
        match = _SECONDS.fullmatch(value)
        if match:
            return int(float(match[1]) * 1e9)
        value = float(value) if value.replace(".", "", 1).isdecimal() and len(value) < 32 else 0.0
    return int(value * unit) if isinstance(value, int | float) and 0 <= value * unit < 1e17 else 0


def _id(value: Any, length: int) -> str:
    """An id in hex; numbers (Datadog's) stay what they are."""
    if isinstance(value, str):
        text = value[2:] if value[:2] in ("0x", "0X") else value
        return "" if text == "undefined" else hex_id(text, length)
    return str(value) if isinstance(value, int) and value else ""


def _reference(document: Json) -> str:
    """The parent as Jaeger gives it."""
    references = document.get("references")
    for reference in references if isinstance(references, list) else ():
        if isinstance(reference, dict) and reference.get("refType", "CHILD_OF") == "CHILD_OF":
            return _id(first(reference, _SPAN), 16)
    return ""


def _events(document: Json, depth: int) -> Iterator[tuple[str, Attributes]]:
    listed = document.get("events") or document.get("logs")
    for event in listed[:1024] if isinstance(listed, list) else ():
        if not isinstance(event, dict):
            continue
        fields = event.get("attributes", event.get("fields"))
        said = dict(_pairs(fields, depth)) if isinstance(fields, list) else fields
        said = said if isinstance(said, dict) else {}
        name = event.get("name") or said.get("event") or said.get("name")
        yield name if isinstance(name, str) else "", said
