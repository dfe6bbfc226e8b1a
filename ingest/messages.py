"""Conversations in every spelling: JSON text, structures, parts of all shapes, to tuples of Message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from ingest.lenient import Unreadable, loads
from ingest.literal import NoLiteral, literal
from ingest.words import FINISH, ROLES
from tocsin.model import Message, Role, ToolCall

DEPTH = 8  # how far a message's content is followed into itself
MOST = 2048  # members read of one list: the newest messages, the first parts
_TEXT_KEYS = (
    "text", "content", "input_text", "output_text", "outputText", "value", "refusal", "json", "output",
    "result", "completion", "generated_text", "message", "prompt",
)  # fmt: skip
_WRAPPERS = (
    "messages", "choices", "candidates", "generations", "replies", "outputs", "inputs", "input", "output",
    "contents", "value", "chat_messages", "args", "items",
)  # fmt: skip
_ENCLOSED = ("message", "delta", "output", "response", "kwargs", "data")  # an object that holds the message
_SILENT = frozenset({"reasoning", "thinking", "redacted_thinking", "reasoning_content"})


def structure(value: Any) -> Any:
    """What JSON text holds, or the value itself: text that is no JSON, or cut, stays text."""
    if isinstance(value, str) and value[:1] in ("[", "{", '"'):
        try:
            inner = loads(value.encode("utf-8", "replace"))
        except Unreadable:
            return _python(value)
        return structure(inner) if isinstance(inner, str) and inner != value and inner[:1] in "[{" else inner
    return value


def _python(value: str) -> Any:
    """The same for what `str()` made of a Python dict or list."""
    if value[:2] not in ("{'", "['", "[{", "[(") or "'" not in value:
        return value
    try:
        return literal(value)
    except NoLiteral:
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
            for item in value[-MOST:]:
                _collect(_listed(item), role, found, depth - 1)
    elif isinstance(value, dict):
        usual = _usual(value)
        inner = None if usual else _inner(value)
        if usual:
            found.append(usual)
        elif inner is None or not depth:
            _add(value, role, found)
        else:
            _collect(inner, role, found, depth - 1)
    elif value:
        found.append(Message(role, as_text(value)))


def _usual(message: Mapping[str, Any]) -> Message | None:
    """A message that is a role and a text, as nearly all are; the same as what `_add` makes of it."""
    role = message.get("role")
    known = ROLES.get(role) if type(role) is str else None
    if known is None or known == "tool" or len(message) > 2 + ("finish_reason" in message):
        return None
    content = message.get("content")
    if type(content) is str:
        return Message(known, content) if content[:2] != "[{" else None
    parts = message.get("parts")
    if type(parts) is list and len(parts) == 1:
        part = parts[0]
        if type(part) is dict and part.get("type") == "text" and type(part.get("content")) is str:
            return Message(known, part["content"])
    return None


def _listed(item: Any) -> Any:
    """A member of a list of messages, which may be JSON text of one."""
    if isinstance(item, str) and item[:2] in ('{"', "{'"):
        inner = structure(item)
        if isinstance(inner, dict) and not _NAMING.isdisjoint(inner):
            return inner
    return item


_NAMING = frozenset(("role", "parts", "message"))


def _inner(value: Mapping[str, Any]) -> Any:
    """The message or messages inside an object that is none itself; None: it is one."""
    kind = value.get("type")
    kind = kind if isinstance(kind, str) else ""
    if "role" in value or kind in _PARTS:
        return None
    if isinstance(value.get("message"), dict):  # choices and indexed messages
        return value["message"]
    for key in _WRAPPERS:
        if isinstance(value.get(key), list):
            return value[key]
    for key in _ENCLOSED:
        inner = value.get(key)
        if isinstance(inner, dict) and (key != "data" or kind in ROLES):
            named = _constructed(value)
            return {"role": named, **inner} if named and "role" not in inner else inner
    content = value.get("content")  # candidates of Gemini
    return content if isinstance(content, dict) and "parts" in content else None


def _constructed(value: Mapping[str, Any]) -> str:
    """The class of a message that LangChain serialised."""
    path = value.get("id")
    word = path[-1] if isinstance(path, list) and path else value.get("type")
    return word if isinstance(word, str) and word.lower() in ROLES else ""


def _is_part(value: Mapping[str, Any]) -> bool:
    kind = value.get("type")
    if "role" in value or not isinstance(kind, str) or kind in ("message", "constructor"):
        return False
    if isinstance(value.get("message"), dict) or isinstance(value.get("kwargs"), dict):
        return False
    return kind.lower() not in ROLES


def _add(message: Mapping[str, Any], role: Role, found: list[Message]) -> None:
    """One message of the conversation; tool results inside it become messages of their own."""
    own = _role(message)
    turn = Turn(own or role)
    turn.read(first(message, _CONTENTS))
    turn.read_calls_of(message)
    if not turn.calls and isinstance(message.get("additional_kwargs"), dict):
        turn.read_calls_of(message["additional_kwargs"])
    if not turn.seen:
        turn.read_part(message, DEPTH)
    if turn.calls and own is None:
        turn.role = "assistant"  # only a model calls
    identity = first(message, ("tool_call_id", "toolCallId", "call_id", "tool_use_id"))
    if own == "tool" and not identity:
        identity = message.get("id")
    named = message.get("name") if own is not None else ""
    found.extend(turn.messages(as_text(identity), as_text(named)))


_CONTENTS = ("parts", "content", "contents", "blocks", "_content")


def _role(message: Mapping[str, Any]) -> Role | None:
    for key in ("role", "_role", "type", "author"):
        word = message.get(key)
        if isinstance(word, str):
            known = ROLES.get(word.lower().rpartition(".")[2])
            if known is not None:
                return known
    return None


def first(holder: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """The first of these members that is there."""
    for key in keys:
        value = holder.get(key)
        if value is not None:
            return value
    return None


def _same_call(call: ToolCall, other: ToolCall) -> bool:
    if (call.id, call.name) != (other.id, other.name):
        return False
    return bool(structure(call.arguments) == structure(other.arguments))


class Turn:
    """One message while its parts are read."""

    __slots__ = ("calls", "results", "role", "seen", "silent", "texts")

    def __init__(self, role: Role) -> None:
        self.role: Role = role
        self.texts: list[str] = []
        self.calls: list[ToolCall] = []
        self.results: list[Message] = []
        self.seen = False
        self.silent = False  # something was thought that is no part of the conversation

    def messages(self, identity: str, name: str) -> list[Message]:
        text = self.texts[0] if len(self.texts) == 1 else "\n".join(self.texts)
        if not text and not self.calls and (self.results or self.silent):
            return self.results
        own = Message(self.role, text, tuple(self.calls), identity if self.role == "tool" else "", name)
        return [own, *self.results] if self.calls else [*self.results, own]

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
            for part in content[:MOST]:
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
        kind = kind if isinstance(kind, str) else None
        if kind == "text" and isinstance(part.get("content"), str):
            self._say(part["content"])
        elif kind in _SILENT:
            self.seen = self.silent = True
        elif not (self._call(part, kind) or self._result(part, kind) or self._media(part, kind)):
            self._words(part, depth)

    def read_calls_of(self, message: Mapping[str, Any]) -> None:
        called = message.get("tool_calls") or message.get("toolCalls")
        if called:
            self.read_calls(called)
        if isinstance(message.get("function_call"), dict):
            self.read_calls([message["function_call"]])

    def read_calls(self, calls: Any) -> None:
        calls = structure(calls)
        for call in map(structure, calls) if isinstance(calls, list) else ():
            if isinstance(call, dict):
                self._ask(tool_call(call))

    def _ask(self, call: ToolCall) -> None:
        """Some say a call twice, as a part of the content and in the list of calls."""
        self.seen = True
        if not (call.id and any(_same_call(call, other) for other in self.calls)):
            self.calls.append(call)

    def _say(self, text: str) -> None:
        self.seen = True
        if text:
            self.texts.append(text)

    def _call(self, part: Mapping[str, Any], kind: Any) -> bool:
        inner = first(part, _CALLED)
        if isinstance(inner, dict):
            part = inner
        elif kind not in _CALL_PARTS:
            return False
        self._ask(tool_call(part))
        return True

    def _result(self, part: Mapping[str, Any], kind: Any) -> bool:
        inner = first(part, _ANSWERED)
        if isinstance(inner, dict):
            part = inner
        elif not isinstance(kind, str) or (kind not in _RESULT_PARTS and not kind.endswith("_tool_result")):
            return False
        self.seen = True
        origin = part.get("origin")
        origin = origin if isinstance(origin, dict) else {}
        identity = next((part[key] for key in _CALL_IDS if part.get(key)), origin.get("id"))
        name = first(part, _NAMES) or origin.get("tool_name")
        value = first(part, ("response", "result", "content", "output"))
        text = "" if value is None else result_text(value)
        self.results.append(Message("tool", text, (), as_text(identity), as_text(name)))
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


_CALLED = ("functionCall", "function_call", "toolUse", "toolRequest", "tool_call")
_ANSWERED = ("functionResponse", "function_response", "toolResult", "toolResponse", "tool_call_result")
_CALL_PARTS = frozenset((
    "tool_call", "tool_use", "server_tool_call", "server_tool_use", "tool-call", "function_call", "toolCall",
    "mcp_call", "custom_tool_call", "mcp_tool_use",
))  # fmt: skip
_RESULT_PARTS = frozenset((
    "tool_call_response", "server_tool_call_response", "tool_result", "tool-result", "function_call_output",
    "custom_tool_call_output", "tool_response", "toolResult",
))  # fmt: skip
_PARTS = _CALL_PARTS | _RESULT_PARTS
_CALL_IDS = ("id", "tool_use_id", "tool_call_id", "toolUseId", "toolCallId", "call_id", "ref")
_NAMES = ("name", "toolName", "tool_name")


def _looks_like_parts(value: Any) -> bool:
    """Whether a structure is message content rather than data that somebody sent as text."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) and _looks_like_parts(item) for item in value[:4])
    return isinstance(value, dict) and not _PART_KEYS.isdisjoint(value)


_PART_KEYS = frozenset(
    (
        "type", "text", "parts", "toolUse", "toolResult", "functionCall", "functionResponse",
        "message_content", "block_type", "toolRequest", "toolResponse", "tool_call", "tool_call_result",
    )
)  # fmt: skip


def result_text(value: Any) -> str:
    """What a tool gave back: its text where it is wrapped in text parts, else JSON."""
    value = structure(value)
    if _looks_like_parts(value):
        turn = Turn("tool")
        turn.read(value)
        return "\n".join(turn.texts) or as_text(value)
    if isinstance(value, dict) and ("isError" in value or "structuredContent" in value):  # of MCP
        content = value.get("content")
        return result_text(content if content else value.get("structuredContent"))
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
    arguments = first(body, ("arguments", "args", "input", "parameters"))
    identity = next((call[key] for key in ("call_id", "id", *_CALL_IDS[1:]) if call.get(key)), "")
    name = first(body, _NAMES) or (function if isinstance(function, str) else "")
    if isinstance(arguments, str):
        arguments = _python(arguments)
    return ToolCall(as_text(identity), as_text(name), as_text(arguments))


def finish_reason(value: Any) -> str:
    """The reason why a model stopped, in our word where there is one."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) and value[0] in FINISH:
        return FINISH[value[0]]
    value = structure(value)
    if isinstance(value, list):
        value = next((item for item in value if item), "")
    word = as_text(value).rsplit(".", 1)[-1].strip().lower()
    return FINISH.get(word, word)[:64]


def compacted(said: Sequence[Any]) -> bool:
    """Whether earlier messages were replaced by a summary of them."""
    for message in said:
        parts = first(message, ("parts", "content")) if isinstance(message, dict) else None
        if isinstance(parts, list) and any(
            isinstance(p, dict) and p.get("type") == "compaction" for p in parts
        ):
            return True
    return False


def stated_finish(value: Sequence[Any]) -> str:
    """The reason that output messages state themselves."""
    for message in value:
        if isinstance(message, dict) and message.get("finish_reason"):
            return finish_reason(message["finish_reason"])
    return ""
