"""Records that nobody wrote: golden ones damaged in their bytes, in their structure, and blown up."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

import orjson
import zstandard
from parts.golden import cases

_TOKENS = (
    *b'" { } [ ] null -1 1e999 NaN , : true'.split(b" "),
    *(b"\\ud800", b"\xff", b"\x00", b"[" * 50, b"9" * 40, b"\n", b'{"jsonrpc":"2.0"}', b"\x1f\x8b"),
)
_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1 << 63, 10**30, 1e308, float("nan"), "", "0", "-", "NaN", "null", "{}", "[",
    "\ud800", "\x00", "\u202e", "1970-01-01", "9999-99-99T99:99:99Z", [], {}, [[]], [None], [{}], {"": ""},
    {"type": []}, {"role": {}}, "data:image/png;base64,AAAA", "<class 'ValueError'>", "'{}'",
    '"\\"x\\""', "a" * 5000,
)  # fmt: skip
_ENVELOPES = ("log", "message", "body", "payload", "event", "data", "records", "jsonPayload", "MSG")


@cache
def corpus() -> tuple[bytes, ...]:
    """The records of all golden payloads."""
    return tuple(record for case in cases() for record in case.records())


@cache
def documents() -> tuple[Any, ...]:
    """Those that are JSON, parsed."""
    return tuple(document for document in map(parsed, corpus()) if document is not None)


@cache
def keys() -> tuple[str, ...]:
    """Every name that stands in one of them."""
    found = {key for document in documents() for node, _ in nodes(document) for key in _names(node)}
    return tuple(sorted(found))


def damaged(data: bytes, chance: Random) -> bytes:
    """Some bytes put in, taken out or exchanged."""
    value = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(value) + 1)
        match chance.randrange(4):
            case 0:
                value[at : at + chance.randint(1, 12)] = chance.choice(_TOKENS)
            case 1:
                del value[at : at + chance.randint(1, 40)]
            case 2:
                value[at:at] = chance.choice(_TOKENS)
            case _:
                value[at : at + 1] = chance.randbytes(1)
    return bytes(value)


def mutated(document: Any, chance: Random) -> bytes:
    """A document with some of its nodes exchanged, and perhaps something around it."""
    copy = json.loads(json.dumps(document))
    for _ in range(chance.randint(1, 4)):
        places = list(nodes(copy))
        node, put = chance.choice(places)
        _change(node, put, chance)
    return _wrapped(_dumped(copy), chance)


def inflated(document: Any, size: int, chance: Random, times: int) -> Iterator[bytes]:
    """A document with one of its nodes blown up, to some `size` bytes; so many of them, in many ways."""
    count = len(list(nodes(document)))
    room = size - len(_dumped(document)) - 64
    pairs = [(at, blow) for at in range(count) for blow in _BLOWS]
    for at, blow in chance.sample(pairs, min(times, len(pairs))):
        copy = json.loads(json.dumps(document))
        node, put = list(nodes(copy))[at]
        more = blow(node, room)
        if more is not None:
            put(more)
            value = _dumped(copy)
            if len(value) <= size:
                yield value


def nodes(value: Any, depth: int = 12) -> Iterator[tuple[Any, Callable[[Any], None]]]:
    """Every value inside of another, with what puts something else into its place."""
    if not depth or not isinstance(value, dict | list):
        return
    for place in list(value) if isinstance(value, dict) else range(len(value)):
        yield value[place], _putter(value, place)
        yield from nodes(value[place], depth - 1)


def _putter(holder: Any, place: Any) -> Callable[[Any], None]:
    def put(value: Any) -> None:
        holder[place] = value

    return put


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from node


def _change(node: Any, put: Callable[[Any], None], chance: Random) -> None:
    match chance.randrange(6):
        case 0:
            put(deepcopy(chance.choice(_ODD)))
        case 1:
            put(_piece(chance))
        case 2 if isinstance(node, dict):
            node[chance.choice(keys())] = _piece(chance)
        case 3 if isinstance(node, dict) and node:
            del node[chance.choice(list(node))]
        case 3 if isinstance(node, list) and node:
            node.append(chance.choice(node))
        case 4:
            put(_dumped(node).decode("utf-8", "replace"))
        case _:
            put([node, node] if chance.random() < 0.5 else {chance.choice(keys()): node})


def _piece(chance: Random) -> Any:
    """A value out of any document."""
    inner = list(nodes(chance.choice(documents())))
    return json.loads(json.dumps(chance.choice(inner)[0])) if inner else deepcopy(chance.choice(_ODD))


def _wrapped(data: bytes, chance: Random) -> bytes:
    match chance.randrange(12):
        case 0:
            return gzip.compress(data, 1, mtime=0)
        case 1:
            return zstandard.compress(data)
        case 2:
            return _dumped({chance.choice(_ENVELOPES): data.decode("utf-8", "replace"), "@timestamp": 1})
        case 3:
            return _dumped({"records": [{"data": b64encode(data).decode()}]})
        case 4:
            return data + b"\n" + data
        case 5:
            return b"2025-11-22T22:20:00Z stdout F " + data
        case _:
            return data


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def parsed(record: bytes) -> Any:
    try:
        document = orjson.loads(record)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict | list) else None


def _text(piece: str) -> Callable[[Any, int], Any]:
    return lambda node, size: (piece * (size // len(piece.encode()) + 1))[:size]


def _many(make: Callable[[int], Any]) -> Callable[[Any, int], Any]:
    def blow(node: Any, size: int) -> Any:
        return [make(number) for number in range(size // (len(_dumped(make(999_999))) + 1))]

    return blow


def _repeated(node: Any, size: int) -> Any:
    """A list of copies of itself, or a list longer than it is."""
    if not isinstance(node, dict | list) or not node:
        return None
    items = node if isinstance(node, list) else [node]
    return items * (size // (len(_dumped(items)) + 1) + 1) if len(_dumped(items)) < size else None


def _crowded(node: Any, size: int) -> Any:
    """A table with very many names more."""
    if not isinstance(node, dict):
        return None
    return node | {f"name{number}": number for number in range(size // 20)}


def _numbered(node: Any, size: int) -> Any:
    if not isinstance(node, dict):
        return None
    return node | {f"gen_ai.prompt.{number}.content": "x" for number in range(size // 36)}


def _deep(node: Any, size: int) -> Any:
    inner: Any = node
    for _ in range(900):
        inner = [inner]
    return inner


_BLOWS: tuple[Callable[[Any, int], Any], ...] = (
    _text("a"), _text(" "), _text("{"), _text("[\""), _text("\\"), _text("€ \u202e"), _text("0"),
    _text("a@b.c "), _text("{\"a\":[{"), _text("1."), _repeated, _crowded, _numbered, _deep,
    _many(lambda number: number), _many(lambda number: {}),
    _many(lambda number: {"type": "text", "text": "x"}),
    _many(lambda number: {"role": "tool", "content": [{"type": "tool_result", "tool_use_id": f"c{number}"}]}),
    _many(lambda number: {"tool_calls": [{"id": f"c{number}", "function": {"name": "f"}}]}),
    _many(lambda number: {"key": f"k{number}", "value": {"stringValue": "v"}}),
)  # fmt: skip
