"""What the bodies of requests and responses say, of any provider and of frameworks that wrap them.

A body is searched object by object, outermost first, for the members that mean something; what people,
models and tools wrote is never searched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ingest.messages import structure
from ingest.readings import count

OBJECTS = 256  # that are looked at in one body
DEPTH = 8
BREADTH = 16  # members of a list

# Fields and ingredients, and the members of a request that they are taken from, best first.
REQUEST: Mapping[str, tuple[str, ...]] = {
    "model": ("model", "model_name", "modelId", "model_id", "deployment_name", "azure_deployment",
              "ls_model_name", "modelName", "deployment"),
    "stream": ("stream", "streaming", "is_stream"),
    "user": ("user", "user_id", "safety_identifier"),
    "_system": ("system", "instructions", "system_instruction", "systemInstruction", "instruction_parts",
                "system_prompt", "preamble"),
    "_input": ("messages", "contents", "prompts", "prompt", "chat_history", "input", "input_messages",
               "inputText", "text", "query", "message"),
    "_tools": ("tools", "functions", "function_tools", "toolConfig", "tool_config"),
}  # fmt: skip

# The same for a response.
RESPONSE: Mapping[str, tuple[str, ...]] = {
    "response_model": ("model", "model_name", "modelVersion", "model_version", "model_id", "modelId"),
    "_usage": ("usage", "token_usage", "tokenUsage", "usageMetadata", "usage_metadata", "usage_details",
               "billed_units"),
    "_finish": ("stop_reason", "stopReason", "finish_reason", "finishReason", "finish_reasons",
                "incomplete_details", "done_reason"),
}  # fmt: skip

# Members that hold what was said, or data of others: nothing in them is a fact about the call.
_CONTENT = frozenset((
    "content", "contents", "text", "arguments", "args", "parts", "parameters", "input_schema", "properties",
    "tool_calls", "toolCalls", "blocks", "instructions", "system", "logprobs", "headers", "annotations",
    "tools", "functions", "metadata_schema", "citations", "embedding", "embeddings", "chunks", "documents",
))  # fmt: skip
_ASKED = frozenset(("messages", "input", "prompt", "prompts", "inputs", "chat_history"))
_ANSWER = frozenset(("choices", "candidates", "stop_reason", "object", "usage", "token_usage"))

# Token counts in a usage object, by path.
USAGE: Mapping[str, tuple[str, ...]] = {
    "input_tokens": ("prompt_tokens", "input_tokens", "promptTokenCount", "prompt_token_count",
                     "inputTokens", "promptTokens", "inputTokenCount", "prompt_eval_count",
                     "input", "prompt"),
    "output_tokens": ("completion_tokens", "output_tokens", "candidatesTokenCount", "candidates_token_count",
                      "outputTokens", "completionTokens", "outputTokenCount", "eval_count", "output",
                      "completion"),
    "cache_read_tokens": ("prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens",
                          "cache_read_input_tokens", "cacheReadInputTokens", "cacheReadInputTokenCount",
                          "cachedContentTokenCount", "cached_content_token_count", "cachedInputTokens",
                          "cached_input_tokens", "input_token_details.cache_read", "input_cached_tokens",
                          "input_cache_read", "prompt_cache_hit_tokens", "prompt_cached_tokens",
                          "inputTokenDetails.cacheReadTokens", "cached_tokens", "cache_read_tokens",
                          "cacheReadTokens"),
    "cache_write_tokens": ("cache_creation_input_tokens", "cacheWriteInputTokens", "cacheCreationInputTokens",
                           "cacheWriteInputTokenCount", "input_token_details.cache_creation",
                           "input_cache_creation", "prompt_cache_creation_tokens",
                           "prompt_tokens_details.cache_write_tokens", "cache_write_tokens",
                           "inputTokenDetails.cacheWriteTokens", "cache_creation_tokens",
                           "cacheWriteTokens"),
    "reasoning_tokens": ("completion_tokens_details.reasoning_tokens",
                         "output_tokens_details.reasoning_tokens", "thoughtsTokenCount",
                         "thoughts_token_count", "reasoningTokens", "output_token_details.reasoning",
                         "output_reasoning_tokens", "output_reasoning", "reasoning_tokens",
                         "completion_reasoning_tokens", "outputTokenDetails.reasoningTokens"),
    "total_tokens": ("total_tokens", "totalTokenCount", "total_token_count", "totalTokens", "total"),
}  # fmt: skip


def objects(body: Any, closed: frozenset[str] = _CONTENT) -> Iterator[dict[str, Any]]:
    """The objects of a body, outermost first, except inside the `closed` members."""
    waiting = deque([(body, 0)])
    seen = 0
    while waiting and seen < OBJECTS:
        value, depth = waiting.popleft()
        seen += 1
        if isinstance(value, dict):
            yield value
            inner = [item for key, item in value.items() if key not in closed]
        else:
            inner = value[:BREADTH]
        if depth < DEPTH:
            waiting.extend((item, depth + 1) for item in inner if isinstance(item, dict | list))


def request(body: Any) -> dict[str, Any]:
    """Fields and ingredients that a request tells."""
    found: dict[str, Any] = {}
    for each in objects(body, _CONTENT | _ASKED):
        for target, members in REQUEST.items():
            if target not in found:
                value = _member(each, members, _ACCEPTED.get(target, _filled))
                if value is not None:
                    found[target] = value
        if each.get("stream_usage") is True or isinstance(each.get("stream_options"), dict):
            found["stream"] = True  # only a stream is asked how to tell of usage
    return found


def response(body: Any) -> dict[str, Any]:
    """Fields and ingredients that a response tells. Its id is that of the object that names the model."""
    found: dict[str, Any] = {}
    for each in objects(body):
        for target, members in RESPONSE.items():
            if target not in found:
                value = _member(each, members, _ACCEPTED.get(target, _filled))
                if value is not None:
                    found[target] = value
        if "response_id" not in found:
            identity = (
                each.get("responseId") or each.get("response_id") or (_answers(each) and each.get("id"))
            )
            if identity and isinstance(identity, str):
                found["response_id"] = identity
    if "_finish" not in found and isinstance(body, dict) and "output" in body:
        found["_finish"] = body.get("status")  # OpenAI Responses
    return found


def _member(holder: Mapping[str, Any], names: tuple[str, ...], accepted: Callable[[Any], Any]) -> Any:
    for name in names:
        value = holder.get(name)
        if value is not None and (value := accepted(value)) is not None:
            return value
    return None


def _answers(holder: Mapping[str, Any]) -> bool:
    """Whether an object is a response, rather than something inside or around one."""
    named = any(isinstance(holder.get(name), str) for name in RESPONSE["response_model"])
    return named and holder.get("object") != "list" or not _ANSWER.isdisjoint(holder)


def _filled(value: Any) -> Any:
    return value if value not in ("", [], {}) else None


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 256 else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _reason(value: Any) -> Any:
    if isinstance(value, dict):
        value = value.get("reason", value.get("unified"))
    return value if isinstance(value, str | list) and value else None


def _object(value: Any) -> Any:
    value = structure(value)
    return value if isinstance(value, dict) and value else None


_ACCEPTED: Mapping[str, Callable[[Any], Any]] = {
    "model": _name,
    "user": _name,
    "stream": _flag,
    "response_model": _name,
    "_usage": _object,
    "_finish": _reason,
}


def usage(value: Any) -> dict[str, int]:
    """Token counts of a usage object, cached input tokens included in the input tokens.

    Where a total is given it says whether the cached ones already are.
    """
    value = structure(value)
    found: dict[str, int] = {}
    if not isinstance(value, dict):
        return found
    for name, paths in USAGE.items():
        for path in paths:
            outer, _, key = path.partition(".")
            holder = value.get(outer)
            if key:
                holder = holder.get(key) if isinstance(holder, dict) else None
            tokens = count(holder) if not isinstance(holder, dict) else None
            if tokens is not None:
                found[name] = tokens
                break
    total = found.pop("total_tokens", None)
    if "input_tokens" in found and _apart(value, found, total):
        found["input_tokens"] += _cached(found)
    return found


def _cached(found: Mapping[str, int]) -> int:
    return found.get("cache_read_tokens", 0) + found.get("cache_write_tokens", 0)


def _apart(value: Mapping[str, Any], found: Mapping[str, int], total: int | None) -> bool:
    """Whether cached tokens are counted apart from the input tokens."""
    cached = _cached(found)
    plain = found["input_tokens"] + found.get("output_tokens", 0)
    if not cached:
        return False
    if found["input_tokens"] < cached or total == plain + cached:
        return True
    if total == plain:
        return False
    return total is None and not _APART.isdisjoint(value)


# Spellings of those who count them apart: Anthropic, Bedrock, Langfuse.
_APART = frozenset((
    "cache_read_input_tokens", "cache_creation_input_tokens", "cacheReadInputTokens", "cacheWriteInputTokens",
    "input_cache_read", "input_cache_creation", "input_cached_tokens",
))  # fmt: skip
