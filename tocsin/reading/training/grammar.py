"""Texts of our own making to learn from: an attack grammar and hard negatives, expanded with a seed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from tocsin.reading.training.samples import OWN, Sample

_SLOT = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")
_EACH = {"attacks": 900, "benign": 1000}  # texts of a family
_FOREIGN = 130  # texts of a language
_BESIDE = ("{a} {b}{c}.", "{a} {b}. {d}", "{d}", "{d} {d}", "{a} {b} {c}. {d}", "{a} {b}", "{d} {a} {b}{c}")
_GLUED = frozenset({"zh", "ja", "ko"})
_DEPTH = 8


@cache
def _content(name: str) -> Mapping[str, Any]:
    with Path(__file__).with_name(f"{name}.toml").open("rb") as file:
        content: dict[str, Any] = tomllib.load(file)
    return content


def expand(template: str, lists: Mapping[str, Any], random: Random, depth: int = 0) -> str:
    """A template with its names filled in; {{ and }} stand for braces."""

    def fill(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return found[0][0]
        if name == ".":
            return random.choice((".", "", "!", "."))
        if name not in lists or depth >= _DEPTH:
            return "{" + name + "}"
        return expand(random.choice(lists[name]), lists, random, depth + 1)

    return _SLOT.sub(fill, template)


def samples(seed: int, scale: float = 1.0) -> Iterator[Sample]:
    """All that is made here, the same for the same seed; `scale` makes more or less of it."""
    for name, attack in (("attacks", True), ("benign", False)):
        content = _content(name)
        lists = {key: list(values) for key, values in content["lists"].items() if isinstance(values, list)}
        lists.setdefault(
            "usualdo", ["translate it", "summarise it", "answer the question", "follow the text"]
        )
        for family, table in content["families"].items():
            random = Random(f"{seed} {name} {family}")
            for number in range(int(_EACH[name] * scale * table.get("share", 1))):
                text = _noise(expand(random.choice(table["templates"]), lists, random).strip(), random)
                yield _sample(f"{family}-{number}", text, attack, family, table.get("role", "user"))
    yield from _foreign(seed, scale)


def _foreign(seed: int, scale: float) -> Iterator[Sample]:
    lists = _content("attacks")["lists"]
    for language, table in lists.items():
        if not isinstance(table, dict):
            continue
        random = Random(f"{seed} {language}")
        both = {**table, "name": lists["name"]}
        for number in range(int(_FOREIGN * scale)):
            template = random.choice(_BESIDE)
            text = expand(template.replace(" ", "") if language in _GLUED else template, both, random)
            yield _sample(f"{language}-{number}", text.strip(), True, "foreign", "user", language)


def _sample(id: str, text: str, attack: bool, family: str, role: str, language: str = "en") -> Sample:
    return Sample(f"{OWN}-{id}", text, attack, OWN, family, language, role, f"{OWN}-{id}")


def _noise(text: str, random: Random) -> str:
    """Sometimes all small, all large, or with another end, as people write."""
    lot = random.random()
    if lot < 0.12:
        return text.lower()
    if lot < 0.15:
        return text.upper()
    if lot < 0.2:
        return text.rstrip(".!") + random.choice(("!!!", "", " pls", "\n\n", "..."))
    return text
