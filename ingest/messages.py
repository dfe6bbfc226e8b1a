"""Conversations in every spelling: JSON text, structures, parts of all shapes, to tuples of Message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from ingest.aliases import FINISH, ROLES
from ingest.lenient import Unreadable, loads
from tocsin.model import Document, Message, Role, ToolCall, ToolDefinition

DEPTH = 8  # how far a message's content is followed into itself
_TEXT_KEYS = ("text", "content", "input_text", "output_text", "value", "refusal", "json", "output", "result")
_WRAPPERS = ("messages", "choices", "candidates", "generations", "outputs", "inputs", "input", "output")
_SILENT = frozenset({"reasoning", "thinking", "redacted_thinking", "reasoning_content"})


def structure(value: Any) -> Any:
    """What JSON text holds, or the value itself: text that is no JSON, or cut, stays text."""
    if isinstance(value, str) and value[:1] in ("[", "{", '"'):
        try:
            inner = loads(value.encode("utf-8", "replace"))
        except Unreadable:
            return value
        return structure(inner) if isinstance(inner, str) and inner != value and inner[:1] in "[{" else inner
    return value


def as_text(value: Any) -> str:
    """A value as text: itself, or its JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except (orjson.JSONEncodeError, UnicodeEncodeError):  # deeper than the encoder goes, or beyond 64 bits
        return repr(value)[:65_536]


def messages(value: Any, role: Role) -> list[Message]:
    """The messages in `value`; `role` is for those that do not name theirs."""
    found: list[Message] = []
    _collect(structure(value), role, found, DEPTH)
    return found


def _collect(value: Any, role: Role, found: list[Message], depth: int) -> None:
    if isinstance(value, list):
        if depth and value and all(isinstance(part, dict) and _is_part(part) for part in value):
            _add({"parts": value}, role, found)
        elif depth:
            for item in value:
                _collect(item, role, found, depth - 1)
    elif isinstance(value, dict):
        wrapped = next((value[key] for key in _WRAPPERS if isinstance(value.get(key), list)), None)
        if isinstance(value.get("message"), dict) and depth:  # choices and indexed messages
            _collect(value["message"], role, found, depth - 1)
        elif wrapped is not None and "role" not in value and depth:
            _collect(wrapped, role, found, depth - 1)
        else:
            _add(value, role, found)
    elif value:
        found.append(Message(role, as_text(value)))


def _is_part(value: Mapping[str, Any]) -> bool:
    return "role" not in value and isinstance(value.get("type"), str) and value["type"] != "message"


def _add(message: Mapping[str, Any], role: Role, found: list[Message]) -> None:
    """One message of the conversation; tool results inside it become messages of their own."""
    named = message.get("role")
    if named is None:
        named = message.get("type") if message.get("type") in ROLES else None
    own: Role = ROLES.get(named.lower(), role) if isinstance(named, str) else role
    turn = Turn(own)
    parts = message.get("parts")
    turn.read(parts if parts is not None else message.get("content", message.get("contents")))
    turn.read_calls(message.get("tool_calls") or message.get("toolCalls"))
    call = message.get("function_call")
    if isinstance(call, dict):
        turn.read_calls([call])
    if not turn.seen:
        turn.read_part(message, DEPTH)
    identity = message.get("tool_call_id") or message.get("toolCallId")
    if own == "tool" and not identity:
        identity = message.get("id")
    found.extend(turn.messages(as_text(identity), as_text(message.get("name"))))


class Turn:
    """One message while its parts are read."""

    __slots__ = ("calls", "results", "role", "seen", "texts")

    def __init__(self, role: Role) -> None:
        self.role: Role = role
        self.texts: list[str] = []
        self.calls: list[ToolCall] = []
        self.results: list[Message] = []
        self.seen = False

    def messages(self, identity: str, name: str) -> list[Message]:
        text = self.texts[0] if len(self.texts) == 1 else "\n".join(self.texts)
        if self.results and not text and not self.calls:
            return self.results
        own = Message(self.role, text, tuple(self.calls), identity if self.role == "tool" else "", name)
        return [*self.results, own]

    def read(self, content: Any, depth: int = DEPTH) -> None:
        """Content is text, a part or a list of parts."""
        if isinstance(content, str):
            if content[:2] == "[{":
                content = structure(content)
            if isinstance(content, str):
                self._say(content)
                return
            if not _looks_like_parts(content):
                self._say(as_text(content))
                return
        if isinstance(content, list):
            for part in content:
                if depth:
                    self.read_part(part, depth - 1)
        elif isinstance(content, dict):
            self.read_part(content, depth)
        elif content is not None:
            self._say(as_text(content))

    def read_part(self, part: Any, depth: int) -> None:
        if not isinstance(part, dict):
            if part is not None:
                self._say(as_text(part))
            return
        kind = part.get("type")
        if kind == "text" and isinstance(part.get("content"), str):
            self._say(part["content"])
        elif kind in _SILENT:
            self.seen = True
        elif not (self._call(part, kind) or self._result(part, kind) or self._media(part, kind)):
            self._words(part, depth)

    def read_calls(self, calls: Any) -> None:
        calls = structure(calls)
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                self.seen = True
                self.calls.append(tool_call(call))

    def _say(self, text: str) -> None:
        self.seen = True
        if text:
            self.texts.append(text)

    def _call(self, part: Mapping[str, Any], kind: Any) -> bool:
        inner = part.get("functionCall") or part.get("function_call") or part.get("toolUse")
        if isinstance(inner, dict):
            part = inner
        elif kind not in (
            "tool_call",
            "tool_use",
            "server_tool_call",
            "server_tool_use",
            "tool-call",
            "function_call",
        ):
            return False
        self.seen = True
        self.calls.append(tool_call(part))
        return True

    def _result(self, part: Mapping[str, Any], kind: Any) -> bool:
        inner = part.get("functionResponse") or part.get("function_response") or part.get("toolResult")
        if isinstance(inner, dict):
            part = inner
        elif not (
            isinstance(kind, str)
            and kind in _RESULT_PARTS
            or isinstance(kind, str)
            and kind.endswith("_tool_result")
        ):
            return False
        self.seen = True
        keys = ("response", "result", "content", "output")
        value = next((part[key] for key in keys if part.get(key) is not None), "")
        identity = next((part[key] for key in _CALL_IDS if part.get(key)), "")
        name = part.get("name") or part.get("toolName") or ""
        self.results.append(Message("tool", result_text(value), (), as_text(identity), as_text(name)))
        return True

    def _media(self, part: Mapping[str, Any], kind: Any) -> bool:
        """What is not text leaves a mark that it was there."""
        if kind == "uri" or kind == "image_url":
            url = part.get("uri") or part.get("image_url")
            self._say(f"[{as_text(url.get('url') if isinstance(url, dict) else url)[:2000]}]")
        elif kind in ("blob", "file", "image", "input_image", "input_file", "input_audio"):
            self._say(f"[{kind} {as_text(part.get('mime_type') or part.get('file_id'))}]".replace(" ]", "]"))
        else:
            return False
        return True

    def _words(self, part: Mapping[str, Any], depth: int) -> None:
        for key in _TEXT_KEYS:
            value = part.get(key)
            if isinstance(value, str):
                self._say(value)
                return
            if value is not None:
                if depth and _looks_like_parts(value):
                    self.read(value, depth - 1)
                else:
                    self._say(as_text(value))
                return
        inner = part.get("message_content")
        if isinstance(inner, dict) and depth:  # OpenInference wraps each part
            self.read_part(inner, depth - 1)


_RESULT_PARTS = frozenset(
    ("tool_call_response", "server_tool_call_response", "tool_result", "tool-result", "function_call_output")
)
_CALL_IDS = ("id", "tool_use_id", "tool_call_id", "toolUseId", "toolCallId", "call_id")


def _looks_like_parts(value: Any) -> bool:
    """Whether a structure is message content rather than data that somebody sent as text."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) and _looks_like_parts(item) for item in value[:4])
    return isinstance(value, dict) and not _PART_KEYS.isdisjoint(value)


_PART_KEYS = frozenset(
    ("type", "text", "parts", "toolUse", "toolResult", "functionCall", "functionResponse", "message_content")
)


def result_text(value: Any) -> str:
    """What a tool gave back: its text where it is wrapped in text parts, else JSON."""
    value = structure(value)
    if _looks_like_parts(value):
        turn = Turn("tool")
        turn.read(value)
        return "\n".join(turn.texts) or as_text(value)
    if isinstance(value, dict) and len(value) == 1:
        only = next(iter(value.values()))
        if isinstance(only, str) and next(iter(value)) in ("result", "output", "content", "response"):
            return only
    return as_text(value)


def tool_call(call: Mapping[str, Any]) -> ToolCall:
    """A call by a model, flat or with the function inside."""
    inner = call.get("tool_call")
    if isinstance(inner, dict):  # OpenInference wraps each call
        call = inner
    function = call.get("function")
    body: Mapping[str, Any] = function if isinstance(function, dict) else call
    keys = ("arguments", "args", "input")
    arguments = next((body[key] for key in keys if body.get(key) is not None), "")
    identity = next((call[key] for key in ("call_id", "id", *_CALL_IDS[1:]) if call.get(key)), "")
    name = body.get("name") or body.get("toolName") or (function if isinstance(function, str) else "")
    return ToolCall(as_text(identity), as_text(name), as_text(arguments))


def tool_definitions(value: Any) -> tuple[ToolDefinition, ...]:
    """The tools offered to a model."""
    value = structure(value)
    if isinstance(value, dict):
        value = value.get("tools", [value])
    if not isinstance(value, list):
        return ()
    found: list[ToolDefinition] = []
    for item in value[:512]:
        found.extend(_definitions(structure(item), 3))
    return tuple(found)


def _definitions(item: Any, depth: int) -> Iterable[ToolDefinition]:
    if not isinstance(item, dict) or not depth:
        return
    group = item.get("function_declarations") or item.get("functionDeclarations")
    nested = item.get("function") or item.get("toolSpec") or item.get("tool") or item.get("json_schema")
    if isinstance(group, list):
        for each in group:
            yield from _definitions(each, depth - 1)
    elif nested and not item.get("name"):
        yield from _definitions(structure(nested), depth - 1)
    elif isinstance(item.get("name"), str):
        yield tool_definition(item)


def tool_definition(item: Mapping[str, Any]) -> ToolDefinition:
    """A definition with a digest that is stable over name, description and schema."""
    description = as_text(item.get("description"))
    keys = ("parameters", "input_schema", "inputSchema", "json_schema", "schema")
    schema = next((structure(item[key]) for key in keys if item.get(key)), None)
    try:
        canon = orjson.dumps([item["name"], description, schema], option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        canon = repr((item["name"], description, schema)).encode("utf-8", "replace")
    return ToolDefinition(item["name"], blake2b(canon, digest_size=16).hexdigest(), description)


def documents(value: Any) -> tuple[Document, ...]:
    """The documents that a retrieval returned."""
    value = structure(value)
    if isinstance(value, dict):
        value = value.get("documents", value.get("output"))
    found = []
    for item in value[:512] if isinstance(value, list) else ():
        inner = item.get("document") if isinstance(item, dict) else None
        found.append(_document(inner if isinstance(inner, dict) else item))
    return tuple(found)


def _document(item: Any) -> Document:
    if not isinstance(item, dict):
        return Document(text=as_text(item))
    keys = ("content", "page_content", "text", "pageContent")
    text = next((item[key] for key in keys if item.get(key) is not None), "")
    score = item.get("score")
    usable = isinstance(score, int | float) and abs(score) < 1e18  # False for NaN
    return Document(as_text(item.get("id")), float(score or 0) if usable else None, as_text(text))


def finish_reason(value: Any) -> str:
    """The reason why a model stopped, in our word where there is one."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) and value[0] in FINISH:
        return FINISH[value[0]]
    value = structure(value)
    if isinstance(value, list):
        value = next((item for item in value if item), "")
    word = as_text(value).rsplit(".", 1)[-1].strip().lower()
    return FINISH.get(word, word)[:64]


def stated_finish(value: Sequence[Any]) -> str:
    """The reason that output messages state themselves."""
    for message in value:
        if isinstance(message, dict) and message.get("finish_reason"):
            return finish_reason(message["finish_reason"])
    return ""
