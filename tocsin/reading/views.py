"""Bounded views of a text: as it came, and as it reads once what hides it is undone.

Each view says by which steps it came about and which stretch of the text it stands for. A first pass of
one small automaton tells which steps could give anything, so ordinary text costs a few microseconds. All
steps are linear and share one budget, so no text takes long; what the budget left out is `truncated`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import NamedTuple

from tocsin.reading import decode, hidden, spacing, turned
from tocsin.reading.automaton import Automaton, alternatives, build
from tocsin.reading.words import WORDS

DEPTH = 3  # steps on steps
RAW = 262_144  # characters read of a text
DERIVED = 32_768  # characters of all other views of a text together
VIEWS = 48
_STRETCH = 16_384  # characters of a long text that are screened and undone at once
_OVERLAP = 512

# What in a text, in lower case, says that a step may give something.
_SCREENS = {
    "base64": r"[a-z0-9+/_-]{20}|[a-z2-7]{16}",
    "hex": r"[0-9a-f]{16}|(?:[0-9a-f]{2}[ :,;-]{1,2}(?:0x|\\x)?){7}",
    "numbers": r"(?:[01]{8}[ ,\n]{0,2}){4}|(?:[0-9]{2,3}[ ,;]{1,2}){7}",
    "morse": "(?:[.-]{1,5}[ /|]{1,3}){7}",
    "url": "(?:%[0-9a-f]{2}[^%]{0,8}){4}",
    "html": "(?:&(?:#x?[0-9a-f]{1,7}|[a-z]{2,8});?[^&]{0,8}){4}",
    "escapes": r"(?:\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|u\{[0-9a-f]{1,6}\}|[0-7]{3})[^\\]{0,8}){4}",
    "rot13": turned.ROT13,
    "rows": turned.ROWS,
    "reversed": turned.REVERSED,
    "marks": turned.MARKS,
    "leet": r"[a-z][013457@$][a-z@$0-9].{0,40}[a-z0-9@$][013457@$][a-z]",
    "spaced": r"(?:(?:\b[a-z0-9@$]|[^\x00-\x7f]{2,3})[ .\-_*|/,~]{1,3}){7}(?:[a-z0-9]\b|[^\x00-\x7f])"
    r"|(?:^|\s)(?:[!-~] (?:  )?){8}",
}
_RUNS: dict[str, Callable[[str], Iterator[hidden.Found]]] = {
    "base64": decode.base64,
    "hex": decode.hexadecimal,
    "numbers": decode.numbers,
    "morse": decode.morse,
}
_WHOLE: dict[str, tuple[tuple[str, Callable[[str], str]], ...]] = {
    "url": (("url", decode.percent),),
    "html": (("html", decode.entities),),
    "escapes": (("escapes", decode.escapes),),
    "rot13": (("rot13", decode.rot13),),
    "rows": (("rot13", decode.rot13_by_vowels),),
    "reversed": (("reversed", decode.backwards), ("words_reversed", decode.words_backwards)),
    "marks": (
        ("reversed", partial(decode.by_marks, undo=decode.backwards)),
        ("words_reversed", partial(decode.by_marks, undo=decode.words_backwards)),
    ),
    "leet": (("leet", partial(decode.leet, words=WORDS)),),
    "spaced": (("spaced", partial(spacing.together, words=WORDS)),),
}
_ONCE = frozenset({"rot13", "reversed", "words_reversed", "leet", "spaced", "folded", "stripped"})
STEPS = (*_RUNS, "base32", "binary", "codes", "tags", "selectors", "zero_width_bits", "folded", "stripped")
NAMES = (
    "raw",
    *("base64", "base32", "hex", "binary", "codes", "morse", "tags", "selectors", "zero_width_bits"),
    *("folded", "stripped"),
    *dict.fromkeys(name for steps in _WHOLE.values() for name, _ in steps),
)


class View(NamedTuple):
    """A text as it reads after the steps of its chain; `start` and `end` are places in the raw text."""

    name: str
    text: str
    chain: tuple[str, ...]
    start: int
    end: int


class Look(NamedTuple):
    """All views of a text, the raw one first; truncated where a part was not looked at. `small`: the raw one
    in small-letter UTF-8."""

    views: list[View]
    truncated: bool
    small: bytes


def views(text: str) -> list[View]:
    """The raw text and every other way in which it reads."""
    return look(text).views


def look(text: str, small: bytes | None = None) -> Look:
    """The views of a text, and whether they are all there are. `small`: the text in small-letter UTF-8, where
    it is known."""
    raw = View("raw", text[:RAW], (), 0, min(len(text), RAW))
    if small is None or len(text) > RAW:
        small = lowered(raw.text)
    found = [raw]
    steps = _steps(raw.text, small)
    if not steps and len(text) <= RAW:
        return Look(found, False, small)
    whole = _undo(raw, steps, found)
    return Look(found, not whole or len(text) > RAW, small)


def lowered(text: str) -> bytes:
    """A text in small-letter UTF-8; `?` for what is no character."""
    return text.lower().encode("utf-8", "replace")


def _steps(text: str, small: bytes) -> frozenset[str]:
    """The steps that may give something, in this text."""
    plain = text.isascii() or not hidden.suspect(text)
    hits = _screen().sets(small)
    if not hits:
        return _NONE if plain else _UNICODE
    names = [_SCREENED[number][0] for number in hits]
    return frozenset(names) if plain else _UNICODE.union(names)


def _undo(raw: View, steps: frozenset[str], found: list[View]) -> bool:
    """Views of views, breadth first, until the budget is spent; false where it was."""
    seen = {raw.text}
    left = DERIVED
    waiting = list(_stretches(raw, steps))
    while waiting:
        parent, steps = waiting.pop(0)
        for view in _derived(parent, steps):
            if view.text in seen:
                continue
            if len(view.text) > left or len(found) >= VIEWS:
                return False
            left -= len(view.text)
            seen.add(view.text)
            found.append(view)
            if len(view.chain) < DEPTH and (more := _steps(view.text, lowered(view.text))):
                waiting.append((view, more))
    return True


def _stretches(raw: View, steps: frozenset[str]) -> Iterator[tuple[View, frozenset[str]]]:
    """A long text in parts that overlap, each with its own steps."""
    if len(raw.text) <= _STRETCH:
        yield raw, steps
        return
    for start in range(0, len(raw.text), _STRETCH - _OVERLAP):
        part = raw.text[start : start + _STRETCH]
        stretch = View("raw", part, (), start, start + len(part))
        if own := _steps(part, lowered(part)):
            yield stretch, own


def _derived(parent: View, steps: frozenset[str]) -> Iterator[View]:
    """What each step makes of a view, the more certain first."""
    text, chain = parent.text, parent.chain
    if "unicode" in steps:
        yield from _unhidden(parent)
    for step, runs in _RUNS.items():
        if step in steps:
            for found in runs(text):
                yield _part(parent, found)
    for step, ways in _WHOLE.items():
        if step in steps:
            for name, undo in ways:
                if (name not in _ONCE or name not in chain) and (told := undo(text)) != text:
                    yield View(name, told, (*chain, name), parent.start, parent.end)


def _unhidden(parent: View) -> Iterator[View]:
    text, chain = parent.text, parent.chain
    if hidden.invisible(text):
        for found in hidden.smuggled(text):
            yield _part(parent, found)
        yield View("stripped", hidden.stripped(text), (*chain, "stripped"), parent.start, parent.end)
    elif "folded" not in chain and (told := hidden.folded(text)) != text:
        yield View("folded", told, (*chain, "folded"), parent.start, parent.end)


def _part(parent: View, found: hidden.Found) -> View:
    whole = parent.chain != ()
    start = parent.start if whole else parent.start + found.start
    end = parent.end if whole else parent.start + found.end
    return View(found.how, found.text, (*parent.chain, found.how), start, end)


_SCREENED = [(name, part) for name, screen in _SCREENS.items() for part in alternatives(screen)]
_NONE: frozenset[str] = frozenset()
_UNICODE = frozenset({"unicode"})


@cache
def _screen() -> Automaton:
    parts = [part for _, part in _SCREENED]
    return build(parts, [(number,) for number in range(len(parts))], places=False)
