"""Bodies that only Amazon Bedrock has: Converse, and the native ones of Titan, Llama, Mistral and Cohere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest import messages as parse
from ingest.body import Body
from ingest.facts import Facts, Paths, at
from tocsin.model import Message

PROVIDER = "aws.bedrock"
USAGE: Paths = {
    "input_tokens": ("inputTokens",),
    "output_tokens": ("outputTokens",),
    "cache_read_tokens": ("cacheReadInputTokens", "cacheReadInputTokenCount"),
    "cache_write_tokens": ("cacheWriteInputTokens", "cacheWriteInputTokenCount"),
}
METRICS = "amazon-bedrock-invocationMetrics"  # in the last chunk of a stream
_METRICS: Paths = {
    "input_tokens": ("inputTokenCount",),
    "output_tokens": ("outputTokenCount",),
    "cache_read_tokens": ("cacheReadInputTokenCount",),
    "cache_write_tokens": ("cacheWriteInputTokenCount",),
    "duration_ms": ("invocationLatency",),
    "first_token_ms": ("firstByteLatency",),
}
_EVENTS = ("messageStart", "contentBlockStart", "contentBlockDelta", "messageStop")
_NATIVE_ANSWERS = ("generation", "outputText", "results", "outputs", "generations", "embedding", "embeddings")
_NATIVE: Paths = {
    "input_tokens": ("prompt_token_count", "inputTextTokenCount"),
    "output_tokens": ("generation_token_count", "totalOutputTextTokenCount"),
}
_REASONS = {"FINISH": "stop", "FINISHED": "stop", "STOP_CRITERIA_MET": "stop"}  # Titan's own
_WORDS = ("generation", "outputText", "text", "completion")


def answers(first: Mapping[str, Any]) -> bool:
    """Whether an answer, or its first event, is Converse's."""
    return "stopReason" in first or isinstance(at(first, "output.message"), dict) or _event(first)


def _event(first: Mapping[str, Any]) -> bool:
    return any(isinstance(first.get(name), dict) for name in _EVENTS)


def asks(request: Mapping[str, Any], url: str) -> bool:
    """Whether a request is Converse's."""
    if "/converse" in url or isinstance(request.get("toolConfig"), dict):
        return True
    return isinstance(request.get("messages"), list) and "inferenceConfig" in request


def read(facts: Facts, request: Mapping[str, Any], response: Body) -> None:
    """What was asked and answered through Converse."""
    facts.put("model", request.get("modelId"))
    if request.get("system"):
        facts.inputs += parse.messages(_parts(request["system"]), "system")
    facts.inputs += parse.messages(request.get("messages"), "user")
    facts.offered(at(request, "toolConfig.tools"))
    whole = response.object or assembled(response.chunks)
    facts.put("stream", bool(response.chunks) if response.value else None)
    if facts.error(whole):
        return
    facts.put("duration_ms", at(whole, "metrics.latencyMs"))
    facts.take(whole.get("usage"), USAGE)
    facts.include_cached()
    facts.finished(whole.get("stopReason"))
    message = at(whole, "output.message")
    if isinstance(message, dict):
        facts.outputs += parse.messages([{"role": "assistant", **message}], "assistant")


def _parts(system: Any) -> Any:
    return [{"role": "system", "content": system}] if isinstance(system, list) else system


def assembled(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer that ConverseStream streamed."""
    whole: dict[str, Any] = {}
    blocks: dict[str, dict[str, Any]] = {}
    for event in events:
        start, delta = event.get("contentBlockStart"), event.get("contentBlockDelta")
        if isinstance(start, dict):
            tool = at(start, "start.toolUse")
            if isinstance(tool, dict):
                blocks[str(start.get("contentBlockIndex"))] = {"toolUse": {**tool, "input": ""}}
        elif isinstance(delta, dict):
            _grow(blocks.setdefault(str(delta.get("contentBlockIndex")), {}), delta.get("delta"))
        elif isinstance(event.get("messageStop"), dict):
            whole["stopReason"] = event["messageStop"].get("stopReason")
        elif isinstance(event.get("metadata"), dict):
            whole.update(event["metadata"])
    if blocks:
        whole["output"] = {"message": {"role": "assistant", "content": list(blocks.values())}}
    return whole


def _grow(block: dict[str, Any], delta: Any) -> None:
    text, arguments = at(delta, "text"), at(delta, "toolUse.input")
    if isinstance(text, str):
        block["text"] = block.get("text", "") + text
    elif isinstance(arguments, str) and "toolUse" in block:
        block["toolUse"]["input"] += arguments


def metrics(facts: Facts, response: Body) -> None:
    """What Bedrock itself measured, in the last chunk of a stream."""
    for chunk in response.chunks[-2:]:
        facts.take(chunk.get(METRICS), _METRICS)


def native(facts: Facts, request: Mapping[str, Any], response: Body) -> None:
    """A model's own body: a prompt, and text under one of a few names."""
    asked = next((request[key] for key in ("prompt", "inputText", "message") if request.get(key)), None)
    facts.inputs += parse.messages(request.get("chat_history"), "user")
    facts.inputs += parse.messages(asked if asked is not None else request.get("texts"), "user")
    facts.put("stream", bool(response.chunks) if response.value else None)
    chunks = response.chunks or [response.object]
    said: list[str] = []
    for chunk in chunks:
        if not facts.error(chunk):
            said += _spoken(facts, chunk)
    for chunk in reversed(chunks):
        facts.take(chunk, _NATIVE)
    if any(said):
        facts.outputs.append(Message("assistant", "".join(said)))


def _spoken(facts: Facts, chunk: Mapping[str, Any]) -> list[str]:
    """The text of a chunk, or of its results."""
    listed = next(
        (chunk[k] for k in ("results", "outputs", "generations") if isinstance(chunk.get(k), list)), None
    )
    found: list[str] = []
    for part in listed if listed is not None else [chunk]:
        if isinstance(part, dict):
            reasons = (part.get(key) for key in ("stop_reason", "completionReason", "finish_reason"))
            reason = next((reason for reason in reasons if isinstance(reason, str) and reason), None)
            facts.finished(_REASONS.get(reason or "", reason))
            facts.put("output_tokens", part.get("tokenCount"))
            text = next((part[key] for key in _WORDS if isinstance(part.get(key), str)), "")
            found.append(text)
    return found


def embeds(request: Mapping[str, Any], response: Mapping[str, Any]) -> bool:
    """Whether vectors were asked for."""
    return not {"embedding", "embeddings", "embeddingsByType"}.isdisjoint(response) or "texts" in request
