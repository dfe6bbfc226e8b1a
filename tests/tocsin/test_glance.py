"""Events are looked at together for what must be redacted, and each is judged as if it were alone."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace

from tocsin.cuts import Cuts
from tocsin.glance import BLOCK, BLOCK_CHARACTERS, NAMED, Glance, blocks
from tocsin.history import Seen
from tocsin.model import Document, Event, Message, Signals, ToolCall, ToolDefinition
from tocsin.reading.redaction import Redactor
from tocsin.redact import Redaction
from tocsin.settings import ContentSettings, LimitSettings

SECRET = "hunter2hunter2"
SPLIT = ("password=", "hunter2hunter2")  # a secret only where both stand side by side


class Counting:
    """Finds one word and counts its searches."""

    def __init__(self) -> None:
        self.searches = 0

    def suspects(self, text: str) -> bool:
        self.searches += 1
        return "hunter" in text

    def redact(self, text: str) -> str:
        return text.replace(SECRET, "[gone]")


def test_a_block_without_findings_costs_one_search() -> None:
    cleaner = Counting()
    assert Glance(cleaner, Cuts(256, LimitSettings())).free(["plain"] * BLOCK) == [True] * BLOCK
    assert cleaner.searches == 1


@pytest.mark.parametrize("where", [{0}, {BLOCK - 1}, {3, 4}, set(range(BLOCK))])
def test_those_with_a_finding_are_told_from_the_others(where: set[int]) -> None:
    texts = [f"a {SECRET}" if at in where else "a hunter" for at in range(BLOCK)]
    found = Glance(Counting(), Cuts(256, LimitSettings())).free(texts)
    assert [at for at, free in enumerate(found) if not free] == sorted(where)


def test_nothing_is_found_across_two_events() -> None:
    glance = Glance(Redactor(), Cuts(256, LimitSettings()))
    assert glance.free(["".join(SPLIT), "plain"]) == [False, True]
    assert glance.free([*SPLIT, "-----BEGIN PRIVATE", " KEY-----"]) == [True] * 4


def test_blocks_are_bounded_and_hold_everything_in_order() -> None:
    texts = ["x" * (BLOCK_CHARACTERS // 2)] * 5 + ["y"] * (3 * BLOCK)
    parts = list(blocks(texts))
    assert [text for part in parts for text in part] == texts
    assert max(map(len, parts)) <= BLOCK
    assert all(sum(map(len, part[:-1])) < BLOCK_CHARACTERS for part in parts)
    assert list(blocks([])) == [[]]


def clear(redaction: Redaction, seen: list[Seen], signals: list[Signals]) -> list[bool]:
    """Which of copies of these events held nothing that had to be replaced."""
    copies = [replace(one, event=replace(one.event)) for one in seen]
    return redaction.events(copies, signals, [0.0] * len(copies))


PLACES: tuple[dict[str, Any], ...] = (
    *({name: SECRET} for name in ("model", "session", "trace_id", "response_id", "tool_call_id", "agent")),
    {"input": (Message("user", f"say {SECRET}"),)},
    {"output": (Message("assistant", f"say {SECRET}"),)},
    {"input": (Message("tool", "", (), SECRET),)},
    {"input": (Message("tool", "", (), "", SECRET),)},
    *({"output": (Message("assistant", "", (call,)),)} for call in (
        ToolCall(SECRET), ToolCall("", SECRET), ToolCall("", "", SECRET))),
    {"tool_arguments": SECRET},
    {"tool_result": SECRET},
    {"error_message": SECRET},
    {"attributes": {SECRET: "x"}},
    {"attributes": {"x": SECRET}},
    {"documents": (Document(SECRET),)},
    {"documents": (Document("", None, SECRET),)},
    *({"tool_definitions": (tool,)} for tool in (
        ToolDefinition(SECRET), ToolDefinition("", SECRET), ToolDefinition("", "", SECRET))),
    {"invalid_fields": (SECRET,)},
)  # fmt: skip


@pytest.mark.parametrize("place", PLACES, ids=lambda place: next(iter(place)))
def test_every_place_of_an_event_is_looked_at(place: dict[str, Any]) -> None:
    redaction = Redaction(ContentSettings(), Counting())
    told = Signals(new_input=(0,), new_output=(0,))
    other = Event(model="m", session="s")
    seen = [Seen(other), Seen(Event(**place), rich=((0,), (0,))), Seen(other)]
    assert clear(redaction, seen, [Signals(), told, Signals()]) == [True, False, True]


def test_of_messages_without_calls_only_what_is_new_is_looked_at() -> None:
    redaction = Redaction(ContentSettings(), Counting())
    said = (Message("user", SECRET), Message("user", "plain"))
    event = Event(input=said, output=(Message("assistant", SECRET),))
    news = ((1,), ()), ((0,), ()), ((), (0,)), ((0, 1), (0,))
    told = [Signals(*new) for new in news]
    assert clear(redaction, [Seen(event)] * 4, told) == [True, False, False, False]
    assert clear(redaction, [Seen(replace(event, half="span"))], told[:1]) == [False]


@pytest.mark.parametrize("call", [ToolCall(SECRET), ToolCall("", SECRET), ToolCall("", "", SECRET)])
def test_where_everything_is_kept_all_of_every_message_is_looked_at(call: ToolCall) -> None:
    redaction = Redaction(ContentSettings(mode="full"), Counting())
    repeated = Seen(Event(output=(Message("assistant", "", (call,)),), duplicate=True))
    assert clear(redaction, [repeated], [Signals()]) == [False]


def test_names_of_many_events_are_looked_at_together_and_still_told_apart() -> None:
    cleaner = Counting()
    redaction = Redaction(ContentSettings(), cleaner)
    for at in range(NAMED + 1):
        events = [Seen(Event(model="m", session="s")) for _ in range(NAMED + 1)]
        events[at] = Seen(Event(model=SECRET, session="s"))
        assert clear(redaction, events, [Signals()] * len(events)) == [n != at for n in range(NAMED + 1)]
    searches = cleaner.searches
    clear(redaction, [Seen(Event(model="m", session="s"))] * NAMED, [Signals()] * NAMED)
    assert cleaner.searches == searches + 1


def test_together_or_alone_the_result_is_the_same() -> None:
    chance = random.Random(4)
    parts = ["plain words", "max@example.org", "4111111111111111", f"password={SECRET}", "a.b", "call me"]

    def events() -> list[Event]:
        own = random.Random(9)
        return [
            Event(
                session=own.choice(parts),
                model=own.choice(parts),
                input=(Message("user", own.choice(parts)),),
            )
            for _ in range(100)
        ]

    told = [Signals(new_input=(0,))] * 100
    alone, together = events(), events()
    one, other = Redaction(ContentSettings()), Redaction(ContentSettings())
    for event, signals in zip(alone, told, strict=True):
        one.event(event, signals)
    start = 0
    while start < 100:
        end = min(100, start + chance.randint(1, 40))
        other.events([Seen(one, (0,)) for one in together[start:end]], told[start:end], [0.0] * (end - start))
        start = end
    assert alone == together
    assert SECRET not in repr(alone) and "max@" not in repr(alone) and "plain words" in repr(alone)
