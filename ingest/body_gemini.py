"""Google's generateContent API, as Gemini and Vertex AI speak it, in camel and in snake case."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from ingest import messages as parse
from ingest.body import Body
from ingest.facts import Facts, Paths

PROVIDER = "gcp.gemini"
USAGE: Paths = {
    "input_tokens": ("promptTokenCount", "prompt_token_count"),
    "output_tokens": ("candidatesTokenCount", "candidates_token_count", "responseTokenCount"),
    "cache_read_tokens": ("cachedContentTokenCount", "cached_content_token_count"),
    "reasoning_tokens": ("thoughtsTokenCount", "thoughts_token_count"),
}
_MODEL = re.compile(r"models/([^/:?\s]{1,200})")
_METHODS = (":generateContent", ":streamGenerateContent", ":embedContent", ":batchEmbedContents", ":predict")


def either(value: Mapping[str, Any], name: str) -> Any:
    """A member in camel case, or the same in snake case."""
    if name in value:
        return value[name]
    return value.get(_snake(name))


@cache
def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), name)


def answers(first: Mapping[str, Any]) -> bool:
    """Whether an answer, or its first chunk, is in this API's words."""
    if isinstance(either(first, "usageMetadata"), dict) or isinstance(either(first, "promptFeedback"), dict):
        return True
    candidates = first.get("candidates")
    if isinstance(candidates, list) and candidates and isinstance(candidates[0], dict):
        return "content" in candidates[0] or either(candidates[0], "finishReason") is not None
    error = first.get("error")
    return isinstance(error, dict) and isinstance(error.get("code"), int) and _loud(error.get("status"))


def _loud(word: Any) -> bool:
    return isinstance(word, str) and word.isupper()


def asks(request: Mapping[str, Any], url: str) -> bool:
    """Whether a request is in this API's words."""
    return any(method in url for method in _METHODS) or isinstance(request.get("contents"), list | str)


def read(facts: Facts, request: Mapping[str, Any], response: Body, url: str = "") -> None:
    """What was asked, and what was answered."""
    named = _MODEL.search(url)
    facts.put("model", request.get("model"), named and named[1])
    system = either(request, "systemInstruction") or _config(request, "systemInstruction")
    if system:
        facts.inputs += parse.messages(_turns(system), "system")
    asked = request.get("contents", request.get("content"))
    if asked is not None:
        facts.inputs += parse.messages(_turns(asked), "user")
    facts.offered(request.get("tools") or _config(request, "tools"))
    chunks = response.chunks or ([response.object] if response.object else [])
    streamed = "streamGenerateContent" in url or len(response.chunks) > 0
    facts.put("stream", streamed if chunks or request else None)
    if not any([facts.error(chunk) for chunk in chunks]):
        _answered(facts, chunks)


def _config(request: Mapping[str, Any], name: str) -> Any:
    """Where the SDKs put what the API has on top."""
    config = request.get("config")
    return either(config, name) if isinstance(config, dict) else None


def _answered(facts: Facts, chunks: list[dict[str, Any]]) -> None:
    usage: dict[str, Any] = {}
    for chunk in chunks:
        facts.put("response_id", either(chunk, "responseId"))
        facts.put("response_model", either(chunk, "modelVersion"))
        facts.put("time", either(chunk, "createTime"))
        counted = either(chunk, "usageMetadata")
        usage |= counted if isinstance(counted, dict) else {}
        feedback = either(chunk, "promptFeedback")
        if isinstance(feedback, dict) and either(feedback, "blockReason"):
            facts.finished("content_filter")
            facts.note("block_reason", either(feedback, "blockReason"))
    facts.take(usage, USAGE)
    thought, said = facts.fields.get("reasoning_tokens"), facts.fields.get("output_tokens")
    if thought and said is not None:
        facts.fields["output_tokens"] = said + thought
    _candidates(facts, chunks)


def _candidates(facts: Facts, chunks: list[dict[str, Any]]) -> None:
    """What was said, of each candidate; a streamed one stands in pieces."""
    spoken: dict[str, list[Any]] = {}
    for chunk in chunks:
        candidates = chunk.get("candidates")
        for candidate in candidates if isinstance(candidates, list) else ():
            if isinstance(candidate, dict):
                facts.finished(either(candidate, "finishReason"))
                content = candidate.get("content")
                parts = content.get("parts") if isinstance(content, dict) else None
                said = spoken.setdefault(str(candidate.get("index") or 0), [])
                said.extend(parts if isinstance(parts, list) else ())
    for parts in spoken.values():
        turn = {"role": "model", "parts": _joined(parts)}
        facts.outputs += parse.messages([turn], "assistant") if parts else []


def _joined(parts: list[Any]) -> list[Any]:
    """Parts without thoughts, text next to text made one."""
    found: list[Any] = []
    for part in parts:
        if not isinstance(part, dict) or part.get("thought"):
            continue
        text = part.get("text")
        if isinstance(text, str) and found and isinstance(found[-1], list):
            found[-1].append(text)
        else:
            found.append([text] if isinstance(text, str) else part)
    return [{"text": "".join(part)} if isinstance(part, list) else part for part in found]


def _turns(value: Any) -> Any:
    """Turns without thoughts."""
    value = parse.structure(value)
    if isinstance(value, dict) and isinstance(value.get("parts"), list):
        kept = [part for part in value["parts"] if not (isinstance(part, dict) and part.get("thought"))]
        return [{**value, "parts": kept}]
    if isinstance(value, list):
        return [turn[0] if isinstance(turn := _turns(item), list) and turn else turn for item in value]
    return value
