"""Sentences that attack or only sound like it, and texts made of the examples of rules."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from tocsin.reading.pack import Ready
from tocsin.reading.training.grammar import expand, grammar

TEXTS = Path(__file__).parents[1] / "reading" / "texts"


def lines(name: str) -> list[str]:
    """A file of sentences that the model has not learnt."""
    return (TEXTS / name).read_text(encoding="utf-8").splitlines()


def clear() -> list[str]:
    """Sentences that only sound like attacks, of which the model learns some."""
    return _mixed(lines("clear.txt"), "calm")


def attacks() -> list[str]:
    """Short attacks, likewise; those in English stand first."""
    return _mixed(lines("attacks.txt"), "terse")


def strewn(
    ready: Sequence[Ready], bits: Sequence[bytes], seed: int, *, count: int, joined: int
) -> list[bytes]:
    """Examples of rules, so many joined in each, and strewn with bits of noise."""
    random_ = random.Random(seed)
    some = [text.lower().encode("utf-8", "replace") for each in ready for text in each.rule.positive]
    made = []
    for _ in range(count):
        data = bytearray(b" ".join(random_.sample(some, joined)))
        for _ in range(random_.randrange(6)):
            at = random_.randrange(len(data))
            data[at:at] = random_.choice(bits)
        made.append(bytes(data) + b"\n")
    return made


def _mixed(unknown: Sequence[str], learnt: str) -> list[str]:
    known = [expand(each, {}, random.Random(0)) for each in grammar().lists[learnt]]
    return [each for pair in zip_longest(unknown, known) for each in pair if each is not None]
