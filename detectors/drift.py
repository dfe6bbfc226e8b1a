"""A model's answers, requests or speed changed for good: another model, prompt, client or load."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, log1p, sqrt
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from detectors.principal import model
from tocsin.adwin import adwin_class
from tocsin.contracts import About, Detector
from tocsin.model import Event, Finding, Kind, Severity, Signals

SETTLE, ENOUGH = 64, 2048  # values after a change from which on, and up to which, its size may be in doubt


class Feature(msgspec.Struct, array_like=True, gc=False):
    """One feature's adaptive window of logarithms, and the mean that was last told or learnt first."""

    window: Any  # river.drift.ADWIN
    reference: float | None = None
    changed: bool = False
    since: float = 0.0


class Features(msgspec.Struct, array_like=True, gc=False):
    """The three that are watched."""

    output_tokens: Feature
    input_tokens: Feature
    duration_ms: Feature


class Drift(Detector[Features], frozen=True, kw_only=True):
    """Watches tokens and latency per application and model with ADWIN (Bifet and Gavalda, SDM 2007).

    ADWIN says when a change is certain; a reference that moves only when a change was told says
    whether it is large, so that many small steps add up to one finding.
    """

    about: ClassVar[About] = About(
        title="Drift of tokens or latency of a model",
        detects="Output tokens, input tokens or latency of one model in one application moved to another "
        "level and stayed there, at once or in small steps: a model exchanged behind its name, a changed "
        "system prompt, context stuffed with foreign text, a new kind of client, an overloaded provider.",
        misses="Changes that leave the mean of the logarithm alone, of content or quality first of all. "
        "Changes smaller than the ratios below. Applications with fewer calls than `min_samples`. It does "
        "not tell a new model from new users: a single busy client can move the mean. Load that doubles "
        "the latency every morning is told every morning.",
        reads=("kind", "arrival", "application", "model", "response_model", "status", "input_tokens",
               "output_tokens", "duration_ms"),
        owasp=("LLM04:2026", "LLM03:2025", "LLM05:2026", "LLM04:2025"),
        atlas=("AML.T0031", "AML.T0029"),
    )  # fmt: skip
    state_type: ClassVar[type[Any]] = Features
    kinds: ClassVar[frozenset[Kind]] = frozenset({"llm"})

    delta: Annotated[float, Meta(gt=0, lt=1, description="ADWIN's risk of seeing a change in noise")] = 0.002
    min_samples: Annotated[int, Meta(ge=2 * SETTLE, description="calls until there is a reference")] = 300
    tokens_ratio: Annotated[float, Meta(gt=1, description="smaller changes of tokens are never told")] = 1.5
    latency_ratio: Annotated[float, Meta(gt=1, description="smaller changes of latency are never told")] = 2.0

    def key(self, event: Event) -> str | None:
        if event.kind != "llm" or event.status != "ok":
            return None
        return model(event)

    def start(self) -> Features:
        def feature() -> Feature:
            return Feature(adwin_class()(delta=self.delta))

        return Features(feature(), feature(), feature())

    def observe(self, event: Event, signals: Signals, state: Features) -> Finding | None:
        finding = None
        if event.output_tokens is not None and self._changed(state.output_tokens, event.output_tokens, event):
            finding = self._tell("output tokens", state.output_tokens, self.tokens_ratio, event)
        if event.input_tokens is not None and self._changed(state.input_tokens, event.input_tokens, event):
            finding = finding or self._tell("input tokens", state.input_tokens, self.tokens_ratio, event)
        if event.duration_ms is not None and self._changed(state.duration_ms, event.duration_ms, event):
            finding = finding or self._tell("latency (ms)", state.duration_ms, self.latency_ratio, event)
        return finding

    def _changed(self, feature: Feature, value: float, event: Event) -> bool:
        """Take the value in; whether a change was seen whose new level is known by now."""
        window = feature.window
        window.update(log1p(value) if value > 0 else 0.0)
        drifted = window.drift_detected
        if feature.reference is None:
            if window.width >= self.min_samples:
                feature.reference = window.estimation
            return False
        if drifted:
            if not feature.changed:
                feature.changed, feature.since = True, event.arrival
            return False
        return feature.changed and window.width >= SETTLE

    def _tell(self, name: str, feature: Feature, least: float, event: Event) -> Finding | None:
        """Compare the levels once the floor is outside the doubt; only what is told moves the reference."""
        window, before = feature.window, feature.reference or 0.0
        after = window.estimation
        change, floor = abs(after - before), log(least)
        # What river calls variance is the sum of squared deviations: these are three standard errors.
        doubt = 3.0 * sqrt(window.variance) / window.width if window.width < ENOUGH else 0.0
        if change - doubt < floor:
            feature.changed = change + doubt >= floor and doubt > 0.0
            return None
        feature.changed = False
        feature.reference = after
        old, new, ratio = exp(before) - 1.0, exp(after) - 1.0, exp(change)
        return Finding(
            severity=Severity.medium if ratio >= 2 * least else Severity.low,
            summary=f"{name} of this model went from {old:.0f} to {new:.0f} (geometric means), "
            f"by a factor of {ratio:.1f}",
            value=round(new, 3),
            baseline=round(old, 3),
            window_seconds=round(event.arrival - feature.since, 3),
            since=feature.since,
            evidence={"feature": name, "ratio": round(ratio, 3), "samples": int(feature.window.width)},
        )

    @classmethod
    def examples(cls) -> Sequence[Drift]:
        return (cls(), cls(min_samples=128, tokens_ratio=1.1, latency_ratio=1.1, delta=0.05))
