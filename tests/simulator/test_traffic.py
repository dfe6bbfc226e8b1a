"""The simulated fleet: repeatable, in order, believable, and with the incidents that its truth lists."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from itertools import islice, pairwise

import pytest
from parts import pace

from tocsin.model import Event
from tocsin.simulator import START, Simulator
from tocsin.simulator.fleet import FLEET, activity
from tocsin.simulator.judge import Told, speaks_of

HOUR = 3600.0


@pytest.fixture(scope="module")
def day() -> list[Event]:
    return list(Simulator(seed=3, rate=2.0).events())


def test_a_seed_decides_everything() -> None:
    one, other = Simulator(seed=5, duration_seconds=600.0), Simulator(seed=5, duration_seconds=600.0)
    assert list(one.events()) == list(other.events())
    assert one.truth == other.truth
    assert list(one.events()) == list(one.events())
    assert list(islice(one.events(), 50)) != list(
        islice(Simulator(seed=6, duration_seconds=600.0).events(), 50)
    )


def test_events_come_in_order_and_within_the_time(day: list[Event]) -> None:
    assert all(one.time <= other.time for one, other in pairwise(day))
    assert START <= day[0].time < START + 60.0
    assert START + 6 * HOUR - 60.0 < day[-1].time < START + 6 * HOUR


@pytest.mark.parametrize(("rate", "hours"), [(2.0, 6), (20.0, 0.5)])
def test_an_uneventful_day_keeps_its_rate(rate: float, hours: float) -> None:
    simulator = Simulator(rate=rate, duration_seconds=hours * HOUR, incidents=False)
    count = sum(1 for _ in simulator.events())
    assert count == pytest.approx(rate * hours * HOUR, rel=0.12)
    assert simulator.truth == []


def test_every_application_has_its_share() -> None:
    counts = Counter(event.application for event in Simulator(rate=4.0, incidents=False).events())
    total = sum(counts.values())
    for application in FLEET:
        assert counts[application.name] / total == pytest.approx(application.share, rel=0.25)


def test_offices_are_quiet_at_night() -> None:
    assert activity("office", 3 * HOUR) < 0.2 < 1.0 < activity("office", 10 * HOUR)
    assert activity("flat", 3 * HOUR) == activity("flat", 10 * HOUR)
    night = Simulator(start=START - 8 * HOUR, duration_seconds=24 * HOUR, rate=1.0, incidents=False)
    hours = Counter(int(e.time % 86400 // HOUR) for e in night.events() if e.application == "coder")
    assert hours[2] < hours[10] / 5


def test_calls_repeat_the_whole_conversation(day: list[Event]) -> None:
    calls: dict[str, list[Event]] = defaultdict(list)
    for event in day:
        if event.kind == "llm" and event.application == "coder":
            calls[event.session].append(event)
    grown = 0
    for one, other in ((one, other) for session in calls.values() for one, other in pairwise(session)):
        if not other.compacted:
            assert other.input[: len(one.input)] == one.input
            grown += len(other.input) > len(one.input)
    assert grown > 100
    assert any(event.compacted for event in day)


def test_what_a_tool_returned_is_in_the_next_call(day: list[Event]) -> None:
    ran = {event.tool_call_id: event for event in day if event.kind == "tool" and event.tool_call_id}
    answered = [
        (message, ran[message.tool_call_id])
        for event in day
        if event.kind == "llm"
        for message in event.input
        if message.role == "tool" and message.tool_call_id in ran
    ]
    assert len(answered) > 1000
    assert all(
        message.text == event.tool_result and message.name == event.tool_name for message, event in answered
    )


def test_a_fleet_has_all_kinds_languages_errors_and_refusals(day: list[Event]) -> None:
    assert {event.kind for event in day} == {"llm", "tool", "retrieval", "evaluation"}
    assert {event.status for event in day} == {"ok", "error", "refused", "blocked"}
    said = "".join(message.text for event in day[:3000] for message in event.output)
    assert "Замовлення" in said
    assert "注文" in said
    assert "{" not in "".join(
        message.text for event in day[:3000] for message in event.input if message.role == "user"
    )


def test_figures_are_believable(day: list[Event]) -> None:
    calls = [event for event in day if event.kind == "llm" and event.status == "ok"]
    assert all(event.input_tokens and event.output_tokens and event.cost_usd is not None for event in calls)
    assert all((event.cache_read_tokens or 0) <= (event.input_tokens or 0) for event in calls)
    assert all(0 < (event.first_token_ms or 0) < (event.duration_ms or 0) < 120_000 for event in calls)
    share = sum(event.status == "error" for event in day) / len(day)
    assert 0.005 < share < 0.03


def test_identifiers_are_unique(day: list[Event]) -> None:
    assert len({event.span_id for event in day}) == len(day)
    assert all(len(event.trace_id) == 32 for event in day)


def test_without_content_nothing_that_was_said_is_left() -> None:
    with_content = Simulator(duration_seconds=600.0)
    without = Simulator(duration_seconds=600.0, content=False)
    for event, silent in zip(with_content.events(), without.events(), strict=True):
        assert (silent.time, silent.span_id, silent.input_tokens) == (
            event.time,
            event.span_id,
            event.input_tokens,
        )
        assert silent.input == silent.output == ()
        assert silent.tool_arguments is silent.tool_result is None
        assert not any(document.text for document in silent.documents)
        assert not silent.content_available


def test_incidents_have_names_of_their_own_and_fit_the_time() -> None:
    for seconds in (6 * HOUR, HOUR / 2):
        simulator = Simulator(duration_seconds=seconds)
        assert len({incident.id for incident in simulator.truth}) == len(simulator.truth) == 21
        for incident in simulator.truth:
            assert simulator.start <= incident.start < incident.end
            assert incident.start < simulator.end
            assert incident.must_find <= (not incident.benign)
            assert incident.must_find or incident.note


def test_the_signs_of_an_incident_occur_in_the_events(day: list[Event]) -> None:
    names = ("application", "agent", "session", "user", "api_key", "model")
    for incident in Simulator(seed=3, rate=2.0).truth:
        during = [event for event in day if incident.start <= event.time <= incident.end]
        told = [
            Told(
                incident.signs[0].detector,
                "",
                "",
                e.time,
                {n: getattr(e, n) for n in names} | {"tool": e.tool_name},
            )
            for e in during
        ]
        assert any(speaks_of(each, incident) for each in told), incident.id


def test_no_other_agent_mails(day: list[Event]) -> None:
    mails = [event for event in day if event.tool_name == "send_email"]
    assert {event.application for event in mails} == {"search"}
    assert len(mails) == 2


def test_a_new_agent_is_seen_only_after_its_release(day: list[Event]) -> None:
    released = next(each for each in Simulator(seed=3, rate=2.0).truth if each.id == "release")
    times = [event.time for event in day if event.agent == "triage-agent"]
    assert len(times) > 50
    assert min(times) >= released.start


def test_a_second_gives_twenty_thousand_events() -> None:
    simulator = Simulator(rate=50.0, duration_seconds=HOUR)
    events = iter(simulator.events())
    assert pace.seconds(lambda: deque(islice(events, 10_000), maxlen=0)) < 0.5
