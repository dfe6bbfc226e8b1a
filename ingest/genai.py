"""Spans and log records of model calls, tool executions and agent steps to events.

Every transport (OTLP in JSON or protobuf, a span that a shipper flattened) brings its records into
the shape of `Span`; what the attributes mean is told by the tables in `ingest.aliases`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ingest import aliases, readings
from ingest.content import Content
from ingest.messages import finish_reason
from tocsin.model import Event
from tocsin.settings import LimitSettings

Attributes = dict[str, Any]


class Span(msgspec.Struct, gc=False):
    """One span, or one log record, in plain Python values; times in epoch seconds, 0 = not given."""

    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    name: str = ""
    kind: int = 0  # OTLP: 1 internal, 2 server, 3 client
    start: float = 0.0
    end: float = 0.0
    attributes: Attributes = {}
    events: list[tuple[str, Attributes]] = []
    failed: bool = False
    message: str = ""  # of the status
    scope: str = ""


class Draft:
    """What the attributes of a span gave: fields of the event, and ingredients for the rest."""

    __slots__ = ("fields", "indexed", "invalid", "raw", "rest")

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self.raw: dict[str, Any] = {}
        self.indexed: dict[str, Attributes] = {}
        self.invalid: list[str] = []
        self.rest: list[str] = []


Lookup = dict[str, tuple[str, int, bool, Callable[[Any], Any] | None]]


def _lookup(fields: tuple[aliases.Field, ...]) -> Lookup:
    """Attribute name to (target, rank, whether an ingredient, how to read it)."""
    return {
        name: (field.target, rank, field.target.startswith("_"), readings.READINGS[field.reading])
        for field in fields
        for rank, name in enumerate(field.names)
    }


_SPAN = _lookup(aliases.SPAN_FIELDS)
_RESOURCE = _lookup(aliases.RESOURCE_FIELDS)
_INDEXED = tuple(aliases.INDEXED)
_HINTS = frozenset(name for name, _ in aliases.OPERATION_NAMES)
# A call shows in what came back, not in the name of a model alone: baggage copies that anywhere.
_EVIDENCE = frozenset(
    name
    for field in aliases.SPAN_FIELDS
    if field.target in ("input_tokens", "output_tokens", "response_id", "_output")
    for name in field.names
    if name.startswith(("gen_ai.", "llm."))
)
_USAGE = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
)
_MODEL_CALL = frozenset("stop length tool_call refusal content_filter".split())


def read(attributes: Attributes, draft: Draft, lookup: Lookup = _SPAN) -> Draft:
    """Sort attributes into the draft; of several that mean one field the better name wins."""
    fields, raw, ranks = draft.fields, draft.raw, {}
    for key, value in attributes.items():
        alias = lookup.get(key)
        if alias is None:
            draft.rest.append(key)
            continue
        target, rank, ingredient, reading = alias
        if value is None or value == "" or ranks.get(target, 99) < rank:
            continue
        if reading is readings.text:
            if type(value) is not str or value[0] == '"' or len(value) > readings.IDENTIFIER:
                value = reading(value)
        elif reading is not None:
            value = reading(value)
            if value is None:
                draft.invalid.append(target)
                continue
        ranks[target] = rank
        if ingredient:
            raw[target] = value
        else:
            fields[target] = value
    return draft


def resource_fields(attributes: Attributes) -> dict[str, Any]:
    """What a resource says about all of its spans."""
    fields = read(attributes, Draft({}), _RESOURCE).fields
    if fields.get("service", "").startswith("unknown_service"):  # the SDK's word for "nobody said"
        del fields["service"]
    return fields


def operation(span: Span) -> aliases.Operation | None:
    """What the span does; None: nothing of ours."""
    attributes = span.attributes
    known: aliases.Operation | None = None
    for name, words in aliases.OPERATION_NAMES:
        word = attributes.get(name)
        if isinstance(word, str) and word:
            found = words.get(word.strip('"').lower())
            if found is not None and found.kind is not None:
                return found
            known = known or found
    if known is not None:
        return known
    if not _EVIDENCE.isdisjoint(attributes):
        return aliases.OPERATIONS["chat"]
    return _named(span)


def _named(span: Span) -> aliases.Operation | None:
    """A failed call may have left nothing but its name, `{operation} {model or tool}`."""
    word, _, rest = span.name.partition(" ")
    if span.failed and rest and " " not in rest and "instrumentation" in span.scope:
        found = aliases.OPERATIONS.get(word)
        if found is not None and found.kind in ("llm", "tool"):
            return found
    return None


class SpanReader:
    """Spans to events, under limits."""

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self._content = Content(limits)

    def event(self, span: Span, base: Mapping[str, Any]) -> Event | None:
        """The event that a span is; None where it is no call, tool, retrieval, step or evaluation."""
        found = operation(span)
        if found is None or found.kind is None:
            return None
        if found.kind == "tool" and str(span.attributes.get("gen_ai.tool.name", "")).startswith("("):
            return None  # a stand-in for several calls: "(merged tools)"
        draft = read(span.attributes, Draft(dict(base)))
        return self.finish(span, found, draft)

    def finish(self, span: Span, found: aliases.Operation, draft: Draft, half: str = "") -> Event:
        """Everything that follows from several attributes at once."""
        fields, kind = draft.fields, found.kind
        fields["kind"] = kind
        fields["operation"] = found.name
        _place(span, fields)
        if "provider" in fields:
            provider = fields["provider"]
            fields["provider"] = aliases.PROVIDERS.get(provider.lower(), provider)
        if draft.rest:
            self._unmapped(span.attributes, draft)
        if span.events:
            _exceptions(span, fields)
        if draft.raw or draft.indexed or span.events:
            self._content.fill(kind or "llm", span, draft)
        if kind != "llm":
            for name in _USAGE:
                fields.pop(name, None)
        elif "input_tokens" in fields:
            _include_cached(fields)
        if kind == "tool":
            _name_tool(span, fields)
        elif kind == "agent" and "agent" not in fields:
            _name_agent(span, fields)
        _status(span, fields, draft.raw)
        if draft.invalid:
            fields["invalid_fields"] = tuple(draft.invalid)
        if half:
            fields["half"] = half
        elif kind == "llm" and found.name != "embeddings" and not fields.get("content_available"):
            half = "span" if span.scope.startswith(aliases.CONTENT_IN_LOGS) else ""
        if half and span.trace_id and span.span_id:
            fields["half"] = half
            fields["join"] = f"{span.trace_id}:{span.span_id}"
        return Event(**fields)

    def _unmapped(self, attributes: Attributes, draft: Draft) -> None:
        """Numbered attributes go to their ingredient, a bounded rest is kept as text."""
        kept: dict[str, str] = {}
        width = self._limits.attribute_characters
        for key in draft.rest:
            if key.startswith(_INDEXED):
                prefix = next(prefix for prefix in _INDEXED if key.startswith(prefix))
                draft.indexed.setdefault(prefix, {})[key[len(prefix) :]] = attributes[key]
            elif len(kept) < self._limits.attributes and key.partition(".")[0] not in aliases.NOISE:
                value = attributes[key]
                if value not in (None, "", 0):
                    kept[key[:256]] = readings.text(value)[:width]
        if kept:
            draft.fields["attributes"] = kept


def _place(span: Span, fields: dict[str, Any]) -> None:
    if span.trace_id:
        fields["trace_id"] = span.trace_id
    if span.span_id:
        fields["span_id"] = span.span_id
    if span.parent_id:
        fields["parent_span_id"] = span.parent_id
    start, end = span.start, span.end
    fields["time"] = start or end
    if start and end >= start:
        fields["duration_ms"] = round((end - start) * 1e3, 3)


def _exceptions(span: Span, fields: dict[str, Any]) -> None:
    """The last recorded exception, where the span itself does not say what went wrong."""
    for name, attributes in reversed(span.events):
        if name == "exception":
            kind, message = attributes.get("exception.type"), attributes.get("exception.message")
            if kind:
                fields.setdefault("error_type", readings.text(kind))
            if message and not span.message:
                fields.setdefault("error_message", readings.text(message))
            return


def _status(span: Span, fields: dict[str, Any], raw: dict[str, Any]) -> None:
    """Finish reason first: a refusal is an answer, but not a good one."""
    if "_finish" in raw:
        fields["finish_reason"] = finish_reason(raw["_finish"])
    reason = fields.get("finish_reason")
    if span.failed or reason == "error" or "error_type" in fields:
        fields["status"] = "error"
        _error(span, fields)
    elif reason == "refusal":
        fields["status"] = "refused"
    elif reason == "content_filter":
        fields["status"] = "blocked"
    if fields.get("http_status", 0) >= 600:
        del fields["http_status"]
    if "cost_usd" in fields:
        fields["cost_source"] = "reported"
    if "_first_token" in raw:
        _first_token(span, fields, raw["_first_token"])


def _error(span: Span, fields: dict[str, Any]) -> None:
    if span.message:
        fields["error_message"] = span.message
    kind = fields.get("error_type", "")
    if kind.startswith("<class '"):
        fields["error_type"] = kind[8:].rstrip("'>")
    elif kind.isdecimal() and len(kind) == 3:
        fields.setdefault("http_status", int(kind))


def _first_token(span: Span, fields: dict[str, Any], seconds: float) -> None:
    """Producers give seconds by the convention, and milliseconds against it: longer than the call."""
    milliseconds = seconds * 1e3
    if span.end > span.start and milliseconds > (span.end - span.start) * 1e3 + 1000 and seconds >= 1:
        milliseconds = seconds
    fields.setdefault("first_token_ms", milliseconds)


def _include_cached(fields: dict[str, Any]) -> None:
    """Input tokens include cached ones. Where they are fewer than the cached, they surely did not."""
    cached = (fields.get("cache_read_tokens") or 0) + (fields.get("cache_write_tokens") or 0)
    if cached > fields["input_tokens"]:
        fields["input_tokens"] += cached


def _name_tool(span: Span, fields: dict[str, Any]) -> None:
    if "tool_name" not in fields:
        words = span.name.split(" ")
        fields["tool_name"] = words[-1] if len(words) > 1 else span.name.removesuffix(".tool")
    name = fields["tool_name"]
    if name.startswith("mcp__") and name.count("__") >= 2:  # mcp__server__tool
        _, server, tool = name.split("__", 2)
        fields.setdefault("tool_server", server)
        fields["tool_name"] = tool


def _name_agent(span: Span, fields: dict[str, Any]) -> None:
    name = span.attributes.get("traceloop.entity.name") or span.attributes.get("gen_ai.workflow.name")
    if not name:
        name = span.name.partition(" ")[2]
    if name:
        fields["agent"] = readings.text(name)
