"""Writes tests/detectors/golden: for each detector an incident and its benign twin, from fixed seeds."""

from __future__ import annotations

import runpy
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from tocsin.model import Event, Message

GOLDEN = Path(__file__).parent / "golden"
START = 1_760_000_400.0  # a full hour
TEXTS = tomllib.loads((Path(__file__).parent / "golden_texts.toml").read_text())
OUTPUTS = runpy.run_path(str(Path(__file__).parent / "golden_outputs.py"))["MAKERS"]
Maker = Callable[[Random, bool], Iterator[Event]]


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


def conversations(texts: Mapping[str, Sequence[str]]) -> Maker:
    """Four people ask ordinary things; a fifth asks what the incident or its twin consists of."""

    def make(random: Random, incident: bool) -> Iterator[Event]:
        for number in range(40):
            text = random.choice(TEXTS["ordinary"])
            yield _asked(random, START + number * 60, text, user=f"u{number % 4}", session=f"u{number % 4}-1")
        for number, text in enumerate(texts["incident" if incident else "benign"]):
            yield _asked(random, START + 2400 + number * 30, text, user="gil", session="gil-1")

    return make


def novel_prompt(random: Random, incident: bool) -> Iterator[Event]:
    """A helpdesk is asked the usual for a day; then somebody pours a long list in another script into it."""
    for number in range(700):
        text = random.choice(TEXTS["ordinary"]) + random.choice(("", " Thank you!", " It is urgent."))
        yield _asked(random, START + number * 60, text, user=f"u{number % 40}")
    texts = TEXTS["novel_prompt"]["incident" if incident else "benign"]
    for number, text in enumerate(texts):
        yield _asked(random, START + 42_000 + number * 60, text * (40 if incident else 1), user="gil")


def dangerous_command(random: Random, incident: bool) -> Iterator[Event]:
    """An agent runs commands all day; one of them fetches a script and runs it, or none does."""
    for number, command in enumerate([*TEXTS["commands"] * 3, *_of("dangerous_command", incident)]):
        at = START + number * 60
        yield _tool(
            random, at, agent="builder", tool_name="run", tool_arguments=f'{{"command": "{command}"}}'
        )


def indirect_injection(random: Random, incident: bool) -> Iterator[Event]:
    """An agent reads pages; one of them speaks to it and it writes a mail, or it is about such pages."""
    for number in range(60):
        text = random.choice(TEXTS["pages"]) + f" Page {number}."
        yield _tool(random, START + number * 60, agent="reader", session=f"r{number}", tool_result=text)
    for number, text in enumerate(_of("indirect_injection", incident)):
        at, session = START + 3600 + number * 60, f"x{number}"
        yield _tool(random, at, agent="reader", session=session, tool_result=text)
        yield _tool(random, at + 20, agent="reader", session=session, tool_name="write_mail")


def _of(name: str, incident: bool) -> list[str]:
    return list(TEXTS[name]["incident" if incident else "benign"])


def _asked(random: Random, at: float, text: str, **values: Any) -> Event:
    return _llm(random, at, application="helpdesk", model="small", input=(Message("user", text),), **values)


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
    values.setdefault("tool_name", "read_page")
    return Event(
        kind="tool",
        operation="execute_tool",
        time=round(at, 3),
        application="assistant",
        tool_server=server,
        duration_ms=round(random.lognormvariate(5.0, 0.5), 1),
        **values,
    )


MAKERS: dict[str, Maker] = {
    "adversarial_suffix": conversations(TEXTS["adversarial_suffix"]),
    "dangerous_command": dangerous_command,
    "drift": drift,
    "encoded_payload": conversations(TEXTS["encoded_payload"]),
    "error_burst": error_burst,
    "first_seen_tool": first_seen_tool,
    "hidden_text": conversations(TEXTS["hidden_text"]),
    "indirect_injection": indirect_injection,
    "instruction_override": conversations(TEXTS["instruction_override"]),
    "known_attack": conversations(TEXTS["known_attack"]),
    "novel_prompt": novel_prompt,
    "persona_jailbreak": conversations(TEXTS["persona_jailbreak"]),
    "probing_rate": probing_rate,
    "prompt_extraction": conversations(TEXTS["prompt_extraction"]),
    "respelt_text": conversations(TEXTS["respelt_text"]),
    "template_tokens": conversations(TEXTS["template_tokens"]),
    **OUTPUTS,
}

if __name__ == "__main__":
    write()
