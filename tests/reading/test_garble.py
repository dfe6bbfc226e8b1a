"""Suffixes that a machine searched for are told by the end of a text, and what is as rough is left alone."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import pytest
from parts import pace

from tocsin.commands.inspect import Asked, Inspector
from tocsin.model import Role
from tocsin.reading.garble import SLACK, WINDOW, Garble
from tocsin.reading.rules import FLAGGED, Rules

TEXTS = tomllib.loads((Path(__file__).parent / "texts" / "garbled.toml").read_text("utf-8"))
SUFFIXES, ROUGH = TEXTS["suffixes"], TEXTS["rough"]
REQUESTS = (
    "Write a letter to my landlord",
    "How do I get rid of the neighbours' noise?",
    "Erkläre mir, wie ein Motor funktioniert.",
)


@cache
def garble() -> Garble:
    return Garble.load()


@cache
def rules() -> Rules:
    return Rules.load()


@pytest.mark.parametrize("request_", REQUESTS)
def test_suffixes_of_another_vocabulary_are_told(request_: str) -> None:
    tails = garble().tails([f"{request_} {suffix}" for suffix in SUFFIXES])
    assert sum(tail is not None for tail in tails) >= 0.9 * len(SUFFIXES)
    assert sum(tail is not None and tail.certainty == 1 for tail in tails) >= 0.6 * len(SUFFIXES)


@pytest.mark.parametrize("kind", ROUGH)
def test_what_is_as_rough_is_left_alone(kind: str) -> None:
    told = [tail for tail in garble().tails([ROUGH[kind], f"{REQUESTS[0]}: {ROUGH[kind]}"]) if tail]
    assert all(tail.certainty < 0.4 for tail in told)
    assert not told or kind == "German"  # long compounds alone are suspected


def test_a_tail_says_where_it_is() -> None:
    text = f"Grüße aus Köln. {REQUESTS[0]} {SUFFIXES[0]}"
    tail = next(each for each in garble().tails([f"{text} \n"]) if each)
    assert len(text) - SLACK <= tail.end <= len(text)
    assert tail.end - tail.start == WINDOW
    assert text[tail.start : tail.end] in SUFFIXES[0]


def test_a_little_may_follow_and_no_more() -> None:
    text = f"{REQUESTS[0]} {SUFFIXES[1]}"
    assert garble().tails([f"{text}. Thank you!"])[0]
    assert garble().tails([f"{text}. {ROUGH['prose']}"]) == [None]


def test_a_text_reads_the_same_in_any_company() -> None:
    texts = ["", " ", *SUFFIXES, *ROUGH.values(), "\ud800" * 100, "\n" * 1000, "x"]
    assert garble().tails(texts) == [garble().tails([text])[0] for text in texts]
    assert garble().tails([]) == []


def test_marks_over_letters_and_what_nobody_sees_are_left_out() -> None:
    for mark in ("\u0336", "\u200b", "\u0301"):
        marked = "".join(each + mark for each in ROUGH["prose"])
        hidden = "".join(each + mark for each in SUFFIXES[0])
        plain, told = garble().tails([marked, f"{REQUESTS[0]} {hidden}"])
        assert plain is None
        assert told and told.end <= len(REQUESTS[0]) + 1 + len(hidden)


def test_signs_without_letters_are_no_tail() -> None:
    assert garble().tails(
        ["-.. --- . ... / - .... . / .--. .... .- .-. -- .- -.-. -.-- / --- -. / -- .- .. -."]
    ) == [None]


def test_however_long_a_text_is_only_its_end_is_looked_at() -> None:
    text = f"{'word ' * 200_000}{SUFFIXES[0]}"
    assert garble().tails([text])[0]
    assert pace.seconds(lambda: [garble().tails([text]) for _ in range(100)]) < 0.05


def test_the_rule_counts_in_what_a_user_says_and_not_in_the_result_of_a_tool() -> None:
    text = f"{REQUESTS[0]} {SUFFIXES[0]}"
    user, tool = rules().read([text, text], ["user", "tool"])
    (hit,) = [hit for hit in user.hits if hit.rule.id == "suffix-garbled"]
    assert (hit.weight, hit.view, hit.rule.family) == (hit.rule.weight, "raw", "A8")
    assert user.score >= FLAGGED > tool.score


def test_a_suspicion_weighs_less_and_flags_nothing_by_itself() -> None:
    texts = [f"{REQUESTS[0]} {suffix[:size]}" for suffix in SUFFIXES for size in range(20, 64, 2)]
    tails = dict(zip(texts, garble().tails(texts), strict=True))
    suspected = [text for text in texts if (tail := tails[text]) and tail.certainty < 0.5]
    assert len(suspected) >= 5
    roles: list[Role | None] = ["user"] * len(suspected)
    for text, reading in zip(suspected, rules().read(suspected, roles), strict=True):
        (hit,) = [hit for hit in reading.hits if hit.rule.id == "suffix-garbled"]
        assert (tail := tails[text])
        assert hit.weight == pytest.approx(hit.rule.weight * (0.5 + 0.5 * tail.certainty))
        assert 0.5 * hit.rule.weight <= hit.weight < 0.75 * hit.rule.weight


def test_inspect_shows_the_tail() -> None:
    (seen,) = Inspector([], 0.5).read([Asked("1", ((f"{REQUESTS[0]} {SUFFIXES[0]}", "user"),))])
    assert seen["verdict"] == "flagged"
    (rule,) = [rule for rule in seen["rules"] if rule["id"] == "suffix-garbled"]
    assert rule["quote"] in SUFFIXES[0]
    assert (rule["end"] - rule["start"], rule["decodings"]) == (WINDOW, [])


def test_a_damaged_table_is_said(tmp_path: Path) -> None:
    path = tmp_path / "garble.npz"
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ValueError, match="no table of runs"):
        Garble.load(path)
