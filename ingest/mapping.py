"""Formats of the operator's own: the configuration says where in a document the fields of an event are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from ingest import native, readings
from ingest.messages import structure
from ingest.native import NativeDecoder
from tocsin.model import Decoded, Event, Kind
from tocsin.registry import suggest
from tocsin.settings import LimitSettings

STEPS = 16  # of a path
_CHOICES = ("kind", "status", "finish_reason", "operation", "provider", "tool_decision", "guardrail_status")
_NUMBERS = ("time", "duration_ms", "first_token_ms", "cost_usd", "evaluation_score", "guardrail_score")
_COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
_LISTS = ("input", "output", "tool_definitions", "documents")

Json = dict[str, Any]
Scalar = str | int | float | bool


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which documents are meant: all of it must hold."""

    present: Annotated[list[str], Meta(description="paths at which there is something")] = []
    equal: Annotated[
        dict[str, Scalar | list[Scalar]],
        Meta(description="path to the value that is there, or a list of values it may be"),
    ] = {}


class MappingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Documents of a shape that Tocsin does not know, and where in them the fields of an event are.

    A path is written `a.b.0.c`: through tables, lists (by number, from 0) and JSON in text.
    """

    when: Annotated[When, Meta(description="which documents are meant")]
    kind: Annotated[
        Kind, Meta(description="what a document tells of, where `fields` and `words` do not say")
    ] = "llm"
    fields: Annotated[
        dict[str, str | list[str]],
        Meta(description="field of an event to its path, or to several of which the first present counts"),
    ] = {}
    constants: Annotated[
        dict[str, Scalar], Meta(description="field to the value it has in every document")
    ] = {}
    words: Annotated[
        dict[str, dict[str, str]],
        Meta(description="field to a table of words: what the document says, what Tocsin calls it"),
    ] = {}
    scale: Annotated[
        dict[str, float],
        Meta(description="field to what its number is multiplied with: seconds to ms = 1000"),
    ] = {}

    def mistakes(self) -> Iterator[str]:
        """What cannot be meant, each with its remedy."""
        if not (self.when.present or self.when.equal):
            yield "when: empty, so every document would fit; name a path in when.present or when.equal"
        if not (self.fields or self.constants):
            yield "fields: empty, so events would say nothing; give fields their paths"
        for table in ("fields", "constants", "words", "scale"):
            for name in getattr(self, table):
                if reason := _unusable(name):
                    yield f"{table}.{name}: {reason}"
        yield from self._wrong_paths()
        yield from self._wrong_values()

    def _wrong_paths(self) -> Iterator[str]:
        named = [(f"fields.{name}", path) for name, paths in self.fields.items() for path in _several(paths)]
        named += [("when.present", path) for path in self.when.present]
        named += [("when.equal", path) for path in self.when.equal]
        for place, path in named:
            steps = path.split(".")
            if not all(steps):
                yield f"{place}: {path!r} is no path; write names with single dots between them, like a.b.0.c"
            elif len(steps) > STEPS:
                yield f"{place}: a path has at most {STEPS} steps"

    def _wrong_values(self) -> Iterator[str]:
        reader = NativeDecoder()
        for name, value in self.constants.items():
            if not _unusable(name) and _event(reader, {name: value}).invalid_fields:
                yield f"constants.{name}: {value!r} cannot be the {name}{_among(name)}"
            if name in self.fields:
                yield f"constants.{name}: also in fields; leave one of them out"
        for name, words in self.words.items():
            if _unusable(name):
                continue
            if name not in _CHOICES and name in (*_NUMBERS, *_COUNTS, *_LISTS, "attributes"):
                yield f"words.{name}: only for fields that are words"
                continue
            wrong = [word for word in words.values() if _event(reader, {name: word}).invalid_fields]
            yield from (f"words.{name}: {word!r} cannot be the {name}{_among(name)}" for word in wrong)
        for name in self.scale:
            if name not in (*_NUMBERS, *_COUNTS) and not _unusable(name):
                yield f"scale.{name}: only for numbers: {', '.join((*_NUMBERS[1:], *_COUNTS))}"


class Mapped:
    """Reads documents as a mapping says."""

    def __init__(self, name: str, settings: MappingSettings, limits: LimitSettings) -> None:
        self.name = name
        self._settings = settings
        self._reader = NativeDecoder(limits)
        self._paths = {field: _several(paths) for field, paths in settings.fields.items()}
        self._equal = {path: tuple(_several(value)) for path, value in settings.when.equal.items()}
        self._used = {path.split(".")[0] for paths in self._paths.values() for path in paths}
        self._used |= {path for paths in self._paths.values() for path in paths}

    @property
    def marks(self) -> frozenset[str]:
        """The names under which the first step of one of its conditions can stand at the top."""
        path = next(iter((*self._settings.when.present, *self._equal)))
        steps = path.split(".")
        return frozenset(".".join(steps[: end + 1]) for end in range(len(steps)))

    def fits(self, document: Json) -> bool:
        """Whether all conditions hold."""
        return all(_at(document, path) is not None for path in self._settings.when.present) and all(
            _same(_at(document, path), values) for path, values in self._equal.items()
        )

    def read(self, document: Json) -> Decoded:
        """One event."""
        found: Json = {"kind": self._settings.kind, **self._settings.constants}
        for field, paths in self._paths.items():
            value = next((value for path in paths if (value := _at(document, path)) is not None), None)
            if value is not None:
                found[field] = self._read(field, value)
        if "attributes" not in found:
            found["attributes"] = {
                name: value
                for name, value in document.items()
                if name not in self._used and isinstance(value, str | int | float)
            }
        event = _event(self._reader, found)
        force_setattr(event, "source_format", self.name)
        return Decoded((event,))

    def _read(self, field: str, value: Any) -> Any:
        words = self._settings.words.get(field)
        if words is not None:
            value = words.get(readings.text(value), value)
        if field == "kind" and value not in native.CHOICES["kind"]:
            return self._settings.kind
        factor = self._settings.scale.get(field)
        if factor is not None:
            number = readings.score(value)
            value = number * factor if number is not None else value
            if field in _COUNTS and isinstance(value, float):
                value = round(value)
        return _listed(field, value) if field in _LISTS else value


def _event(reader: NativeDecoder, fields: Json) -> Event:
    (event,) = reader.read({**fields, native.MARK: 1}).items
    assert isinstance(event, Event)  # of a table with the mark
    return event


def _listed(field: str, value: Any) -> Any:
    """A list of messages, or of whatever the field holds; bare text is one message."""
    value = structure(value)
    if isinstance(value, str) and field == "documents":
        value = {"text": value}
    return [value] if isinstance(value, dict | str) else value


def _at(document: Any, path: str) -> Any:
    """What is at a path; None: nothing. A name with dots may stand there whole."""
    for _ in range(STEPS):
        if isinstance(document, str):
            document = structure(document)
        if isinstance(document, list):
            step, _, path = path.partition(".")
            place = int(step) if step.isdecimal() and len(step) < 6 else len(document)
            document = document[place] if place < len(document) else None
        elif isinstance(document, dict):
            if path in document:
                return document[path]
            step, _, path = path.partition(".")
            document = document.get(step)
        else:
            return None
        if not path:
            return document
    return None


def _same(value: Any, values: tuple[Any, ...]) -> bool:
    return any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in values)


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _unusable(name: str) -> str:
    if name in native.STAMPED:
        return "is set by Tocsin itself"
    known = [field for field in Event.__struct_fields__ if field not in native.STAMPED]
    return "" if name in known else f"no field of an event; {suggest(name, known)}"


def _among(name: str) -> str:
    words = [word for word in native.CHOICES.get(name, ()) if word]
    return f"; it is one of {', '.join(words)}" if words else ""
