"""A text repeats an attack that is known: by its fingerprint, by its turns of phrase, or by how it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from detectors.fingerprints import ATTACKS
from detectors.texts import (
    READS,
    Nothing,
    PromptDetector,
    TextDetector,
    evidence,
    heaviest,
    score,
    teller,
    where,
)
from tocsin.contracts import About
from tocsin.model import Event, Finding, Severity, Signals, TextSignal

BITS = 64
Fingerprint = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]


class KnownAttack(PromptDetector, frozen=True, kw_only=True, dict=True):
    """Compares fingerprints with those of known and of confirmed attacks, and tells what no one else does.

    The fingerprint is a simhash (Charikar, STOC 2002) over pairs of words. Rules of A10, rules of families
    of one's own, and texts that only the learned scorer takes for attacks are told here.
    """

    about: ClassVar[About] = About(
        title="Near copy of a known attack, or a text that reads like one",
        detects="A message, result or document that differs in a few words from an attack that is known or "
        "that an analyst of this installation confirmed; messages by the user with the turns of phrase of "
        "shared attacks, or that match rules of one's own; and such as no rule knows but the learned scorer "
        "takes for an attack.",
        misses="Rewritten and translated copies, copies inside longer texts, and texts shorter than "
        "`least_characters`. The corpus that ships is small and written by us: what an installation "
        "confirms is worth more.",
        reads=READS,
        owasp=("LLM01:2026", "LLM01:2025", "ASI01:2026"),
        atlas=("AML.T0051", "AML.T0065", "AML.T0054"),
    )
    name: ClassVar[str] = "known_attack"
    says: ClassVar[str] = "repeats a known attack"

    confirmed: Annotated[
        tuple[Fingerprint, ...],
        Meta(
            max_length=10_000,
            description="fingerprints of confirmed attacks, as alerts show them",
        ),
    ] = ()
    distance: Annotated[int, Meta(ge=0, le=15, description="bits of 64 in which a near copy may differ")] = 10
    least_characters: Annotated[int, Meta(ge=1, description="shorter texts have no neighbours")] = 80
    alone: Annotated[
        float,
        Meta(gt=0, le=1, description="score from which on a text is told that no rule knows, only the model"),
    ] = 0.9

    @cached_property
    def _near(self) -> Neighbours:
        confirmed = {int(each, 16): f"confirmed {each}" for each in self.confirmed}
        return Neighbours({**ATTACKS, **confirmed}, self.distance)

    def observe(self, event: Event, signals: Signals, state: Nothing) -> Finding | None:
        if not signals.texts:
            return None
        told = TextDetector.observe(self, event, signals, state)
        for text in signals.texts if told is None else ():
            if text.length >= self.least_characters and self._untold(text):
                near = self._near.nearest(text.simhash)
                if near:
                    return _copy(text, *near)
        return told

    def owns(self, text: TextSignal) -> bool:
        """Whether a text is told here; the learned scorer by itself has to be surer than beside a rule."""
        return super().owns(text) and (heaviest(text) is not None or score(text) >= self.alone)

    def _untold(self, text: TextSignal) -> bool:
        """Whether a text is somebody's prompt or data, and no other detector tells it."""
        by = teller(text)
        return (
            by is not None and text.place != "arguments" and (by == self.name or score(text) < self.threshold)
        )

    def tell(self, own: Sequence[TextSignal], event: Event, signals: Signals, state: Nothing) -> Finding:
        worst = max(own, key=score)
        near = self._near.nearest(worst.simhash) if worst.length >= self.least_characters else None
        if near:
            return _copy(worst, *near)
        told = super().tell(own, event, signals, state)
        if heaviest(worst):
            return told
        summary = f"{where(worst)} reads like an attack that no rule knows (score {score(worst):.2f})"
        return msgspec.structs.replace(told, summary=summary)

    @classmethod
    def examples(cls) -> Sequence[KnownAttack]:
        return (
            cls(),
            cls(threshold=0.8, alone=0.5, confirmed=("0123456789abcdef",)),
            cls(distance=0, least_characters=1),
        )


class Neighbours:
    """Named fingerprints in pieces: two that differ in `distance` bits share one of `distance` + 1."""

    def __init__(self, names: Mapping[int, str], distance: int) -> None:
        self._names = names
        self._distance = distance
        edges = [BITS * number // (distance + 1) for number in range(distance + 2)]
        self._pieces = [(low, (1 << high - low) - 1) for low, high in zip(edges, edges[1:], strict=False)]
        self._shelves: list[dict[int, list[int]]] = [{} for _ in self._pieces]
        for simhash in names:
            for shelf, piece in zip(self._shelves, self._cut(simhash), strict=True):
                shelf.setdefault(piece, []).append(simhash)

    def nearest(self, simhash: int) -> tuple[str, int] | None:
        """The name and distance of the nearest within reach; of equals the first known."""
        best, least = None, self._distance + 1
        for shelf, piece in zip(self._shelves, self._cut(simhash), strict=True):
            for known in shelf.get(piece, ()):
                apart = (known ^ simhash).bit_count()
                if apart < least:
                    best, least = self._names[known], apart
        return (best, least) if best else None

    def _cut(self, simhash: int) -> Iterable[int]:
        return [simhash >> low & mask for low, mask in self._pieces]


def _copy(text: TextSignal, name: str, apart: int) -> Finding:
    confirmed = name.startswith("confirmed ")
    return Finding(
        severity=Severity.high if confirmed else Severity.medium,
        summary=f"{where(text)} is a near copy of a known attack ({name}; {apart} of {BITS} bits differ)",
        value=float(apart),
        evidence={**evidence(text), "neighbour": name, "distance": apart},
    )
