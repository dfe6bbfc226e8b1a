"""The notation of rules: what is said, in its order, with gaps.

A pattern is one or more elements. Between elements stands `..` (up to 40 characters of the same sentence)
or `~` (up to 120, over sentences). An element is a regular expression without gaps of its own, in which ` `
is what stands between two words, `{name}` the alternatives of that name, `{q}` a quotation mark, and a
letter with an accent also stands for the letter without. The expressions see lower-case UTF-8 byte by byte,
so letters beyond ASCII stand alone or in alternatives, never in `[...]`; look-around and back-references
do not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple
from unicodedata import combining, normalize

NEAR = 40  # bytes that `..` may stand for
FAR = 120  # bytes that `~` may stand for
END = "[^a-z0-9_]"  # after a word; every text ends with a blank (Hyperscan joins nothing that ends with \\b)
_BETWEEN = "[^a-z0-9]"
_NAME = re.compile(r"\{([a-z][a-z_0-9]*)\}")
_QUOTE = r"""["'\x60]|“|”|‘|’|«|»|「"""
_NESTED = 8


_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?:)?|\{[0-9]+,?[0-9]*\}|.", re.DOTALL)
_ENDLESS = re.compile(r"[*+]|\{[0-9]+,\}")


class Unwritten(ValueError):
    """A pattern that is none; says why."""


class Gap(NamedTuple):
    """What may stand between two elements."""

    widest: int
    sentence: bool  # whether it must not leave the sentence


class Sequence(NamedTuple):
    """Elements in their order, and the gaps between them."""

    elements: tuple[str, ...]
    gaps: tuple[Gap, ...]


def sequence(pattern: str, words: Mapping[str, str]) -> Sequence:
    """The elements of a pattern, as plain regular expressions."""
    elements: list[str] = []
    gaps: list[Gap] = []
    for part in _split(pattern):
        if part == "..":
            gaps.append(Gap(NEAR, True))
        elif part == "~":
            gaps.append(Gap(FAR, False))
        else:
            elements.append(element(part, words) if part.strip(" ") else "")
    if not all(elements):
        raise Unwritten(f"a gap at an end of {pattern!r}, or two together")
    return Sequence(tuple(elements), tuple(gaps))


def element(part: str, words: Mapping[str, str]) -> str:
    """One element as a plain regular expression; whole words where all of it is ASCII."""
    text = _named(part.strip(" "), words)
    inner = "".join(_parts(text))
    if not text.isascii():
        return f"(?:{inner})"
    front = r"\b" if re.match(r"(?:\(\?:)*[a-z0-9]", text) else ""
    back = END if re.match(r"[a-z0-9\]}]", text.rstrip(")?*+")[-1:]) else ""
    return f"{front}(?:{inner}){back}"


def nests(expression: str) -> bool:
    """Whether a group that repeats without end holds a repeat: `re`, which looks for where a match begins,
    may take for ever over such a one."""
    holds = [False]  # of each open group, whether a repeat is in it
    for token, following in pairwise([*_TOKEN.findall(expression), ""]):
        if token[0] == "(":
            holds.append(False)
        elif token == ")" and len(holds) > 1:
            inner = holds.pop()
            if inner and _ENDLESS.fullmatch(following):
                return True
            holds[-1] |= inner
        elif _ENDLESS.fullmatch(token) or (token[0] == "{" and "," in token):
            holds[-1] = True
    return False


def _split(pattern: str) -> Iterator[str]:
    depth, start, at = 0, 0, 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 2
            continue
        depth += (char in "([") - (char in ")]")
        size = 2 if pattern.startswith("..", at) else 1 if char == "~" else 0
        if size:
            if depth:
                raise Unwritten(f"a gap within brackets: {pattern!r}")
            yield pattern[start:at]
            yield pattern[at : at + size]
            start = at = at + size
        else:
            at += 1
    yield pattern[start:]


def _named(part: str, words: Mapping[str, str]) -> str:
    for _ in range(_NESTED):
        if not _NAME.search(part):
            return part
        part = _NAME.sub(lambda match: f"(?:{_word(match[1], words)})", part)
    raise Unwritten(f"names within names, more than {_NESTED} deep")


def _word(name: str, words: Mapping[str, str]) -> str:
    if name == "q":
        return _QUOTE
    if name not in words:
        raise Unwritten(f"no words are named {name!r}")
    return words[name]


def _parts(text: str) -> Iterator[str]:
    at, inside = 0, False
    while at < len(text):
        char = text[at]
        if char == "\\":
            yield text[at : at + 2]
            at += 2
            continue
        if inside:
            inside = char != "]"
            yield char
        else:
            inside = char == "["
            yield _BETWEEN if char == " " else _bare(char)
        at += 1


def _bare(char: str) -> str:
    if char.isascii():
        return char
    base = normalize("NFD", char)
    if len(base) > 1 and base[0].isascii() and all(map(combining, base[1:])):
        return f"(?:{char}|{base[0]})"
    return f"(?:{char})"  # several bytes, one letter
