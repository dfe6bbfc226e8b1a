"""Tables of the configuration become records; every mistake is kept with its place and remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from tocsin.registry import suggest

R = TypeVar("R", bound=msgspec.Struct)

_VARIABLE = re.compile(r"\$(\$)?\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_SECRET_CHARACTERS = 4  # shorter values are no secrets, and hiding them would garble messages


class FromEnvironment(str):
    """A text that a variable had a part in: it may stand for a number, and is never shown."""


class _Unset(FromEnvironment):
    """Stands where a variable is missing; the mistake is noted already."""


class Tables:
    """Reads tables strictly, and goes on after a mistake to find the next."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._used: dict[str, str] = {}  # value of a variable to its name
        self._mistakes: list[str] = []

    @property
    def mistakes(self) -> list[str]:
        """All so far, without the value of any variable."""
        return [self._hide(mistake) for mistake in self._mistakes]

    def mistake(self, place: str, what: str) -> None:
        """Note a mistake at a place like "detectors.loop" ("" = the file as a whole)."""
        self._mistakes.append(f"[{place}] {what}" if place else what)

    def substitute(self, place: str, value: Any) -> Any:
        """The value with ${NAME} and ${NAME:-default} filled in, at any depth; $${ stands for ${."""
        if isinstance(value, str):
            return self._fill(place, value)
        if isinstance(value, dict):
            return {name: self.substitute(f"{place}.{name}", inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.substitute(place, inner) for inner in value]
        return value

    def record(self, place: str, table: object, cls: type[R]) -> R | None:
        """The table as one record; None where it has mistakes."""
        found: R | None = self.records(place, table, cls)[0]
        return found

    def records(self, place: str, table: object, *classes: type[Any]) -> tuple[Any, ...]:
        """The table as several records that share it; a key belongs to the first that has it."""
        if not isinstance(table, dict):
            self.mistake(place, "must be a table")
            return (None,) * len(classes)
        left = dict(table)
        made = tuple(self._record(place, left, cls) for cls in classes)
        known = [field.encode_name for cls in classes for field in msgspec.structs.fields(cls)]
        for name in left:
            self.mistake(place, f"{name}: unknown; {suggest(name, known)}")
        return made

    def _record(self, place: str, left: dict[str, Any], cls: type[R]) -> R | None:
        before = len(self._mistakes)
        values: dict[str, Any] = {}
        unset = False
        for field in msgspec.structs.fields(cls):
            name = field.encode_name
            if name in left:
                value = left.pop(name)
                unset |= any(isinstance(text, _Unset) for text in _texts(value))
                values[field.name] = self._value(place, field, value)
            elif field.required:
                self.mistake(place, f"{name}: missing; {description(field) or 'it has no default'}")
        if unset or len(self._mistakes) > before:
            return None
        return self._make(place, cls, values)

    def _make(self, place: str, cls: type[R], values: dict[str, Any]) -> R | None:
        try:
            return cls(**values)
        except (ValueError, TypeError) as error:  # a rule between fields, from `__post_init__`
            self.mistake(place, str(error))
            return None

    def _value(self, place: str, field: FieldInfo, value: Any) -> Any:
        nested = struct_in(field.type)
        if nested is not None and isinstance(value, dict):
            return self.record(f"{place}.{field.encode_name}", value, nested)
        texts = list(_texts(value))
        if any(isinstance(text, _Unset) for text in texts):
            return None
        lax = any(isinstance(text, FromEnvironment) for text in texts)
        try:
            return msgspec.convert(_plain(value), field.type, strict=not lax)
        except msgspec.ValidationError as error:
            self.mistake(place, f"{field.encode_name}: {_explain(field, '' if lax else value, error)}")
            return None

    def _fill(self, place: str, text: str) -> str:
        before = len(self._mistakes)
        filled = _VARIABLE.sub(lambda match: self._variable(place, match), text)
        if len(self._mistakes) > before:
            return _Unset()
        return filled if filled == text else FromEnvironment(filled)

    def _variable(self, place: str, match: re.Match[str]) -> str:
        escape, name, default = match.groups()
        if escape:
            return match.group()[1:]
        value = self._environment.get(name, default)
        if name in self._environment:
            self._used[self._environment[name]] = name
        if value is None:
            table, _, key = place.rpartition(".")
            remedy = f"set it, or write ${{{name}:-default}}"
            self.mistake(table, f"{key}: the environment variable {name} is not set; {remedy}")
        return value or ""

    def _hide(self, message: str) -> str:
        for value, name in sorted(self._used.items(), key=lambda item: -len(item[0])):
            if len(value) >= _SECRET_CHARACTERS:
                message = message.replace(value, f"${{{name}}}")
        return message


def description(field: FieldInfo) -> str:
    """What a field's annotation says of it."""
    return next((meta.description for meta in metas(field.type) if meta.description), "")


def metas(kind: Any) -> list[msgspec.Meta]:
    """Everything that a type's annotation says of it, inner words first."""
    notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return [note for note in notes if isinstance(note, msgspec.Meta)]


def choices(kind: Any) -> tuple[Any, ...]:
    """The words that a type allows; empty where it is no list of words."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_args(bare) if get_origin(bare) is Literal else ()


def struct_in(kind: Any) -> type[msgspec.Struct] | None:
    """The record that a type holds; None where it is something else."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    options = [bare, *(option for option in get_args(bare) if option is not NoneType)]
    found = (option for option in options if isinstance(option, type) and issubclass(option, msgspec.Struct))
    return next(found, None)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return str(value) if isinstance(value, FromEnvironment) else value


def _explain(field: FieldInfo, shown: Any, error: msgspec.ValidationError) -> str:
    words = [word for word in choices(field.type) if word]
    if words:
        near = suggest(shown, words) if isinstance(shown, str) and shown else ""
        return f"must be one of {', '.join(map(str, words))}" + (f"; {near}" if "mean" in near else "")
    said = str(error)
    got = f", got {shown!r}" if isinstance(shown, int | float) and "got" not in said else ""
    return said[:1].lower() + said[1:] + got
