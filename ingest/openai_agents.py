"""Traces as the OpenAI Agents SDK exports them itself: objects of kind `trace` and `trace.span`.

Turns, tasks and other custom spans repeat the usage of the model calls inside them and are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ingest.facts import Facts, between, child
from ingest.leaf import Json, Leaf
from ingest.messages import as_text, messages, structure
from tocsin.model import Decoded, Event, Reject, ToolDefinition

_OBJECTS = frozenset(("trace", "trace.span"))
_USAGE = {
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "cache_read_tokens": ("input_tokens_details.cached_tokens", "prompt_tokens_details.cached_tokens",
                          "cached_input_tokens"),
    "cache_write_tokens": ("input_tokens_details.cache_write_tokens", "cache_write_input_tokens"),
    "reasoning_tokens": ("output_tokens_details.reasoning_tokens",
                         "completion_tokens_details.reasoning_tokens"),
}  # fmt: skip
_STATUS = re.compile(r"\b(?:error code|status code|status|http)[: ]+([45]\d\d)\b", re.IGNORECASE)


class OpenAIAgents(Leaf):
    """Spans of model calls, functions, agents, handoffs and guardrails."""

    name = "openai_agents"
    title = "OpenAI Agents SDK traces"
    evidence = "recorded"
    marks = frozenset(("object", "data"))

    @classmethod
    def fits(cls, document: Json) -> bool:
        kind = document.get("object")
        if isinstance(kind, str) and kind in _OBJECTS:
            return document["object"] == "trace" or isinstance(document.get("span_data"), dict)
        data = document.get("data")  # a batch, as it is posted
        return isinstance(data, list) and bool(data) and isinstance(data[0], dict) and cls.fits(data[0])

    def read(self, document: Any) -> Decoded:
        parts = document["data"] if isinstance(document.get("data"), list) else [document]
        groups = {part.get("id"): part for part in parts if part.get("object") == "trace"}
        items: list[Event | Reject] = []
        ignored = 0
        for part in parts:
            if len(items) >= self.limits.events_per_record:
                items.append(Reject(reason="too_many", detail=f"more than {len(items)} events in one record"))
                break
            event = self._event(part, groups.get(part.get("trace_id"), {}))
            if event is None:
                ignored += 1
            else:
                items.append(event)
        return Decoded(items, ignored)

    def _event(self, span: Json, trace: Mapping[str, Any]) -> Event | None:
        data = child(span, "span_data")
        reader = _READERS.get(as_text(data.get("type")))
        if reader is None:
            return None
        facts = Facts(self.limits, self.name)
        facts.put("time", span.get("started_at"), span.get("ended_at"))
        facts.put("duration_ms", between(span.get("started_at"), span.get("ended_at")))
        for name, key in (("trace_id", "trace_id"), ("span_id", "id"), ("parent_span_id", "parent_id")):
            facts.put(name, span.get(key))
        metadata = {**child(trace, "metadata"), **child(span, "metadata", "trace_metadata")}
        facts.put("session", trace.get("group_id"), span.get("group_id"), metadata.get("session_id"))
        facts.put("user", metadata.get("user_id"))
        facts.fields["application"] = "default"  # only some spans name their agent
        _failed(facts, span.get("error"))
        return reader(facts, data)


def _failed(facts: Facts, error: Any) -> None:
    if not isinstance(error, dict):
        return
    details = child(error, "data")
    message = as_text(details.get("error") or error.get("message"))
    status = _STATUS.search(message[:1000])
    if status:
        facts.put("http_status", status[1])
    facts.failed(details.get("type") or details.get("error_type"), message)
    facts.note("error.summary", error.get("message"))


def _response(facts: Facts, data: Json) -> Event:
    """A call of the Responses API; most of it is not exported."""
    facts.put("response_id", data.get("response_id"))
    facts.put("provider", "openai")
    facts.put("response_model", data.get("model"))
    return _call(facts, data)


def _generation(facts: Facts, data: Json) -> Event:
    facts.put("model", data.get("model"))
    facts.put("provider", child(data, "model_config").get("provider"))
    return _call(facts, data)


def _call(facts: Facts, data: Json) -> Event:
    facts.take(child(data, "usage"), _USAGE)
    facts.inputs = messages(data.get("input"), "user") if data.get("input") else []
    facts.outputs = messages(data.get("output"), "assistant") if data.get("output") else []
    output = structure(data.get("output"))
    first = output[0] if isinstance(output, list) and output else None
    facts.finished(first.get("finish_reason") if isinstance(first, dict) else None)
    return facts.model_call("chat")


def _audio(facts: Facts, data: Json) -> Event:
    facts.put("model", data.get("model"))
    facts.take(child(data, "usage"), _USAGE)
    operation = "transcription" if data.get("type") == "transcription" else "speech"
    if operation == "transcription" and isinstance(data.get("output"), str):
        facts.outputs = messages([{"role": "assistant", "content": data["output"]}], "assistant")
    elif isinstance(data.get("input"), str):
        facts.inputs = messages([{"role": "user", "content": data["input"]}], "user")
    return facts.model_call(operation)


def _function(facts: Facts, data: Json) -> Event:
    facts.put("tool_name", data.get("name"))
    facts.put("tool_server", child(data, "mcp_data").get("server"))
    facts.put("tool_type", "mcp" if "tool_server" in facts.fields else "function")
    if facts.fields.get("status") == "error":
        facts.put("error_type", "tool_error")
    return facts.tool_call(data.get("input"), data.get("output"))


def _agent(facts: Facts, data: Json) -> Event:
    facts.put("agent", data.get("name"))
    return facts.step("invoke_agent")


def _handoff(facts: Facts, data: Json) -> Event:
    facts.put("agent", data.get("from_agent"))
    facts.note("handoff.to", data.get("to_agent"))
    return facts.step("handoff")


def _guardrail(facts: Facts, data: Json) -> Event:
    facts.put("guardrail_name", data.get("name"))
    facts.put("guardrail_status", "triggered" if data.get("triggered") is True else "passed")
    return facts.step("apply_guardrail", "evaluation")


def _tools(facts: Facts, data: Json) -> Event:
    """The tools that an MCP server offers, by name alone."""
    facts.put("tool_server", data.get("server"))
    names = data.get("result")
    if isinstance(names, list):
        found = [ToolDefinition(name[:4096]) for name in names[:512] if isinstance(name, str)]
        facts.fields["tool_definitions"] = tuple(found)
    return facts.step("list_tools")


_READERS: Mapping[str, Callable[[Facts, Json], Event]] = {
    "response": _response,
    "generation": _generation,
    "transcription": _audio,
    "speech": _audio,
    "function": _function,
    "agent": _agent,
    "handoff": _handoff,
    "guardrail": _guardrail,
    "mcp_tools": _tools,
}
