"""A chunk of a stream that was logged alone: the call is told by the one that says how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ingest.body_gemini import either
from ingest.providers import Api

# How much of its call a document tells: all of it, nothing, or one of two parts that join.
Share = Literal["all", "nothing", "finish", "usage"]

_ENDS = ("response.completed", "response.incomplete", "response.failed")


def share(speaks: Api, document: Mapping[str, Any]) -> Share:
    """What an answer that stands alone tells."""
    if speaks == "openai":
        return _openai(document)
    if speaks == "anthropic":
        return "all" if document.get("type") in ("message", "error", "message_start", None) else "nothing"
    if speaks == "converse":
        return "nothing" if "stopReason" not in document and "output" not in document else "all"
    return "all" if not document.get("candidates") or _finished(document) else "nothing"


def streamed(document: Mapping[str, Any]) -> bool:
    """Whether a document is an event or a chunk rather than a whole answer."""
    kind = document.get("type")
    if document.get("object") == "chat.completion.chunk":
        return True
    return isinstance(kind, str) and (kind.startswith("response.") or kind == "message_start")


def _openai(document: Mapping[str, Any]) -> Share:
    kind = document.get("type")
    if isinstance(kind, str) and kind.startswith("response."):
        return "all" if kind in _ENDS else "nothing"
    if document.get("object") != "chat.completion.chunk":
        return "all"
    counted = isinstance(document.get("usage"), dict)
    choices = document.get("choices")
    ended = isinstance(choices, list) and any(
        isinstance(choice, dict) and choice.get("finish_reason") for choice in choices
    )
    if counted:
        return "all" if ended else "usage"
    return "finish" if ended else "nothing"


def _finished(document: Mapping[str, Any]) -> bool:
    candidates = document["candidates"]
    return not isinstance(candidates, list) or any(
        isinstance(candidate, dict) and either(candidate, "finishReason") for candidate in candidates
    )
