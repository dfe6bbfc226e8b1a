"""A prompt is unlike everything that this application is usually asked."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, log1p
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from detectors.principal import application
from detectors.stats import learn
from detectors.texts import READS, evidence, where
from tocsin.contracts import About, Detector
from tocsin.model import Event, Finding, Severity, Signals, TextSignal

TOPICS = 48  # prompts that stand for the others
LANGUAGES = 32  # languages and scripts that are counted
COUNTED = 4096.0  # prompts after which counts are halved
LEAST = 16  # characters; shorter prompts are alike everywhere
MOST = 4.5  # nats that a single figure counts for: three deviations
STEADY = (0.3, 0.1, 0.02, 2.0, 0.5)  # least deviations of length, entropy, repetition, topic and surprise
ORDINARY, SLOW = 1 / 500, 1 / 2000  # share of a prompt in the baseline; of one that stands out


class Running(msgspec.Struct, array_like=True, gc=False):
    """Mean and mean absolute deviation of a figure."""

    mean: float = 0.0
    spread: float = 1.0


class Prompts(msgspec.Struct, array_like=True, gc=False):
    """What an application is usually asked: shape, languages, a few prompts, and how unusual they are."""

    seen: int = 0
    figures: tuple[Running, Running, Running, Running] = msgspec.field(
        default_factory=lambda: (Running(), Running(), Running(), Running(spread=4.0))
    )
    languages: dict[str, float] = {}
    topics: dict[int, float] = {}  # simhash -> how many prompts it stands for
    unusual: Running = msgspec.field(default_factory=Running)


class NovelPrompt(Detector[Prompts], frozen=True, kw_only=True):
    """Adds up how surprising length, entropy, repetition, language and topic are, against running baselines.

    Figures count as in a Gaussian with robust mean and deviation (a diagonal Mahalanobis distance), the
    language by its share, the topic by the distance of its simhash to the nearest of a few kept prompts.
    """

    about: ClassVar[About] = About(
        title="Prompt unlike those of this application",
        detects="A message by the user that is unlike what the application is usually asked in length, "
        "entropy, repetition, language and words taken together: a new kind of use, or of attack.",
        misses="Attacks that look like the application's prompts. Everything in the first `warmup_prompts` "
        "prompts, and most in applications that are asked all kinds of things. It does not tell new from "
        "bad.",
        reads=READS,
        owasp=("LLM01:2026", "LLM01:2025"),
        atlas=("AML.T0065", "AML.T0051"),
        maturity="incubating",
    )
    state_type: ClassVar[type[Any]] = Prompts

    warmup_prompts: Annotated[int, Meta(ge=10, description="prompts until an application is known")] = 500
    reach: Annotated[
        float, Meta(ge=1, description="deviations above the usual from which on a prompt is told")
    ] = 6.0
    floor: Annotated[float, Meta(ge=0, description="nats of surprise below which none is told")] = 9.0

    def key(self, event: Event) -> str | None:
        return application(event) if event.input else None

    def start(self) -> Prompts:
        return Prompts()

    def observe(self, event: Event, signals: Signals, state: Prompts) -> Finding | None:
        told = None
        for text in signals.texts:
            if text.role == "user" and text.place == "input" and text.length >= LEAST:
                told = self._judge(text, state) or told
        return told

    def _judge(self, text: TextSignal, state: Prompts) -> Finding | None:
        figures = (log1p(text.length), text.entropy, text.repetition, float(_distance(text.simhash, state)))
        parts = [
            min(MOST, ((value - usual.mean) / max(usual.spread, least)) ** 2 / 2)
            for value, usual, least in zip(figures, state.figures, STEADY, strict=False)
        ]
        if figures[3] < state.figures[3].mean:  # nearer than usual is nothing new
            parts[3] = 0.0
        parts.append(min(MOST, _surprise(text.language or text.script, state.languages)))
        total, usual = sum(parts), state.unusual
        known = state.seen >= self.warmup_prompts
        told = known and total >= self.floor and total > usual.mean + self.reach * usual.spread
        before = usual.mean
        self._learn(text, figures, total, known, told, state)
        return _finding(text, total, before, parts) if told else None

    def _learn(
        self,
        text: TextSignal,
        figures: Sequence[float],
        total: float,
        known: bool,
        told: bool,
        state: Prompts,
    ) -> None:
        """What is told moves the baseline at a quarter of the speed, and is no topic or language yet."""
        weight = max(SLOW if told else ORDINARY, 0.0 if known else 1.0 / (state.seen + 1))
        values, runnings = (*figures, total), (*state.figures, state.unusual)
        for value, usual, least in zip(values, runnings, STEADY, strict=True):
            usual.mean, usual.spread = learn(usual.mean, max(usual.spread, least), value, weight)
        state.seen = min(state.seen + 1, 1 << 30)
        if not told:
            _count(state.languages, *dict.fromkeys((text.script, text.language or text.script)))
            _stand(text.simhash, figures[3], state)

    @classmethod
    def examples(cls) -> Sequence[NovelPrompt]:
        return (cls(), cls(warmup_prompts=10, reach=2.0, floor=1.0))


def _distance(simhash: int, state: Prompts) -> int:
    """Bits to the nearest kept prompt."""
    return min([(simhash ^ known).bit_count() for known in state.topics], default=32)


def _surprise(language: str, counts: dict[str, float]) -> float:
    """How rare a language is, or the script of a text too short to tell it, against the commonest (nats)."""
    return log((max(counts.values(), default=0.0) + 1.0) / (counts.get(language, 0.0) + 1.0))


def _count(counts: dict[str, float], *names: str) -> None:
    for name in names:
        counts[name] = counts.pop(name, 0.0) + 1.0
        if len(counts) > LANGUAGES:
            del counts[next(iter(counts))]
        if counts[name] > COUNTED:
            for each in counts:
                counts[each] /= 2


def _stand(simhash: int, distance: float, state: Prompts) -> None:
    """A prompt counts for its nearest neighbour, or stands for itself where it is far from all.

    The least of them makes room, but every new one makes all a little less, so that what comes back stays.
    """
    topics = state.topics
    if topics and distance <= state.figures[3].mean:
        nearest = min(topics, key=lambda known: (known ^ simhash).bit_count())
        topics[nearest] += 1.0
        return
    topics[simhash] = 1.0
    if len(topics) > TOPICS:
        for known in topics:
            topics[known] *= 0.98
        del topics[min(topics, key=lambda known: topics[known])]


def _finding(text: TextSignal, total: float, usual: float, parts: Sequence[float]) -> Finding:
    names = ("length", "entropy", "repetition", "topic", "language")
    most = max(range(len(names)), key=lambda at: parts[at])
    return Finding(
        severity=Severity.low,
        summary=f"{where(text)} is unlike those of this application, most of all in {names[most]} "
        f"(surprise {total:.1f} nats, usually {usual:.1f})",
        value=round(total, 4),
        baseline=round(usual, 4),
        evidence={
            **evidence(text),
            **{f"surprise_{n}": round(p, 3) for n, p in zip(names, parts, strict=True)},
        },
    )
