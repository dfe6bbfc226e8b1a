"""The body of a request or a response, as gateways log it: parsed, JSON text, chunks, or a raw stream."""

from __future__ import annotations

from typing import Any, NamedTuple

from ingest.lenient import Unreadable, loads
from ingest.messages import structure

_STREAM = ("data:", "event:", "id:", "retry:", ":")
CHUNKS = 3  # that show whose API it is: some begin with an empty one
_BEGINNING = 65_536
_SPACE = "\ufeff \r\n\t"


class Body(NamedTuple):
    """A body once it is parsed: an object, a list of chunks (objects), or None.

    `whole` is False where a part of it was cut off, `text` what was no JSON at all.
    """

    value: dict[str, Any] | list[dict[str, Any]] | None = None
    whole: bool = True
    text: str = ""

    @property
    def object(self) -> dict[str, Any]:
        """The body as one object; {}: it is none."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """The chunks of a streamed body; []: it was not streamed."""
        return self.value if isinstance(self.value, list) else []

    @property
    def first(self) -> dict[str, Any]:
        """The object, or the first chunks as one: enough to tell whose API it is."""
        return self.object or {k: v for chunk in reversed(self.chunks[:CHUNKS]) for k, v in chunk.items()}


def body(value: Any) -> Body:
    """A request's or response's body, however it was written."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return Body(value)
    if not isinstance(value, list):
        return Body()
    if value and all(isinstance(part, str) for part in value):
        return _text(("" if any("\n" in part for part in value) else "\n").join(value))
    return Body([_chunk(inner) for part in value if isinstance(inner := structure(part), dict)])


def _chunk(part: dict[str, Any]) -> dict[str, Any]:
    """A chunk, or what a recorder put its class's name around."""
    inner = part.get("__data__")
    return inner if isinstance(inner, dict) else part


def beginning(value: Any) -> dict[str, Any]:
    """An object that shows whose API a body is of, without reading all of a streamed one."""
    if isinstance(value, str) and value.lstrip(_SPACE).startswith(_STREAM):
        value = "\n".join(_data(value[:_BEGINNING])[:CHUNKS])
    elif isinstance(value, list):
        value = value[:CHUNKS]
    found = body(value)
    return found.first


def _text(text: str) -> Body:
    text = text.lstrip(_SPACE)
    if text.startswith(_STREAM):
        return _chunks(_data(text))
    parsed = structure(text)
    if isinstance(parsed, dict):
        return Body(parsed)
    if isinstance(parsed, list):
        return Body([part for part in parsed if isinstance(part, dict)])
    lines = text.split("\n")
    if len(lines) > 1 and all(line.lstrip()[:1] in ("{", "") for line in lines):  # one object a line
        return _chunks(lines)
    return Body(None, text[:1] not in ("{", "["), text)


def _data(text: str) -> list[str]:
    """The data of server-sent events."""
    return [line[5:] for line in text.split("\n") if line.startswith("data:")]


def _chunks(lines: list[str]) -> Body:
    found: list[dict[str, Any]] = []
    whole = True
    for line in lines:
        line = line.strip()
        if not line or line == "[DONE]":
            continue
        try:
            parsed = loads(line.encode("utf-8", "replace"))
        except Unreadable:
            whole = False
            continue
        if isinstance(parsed, dict):
            found.append(parsed)
    return Body(found, whole)
