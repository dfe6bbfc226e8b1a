"""Python literals as they stand in other people's telemetry: what `str()` made of a dict or a message."""

from __future__ import annotations

import re
from typing import Any

from ingest.lenient import Unreadable, loads

LONGEST = 65_536  # characters

_STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_TOKEN = re.compile(rf"\s+|({_STRING})|(None|True|False)\b|(-?\d[\d.eE+-]*)|([][(){{}},:])", re.DOTALL)
_ESCAPE = re.compile(r"""\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)|"|[\x00-\x1f]""", re.DOTALL)
_WORDS = {"None": "null", "True": "true", "False": "false"}
_KEPT = frozenset('"\\/bfnrt')
_MESSAGE = re.compile(rf"content=({_STRING})(?=\s|$)", re.DOTALL)
_CALL_ID = re.compile(r"\stool_call_id='([^'\\]{1,256})'")


class NoLiteral(ValueError):
    """Text that is no Python literal."""


def literal(text: str) -> Any:
    """The value of a literal of dicts, lists, tuples, strings, numbers and constants. Raises NoLiteral."""
    if len(text) > LONGEST:
        raise NoLiteral
    written: list[str] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise NoLiteral
        at = token.end()
        if token.lastindex:
            _write(token, written)
    try:
        return loads("".join(written).encode("utf-8", "replace"))
    except Unreadable:
        raise NoLiteral from None


def _write(token: re.Match[str], written: list[str]) -> None:
    string, constant, number, sign = token.groups()
    if string:
        written.append(f'"{_ESCAPE.sub(_escaped, string[1:-1])}"')
    elif constant:
        written.append(_WORDS[constant])
    elif number:
        written.append(number)
    elif sign in "])}":
        if written and written[-1] == ",":  # (1,)
            written.pop()
        written.append("}" if sign == "}" else "]")
    else:
        written.append("[" if sign == "(" else sign)


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
