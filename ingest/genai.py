"""Spans and log records of model calls, tool executions and agent steps to events."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec.structs import force_setattr

from ingest import aliases, coding_agents, readings, told, vendors
from ingest.content import Content, flattened
from ingest.draft import Attributes, Draft, Span, operation, read
from ingest.messages import finish_reason
from tocsin.model import Event
from tocsin.settings import LimitSettings

_INDEXED = tuple(aliases.INDEXED)
_USAGE = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
    "cost_usd",
)  # fmt: skip
_JOINED = ("llm", "tool")  # kinds that may be reported twice
_NO_CONTENT = frozenset((
    "_finish", "_first_token", "_first_token_at", "_mcp", "_operation", "_usage", "_model", "_cost",
    "_level", "_input_details", "_output_details", "_metadata", "_parameters", "_total_tokens",
))  # fmt: skip
_TOOL_PREFIX = re.compile(
    r"^(?:.{0,64}\btools/call|execute_tool|tool[_ ]call|call_tool|running tool|tool|function)s?:?\s+", re.I
)
# Where a step's own name stands, better than in the name of its span.
_STEP_NAMES = ("traceloop.entity.name", "operation.name", "genkit:name", "gen_ai.workflow.name")


class SpanReader:
    """Spans to events, under limits."""

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self._content = Content(limits)

    def event(self, span: Span, base: Mapping[str, Any]) -> Event | None:
        """The event that a span is; None where it is no call, tool, retrieval, step or evaluation."""
        if coding_agents.tells(span):
            return coding_agents.span_event(self, span, base)
        found = operation(span)
        if found is None:
            return self._elsewhere(span, base) if span.attributes else None
        if found.kind is None:
            return None
        if found.kind == "tool" and str(span.attributes.get("gen_ai.tool.name", "")).startswith("("):
            return None  # a stand-in for several calls: "(merged tools)"
        return self.finish(span, found, base)

    def _elsewhere(self, span: Span, base: Mapping[str, Any]) -> Event | None:
        """The event of a span that keeps to no convention."""
        if "litellm" in span.scope and (bodies := vendors.repeated(span.attributes)) is not None:
            span.attributes = bodies
            return _inside(self.finish(span, aliases.OPERATIONS["chat"], base))
        told_so = vendors.translated(span.attributes)
        if told_so is None:
            return None
        found, span.attributes = told_so
        return self.finish(span, found, base)

    def finish(self, span: Span, found: aliases.Operation, base: Mapping[str, Any], half: str = "") -> Event:
        """The event of a span whose operation is known; `base` is what its resource says."""
        draft = read(span.attributes, Draft())
        raw, kind = draft.raw, found.kind or "llm"
        fields = draft.fields = {**base, **draft.fields}
        fields["kind"] = kind
        fields["operation"] = found.name
        fields["source_format"] = "otlp"
        fields["trace_id"] = span.trace_id
        fields["span_id"] = span.span_id
        fields["parent_span_id"] = span.parent_id
        start, end = span.start, span.end
        fields["time"] = (start or end) / 1e9
        if end >= start > 0:
            fields["duration_ms"] = (end - start) / 1e6
        if draft.rest:
            self._unmapped(span.attributes, draft)
        if "_metadata" in raw:
            told.identify(draft)
        if draft.indexed:
            flattened(draft)
        if "_level" in raw and raw["_level"].lower() in ("error", "true"):
            span.failed = True
        if kind == "llm":
            told.complete(span, draft)
        if span.events or not _NO_CONTENT.issuperset(raw):
            self._content.fill(kind, span, draft)
        if "_finish" in raw:
            fields["finish_reason"] = finish_reason(raw["_finish"])
        _KINDS[kind](span, fields)
        _status(span, fields)
        if "_first_token" in raw:
            _first_token(span, fields, raw["_first_token"])
        if draft.invalid:
            fields["invalid_fields"] = tuple(draft.invalid)
        if kind in _JOINED and span.trace_id and span.span_id:
            fields["half"] = half or _waits(span, found, fields)
            fields["join"] = f"{span.trace_id}:{span.span_id}"
        return Event(**fields)

    def _unmapped(self, attributes: Attributes, draft: Draft) -> None:
        """Numbered attributes go to their ingredient, a bounded rest is kept as text."""
        kept: dict[str, str] = {}
        width = self._limits.attribute_characters
        for key in draft.rest:
            if key.startswith(_INDEXED):
                prefix = next(prefix for prefix in _INDEXED if key.startswith(prefix))
                if key[len(prefix) : len(prefix) + 1].isdecimal():
                    draft.indexed.setdefault(prefix, {})[key[len(prefix) :]] = attributes[key]
            elif len(kept) < self._limits.attributes and key.partition(".")[0] not in aliases.NOISE:
                value = attributes[key]
                if value not in (None, "", 0):
                    kept[key[:256]] = readings.text(value)[:width]
        if kept:
            draft.fields["attributes"] = kept


def _inside(event: Event) -> Event:
    """The bodies of a call in a span of their own: they belong to the span around it."""
    if event.parent_span_id:
        force_setattr(event, "join", f"{event.trace_id}:{event.parent_span_id}")
        force_setattr(event, "half", "response")
    return event


def _waits(span: Span, found: aliases.Operation, fields: Mapping[str, Any]) -> str:
    """A model call without content whose producer sends the content in log records is a half."""
    if "content_available" in fields or found.kind == "tool" or found.name == "embeddings":
        return ""
    return "span" if span.scope.startswith(aliases.CONTENT_IN_LOGS) else ""


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


def _status(span: Span, fields: dict[str, Any]) -> None:
    """An error is one whatever the model said; a refusal is an answer, but not a good one."""
    if span.events:
        _exceptions(span, fields)
    reason = fields.get("finish_reason")
    if span.failed or reason == "error" or "error_type" in fields:
        fields["status"] = "error"
        _error(span, fields)
    elif reason == "refusal":
        fields["status"] = "refused"
    elif reason == "content_filter":
        fields["status"] = "blocked"
    if "http_status" in fields and fields["http_status"] >= 600:
        del fields["http_status"]


_TELLING = 160  # characters of an error's text that everybody keeps
_CAUSES = (
    re.compile(r"""['"]message\\?['"]:\s?\\?(?P<quote>['"])(?P<cause>.{1,512}?)\\?(?P=quote)""", re.DOTALL),
    re.compile(r"(?P<cause>Error code: \d{3}[^\n]{1,300})"),
)


def _telling(message: str) -> str:
    """The provider's own words before those of the layers that passed the error on, where these are long."""
    for pattern in _CAUSES:
        cause = pattern.search(message, 0, readings.IDENTIFIER)
        if cause and cause.end("cause") > _TELLING:
            return f"{cause['cause']}: {message}"
    return message


def _error(span: Span, fields: dict[str, Any]) -> None:
    if span.message:
        fields["error_message"] = span.message
    if len(fields.get("error_message", "")) > _TELLING:
        fields["error_message"] = _telling(fields["error_message"])
    kind = fields.get("error_type", "")
    if kind.startswith("<class '"):
        fields["error_type"] = kind[8:].rstrip("'>")
    elif kind.isdecimal() and len(kind) == 3:
        fields.setdefault("http_status", int(kind))


def _first_token(span: Span, fields: dict[str, Any], seconds: float) -> None:
    """Producers give seconds by the convention, and milliseconds against it: longer than the call."""
    milliseconds = seconds * 1e3
    if seconds >= 1 and milliseconds > (span.end - span.start) / 1e6 + 1000:
        milliseconds = seconds
    fields.setdefault("first_token_ms", milliseconds)


def _model_call(span: Span, fields: dict[str, Any]) -> None:
    provider = fields.get("provider")
    if provider:
        fields["provider"] = aliases.PROVIDERS.get(provider.lower(), provider)
    if "cost_usd" in fields:
        fields["cost_source"] = "reported"


def _other(span: Span, fields: dict[str, Any]) -> None:
    """Usage belongs to model calls: whatever encloses them only repeats it."""
    provider = fields.get("provider")
    if provider:
        fields["provider"] = aliases.PROVIDERS.get(provider.lower(), provider)
    for name in _USAGE:
        fields.pop(name, None)


def _tool(span: Span, fields: dict[str, Any]) -> None:
    _other(span, fields)
    if fields.get("tool_call_id", "").startswith("<"):  # "<not specified>"
        del fields["tool_call_id"]
    if "tool_name" not in fields:
        named = _step_name(span) or _TOOL_PREFIX.sub("", span.name).removesuffix(".tool")
        fields["tool_name"] = named or span.name
    name = fields["tool_name"]
    if name.startswith("mcp__") and name.count("__") >= 2:  # mcp__server__tool
        _, server, tool = name.split("__", 2)
        fields.setdefault("tool_server", server)
        fields["tool_name"] = tool


def _agent(span: Span, fields: dict[str, Any]) -> None:
    _other(span, fields)
    if "agent" not in fields:
        name = _step_name(span) or span.name.partition(" ")[2]
        if name:
            fields["agent"] = name


def _step_name(span: Span) -> str:
    named = next((span.attributes[name] for name in _STEP_NAMES if span.attributes.get(name)), "")
    return readings.text(named)


_KINDS = {"llm": _model_call, "tool": _tool, "agent": _agent, "retrieval": _other, "evaluation": _other}
