"""All that is known of one text, before it matters who said it."""

from __future__ import annotations

from typing import NamedTuple

from tocsin.model import Link
from tocsin.reading.hashed import Hashes
from tocsin.reading.rules import Reading


class Facts(NamedTuple):
    """What is known of a text whoever says it."""

    digest: str
    reading: Reading
    model: float  # the learned score, said to a model
    data: float  # the same, where data belongs
    findings: tuple[tuple[str, int], ...]
    links: tuple[Link, ...]
    length: int
    entropy: float
    repetition: float
    script: str
    language: str
    simhash: int
    shingles: tuple[int, ...]
    canaries: tuple[str, ...]
    runs: Hashes
    sketched: bool = True  # whether shingles and runs are known
