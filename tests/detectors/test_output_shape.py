from __future__ import annotations

from random import Random
from typing import Any

from detectors.output_shape import OutputShape, Shape
from tocsin.history import Seen
from tocsin.model import Event, Finding, Severity, Signals, TextSignal
from tocsin.settings import ContentSettings, ReadingSettings
from tocsin.signals import read


class Model:
    """Answers of one model, with log-normal lengths and speeds; texts where wanted."""

    def __init__(self, seed: int = 1, *, texts: bool = False) -> None:
        self.random, self.detector, self.texts = Random(seed), OutputShape(), texts
        self.state: Shape = self.detector.start()

    def one(self, **values: Any) -> Finding | None:
        tokens = int(self.random.lognormvariate(5.5, 0.6)) + 1
        repetition = values.pop("repetition", self.random.uniform(0.0, 0.1))
        entropy = values.pop("entropy", self.random.gauss(4.3, 0.1))
        usual = {
            "output_tokens": tokens,
            "input_tokens": int(self.random.lognormvariate(6.5, 0.5)),
            "duration_ms": tokens * self.random.lognormvariate(3.0, 0.2) + 300.0,
            "first_token_ms": 300.0,
        }
        text = TextSignal("output", 0, "assistant", repetition=repetition, entropy=entropy, length=900)
        signals = Signals(texts=(text,) if self.texts else ())
        return self.detector.observe(Event(model="m", **(usual | values)), signals, self.state)

    def known(self, answers: int = 1500) -> Model:
        assert not any(self.one() for _ in range(answers))
        return self


def feature(finding: Finding | None) -> object:
    assert finding is not None
    return finding.evidence["feature"]


def test_ordinary_answers_are_silent() -> None:
    """100,000 of them at a risk of one in a hundred thousand: one is told at most."""
    told = sum(bool(model.one()) for model in map(Model, range(10)) for _ in range(10_000))
    assert told <= 1


def test_an_endless_answer_is_told_with_what_is_usual() -> None:
    finding = Model().known().one(output_tokens=200_000)
    assert feature(finding) in ("tokens", "ratio")
    assert finding is not None and finding.baseline is not None and finding.value is not None
    assert finding.value > 100 * finding.baseline


def test_a_long_answer_to_a_tiny_question_or_a_slow_one_is_told() -> None:
    assert feature(Model().known().one(input_tokens=1, output_tokens=3000)) == "ratio"
    assert feature(Model().known().one(output_tokens=250, duration_ms=900_000.0)) == "slowness"


def test_a_loop_and_an_alphabet_of_its_own_are_told() -> None:
    loop = Model(texts=True).known().one(repetition=0.97)
    assert feature(loop) == "repetition" and loop is not None and loop.severity is Severity.medium
    assert feature(Model(texts=True).known().one(entropy=6.0)) == "entropy"
    assert feature(Model(texts=True).known().one(entropy=0.5)) == "entropy"


def test_twice_as_long_or_very_short_is_nothing() -> None:
    model = Model().known()
    assert model.one(output_tokens=600) is None
    assert model.one(output_tokens=1) is None


def test_what_was_told_moves_little() -> None:
    model = Model().known()
    mean = model.state.usual["tokens"].mean
    found = [model.one(output_tokens=500_000) for _ in range(50)]
    assert all(found)
    assert model.state.usual["tokens"].mean - mean < 0.3


def test_nobody_is_told_before_the_model_is_known() -> None:
    model = Model()
    assert not any(model.one(output_tokens=10 ** (number % 6)) for number in range(400))


def test_tokens_and_timing_work_without_content() -> None:
    random, detector = Random(3), OutputShape()
    state = detector.start()
    for number in range(800):
        tokens = 50_000 if number == 799 else int(random.lognormvariate(5.0, 0.5))
        event = Event(model="m", output_tokens=tokens, duration_ms=20.0 * tokens + 1.0)
        (signals,) = read([Seen(event)], ContentSettings(mode="none"), ReadingSettings())
        finding = detector.observe(event, signals, state)
        assert (finding is not None) == (number == 799)


def test_characters_stand_in_for_tokens() -> None:
    random, detector = Random(4), OutputShape()
    state, finding = detector.start(), None
    for number in range(800):
        length = 900_000 if number == 799 else int(random.lognormvariate(6.0, 0.5))
        finding = detector.observe(Event(model="m"), Signals(output_length=length), state)
    assert feature(finding) == "characters"


def test_impossible_numbers_are_taken() -> None:
    model = Model()
    for value in (0, 1, 2**53):
        for duration in (0.0, 1e15, None):
            model.one(output_tokens=value, input_tokens=value, duration_ms=duration, first_token_ms=1e15)


def test_far_out_but_small_is_not_told() -> None:
    steady = Model(texts=True)
    for _ in range(1500):
        steady.one(entropy=4.3, repetition=0.0)
    assert steady.one(entropy=5.2) is None
    assert steady.one(repetition=0.3) is None
    assert feature(steady.one(entropy=6.5)) == "entropy"
