"""Plain pieces of text one of which is in whatever a regular expression matches.

Looking for thousands of pieces of text at once costs a fraction of looking for expressions. Ways are of
text in which every byte but a-z, 0-9 and those beyond ASCII is a blank (`SMALL`), or of one in which the
latter are blanks too (`ASCII`); so ` ` stands for whatever may be between two words. The way is that of
the prefilters of google/codesearch and RE2: of parts that follow one another the rarest is wanted, of
alternatives each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from math import prod
from typing import NamedTuple

_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789")
SMALL = bytes(byte if byte in _WORD or byte > 127 else 32 for byte in range(256))
ASCII = bytes(byte if byte in _WORD else 32 for byte in range(256))
LETTERS = bytes(sorted({*SMALL}))  # bytes that such text has
_ANY = b"\0"  # any one byte that is not of a word, and maybe beyond ASCII
_EDGE = b"\x01"  # of a word; a byte that is none of a word's stands before, if one of a word's follows
_EDGES = re.compile(rb"(^|[a-z0-9])\x01+(?=[a-z0-9])")
_PRODUCT = 128  # ways to say one piece
_CLASS = 12  # characters
SHORTEST = 3  # bytes
LONGEST = 16
_REPEATED = 3
_TOKEN = re.compile(
    rb"[a-z0-9\x80-\xff]{2,}(?![*+?{])|\\x[0-9a-f]{2}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?:"
    rb"|\{[0-9]+(?:,[0-9]*)?\}\??|[*+?]\??|.",
    re.DOTALL,
)
_LETTER = re.compile(rb"\(\?:([\x80-\xff]+)\)(?![*+?{])")  # in a group that changes nothing
_PLAIN = re.compile(rb"[a-z0-9\x80-\xff]+")
_ENDLESS = 1 << 16
# How often letters are those of English text (Lewand, Cryptological Mathematics, 2000).
_SHARES = dict(
    zip(
        b"etaoinshrdlcumwfgypbvkjxqz",
        (127, 91, 82, 75, 70, 67, 63, 61, 60, 43, 40, 28, 28, 24, 24, 22, 20, 20, 19, 15, 10, 8, 2, 2, 1, 1),
        strict=True,
    )
)

Ways = frozenset[bytes]


class Needed(NamedTuple):
    """Pieces one of which is in every match, each with how many bytes of it may stand before; and how often
    any of them may begin at a byte of ordinary text."""

    pieces: dict[bytes, int]
    share: float

    @property
    def before(self) -> int:
        """The most bytes that may stand before any of them."""
        return max(self.pieces.values())


class _Part(NamedTuple):
    """All that a part of an expression may say, where that is little; otherwise all that it must say, and how
    many bytes it may have."""

    ways: Ways | None
    needed: tuple[Needed, ...] = ()
    longest: int = 0


def needed(expression: str) -> tuple[Needed, ...]:
    """All that every match holds, the rarest first; nothing where that is not known."""
    part = _Parser(_TOKEN.findall(_LETTER.sub(rb"\1", expression.encode()))).alternatives()
    return tuple(sorted(_all(part), key=lambda each: each.share))


class _Parser:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[bytes]) -> None:
        self._tokens = tokens
        self._at = 0

    def alternatives(self) -> _Part:
        branches = [self._sequence()]
        while self._token() == b"|":
            self._at += 1
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else _either(branches)

    def _token(self) -> bytes:
        return self._tokens[self._at] if self._at < len(self._tokens) else b""

    def _sequence(self) -> _Part:
        run: Ways = _EMPTY
        found: list[Needed] = []
        before = 0  # the run
        whole = True
        while (token := self._token()) not in (b"", b"|", b")"):
            self._at += 1
            part = self._repeated(self._one(token))
            if part.ways is not None and len(run) * len(part.ways) <= _PRODUCT:
                if part.ways != _EMPTY:
                    run = frozenset([left + right for left in run for right in part.ways])
                continue
            whole = False
            found += _behind(_usable(run), before)
            before += _longest(run)
            found += _behind(part.needed, before)
            before = min(before + part.longest, _ENDLESS)
            run = part.ways or _EMPTY
            before -= part.longest if part.ways else 0
        if whole:
            return _Part(run)
        found += _behind(_usable(run), before)
        return _Part(None, tuple(found), min(before + _longest(run), _ENDLESS))

    def _one(self, token: bytes) -> _Part:
        if token[:1] == b"(":
            if token == b"(" and self._token() == b"?":
                raise ValueError("a group of a kind that is not known")
            part = self.alternatives()
            self._at += 1
            return part
        ways = _single(token)
        return _Part(ways) if ways is not None else _Part(None, (), 1)

    def _repeated(self, part: _Part) -> _Part:
        token = self._token()
        if token[:1] not in (b"*", b"+", b"?", b"{") or (token[:1] == b"{" and len(token) < 3):
            return part
        self._at += 1
        low, high = _times(token)
        if part.ways is not None and high <= _REPEATED and len(part.ways) ** high <= _PRODUCT:
            return _Part(frozenset().union(*(_power(part.ways, times) for times in range(low, high + 1))))
        once = part.longest if part.ways is None else _longest(part.ways)
        longest = min(once * high, _ENDLESS)
        if part.ways is not None and low and len(part.ways) ** min(low, _REPEATED) <= _PRODUCT:
            return _Part(None, _usable(_power(part.ways, min(low, _REPEATED))), longest)
        return _Part(None, _all(part) if low else (), longest)


def _times(token: bytes) -> tuple[int, int]:
    if token[:1] != b"{":
        return int(token[:1] == b"+"), 1 if token[:1] == b"?" else _ENDLESS
    low, _, high = token.strip(b"{}?").partition(b",")
    return int(low), int(low) if b"," not in token else int(high or _ENDLESS)


def _power(ways: Ways, times: int) -> Ways:
    found = _EMPTY
    for _ in range(times):
        found = frozenset([left + right for left in found for right in ways])
    return found


def _either(branches: list[_Part]) -> _Part:
    if all(each.ways is not None for each in branches):
        ways = frozenset().union(*(each.ways or () for each in branches))
        if len(ways) <= _PRODUCT:
            return _Part(ways)
    longest = max(each.longest if each.ways is None else _longest(each.ways) for each in branches)
    rarest = [min(_all(each), key=lambda one: one.share, default=None) for each in branches]
    some = [each for each in rarest if each]
    if len(some) < len(rarest):
        return _Part(None, (), longest)
    placed = [item for each in some for item in each.pieces.items()]
    return _Part(None, (_need(placed),), longest)


def _longest(ways: Ways) -> int:
    return max(map(len, ways))


@cache
def _single(token: bytes) -> Ways | None:
    """What one character or class says; None where that is too much."""
    if token == rb"\b":
        return frozenset([_EDGE])
    if token in (b"^", b"$", rb"\B", rb"\A", rb"\Z"):
        return _EMPTY
    if len(token) == 1 and token != b"." or _PLAIN.fullmatch(token):
        return frozenset([token.translate(SMALL)])
    if token == b".":
        return None
    pattern = re.compile(token, re.DOTALL)
    said = frozenset(
        _known(byte) for byte in range(256) if not 65 <= byte <= 90 and pattern.match(bytes([byte]))
    )
    if len(said) > 1 and any(each[0] > 127 for each in said):
        said = frozenset([each for each in said if each[0] <= 127] + [_ANY])
    if _ANY in said:
        said -= {b" "}
    return said if len(said) <= _CLASS else None


def _known(byte: int) -> bytes:
    return SMALL[byte : byte + 1]


def _all(part: _Part) -> tuple[Needed, ...]:
    return part.needed if part.ways is None else _usable(part.ways)


def _behind(needed: Iterable[Needed], before: int) -> Iterator[Needed]:
    """What is needed behind so many bytes."""
    for each in needed:
        placed = {piece: min(before + at, _ENDLESS) for piece, at in each.pieces.items()}
        yield each._replace(pieces=placed)


def _usable(ways: Ways) -> tuple[Needed, ...]:
    """The pieces of some ways to say it, if each has one."""
    found = [_piece(way) for way in ways]
    if not all(piece for piece, _ in found):
        return ()
    return (_need(found),)


def _need(placed: Iterable[tuple[bytes, int]]) -> Needed:
    pieces: dict[bytes, int] = {}
    for piece, at in placed:
        pieces[piece] = max(at, pieces.get(piece, 0))
    return Needed(pieces, sum(map(_rarity, pieces)))


@cache
def _piece(way: bytes) -> tuple[bytes, int]:
    """The rarest piece of it to look for, not too long, and where it is; empty where there is none."""
    way = _EDGES.sub(rb"\1" + _ANY, way).replace(_EDGE, b"")
    open_ = way.translate(ASCII)
    some = [(open_[at : at + LONGEST], at) for at in range(max(1, len(open_) - LONGEST + 1))]
    if not way.isascii():
        closed = [each for each in way.split(_ANY) if not each.isascii()]
        some += [(each[:LONGEST], way.index(each)) for each in closed]
    some = [each for each in some if len(each[0]) >= SHORTEST and not each[0].isspace()]
    return min(some, key=lambda each: (_rarity(each[0]), each[1]), default=(b"", 0))


def rarest(piece: bytes, size: int) -> tuple[bytes, int]:
    """The rarest part of a piece of at most that size, and where it begins."""
    some = [(piece[at : at + size], at) for at in range(max(1, len(piece) - size + 1))]
    return min((each for each in some if not each[0].isspace()), key=lambda each: (_rarity(each[0]), each[1]))


@cache
def _rarity(piece: bytes) -> float:
    """How often it may begin at a byte of ordinary text."""
    return prod(0.18 if byte == 32 else _SHARES.get(byte, 10) / 1250 for byte in piece)


_EMPTY: Ways = frozenset([b""])
