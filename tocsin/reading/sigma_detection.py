"""What a Sigma rule's selections look for: fields, modifiers, values with wildcards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from tocsin.model import TRUST, Event, Role
from tocsin.reading.condition import Term, Value, check
from tocsin.reading.sigma_mistakes import Mistakes
from tocsin.reading.yaml_nodes import Node
from tocsin.registry import suggest

EVERYBODY: tuple[Role, ...] = tuple(TRUST)
_WRITTEN: Mapping[tuple[Role, ...], str] = {  # whose text a field is: its names
    ("user",): "prompt user_prompt user_message gen_ai.prompt gen_ai.user.message",
    ("system",): "system system_prompt gen_ai.system_instructions",
    ("system", "user", "tool", "retrieved"): "input gen_ai.input.messages",
    ("assistant",): "output answer response completion gen_ai.output.messages gen_ai.completion "
    "tool_arguments gen_ai.tool.call.arguments",
    ("tool",): "tool_result gen_ai.tool.call.result",
    ("retrieved",): "document documents gen_ai.retrieval.documents",
    EVERYBODY: "text message content",
}
FIELDS: Mapping[str, tuple[Role, ...]] = {
    name: roles for roles, names in _WRITTEN.items() for name in names.split()
}
ROLE = ("role", "gen_ai.message.role")
MODIFIERS = ("contains", "startswith", "endswith", "all", "cased", "re", "i")
_REFUSED = {
    **dict.fromkeys(
        ("base64", "base64offset", "wide", "utf16", "utf16le", "utf16be"),
        "encodings are undone before rules read: write the plain value",
    ),
    **dict.fromkeys(("lt", "lte", "gt", "gte", "cidr"), "rules read texts, no numbers and no addresses"),
    **dict.fromkeys(("minute", "hour", "day", "week", "month", "year"), "rules read texts, no times"),
    "neq": "write `not` in the condition",
    "exists": "every text that is read exists; drop it",
    "fieldref": "a condition sees one text at a time",
    "expand": "placeholders are not filled in; write the values out",
    "windash": "write each dash out, as a list",
    "m": "expressions see the whole text; `^` and `$` are its ends",
    "s": "`.` stands for line breaks already; drop it",
}
_LEAST = 3  # bytes of the longest run of a value: shorter ones stand in every text
_LONGEST = 1000
_VALUES = 5000
_UNKNOWN = Value(expression="refused")  # stands where a mistake was told, so that no other follows from it


class Literal(NamedTuple):
    """One demand on a text: whose it is, and, if any are named, one of the values in it."""

    roles: tuple[Role, ...]
    term: Term


Selection = list[list[Literal]]  # any of them, each of which is all of its literals


def selections(detection: Mapping[str, Node], mistakes: Mistakes) -> dict[str, Selection]:
    """Every part of `detection` that is no condition."""
    reader = _Reader(mistakes)
    found: dict[str, Selection] = {}
    for name, node in detection.items():
        if name == "timeframe":
            mistakes.add(node.line, "detection.timeframe", "a condition sees one text at a time")
        elif name != "condition":
            found[name] = reader.selection(node, f"detection.{name}")
    return found


class _Reader:
    def __init__(self, mistakes: Mistakes) -> None:
        self._mistakes, self._left = mistakes, _VALUES

    def selection(self, node: Node, place: str) -> Selection:
        if isinstance(node.value, dict):
            return [self._all(node.value, place)]
        if isinstance(node.value, list) and any(isinstance(each.value, dict) for each in node.value):
            return [item for each in node.value for item in self.selection(each, place)]
        return [self._field("", [], node, place)]  # words without a field

    def _all(self, fields: Mapping[str, Node], place: str) -> list[Literal]:
        found: list[Literal] = []
        for key, node in fields.items():
            field, *modifiers = key.split("|")
            found += self._field(field, modifiers, node, f"{place}.{key}")
        return found

    def _field(self, field: str, modifiers: list[str], node: Node, place: str) -> list[Literal]:
        before = len(self._mistakes)
        found = self._literals(field.lower(), modifiers, node, place)
        return found if len(self._mistakes) == before else [Literal(EVERYBODY, (_UNKNOWN,))]

    def _literals(self, field: str, modifiers: list[str], node: Node, place: str) -> list[Literal]:
        values = self._values(node, place)
        if field in ROLE:
            return [self._role(values, modifiers, node.line, place)]
        self._check(field, modifiers, node.line, place)
        if not field and not _ways(modifiers):
            modifiers = [*modifiers, "contains"]  # a word stands anywhere
        roles = FIELDS.get(field, EVERYBODY)
        read = [self._value(text, modifiers, line, place) for text, line in values]
        terms = [(each,) for each in read] if "all" in modifiers else [tuple(read)]
        return [Literal(roles, term) for term in terms]

    def _values(self, node: Node, place: str) -> list[tuple[str, int]]:
        each = node.value if isinstance(node.value, list) else [node]
        self._left -= len(each)
        if not each or self._left < 0:
            said = f"more than {_VALUES:,} values in one rule" if each else "no value"
            self._mistakes.add(node.line, place, said)
            return []
        for one in each:
            if not isinstance(one.value, str) or len(one.value) > _LONGEST:
                self._mistakes.add(one.line, place, f"want a text of 1 to {_LONGEST} characters, or several")
        return [(one.value[:_LONGEST], one.line) for one in each if isinstance(one.value, str)]

    def _check(self, field: str, modifiers: list[str], line: int, place: str) -> None:
        if field and field not in FIELDS:
            self._mistakes.add(line, place, _no_field(field))
        strange = [name for name in modifiers if name not in MODIFIERS]
        for name in strange:
            remedy = _REFUSED.get(name) or suggest(name, MODIFIERS)
            self._mistakes.add(line, place, f"{name!r} is no modifier that is read; {remedy}")
        alone = "i" in modifiers and "re" not in modifiers
        if not strange and (len(_ways(modifiers)) > 1 or alone or {"re", "cased"} <= {*modifiers}):
            self._mistakes.add(line, place, f"these modifiers do not go together: {', '.join(modifiers)}")

    def _role(self, values: list[tuple[str, int]], modifiers: list[str], line: int, place: str) -> Literal:
        if modifiers:
            self._mistakes.add(line, place, "a role is named in full, without a modifier")
        for text, at in values:
            if text not in TRUST:
                self._mistakes.add(at, place, f"{text!r} is no role; {suggest(text, TRUST)}")
        named = {text for text, _ in values}
        return Literal(tuple(role for role in EVERYBODY if role in named), ())

    def _value(self, text: str, modifiers: list[str], line: int, place: str) -> Value:
        if "re" in modifiers:
            said = check(text) if text else "it is empty"
            if said:
                self._mistakes.add(line, place, f"no regular expression that runs in linear time: {said}")
            return Value(expression=f"(?i:{text})" if "i" in modifiers else text, cased=True)
        cased = "cased" in modifiers
        pieces = _pieces(text if cased else text.lower())
        value = Value(
            tuple(tuple(piece) for piece in pieces if piece),
            front=not {"contains", "endswith"} & {*modifiers} and bool(pieces[0]),
            back=not {"contains", "startswith"} & {*modifiers} and bool(pieces[-1]),
            cased=cased,
        )
        if max(map(_size, _runs(pieces)), default=0) < _LEAST:
            self._mistakes.add(
                line, place, f"{text!r} is in almost every text; want {_LEAST} bytes without a wildcard"
            )
        return value


def _ways(modifiers: list[str]) -> set[str]:
    return {"contains", "startswith", "endswith", "re"} & {*modifiers}


def _runs(pieces: list[list[str | None]]) -> list[str]:
    return [run for piece in pieces for run in "".join(char or "\0" for char in piece).split("\0")]


def _size(run: str) -> int:
    return len(run.encode("utf-8", "replace"))


def _pieces(text: str) -> list[list[str | None]]:
    """Text cut at `*`; None stands for `?`. A backslash takes the meaning of the sign that follows."""
    pieces: list[list[str | None]] = [[]]
    for mark in re.findall(r"\\[*?\\]|.", text, re.DOTALL):
        if mark == "*":
            pieces.append([])
        else:
            pieces[-1].append(None if mark == "?" else mark[-1])
    return pieces


def _no_field(field: str) -> str:
    if field.rpartition(".")[2] in Event.__struct_fields__:
        return "no text: rules read texts, detectors read the other fields of an event"
    return f"no field that is read; {suggest(field, [*FIELDS, *ROLE])}"
