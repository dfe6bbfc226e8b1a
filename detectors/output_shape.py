"""One answer that looks like no other of its model: far too long, endless, scrambled, or far too slow."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, log1p
from typing import Annotated, Any, ClassVar, NamedTuple

import msgspec
from msgspec import Meta

from detectors.principal import model
from detectors.stats import learn
from detectors.tails import Tail, beyond
from tocsin.contracts import About, Detector
from tocsin.model import Event, Finding, Kind, Severity, Signals

WEIGHT, OUTLYING = 1 / 128, 1 / 512  # of an answer in what is usual; of one that was told
LEARN = 4  # once a model is known, every fourth answer is learnt
LEAST_CHARACTERS, LEAST_TOKENS = 200, 16  # of an answer whose text, or whose speed, says anything


class Feature(NamedTuple):
    """What is measured: its words, the least spread it is believed to have, what is too little to be told,
    and how it is shown."""

    words: str
    spread: float
    least: float
    logarithm: bool


FEATURES = {
    "tokens": Feature("output tokens", 0.1, log(4), True),
    "characters": Feature("characters of output", 0.1, log(4), True),
    "ratio": Feature("output tokens for each of the input", 0.1, log(4), True),
    "slowness": Feature("milliseconds for each output token", 0.1, log(4), True),
    "repetition": Feature("share of repeated text", 0.03, 0.4, False),
    "entropy": Feature("bits a character", 0.05, 1.0, False),
}


class Usual(msgspec.Struct, array_like=True, gc=False):
    """What one feature usually is: mean, mean absolute deviation, and of how many answers."""

    mean: float = 0.0
    spread: float = 0.0
    seen: int = 0


class Shape(msgspec.Struct, array_like=True, gc=False):
    """What a model's answers look like, and how far out the outermost of their features lies."""

    usual: dict[str, Usual] = {}
    tail: Tail = msgspec.field(default_factory=Tail)


class OutputShape(Detector[Shape], frozen=True, kw_only=True):
    """Measures how far out each answer lies for its model, and tells what its tail rules out."""

    about: ClassVar[About] = About(
        title="Answer of an unusual shape",
        detects="A single answer far outside of what this model gives in this application: too long, too "
        "long for its question, repeating itself (a loop, a model that is made to recite), of an alphabet "
        "that is too rich or too poor (encoded data, garbage), or far too slow for its length.",
        misses="Answers that are unusually short, and changes of many answers at once, which are `drift`'s "
        "and `empty_answer`'s. The first `warmup_answers` of a model. Answers within a factor of four. "
        "Without content neither repetition nor alphabet is known. Models whose answers vary by orders of "
        "magnitude hide much.",
        reads=("kind", "application", "model", "response_model", "status", "input_tokens", "output_tokens",
               "duration_ms", "first_token_ms", "signals.output_length", "signals.texts"),
        owasp=("LLM06:2026", "LLM10:2025"),
        atlas=("AML.T0029", "AML.T0034.001"),
    )  # fmt: skip
    state_type: ClassVar[type[Any]] = Shape
    kinds: ClassVar[frozenset[Kind]] = frozenset({"llm"})

    risk: Annotated[
        float, Meta(gt=0, le=0.01, description="share of ordinary answers that may be told by mistake")
    ] = 1e-5
    warmup_answers: Annotated[int, Meta(ge=50, le=2000, description="answers before anything is told")] = 500

    def key(self, event: Event) -> str | None:
        if event.kind != "llm" or event.status != "ok":
            return None
        return model(event)

    def start(self) -> Shape:
        return Shape()

    def observe(self, event: Event, signals: Signals, state: Shape) -> Finding | None:
        worst, score, value, half = "", -1.0, 0.0, self.warmup_answers // 2
        measured = _measured(event, signals)
        for name, now in measured:
            known = state.usual.get(name)
            if known is not None and known.seen >= half:
                away = (now - known.mean) / known.spread
                if name == "entropy":
                    away = abs(away)
                if away > score:
                    worst, score, value = name, away, now
        if not worst:
            self._learn(measured, False, state)
            return None
        far = abs(value - state.usual[worst].mean) >= FEATURES[worst].least
        told = beyond(state.tail, score, half, self.risk) and far
        finding = _finding(worst, value, state.usual[worst].mean, score, state.tail) if told else None
        if told or state.tail.seen % LEARN == 0 or state.tail.seen < half:
            self._learn(measured, told, state)
        return finding

    def _learn(self, measured: Sequence[tuple[str, float]], told: bool, state: Shape) -> None:
        """Move what is usual, little where it was told."""
        for name, now in measured:
            least = FEATURES[name].spread
            known = state.usual.get(name)
            if known is None:
                known = state.usual[name] = Usual(now, 4 * least)
            weight = OUTLYING if told else max(WEIGHT, 1 / (known.seen + 1))
            known.mean, spread = learn(known.mean, known.spread, now, weight)
            known.spread = max(spread, least)
            known.seen = min(known.seen + 1, self.warmup_answers)

    @classmethod
    def examples(cls) -> Sequence[OutputShape]:
        return (cls(), cls(risk=0.01, warmup_answers=50))


def _measured(event: Event, signals: Signals) -> list[tuple[str, float]]:
    """Every feature of which something is known."""
    tokens, measured = event.output_tokens, list[tuple[str, float]]()
    if tokens:
        measured.append(("tokens", log1p(tokens)))
        if event.input_tokens:
            measured.append(("ratio", log(tokens / event.input_tokens)))
        if event.duration_ms and tokens >= LEAST_TOKENS:
            writing = event.duration_ms - (event.first_token_ms or 0.0)
            measured.append(("slowness", log(max(writing, 1e-3) / tokens)))
    elif signals.output_length:
        measured.append(("characters", log1p(signals.output_length)))
    for text in signals.texts:
        if text.place == "output" and text.length >= LEAST_CHARACTERS:
            measured += ("repetition", text.repetition), ("entropy", text.entropy)
            break
    return measured


def _finding(name: str, value: float, usual: float, score: float, tail: Tail) -> Finding:
    feature = FEATURES[name]
    if feature.logarithm:
        value, usual = exp(value), exp(usual)
    return Finding(
        severity=Severity.medium if score > 2 * tail.limit or name == "repetition" else Severity.low,
        summary=f"an answer has {_shown(value)} {feature.words}; usual for this model are {_shown(usual)}",
        value=round(value, 4),
        baseline=round(usual, 4),
        evidence={"feature": name, "spreads": round(score, 2), "limit": round(tail.limit, 2)},
    )


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
