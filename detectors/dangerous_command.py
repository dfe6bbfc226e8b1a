"""A command or an address that hands over a machine, in a prompt or in what a tool is asked to do."""

from __future__ import annotations

from typing import ClassVar

from detectors.principal import caller
from detectors.texts import (
    READS,
    Nothing,
    PromptDetector,
    asker,
    command,
    finding,
    heaviest,
    reasons,
    score,
    stopped,
    teller,
)
from tocsin.contracts import About
from tocsin.model import Event, Finding, Signals, TextSignal

GRAVE = 0.65  # weight of rules about taking over a machine or sending its files away


class DangerousCommand(PromptDetector, frozen=True, kw_only=True):
    """Tells commands in the arguments of tools, and prompts that are about nothing heavier (A13)."""

    about: ClassVar[About] = About(
        title="Dangerous command or metadata address",
        detects="Arguments of a tool call, or a message by the user, with a download that is piped to a "
        "shell, a reverse shell, deletion of a system, files of credentials, hidden PowerShell, "
        "persistence, container escape, path traversal, or the address of a cloud's metadata service; "
        "encoded ones too.",
        misses="Commands in scripts that are not part of the arguments; harm that takes several harmless "
        "calls; programs that no rule knows. An administrator's agent that does such things all day is told "
        "all day. Commands in results and documents are not told: manuals are full of them.",
        reads=(*(field for field in READS if field != "input"), "kind", "input", "agent_id", "tool_name",
               "tool_arguments", "tool_decision"),
        owasp=("LLM10:2026", "LLM05:2025", "LLM03:2026", "LLM06:2025", "ASI05:2026", "MCP05:2025"),
        atlas=("AML.T0050", "AML.T0102", "AML.T0053"),
    )  # fmt: skip
    name: ClassVar[str] = "dangerous_command"
    says: ClassVar[str] = "hold a dangerous command"

    def key(self, event: Event) -> str | None:
        if event.kind == "tool":
            return caller(event)
        return asker(event) if event.input or event.output else None

    def observe(self, event: Event, signals: Signals, state: Nothing) -> Finding | None:
        worst, most = None, 0.0
        for text in signals.texts:
            if text.rules and teller(text) == self.name:
                weight = command(text) if text.place == "arguments" else score(text)
                if weight >= self.threshold and weight > most:
                    worst, most = text, weight
        return self._told(worst, event, signals) if worst else None

    def _told(self, text: TextSignal, event: Event, signals: Signals) -> Finding:
        hit = heaviest(text)
        why = [each for each in reasons(text, event, signals) if each in ("hidden", "but stopped")]
        if text.place == "arguments" and not stopped(event, signals):
            why.append("handed to a tool")
        if hit and hit.weight >= GRAVE:
            why.append("takes over")
        return finding(text, self.says if text.place == "arguments" else "asks for a dangerous command", why)
