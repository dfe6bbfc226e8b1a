"""Spans of Datadog's LLM Observability, in the words of the conventions."""

from __future__ import annotations

from typing import Any

from ingest.facts import child
from ingest.leaf import Json

_METRICS = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "cache_read_input_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_input_tokens": "gen_ai.usage.cache_write.input_tokens",
    "reasoning_output_tokens": "gen_ai.usage.reasoning.output_tokens",
    "time_to_first_token": "gen_ai.response.time_to_first_chunk",
}


def fits(document: Json) -> bool:
    meta = document.get("meta")
    if not isinstance(meta, dict) or "start_ns" not in document:
        return False
    return isinstance(meta.get("kind", meta.get("span.kind")), str) or isinstance(meta.get("span"), dict)


def as_span(document: Json) -> Json:
    """The same span with attributes."""
    meta = child(document, "meta")
    given, taken, error = child(meta, "input"), child(meta, "output"), child(meta, "error")
    kind = meta.get("kind") or meta.get("span.kind") or child(meta, "span").get("kind")
    attributes: dict[str, Any] = {
        "openinference.span.kind": kind,
        "gen_ai.request.model": meta.get("model_name"),
        "gen_ai.provider.name": meta.get("model_provider"),
        "gen_ai.input.messages": given.get("messages"),
        "gen_ai.output.messages": taken.get("messages"),
        "gen_ai.tool.definitions": meta.get("tool_definitions"),
        "gen_ai.retrieval.documents": taken.get("documents"),
        "input.value": given.get("value"),
        "output.value": taken.get("value"),
        "error.type": error.get("type") or meta.get("error.type"),
        "error.message": error.get("message") or meta.get("error.message"),
        "session.id": document.get("session_id"),
    }
    metrics = child(document, "metrics")
    attributes |= {name: metrics[key] for key, name in _METRICS.items() if key in metrics}
    if kind in ("tool", "agent"):
        attributes[f"gen_ai.{kind}.name"] = document.get("name")
    kept = {name: value for name, value in attributes.items() if value not in (None, "", [], {})}
    return {**document, "attributes": kept, "tags": document.get("tags", [])}
