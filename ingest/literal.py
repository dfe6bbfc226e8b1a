"""Python literals as they stand in other people's telemetry: what `str()` made of a dict or a message."""

from __future__ import annotations

import re
from typing import Any

from ingest.lenient import Unreadable, loads

LONGEST = 32_768  # characters

_STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
# What is spelt otherwise in JSON; a string that never ends takes the rest, and makes the whole no literal.
_SPELT = re.compile(rf"({_STRING})|\b(None|True|False)\b|(?:,\s*)?([)\]}}])|(\()|['\"].*", re.DOTALL)
_ESCAPE = re.compile(r"""\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)|"|[\x00-\x1f]""", re.DOTALL)
_WORDS = {"None": "null", "True": "true", "False": "false", ")": "]"}
_KEPT = frozenset('"\\/bfnrt')
_MESSAGE = re.compile(rf"content=({_STRING})(?=\s|$)", re.DOTALL)
_CALL_ID = re.compile(r"\stool_call_id='([^'\\]{1,256})'")


class NoLiteral(ValueError):
    """Text that is no Python literal."""


def literal(text: str) -> Any:
    """The value of a literal of dicts, lists, tuples, strings, numbers and constants. Raises NoLiteral."""
    if len(text) > LONGEST:
        raise NoLiteral
    try:
        return loads(_SPELT.sub(_as_json, text).encode("utf-8", "replace"))
    except Unreadable:
        raise NoLiteral from None


def _as_json(found: re.Match[str]) -> str:
    string = found[1]
    if string:
        inner = string[1:-1]
        if "\\" in inner or '"' in inner or not inner.isprintable():
            inner = _ESCAPE.sub(_escaped, inner)
        return f'"{inner}"'
    word = found[2] or found[3]
    if word:
        return _WORDS.get(word, word)
    return "[" if found[4] else found[0]


def _escaped(match: re.Match[str]) -> str:
    inner = match[1]
    if inner is None:
        return '\\"' if match[0] == '"' else f"\\u{ord(match[0]):04x}"
    if inner in _KEPT or (inner[0] == "u" and len(inner) == 5):
        return f"\\{inner}"
    if inner[0] == "x" and len(inner) == 3:
        return f"\\u00{inner[1:]}"
    if inner == "'":
        return inner
    return f"\\\\{inner}" if inner.isprintable() else ""


def tool_message(text: str) -> tuple[str, str] | None:
    """(content, id of the call) of a LangChain message that was turned into text; None: it is none."""
    found = _MESSAGE.match(text[:LONGEST]) if text.startswith("content=") else None
    if found is None:
        return None
    try:
        content = literal(found[1])
    except NoLiteral:
        return None
    identity = _CALL_ID.search(text, found.end())
    return str(content), identity[1] if identity else ""
