"""Attacks are seen through every encoding, and harmless text in an encoding is left alone."""

from __future__ import annotations

import base64
import codecs
import urllib.parse
from collections.abc import Callable
from functools import cache
from unicodedata import normalize

import pytest
from parts import phrases

from tocsin.model import Role
from tocsin.reading.rules import FLAGGED, Rules

ENOUGH = 0.9
HARMLESS = """
What time does the pharmacy on Main Street close tonight?
Please write a short poem about the sea for my daughter.
Can you set an alarm for seven tomorrow morning?
The quarterly report shows that sales grew by four percent.
Translate the following sentence into French: the cat sleeps on the chair.
Send a message to Anna that I will be late for dinner.
The meeting has moved to Thursday at three, room 204.
Give me three ideas for a birthday present for my father.
Read the instructions on the box and set the timer.
What are the rules for carry-on luggage on short flights?
Show me the answer to the last question of the quiz.
Tell me a joke about penguins.
Turn off the lights in the living room.
I would like to return the shoes that I bought last week.
Explain how photosynthesis works to a child of eight.
""".strip().splitlines()
CODES = """
.- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --..
----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----.
"""
MORSE = dict(zip("abcdefghijklmnopqrstuvwxyz0123456789", CODES.split(), strict=True))


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def swapped(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.translate(str.maketrans(old, new))


def moved(by: int) -> Callable[[str], str]:
    return lambda text: "".join(chr(ord(each) + by) if "!" <= each <= "~" else each for each in text)


def morse(text: str) -> str:
    words = text.lower().split()
    return " / ".join(" ".join(MORSE[each] for each in word if each in MORSE) for word in words)


ENCODINGS: dict[str, Callable[[str], str]] = {
    "base64": b64,
    "base64 beside other words": lambda text: f"Hello there. {b64(text)} Thanks and regards",
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "hex in pairs": lambda text: text.encode().hex(" "),
    "url": lambda text: "".join(f"%{each:02X}" for each in text.encode()),
    "entities": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "unicode escapes": lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
    "hex escapes": lambda text: "".join(f"\\x{each:02x}" for each in text.encode()),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "reversed": lambda text: text[::-1],
    "words reversed": lambda text: " ".join(word[::-1] for word in text.split()),
    "leetspeak": swapped("aeiostAEIOST", "431057431057"),
    "light leetspeak": swapped("eoEO", "3030"),
    "leetspeak with signs": swapped("aisoeAISOE", "@!$03@!$03"),
    "letters apart": " ".join,
    "dots between letters": lambda text: " ".join(".".join(word) for word in text.split()),
    "zero width": "\u200b".join,
    "look-alikes": swapped("aeopcyx", "\u0430\u0435\u043e\u0440\u0441\u0443\u0445"),
    "fullwidth": moved(0xFEE0),
    "combining": lambda text: "".join(f"{each}\u0336" for each in text),
    "accents": lambda text: normalize("NFC", "".join(f"{each}\u0301" for each in text)),
    "marks in heaps": lambda text: "".join(f"{each}\u0300\u0489\u0316\u0334" for each in text),
    "morse": morse,
    "binary": lambda text: " ".join(f"{each:08b}" for each in text.encode()),
    "codes": lambda text: " ".join(map(str, text.encode())),
    "base64 twice": lambda text: b64(b64(text)),
    "letters apart, word by word": lambda text: "  ".join(" ".join(word) for word in text.split()),
    "letters apart beside other words": lambda text: f"Hello there: {' '.join(text)} and so on",
    "rot13 beside other words": lambda text: (
        f"Hello, this is for you: {codecs.encode(text, 'rot13')} Thanks, Anna"
    ),
    "rot13 in capitals": lambda text: codecs.encode(text, "rot13").upper(),
    "rot13 in lines": lambda text: codecs.encode(text, "rot13").replace(" ", "\n", 3),
    "reversed beside other words": lambda text: f"Hello, this is for you: {text[::-1]} Thanks, Anna",
    "reversed in lines": lambda text: "\n".join(line[::-1] for line in (text, "Regards", "Anna")),
    "reversed in base64": lambda text: b64(text[::-1]),
    "reversed rot13": lambda text: codecs.encode(text[::-1], "rot13"),
    "letters of rot13 apart": lambda text: " ".join(codecs.encode(text, "rot13")),
    "letters apart in hex": lambda text: " ".join(text).encode().hex(),
    "rot13 in base64": lambda text: b64(codecs.encode(text, "rot13")),
    "base64 in hex": lambda text: b64(text).encode().hex(),
    "hex in url": lambda text: urllib.parse.quote(text.encode().hex(" ")),
}


@cache
def rules() -> Rules:
    return Rules.load()


def share(texts: list[str]) -> float:
    roles: list[Role | None] = ["user"] * len(texts)
    return sum(each.score >= FLAGGED for each in rules().read(texts, roles)) / len(texts)


@cache
def attacks() -> list[str]:
    """Those in English, which stand first, but for tokens, whose signs some encodings cannot write."""
    return [each for each in phrases.attacks() if each.isascii() and "|>" not in each][:45]


@pytest.mark.parametrize("name", ENCODINGS)
def test_attacks_are_seen_through_an_encoding(name: str) -> None:
    assert share([ENCODINGS[name](each) for each in attacks()]) >= ENOUGH


@pytest.mark.parametrize("name", ENCODINGS)
def test_harmless_text_in_an_encoding_is_left_alone(name: str) -> None:
    assert share([ENCODINGS[name](each) for each in HARMLESS]) == 0


@pytest.mark.parametrize("name", ["tags", "selectors"])
def test_text_that_nobody_can_see_counts_whatever_it_says(name: str) -> None:
    base = {"tags": 0xE0000, "selectors": 0xE0100 - 16}[name]
    assert share(["Hi" + "".join(chr(base + ord(each)) for each in text) for text in HARMLESS]) == 1
