"""Writes tests/detectors/golden: for each detector an incident and its benign twin, from fixed seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from tocsin.model import Event

GOLDEN = Path(__file__).parent / "golden"
START = 1_760_000_400.0  # a full hour


def write() -> None:
    """Write every stream anew; the result depends on this file alone."""
    GOLDEN.mkdir(exist_ok=True)
    for name, lines in streams().items():
        (GOLDEN / name).write_bytes(lines)


def streams() -> dict[str, bytes]:
    """File name to content."""
    files: dict[str, bytes] = {}
    for name, make in MAKERS.items():
        for suffix, incident in (("", True), (".benign", False)):
            events = sorted(make(Random(name), incident), key=lambda event: event.time)
            lines = [msgspec.json.encode(event, order="deterministic") for event in events]
            files[f"{name}{suffix}.jsonl"] = b"\n".join(lines) + b"\n"
    return files


def probing_rate(random: Random, incident: bool) -> Iterator[Event]:
    """Three people and a job at work; one of the people lets a script loose, or is merely busy."""

    def calls(a_minute: float, begin: float, end: float, **who: Any) -> Iterator[Event]:
        at = begin
        while (at := at + random.expovariate(a_minute / 60)) < end:
            yield _llm(random, START + at, application="helpdesk", model="small", **who)

    for user, rate in (("ana", 2.0), ("ben", 3.0), ("cleo", 2.5)):
        yield from calls(rate, 0, 5400, user=user, session=f"{user}-1")
    yield from calls(6.0, 0, 5400, api_key="key-nightly", agent="reports")
    if incident:
        yield from calls(90.0, 4500, 4680, user="ben", session="ben-2")
    else:
        yield from calls(5.0, 4500, 5100, user="ben", session="ben-2")


def drift(random: Random, incident: bool) -> Iterator[Event]:
    """A model's answers grow to more than twice their length, or a few are long for a while."""
    for number in range(900):
        longer = 2.4 if incident and number >= 650 else 1.0
        if not incident and 650 <= number < 662:
            longer = 4.0
        at = START + number * 20 + random.uniform(0, 15)
        event = _llm(random, at, application="search", model="large", user=f"u{number % 40}", longer=longer)
        yield event


def first_seen_tool(random: Random, incident: bool) -> Iterator[Event]:
    """A travel agent that knows its five tools pays somebody; or it does not, while another is new."""
    tools = ["find_flight", "find_hotel", "read_calendar", "get_weather", "book"]
    for number in range(140):
        tool = random.choice(tools)
        yield _tool(random, START + number * 60, agent="travel", session=f"t{number // 10}", tool_name=tool)
    if incident:
        yield _tool(
            random, START + 8130, agent="travel", session="t13", tool_name="send_money", server="bank"
        )
    else:
        for number, tool in enumerate(["search", "open", "click", "type", "screenshot", "scroll"]):
            yield _tool(random, START + 8000 + number, agent="browser", session="b1", tool_name=tool)


def error_burst(random: Random, incident: bool) -> Iterator[Event]:
    """Somebody tries one refused request after the other; or a tool fails now and then, as ever."""
    for number in range(120):
        status = "error" if random.random() < 0.08 else "ok"
        yield _llm(
            random,
            START + number * 15,
            application="chat",
            model="small",
            session="s1",
            user="dora",
            status=status,
        )
        yield _llm(
            random, START + number * 15 + 7, application="chat", model="small", session="s2", user="emil"
        )
    for number in range(14 if incident else 3):
        yield _llm(
            random,
            START + 1810 + number * 9,
            application="chat",
            model="small",
            session="s2",
            user="emil",
            status="refused",
            finish_reason="content_filter",
        )


def _llm(random: Random, at: float, *, longer: float = 1.0, **values: Any) -> Event:
    return Event(
        kind="llm",
        operation="chat",
        time=round(at, 3),
        input_tokens=int(random.lognormvariate(6.5, 0.6)),
        output_tokens=int(random.lognormvariate(5.0, 0.7) * longer),
        duration_ms=round(random.lognormvariate(6.8, 0.4) * longer**0.5, 1),
        **values,
    )


def _tool(random: Random, at: float, *, server: str = "trips", **values: Any) -> Event:
    return Event(
        kind="tool",
        operation="execute_tool",
        time=round(at, 3),
        application="assistant",
        tool_server=server,
        duration_ms=round(random.lognormvariate(5.0, 0.5), 1),
        **values,
    )


MAKERS: dict[str, Callable[[Random, bool], Iterator[Event]]] = {
    "drift": drift,
    "error_burst": error_burst,
    "first_seen_tool": first_seen_tool,
    "probing_rate": probing_rate,
}

if __name__ == "__main__":
    write()
