"""The condition of a Sigma rule: and, or, not, brackets, `1 of`, `all of`; made into clauses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from itertools import product
from typing import NamedTuple

from tocsin.model import Role
from tocsin.reading.condition import Clause
from tocsin.reading.sigma_detection import EVERYBODY, Literal, Selection
from tocsin.reading.sigma_mistakes import Mistakes
from tocsin.reading.yaml_nodes import Node
from tocsin.registry import suggest

MOST = 256  # clauses of one rule
_DEEPEST = 16  # brackets
_LONGEST = 2000
_TOKEN = re.compile(r"\s*(\(|\)|\||[^\s()|]+)")
_WORDS = ("and", "or", "not")


class Wanted(NamedTuple):
    """A literal, or that it is not so."""

    literal: Literal
    so: bool


Form = list[tuple[Wanted, ...]]  # disjunctive: any of them, each of which is all of its demands


class _Wrong(ValueError):
    """What the condition cannot mean."""


def clauses(
    detection: Mapping[str, Node], found: Mapping[str, Selection], mistakes: Mistakes
) -> tuple[Clause, ...]:
    """What a text must fulfil: any of the clauses."""
    node = detection.get("condition")
    if node is None:
        mistakes.add(min(each.line for each in detection.values()), "detection", "the condition is missing")
        return ()
    unused = set(found)
    made: list[Clause] = []
    for text in mistakes.texts(node, "detection.condition"):
        try:
            made += [_clause(item) for item in _Parser(text, found, unused).form()]
        except _Wrong as error:
            mistakes.add(node.line, "detection.condition", str(error))
            return ()
    for name in sorted(unused):
        mistakes.add(detection[name].line, f"detection.{name}", "the condition does not use it")
    return tuple(dict.fromkeys(made))


class _Parser:
    """`not` before `and` before `or`, as the specification says."""

    def __init__(self, text: str, found: Mapping[str, Selection], unused: set[str]) -> None:
        if len(text) > _LONGEST:
            raise _Wrong(f"more than {_LONGEST} characters")
        self._tokens: list[str] = [*_TOKEN.findall(text), ""]
        self._at, self._found, self._unused, self._deep = 0, found, unused, 0

    def form(self) -> Form:
        form = self._or()
        if self._word == "|":
            raise _Wrong("sums over several events (|) are detectors; docs/detectors names them")
        if self._word:
            raise _Wrong(f"want `and`, `or` or an end before {self._word!r}")
        return form

    @property
    def _word(self) -> str:
        return self._tokens[self._at]

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _or(self) -> Form:
        form = self._and()
        while self._word.lower() == "or":
            self._at += 1
            form = _bounded(form + self._and())
        return form

    def _and(self) -> Form:
        form = self._not()
        while self._word.lower() == "and":
            self._at += 1
            form = _both(form, self._not())
        return form

    def _not(self) -> Form:
        if self._word.lower() != "not":
            return self._one()
        self._deeper()
        form = _denied(self._not())
        self._deep -= 1
        return form

    def _one(self) -> Form:
        word = self._next() if self._word else ""
        if word == "(":
            self._deeper(0)
            form = self._or()
            if self._word != ")":
                raise _Wrong("a bracket is not closed")
            self._at += 1
            self._deep -= 1
            return form
        if self._word.lower() == "of":
            return self._of(word.lower())
        if not word or word in ")|" or word.lower() in _WORDS:
            raise _Wrong(f"want a selection instead of {word!r}" if word else "it ends too early")
        return self._named(word)

    def _deeper(self, by: int = 1) -> None:
        self._at += by
        self._deep += 1
        if self._deep > _DEEPEST:
            raise _Wrong(f"brackets or `not` more than {_DEEPEST} deep")

    def _of(self, how_many: str) -> Form:
        self._at += 1
        name = self._next() if self._word else ""
        if how_many not in ("1", "any", "all"):
            raise _Wrong(f"'{how_many} of': want `1 of`, `any of` or `all of`")
        pattern = "[!_]*" if name == "them" else name
        names = [each for each in self._found if fnmatchcase(each, pattern)]
        if not names:
            raise _Wrong(f"no selection is like {name!r}; {suggest(name, self._found)}")
        forms = [self._named(each) for each in names]
        made = forms[0]
        for form in forms[1:]:
            made = _both(made, form) if how_many == "all" else _bounded(made + form)
        return made

    def _named(self, name: str) -> Form:
        if name not in self._found:
            raise _Wrong(f"no selection is called {name!r}; {suggest(name, self._found)}")
        self._unused.discard(name)
        return _bounded([tuple(Wanted(each, True) for each in item) for item in self._found[name]])


def _both(one: Form, other: Form) -> Form:
    if len(one) * len(other) > MOST:
        raise _too_many()
    return [tuple(dict.fromkeys(first + second)) for first, second in product(one, other)]


def _denied(form: Form) -> Form:
    """Not any of them: of each, one demand that is not so (De Morgan)."""
    made: Form = [()]
    for item in form:
        made = _both(made, [(Wanted(each.literal, not each.so),) for each in item])
    return made


def _bounded(form: Form) -> Form:
    if len(form) > MOST:
        raise _too_many()
    return form


def _too_many() -> _Wrong:
    return _Wrong(f"it comes to more than {MOST} alternatives; write several rules")


def _clause(item: tuple[Wanted, ...]) -> Clause:
    """Every demand is on the same text, so roles must meet."""
    roles: set[Role] = set(EVERYBODY)
    for literal, so in item:
        if literal.term:
            roles &= set(literal.roles)
        else:
            roles &= set(literal.roles) if so else set(EVERYBODY) - set(literal.roles)
    if not roles:
        raise _Wrong("it asks several texts at once (as prompt and output); a condition sees one at a time")
    held = tuple(literal.term for literal, so in item if so and literal.term)
    if not held:
        raise _Wrong("a text would match for what it does not hold; demand a value as well")
    barred = tuple(literal.term for literal, so in item if not so and literal.term)
    whose: tuple[Role, ...] = tuple(role for role in EVERYBODY if role in roles)
    return Clause(whose if len(whose) < len(EVERYBODY) else (), held, barred)
