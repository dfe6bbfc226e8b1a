from __future__ import annotations

from typing import Any

from parts.said import call, hit, said, told

from detectors.dangerous_command import DangerousCommand
from tocsin.model import Event, RuleHit, Severity, TextSignal

PIPE = hit("A13", 0.6, rule="command-pipe-to-shell")
SHELL = hit("A13", 0.8, rule="command-reverse-shell")


def argument(*rules: RuleHit, **values: Any) -> TextSignal:
    return said(*rules, place="arguments", role="assistant", **values)


def test_the_caller_of_a_tool_and_the_asker_of_a_model_are_the_keys() -> None:
    detector = DangerousCommand()
    assert detector.key(Event(kind="tool", agent_id="7", user="ana")) == "agent:7"
    assert detector.key(call(agent="a")) == "user:ana"
    assert detector.key(call(input=())) is None


def test_what_a_tool_is_handed_is_worse_than_what_somebody_asks_for() -> None:
    handed = told(DangerousCommand(), argument(PIPE), kind="tool")
    asked = told(DangerousCommand(), said(PIPE))
    assert handed and handed.severity is Severity.high
    assert handed.summary == (
        "the arguments of a tool hold a dangerous command (command-pipe-to-shell; score 0.60)"
    )
    assert asked and asked.severity is Severity.medium
    assert asked.summary.startswith("a message by the user asks for a dangerous command")


def test_taking_over_a_machine_is_worst_and_a_rejected_call_is_less() -> None:
    cases: tuple[tuple[dict[str, Any], Severity], ...] = (
        ({}, Severity.critical),
        ({"tool_decision": "reject"}, Severity.medium),
    )
    for values, severity in cases:
        finding = told(DangerousCommand(), argument(SHELL), kind="tool", **values)
        assert finding is not None and finding.severity is severity


def test_an_encoded_command_is_worse() -> None:
    hidden = hit("A13", 0.6, "base64", rule="command-pipe-to-shell", view="base64")
    finding = told(DangerousCommand(), argument(hidden, hidden=("base64",)), kind="tool")
    assert finding is not None and finding.severity is Severity.critical
    assert "after undoing base64" in finding.summary


def test_arguments_are_judged_by_commands_alone() -> None:
    """Whoever searches for an attack's words hands them to a tool."""
    assert (
        told(DangerousCommand(), argument(hit("A1", 0.85), score=0.9, model_score=0.9), kind="tool") is None
    )
    assert told(DangerousCommand(), argument(hit("A1", 0.85), hit("A13", 0.4)), kind="tool") is None
    both = argument(hit("A1", 0.85), PIPE)
    finding = told(DangerousCommand(), both, kind="tool")
    assert finding is not None and finding.value == 0.6
    assert "command-pipe-to-shell" in finding.summary


def test_two_light_commands_weigh_together() -> None:
    light = argument(hit("A13", 0.45, rule="one"), hit("A13", 0.45, rule="two"))
    finding = told(DangerousCommand(), light, kind="tool")
    assert finding is not None and finding.value == 0.5737  # the second by half


def test_commands_in_results_and_by_the_model_are_not_told() -> None:
    assert told(DangerousCommand(), said(SHELL, place="result", role="tool"), kind="tool") is None
    assert told(DangerousCommand(), said(SHELL, place="output", role="assistant")) is None
