"""Signals of texts made by hand, and what a detector says of them."""

from __future__ import annotations

from typing import Any

from detectors.texts import weigh
from tocsin.contracts import Detector
from tocsin.model import Event, Finding, Message, Role, RuleHit, Signals, TextSignal

START = 1_750_000_000.0


def hit(family: str, weight: float = 0.7, *decodings: str, rule: str = "", view: str = "raw") -> RuleHit:
    return RuleHit(rule or f"rule-{family.lower()}", family, weight, view, decodings)


def said(*rules: RuleHit, score: float | None = None, **values: Any) -> TextSignal:
    """A message by the user, or whatever else `values` make of it; the score is that of its rules."""
    usual: dict[str, Any] = {"place": "input", "index": 0, "role": "user", "length": 100}
    return TextSignal(
        rules=rules, score=round(weigh(rules), 6) if score is None else score, **{**usual, **values}
    )


def signals(*texts: TextSignal, refusal: bool = False) -> Signals:
    highest = max((text.score for text in texts if text.place != "output"), default=0.0)
    return Signals(texts=texts, score=highest, refusal=refusal)


def call(role: Role = "user", **values: Any) -> Event:
    """A model call with one message."""
    usual: dict[str, Any] = {"id": "e1", "arrival": START, "user": "ana", "session": "s1"}
    return Event(**{**usual, "input": (Message(role),), **values})


def told(detector: Detector[Any], *texts: TextSignal, refusal: bool = False, **values: Any) -> Finding | None:
    """What a detector that knows nothing yet says of one call with these texts."""
    return detector.observe(call(**values), signals(*texts, refusal=refusal), detector.start())
