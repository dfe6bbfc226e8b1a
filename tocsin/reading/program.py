"""A regular expression as a program for `tocsin.reading.matcher`: what `re` would try, in the order it would.

Of `re` on bytes there is what rules are written in: bytes, classes, alternatives, greedy repeats, `\\b`, `^`,
`$`, and one byte that must follow. Backtracking machines: R. Cox, Regular Expression Matching: the Virtual
Machine Approach, 2009.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache, reduce
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

_TOKEN = re.compile(
    rb"[A-Za-z0-9\x80-\xff \"'#%&,/:;<=>@_`~!-]{2,}(?![*+?{])|\\x[0-9a-f]{2}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]"
    rb"|\(\?[:=]|\{[0-9]+(?:,[0-9]*)?\}|.",
    re.DOTALL,
)
_PLAIN = re.compile(rb"[^\\.\[(){}|*+?^$]+")
_GROUP = re.compile(rb"\\[0-9]")
_ENDS = {rb"\b": "edge", b"^": "begin", b"$": "end"}
_COPIES = 4096  # instructions of a repeated group
_LISTS = 256  # of one switch
ENDLESS = 1 << 30
# What an instruction does, and what stands in it behind that.
TEXT, ONE, RUN, ELSE, EITHER, JUMP, EDGE, BEGIN, END, AHEAD, FOUND = range(11)
"""TEXT: length, place in the pool. ONE, AHEAD: class. RUN: class, least, most. ELSE: where to go on if what
follows fails, class of its first byte or -1. EITHER: its switch, and the first of its lists in `begins`.
JUMP: where to."""
OVER, ALL = 256, 257  # of a switch: where no byte is left, and at the beginning of a text

Row = tuple[int, int, int, int]


class Unknown(ValueError):
    """An expression, or a part of one, that no program is made of."""


class Node(NamedTuple):
    """A part of an expression, with the bytes it may begin with, as bits, and whether it may be empty: both
    behind the beginning of a text."""

    kind: Literal["text", "one", "edge", "begin", "end", "ahead", "sequence", "either", "repeat"]
    first: int
    empty: bool
    text: bytes = b""
    parts: tuple[Node, ...] = ()
    times: tuple[int, int] = (1, 1)


class Programs:
    """Instructions of many expressions, one after the other, with the classes and texts that they name.

    A switch has for each byte the number of the list of alternatives that may begin with it, in their order;
    -1 ends a list. Where those lists begin stands in `begins`, switch by switch.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.classes: dict[int, int] = {}
        self.pool = bytearray()
        self.switches: list[NDArray[np.uint8]] = []
        self.begins: list[int] = []
        self.lists: list[int] = [-1]

    def add(self, expression: str) -> tuple[int, int, bool]:
        """Where the program of an expression begins; the class of the bytes that its matches begin with, or
        -1; whether they begin at the edge of a word. Raises Unknown."""
        node = parsed(expression)
        at, start = len(self.rows), len(self.pool)
        try:
            self._node(node)
        except Unknown:
            del self.rows[at:], self.pool[start:]
            raise
        self.rows.append((FOUND, 0, 0, 0))
        return at, self._first(node), self.rows[at][0] == EDGE

    def _first(self, node: Node) -> int:
        return -1 if node.empty else self._class(node.first)

    def _class(self, bits: int) -> int:
        return self.classes.setdefault(bits, len(self.classes))

    def _node(self, node: Node) -> None:
        match node.kind:
            case "text":
                self.rows.append((TEXT, len(node.text), len(self.pool), 0))
                self.pool += node.text
            case "one":
                self.rows.append((ONE, self._class(node.first), 0, 0))
            case "ahead":
                self.rows.append((AHEAD, self._class(node.parts[0].first), 0, 0))
            case "edge" | "begin" | "end":
                self.rows.append(({"edge": EDGE, "begin": BEGIN, "end": END}[node.kind], 0, 0, 0))
            case "sequence":
                for part in node.parts:
                    self._node(part)
            case "either":
                self._either(node.parts)
            case "repeat":
                self._repeat(node)

    def _either(self, parts: Sequence[Node]) -> None:
        first = len(self.rows)
        self.rows.append((EITHER, 0, 0, 0))
        begins, leave = [], []
        for part in parts:
            begins.append(len(self.rows))
            self._node(part)
            leave.append(len(self.rows))
            self.rows.append((JUMP, 0, 0, 0))
        for at in leave:
            self.rows[at] = (JUMP, len(self.rows), 0, 0)
        all_ = (1 << OVER) - 1
        known: dict[tuple[int, ...], int] = {(): all_}  # bytes, as bits, by the alternatives that begin so
        for at, part in zip(begins, parts, strict=True):
            begin = all_ if part.empty else part.first
            known = {
                some: bits
                for rows, those in known.items()
                for some, bits in (((*rows, at), those & begin), (rows, those & ~begin))
                if bits
            }
        empty = tuple([at for at, part in zip(begins, parts, strict=True) if part.empty])
        lists = list(dict.fromkeys((*known, empty, tuple(begins))))
        if len(lists) > _LISTS:
            raise Unknown("too many alternatives")
        self.rows[first] = (EITHER, len(self.switches), len(self.begins), 0)
        switch = np.zeros(ALL + 1, np.uint8)
        for some, bits in known.items():
            switch[:OVER][array(bits)] = lists.index(some)
        switch[OVER], switch[ALL] = lists.index(empty), lists.index(tuple(begins))
        self.switches.append(switch)
        self.begins += map(self._list, lists)

    def _list(self, rows: Sequence[int]) -> int:
        if not rows:
            return 0
        self.lists += [*rows, -1]
        return len(self.lists) - len(rows) - 1

    def _repeat(self, node: Node) -> None:
        (part,), (least, most) = node.parts, node.times
        if part.kind == "one":
            self.rows.append((RUN, self._class(part.first), least, most))
            return
        if part.empty and most > 1:
            raise Unknown("what may be empty is repeated")
        start = len(self.rows)
        for _ in range(least):
            self._node(part)
            if len(self.rows) - start > _COPIES:
                raise Unknown("too many repeats")
        if most >= ENDLESS:
            choice = self._choice(part)
            self._node(part)
            self.rows.append((JUMP, choice, 0, 0))
            self._close(choice)
            return
        choices = []
        for _ in range(most - least):
            choices.append(self._choice(part))
            self._node(part)
            if len(self.rows) - start > _COPIES:
                raise Unknown("too many repeats")
        for choice in choices:
            self._close(choice)

    def _choice(self, part: Node) -> int:
        self.rows.append((ELSE, 0, self._first(part), 0))
        return len(self.rows) - 1

    def _close(self, choice: int) -> None:
        self.rows[choice] = (ELSE, len(self.rows), self.rows[choice][2], 0)


def parsed(expression: str) -> Node:
    """The parts of an expression. Raises Unknown."""
    reader = _Reader(_TOKEN.findall(expression.encode()))
    node = reader.either()
    if reader.token():
        raise Unknown("a bracket without its other half")
    return node


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[bytes]) -> None:
        self._tokens = tokens
        self._at = 0

    def token(self) -> bytes:
        return self._tokens[self._at] if self._at < len(self._tokens) else b""

    def either(self) -> Node:
        parts = [self._sequence()]
        while self.token() == b"|":
            self._at += 1
            parts.append(self._sequence())
        if len(parts) == 1:
            return parts[0]
        return Node("either", _any(parts), any(part.empty for part in parts), parts=tuple(parts))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while (token := self.token()) not in (b"", b"|", b")"):
            self._at += 1
            part = self._repeated(self._one(token))
            if part.kind == "sequence":
                parts += part.parts
            else:
                parts.append(part)
        return _sequence(_joined(parts))

    def _one(self, token: bytes) -> Node:
        if token[:1] == b"(":
            if token == b"(" and self.token() == b"?":
                raise Unknown("a group of a kind that is not known")
            inner = self.either()
            if self.token() != b")":
                raise Unknown("a bracket without its other half")
            self._at += 1
            if token == b"(?=":
                return _ahead(inner)
            return inner
        if token in _ENDS:
            return Node(_ENDS[token], 0, token != b"^")  # type: ignore[arg-type]
        if _PLAIN.fullmatch(token):
            return Node("text", 1 << token[0], False, token)
        if token in (b")", b"*", b"+", b"?", b"{", rb"\B", rb"\A", rb"\Z") or _GROUP.match(token):
            raise Unknown(f"{token!r}")
        return Node("one", _bits(token), False)

    def _repeated(self, part: Node) -> Node:
        token = self.token()
        if token[:1] not in (b"*", b"+", b"?", b"{"):
            return part
        if token == b"{":
            raise Unknown(f"{token!r}")
        self._at += 1
        if self.token() in (b"?", b"+", b"*"):
            raise Unknown("a repeat that is not greedy")
        least, most = _times(token)
        if part.kind == "text" and len(part.text) == 1:
            part = Node("one", part.first, False)
        return Node("repeat", part.first, part.empty or not least, parts=(part,), times=(least, most))


def _times(token: bytes) -> tuple[int, int]:
    if token[:1] != b"{":
        return int(token == b"+"), 1 if token == b"?" else ENDLESS
    low, comma, high = token.strip(b"{}").partition(b",")
    return int(low), int(high or ENDLESS) if comma else int(low)


def _ahead(inner: Node) -> Node:
    if inner.kind == "text" and len(inner.text) == 1 or inner.kind == "one":
        return Node("ahead", 0, True, parts=(inner,))
    raise Unknown("more than one byte that must follow")


def _joined(parts: Iterable[Node]) -> list[Node]:
    """Texts that follow one another as one."""
    found: list[Node] = []
    for part in parts:
        if found and part.kind == found[-1].kind == "text":
            found[-1] = found[-1]._replace(text=found[-1].text + part.text)
        else:
            found.append(part)
    return found


def _sequence(parts: Sequence[Node]) -> Node:
    if len(parts) == 1:
        return parts[0]
    first, empty = 0, True
    for part in parts:
        if empty:
            first |= part.first
            empty = part.empty
    return Node("sequence", first, empty, parts=tuple(parts))


def _any(parts: Iterable[Node]) -> int:
    return reduce(lambda all_, part: all_ | part.first, parts, 0)


@cache
def _bits(token: bytes) -> int:
    try:
        pattern = re.compile(token, re.DOTALL)
    except re.error as error:
        raise Unknown(str(error)) from error
    return sum(1 << byte for byte in range(256) if pattern.match(bytes([byte])))


def array(bits: int) -> NDArray[np.bool_]:
    """Whether each byte is in a class."""
    some = np.frombuffer(bits.to_bytes(OVER // 8, "little"), np.uint8)
    return np.unpackbits(some, bitorder="little").astype(np.bool_)
