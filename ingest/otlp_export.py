"""What an export request holds, whatever it was written in: spans and log records to events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ingest import aliases, coding_agents
from ingest.draft import Attributes, Span
from ingest.genai import SpanReader
from ingest.join import joined
from ingest.templates import Templates
from tocsin.model import Decoded, Event, Reject
from tocsin.settings import LimitSettings

Fields = dict[str, Any]  # what a resource says about all that it sent
Parts = Iterable[tuple[Fields, str, Any]]  # (fields of the resource, name of the scope, span or log record)

_WRONG = (KeyError, TypeError, ValueError, AttributeError)


class TooDeep(Exception):
    """A value is nested deeper than the limit."""


class TooMany(Exception):
    """A value has more parts than anybody reads."""


class Log(NamedTuple):
    """A log record: its place, time and attributes as a span has them, its body, its name."""

    span: Span
    body: Any
    name: str


class Form(NamedTuple):
    """How the spans and log records of one encoding are read: (raw, scope, depth) to plain values."""

    span: Callable[[Any, str, int], Span]
    log: Callable[[Any, str, int], Log | None]


class Exports:
    """Reads export requests, under limits."""

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self._spans = SpanReader(limits)
        self._templates = Templates(self._spans, limits)

    def traces(self, spans: Parts, form: Form) -> Decoded:
        """The events that spans are; those of one call are joined."""
        items: list[Event | Reject] = []
        ignored, depth, shape, event_of = 0, self._limits.depth, form.span, self._templates.event
        parts = iter(spans)
        for resource, scope, span in islice(parts, self._limits.events_per_record):
            try:
                event = event_of(shape(span, scope, depth), resource)
            except (TooDeep, TooMany, *_WRONG) as error:
                items.append(_refused("span", error))
            else:
                if event is None:
                    ignored += 1
                else:
                    items.append(event)
        return Decoded(joined([*items, *self._rest(parts)]), ignored)

    def logs(self, records: Parts, form: Form, before: Decoded = Decoded(())) -> Decoded:  # noqa: B008
        """What came before, and the events that log records tell of."""
        items: list[Event | Reject] = []
        ignored, logs, parts = before.ignored, Logs(self._spans), iter(records)
        for resource, scope, record in islice(parts, self._limits.events_per_record - len(before.items)):
            try:
                log = form.log(record, scope, self._limits.depth)
                used = log is not None and logs.add(log, resource)
            except (TooDeep, TooMany, *_WRONG) as error:
                items.append(_refused("log record", error))
            else:
                ignored += not used
        return Decoded([*before.items, *logs.events(), *items, *self._rest(parts)], ignored)

    def _rest(self, parts: Iterator[Any]) -> Iterator[Reject]:
        """A reject where there are more parts than a record may hold."""
        if next(parts, None) is not None:
            most = self._limits.events_per_record
            yield Reject(reason="too_many", detail=f"more than {most} events in one record")


def _refused(what: str, error: Exception) -> Reject:
    if isinstance(error, TooDeep):
        return Reject(reason="too_deep", detail=f"a value in a {what} is nested too deep")
    if isinstance(error, TooMany):
        return Reject(reason="too_many", detail=f"a value in a {what} has too many parts")
    return Reject(reason="invalid", detail=f"{what}: {type(error).__name__}")


class Logs:
    """Log records of one export request: those of one span come together as one half of a call."""

    def __init__(self, reader: SpanReader) -> None:
        self._reader = reader
        self._events: list[Event] = []
        self._calls: dict[tuple[str, str], tuple[Span, Fields]] = {}

    def events(self) -> Sequence[Event | Reject]:
        return [*self._events, *(self._told(span, resource) for span, resource in self._calls.values())]

    def add(self, log: Log, resource: Fields) -> bool:
        """Whether the record tells of anything of ours."""
        span, body = log.span, log.body
        told = coding_agents.named(log, resource)
        if told:
            event = coding_agents.log_event(self._reader, told, span, resource)
            self._events += [event] if event else []
            return event is not None
        name = event_name(log)
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

    def _details(self, span: Span, operation: aliases.Operation, resource: Fields) -> Event:
        span.name, span.failed = "", "error.type" in span.attributes or "exception.type" in span.attributes
        word = span.attributes.get("gen_ai.operation.name")
        named = aliases.OPERATIONS.get(word.lower()) if isinstance(word, str) else None
        if named is not None and named.kind is not None and operation.kind == "llm":
            operation = named
        half = "log" if operation.kind == "llm" and span.trace_id and span.span_id else ""
        return self._reader.finish(span, operation, resource, half)

    def _message(self, span: Span, name: str, body: Any, resource: Fields) -> None:
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

    def _told(self, span: Span, resource: Fields) -> Event | Reject:
        try:
            return self._call(span, resource)
        except (TooDeep, TooMany, *_WRONG) as error:
            return _refused("log record", error)

    def _call(self, span: Span, resource: Fields) -> Event:
        span.attributes.pop("event.name", None)
        half = "log" if span.trace_id and span.span_id else ""
        return self._reader.finish(span, aliases.OPERATIONS["chat"], resource, half)


def event_name(log: Log) -> str:
    """The event's name stands in one of three places; if they differ, the one that is known counts."""
    attributes: Attributes = log.span.attributes
    places = (log.name, attributes.get("event.name"), log.body)
    names = [name for name in places if isinstance(name, str) and name and len(name) < 256]
    known = (n for n in names if n in aliases.MESSAGE_EVENTS or n in aliases.DETAIL_EVENTS)
    return next(known, names[0] if names else "")
