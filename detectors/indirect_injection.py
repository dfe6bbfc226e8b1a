"""What a tool or a document says speaks to the model instead of telling it something."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import log
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from detectors.principal import application, printable
from detectors.stats import learn
from detectors.texts import (
    READS,
    TextDetector,
    evidence,
    finding,
    foreign,
    reasons,
    score,
    seen,
    stopped,
    where,
)
from tocsin.contracts import About
from tocsin.model import Event, Finding, Severity, Signals, TextSignal

TOOLS, TEXTS, SESSIONS = 256, 64, 64  # remembered
ORDINARY, SLOW = 1 / 60, 1 / 240  # share of a result in its tool's baseline; of one that stands out
STEADY = 0.25  # a spread is at least this
LEAST = -0.85  # log odds (a score of 0.3) below which a text is data, however unusual
HABIT = 0.2  # share of results at the threshold from which on they are usual for their tool


class Usual(msgspec.Struct, array_like=True, gc=False):
    """How much the results of one tool read like instructions, in log odds."""

    mean: float
    spread: float = 1.0
    seen: int = 0
    flagged: float = 0.0  # share of results at the threshold


class Read(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An injected text that a session has read, until a tool call follows."""

    at: float
    event: str
    tool: bytes
    severity: int
    seen: str


class Reading(msgspec.Struct, array_like=True, gc=False):
    """What an application's tools usually return, and what was told of late; the last used last."""

    tools: dict[bytes, Usual] = {}
    told: dict[bytes, int] = {}
    sessions: dict[bytes, Read] = {}


class IndirectInjection(TextDetector[Reading], frozen=True, kw_only=True):
    """Judges what tools, documents and tool descriptions say: by its score, and against their own tool.

    The baseline is a mean and mean absolute deviation that no single result moves far, of how much a result
    reads like an instruction.
    """

    about: ClassVar[About] = About(
        title="Instructions in the result of a tool, a document or a tool description",
        detects="A result, a retrieved document, memory or a tool description that gives the model orders, "
        "by any rule, by hiding or by how it reads; and a result that reads far more like an instruction "
        "than what the same tool usually returns. Worse when the session then calls another tool.",
        misses="Instructions that read like the data around them. Results of tools that return instructions "
        "all the time, such as mail or web pages, unless a rule or the learned scorer sees them. Text that "
        "an application puts into the user's message and that no rule of A9 knows.",
        reads=(*READS, "kind", "id", "arrival", "trace_id", "tool_name", "tool_server", "tool_result",
               "tool_decision", "tool_definitions", "documents"),
        owasp=("LLM01:2026", "LLM01:2025", "ASI01:2026", "ASI06:2026", "MCP06:2025", "MCP03:2025"),
        atlas=("AML.T0051.001", "AML.T0070", "AML.T0080", "AML.T0110.000"),
    )  # fmt: skip
    state_type: ClassVar[type[Any]] = Reading
    name: ClassVar[str] = "indirect_injection"
    says: ClassVar[str] = "gives the model orders"

    warmup_results: Annotated[int, Meta(ge=2, description="results of a tool until it has a baseline")] = 30
    reach: Annotated[
        float, Meta(ge=1, description="deviations above its tool's mean from which on a result stands out")
    ] = 4.0
    follow_seconds: Annotated[
        float, Meta(ge=0, description="how long after an injected text a tool call makes it worse")
    ] = 300.0

    def key(self, event: Event) -> str | None:
        return application(event)

    def start(self) -> Reading:
        return Reading()

    def observe(self, event: Event, signals: Signals, state: Reading) -> Finding | None:
        told = self._followed(event, signals, state) if event.kind == "tool" and state.sessions else None
        for text in signals.texts:
            if foreign(text) or text.score >= self.threshold:
                found = self._judge(text, event, signals, state)
                if found and (told is None or found.severity > told.severity):
                    told = found
        return told

    def _judge(self, text: TextSignal, event: Event, signals: Signals, state: Reading) -> Finding | None:
        """Take a text into its tool's baseline, and tell it if it is at the threshold or stands out."""
        usual = _usual(event, state) if text.place in ("result", "document") else None
        owns = self.owns(text)
        why = list(reasons(text, event, signals))
        if owns and usual and usual.seen >= self.warmup_results and usual.flagged >= HABIT:
            why.append("but usual for this tool")
        odds, before = log_odds(score(text)), usual.mean if usual else 0.0
        unlike = usual is not None and self._stands_out(odds, usual)
        if usual:
            _learn(usual, odds, owns, owns or unlike)
        if not owns and not unlike:
            return None
        found = finding(text, self.says, why) if owns else _unlike(text, odds, before)
        return found if _first(text, event, found, state) else None

    def _stands_out(self, odds: float, usual: Usual) -> bool:
        if usual.seen < self.warmup_results or odds < LEAST:
            return False
        return odds > usual.mean + self.reach * max(usual.spread, STEADY)

    def _followed(self, event: Event, signals: Signals, state: Reading) -> Finding | None:
        """Another tool is called in a session that has just read an injected text; told once a text."""
        session = _digest(_conversation(event))
        read = state.sessions.get(session)
        if read is None or read.tool == _tool(event) or stopped(event, signals):
            return None
        del state.sessions[session]
        after, tool = event.arrival - read.at, printable(event.tool_name) or "a tool"
        if after > self.follow_seconds:
            return None
        return Finding(
            severity=Severity(min(read.severity + 1, Severity.critical)),
            summary=f"{tool} was called {after:.0f} s after the session had read a text that gives the model "
            f"orders ({read.seen})",
            value=1.0,
            window_seconds=self.follow_seconds,
            since=read.at,
            evidence={"read_in": read.event, "tool": tool, "reasons": "a tool call followed"},
            event_ids=(read.event, event.id),
        )

    @classmethod
    def examples(cls) -> Sequence[IndirectInjection]:
        return (cls(), cls(threshold=0.8, warmup_results=2, reach=2.0), cls(follow_seconds=0.0))


def log_odds(share: float) -> float:
    """The logarithm of the odds, within 10 either way."""
    return log(max(share, 4.54e-5) / max(1.0 - share, 4.54e-5))


def _unlike(text: TextSignal, odds: float, usual: float) -> Finding:
    """Below the threshold, but unlike everything that this tool returned before."""
    return Finding(
        severity=Severity.low,
        summary=f"{where(text)} reads like an instruction, unlike what this tool usually returns "
        f"(log odds {odds:.1f}, usually {usual:.1f})",
        value=round(odds, 4),
        baseline=round(usual, 4),
        evidence={**evidence(text), "reasons": "unlike its tool"},
    )


def _usual(event: Event, state: Reading) -> Usual | None:
    """The baseline of the tool whose result this is; a new tool pushes out the one used the longest ago."""
    tool = _tool(event)
    usual = state.tools.pop(tool, None)
    if usual is None:
        usual = Usual(0.0)
    state.tools[tool] = usual
    _bound(state.tools, TOOLS)
    return usual


def _learn(usual: Usual, value: float, flagged: bool, stands_out: bool) -> None:
    first = 1.0 / (usual.seen + 1)
    weight = max(first, SLOW if stands_out else ORDINARY)
    if not usual.seen:
        usual.mean = value
    usual.mean, usual.spread = learn(usual.mean, max(usual.spread, STEADY), value, weight)
    usual.flagged += max(first, ORDINARY) * (flagged - usual.flagged)
    usual.seen = min(usual.seen + 1, 1 << 30)


def _first(text: TextSignal, event: Event, found: Finding, state: Reading) -> bool:
    """Whether this session reads the text for the first time: results come again in later messages."""
    conversation = _conversation(event)
    key = _digest(conversation, text.digest or str(text.simhash))
    times = state.told.pop(key, 0)
    state.told[key] = times + 1
    _bound(state.told, TEXTS)
    if conversation and not times:
        read = Read(event.arrival, event.id, _tool(event), int(found.severity), seen(text))
        state.sessions[_digest(conversation)] = read
        _bound(state.sessions, SESSIONS)
    return not times


def _bound(kept: dict[bytes, Any], limit: int) -> None:
    if len(kept) > limit:
        del kept[next(iter(kept))]


def _conversation(event: Event) -> str:
    return event.session or event.trace_id


def _tool(event: Event) -> bytes:
    return _digest(event.kind, event.tool_server, event.tool_name)


def _digest(*names: str) -> bytes:
    return blake2b("\0".join(names).encode("utf-8", "replace"), digest_size=8).digest()
