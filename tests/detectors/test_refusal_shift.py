from __future__ import annotations

from random import Random
from typing import Any

from detectors.refusal_shift import RECENT, Refusals, RefusalShift
from tocsin.history import Seen
from tocsin.model import Event, Finding, Message, Signals
from tocsin.settings import ContentSettings, ReadingSettings
from tocsin.signals import read


class Stream:
    """Calls by many users, of which a share is refused."""

    def __init__(self, detector: RefusalShift | None = None, seed: int = 1) -> None:
        self.detector = detector or RefusalShift()
        self.state: Refusals = self.detector.start()
        self.random, self.number = Random(seed), 0

    def one(self, refused: bool, **values: Any) -> Finding | None:
        self.number += 1
        values = {"user": f"u{self.random.randrange(500)}", "model": "m"} | values
        event = Event(arrival=1e9 + self.number, application="a", **values)
        return self.detector.observe(event, Signals(refusal=refused), self.state)

    def run(self, calls: int, share: float) -> list[Finding]:
        heard = [self.one(self.random.random() < share) for _ in range(calls)]
        return [finding for finding in heard if finding]


def test_a_model_in_an_application_or_a_principal_is_watched() -> None:
    assert RefusalShift().key(Event(application="a", model="m")) == "a/m"
    assert RefusalShift().key(Event(application="a", response_model="m")) == "a/m"
    assert RefusalShift().key(Event(application="a", model="m", status="error")) is None
    assert RefusalShift().key(Event(kind="tool", model="m")) is None
    assert RefusalShift(per="principal").key(Event(user="u", model="m")) == "user:u"


def test_more_refusals_are_told_and_fewer_as_well() -> None:
    stream = Stream()
    assert not stream.run(5000, 0.08)
    (more,) = stream.run(400, 0.4)
    assert more.evidence["direction"] == "rose" and more.baseline is not None and 0.05 < more.baseline < 0.1
    stream = Stream()
    assert not stream.run(5000, 0.08)
    (less,) = stream.run(2500, 0.005)
    assert less.evidence["direction"] == "fell" and less.value is not None and less.value < 0.03


def test_steady_streams_are_silent() -> None:
    assert not any(Stream(seed=seed).run(15_000, 0.03) for seed in range(4))


def test_one_principal_alone_moves_nothing() -> None:
    stream = Stream()
    stream.run(3000, 0.02)
    for _ in range(1000):
        assert stream.one(True, user="mallory") is None
        assert stream.one(False) is None
    assert len(stream.state.refused) <= RECENT


def test_of_a_principal_every_refusal_counts() -> None:
    stream = Stream(RefusalShift(per="principal", warmup_calls=50))
    assert not [stream.one(False, user="u") for _ in range(60) if None]
    for _ in range(200):
        stream.one(False, user="u")
    assert any(stream.one(True, user="u") for _ in range(30))


def test_what_a_provider_or_guardrail_says_is_enough_without_content() -> None:
    """The signals of content mode `none`, made by the real step from events without text."""
    random, detector = Random(1), RefusalShift()
    state, found = detector.start(), []
    for number in range(1500):
        refused = random.random() < (0.02 if number < 1000 else 0.3)
        how: dict[str, Any] = {"finish_reason": "content_filter"} if number % 2 else {"status": "blocked"}
        event = Event(
            model="m", user=f"u{random.randrange(300)}", arrival=1e9 + number, **(how if refused else {})
        )
        (signals,) = read([Seen(event)], ContentSettings(mode="none"), ReadingSettings())
        found.append(detector.observe(event, signals, state))
    told = [number for number, finding in enumerate(found) if finding]
    assert len(told) == 1 and 1000 <= told[0] < 1150


def test_a_refusal_in_words_counts() -> None:
    detector = RefusalShift(per="principal")
    state = detector.start()
    event = Event(user="u", output=(Message("assistant", "I'm sorry, but I can't help with that."),))
    (signals,) = read([Seen(event, (), (0,))], ContentSettings(), ReadingSettings())
    detector.observe(event, signals, state)
    assert state.rate.hits == 1
