"""Spans of model calls without content, read after a template.

A producer repeats itself: the same attributes in the same order, with the same words and other ids and
numbers. What such a span becomes is learnt from the full reading of one, and tried on a made-up sibling;
from then on ids, times, names and counts are copied. Spans that are in any way unusual, and all that
carry content, are read in full. No result depends on what was learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from msgspec.structs import force_setattr, replace

from ingest import aliases, readings
from ingest.draft import Attributes, Span
from ingest.genai import SpanReader
from ingest.operations import OPERATION_NAMES
from tocsin.model import Event
from tocsin.settings import LimitSettings

_REMEMBERED = 2048  # names and words; then all are forgotten, and learnt anew
_ATTRIBUTES = 64  # of a span that is remembered
_CHARACTERS = 4096  # of its names
# Attributes that are taken over as they are ...
_TEXTS = frozenset(("response_id", "session", "user", "agent_id"))
_COUNTS = frozenset(("input_tokens", "output_tokens"))
# ... those whose words decide what a span is ...
_WORDS = frozenset(("_operation", "provider", "model", "response_model", "agent", "_finish", "stream"))
_OTHERS = frozenset(("_finish", "stream"))  # whose words may be lists or truth values
# ... and those that nobody maps and that decide nothing.
_SETTINGS = ("gen_ai.request.", "server.")

_copy: Callable[[Event], Event] = Event.__copy__  # type: ignore[attr-defined]  # twice as fast as copy.copy
_NONE = ("", 0)
_MEANINGS = {
    **{name: ("_operation", 0) for name, _ in OPERATION_NAMES},
    **{name: (each.target, rank) for each in aliases.SPAN_FIELDS for rank, name in enumerate(each.names)},
}  # of an attribute's name: its target, and how many names are better
Names = tuple[str, str, int, tuple[str, ...]]  # of the scope, the span, its kind, its attributes


class Outline(NamedTuple):
    """What the names of attributes say, and the templates by their words; None: read in full."""

    words: Callable[[Attributes], tuple[Any, ...]]
    texts: tuple[tuple[str, str], ...]  # field, attribute
    counts: tuple[tuple[str, str], ...]
    kept: tuple[tuple[str, str], ...]  # name in the event, attribute
    templates: dict[tuple[Any, ...], Event | None]


Outlines = dict[Names, Outline | None]  # None: read in full


class Templates:
    """Spans to events, as `SpanReader` does it, and faster where spans are alike."""

    def __init__(self, reader: SpanReader, limits: LimitSettings) -> None:
        self._full = reader.event
        self._width = limits.attribute_characters
        self._room = limits.attributes
        self._base: Mapping[str, Any] = {}
        self._outlines: Outlines = {}  # of the resource `_base`: what it says is part of every event
        self._resources: dict[tuple[Any, ...], Outlines] = {}
        self._once: set[Names] = set()  # seen once
        self._size = 0

    def event(self, span: Span, base: Mapping[str, Any]) -> Event | None:
        """The event that a span is; None where it is none of ours."""
        if span.failed or span.message or span.events:
            return self._full(span, base)
        if base is not self._base:
            self._turn_to(base)
        attributes = span.attributes
        names = (span.scope, span.name, span.kind, tuple(attributes))
        try:
            outline = self._outlines[names]
        except KeyError:
            self._learn(names)
            return self._full(span, base)
        if outline is None:
            return self._full(span, base)
        words = outline.words(attributes)
        try:
            template = outline.templates[words]
        except KeyError:
            self._try(outline, words, span)
            return self._full(span, base)
        except TypeError:  # a word that is no word
            return self._full(span, base)
        event = self._filled(template, outline, span) if template is not None else None
        return event if event is not None else self._full(span, base)

    def _filled(self, template: Event, outline: Outline, span: Span) -> Event | None:
        """A copy of the template with what is the span's own; None: it is unusual after all."""
        trace_id, span_id, start, end = span.trace_id, span.span_id, span.start, span.end
        if not (trace_id and span_id and end >= start > 0):
            return None
        event, attributes = _copy(template), span.attributes
        for field, name in outline.texts:
            text = attributes[name]
            if type(text) is not str or text < "#" or len(text) > readings.IDENTIFIER:
                return None  # empty, JSON once more, or too long
            force_setattr(event, field, text)
        for field, name in outline.counts:
            count = attributes[name]
            if type(count) is not int or not 0 <= count < readings.COUNT:
                return None
            force_setattr(event, field, count)
        if outline.kept:
            force_setattr(event, "attributes", self._kept(outline, attributes))
        force_setattr(event, "trace_id", trace_id)
        force_setattr(event, "span_id", span_id)
        force_setattr(event, "parent_span_id", span.parent_id)
        force_setattr(event, "time", start / 1e9)
        force_setattr(event, "duration_ms", (end - start) / 1e6)
        force_setattr(event, "join", f"{trace_id}:{span_id}")
        return event

    def _kept(self, outline: Outline, attributes: Attributes) -> dict[str, str]:
        width, text = self._width, readings.text
        return {
            name: text(value)[:width]
            for name, key in outline.kept
            if (value := attributes[key]) not in (None, "", 0)
        }

    # Learning.

    def _turn_to(self, base: Mapping[str, Any]) -> None:
        self._base = base
        key = tuple(base.items())
        try:
            self._outlines = self._resources[key]
        except KeyError:
            self._outlines = {}
            if self._room_for(*map(str, base.values())):
                self._resources[key] = self._outlines
        except TypeError:  # a value that cannot be a key
            self._outlines = {}

    def _learn(self, names: Names) -> None:
        """Names that come a second time are worth an outline."""
        if names in self._once:
            outline = _outline(names[3])
            fits = outline is not None and len(outline.kept) <= self._room
            self._outlines[names] = outline if fits else None
        elif len(names[3]) <= _ATTRIBUTES and self._room_for(names[0], names[1], *names[3]):
            self._once.add(names)

    def _try(self, outline: Outline, words: tuple[Any, ...], span: Span) -> None:
        """Make a template of the span, if it gives what the full reading of a sibling gives."""
        if not all(type(word) in (str, tuple) for word in words) or not self._room_for(str(words)):
            return
        outline.templates[words] = None
        try:
            template, other = self._full(_own(span), self._base), _sibling(span)
            expected = self._full(_own(other), self._base)
        except (KeyError, TypeError, ValueError, AttributeError):
            return
        if template is None or expected is None or template.kind != "llm":
            return
        if (template, expected) == tuple(self._filled(template, outline, each) for each in (span, other)):
            outline.templates[words] = template

    def _room_for(self, *texts: str) -> bool:
        """Whether to remember what bears these names; when there is too much of it, all is forgotten."""
        if sum(map(len, texts)) > _CHARACTERS:
            return False
        if self._size >= _REMEMBERED:
            self._size = 0
            self._once.clear()
            self._resources.clear()
            self._outlines.clear()
        self._size += 1
        return True


def _outline(names: Iterable[str]) -> Outline | None:
    """None: there is an attribute that only the full reading understands."""
    words: list[str] = []
    kept: list[tuple[str, str]] = []
    copied: dict[str, tuple[int, str]] = {}
    for name in names:
        target, rank = _MEANINGS.get(name, _NONE)
        if target in _WORDS:
            words.append(name)
        elif target in _TEXTS or target in _COUNTS:
            copied[target] = min((rank, name), copied.get(target, (rank, name)))
        elif target or not name.startswith(_SETTINGS):
            return None
        elif name.partition(".")[0] not in aliases.NOISE:
            kept.append((name[:256], name))
    fields = [(field, name) for field, (_, name) in copied.items()]
    texts = tuple(each for each in fields if each[0] in _TEXTS)
    counts = tuple(each for each in fields if each[0] in _COUNTS)
    return Outline(_worded(words), texts, counts, tuple(kept), {})


def _worded(names: Sequence[str]) -> Callable[[Attributes], tuple[Any, ...]]:
    """The values of words as a key, in which 1 and true differ."""
    if all(_MEANINGS.get(name, _NONE)[0] not in _OTHERS for name in names) and len(names) > 1:
        return itemgetter(*names)
    return lambda attributes: tuple([_word(attributes[name]) for name in names])


def _word(value: Any) -> Any:
    if type(value) is list:
        return (list, *map(_word, value[:5])) if len(value) < 5 else value
    return value if type(value) is str else (type(value), value)


def _own(span: Span) -> Span:
    """A copy that may be changed in reading."""
    return replace(span, attributes=dict(span.attributes))


def _sibling(span: Span) -> Span:
    """A span with the same names and words and with everything else different."""
    changed: Attributes = {}
    for name, value in span.attributes.items():
        target = _MEANINGS.get(name, _NONE)[0]
        if target in _TEXTS and type(value) is str:
            changed[name] = f"{value}-2"[-readings.IDENTIFIER :]
        elif target in _COUNTS and type(value) is int:
            changed[name] = value + 1
    return replace(
        span,
        trace_id=span.trace_id[::-1],
        span_id=span.span_id[::-1],
        parent_id=span.parent_id[::-1],
        start=span.start + 1_000_000_000,
        end=span.end + 3_000_000_000,
        attributes={**span.attributes, **changed},
    )
