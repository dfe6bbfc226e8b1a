"""Telemetry of coding agents: log events and spans in words of their own, in those of the conventions.

One event for each model call and tool execution. Where an agent tells of one twice, in a span and in
a log record, both are halves that find each other by an id they share, or by what they agree on;
what only announces a call or repeats it is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from msgspec.structs import force_setattr

from ingest import coding_agent_events as words
from ingest import readings
from ingest.aliases import OPERATIONS, Operation
from ingest.draft import Attributes, Span
from ingest.messages import as_text, structure
from ingest.times import epoch
from tocsin.model import Event

if TYPE_CHECKING:
    from ingest.genai import SpanReader
    from ingest.otlp_export import Log

_CODEX_USAGE = "codex.usage.total_tokens"
_NOT_SAID = frozenset(("<REDACTED>", "[REDACTED]", ""))


class Told(NamedTuple):
    """Which agent tells of what."""

    agent: str  # the prefix of its event names
    event: str


def named(log: Log, base: Mapping[str, Any]) -> Told | None:
    """What a log record tells, by its names in order of trust; None: it is no coding agent's."""
    first = ""
    for name in (log.name, log.span.attributes.get("event.name"), log.body):
        if isinstance(name, str) and len(name) < 128:
            agent, _, event = name.partition(".")
            if event and agent in words.AGENTS:
                return Told(agent, event)
            first = first or name
    own = words.SERVICES.get(base.get("service", "")) or words.SCOPES.get(log.span.scope)
    return Told(own, first) if own and first else None


def tells(span: Span) -> bool:
    """Whether a span is a coding agent's."""
    if span.scope in words.SCOPES or _CODEX_USAGE in span.attributes:
        return True
    return span.name.partition(".")[0] in words.AGENTS


def log_event(reader: SpanReader, told: Told, span: Span, base: Mapping[str, Any]) -> Event | None:
    """The event that a log record is; None: it only announces or repeats one, or is none of ours."""
    _log_times(span)
    rule = words.EVENTS.get(told.event)
    if rule is None or told.agent in rule.ignored:
        return None
    attributes = span.attributes = _spelt(told.agent, rule.operation, span.attributes)
    if not _happened(told, attributes):
        return None
    span.failed = span.failed or _failed(told, attributes)
    join, half = _log_join(told, rule, span)
    if rule.operation.kind == "llm":
        _answered(attributes)
    elif rule.operation.kind == "agent":
        _step(told, attributes)
    return _joined(reader, span, rule.operation, base, join, half)


def span_event(reader: SpanReader, span: Span, base: Mapping[str, Any]) -> Event | None:
    """The event that a coding agent's span is; None where a log record or another span tells it."""
    bridged = span.attributes.get("event.name")
    if isinstance(bridged, str) and _of_agent(bridged):  # a log record, sent as a span
        agent, _, name = bridged.partition(".")
        return log_event(reader, Told(agent, name), span, base)
    agent, operation = _does(span)
    if operation is None:
        return None
    attributes = span.attributes = _spelt(agent, operation, span.attributes)
    span.failed = span.failed or readings.flag(attributes.get("success")) is False
    if operation.kind == "tool":
        _tool_span(span, attributes)
    join, half = _span_join(agent, operation, span)
    return _joined(reader, span, operation, base, join, half)


def _does(span: Span) -> tuple[str, Operation | None]:
    """Whose span it is, and what it does: by the rest of its name, else by its operation."""
    agent, _, name = span.name.partition(".")
    if agent not in words.AGENTS:
        agent = words.SCOPES.get(span.scope, "codex")
        name = as_text(span.attributes.get("gen_ai.operation.name"))
    if agent == "codex":
        return agent, OPERATIONS["chat"] if _CODEX_USAGE in span.attributes else None
    return agent, words.SPANS.get(name)


def _joined(
    reader: SpanReader, span: Span, operation: Operation, base: Mapping[str, Any], join: str, half: str
) -> Event:
    decision = span.attributes.pop("decision", "")
    for name in words.USED:
        span.attributes.pop(name, None)
    if span.failed and operation.kind == "tool":
        span.attributes.setdefault("error.type", "tool_error")
    event = reader.finish(span, operation, base)
    force_setattr(event, "join", join)
    force_setattr(event, "half", half)
    if decision and isinstance(decision, str):
        word = decision.lower()[:64]
        known = "accept" if word.startswith("approved") else words.DECISIONS.get(word, word)
        force_setattr(event, "tool_decision", known)
    if event.tool_arguments and event.tool_arguments[0] in "{[" and _cut(event.tool_arguments):
        force_setattr(event, "truncated", True)
    return event


def _cut(text: str) -> bool:
    """Whether JSON text lost its end on the way."""
    return isinstance(structure(text), str)


def _spelt(agent: str, operation: Operation, attributes: Attributes) -> Attributes:
    """The attributes under the names of the conventions."""
    spelt: Attributes = {"gen_ai.agent.name": words.AGENTS[agent]}
    if operation.kind == "llm" and agent in words.PROVIDERS:
        spelt["gen_ai.provider.name"] = words.PROVIDERS[agent]
    best: dict[str, int] = {}
    for key, value in attributes.items():
        name = words.SPELLING.get(key, key)
        rank = words.RANK.get(key, len(words.RANK) + 1)
        if value not in (None, "") and rank > best.get(name, 0) and key not in words.NOISE:
            best[name], spelt[name] = rank, value
    _include_cached(agent, spelt)
    return spelt


def _include_cached(agent: str, attributes: Attributes) -> None:
    """Input tokens include cached ones; Anthropic counts them apart."""
    if agent == "claude_code" and words.INPUT in attributes:
        counts = [readings.count(attributes.get(name)) or 0 for name in (words.INPUT, *words.CACHED)]
        attributes[words.INPUT] = sum(counts)


def _log_times(span: Span) -> None:
    """A log record stands at the end of what it tells of."""
    told = epoch(span.attributes.get("event.timestamp"))
    end = round(told * 1e6) * 1000 if told else span.start
    duration = readings.number(span.attributes.get("duration_ms")) or 0.0
    span.start = max(0, end - int(duration * 1e6))
    span.end = end if duration else 0
    span.name = ""


def _happened(told: Told, attributes: Attributes) -> bool:
    """Whether the record tells of something that no other record tells better."""
    if told.event == "tool_decision" and told.agent == "claude_code":  # its results repeat it
        return attributes.get("decision") != "accept"
    if told.event == "sse_event":  # Codex: one of many chunks; the last one has the usage
        return words.INPUT in attributes or "error.message" in attributes
    if told.event == "api_request" and told.agent == "codex":  # the stream that follows tells the rest
        endpoint = as_text(attributes.get("endpoint"))
        calls = endpoint in ("", "unknown") or "responses" in endpoint or "completions" in endpoint
        return calls and _failed(told, attributes)
    return True


def _failed(told: Told, attributes: Attributes) -> bool:
    if told.event == "api_error" or readings.flag(attributes.get("success")) is False:
        return True
    status = readings.count(attributes.get("http.response.status_code")) or 0
    return status >= 400 or "error.message" in attributes or attributes.get("status") == "failed"


def _answered(attributes: Attributes) -> None:
    """Gemini CLI gives the raw answer, all chunks of it."""
    chunks = structure(attributes.pop("response_text", None))
    parts: list[Any] = []
    for chunk in chunks if isinstance(chunks, list) else [chunks]:
        if not isinstance(chunk, dict):
            continue
        for name, key in (("gen_ai.response.id", "responseId"), ("gen_ai.response.model", "modelVersion")):
            if chunk.get(key):
                attributes.setdefault(name, chunk[key])
        for candidate in chunk.get("candidates") or ():
            content = candidate.get("content")
            parts += (content.get("parts") or ()) if isinstance(content, dict) else ()
    if parts:
        attributes.setdefault("gen_ai.output.messages", [{"role": "assistant", "parts": _whole(parts)}])


def _whole(parts: Iterable[Any]) -> list[Any]:
    """Parts with the text of one answer in one piece."""
    joined: list[Any] = []
    for part in parts:
        text = part.get("text") if isinstance(part, dict) else None
        if isinstance(text, str) and not part.get("thought"):
            if joined and isinstance(joined[-1].get("text"), str):
                joined[-1] = {"text": joined[-1]["text"] + text}
                continue
            joined.append({"text": text})
        elif isinstance(part, dict) and "text" not in part:
            joined.append(part)
    return joined


def _step(told: Told, attributes: Attributes) -> None:
    prompt = attributes.pop("prompt", None)
    if isinstance(prompt, str) and prompt not in _NOT_SAID:
        attributes["gen_ai.input.messages"] = [{"role": "user", "content": prompt}]
    if told.event in words.COMPACTIONS and readings.flag(attributes.get("success")) is not False:
        attributes["conversation.compacted"] = True


def _tool_span(span: Span, attributes: Attributes) -> None:
    """What went in and out stands in messages (Gemini CLI) or in an event of the span (Claude Code)."""
    given = structure(attributes.pop("gen_ai.input.messages", None))
    taken = structure(attributes.pop("gen_ai.output.messages", None))
    if isinstance(given, dict):
        attributes.setdefault(words.ARGUMENTS, given.get("args", given))
    if isinstance(taken, dict):
        span.failed = span.failed or taken.get("status") == "error"
        response = taken.get("response")
        shown = response.get("resultDisplay") if isinstance(response, dict) else None
        result = taken.get("result", shown)
        if result is not None:
            attributes.setdefault(words.RESULT, result)
    for name, details in span.events:
        if name == "tool.output":
            output = details.get("output", details.get("content"))
            if output is not None:
                attributes.setdefault(words.RESULT, output)
    span.events = [event for event in span.events if event[0] == "exception"]


def _log_join(told: Told, rule: words.Rule, span: Span) -> tuple[str, str]:
    """The key under which a log record meets what else is told of the same thing, and which half it is."""
    attributes, agent, kind = span.attributes, told.agent, rule.operation.kind
    identity = as_text(attributes.get("gen_ai.tool.call.id"))
    trace, parent = span.trace_id, span.span_id
    span.span_id, span.parent_id = "", parent
    if told.event == "tool_decision":
        return (f"{agent}:{identity}", "decision") if identity and agent == "codex" else ("", "")
    if kind == "tool" and agent == "codex":
        return (f"{agent}:{identity}", "") if identity else ("", "")
    if kind == "tool":
        if agent == "claude_code":
            return (f"{agent}:{identity}", "log") if identity else ("", "")
        return (_execution(trace, attributes), "log") if trace else ("", "")
    if kind != "llm":
        return "", ""
    join = _call(agent, attributes)
    if not join and trace and parent:  # written under the span of the call itself
        span.parent_id, join = "", f"{trace}:{parent}"
    return join, "log" if join else ""


def _span_join(agent: str, operation: Operation, span: Span) -> tuple[str, str]:
    attributes = span.attributes
    if operation.kind == "tool":
        identity = as_text(attributes.get("gen_ai.tool.call.id"))
        if agent == "claude_code":
            return (f"{agent}:{identity}", "span") if identity else ("", "")
        return _execution(span.trace_id, attributes), "span"
    if operation.kind != "llm":
        return "", ""
    return _call(agent, attributes) or f"{span.trace_id}:{span.span_id}", "span"


def _call(agent: str, attributes: Attributes) -> str:
    """What span and log record of one model call have in common: an id, or else session and usage."""
    identity = as_text(attributes.get("gen_ai.response.id"))
    if agent == "claude_code":
        return f"{agent}:{identity}" if identity else ""
    usage = [readings.count(attributes.get(name)) for name in (words.INPUT, words.OUTPUT)]
    if None in usage:
        return ""
    session = attributes.get("session.id") or attributes.get("gen_ai.conversation.id") or ""
    return f"{agent}:{as_text(session)[:256] if agent != 'codex' else ''}:{usage[0]}:{usage[1]}"


def _execution(trace: str, attributes: Attributes) -> str:
    """What span and log record of one execution have in common, where only one of them knows its id."""
    name, given = attributes.get("gen_ai.tool.name"), structure(attributes.get(words.ARGUMENTS))
    try:
        told = orjson.dumps([name, given], option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        told = repr((name, given)).encode("utf-8", "replace")
    return f"{trace}:{blake2b(told, digest_size=16).hexdigest()}"


def wrote(document: Mapping[str, Any]) -> bool:
    """Whether a flattened log record is a coding agent's, by the name of its event."""
    attributes, event = document.get("attributes"), document.get("event")
    names = [
        document.get(name) for name in ("event.name", "eventName", "event_name", "body", "message", "name")
    ]
    names += [attributes.get("event.name")] if isinstance(attributes, dict) else []
    names += [event.get("name")] if isinstance(event, dict) else [event]
    return any(isinstance(name, str) and _of_agent(name) for name in names)


def _of_agent(name: str) -> bool:
    return len(name) < 128 and "." in name and name.partition(".")[0] in words.AGENTS
