from __future__ import annotations

from random import Random

from detectors.language_switch import LanguageSwitch, Spoken
from tocsin.history import Seen
from tocsin.model import Event, Finding, Message, Severity, Signals, TextSignal
from tocsin.settings import ContentSettings, ReadingSettings
from tocsin.signals import read

START = 1_750_000_000.0


class Stream:
    def __init__(self, detector: LanguageSwitch | None = None) -> None:
        self.detector = detector or LanguageSwitch()
        self.state: Spoken = self.detector.start()
        self.at = START

    def one(self, asked: str, answered: str, length: int = 200) -> Finding | None:
        self.at += 60.0
        both = _text("input", asked, length), _text("output", answered, length)
        texts = tuple(text for text in both if text.script)
        return self.detector.observe(Event(arrival=self.at), Signals(texts=texts), self.state)

    def known(self, answers: int = 250) -> Stream:
        assert not any(self.one("en/Latn", "en/Latn") for _ in range(answers))
        return self


def _text(place: str, spoken: str, length: int) -> TextSignal:
    language, _, script = spoken.partition("/")
    role = "user" if place == "input" else "assistant"
    return TextSignal(place, 0, role, language=language, script=script, length=length)  # type: ignore[arg-type]


def test_a_first_answer_in_another_language_than_asked_is_told() -> None:
    finding = Stream().known().one("en/Latn", "de/Latn")
    assert finding is not None and finding.severity is Severity.low
    finding = Stream().known().one("en/Latn", "/Cyrl")
    assert finding is not None and finding.severity is Severity.medium
    assert finding.evidence["answer"] == "unknown/Cyrl"


def test_an_answer_in_the_language_of_the_question_is_none() -> None:
    stream = Stream().known()
    assert stream.one("de/Latn", "de/Latn") is None
    assert stream.one("en/Latn", "de/Latn") is None, "known by now"


def test_what_is_short_or_unknown_is_not_compared() -> None:
    assert Stream().known().one("en/Latn", "de/Latn", length=59) is None
    assert Stream().known().one("en/Latn", "/Latn") is None
    assert Stream().known().one("/Latn", "de/Latn") is None
    assert Stream().known().one("/", "de/Latn") is None


def test_a_stranger_and_a_translator_are_left_alone() -> None:
    assert Stream().known(150).one("en/Latn", "de/Latn") is None
    stream, random = Stream(), Random(1)
    for _ in range(1500):
        assert stream.one("en/Latn", random.choice(("de/Latn", "fr/Latn", "en/Latn"))) is None


def test_a_share_of_mismatches_that_rises_is_told() -> None:
    stream, random = Stream(), Random(2)
    stream.one("en/Latn", "de/Latn")
    for _ in range(2000):
        assert stream.one("en/Latn", "de/Latn" if random.random() < 0.01 else "en/Latn") is None
    found = [stream.one("en/Latn", "de/Latn" if random.random() < 0.4 else "en/Latn") for _ in range(100)]
    told = [finding for finding in found if finding]
    assert len(told) == 1 and told[0].severity is Severity.medium


def test_real_text_goes_through() -> None:
    asked = "Could you please tell me what the weather will be like when you are there for the week?"
    said = "Das Wetter wird nicht schön, und Sie sollten auch eine Jacke mit auf die Reise nehmen, bitte."
    event = Event(arrival=START, input=(Message("user", asked),), output=(Message("assistant", said),))
    (signals,) = read([Seen(event, (0,), (0,))], ContentSettings(), ReadingSettings())
    state = Spoken()
    LanguageSwitch().observe(event, signals, state)
    assert list(state.known.things) == [b"de/Latn"]
    assert state.rate.hits == 1
