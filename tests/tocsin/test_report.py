"""Names of tools and calls are the same where producers only spell them differently."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tocsin.merging import Held
from tocsin.model import Event, Message, Signals
from tocsin.report import TOLD, Report, alike, bare, best, lack, near, same, unique


def report(**fields: Any) -> Report:
    return Held(Event(**fields), Signals()).report()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("get_weather", "get_weather", True),
        ("P-get_weather", "get_weather", True),
        ("functions.get_weather", "get_weather", True),
        ("mcp__weather__get", "get", True),
        ("Get_Weather", "server:get_weather", True),
        ("forget", "get", False),
        ("get_weather", "get_weather_2", False),
        ("", "get", False),
    ],
)
def test_a_prefix_makes_no_other_tool(one: str, other: str, same: bool) -> None:
    assert alike(one, other) is alike(other, one) is same
    assert not same or bare(one) == bare(other)


@pytest.mark.parametrize(
    ("identity", "name", "known"),
    [
        ("call_5c67df788252a7d1e4568b82", "f", True),
        ("toolu_01A09q90qw90lq917835lq9", "f", True),
        ("D681PevKs", "f", False),
        ("get_weather_1795416139462_0", "get_weather", True),
        ("functions.get_weather:0", "get_weather", False),
        ("functions.get_weather:0", "", False),
        ("call_0", "f", False),
        ("", "f", False),
    ],
)
def test_an_id_that_is_a_number_means_a_call_of_its_conversation(
    identity: str, name: str, known: bool
) -> None:
    assert unique(identity, name) is known


SAID = (Message("user", "x"),)


@pytest.mark.parametrize(
    ("event", "lacks"),
    [
        (Event(join="j"), "content"),
        (Event(join="j", status="error"), "content"),
        (Event(join="j", input=SAID), "answer"),
        (Event(join="j", input=SAID, status="error"), ""),
        (Event(join="j", input=SAID, status="blocked"), ""),
        (Event(join="j", input=SAID, output=SAID), "usage"),
        (Event(join="j", input=SAID, output=SAID, output_tokens=1), ""),
        (Event(join="j", half="log", input=SAID), "log"),
        (Event(join="j", operation="embeddings"), ""),
        (Event(join="j", kind="tool"), "content"),
        (Event(join="j", kind="tool", content_available=True), ""),
        (Event(join="j", kind="agent"), ""),
        (Event(), ""),
    ],
)
def test_what_another_report_may_know(event: Event, lacks: str) -> None:
    assert lack(event) == lacks


def test_of_several_that_are_the_same_the_one_with_the_same_figures_is_meant() -> None:
    outer = report(trace_id="t", span_id="p", join="t:p", duration_ms=900.0, input_tokens=9, output_tokens=3)
    inner = [
        report(
            trace_id="t", span_id=f"{n}", parent_span_id="p", join=f"t:{n}", input_tokens=n, output_tokens=3
        )
        for n in (8, 9, 10)
    ]
    assert best(outer, inner) is inner[1]
    assert best(outer, inner[::2]) is inner[0]
    assert best(outer, []) is None


def test_hostile_names_are_bounded_and_can_be_saved() -> None:
    long = "\ud800" + "x" * 1_000_000
    fields: dict[str, Any] = dict.fromkeys(
        ("join", "trace_id", "span_id", "parent_span_id", "session", "response_id", "model"), long
    )
    names, looks = report(**fields).keys()
    assert names and max(map(len, names + looks)) < 600
    assert all(name.encode() for name in names + looks)


def test_what_is_left_out_at_a_cheap_look_is_never_the_same() -> None:
    chance = random.Random(11)
    ids = ("", "call_1", "call_2", "get_x_call_4711aabbccdd", "call_4711aabbccdd", "call_4711aabbccde")

    def execution() -> Report:
        start = chance.choice((0.0, 0.5, 3.0))
        return Report(
            kind="tool",
            half=chance.choice(("", TOLD)),
            join=chance.choice(("", "j", "k")),
            trace=chance.choice(("", "t", "u")),
            span=chance.choice(("", "a", "b")),
            parent=chance.choice(("", "a", "b")),
            session=chance.choice(("", "s", "v")),
            id=chance.choice(ids),
            name=chance.choice(("x", "get_x", "mcp.x")),
            answering="",
            start=start,
            end=start + chance.choice((0.0, 1.0)),
            input_tokens=None,
            output_tokens=None,
            failed=False,
            content=True,
            digest=chance.choice(("", "d", "e")),
            lacks="",
            maker="",
        )

    pairs = [(execution(), execution()) for _ in range(20_000)]
    pairs = [(one, other) for one, other in pairs if not one.join or one.join != other.join]
    decided = [(one, other) for one, other in pairs if not near(one, [other])]
    assert not any(same(*pair) for pair in decided)
    others = [other for _, other in pairs[:16]]
    for one, _ in pairs[:500]:
        assert list(near(one, others)) == [other for other in others if near(one, [other])]
    assert len(decided) > 2000 and sum(same(*pair) for pair in pairs) > 1000
