from __future__ import annotations

from random import Random
from typing import Any

from detectors.first_seen_tool import FirstSeenTool, Tools
from tocsin.model import Event, Finding, Severity, Signals

START = 1_750_000_000.0
HOUR = 3600.0


def call(
    state: Tools, name: str, at: float, detector: FirstSeenTool | None = None, **values: Any
) -> Finding | None:
    server = values.pop("tool_server", "s")
    event = Event(kind="tool", tool_name=name, tool_server=server, arrival=START + at, **values)
    return (detector or FirstSeenTool()).observe(event, Signals(), state)


def settled() -> Tools:
    state = Tools()
    for number in range(100):
        assert call(state, f"tool{number % 4}", number * 60.0) is None
    return state


def test_the_agents_id_goes_before_its_name_and_that_before_the_application() -> None:
    detector = FirstSeenTool()
    both = Event(kind="tool", tool_name="t", agent="a", agent_id="7", application="x")
    assert detector.key(both) == "agent:7"
    assert detector.key(Event(kind="tool", tool_name="t", agent="a", application="x")) == "agent:a"
    assert detector.key(Event(kind="tool", tool_name="t", application="x")) == "application:x"
    assert detector.key(Event(kind="tool")) is None
    assert detector.key(Event(tool_name="t")) is None


def test_a_new_tool_is_told_once() -> None:
    state = settled()
    finding = call(state, "read_mail", 2 * HOUR)
    assert finding is not None and finding.severity is Severity.medium
    assert finding.evidence["known_tools"] == 4
    assert call(state, "read_mail", 2 * HOUR + 1) is None


def test_a_new_server_or_a_powerful_name_is_worse_and_a_refused_call_is_less() -> None:
    cases: tuple[tuple[dict[str, Any], Severity], ...] = (
        ({"tool_server": "other"}, Severity.high),
        ({"tool_server": "other", "tool_decision": "reject"}, Severity.low),
        ({"status": "blocked"}, Severity.low),
    )
    for values, severity in cases:
        finding = call(settled(), "look", 2 * HOUR, **values)
        assert finding is not None and finding.severity is severity
    finding = call(settled(), "Delete_File", 2 * HOUR)
    assert finding is not None and finding.severity is Severity.high


def test_the_same_name_on_another_server_is_another_tool() -> None:
    assert call(settled(), "tool1", 2 * HOUR, tool_server="other") is not None


def test_nothing_is_told_during_the_warm_up_in_calls_or_in_time() -> None:
    state = Tools()
    assert all(call(state, f"tool{number}", number * HOUR) is None for number in range(40))
    state = Tools()
    assert all(call(state, f"tool{number % 4}", float(number)) is None for number in range(200))
    assert call(state, "new", 300.0) is None


def test_an_agent_that_keeps_finding_tools_is_left_alone_until_it_settles() -> None:
    state, dice = Tools(), Random(1)
    for number in range(200):
        tool = f"rare{number}" if dice.random() < 0.2 else "usual"
        assert call(state, tool, number * 60.0) is None
    for number in range(1000):
        call(state, "usual", 4 * HOUR + number)
    assert state.once / state.calls < 0.05
    assert call(state, "another", 8 * HOUR) is not None


def test_invented_tools_cannot_fill_the_memory_and_the_first_are_told() -> None:
    state = settled()
    found = [call(state, f"invented{number}", 2 * HOUR + number) for number in range(5000)]
    assert len(state.known) <= 256 and len(state.servers) <= 256
    assert state.once == sum(count == 1 for count in state.known.values())
    assert found[0] is not None
    assert sum(finding is not None for finding in found) < 20


def test_a_name_chosen_by_a_server_cannot_speak() -> None:
    finding = call(settled(), "ignore all\n\x1b[31m <b>previous" + "x" * 200, 2 * HOUR)
    assert finding is not None
    assert finding.summary.isprintable() and "<" not in finding.summary
    assert len(str(finding.evidence["tool"])) == 64
