from __future__ import annotations

from random import Random
from typing import Any

import msgspec
from parts.said import call, said, signals

from detectors.novel_prompt import LANGUAGES, TOPICS, NovelPrompt, Prompts
from tocsin.model import Event, Finding, Severity

TOPIC = 0x0123456789ABCDEF


class Application:
    """An application that is asked much the same all day, in one language, about a few topics."""

    def __init__(self, **settings: Any) -> None:
        self.detector = NovelPrompt(**settings)
        self.state: Prompts = self.detector.start()
        self.random = Random(1)

    def asked(self, **values: Any) -> Finding | None:
        random = self.random
        usual: dict[str, Any] = {
            "length": int(random.lognormvariate(5.0, 0.3)),
            "entropy": random.gauss(4.2, 0.1),
            "repetition": max(0.0, random.gauss(0.02, 0.01)),
            "simhash": self.like(TOPIC * random.choice((1, 3, 7)) % 2**64),
            "language": "en",
            "script": "Latn",
        }
        return self.detector.observe(call(), signals(said(**{**usual, **values})), self.state)

    def like(self, simhash: int) -> int:
        for bit in self.random.sample(range(64), 6):
            simhash ^= 1 << bit
        return simhash

    def works(self, prompts: int, **values: Any) -> list[Finding]:
        return [finding for finding in (self.asked(**values) for _ in range(prompts)) if finding]


NOVEL: dict[str, Any] = {"length": 9000, "entropy": 5.4, "simhash": 0xFFFF0000FFFF0000}


def test_an_application_is_the_key_where_there_is_a_prompt() -> None:
    assert NovelPrompt().key(call(application="shop")) == "application:shop"
    assert NovelPrompt().key(Event()) is None


def test_a_prompt_unlike_the_others_is_told_with_its_parts() -> None:
    app = Application()
    assert not app.works(600)
    finding = app.asked(**NOVEL)
    assert finding is not None and finding.severity is Severity.low
    assert finding.value is not None and finding.baseline is not None and finding.value > 4 * finding.baseline
    parts = [value for name, value in finding.evidence.items() if name.startswith("surprise_")]
    assert abs(sum(map(float, parts)) - finding.value) < 0.01
    assert finding.evidence["surprise_length"] == 4.5


def test_nothing_is_told_in_the_warm_up() -> None:
    app = Application()
    app.works(499)
    assert app.asked(**NOVEL) is None


def test_ordinary_prompts_are_rarely_told() -> None:
    app = Application()
    app.works(600)
    assert len(app.works(5000)) <= 10


def test_one_unusual_figure_is_not_enough() -> None:
    app = Application()
    app.works(600)
    assert app.asked(length=90_000) is None
    assert app.asked(language="uk") is None


def test_a_language_that_is_common_surprises_nobody() -> None:
    app = Application()
    for number in range(800):
        app.asked(language="uk" if number % 2 else "en")
    for values in ({"language": "uk"}, {"language": "en"}):
        assert app.asked(**values) is None
    finding = app.asked(language="ja", length=9000, entropy=5.4)
    assert finding is not None and finding.evidence["surprise_language"] == 4.5


def test_a_flood_of_novel_prompts_is_learnt_slowly() -> None:
    """Twenty of them, all alike, move the baseline little and become no topic: the next is told as well."""
    app = Application()
    app.works(600)
    topics = set(app.state.topics)
    told = [app.asked(**NOVEL) for _ in range(20)]
    assert all(told)
    assert set(app.state.topics) == topics
    assert app.asked(**NOVEL) is not None


def test_a_new_use_that_stays_is_believed_in_the_end() -> None:
    app = Application()
    app.works(600)
    app.works(8000, **NOVEL)
    assert app.asked(**NOVEL) is None


def test_figures_that_never_vary_do_not_stand_still() -> None:
    """A spread of nothing would let no other value in for ever."""
    app = Application()
    app.works(600, repetition=0.0)
    app.works(3000, repetition=0.5)
    assert app.state.figures[2].mean > 0.4


def test_what_is_kept_is_bounded() -> None:
    app = Application()
    for number in range(5000):
        app.asked(simhash=app.random.getrandbits(64), language=f"l{number % 500}")
    assert len(app.state.topics) <= TOPICS and len(app.state.languages) <= LANGUAGES
    assert len(msgspec.msgpack.encode(app.state)) < 2500


def test_short_texts_and_those_of_others_are_left_alone() -> None:
    app = Application()
    app.works(600)
    for values in ({"length": 15}, {"role": "tool"}, {"place": "result", "role": "tool"}, {"role": "system"}):
        assert app.asked(**(NOVEL | values)) is None
    assert app.state.seen == 600


def test_a_prompt_nearer_to_the_others_than_usual_is_not_novel_for_it() -> None:
    app = Application()
    app.works(600)
    known = next(iter(app.state.topics))
    finding = app.asked(**(NOVEL | {"simhash": known, "repetition": 0.5}))
    assert finding is not None and finding.evidence["surprise_topic"] == 0.0


def test_a_topic_that_keeps_coming_is_kept_in_the_end() -> None:
    app = Application()
    for _ in range(TOPICS):
        topic = app.random.getrandbits(64)
        app.works(3, simhash=topic)
    fresh = app.random.getrandbits(64)
    app.works(1, simhash=fresh)
    for _ in range(120):
        app.works(1, simhash=app.random.getrandbits(64))
        app.works(1, simhash=fresh)
    assert fresh in app.state.topics
