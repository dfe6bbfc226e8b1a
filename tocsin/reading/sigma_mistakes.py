"""Mistakes in a file of rules, gathered so that all are told at once."""

from __future__ import annotations

from tocsin.contracts import ConfigError
from tocsin.reading.yaml_nodes import Node

_MOST = 100


class Mistakes:
    """What is wrong with one file, each with its line and place."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told: set[tuple[int, str]] = set()

    def __len__(self) -> int:
        return len(self._told)

    def add(self, line: int, place: str, said: str) -> None:
        """One more; what was said already is not said again, and the first lines come first."""
        self._told.add((line, f"{self._name}:{line}: {place + ': ' if place else ''}{said}"))

    def tell(self) -> None:
        """Raises ConfigError if there was any."""
        if self._told:
            raise ConfigError([said for _, said in sorted(self._told)][:_MOST])

    def mapping(self, node: Node, place: str) -> dict[str, Node] | None:
        """The node's keys and values; a mistake where it has none."""
        if isinstance(node.value, dict) and node.value:
            return node.value
        self.add(node.line, "", f"{place} is missing or no mapping of keys to values")
        return None

    def text(self, node: Node | None, place: str, line: int) -> str | None:
        """The node's text; a mistake where it is none, or where it is missing and `line` is not 0."""
        if node and isinstance(node.value, str):
            return node.value
        if node or line:
            self.add(node.line if node else line, place, "want a text")
        return None

    def texts(self, node: Node | None, place: str) -> tuple[str, ...]:
        """The node's texts: a list, or one alone."""
        if node is None:
            return ()
        each = node.value if isinstance(node.value, list) else [node]
        return tuple(text for one in each if (text := self.text(one, place, 0)) is not None)
