"""Texts of our own making to learn from: an attack grammar and hard negatives, expanded with a seed.

The TOML files of this folder hold lists of phrases and families of templates; a template's {names} are filled
from the lists, whose entries may hold names themselves. {~name} begins small and ends without its stop,
{@list:name} is an entry of a list of carriers with something of the other list at its {here}.
"""

from __future__ import annotations

import re
import tomllib
from base64 import b64encode
from codecs import encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from pydoc_data.topics import topics
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote

from tocsin.reading.language import LANGUAGES, common_words
from tocsin.reading.training.samples import OWN, Sample

FILES = (
    "attacks",
    "jailbreaks",
    "injections",
    "ploys",
    "noise",
    "requests",
    "carriers",
    "talk",
    "decoys",
    "calm",
    "senses",
    "notices",
    "worded",
    "mentions",
    "records",
    "ordinary",
    "pretexts",
    "pages",
    "riders",
    "characters",
    "exchanges",
    "likeness",
    "asides",
    "returns",
    "guises",
    "counters",
    "insertions",
)
TONGUES = ("tongues", "everyday", "foreign", "world")
ABROAD = ("abroad", "afar", "overseas", "elsewhere", "nearby")  # whole texts by language
_ABROAD = {
    "asked": (False, "user"),
    "returned": (False, "tool"),
    "demanded": (True, "user"),
    "planted": (True, "tool"),
}
TONGUE = "tongue"  # one family: a language that is learnt from one side alone would be that side
# What users ask in the words of attacks, what data tells people to do, and attacks amid such data.
SENSE, TOLD, PLANTED = "sense", "told", "planted"
_EACH = 300  # texts of a family, times its share
MANUAL = "manual"  # Python's own reference
BARE = "bare_request"  # attacks by their place alone, as prompts harmless
_PLACED = (
    "{@carrier:asked}",
    "{@carrier:asked}",
    "{@carrier:asked}",
    "{said} {asked}",
    "{asked} {said} {said}",
    "{said} {said} {asked} {said}",
    "{n_mail}\n{asked}",
    "{n_article} {asked}",
    "{n_record}\n{asked}\n{n_record}",
    "{n_rule} {n_rule} {asked} {n_rule}",
    "{n_doc}\n\n{n_doc}\n\n{asked}\n\n{n_doc}\n\n{n_doc}",
    "{n_article} {n_article} {said} {asked} {n_article} {n_article} {said} {n_article}",
    "{n_mail}\n\n---\n{n_mail}\n{asked}\n\n---\n{n_mail}\n\n---\n{n_mail}",
    "{n_record}\n{n_record}\n{n_record}\n{n_record}\n{asked}\n{n_record}\n{n_record}\n{n_record}",
)
_PAGE = 1200  # characters
_FOREIGN = {"attack": 100, "benign": 120, SENSE: 80, TOLD: 80, PLANTED: 40}  # texts of a language
# Whether each side is an attack, its type, and who says it.
_SIDES: Mapping[str, tuple[bool, str, str]] = {
    "attack": (True, TONGUE, "user"),
    "benign": (False, TONGUE, "user"),
    SENSE: (False, SENSE, "user"),
    TOLD: (False, TOLD, "tool"),
    PLANTED: (True, TONGUE, "tool"),
}
_PLAIN = 60  # texts of a language that are its commonest words, which say nothing
_BESIDE = ("{a} {b}{c}.", "{a} {b}. {d}", "{d}", "{d} {d}", "{a} {b} {c}. {d}", "{a} {b}", "{d} {a} {b}{c}")
_AMID = ("{told} {attack}", "{told} {ploy} {told}", "{told} {told} {worded} {told}", "{attack} {told}")
_GLUED = frozenset({"zh", "ja", "ko"})
_SLOT = re.compile(r"\{\{|\}\}|\{([@~]?)([^{}:]+)(?::([^{}]+))?\}")
_DOUBLED = re.compile(r"(?<!\.)([.!?])\.(?!\.)")
_SPACES = re.compile(r"(?<=\S) {2,}")
_DEPTH = 12
_AROUND = ("{blob}", "{blob}", "{decode}", "{spy}", "{spy}", "{ask} {blob}")
_CODES: Mapping[str, Callable[[str], str]] = {
    "base64": lambda text: b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "bytes": lambda text: text.encode().hex(" "),
    "url": lambda text: quote(text, safe=""),
    "query": lambda text: f"https://www.example.com/search?q={quote(text)}&lang=en",
    "html": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "entities": lambda text: escape(text).replace(" ", "&nbsp;"),
    "escapes": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    "numbers": lambda text: " ".join(str(ord(letter)) for letter in text),
    "wide": lambda text: "".join(
        chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text
    ),
    "spaced": lambda text: " ".join(text),
    "turned": lambda text: text[::-1],
    "rot13": lambda text: encode(text, "rot13"),
    "key": lambda text: f'{text.split()[0].upper()}_KEY = "{sha256(text.encode()).hexdigest()}"',
    "repeated": lambda text: f"{text} " * 8,
    "list": lambda text: "\n".join(f"{number}. {text}" for number in range(1, 7)),
}

Lists = Mapping[str, Sequence[str]]


class Family(NamedTuple):
    """Templates of one kind of text."""

    name: str
    attack: bool
    role: str
    type: str
    share: float
    templates: Sequence[str]
    language: str = "en"


class Grammar(NamedTuple):
    """All that the files hold."""

    lists: Lists
    families: Sequence[Family]
    tongues: Mapping[str, Lists]  # by language: a, b, c and d of attacks.toml, and what TONGUES hold


@cache
def grammar() -> Grammar:
    """The files, read once."""
    lists: dict[str, Sequence[str]] = {}
    families: list[Family] = []
    tongues: dict[str, dict[str, Sequence[str]]] = {}
    for file in FILES:
        content = _content(file)
        for name, entries in content["lists"].items():
            if isinstance(entries, dict):
                tongues[name] = {part: _entries(each) for part, each in entries.items()}
            else:
                lists[name] = _entries(entries)
        families += [_family(name, table) for name, table in content["families"].items()]
    families += [each for file in ABROAD for each in _abroad(file)]
    for file in TONGUES:
        for language, table in _content(file).items():
            tongues.setdefault(language, {}).update({part: _entries(each) for part, each in table.items()})
    return Grammar(lists, families, tongues)


def _content(name: str) -> dict[str, Any]:
    with Path(__file__).with_name(f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


def _entries(given: str | list[str]) -> Sequence[str]:
    """A list as it is, or the lines of a text, in which \\n is a line break."""
    if isinstance(given, list):
        return given
    return [line.replace("\\n", "\n") for line in given.strip("\n").split("\n")]


def _family(name: str, table: Mapping[str, Any]) -> Family:
    return Family(
        name,
        table.get("attack", False),
        table.get("role", "user"),
        table.get("type", name),
        table.get("share", 1),
        _entries(table["templates"]),
    )


def _abroad(file: str) -> Iterator[Family]:
    """A family of each language and kind, all of one type; two draws a line, as chance leaves some out."""
    for language, table in _content(file).items():
        for part, text in table.items():
            (attack, role), lines = _ABROAD[part], _entries(text)
            yield Family(
                f"{file}_{language}_{part}", attack, role, "abroad", 2 * len(lines) / _EACH, lines, language
            )


def literal(text: str) -> str:
    """A text as a template that gives it back."""
    return text.replace("{", "{{").replace("}", "}}")


def expand(template: str, lists: Lists, random: Random, depth: int = 0) -> str:
    """A template with its names filled in; {{ and }} stand for braces. An unknown name is a mistake."""

    def fill(found: re.Match[str]) -> str:
        way, name, other = found.groups()
        if name is None:
            return found[0][0]
        if name == ".":
            return random.choice((".", "", "!", "."))
        if depth >= _DEPTH:
            return ""
        inner = {**lists, "here": lists[other]} if way == "@" else lists
        text = expand(random.choice(inner[name]), inner, random, depth + 1)
        return text[:1].lower() + text[1:].rstrip(" .!?") if way == "~" else text

    return _SLOT.sub(fill, template)


def samples(seed: int, scale: float = 1.0) -> Iterator[Sample]:
    """All that is made here, the same for the same seed; `scale` makes more or less of it."""
    all = grammar()
    for family in all.families:
        random = Random(f"{seed} {family.name}")
        for number in range(int(_EACH * scale * family.share)):
            lists = {**all.lists, "name": [random.choice(all.lists["name"])]}
            text = _noise(expand(random.choice(family.templates), lists, random), random)
            one = f"{OWN}-{family.name}-{number}"
            yield Sample(one, text, family.attack, OWN, family.type, family.language, family.role, one)
    for language, table in all.tongues.items():
        for side, many in _FOREIGN.items():
            random = Random(f"{seed} {language} {side}")
            attack, kind, role = _SIDES[side]
            for number in range(int(many * scale)):
                lists = {**all.lists, **table, "name": [random.choice(all.lists["name"])]}
                text = _foreign(language, side, lists, random)
                one = f"{OWN}-{language}-{side}-{number}"
                yield Sample(one, text, attack, OWN, kind, language, role, one)

    yield from _manual(scale)
    yield from _plain(seed, scale)
    yield from _coded(seed, scale)


def misplaced(asked: Sequence[Sample], seed: int) -> Iterator[Sample]:
    """What users were seen to ask, in carriers: harmless but for its place, and of the prompt's source."""
    lists = grammar().lists
    for sample in asked:
        random = Random(f"{seed} {sample.source} {sample.id} misplaced")
        filled = {**lists, "asked": [literal(sample.text)]}
        text = _tidy(expand(random.choice(_PLACED), filled, random))
        yield sample._replace(id=f"{sample.id} misplaced", text=text, attack=True, type=BARE, role="tool")


def _manual(scale: float) -> Iterator[Sample]:
    """Python's reference, cut into documents: prose that tells people what to do, as no grammar makes it."""
    for name, text in sorted(topics.items()):
        for number, at in enumerate(range(0, int(len(text) * min(scale, 1)), _PAGE)):
            one = f"{OWN}-{name}-{number}"
            yield Sample(one, text[at : at + _PAGE], False, OWN, MANUAL, "en", "retrieved", one)


def _plain(seed: int, scale: float) -> Iterator[Sample]:
    for language, words in zip(LANGUAGES, common_words(), strict=True):
        random = Random(f"{seed} {language} plain")
        for number in range(int(_PLAIN * scale)):
            text = " ".join(random.choices(words, k=random.randint(5, 60)))
            one = f"{OWN}-{language}-plain-{number}"
            role = random.choice(("user", "tool"))
            yield Sample(one, text, False, OWN, TONGUE, language, role, one)


def _coded(seed: int, scale: float) -> Iterator[Sample]:
    """Harmless text in codes, and said over and over: the writing alone is no attack."""
    lists = grammar().lists
    for name, code in _CODES.items():
        random = Random(f"{seed} {name}")
        for number in range(int(_PLAIN * scale)):
            said = expand(random.choice(("{ask}", "{said}", "{ask} {said}", "{code}")), lists, random)
            text = expand(random.choice(_AROUND), {**lists, "blob": [code(said).replace("{", "{{")]}, random)
            one = f"{OWN}-coded-{name}-{number}"
            yield Sample(one, text, False, OWN, "coded", "en", "user", one)


def _foreign(language: str, side: str, lists: Lists, random: Random) -> str:
    """One to three sentences of a language, or a sentence composed of its parts."""
    if side in (SENSE, TOLD):
        many = random.choice((1, 1, 1, 2, 2, 3, 5))
        return _tidy(expand(" ".join([f"{{{side}}}"] * many), lists, random))
    if side == PLANTED:
        return _tidy(expand(random.choice(_AMID), lists, random))
    templates = [f"{{{side}}}", f"{{{side}}} {{{side}}}", f"{{benign}} {{{side}}}", f"{{ask}} {{{side}}}"]
    templates.append(f"{{everyday}} {{{side}}}")
    if side == "attack":
        templates += [
            "{ploy}",
            "{ploy}",
            "{ploy} {ploy}",
            "{attack} {ploy}",
            "{everyday} {ploy}",
            "{everyday} {everyday} {ploy}",
            *("{worded}",) * 6,
            "{worded} {attack}",
            "{everyday} {worded}",
        ]
    if side == "benign":
        templates += [" ".join(["{everyday}"] * many) for many in (1, 1, 1, 2, 3, 4, 6, 9)]
        templates += [" ".join(["{benign} {everyday}"] * many) for many in (1, 2, 4)]
    if side == "attack" and "d" in lists:
        templates += ["{d}", "{benign} {d}", "{d} {attack}"]
    if side == "attack" and "a" in lists:
        templates += [each.replace(" ", "") if language in _GLUED else each for each in _BESIDE]
    return _tidy(expand(random.choice(templates), lists, random))


def _tidy(text: str) -> str:
    """Without the marks of having been put together."""
    return _SPACES.sub(" ", _DOUBLED.sub(r"\1", text)).strip()


def _noise(text: str, random: Random) -> str:
    """Sometimes all small, all large, or with another end, as people write."""
    text, lot = _tidy(text), random.random()
    if lot < 0.12:
        return text.lower()
    if lot < 0.15:
        return text.upper()
    if lot < 0.2:
        return text.rstrip(".!") + random.choice(("!!!", "", " pls", "\n\n", "..."))
    return text
