"""What was never met before: small memories of things, and when a new one means something."""

from __future__ import annotations

from hashlib import blake2b

import msgspec


class Met(msgspec.Struct, array_like=True, gc=False):
    """How often a thing was met, and when first."""

    times: int = 0
    first: float = 0.0


class Known(msgspec.Struct, array_like=True, gc=False):
    """Things met in the answers of one key, the least recently met first."""

    answers: int = 0
    since: float = 0.0  # arrival of the first answer
    once: int = 0  # things met in one answer only
    things: dict[bytes, Met] = {}


def begin(known: Known, at: float) -> None:
    """Another answer is looked at."""
    if not known.answers:
        known.since = at
    known.answers += 1


def meet(known: Known, thing: bytes, at: float, most: int) -> Met:
    """How it was met before, as a copy; it is remembered as met once more. Call once an answer."""
    met = known.things.pop(thing, None) or Met(0, at)
    before = Met(met.times, met.first)
    met.times += 1
    known.once += 1 if met.times == 1 else -1 if met.times == 2 else 0
    known.things[thing] = met
    if len(known.things) > most:
        known.once -= known.things.pop(next(iter(known.things))).times == 1
    return before


def chance(known: Known) -> float:
    """Of how many new things the next answer is expected to hold: those met once, an answer.

    Good's and Turing's estimate (Good, Biometrika 1953), for answers that hold several things each
    (Chao and Colwell, Ecology 2017: incidence data).
    """
    return known.once / known.answers if known.answers else 1.0


def settled(known: Known, at: float, answers: int, seconds: float, novelty: float) -> bool:
    """Whether enough was seen, for long enough, and new things are rare enough for one to mean something."""
    enough = known.answers >= answers and at - known.since >= seconds
    return enough and chance(known) <= novelty


def digest(*names: str) -> bytes:
    """A name as it is remembered."""
    return blake2b("\0".join(names).encode("utf-8", "replace"), digest_size=8).digest()


def printable(name: str) -> str:
    """A name as far as it looks like one: somebody outside may have chosen it."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-.:/") else "?" for c in name[:64])
