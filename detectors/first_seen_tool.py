"""An agent calls a tool that it never called before, after it had long settled on others."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from detectors.principal import caller, printable
from tocsin.contracts import About, Detector
from tocsin.model import Event, Finding, Kind, Severity, Signals

POWERFUL = ("exec", "shell", "bash", "delete", "drop", "transfer", "payment", "send", "secret", "credential")


class Tools(msgspec.Struct, array_like=True, gc=False):
    """What an agent is known to call: digests, least recently called first."""

    calls: int = 0
    since: float = 0.0  # arrival of the first call
    once: int = 0  # tools called exactly once
    known: dict[bytes, int] = {}  # of server and tool -> calls
    servers: dict[bytes, int] = {}


class FirstSeenTool(Detector[Tools], frozen=True, kw_only=True):
    """Remembers which tools an agent calls, and how often it still finds new ones.

    The share of calls that went to tools called once is Good and Turing's estimate (1953) of the chance
    that the next call is to a new one. While that is high a new tool means nothing, and none is told.
    """

    about: ClassVar[About] = About(
        title="Tool never called before by this agent",
        detects="An agent that has settled on its tools calls another, or one of a server it never used: a "
        "hijacked goal, a tool slipped in by a poisoned server or an update, an agent used for other things.",
        misses="Misuse of tools that the agent calls anyway; arguments. Tools first called during the "
        "warm-up. Agents that keep finding new tools (`novelty`). A new tool under the name and server of "
        "an old one. Agents without an id or name share the history of their application.",
        reads=("kind", "arrival", "agent", "agent_id", "application", "tool_name", "tool_server",
               "tool_decision", "status"),
        owasp=("LLM03:2026", "LLM06:2025", "ASI02:2026", "ASI10:2026", "MCP09:2025"),
        atlas=("AML.T0053", "AML.T0010.005"),
    )  # fmt: skip
    state_type: ClassVar[type[Any]] = Tools
    kinds: ClassVar[frozenset[Kind]] = frozenset({"tool"})

    warmup_calls: Annotated[int, Meta(ge=1, description="tool calls before anything is told")] = 50
    warmup_seconds: Annotated[float, Meta(ge=0, description="time before anything is told")] = 3600.0
    novelty: Annotated[
        float, Meta(gt=0, le=1, description="chance of a new tool above which none is told")
    ] = 0.05
    max_tools: Annotated[int, Meta(ge=8, le=4096, description="tools remembered, the last called")] = 256

    def key(self, event: Event) -> str | None:
        return caller(event) if event.kind == "tool" and event.tool_name else None

    def start(self) -> Tools:
        return Tools()

    def observe(self, event: Event, signals: Signals, state: Tools) -> Finding | None:
        if not state.calls:
            state.since = event.arrival
        tool = _digest(event.tool_server, event.tool_name)
        times = state.known.pop(tool, 0)
        finding = None if times else self._judge(event, state)
        state.known[tool] = times + 1
        state.calls += 1
        state.once += 1 if times == 0 else -1 if times == 1 else 0
        if not times:
            self._bound(event, state)
        return finding

    def _bound(self, event: Event, state: Tools) -> None:
        server = _digest(event.tool_server)
        state.servers[server] = state.servers.pop(server, 0) + 1
        if len(state.servers) > self.max_tools:
            del state.servers[next(iter(state.servers))]
        if len(state.known) > self.max_tools:
            state.once -= state.known.pop(next(iter(state.known))) == 1

    def _judge(self, event: Event, state: Tools) -> Finding | None:
        age = event.arrival - state.since
        if state.calls < self.warmup_calls or age < self.warmup_seconds:
            return None
        chance = state.once / state.calls
        if chance > self.novelty:
            return None
        tool, new_server = printable(event.tool_name), _digest(event.tool_server) not in state.servers
        return Finding(
            severity=_severity(event, new_server),
            summary=f"first call of {tool} after {state.calls} calls of {len(state.known)} other tools in "
            f"{age / 3600:.0f} hours" + (", on a server never used before" if new_server else ""),
            value=1.0,
            baseline=round(chance, 6),
            window_seconds=age,
            since=event.arrival,
            evidence={
                "tool": tool,
                "server": printable(event.tool_server),
                "decision": printable(event.tool_decision),
                "known_tools": len(state.known),
                "calls": state.calls,
            },
        )

    @classmethod
    def examples(cls) -> Sequence[FirstSeenTool]:
        return (cls(), cls(warmup_calls=1, warmup_seconds=0, novelty=1, max_tools=8), cls(novelty=0.5))


def _severity(event: Event, new_server: bool) -> Severity:
    """Told apart by what is known without content: did it run, is the server new, what is it called."""
    if event.tool_decision == "reject" or event.status == "blocked":
        return Severity.low
    name = event.tool_name.lower()
    return Severity.high if new_server or any(word in name for word in POWERFUL) else Severity.medium


def _digest(*names: str) -> bytes:
    return blake2b("\0".join(names).encode("utf-8", "replace"), digest_size=8).digest()
