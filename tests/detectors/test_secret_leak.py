from __future__ import annotations

from typing import Any

from detectors.secret_leak import KINDS, SecretLeak, Secrets
from tocsin.history import Seen
from tocsin.model import Event, Finding, Message, Severity, Signals, TextSignal
from tocsin.settings import ContentSettings, ReadingSettings
from tocsin.signals import read

GITHUB, AWS, WORDS = "secret:github_token", "secret:aws_key", "secret:assignment"


def heard(state: Secrets, *texts: TextSignal, detector: SecretLeak | None = None) -> Finding | None:
    return (detector or SecretLeak()).observe(Event(session="s"), Signals(texts=texts), state)


def text(place: Any, *findings: tuple[str, int], role: Any = "assistant") -> TextSignal:
    return TextSignal(place, 0, role, findings=findings)


def test_a_conversation_is_session_then_principal_then_application() -> None:
    detector = SecretLeak()
    assert detector.key(Event(session="s", user="u")) == "session:s"
    assert detector.key(Event(user="u", application="a")) == "user:u"
    assert detector.key(Event(application="a")) == "application:a"


def test_severity_follows_from_where_it_stands_and_what_it_opens() -> None:
    cases: list[tuple[TextSignal, Severity]] = [
        (text("output", (GITHUB, 1)), Severity.high),
        (text("output", (AWS, 1)), Severity.critical),
        (text("arguments", (GITHUB, 1)), Severity.medium),
        (text("result", (GITHUB, 1), role="tool"), Severity.low),
        (text("document", (AWS, 1), role="retrieved"), Severity.medium),
        (text("input", (GITHUB, 1), role="user"), Severity.low),
        (text("input", (GITHUB, 1), role="system"), Severity.low),
        (text("input", (GITHUB, 1), role="tool"), Severity.low),
    ]
    for one, severity in cases:
        finding = heard(Secrets(), one)
        assert finding is not None and finding.severity is severity, one


def test_a_kind_is_told_once_for_each_side_and_again_at_ten_times_as_many() -> None:
    state = Secrets()
    assert heard(state, text("output", (GITHUB, 1))) is not None
    assert heard(state, text("output", (GITHUB, 8))) is None
    assert heard(state, text("output", (GITHUB, 1))) is not None, "ten by now"
    assert heard(state, text("output", (AWS, 1))) is not None
    assert heard(state, text("arguments", (GITHUB, 1))) is not None


def test_what_the_user_said_is_no_leak_where_it_is_said_back_to_him() -> None:
    state = Secrets()
    assert heard(state, text("input", (AWS, 1), role="user")) is not None
    finding = heard(state, text("output", (AWS, 1)))
    assert finding is not None and finding.severity is Severity.low
    other = Secrets()
    heard(other, text("input", (AWS, 1), role="user"))
    heard(other, text("result", (AWS, 1), role="tool"))
    finding = heard(other, text("output", (AWS, 1)))
    assert finding is not None and finding.severity is Severity.critical, "a tool had it as well"


def test_one_finding_for_one_event_names_the_worst_side_and_the_others() -> None:
    finding = heard(
        Secrets(), text("input", (AWS, 2), role="user"), text("output", (GITHUB, 1), ("email", 3))
    )
    assert finding is not None and finding.severity is Severity.high
    assert finding.summary == "1 secret in an answer: github_token"
    assert finding.evidence["elsewhere"] == "prompt"


def test_what_words_alone_make_a_secret_is_told_on_request() -> None:
    assert heard(Secrets(), text("output", (WORDS, 1))) is None
    finding = heard(Secrets(), text("output", (WORDS, 1)), detector=SecretLeak(uncertain=True))
    assert finding is not None and finding.severity is Severity.medium
    assert heard(Secrets(), text("output", ("email", 1), ("card", 1))) is None


def test_less_severe_than_wanted_is_not_told() -> None:
    detector = SecretLeak(least=Severity.high)
    assert heard(Secrets(), text("arguments", (GITHUB, 1)), detector=detector) is None
    assert heard(Secrets(), text("output", (GITHUB, 1)), detector=detector) is not None


def test_the_memory_of_a_conversation_is_bounded() -> None:
    state = Secrets()
    for number in range(1000):
        heard(state, text("output", (f"secret:kind{number}", 1)))
    assert len(state.seen) == KINDS


def test_real_text_goes_through() -> None:
    key = "ghp_Zq8Xw2Rt5Yp9Ls4Kd7Mv1Nb3Hg6Jf0CaAb12"
    event = Event(session="s", output=(Message("assistant", f"Here: {key}."),))
    (signals,) = read([Seen(event, (), (0,))], ContentSettings(), ReadingSettings())
    finding = SecretLeak().observe(event, signals, Secrets())
    assert finding is not None and finding.severity is Severity.high
    assert key[4:] not in repr(finding)
    (nothing,) = read([Seen(event, (), (0,))], ContentSettings(mode="none"), ReadingSettings())
    assert SecretLeak().observe(event, nothing, Secrets()) is None
