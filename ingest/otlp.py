"""OTLP in JSON: traces and logs, in the dialects of the collector, the SDKs and protobuf's own printer."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Any

from ingest import aliases
from ingest.genai import Attributes, Draft, Span, SpanReader, read, resource_fields
from ingest.lenient import Unreadable, loads
from ingest.join import joined
from ingest.times import epoch
from tocsin.model import Decoded, Event, Reject
from tocsin.settings import LimitSettings

Json = dict[str, Any]

ROOTS = ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs")
_KINDS = {"SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3, "SPAN_KIND_PRODUCER": 4}
_FAILED = frozenset((2, "2", "STATUS_CODE_ERROR", "ERROR", "Error"))


class TooDeep(Exception):
    """A value is nested deeper than the limit."""


class OtlpDecoder:
    """Export requests for traces and logs; metrics are known and ignored."""

    name = "otlp"

    def __init__(self, limits: LimitSettings | None = None) -> None:
        self._limits = limits or LimitSettings()
        self._spans = SpanReader(self._limits)

    def decode(self, value: bytes) -> Decoded:
        try:
            document = loads(value)
        except Unreadable as error:
            return Decoded([error.reject()])
        if not isinstance(document, dict) or not recognises(document):
            return Decoded([Reject(reason="unrecognised", detail="no OTLP export request")])
        return self.read(document)

    def read(self, document: Json) -> Decoded:
        """What a parsed export request holds."""
        found = Found(self._limits)
        for resource, scope, span in walk(document, "Spans", "spans"):
            if found.full():
                break
            self._span(span, scope, resource, found)
        items = joined(found.items)
        if "resourceLogs" in document or "resource_logs" in document:
            logs = Logs(self._spans, self._limits)
            for resource, scope, entry in walk(document, "Logs", "logRecords"):
                if found.full():
                    break
                logs.add(entry, scope, resource, found)
            items = [*items, *logs.events()]
        return Decoded(items, found.ignored)

    def _span(self, span: Any, scope: str, resource: Json, found: Found) -> None:
        try:
            event = self._spans.event(as_span(span, scope, self._limits.depth), resource)
        except TooDeep:
            found.items.append(Reject(reason="too_deep", detail="an attribute is nested too deep"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            found.items.append(Reject(reason="invalid", detail=f"span: {type(error).__name__}"))
        else:
            if event is None:
                found.ignored += 1
            else:
                found.items.append(event)


class Found:
    """What a walk has brought so far."""

    __slots__ = ("_room", "ignored", "items")

    def __init__(self, limits: LimitSettings) -> None:
        self.items: list[Event | Reject] = []
        self.ignored = 0
        self._room = limits.events_per_record

    def full(self) -> bool:
        """Whether the record holds more than it may; says so, once."""
        if len(self.items) < self._room:
            return False
        self.items.append(Reject(reason="too_many", detail=f"more than {self._room} events in one record"))
        return True


def recognises(document: Json) -> bool:
    return any(root in document for root in ROOTS) or "resourceMetrics" in document


def walk(document: Json, signal: str, leaf: str) -> Iterator[tuple[Json, str, Any]]:
    """(fields of the resource, name of the scope, record) for each record of a signal, in order."""
    for group in _list(document, f"resource{signal}", f"resource_{signal.lower()}"):
        if not isinstance(group, dict):
            continue
        resource = group.get("resource")
        fields = resource_fields(attributes_of(resource)) if isinstance(resource, dict) else {}
        scopes = _list(group, f"scope{signal}", f"scope_{signal.lower()}")
        for part in scopes or _list(group, f"instrumentationLibrary{signal}", ""):
            if not isinstance(part, dict):
                continue
            scope = part.get("scope") or part.get("instrumentationLibrary")
            name = scope.get("name") if isinstance(scope, dict) else ""
            for record in _list(part, leaf, "log_records"):
                yield fields, name if isinstance(name, str) else "", record


def _list(holder: Json, camel: str, snake: str) -> list[Any]:
    found = holder.get(camel) or holder.get(snake)
    return found if isinstance(found, list) else []


def attributes_of(holder: Json, depth: int = 64) -> Attributes:
    """Key-value pairs as a plain dict; of a key given twice the last value counts."""
    attributes: Attributes = {}
    pairs = holder.get("attributes")
    if not pairs:
        return attributes
    try:
        for pair in pairs:
            key = pair["key"]
            for value in pair["value"].values():  # one at most: it is a union
                attributes[key] = plain(value, depth) if type(value) is dict else value
    except (KeyError, TypeError, AttributeError):
        return _odd_attributes(pairs, depth)
    return attributes


def _odd_attributes(pairs: Any, depth: int) -> Attributes:
    """The same for what keeps to no rule: a plain object, pairs without a value."""
    if isinstance(pairs, dict):
        return {str(key): plain(value, depth) for key, value in pairs.items()}
    attributes: Attributes = {}
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, dict) and isinstance(pair.get("key"), str):
            attributes[pair["key"]] = any_value(pair.get("value"), depth)
    return attributes


def any_value(value: Any, depth: int) -> Any:
    """An AnyValue as a Python value; an empty one is None."""
    if not isinstance(value, dict):
        return value
    inner = next(iter(value.values()), None)
    return plain(inner, depth) if type(inner) is dict else inner


def plain(value: Any, depth: int) -> Any:
    """An ArrayValue as a list, a KeyValueList as a dict. Raises TooDeep."""
    if depth <= 0:
        raise TooDeep
    if not isinstance(value, dict):
        return value
    items = value.get("values")
    if not isinstance(items, list):
        return {} if items is None and not value else {str(k): plain(v, depth - 1) for k, v in value.items()}
    if items and isinstance(items[0], dict) and "key" in items[0]:
        pairs = (item for item in items if isinstance(item, dict))
        return {str(pair.get("key")): any_value(pair.get("value"), depth - 1) for pair in pairs}
    return [any_value(item, depth - 1) for item in items]


def as_span(span: Json, scope: str, depth: int) -> Span:
    get = span.get
    status = get("status")
    kind = get("kind", 0)
    name = get("name", "")
    trace, own, parent = get("traceId"), get("spanId"), get("parentSpanId")
    if trace is None:
        trace, own, parent = get("trace_id"), get("span_id"), get("parent_span_id")
    return Span(
        hex_id(trace, 32),
        hex_id(own, 16),
        hex_id(parent, 16),
        name if isinstance(name, str) else "",
        kind if isinstance(kind, int) else _KINDS.get(kind, 0),
        moment(get("startTimeUnixNano") or get("start_time_unix_nano")),
        moment(get("endTimeUnixNano") or get("end_time_unix_nano")),
        attributes_of(span, depth),
        _span_events(get("events"), depth) if "events" in span else [],
        bool(status) and status.get("code") in _FAILED,
        _message(status) if status else "",
        scope,
    )


def _message(status: Json) -> str:
    message = status.get("message")
    return message[:4096] if isinstance(message, str) else ""


def _span_events(events: Any, depth: int) -> list[tuple[str, Attributes]]:
    if not isinstance(events, list):
        return []
    return [
        (str(event.get("name", "")), attributes_of(event, depth))
        for event in events[:1024]
        if isinstance(event, dict)
    ]


def moment(value: Any) -> float:
    """Nanoseconds, as text or number, in seconds; 0 where there is none."""
    try:
        nanoseconds = int(value)
    except (TypeError, ValueError, OverflowError):
        return epoch(value) or 0.0
    return nanoseconds / 1e9 if 0 <= nanoseconds < 4_294_967_296_000_000_000 else 0.0


def hex_id(value: Any, length: int) -> str:
    """A trace or span id in lower-case hex; protobuf's own printer writes base64. "" where it is none."""
    if not isinstance(value, str) or not value:
        return ""
    if len(value) == length:
        value = value.lower()
    elif len(value) == -(-length // 6) * 4:
        try:
            value = base64.b64decode(value, validate=True).hex()
        except binascii.Error:
            return value[:64]
    return value[:64] if value.strip("0") else ""


class Logs:
    """Log records of one export request: those of one span come together as one half of a call."""

    def __init__(self, spans: SpanReader, limits: LimitSettings) -> None:
        self._reader = spans
        self._limits = limits
        self._events: list[Event] = []
        self._calls: dict[tuple[str, str], tuple[Span, Json]] = {}

    def events(self) -> Iterable[Event]:
        return [*self._events, *(self._call(span, resource) for span, resource in self._calls.values())]

    def add(self, entry: Any, scope: str, resource: Json, found: Found) -> None:
        try:
            used = isinstance(entry, dict) and self._add(entry, scope, resource)
        except TooDeep:
            found.items.append(Reject(reason="too_deep", detail="a log record is nested too deep"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            found.items.append(Reject(reason="invalid", detail=f"log record: {type(error).__name__}"))
        else:
            found.ignored += not used

    def _add(self, entry: Json, scope: str, resource: Json) -> bool:
        depth = self._limits.depth
        span = as_span(entry, scope, depth)
        span.start = next((time for time in map(moment, _times(entry)) if time), 0.0)
        body = any_value(entry.get("body"), depth)
        name = _event_name(entry, span.attributes, body)
        if name in aliases.MESSAGE_EVENTS:
            self._message(span, name, body, resource)
            return True
        operation = aliases.DETAIL_EVENTS.get(name)
        if operation is None:
            return False
        if isinstance(body, dict):
            span.attributes = {**body, **span.attributes}
        self._events.append(self._details(span, operation, resource))
        return True

    def _details(self, span: Span, operation: aliases.Operation, resource: Json) -> Event:
        span.name, span.failed = "", "error.type" in span.attributes or "exception.type" in span.attributes
        word = span.attributes.get("gen_ai.operation.name")
        named = aliases.OPERATIONS.get(word.lower()) if isinstance(word, str) else None
        if named is not None and named.kind is not None and operation.kind == "llm":
            operation = named
        draft = read(span.attributes, Draft(dict(resource)))
        half = "log" if operation.kind == "llm" and span.trace_id and span.span_id else ""
        return self._reader.finish(span, operation, draft, half)

    def _message(self, span: Span, name: str, body: Any, resource: Json) -> None:
        """Without ids the messages up to a choice are one call."""
        key = (span.trace_id, span.span_id) if span.span_id else ("", "")
        call = self._calls.setdefault(key, (span, resource))[0]
        if not call.events:
            call.events = []
        if body in (None, "", {}):
            body = {k.removeprefix("gen_ai.event."): v for k, v in span.attributes.items()}
            content = span.attributes.get("gen_ai.event.content")
            body = content if content is not None else body
        call.events.append((name, body))
        call.attributes = {**call.attributes, **span.attributes}
        if not span.span_id and name == "gen_ai.choice":
            self._events.append(self._call(*self._calls.pop(key)))

    def _call(self, span: Span, resource: Json) -> Event:
        span.attributes.pop("event.name", None)
        draft = read(span.attributes, Draft(dict(resource)))
        half = "log" if span.trace_id and span.span_id else ""
        return self._reader.finish(span, aliases.OPERATIONS["chat"], draft, half)


def _times(entry: Json) -> tuple[Any, ...]:
    names = ("timeUnixNano", "time_unix_nano", "observedTimeUnixNano", "observed_time_unix_nano")
    return tuple(entry.get(name) for name in names)


def _event_name(entry: Json, attributes: Attributes, body: Any) -> str:
    """The event's name stands in one of three places; if they differ, the one that is known counts."""
    places = (entry.get("eventName") or entry.get("event_name"), attributes.get("event.name"))
    names = [name for name in (*places, body) if isinstance(name, str) and name and len(name) < 256]
    known = (n for n in names if n in aliases.MESSAGE_EVENTS or n in aliases.DETAIL_EVENTS)
    return next(known, names[0] if names else "")
