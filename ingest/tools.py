"""What a tool was given and what it gave back, out of what frameworks wrap around both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ingest.literal import tool_message
from ingest.messages import as_text, result_text, structure

UNWRAPS = 3
_SETTINGS = frozenset(("tags", "metadata", "kwargs", "callbacks", "config"))
_GIVEN = ("inputs", "input_str", "input", "args", "arguments", "tool_input", "tool_args", "parameters")


class Outcome(NamedTuple):
    """What came back, the id of the call where the result names it, and whether it is an error."""

    text: str
    call_id: str = ""
    failed: bool = False


def arguments(value: Any) -> str:
    """The arguments as JSON text, or as they were written."""
    inner = structure(value)
    for number in range(UNWRAPS):
        unwrapped = _arguments(inner)
        if unwrapped is None:
            asis = not number and isinstance(value, str) and not value.startswith(_PYTHON)
            return as_text(value if asis else inner)
        inner = structure(unwrapped)
    return as_text(inner)


_PYTHON = ("{'", "['", "[{'", "[(")


def _arguments(inner: Any) -> Any:
    """What is inside one wrapping; None: it is none."""
    if not isinstance(inner, dict) or not inner:
        return None
    if isinstance(inner.get("kwargs"), dict) and (
        "args" in inner or len(inner) == 1
    ):  # a Python function's own
        args, kwargs = inner.get("args"), inner["kwargs"]
        return kwargs if not args else args if not kwargs else None
    for key in _GIVEN:
        if key in inner and (not _SETTINGS.isdisjoint(inner) or _is_call(inner) or _only(inner, key)):
            return inner[key]
    return None


def _is_call(inner: Mapping[str, Any]) -> bool:
    """Whether an object is a model's call of a tool, with the arguments inside."""
    return isinstance(inner.get("name"), str) and not _CALL.isdisjoint(inner)


_CALL = frozenset(("id", "callId", "call_id", "type", "toolCallId", "tool_call_id"))


def _only(inner: Mapping[str, Any], key: str) -> bool:
    """A single member is a wrapping only if what it holds is an object: `input` may be an argument."""
    return len(inner) == 1 and (key == "input_str" or isinstance(structure(inner[key]), dict))


def unwrapped(value: Any, *keys: str) -> Any:
    """The first of these members, where a framework put it beside its own settings or alone."""
    inner = structure(value)
    if isinstance(inner, dict):
        for key in keys:
            if key in inner and (not _SETTINGS.isdisjoint(inner) or len(inner) == 1):
                return inner[key]
    return value


def is_schema(value: Any) -> bool:
    """Whether this describes the arguments of a tool rather than being some."""
    inner = structure(value)
    return isinstance(inner, dict) and ("properties" in inner or inner.get("type") == "object")


def outcome(value: Any) -> Outcome:
    """What a tool gave back, without the message that a framework made of it."""
    if isinstance(value, str) and (told := tool_message(value)) is not None:
        return Outcome(*told)
    inner = structure(value)
    for _ in range(UNWRAPS):
        if not isinstance(inner, dict):
            break
        failed = True in (inner.get("isError"), inner.get("is_error"))
        failed |= inner.get("status") == "error" and "content" in inner
        if failed or _is_message(inner):
            content = inner.get("content", inner.get("blocks", inner.get("raw_output")))
            identity = inner.get("tool_call_id") or inner.get("toolCallId")
            return Outcome(result_text(content), as_text(identity), failed)
        holder = next((inner[key] for key in ("output", "kwargs", "data") if _holds(inner, key)), None)
        if holder is None:
            break
        inner = holder
    if isinstance(inner, str) and (told := tool_message(inner)) is not None:
        return Outcome(*told)
    return Outcome(result_text(inner))


def _is_message(inner: Mapping[str, Any]) -> bool:
    """A message that carries a result: it names the call, or is of MCP, or of LlamaIndex."""
    named = "tool_call_id" in inner or "toolCallId" in inner or "isError" in inner
    return named and "content" in inner or "raw_output" in inner and "blocks" in inner


def _holds(inner: Mapping[str, Any], key: str) -> bool:
    holder = inner.get(key)
    if isinstance(holder, str):
        return key == "output" and (len(inner) == 1 or not _SETTINGS.isdisjoint(inner))
    if not isinstance(holder, dict):
        return False
    return len(inner) == 1 or key == "output" or "type" in inner or "lc" in inner
