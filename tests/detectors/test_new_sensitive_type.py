from __future__ import annotations

from random import Random

from detectors.new_sensitive_type import NewSensitiveType, Sensitive
from tocsin.model import Event, Finding, Severity, Signals, TextSignal

START = 1_750_000_000.0


class Stream:
    def __init__(self, detector: NewSensitiveType | None = None) -> None:
        self.detector = detector or NewSensitiveType()
        self.state: Sensitive = self.detector.start()
        self.number = 0

    def one(self, *kinds: str, asked: tuple[str, ...] = (), role: str = "user") -> Finding | None:
        self.number += 1
        texts = (
            TextSignal("input", 0, role, findings=tuple((kind, 1) for kind in asked)),  # type: ignore[arg-type]
            TextSignal("output", 0, "assistant", findings=tuple((kind, 1) for kind in kinds)),
        )
        event = Event(application="a", arrival=START + self.number * 60.0)
        return self.detector.observe(event, Signals(texts=texts), self.state)

    def many(self, count: int, *kinds: str) -> Stream:
        assert not any(self.one(*kinds) for _ in range(count))
        return self


def test_a_new_kind_is_told_once() -> None:
    stream = Stream().many(300)
    finding = stream.one("card", "email")
    assert finding is not None and finding.severity is Severity.medium
    assert finding.evidence["kinds"] == "card, email"
    assert stream.one("card") is None


def test_everyday_kinds_are_less() -> None:
    finding = Stream().many(300).one("email")
    assert finding is not None and finding.severity is Severity.low


def test_what_is_usual_is_not_told() -> None:
    Stream().many(20, "email").many(300).many(3, "email")


def test_what_the_question_held_is_not_new_and_what_a_tool_returned_is() -> None:
    assert Stream().many(300).one("card", asked=("card",)) is None
    assert Stream().many(300).one("card", asked=("card",), role="tool") is not None


def test_the_warm_up_is_in_answers_and_in_time() -> None:
    assert Stream().many(198).one("card") is None
    stream = Stream(NewSensitiveType(warmup_seconds=86_400.0)).many(300)
    assert stream.one("card") is None


def test_an_application_that_keeps_showing_new_kinds_is_left_alone() -> None:
    stream, random = Stream(NewSensitiveType(false_alarm_calls=1e12)), Random(1)
    for number in range(100):
        stream.one(f"kind{number}") if random.random() < 0.5 else stream.one()
    for _ in range(200):
        stream.one()
    assert stream.one("card") is None


def test_many_more_answers_with_personal_data_are_told() -> None:
    stream, random = Stream(), Random(1)
    for _ in range(2000):
        assert stream.one(*(["email"] if random.random() < 0.02 else [])) is None
    found = [stream.one(*(["email"] if random.random() < 0.3 else [])) for _ in range(200)]
    told = [finding for finding in found if finding]
    assert len(told) == 1 and told[0].evidence["why"] == "more often"
    assert told[0].value is not None and told[0].value > 0.15


def test_fewer_are_not_told_nor_is_an_event_without_an_answer() -> None:
    stream = Stream()
    for number in range(4000):
        assert stream.one(*(["email"] if number % 3 == 0 and number < 2000 else [])) is None
    answers = stream.state.known.answers
    stream.detector.observe(Event(arrival=START), Signals(), stream.state)
    assert stream.state.known.answers == answers
    assert stream.detector.key(Event(kind="tool", agent="a")) is None


def test_keys_of_a_known_form_are_told_elsewhere() -> None:
    assert Stream().many(300).one("secret:aws_key") is None
    assert Stream().many(300).one("secret:assignment") is not None
