"""What one record tells about a call: typed fields under limits, until they are an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from ingest import aliases, readings
from ingest.content import Content
from ingest.draft import Draft
from ingest.messages import as_text, finish_reason, result_text, structure
from ingest.offered import tool_definitions
from ingest.times import epoch
from tocsin.model import Document, Event, Kind, Message, Status
from tocsin.settings import LimitSettings

Json = Mapping[str, Any]
Paths = Mapping[str, tuple[str, ...]]

_ABSENT: tuple[Any, ...] = (None, "", "-", "null", "None")  # how gateways print that there is no value
_SECRET = ("authorization", "api-key", "api_key", "apikey", "token", "secret", "password", "cookie")
_BLOCKED = frozenset(("content_filter", "content_policy_violation", "guardrail_intervened"))
_AROUND = (
    "source_format", "time", "tenant", "application", "service", "environment", "agent", "agent_id",
    "session", "user", "api_key", "client_ip", "user_agent", "trace_id", "provider",
)  # fmt: skip
_CACHED = ("cache_read_tokens", "cache_write_tokens")
_TOKENS = ("input_tokens", "output_tokens", *_CACHED, "reasoning_tokens")


def _word(value: Any) -> str | None:
    return None if isinstance(value, dict | list) else readings.text(value)


def _status(value: Any) -> int | None:
    found = readings.count(value)
    return found if found is not None and 100 <= found < 600 else None


_READ: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_TOKENS, readings.count),
    **dict.fromkeys(("duration_ms", "first_token_ms", "cost_usd"), readings.number),
    **dict.fromkeys(("evaluation_score", "guardrail_score"), readings.score),
    "stream": readings.flag,
    "http_status": _status,
    "time": epoch,
}


def at(value: Any, path: str) -> Any:
    """What stands at a dotted path; None where there is nothing."""
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def between(start: Any, end: Any) -> float | None:
    """Milliseconds from one time to another; None where one is missing or they run backwards."""
    first, last = epoch(start), epoch(end)
    if first is None or last is None or last < first:
        return None
    return round((last - first) * 1e3, 3)  # beyond that is noise of floating point


def child(value: Any, *names: str) -> dict[str, Any]:
    """The object under the first of these names, which may stand there as JSON text; {}: none."""
    for name in names:
        found = structure(value.get(name)) if isinstance(value, dict) else None
        if isinstance(found, dict):
            return found
    return {}


class Facts:
    """Fields of the events that one record becomes, while it is read."""

    __slots__ = ("_content", "_included", "_limits", "_noted", "documents", "draft", "inputs", "outputs")

    def __init__(self, limits: LimitSettings, source_format: str) -> None:
        self.draft = Draft()
        self.inputs: list[Message] = []
        self.outputs: list[Message] = []
        self.documents: tuple[Document, ...] = ()
        self.draft.fields["source_format"] = source_format
        self._noted: dict[str, str] = {}
        self._included = False
        self._limits = limits
        self._content = Content(limits)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of Event that are known by now."""
        return self.draft.fields

    def other(self) -> Facts:
        """A second event of the same record: who, where and when are the same."""
        twin = Facts(self._limits, "")
        twin.draft.fields.update(self.fields)
        twin.draft.invalid.extend(self.draft.invalid)
        twin._noted.update(self._noted)
        return twin

    def around(self) -> Facts:
        """An event of something that happened during this one: of its fields, who, where and when."""
        twin = Facts(self._limits, "")
        twin.fields.update({name: self.fields[name] for name in _AROUND if name in self.fields})
        return twin

    def put(self, name: str, *values: Any) -> None:
        """Set a field to the first of these values that is one, unless it is set already."""
        if name in self.fields:
            return
        read: Callable[[Any], Any] = _READ.get(name, _word)
        impossible = False
        for value in values:
            if isinstance(value, str | None) and value in _ABSENT:
                continue
            found = read(value)
            if found is not None:
                self.fields[name] = found
                if name in self.draft.invalid:
                    self.draft.invalid.remove(name)
                return
            impossible |= name != "http_status"  # "status" is a word in many records
        if impossible and name not in self.draft.invalid:
            self.draft.invalid.append(name)

    def take(self, source: Any, table: Paths) -> None:
        """Set fields from an object: field to the names or dotted paths where it may stand, best first."""
        if not isinstance(source, dict):
            return
        fields, get = self.draft.fields, source.get
        for name, paths in table.items():
            if name not in fields:
                found = [get(path, at(source, path) if "." in path else None) for path in paths]
                if found.count(None) < len(found):
                    self.put(name, *found)

    def note(self, name: str, value: Any) -> None:
        """Keep what has no field of its own, bounded; never what may be a credential."""
        if isinstance(value, dict | list) or value in _ABSENT or len(self._noted) >= self._limits.attributes:
            return
        if not any(word in name.lower() for word in _SECRET):
            self._noted[name[:256]] = readings.text(value)[: self._limits.attribute_characters]

    def note_all(self, source: Json, names: Iterable[str]) -> None:
        """Keep these members of an object, under their own names."""
        for name in names:
            self.note(name, source.get(name))

    def offered(self, tools: Any) -> None:
        """The tools that the model could choose from."""
        found = tool_definitions(tools)
        if found and "tool_definitions" not in self.fields:
            limit = self._limits.text_characters
            cut = [replace(each, description=each.description[:limit]) for each in found]
            self.fields["tool_definitions"] = tuple(cut)

    def finished(self, reason: Any) -> None:
        """Why the model stopped, in the provider's word."""
        if reason not in _ABSENT and not self.fields.get("finish_reason"):
            self.fields["finish_reason"] = finish_reason(reason)

    def include_cached(self) -> None:
        """Input tokens of a provider that counts cached ones apart; done once."""
        cached = sum(self.fields.get(name) or 0 for name in _CACHED)
        if cached and not self._included:
            self.fields["input_tokens"] = (self.fields.get("input_tokens") or 0) + cached
        self._included = True

    def failed(self, kind: Any, message: Any = None) -> None:
        """The call came to nothing."""
        self.put("error_type", kind)
        self.put("error_message", message)
        self.fields["status"] = "error"

    def error(self, body: Any) -> bool:
        """The error that a provider's answer is; False: it is none."""
        if not isinstance(body, dict):
            return False
        inner = body.get("error")
        if isinstance(inner, dict):
            self._error(inner)
        elif isinstance(inner, str) and inner:
            self.failed(body.get("error_type") or body.get("code"), body.get("message") or inner)
        elif body.get("type") == "error" or isinstance(body.get("__type"), str):
            self.failed(body.get("code") or body.get("__type"), body.get("message"))
        else:
            return False
        return True

    def _error(self, inner: Json) -> None:
        words = (inner.get("code"), inner.get("status"), inner.get("type"))
        kind = next((word for word in words if isinstance(word, str) and word and not word.isdecimal()), None)
        self.put("http_status", inner.get("code"))
        self.failed(kind, inner.get("message"))

    def model_call(self, operation: str = "chat") -> Event:
        """The model call, complete."""
        self._content.conversation(self.draft, self.inputs, self.outputs)
        if "cost_usd" in self.fields:
            self.fields["cost_source"] = "reported"
        cached = sum(self.fields.get(name) or 0 for name in _CACHED)
        if cached > self.fields.get("input_tokens", cached):  # then they surely were not included
            self.include_cached()
        return self._event("llm", operation)

    def hosted(self) -> list[Event]:
        """Executions of tools that the provider made itself while it answered."""
        calls = {call.id: call for message in self.outputs for call in message.tool_calls}
        found: list[Event] = []
        for message in self.outputs:
            call = calls.get(message.tool_call_id)
            if message.role == "tool" and call is not None:
                made = self.around()
                made.put("tool_name", call.name)
                made.put("tool_call_id", call.id)
                made.put("tool_type", "hosted")
                found.append(made.tool_call(call.arguments or None, message.text or None))
        return found

    def tool_call(self, arguments: Any, result: Any) -> Event:
        """A tool's execution. Usage belongs to model calls."""
        for name in (*_TOKENS, "cost_usd", "stream"):
            self.fields.pop(name, None)
        if arguments is not None:
            self.fields["tool_arguments"] = self._cut(as_text(arguments))
        if result is not None:
            self.fields["tool_result"] = self._cut(result_text(result))
        self.fields["content_available"] = arguments is not None or result is not None
        return self._event("tool", "execute_tool")

    def retrieval(self, operation: str = "retrieval") -> Event:
        """A search, with what was asked and what was found."""
        for name in (*_TOKENS, "cost_usd", "stream"):
            self.fields.pop(name, None)
        self._content.conversation(self.draft, self.inputs, [])
        if self.documents:
            cut = [replace(each, text=self._cut(each.text)) for each in self.documents]
            self.fields["documents"] = tuple(cut)
            self.fields["content_available"] = True
        return self._event("retrieval", operation)

    def _cut(self, text: str) -> str:
        if len(text) <= self._limits.text_characters:
            return text
        self.fields["truncated"] = True
        return text[: self._limits.text_characters]

    def step(self, operation: str, kind: Kind = "agent") -> Event:
        """Something that was done beside calls, or judged about them. Usage belongs to model calls."""
        for name in (*_TOKENS, "cost_usd"):
            self.fields.pop(name, None)
        self._content.conversation(self.draft, self.inputs, self.outputs)
        return self._event(kind, operation)

    def _event(self, kind: Kind, operation: str) -> Event:
        fields = self.fields
        provider = fields.get("provider")
        if provider:
            fields["provider"] = aliases.PROVIDERS.get(provider.lower(), provider)
        fields["status"] = self._outcome()
        if fields["status"] == "error" and "error_type" not in fields and "http_status" in fields:
            fields["error_type"] = str(fields["http_status"])
        if self.draft.invalid:
            fields["invalid_fields"] = tuple(self.draft.invalid)
        if self._noted:
            fields["attributes"] = self._noted
        return Event(kind=kind, operation=operation, **fields)

    def _outcome(self) -> Status:
        """A block is one whether it came as an answer or as an error; a refusal is an answer."""
        fields = self.fields
        reason = fields.get("finish_reason", "")
        if fields.get("status") == "blocked" or {reason, fields.get("error_type")} & _BLOCKED:
            return "blocked"
        if fields.get("status") == "error" or reason == "error" or "error_type" in fields:
            return "error"
        if fields.get("http_status", 0) >= 400:
            return "error"
        return "refused" if reason == "refusal" or fields.get("status") == "refused" else "ok"
