"""The redact step: after it no raw text exists."""

from __future__ import annotations

from typing import Protocol

from msgspec.structs import force_setattr, replace

from tocsin.model import Document, Event, Message, Reject, Role, ToolCall, ToolDefinition
from tocsin.settings import ContentSettings

MESSAGE_CHARACTERS = 200  # kept of an error message, in every content mode
_ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool", "retrieved")
_BARE = {role: Message(role) for role in _ROLES}


class Cleaner(Protocol):
    """What finds secrets and personal data: tocsin.reading.redaction.Redactor."""

    def redact(self, text: str) -> str: ...


class Redaction:
    """Takes raw text out of events, in place, as far as the content settings demand."""

    def __init__(self, content: ContentSettings, cleaner: Cleaner | None = None) -> None:
        self._limit = {"excerpt": content.excerpt_characters, "full": -1}.get(content.mode, 0)
        self._cleaner = cleaner

    def event(self, event: Event) -> None:
        """Only this step writes content of a frozen event; pseudonyms for identities belong here too."""
        if event.input:
            force_setattr(event, "input", self._messages(event.input))
        if event.output:
            force_setattr(event, "output", self._messages(event.output))
        if (
            event.attributes
            or event.tool_definitions
            or event.documents
            or event.error_message
            or event.tool_arguments is not None
            or event.tool_result is not None
        ):
            self._rest(event)

    def _rest(self, event: Event) -> None:
        if event.tool_arguments is not None:
            force_setattr(event, "tool_arguments", self._optional(event.tool_arguments))
        if event.tool_result is not None:
            force_setattr(event, "tool_result", self._optional(event.tool_result))
        if event.documents:
            force_setattr(event, "documents", tuple([self._document(each) for each in event.documents]))
        if event.tool_definitions:
            force_setattr(event, "tool_definitions", tuple([self._tool(t) for t in event.tool_definitions]))
        if event.error_message:
            force_setattr(event, "error_message", self._short(event.error_message))
        if event.attributes:
            clean = self._clean
            force_setattr(event, "attributes", {name: clean(text) for name, text in event.attributes.items()})

    def reject(self, reject: Reject) -> Reject:
        """Its sample and detail come from input that nobody could read, so they are treated as text."""
        return replace(reject, sample=self._clean(reject.sample), detail=self._short(reject.detail))

    def _messages(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        if self._limit:
            return tuple([self._message(message) for message in messages])
        return tuple(
            [
                self._message(message)
                if message.tool_calls or message.tool_call_id or message.name
                else _BARE[message.role]
                for message in messages
            ]
        )

    def _message(self, message: Message) -> Message:
        calls = tuple([self._call(call) for call in message.tool_calls])
        return Message(message.role, self._text(message.text), calls, message.tool_call_id, message.name)

    def _call(self, call: ToolCall) -> ToolCall:
        return ToolCall(call.id, call.name, self._text(call.arguments))

    def _document(self, document: Document) -> Document:
        return Document(document.id, document.score, self._text(document.text))

    def _tool(self, tool: ToolDefinition) -> ToolDefinition:
        return ToolDefinition(tool.name, tool.digest, self._text(tool.description))

    def _optional(self, text: str) -> str | None:
        return self._text(text) if self._limit else None

    def _text(self, text: str) -> str:
        if not self._limit or not text:
            return ""
        clean = self._clean(text)  # before cutting: half a secret is not recognised
        return clean if self._limit < 0 else clean[: self._limit]

    def _short(self, text: str) -> str:
        return self._clean(text)[:MESSAGE_CHARACTERS]

    def _clean(self, text: str) -> str:
        if not text:
            return ""
        if self._cleaner is None:
            from tocsin.reading.redaction import Redactor  # compiling its patterns takes a moment

            self._cleaner = Redactor()
        return self._cleaner.redact(text)
