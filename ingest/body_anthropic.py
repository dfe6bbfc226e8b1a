"""Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest import messages as parse
from ingest.body import Body
from ingest.facts import Facts, Paths

PROVIDER = "anthropic"
USAGE: Paths = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "cache_read_tokens": ("cache_read_input_tokens",),
    "cache_write_tokens": ("cache_creation_input_tokens",),
}
_EVENTS = ("message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop")
_BLOCKS = ("tool_use", "tool_result", "thinking", "server_tool_use", "mcp_tool_use", "mcp_tool_result")
_REQUEST = {
    "model": ("model",),
    "user": ("metadata.user_id",),
    "session": ("metadata.session_id", "container.id"),
    "stream": ("stream",),
}


def answers(first: Mapping[str, Any]) -> bool:
    """Whether an answer, or its first event, is in this API's words."""
    kind = first.get("type")
    if kind == "message":
        return "stop_reason" in first or isinstance(first.get("usage"), dict)
    if kind == "error":
        return isinstance(first.get("error"), dict) and "type" in first["error"]
    return kind in _EVENTS or (isinstance(first.get("completion"), str) and "stop_reason" in first)


def asks(request: Mapping[str, Any], url: str) -> bool:
    """Whether a request is in this API's words: much like OpenAI's, so by what only this one has."""
    if "/v1/messages" in url or "/v1/complete" in url:
        return True
    if not isinstance(request.get("messages"), list):
        return False
    if "anthropic_version" in request or isinstance(request.get("system"), str | list):
        return not _converse(request)
    tools = request.get("tools")
    if isinstance(tools, list) and any(isinstance(tool, dict) and "input_schema" in tool for tool in tools):
        return True
    return any(_has_blocks(message) for message in request["messages"][:64])


def _converse(request: Mapping[str, Any]) -> bool:
    system = request.get("system")
    first = system[0] if isinstance(system, list) and system else None
    return isinstance(first, dict) and "type" not in first


def _has_blocks(message: Any) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    parts = content if isinstance(content, list) else ()
    return any(isinstance(part, dict) and part.get("type") in _BLOCKS for part in parts)


def read(facts: Facts, request: Mapping[str, Any], response: Body) -> None:
    """What was asked, and what was answered."""
    facts.take(request, _REQUEST)
    if request.get("system"):
        facts.inputs += parse.messages(request["system"], "system")
    facts.inputs += parse.messages(request.get("messages") or request.get("prompt"), "user")
    facts.offered(_named(request.get("tools")))
    whole = response.object or assembled(response.chunks)
    facts.put("stream", bool(response.chunks) if whole or request else None)
    if not facts.error(whole) or whole.get("content"):
        _answered(facts, whole)


def _answered(facts: Facts, answer: Mapping[str, Any]) -> None:
    facts.put("response_id", answer.get("id"))
    facts.put("response_model", answer.get("model"))
    facts.take(answer.get("usage"), USAGE)
    facts.include_cached()
    facts.finished(answer.get("stop_reason"))
    said = answer.get("content", answer.get("completion"))
    if said is not None:
        facts.outputs += parse.messages([{"role": "assistant", "content": said}], "assistant")


def _named(tools: Any) -> Any:
    """Tools of the provider's own may have nothing but a type."""
    tools = parse.structure(tools)
    if not isinstance(tools, list):
        return tools
    return [_tool(tool) if isinstance(tool, dict) else tool for tool in tools]


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    return tool if "name" in tool or "function" in tool else {"name": tool.get("type"), **tool}


def assembled(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that was streamed."""
    whole: dict[str, Any] = {}
    blocks: dict[str, dict[str, Any]] = {}
    usage: dict[str, Any] = {}
    for event in events:
        kind = event.get("type")
        if kind == "message_start" and isinstance(event.get("message"), dict):
            whole.update(event["message"])
            usage.update(_given(event["message"].get("usage")))
        elif kind == "content_block_start" and isinstance(event.get("content_block"), dict):
            blocks[str(event.get("index"))] = {**event["content_block"], "_grown": []}
        elif kind == "content_block_delta" and isinstance(event.get("delta"), dict):
            _grow(blocks.setdefault(str(event.get("index")), {"type": "text", "_grown": []}), event["delta"])
        elif kind == "message_delta":
            whole.update(_given(event.get("delta")))
            usage.update(_given(event.get("usage")))
        elif kind == "error":
            whole["error"] = event.get("error")
        elif isinstance(event.get("completion"), str):
            whole["completion"] = whole.get("completion", "") + event["completion"]
            whole.update(_given({"stop_reason": event.get("stop_reason"), "model": event.get("model")}))
    if blocks:
        whole["content"] = [_grown(block) for block in blocks.values()]
    return {**whole, "usage": usage} if usage else whole


def _given(value: Any) -> dict[str, Any]:
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else {}


def _grow(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    grown = delta.get("partial_json", delta.get("text"))
    if isinstance(grown, str):
        block["_grown"].append(grown)


def _grown(block: dict[str, Any]) -> dict[str, Any]:
    grown = "".join(block.pop("_grown"))
    if not grown:
        return block
    key = "input" if "input" in block else "text"
    return {**block, key: grown if key == "input" else parse.as_text(block.get("text")) + grown}
