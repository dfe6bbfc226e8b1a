"""Texts as rough as suffixes that a machine searched for: suffixes of our own making, and harmless ones."""

from __future__ import annotations

import re
import string
import tomllib
from base64 import b32encode, b64encode, urlsafe_b64encode
from codecs import encode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from tocsin.reading.training import grammar

_WORD = re.compile("(?<![A-Za-z])[A-Za-z]{2,14}(?![A-Za-z])")
_MARK = re.compile(r"[!-/:-@\[-`{-~]{1,4}")
_LETTERS = string.ascii_letters + string.digits
_STARTS = ("AKIA", "ghp_", "sk-", "xoxb-", "glpat-", "AIza", "pk_live_", "npm_", "SG.", "v1.", "eyJ")
_LEET = str.maketrans("eoaist", "304157")
_STARTING = "b c d f g h j k l m n p r s t v w z ch sh kr st tr pl sz cz dz ng nj"
_VOWELS = "a e i o u y ä ö ü é á ia ei ou aa"
_ENDING = "n s r l t m k ng st rk x"


class Vocabulary(NamedTuple):
    """The words and marks of ordinary text, the commonest first."""

    words: Sequence[str]
    marks: Sequence[str]


def vocabulary(texts: Iterable[str]) -> Vocabulary:
    """Those that occur at least three times."""
    words, marks = Counter[str](), Counter[str]()
    for text in texts:
        words.update(_WORD.findall(text))
        marks.update(_MARK.findall(text))
    return Vocabulary(_common(words, 30_000), _common(marks, 600))


def _common(counts: Counter[str], most: int) -> list[str]:
    return [each for each, count in sorted(counts.items(), key=lambda x: (-x[1], x[0])) if count > 2][:most]


def suffix(random: Random, known: Vocabulary) -> str:
    """Pieces of words and marks, run together in a manner of its own, as a search by tokens leaves them."""
    blank, mark, whole = random.uniform(0.25, 0.9), random.uniform(0.03, 0.35), random.uniform(0.3, 0.95)
    large, common = random.uniform(0.03, 0.3), random.uniform(0, 0.7)
    pieces = []
    for _ in range(random.randint(10, 32)):
        if random.random() < mark:
            pieces.append(" " * (random.random() < 0.4) + random.choice(known.marks))
            continue
        word = random.choice(known.words[:3000] if random.random() < common else known.words)
        if random.random() > whole and len(word) > 3:
            cut = random.randint(2, len(word) - 1)
            word = word[:cut] if random.random() < 0.5 else word[cut - 1 :]
        if random.random() < large:
            word = word[:1].upper() + word[1:]
        pieces.append(" " * (random.random() < blank) + word)
        if random.random() < 0.03:
            pieces.append(" !" * random.randint(1, 4))
    return "".join(pieces).strip()


def rough(random: Random, known: Vocabulary, many: int) -> Iterator[str]:
    """Harmless texts that are as rough: those of rough.toml."""
    with Path(__file__).with_name("rough.toml").open("rb") as file:
        content = tomllib.load(file)
    templates = [line.replace("\\n", "\n") for line in content["texts"]["templates"].strip().split("\n")]
    words = list(known.words)
    lists: dict[str, Sequence[str]] = content["lists"] | {
        "word": [word.lower() for word in words],
        "Word": [word.title() for word in words],
        "WORD": [word.upper() for word in words],
        "common": [word.lower() for word in words[:1500]],
        "misspelt": [_misspelt(random, word.lower()) for word in words[:1500] for _ in range(3)],
        "letter": list(string.ascii_letters),
        "number": [str(random.randint(0, 10**digits)) for digits in range(1, 6) for _ in range(40)],
        "blob": [grammar.literal(_blob(random)) for _ in range(20_000)],
        "run": [grammar.literal(_run(random, words)) for _ in range(4000)],
        "turned": [grammar.literal(_turned(random, words[:1500])) for _ in range(4000)],
        "tongue": [_tongue(random) for _ in range(4000)],
    }
    for _ in range(many):
        template = random.choice(templates)
        if random.random() < 0.15:
            template += random.choice(("\n", " ", "\n\n", ": ")) + random.choice(templates)
        yield grammar.expand(template, lists, random)


def _blob(random: Random) -> str:
    """A key, a hash, a token, a code."""
    size = random.choice((8, 12, 16, 20, 24, 32, 40, 48, 64, 88, 120))
    raw = random.randbytes(size)
    ways = (
        lambda: b64encode(raw).decode(),
        lambda: urlsafe_b64encode(raw).decode().rstrip("="),
        lambda: b32encode(raw).decode(),
        raw.hex,
        lambda: raw.hex(":"),
        lambda: f"{raw[:4].hex()}-{raw[:2].hex()}-{raw[2:4].hex()}-{raw[4:6].hex()}-{raw[:6].hex()}",
        lambda: "".join(random.choices(_LETTERS + "-_", k=size)),
        lambda: "".join(random.choices(_LETTERS[26:], k=min(size, 24))),
        lambda: "".join(random.choices(string.printable[:94], k=min(size, 40))),
        lambda: ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in (raw[:27], raw, raw[:32])),
        lambda: random.choice(_STARTS) + "".join(random.choices(_LETTERS, k=size)),
    )
    return random.choice(ways)()


def _run(random: Random, words: Sequence[str]) -> str:
    """A sign, a syllable or a word over and over."""
    unit = random.choice(
        (
            random.choice(string.printable[:94]),
            random.choice("xX0*#.-_=~?"),
            random.choice(words)[:3],
            random.choice(words) + " ",
            "".join(random.choices(_LETTERS, k=random.randint(2, 5))),
        )
    )
    return unit * random.randint(12, 120)


def _misspelt(random: Random, word: str) -> str:
    at = random.randrange(len(word))
    return random.choice(
        (word, word, word[:at] + word[at + 1 :], word[: at + 1] + word[at:], word[::-1][:2] + word[2:])
    )


def _turned(random: Random, words: Sequence[str]) -> str:
    """A sentence in another order or other letters, which views undo, or as in mockery."""
    said = " ".join(random.choices(words, k=random.randint(6, 20))).capitalize() + random.choice(".?!")
    ways = (
        lambda: said[::-1],
        lambda: encode(said, "rot13"),
        lambda: " ".join(word[::-1] for word in said.split()),
        lambda: " ".join(said),
        lambda: "".join(letter.upper() if at % 2 else letter.lower() for at, letter in enumerate(said)),
        lambda: said.translate(_LEET),
    )
    return random.choice(ways)()


def _tongue(random: Random) -> str:
    """A sentence in an invented language."""
    starts = random.sample(_STARTING.split(), 12)
    vowels = random.sample(_VOWELS.split(), 6)
    lots = (starts, vowels, random.sample(("", "", "", *_ENDING.split()), 7))
    words = [
        "".join(random.choice(lot) for _ in range(random.randint(1, 4)) for lot in lots) for _ in range(40)
    ]
    text = " ".join(random.choices(words, k=random.randint(6, 24)))
    return text[:1].upper() + text[1:] + random.choice("...?!")
