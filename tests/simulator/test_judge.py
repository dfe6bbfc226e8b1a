"""Which alert speaks of which incident."""

from __future__ import annotations

from tocsin.simulator.incidents import Incident, Sign
from tocsin.simulator.judge import AFTERMATH_SECONDS, Told, judge, speaks_of

BURST = Incident(
    id="burst",
    family="probing",
    title="probing",
    start=100.0,
    end=200.0,
    signs=(
        Sign("probing_rate", {"application": "search", "user": "ann"}),
        Sign("drift", {"application": "search", "model": "m"}),
    ),
    must_find=True,
)
QUIET = Incident(
    id="quiet",
    family="probing",
    title="many accounts",
    start=100.0,
    end=200.0,
    signs=(Sign("probing_rate", {"application": "support", "user": "guest-*"}),),
    must_find=False,
    note="too little of each",
)
SALE = Incident(
    id="sale",
    family="look-alike",
    title="sale",
    start=100.0,
    end=200.0,
    signs=(Sign("drift", {"application": "support"}),),
    must_find=False,
    benign=True,
    note="people",
)
TRUTH = [BURST, QUIET, SALE]


def told(detector: str = "probing_rate", at: float = 150.0, **fields: str) -> Told:
    return Told(detector, "high", "", at, {"application": "search", "user": "ann"} | fields)


def test_an_alert_with_the_right_detector_time_and_entity_speaks_of_it() -> None:
    assert speaks_of(told(), BURST)
    assert speaks_of(told("drift", model="m"), BURST)
    assert not speaks_of(told("error_burst"), BURST)
    assert not speaks_of(told(user="bob"), BURST)
    assert not speaks_of(told(application="support"), BURST)
    assert not speaks_of(told("drift"), BURST)


def test_only_during_the_incident_and_shortly_after() -> None:
    assert not speaks_of(told(at=99.9), BURST)
    assert speaks_of(told(at=100.0), BURST)
    assert speaks_of(told(at=200.0 + AFTERMATH_SECONDS), BURST)
    assert not speaks_of(told(at=200.1 + AFTERMATH_SECONDS), BURST)


def test_a_star_stands_for_any_text_and_brackets_for_themselves() -> None:
    assert speaks_of(told(application="support", user="guest-007"), QUIET)
    assert not speaks_of(told(application="support", user="a-guest"), QUIET)


def test_the_first_alert_gives_the_delay() -> None:
    judgement = judge(TRUTH, [told(at=180.0), told(at=130.0)])
    burst, quiet, _ = judgement.verdicts
    assert (burst.delay_seconds, burst.failed, len(burst.told)) == (30.0, False, 2)
    assert (quiet.delay_seconds, quiet.failed) == (None, False)
    assert judgement.false == []


def test_what_had_to_be_found_and_was_not_has_failed() -> None:
    assert judge(TRUTH, []).verdicts[0].failed


def test_alerts_about_nothing_or_about_look_alikes_are_false() -> None:
    about_nothing, about_sale = told(user="bob"), told("drift", application="support", model="x")
    judgement = judge(TRUTH, [about_sale, about_nothing])
    assert judgement.false == [(about_sale, SALE), (about_nothing, None)]


def test_an_alert_that_an_attack_explains_too_is_not_false() -> None:
    sale = Incident(
        id="s", family="", title="", start=0.0, end=500.0, signs=BURST.signs, must_find=False, benign=True
    )
    assert judge([BURST, sale], [told()]).false == []
