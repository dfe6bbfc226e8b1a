"""What a tool or a document says speaks to the model instead of telling it something."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import floor
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from detectors.principal import application, printable
from detectors.texts import (
    DATA,
    READS,
    TextDetector,
    evidence,
    finding,
    foreign,
    heaviest,
    log_odds,
    reasons,
    score,
    seen,
    stopped,
    where,
)
from tocsin.contracts import About
from tocsin.model import Event, Finding, Severity, Signals, TextSignal

TOOLS, TEXTS, SESSIONS = 256, 64, 64  # remembered
LOWEST, LEVELS = -6, 12  # log odds are counted in steps of one: below -5, below -4, ... 5 and more
ORDINARY = 1 / 60  # share of a result in its tool's baseline
HARDLY = ORDINARY / 32  # of one that was told: many attacks do not become usual, a tool that changed does
LEAST = -0.85  # log odds (a score of 0.3) below which a text is data, however unusual
ALONE = 2.2  # log odds (a score of 0.9) from which on the scorer is believed before a tool is known
HABIT = 0.2  # share of results at the threshold from which on they are usual for their tool
RARE = 0.05  # share of results that may read as much like an instruction
ASKED, MOSTLY = 0.1, 0.5  # share of results that may ask for something: where they are sentences; data
SOON = 3  # part of the warm-up after which it shows whether a tool returns sentences or data
KINDS = 8  # kinds of requests remembered of a tool


class Usual(msgspec.Struct, array_like=True, gc=False):
    """What the results of one tool are like, as shares of them: the latest count most."""

    seen: int = 0
    levels: list[float] = []  # how much they read like instructions, in steps of log odds from `LOWEST`
    flagged: float = 0.0  # at the threshold
    prose: float = 0.0  # in some language, and no bare data
    asked: dict[bytes, float] = {}  # with a request of a kind, that is by a rule

    @property
    def mean(self) -> float:
        """Log odds, to half a step."""
        return sum(share * (LOWEST + at + 0.5) for at, share in enumerate(self.levels))

    def reached(self, odds: float) -> float:
        """The share of results that read as much like an instruction as that."""
        return sum(self.levels[_level(odds) :])


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
    known: dict[bytes, bool] = {}  # texts that asked for something and were not told
    sessions: dict[bytes, Read] = {}


class IndirectInjection(TextDetector[Reading], frozen=True, kw_only=True):
    """Judges what tools, documents and tool descriptions say: by its score, and against their own tool.

    The baseline of a tool is made of shares that no single result moves far: of how much its results read
    like instructions, of the requests in them, and of those that are sentences at all.
    """

    about: ClassVar[About] = About(
        title="Instructions in the result of a tool, a document or a tool description",
        detects="A result, a retrieved document, memory or a tool description that gives the model orders, "
        "by any rule, by hiding or by how it reads; a result that reads far more like an instruction than "
        "what the same tool usually returns, or asks for something as its results hardly ever do. Worse "
        "when the session then calls another tool.",
        misses="Instructions that read like the data around them. Results of tools that ask for something "
        "all the time, such as mail, unless a rule or the learned scorer sees them, and of a tool that was "
        "attacked while it was learnt. Text that "
        "an application puts into the user's message and that no rule of A9 knows.",
        reads=(*READS, "kind", "id", "arrival", "trace_id", "tool_name", "tool_server", "tool_result",
               "tool_decision", "tool_definitions", "documents"),
        owasp=("LLM01:2026", "LLM01:2025", "ASI01:2026", "ASI06:2026", "MCP06:2025", "MCP03:2025"),
        atlas=("AML.T0051.001", "AML.T0070", "AML.T0080", "AML.T0110.000"),
        state_version=2,
    )  # fmt: skip
    state_type: ClassVar[type[Any]] = Reading
    name: ClassVar[str] = "indirect_injection"
    says: ClassVar[str] = "gives the model orders"

    # As many as it takes until one result is no more than `RARE`.
    warmup_results: Annotated[int, Meta(ge=2, description="results of a tool until it has a baseline")] = 20
    reach: Annotated[
        float, Meta(ge=0, description="log odds above nearly all results of its tool at which one stands out")
    ] = 1.5
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
        asks, odds = _asks(text), log_odds(score(text))
        owns = self.owns(text) and (not _alone(text) or self._sure(odds, usual))
        found = self._told(text, event, signals, usual) if owns else None
        known = usual is not None and _known(text, state)
        if usual and not owns and not known:
            found = self._unlike(text, odds, usual) or self._strange(text, asks, usual)
            if not found and (asks or odds >= LEAST):
                _keep(text, state)
        if usual and not known:
            _learn(usual, text, odds, asks, owns=owns, told=found is not None)
        return found if found and _first(text, event, found, state) else None

    def _sure(self, odds: float, usual: Usual | None) -> bool:
        """Whether the learned scorer alone is enough: where nearly no result of the tool reads like that."""
        if usual and usual.seen >= self.warmup_results:
            return usual.reached(odds) < RARE
        return odds >= ALONE

    def _told(self, text: TextSignal, event: Event, signals: Signals, usual: Usual | None) -> Finding:
        """At the threshold; more quietly where that is usual."""
        why = list(reasons(text, event, signals))
        if usual and usual.seen >= self.warmup_results and usual.flagged >= HABIT:
            why.append("but usual for this tool")
        return finding(text, self.says, why)

    def _unlike(self, text: TextSignal, odds: float, usual: Usual) -> Finding | None:
        """Below the threshold, but unlike nearly everything that this tool returned before."""
        if usual.seen < self.warmup_results or odds < LEAST or usual.reached(odds - self.reach) >= RARE:
            return None
        return Finding(
            severity=Severity.low,
            summary=f"{where(text)} reads like an instruction, unlike what this tool usually returns "
            f"(log odds {odds:.1f}, usually {usual.mean:.1f})",
            value=round(odds, 4),
            baseline=round(usual.mean, 4),
            evidence={**evidence(text), "reasons": "unlike its tool"},
        )

    def _strange(self, text: TextSignal, asks: Sequence[bytes], usual: Usual) -> Finding | None:
        """Below the threshold, but it asks for something in a place where this tool's results do not: that
        shows soon where they are data, and later where they are sentences."""
        data = usual.prose < MOSTLY
        if usual.seen < self.warmup_results // (SOON if data else 1):
            return None
        shares = [usual.asked.get(kind, 0.0) for kind in asks]
        if min(shares, default=1.0) >= (MOSTLY if data else ASKED):
            return None
        return Finding(
            severity=Severity.low,
            summary=f"{where(text)} asks for something ({seen(text)}), as results of this tool hardly do",
            value=round(score(text), 4),
            baseline=round(min(shares), 4),
            evidence={**evidence(text), "reasons": "unlike its tool"},
        )

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
        return (cls(), cls(threshold=0.8, warmup_results=2, reach=3.0), cls(follow_seconds=0.0))


def _alone(text: TextSignal) -> bool:
    """Whether only the learned scorer takes it for an order."""
    return heaviest(text) is None and not text.hidden


def _asks(text: TextSignal) -> Sequence[bytes]:
    """The kinds of requests in a text: rules about orders in data, however little they weigh."""
    return sorted({_digest(hit.rule)[:4] for hit in text.rules if hit.family == DATA})


def _usual(event: Event, state: Reading) -> Usual | None:
    """The baseline of the tool whose result this is; a new tool pushes out the one used the longest ago."""
    tool = _tool(event)
    usual = state.tools.pop(tool, None)
    if usual is None:
        usual = Usual(levels=[0.0] * LEVELS)
    state.tools[tool] = usual
    _bound(state.tools, TOOLS)
    return usual


def _level(odds: float) -> int:
    return min(max(floor(odds) - LOWEST, 0), LEVELS - 1)


def _learn(
    usual: Usual, text: TextSignal, odds: float, asks: Sequence[bytes], *, owns: bool, told: bool
) -> None:
    usual.seen = min(usual.seen + 1, 1 << 30)
    usual_weight = max(1.0 / usual.seen, ORDINARY)
    weight = HARDLY if told and usual.seen > 1 else usual_weight
    level = _level(odds)
    usual.levels = [share + weight * ((at == level) - share) for at, share in enumerate(usual.levels)]
    usual.flagged += usual_weight * (owns - usual.flagged)
    usual.prose += weight * ((text.language != "") - usual.prose)
    for kind in asks:
        usual.asked.setdefault(kind, 0.0)
    for kind, share in usual.asked.items():
        usual.asked[kind] = share + weight * ((kind in asks) - share)
    while len(usual.asked) > KINDS:
        del usual.asked[min(usual.asked, key=lambda kind: (usual.asked[kind], kind))]


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


def _known(text: TextSignal, state: Reading) -> bool:
    """Whether this very text came before and was not told: it is none that somebody put there since, and
    counts once for what is usual."""
    name = _name(text)
    if state.known.pop(name, None) is None:
        return False
    state.known[name] = True
    return True


def _keep(text: TextSignal, state: Reading) -> None:
    state.known[_name(text)] = True
    _bound(state.known, TEXTS)


def _name(text: TextSignal) -> bytes:
    return _digest(text.digest or str(text.simhash))


def _bound(kept: dict[bytes, Any], limit: int) -> None:
    if len(kept) > limit:
        del kept[next(iter(kept))]


def _conversation(event: Event) -> str:
    return event.session or event.trace_id


def _tool(event: Event) -> bytes:
    return _digest(event.kind, event.tool_server, event.tool_name)


def _digest(*names: str) -> bytes:
    return blake2b("\0".join(names).encode("utf-8", "replace"), digest_size=8).digest()
