from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from detectors.drift import Drift, Features
from tocsin.model import Event, Finding, Severity, Signals

START = 1_750_000_000.0


class Traffic:
    """A model's calls, whose answers can be made longer."""

    def __init__(self, detector: Drift | None = None, seed: int = 1) -> None:
        self.detector = detector or Drift()
        self.state: Features = self.detector.start()
        self.random = Random(seed)
        self.number = 0

    def run(
        self, count: int, longer: Callable[[int], float] = lambda number: 1.0, **values: Any
    ) -> list[Finding]:
        found = (self.one(longer(number), **values) for number in range(count))
        return [finding for finding in found if finding]

    def one(self, longer: float, **values: Any) -> Finding | None:
        self.number += 1
        event = Event(
            model="m",
            arrival=START + self.number,
            input_tokens=int(self.random.lognormvariate(6.5, 0.8)),
            output_tokens=int(self.random.lognormvariate(5.0, 1.0) * longer),
            duration_ms=self.random.lognormvariate(7.0, 0.5),
        )
        return self.detector.observe(event, Signals(), self.state)


def test_one_model_in_one_application_is_watched_while_it_works() -> None:
    detector = Drift()
    assert detector.key(Event(application="a", model="m")) == "a/m"
    assert detector.key(Event(application="a", response_model="r")) == "a/r"
    assert detector.key(Event(application="a", model="m", status="error")) is None
    assert detector.key(Event(kind="tool", model="m")) is None
    assert detector.key(Event(application="a")) is None


def test_longer_answers_are_told_with_both_levels() -> None:
    traffic = Traffic()
    assert not traffic.run(2000)
    found = traffic.run(600, lambda number: 2.5)
    assert len(found) == 1
    finding = found[0]
    assert finding.evidence["feature"] == "output tokens"
    assert finding.value is not None and finding.baseline is not None
    assert 2.0 < finding.value / finding.baseline < 3.1
    assert 120 < finding.baseline < 180
    assert finding.severity is Severity.low


def test_a_change_back_is_a_change() -> None:
    traffic = Traffic()
    traffic.run(1500)
    assert traffic.run(1000, lambda number: 3.0)
    assert traffic.run(1500)


def test_steady_traffic_is_not_told() -> None:
    assert not any(Traffic(seed=seed).run(20_000) for seed in range(5))


def test_certain_but_small_changes_are_not_told() -> None:
    traffic = Traffic()
    traffic.run(3000)
    assert not traffic.run(5000, lambda number: 1.3)


def test_many_small_steps_add_up() -> None:
    """Two per cent every hundred calls is under the floor at every step, and ten times in the end."""
    traffic = Traffic()
    assert not traffic.run(2000)
    found = traffic.run(12_000, lambda number: 1.02 ** (number / 100))
    assert found
    assert found[0].baseline is not None and found[0].value is not None
    assert found[0].value / found[0].baseline < 2.5


def test_a_few_extreme_answers_move_little() -> None:
    traffic = Traffic()
    traffic.run(2000)
    assert not traffic.run(1000, lambda number: 500.0 if number < 8 else 1.0)


def test_what_is_missing_is_not_taken_for_zero() -> None:
    detector = Drift()
    state = detector.start()
    for number in range(1000):
        detector.observe(Event(model="m", arrival=START + number, output_tokens=100), Signals(), state)
    assert state.output_tokens.window.width == 1000
    assert state.input_tokens.window.width == state.duration_ms.window.width == 0
