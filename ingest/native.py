"""Tocsin's own wire format: the JSON form of `tocsin.model.Event`, one or an array of them a record."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from msgspec.structs import force_setattr

from ingest import messages as parse
from ingest import readings
from ingest.lenient import Unreadable, loads
from ingest.times import epoch
from tocsin.model import Decoded, Document, Event, Kind, Message, Reject, Status, ToolDefinition
from tocsin.settings import LimitSettings

MARK = "tocsin"

_DEFAULTS: dict[str, Any] = dict(zip(Event.__struct_fields__, Event.__struct_defaults__, strict=True))
# Stamped by the engine: never believed from outside.
STAMPED = (
    "id", "log_id", "log_partition", "log_offset", "log_index", "arrival", "source", "source_partition",
    "source_offset", "source_index", "source_format", "duplicate", "backfill",
    "original_time", "invalid_fields", "former",
)  # fmt: skip
_CONTENT = ("input", "output", "tool_definitions", "documents", "attributes")
_TIMES = ("time", "original_time")
_COUNTS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
    "http_status",
)  # fmt: skip
_NUMBERS = ("duration_ms", "first_token_ms", "cost_usd")
_SCORES = ("evaluation_score", "guardrail_score")
_FLAGS = ("stream", "content_available", "truncated", "compacted")
CHOICES: dict[str, tuple[str, ...]] = {
    "kind": get_args(Kind),
    "status": get_args(Status),
    "cost_source": ("", "reported", "priced"),
}
_TEXTS = ("tool_arguments", "tool_result", "error_message")
_NAMES = tuple(
    name
    for name in Event.__struct_fields__
    if name not in (*STAMPED, *_CONTENT, *_TIMES, *_COUNTS, *_NUMBERS, *_SCORES, *_FLAGS, *_TEXTS, *CHOICES)
)
_SMALL = readings.IDENTIFIER  # no field of a shorter record can be too long
_PLAIN_TIME = 1e11  # below it a number is seconds


class NativeDecoder:
    """Typed decoding; what does not fit the types is read field by field instead of being refused."""

    name = "native"

    def __init__(self, limits: LimitSettings | None = None) -> None:
        self._limits = limits or LimitSettings()
        self._small = min(_SMALL, self._limits.text_characters, self._limits.attribute_characters * 8)
        self._one = msgspec.json.Decoder(Event).decode
        self._many = msgspec.json.Decoder(list[msgspec.Raw]).decode

    def decode(self, value: bytes) -> Decoded:
        try:
            event = self._one(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._other(value)
        if not _sound(event):
            self._mend(event)
        force_setattr(event, "source_format", "native")
        if not event.content_available and _has_content(event):
            force_setattr(event, "content_available", True)
        if len(value) > self._small or event.attributes:
            self._trim(event)
        return Decoded((event,))

    def read(self, document: Any) -> Decoded:
        """The same from a parsed document, field by field."""
        if not isinstance(document, list):
            return Decoded((self._lenient(document),))
        room = self._limits.events_per_record
        items: list[Event | Reject] = [self._lenient(item) for item in document[:room]]
        return Decoded(_bounded(items, len(document), room))

    def _other(self, value: bytes) -> Decoded:
        """An array of events, or what does not fit the types."""
        if value.startswith(b"["):
            try:
                return self._array(self._many(value))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
        try:
            return self.read(loads(value))
        except Unreadable as error:
            return Decoded((error.reject(),))

    def _array(self, parts: list[msgspec.Raw]) -> Decoded:
        room = self._limits.events_per_record
        items: list[Event | Reject] = [self._part(bytes(part)) for part in parts[:room]]
        return Decoded(_bounded(items, len(parts), room))

    def _part(self, value: bytes) -> Event | Reject:
        try:
            event = self._one(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            try:
                return self._lenient(loads(value), len(value))
            except Unreadable as error:
                return error.reject()
        self._check(event, len(value))
        return event

    def _check(self, event: Event, size: int) -> None:
        """What the types do not say: no foreign stamps, no impossible numbers, no excess."""
        if not _sound(event):
            self._mend(event)
        force_setattr(event, "source_format", self.name)
        if not event.content_available and _has_content(event):
            force_setattr(event, "content_available", True)
        if size > self._small or event.attributes:
            self._trim(event)

    def _mend(self, event: Event) -> None:
        for name in STAMPED:
            force_setattr(event, name, _DEFAULTS[name])
        _void_numbers(event)

    def _trim(self, event: Event) -> None:
        limits = self._limits
        if size_of(event.attributes, limits):
            force_setattr(event, "attributes", _attributes(event.attributes, limits))
        for name in ("input", "output"):
            said: tuple[Message, ...] = getattr(event, name)
            if len(said) > limits.messages or any(_long(message, limits.text_characters) for message in said):
                force_setattr(event, name, _cut(said[-limits.messages :], limits.text_characters))
                force_setattr(event, "truncated", True)
        for name in _TEXTS:
            text = getattr(event, name)
            if text is not None and len(text) > limits.text_characters:
                force_setattr(event, name, text[: limits.text_characters])
                force_setattr(event, "truncated", True)
        for name in _NAMES:
            text = getattr(event, name)
            if len(text) > readings.IDENTIFIER:
                force_setattr(event, name, text[: readings.IDENTIFIER])

    def _lenient(self, fields: Any, size: int = _SMALL + 1) -> Event | Reject:
        if not isinstance(fields, dict):
            return Reject(reason="invalid", detail="an event is a JSON object")
        mark = fields.get(MARK, 1)
        if mark != 1:
            return Reject(reason="invalid", detail="of another version of the native format")
        found: dict[str, Any] = {}
        invalid: list[str] = []
        for name, value in fields.items():
            if name in _DEFAULTS and name not in STAMPED and value is not None:
                reading = self._field(name, value)
                if reading is None:
                    invalid.append(name)
                else:
                    found[name] = reading
        event = Event(**found)
        self._check(event, size)
        if invalid or event.invalid_fields:
            force_setattr(event, "invalid_fields", tuple(dict.fromkeys((*invalid, *event.invalid_fields))))
        return event

    def _field(self, name: str, value: Any) -> Any:
        """The value as the field wants it; None: impossible."""
        if name in _TIMES:
            return epoch(value)
        if name in _COUNTS:
            return readings.count(value)
        if name in _NUMBERS:
            return readings.number(value)
        if name in _SCORES:
            return readings.score(value)
        if name in _FLAGS:
            return readings.flag(value)
        if name in CHOICES:
            return value if value in CHOICES[name] else None
        if name in _CONTENT:
            return _content(name, value, self._limits)
        return parse.as_text(value)


def size_of(attributes: dict[str, str], limits: LimitSettings) -> bool:
    """Whether attributes exceed what is kept."""
    width = limits.attribute_characters
    if len(attributes) > limits.attributes:
        return True
    return any(len(name) > 256 or len(text) > width for name, text in attributes.items())


def _attributes(attributes: dict[Any, Any], limits: LimitSettings) -> dict[str, str]:
    width = limits.attribute_characters
    kept = list(attributes.items())[: limits.attributes]
    return {str(name)[:256]: readings.text(text)[:width] for name, text in kept}


def _content(name: str, value: Any, limits: LimitSettings) -> Any:
    if name == "attributes":
        return _attributes(value, limits) if isinstance(value, dict) else None
    if not isinstance(value, list | tuple):
        return None
    if name == "documents":
        return tuple([item for item in map(_document, value) if item])
    if name == "tool_definitions":
        return tuple([item for item in map(_definition, value) if item])
    return tuple(parse.messages(list(value), "user" if name == "input" else "assistant"))


def _document(item: Any) -> Document | None:
    if not isinstance(item, dict):
        return None
    return Document(
        parse.as_text(item.get("id")), readings.score(item.get("score")), parse.as_text(item.get("text"))
    )


def _definition(item: Any) -> ToolDefinition | None:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        return None
    return ToolDefinition(
        item["name"], parse.as_text(item.get("digest")), parse.as_text(item.get("description"))
    )


def _sound(event: Event) -> bool:
    """Whether an event has no foreign stamps and no impossible numbers."""
    most = readings.COUNT
    return not (
        event.id
        or event.log_id
        or event.source
        or event.arrival
        or event.log_offset
        or event.log_partition
        or event.log_index
        or event.source_offset
        or event.source_partition
        or event.source_index
        or event.duplicate
        or event.backfill
        or event.former
        or event.invalid_fields
        or event.original_time is not None
    ) and (
        0 <= event.time < _PLAIN_TIME
        and ((n := event.input_tokens) is None or 0 <= n < most)
        and ((n := event.output_tokens) is None or 0 <= n < most)
        and ((n := event.cache_read_tokens) is None or 0 <= n < most)
        and ((n := event.cache_write_tokens) is None or 0 <= n < most)
        and ((n := event.reasoning_tokens) is None or 0 <= n < most)
        and ((n := event.http_status) is None or 0 <= n < 600)
        and ((x := event.cost_usd) is None or 0 <= x < readings.NUMBER)
        and ((x := event.duration_ms) is None or 0 <= x < readings.NUMBER)
        and ((x := event.first_token_ms) is None or 0 <= x < readings.NUMBER)
    )


def _void_numbers(event: Event) -> None:
    """Times by their magnitude; what cannot be is taken out and named."""
    invalid: list[str] = []
    time = epoch(event.time) if event.time else 0.0
    if time is None:
        invalid.append("time")
    force_setattr(event, "time", time or 0.0)
    for name in (*_COUNTS, *_NUMBERS):
        value = getattr(event, name)
        most = 600 if name == "http_status" else readings.NUMBER if name in _NUMBERS else readings.COUNT
        if value is not None and not 0 <= value < most:
            force_setattr(event, name, None)
            invalid.append(name)
    force_setattr(event, "invalid_fields", (*event.invalid_fields, *invalid))


def _has_content(event: Event) -> bool:
    return bool(
        event.input
        or event.output
        or event.tool_arguments is not None
        or event.tool_result is not None
        or event.documents
    )


def _long(message: Message, limit: int) -> bool:
    return len(message.text) > limit or any(len(call.arguments) > limit for call in message.tool_calls)


def _cut(said: tuple[Message, ...], limit: int) -> tuple[Message, ...]:
    return tuple([_shorter(message, limit) if _long(message, limit) else message for message in said])


def _shorter(message: Message, limit: int) -> Message:
    calls = [msgspec.structs.replace(call, arguments=call.arguments[:limit]) for call in message.tool_calls]
    return msgspec.structs.replace(message, text=message.text[:limit], tool_calls=tuple(calls))


def _bounded(items: list[Event | Reject], given: int, room: int) -> list[Event | Reject]:
    if given > room:
        items.append(Reject(reason="too_many", detail=f"{given} events in one record, {room} are read"))
    return items
