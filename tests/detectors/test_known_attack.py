from __future__ import annotations

import runpy
import tomllib
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from parts.said import hit, said, told

from detectors.fingerprints import ATTACKS
from detectors.known_attack import KnownAttack, Neighbours
from tocsin.model import Finding, Severity, TextSignal
from tocsin.reading.fingerprints import Voters, prints

SCRIPTS = Path(__file__).parents[2] / "scripts"
TEXTS = tomllib.loads((SCRIPTS / "known-attacks.toml").read_text())
NAME = "two-answers"
CONFIRMED = 0x9C1F03B2A45DE781


def printed(text: str, **values: Any) -> TextSignal:
    """A message by the user as far as its fingerprint goes."""
    data = text.strip().lower().encode()
    return said(simhash=prints([data], Voters(()))[0].simhash, length=len(text), **values)


def changed(text: str, every: int) -> str:
    words = text.split()
    return " ".join("please" if number % every == every - 1 else word for number, word in enumerate(words))


def heard(*texts: TextSignal, **settings: Any) -> Finding | None:
    return told(KnownAttack(**settings), *texts)


def test_what_ships_is_what_the_script_makes_of_its_texts() -> None:
    script = runpy.run_path(str(SCRIPTS / "fingerprint-attacks"))
    made: dict[str, Any] = {}
    exec(script["module"](), made)  # noqa: S102
    assert made["ATTACKS"] == ATTACKS
    assert list(ATTACKS.values()) == list(TEXTS)


def test_no_text_ships() -> None:
    assert len(Path(SCRIPTS.parent, "detectors", "fingerprints.py").read_text()) < 60 * (len(TEXTS) + 4)


@pytest.mark.parametrize("name", TEXTS)
def test_a_copy_of_a_known_attack_is_told_though_nothing_else_sees_it(name: str) -> None:
    finding = heard(printed(TEXTS[name]))
    assert finding is not None and finding.severity is Severity.medium
    assert finding.evidence["neighbour"] == name and finding.value == 0


def test_a_copy_with_a_few_other_words_is_told() -> None:
    near = [heard(printed(changed(text, 40))) for text in TEXTS.values()]
    assert sum(finding is not None for finding in near) >= 0.9 * len(near)
    assert all(finding.evidence["neighbour"] for finding in near if finding)


def test_another_text_is_not() -> None:
    for text in TEXTS.values():
        assert heard(printed(changed(text, 2))) is None
    assert (
        heard(printed("Could you please tell me when the shop in the old town opens on Sundays? " * 2))
        is None
    )


def test_what_an_analyst_confirmed_is_told_by_its_fingerprint_and_is_worse() -> None:
    text = said(simhash=CONFIRMED ^ 0b10101)
    assert heard(text) is None
    finding = heard(text, confirmed=(f"{CONFIRMED:016x}",))
    assert finding is not None and finding.severity is Severity.high
    assert finding.summary.endswith(
        "copy of a known attack (confirmed 9c1f03b2a45de781; 3 of 64 bits differ)"
    )
    assert finding.evidence["fingerprint"] == f"{CONFIRMED ^ 0b10101:016x}"


def test_a_fingerprint_has_sixteen_digits() -> None:
    with pytest.raises(msgspec.ValidationError, match="confirmed"):
        msgspec.convert({"confirmed": ["9C1F"]}, KnownAttack)


def test_short_texts_have_no_neighbours() -> None:
    near = {"confirmed": (f"{CONFIRMED:016x}",)}
    assert heard(said(simhash=CONFIRMED, length=79), **near) is None
    assert heard(said(simhash=CONFIRMED, length=80), **near) is not None


def test_copies_in_results_count_and_those_that_others_tell_or_the_model_said_do_not() -> None:
    near = {"confirmed": (f"{CONFIRMED:016x}",)}
    assert heard(said(simhash=CONFIRMED, place="result", role="tool"), **near) is not None
    assert heard(said(hit("A1", 0.9), simhash=CONFIRMED), **near) is None
    for place, role in (("output", "assistant"), ("arguments", "assistant"), ("input", "system")):
        assert heard(said(simhash=CONFIRMED, place=place, role=role), **near) is None


def test_what_only_the_scorer_sees_is_told_quietly_and_a_copy_of_it_by_its_name() -> None:
    finding = heard(said(score=0.93, model_score=0.93))
    assert finding is not None and finding.severity is Severity.low
    assert finding.summary == "a message by the user reads like an attack that no rule knows (score 0.93)"
    assert heard(said(score=0.87, model_score=0.87)) is None
    assert heard(said(score=0.87, model_score=0.87), alone=0.5) is not None
    copy = heard(said(score=0.93, model_score=0.93, simhash=CONFIRMED), confirmed=(f"{CONFIRMED:016x}",))
    assert copy is not None and copy.severity is Severity.high


def test_rules_of_ones_own_are_told_here() -> None:
    finding = heard(said(hit("X1", 0.7, rule="own-open-the-gate")))
    assert finding is not None and "own-open-the-gate" in finding.summary


@pytest.mark.parametrize("distance", [0, 1, 8, 10, 15])
def test_the_nearest_within_reach_is_found_as_by_looking_at_all(distance: int) -> None:
    random = Random(distance)
    names = {random.getrandbits(64): f"known-{number}" for number in range(300)}
    near = Neighbours(names, distance)
    for _ in range(500):
        simhash = random.choice(list(names))
        for bit in random.sample(range(64), random.randint(0, distance + 3)):
            simhash ^= 1 << bit
        least = min((known ^ simhash).bit_count() for known in names)
        found = near.nearest(simhash)
        assert (found is not None and found[1] == least) if least <= distance else found is None
