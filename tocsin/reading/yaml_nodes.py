"""YAML as plain text, lists and mappings, each with its line; none of what makes YAML dangerous.

Only PyYAML's parser of events is used: nothing is constructed. Tags, anchors and aliases are refused, and so
is a key that stands twice, which a loader drops in silence. Every scalar stays the text that was written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

LARGEST = 256 << 10  # bytes of a file
NODES = 20_000
DEEPEST = 16


class Unreadable(ValueError):
    """The text is no YAML, or more of it than is read; `line` counts from 1."""

    def __init__(self, line: int, said: str) -> None:
        super().__init__(said)
        self.line = line


class Node(NamedTuple):
    """One value; `value` is None where nothing or `null` was written."""

    value: str | None | list[Node] | dict[str, Node]
    line: int


def documents(text: bytes) -> list[Node]:
    """The documents of a file. Raises Unreadable, and ImportError where PyYAML is missing."""
    from yaml import SafeLoader, YAMLError, parse  # type: ignore[import-untyped]

    if len(text) > LARGEST:
        raise Unreadable(1, f"more than {LARGEST >> 10} KiB")
    try:
        return list(_Tree(parse(text, Loader=SafeLoader)).documents())
    except (YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise Unreadable(mark.line + 1 if mark else 1, f"no YAML: {said}") from error


class _Tree:
    """Builds nodes from events."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events, self._left = events, NODES

    def documents(self) -> Iterator[Node]:
        for event in self._events:
            if type(event).__name__ == "DocumentStartEvent":
                yield self._node(next(self._events), DEEPEST)

    def _node(self, event: Any, deeper: int) -> Node:
        kind, line = type(event).__name__, event.start_mark.line + 1
        self._left -= 1
        if not deeper or not self._left:
            raise Unreadable(line, f"nested more than {DEEPEST} deep, or more than {NODES:,} values")
        if kind == "AliasEvent" or event.anchor:
            raise Unreadable(line, "anchors and aliases (& and *) are not read; write the value out")
        if event.tag not in (None, "!"):
            raise Unreadable(line, f"tags are not read: {event.tag}")
        if kind == "ScalarEvent":
            empty = event.implicit[0] and event.value in ("", "~", "null", "Null", "NULL")
            return Node(None if empty else event.value, line)
        if kind == "SequenceStartEvent":
            return Node([self._node(each, deeper - 1) for each in self._until("SequenceEndEvent")], line)
        return Node(self._mapping(deeper), line)

    def _mapping(self, deeper: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for event in self._until("MappingEndEvent"):
            key = self._node(event, deeper - 1)
            value = self._node(next(self._events), deeper - 1)
            if isinstance(key.value, list | dict):
                raise Unreadable(key.line, "a key is text")
            if (name := key.value or "") in found:
                raise Unreadable(key.line, f"{name!r} stands twice in one mapping")
            found[name] = value._replace(line=key.line)
        return found

    def _until(self, end: str) -> Iterator[Any]:
        for event in self._events:
            if type(event).__name__ == end:
                return
            yield event
