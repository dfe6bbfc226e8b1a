"""Recordings of real producers with what really happened, and how much of it the events tell."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import force_setattr

from ingest.aliases import FINISH
from ingest.recognise import Recogniser
from tocsin.model import Event, Message, Reject

DATA = Path(__file__).parents[3] / "shared" / "data" / "telemetry"

Truth = dict[str, Any]


class Score(NamedTuple):
    """Of one producer: calls and executions expected and found, facts carried and right."""

    calls: int
    found_calls: int
    tools: int
    found_tools: int
    facts: int
    right: int
    rejects: int
    wrong: Counter[str]


def names() -> list[str]:
    """Producers with traces in JSON."""
    return sorted({path.name.split(".")[0] for path in DATA.glob("*.otlp.jsonl*")})


def records(name: str) -> Iterator[bytes]:
    for part in ("otlp", "logs.otlp"):
        for path in sorted(DATA.glob(f"{name}.{part}.jsonl*")):
            data = path.read_bytes()
            lines = (gzip.decompress(data) if path.suffix == ".gz" else data).split(b"\n")
            yield from (line for line in lines if line.strip())


@cache
def score(name: str) -> Score:
    truth: Truth = json.loads((DATA / f"{name}.truth.json").read_text())
    items = [item for record in records(name) for item in Recogniser().decode(record).items]
    events = assembled([item for item in items if isinstance(item, Event)])
    calls = [call for call in truth["llm_calls"] if call.get("span") or call.get("log_events")]
    tools = [tool for tool in truth["tool_executions"] if tool.get("span")]
    wrong: Counter[str] = Counter()
    facts = 0
    for call in calls:
        event = _event_of(call, events, "llm")
        for fact, carried in call["emitted"].items():
            expected = _expected(fact, call)
            if carried is not None and expected is not None:
                facts += 1
                wrong[fact] += event is None or not _tells(event, fact, expected, call)
    for tool in tools:
        event = _event_of(tool, events, "tool")
        for fact, carried in tool["emitted"].items():
            expected = tool.get({"tool_error": "error"}.get(fact, fact.removeprefix("tool_")))
            if carried is not None and expected is not None:
                facts += 1
                wrong[fact] += event is None or not _tells_tool(event, fact, expected)
    kinds = Counter(event.kind for event in events)
    rejects = sum(isinstance(item, Reject) for item in items)
    kinds["llm"] -= sum(event.operation == "embeddings" for event in events)
    return Score(
        len(calls), kinds["llm"], len(tools), kinds["tool"], facts, facts - wrong.total(), rejects, +wrong
    )


def assembled(events: list[Event]) -> list[Event]:
    """What the assembly step makes of them: halves of one span, and reports of one response, are one."""
    whole: list[Event] = []
    known: dict[str, Event] = {}
    for event in events:
        names = [f"{event.kind} {event.trace_id}:{event.span_id}"] if event.span_id else []
        if event.kind == "llm" and event.response_id:
            names.append(event.response_id)
        other = next((known[name] for name in names if name in known), None)
        if other is None:
            whole.append(event)
        else:
            _complete(other, event)
        known.update(dict.fromkeys(names, other or event))
    return whole


def _complete(event: Event, other: Event) -> None:
    for field, default in zip(Event.__struct_fields__, Event.__struct_defaults__, strict=True):
        if field != "attributes" and getattr(event, field) == default:
            force_setattr(event, field, getattr(other, field))


def _event_of(happened: Truth, events: list[Event], kind: str) -> Event | None:
    span = happened.get("span") or {}
    response = happened.get("response_id")
    for event in events:
        same_span = span and event.span_id == span["span_id"] and event.trace_id == span["trace_id"]
        if event.kind == kind and (same_span or (response and event.response_id == response)):
            return event
    return _around(span, events, kind)


def _around(span: Truth, events: list[Event], kind: str) -> Event | None:
    """The only event of its kind in the trace: it stands for an inner span that it was joined with."""
    alike = [event for event in events if event.kind == kind and event.trace_id == span.get("trace_id")]
    return alike[0] if len(alike) == 1 else None


def _expected(fact: str, call: Truth) -> Any:
    """What really was, for a fact's name such as `tool_calls[0].name`."""
    if fact == "error_message":
        return (call.get("error") or {}).get("message")
    if fact == "input_tokens_total":
        return (
            call["input_tokens"] + (call.get("cached_tokens") or 0) + (call.get("cache_creation_tokens") or 0)
        )
    if "[" in fact:
        holder, _, rest = fact.partition("[")
        number, _, key = rest.partition("].")
        listed = call.get(holder) or []
        return listed[int(number)].get(key) if int(number) < len(listed) else None
    return call.get(fact)


def _tells(event: Event, fact: str, expected: Any, call: Truth) -> bool:
    if fact == "finish_reason":
        return event.finish_reason == FINISH.get(str(expected).lower(), str(expected).lower())
    if fact == "error_message":
        return expected in event.error_message
    if fact in ("input_tokens", "input_tokens_total"):
        total = _expected("input_tokens_total", call) if call["provider"] == "anthropic" else expected
        return event.input_tokens in (expected, total)
    if fact.endswith("_text") or "[" in fact:
        return _says(event, fact, expected)
    fields = {
        "request_model": event.model,
        "response_model": event.response_model,
        "response_id": event.response_id,
        "output_tokens": event.output_tokens,
        "cached_tokens": event.cache_read_tokens,
        "session_id": event.session,
        "conversation_id": event.session,
        "user_id": event.user,
        "stream": event.stream,
    }
    return bool(fields[fact] == expected)


def _says(event: Event, fact: str, expected: Any) -> bool:
    if fact.startswith("tool_calls"):
        calls = [call for message in event.output for call in message.tool_calls]
        field = fact.rpartition(".")[2]
        if field == "arguments":
            return any(_same_json(call.arguments, expected) for call in calls)
        return any(getattr(call, field) == expected for call in calls)
    if fact.startswith("tool_results_in"):
        return _spoken(event.input, ("tool", "user"), expected)
    if fact == "assistant_text":
        return _spoken(event.output, ("assistant",), expected)
    return _spoken(event.input, ("system",) if fact == "system_text" else ("user",), expected)


def _spoken(messages: tuple[Message, ...], roles: tuple[str, ...], expected: str) -> bool:
    return expected in "".join(message.text for message in messages if message.role in roles)


def _tells_tool(event: Event, fact: str, expected: Any) -> bool:
    if fact == "tool_name":
        return event.tool_name.endswith(expected)
    if fact == "tool_arguments":
        return _same_json(event.tool_arguments or "", expected)
    if fact == "tool_error":
        return expected in event.error_message + (event.tool_result or "")
    return expected in (event.tool_result or "")


def _same_json(text: str, expected: Any) -> bool:
    try:
        return bool(json.loads(text) == expected)
    except ValueError:
        return False
