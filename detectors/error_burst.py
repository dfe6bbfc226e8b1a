"""A conversation in which suddenly much fails, is refused or is blocked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from detectors.principal import conversation
from detectors.stats import binomial_score, fade
from tocsin.contracts import About, Detector
from tocsin.model import Event, Finding, Severity, Signals

REFUSALS = frozenset({"refusal", "content_filter"})
PRIOR_CALLS, PRIOR_FAILURES = 20.0, 1.0  # what is believed of a conversation without a history
STEADY = 20  # failures in one window that are told however usual they became


class Outcomes(msgspec.Struct, array_like=True, gc=False):
    """Two windows of outcomes, from which the sliding one is estimated, and the history before them."""

    window: int = -1
    calls: int = 0
    errors: int = 0
    refusals: int = 0
    calls_before: int = 0
    errors_before: int = 0
    refusals_before: int = 0
    told: int = 0  # failures in the sliding window when it was last told
    usual_calls: float = PRIOR_CALLS  # fading sums over everything older
    usual_failures: float = PRIOR_FAILURES


class ErrorBurst(Detector[Outcomes], frozen=True, kw_only=True):
    """Counts failures per session in a sliding window, against a share and against its own history."""

    about: ClassVar[About] = About(
        title="Burst of errors, refusals or blocked calls in a session",
        detects="A session in which, within minutes, most model or tool calls fail, are refused by the model "
        "or blocked by a guardrail, and more than this session's history explains: somebody feeling for the "
        "limits, an agent stuck on a denied tool, a provider or tool that broke.",
        misses="Fewer failures than `failures` in a window. Failures spread over many short sessions. "
        "Refusals that nobody marked: without a finish reason or the text, a polite refusal looks like an "
        "answer. It does not tell an attack from an outage: many sessions at once are an outage.",
        reads=("arrival", "session", "status", "finish_reason", "signals.refusal"),
        owasp=("LLM01:2026", "LLM01:2025", "LLM06:2026", "LLM10:2025", "ASI08:2026"),
        atlas=("AML.T0054", "AML.T0029"),
    )
    state_type: ClassVar[type[Any]] = Outcomes

    window_seconds: Annotated[float, Meta(ge=10, description="length of the sliding window")] = 300.0
    failures: Annotated[int, Meta(ge=2, description="fewer failures in a window are never told")] = 6
    share: Annotated[float, Meta(gt=0, le=1, description="share of failed calls that is too high")] = 0.5
    surprise: Annotated[
        float, Meta(ge=0, description="standard deviations above the session's own share of failures")
    ] = 4.0
    half_life_seconds: Annotated[float, Meta(gt=0, description="how fast a session's history fades")] = (
        86_400.0
    )

    def key(self, event: Event) -> str | None:
        return conversation(event)

    def start(self) -> Outcomes:
        return Outcomes()

    def observe(self, event: Event, signals: Signals, state: Outcomes) -> Finding | None:
        window = int(event.arrival / self.window_seconds)
        if window > state.window:
            self._turn(window, state)
        state.calls += 1
        if signals.refusal or event.status in ("refused", "blocked") or event.finish_reason in REFUSALS:
            state.refusals += 1
        elif event.status == "error" or event.finish_reason == "error":
            state.errors += 1
        else:
            return None
        return self._judge(event.arrival, state)

    def _turn(self, window: int, state: Outcomes) -> None:
        """Move the windows on; what falls out becomes history, a bad window at no more than `share`."""
        passed = window - state.window
        calls, failed = state.calls_before, state.errors_before + state.refusals_before
        if passed > 1:
            calls, failed = calls + state.calls, failed + state.errors + state.refusals
        faded = fade(min(passed, 10_000) * self.window_seconds, self.half_life_seconds)
        state.usual_calls = max(PRIOR_CALLS, state.usual_calls * faded + calls)
        believed = min(failed, self.share * calls)
        state.usual_failures = max(PRIOR_FAILURES, state.usual_failures * faded + believed)
        near = passed == 1
        state.calls_before = state.calls if near else 0
        state.errors_before = state.errors if near else 0
        state.refusals_before = state.refusals if near else 0
        state.told = state.told if near else 0
        state.window = window
        state.calls = state.errors = state.refusals = 0

    def _judge(self, arrival: float, state: Outcomes) -> Finding | None:
        rest = 1.0 - (arrival / self.window_seconds - state.window)
        errors = state.errors + int(rest * state.errors_before)
        refusals = state.refusals + int(rest * state.refusals_before)
        calls, failed = state.calls + int(rest * state.calls_before), errors + refusals
        state.told = state.told if failed > state.told // 4 else 0
        if failed < self.failures or failed < 2 * state.told or failed < self.share * calls:
            return None
        usual = state.usual_failures / state.usual_calls
        if failed < STEADY and binomial_score(failed, calls, usual) < self.surprise:
            return None
        state.told = failed
        return Finding(
            severity=Severity.high if refusals >= 2 * self.failures else Severity.medium,
            summary=f"{failed} of {calls} calls failed within {self.window_seconds / 60:.0f} minutes "
            f"({refusals} refused or blocked); usually {usual:.0%} do in this session",
            value=failed / calls,
            baseline=round(usual, 4),
            window_seconds=self.window_seconds,
            since=max(0.0, arrival - self.window_seconds),
            evidence={"failures": failed, "calls": calls, "refusals": refusals, "errors": errors},
        )

    @classmethod
    def examples(cls) -> Sequence[ErrorBurst]:
        return (cls(), cls(window_seconds=60.0, failures=2, share=0.2, surprise=0.0), cls(share=1.0))
