"""OTLP in JSON: export requests for traces and logs to events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ingest import aliases, otlp_typed
from ingest.draft import Attributes, Span
from ingest.genai import SpanReader
from ingest.join import joined
from ingest.lenient import Unreadable, loads
from ingest.otlp_walk import Json, TooDeep, any_value, as_span, nanoseconds, walk
from tocsin.model import Decoded, Event, Reject
from tocsin.settings import LimitSettings

ROOTS = ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs")


class OtlpDecoder:
    """Export requests for traces and logs; metrics are known and ignored."""

    name = "otlp"

    def __init__(self, limits: LimitSettings | None = None) -> None:
        self._limits = limits or LimitSettings()
        self._spans = SpanReader(self._limits)

    def decode(self, value: bytes) -> Decoded:
        usual = otlp_typed.export(value)
        if usual is not None:
            return self._typed(usual)
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
            self._span(as_span, span, scope, resource, found)
        return self._with_logs(document, found)

    def _typed(self, export: otlp_typed.Export) -> Decoded:
        found = Found(self._limits)
        for resource, scope, span in otlp_typed.spans(export):
            if found.full():
                break
            self._span(otlp_typed.as_span, span, scope, resource, found)
        return self._with_logs({"resourceLogs": export.resource_logs}, found)

    def _with_logs(self, document: Json, found: Found) -> Decoded:
        items = joined(found.items)
        if document.get("resourceLogs") or document.get("resource_logs"):
            found = Found(self._limits, len(items), found.ignored)
            logs = Logs(self._spans, self._limits)
            for resource, scope, entry in walk(document, "Logs", "logRecords"):
                if found.full():
                    break
                logs.add(entry, scope, resource, found)
            items = [*items, *logs.events(), *found.items]
        return Decoded(items, found.ignored)

    def _span(self, shape: Callable[..., Span], span: Any, scope: str, resource: Json, found: Found) -> None:
        try:
            event = self._spans.event(shape(span, scope, self._limits.depth), resource)
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

    __slots__ = ("_room", "_seen", "ignored", "items")

    def __init__(self, limits: LimitSettings, used: int = 0, ignored: int = 0) -> None:
        self.items: list[Event | Reject] = []
        self.ignored = ignored
        self._room = limits.events_per_record - used
        self._seen = 0

    def full(self) -> bool:
        """Whether the record holds more than it may; says so, once."""
        self._seen += 1
        if self._seen <= self._room:
            return False
        self.items.append(Reject(reason="too_many", detail=f"more than {self._room} events in one record"))
        return True


def recognises(document: Json) -> bool:
    return any(root in document for root in ROOTS) or "resourceMetrics" in document


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
        span.start = next((time for time in map(nanoseconds, _times(entry)) if time), 0)
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
        half = "log" if operation.kind == "llm" and span.trace_id and span.span_id else ""
        return self._reader.finish(span, operation, resource, half)

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
        half = "log" if span.trace_id and span.span_id else ""
        return self._reader.finish(span, aliases.OPERATIONS["chat"], resource, half)


def _times(entry: Json) -> tuple[Any, ...]:
    names = ("timeUnixNano", "time_unix_nano", "observedTimeUnixNano", "observed_time_unix_nano")
    return tuple(entry.get(name) for name in names)


def _event_name(entry: Json, attributes: Attributes, body: Any) -> str:
    """The event's name stands in one of three places; if they differ, the one that is known counts."""
    places = (entry.get("eventName") or entry.get("event_name"), attributes.get("event.name"))
    names = [name for name in (*places, body) if isinstance(name, str) and name and len(name) < 256]
    known = (n for n in names if n in aliases.MESSAGE_EVENTS or n in aliases.DETAIL_EVENTS)
    return next(known, names[0] if names else "")
