"""Damaged, mutated, invented and blown-up records give events or reasons, and none takes long.

`make fuzz` tries fifty times as many (TOCSIN_FUZZ); `make fuzz-atheris` lets coverage choose what to try.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import mutation, pace
from parts.golden import GOLDEN, cases
from parts.judged import judge, judge_forced, recogniser

from tocsin.reading.redaction import Redactor

TIMES = int(os.environ.get("TOCSIN_FUZZ", "1"))
INPUTS = 2_000 * TIMES
BLOWN_UP = 4 * TIMES  # of each format
MEBIBYTE = 1 << 20
EVENT_SECONDS = 0.05  # of CPU, for one event
MALICE_SECONDS = 2 * EVENT_SECONDS  # where a whole record was made to cost
FOLDERS = sorted({case.folder for case in cases()})


def test_damaged_records_give_events_or_reasons() -> None:
    chance = Random(7)
    corpus = mutation.corpus()
    slowest = max((mutation.damaged(chance.choice(corpus), chance) for _ in range(INPUTS)), key=judge)
    took = pace.scaled(lambda: judge(slowest))
    print(f"{INPUTS:,} damaged records, the slowest {took * 1000:.1f} ms")
    assert took < EVENT_SECONDS


def test_mutated_documents_give_events_or_reasons() -> None:
    chance = Random(11)
    documents = mutation.documents()
    slowest = max((mutation.mutated(chance.choice(documents), chance) for _ in range(INPUTS)), key=judge)
    took = pace.scaled(lambda: judge(slowest))
    print(f"{INPUTS:,} mutated documents, the slowest {took * 1000:.1f} ms")
    assert took < EVENT_SECONDS


def test_every_format_takes_whatever_it_is_forced_to_take() -> None:
    chance = Random(13)
    documents, corpus = mutation.documents(), mutation.corpus()
    for _ in range(INPUTS // 15):
        judge_forced(mutation.mutated(chance.choice(documents), chance))
        judge_forced(mutation.damaged(chance.choice(corpus), chance))


def test_documents_in_envelopes_are_recognised_the_same_each_time() -> None:
    judge_forced(b'{"records":[{"data":"H4sI"}]}')
    for record in mutation.corpus():
        judge_forced(record)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_mebibyte_of_malice_takes_no_longer_than_its_events_may(folder: str) -> None:
    chance = Random(folder)
    slowest = max(blown_up(folder, chance), key=over_the_parse, default=b"")
    items = len(recogniser().look(slowest).items)
    took = pace.scaled(partial(over_the_parse, slowest)) / (1 + items // 250)  # each is an event of its own
    print(f"{folder}: {took * 1000:.0f} ms over the parse, {slowest[:80]!r}")
    assert took < MALICE_SECONDS


def blown_up(folder: str, chance: Random) -> Iterator[bytes]:
    """Golden payloads of a folder with one value in each that fills a mebibyte."""
    for case in [case for case in cases() if case.folder == folder][:2]:
        for document in filter(None, map(parsed, case.records()[:1])):
            yield from mutation.inflated(document, MEBIBYTE, chance, BLOWN_UP)


def over_the_parse(value: bytes) -> float:
    """CPU seconds of decoding that a bare parse does not take."""
    return pace.timed(partial(recogniser().look, value)) - pace.timed(partial(parsed, value))


def parsed(value: bytes) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


WORDS = st.sampled_from(mutation.keys())
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS
INVENTED = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=24,
)


@given(st.dictionaries(WORDS, INVENTED, min_size=1, max_size=8))
def test_any_document_of_known_names_gives_events_or_reasons(document: dict[str, Any]) -> None:
    judge(json.dumps(document).encode())


@given(st.binary(max_size=400))
def test_any_bytes_give_events_or_reasons(value: bytes) -> None:
    judge(value)


@given(
    st.text(max_size=400)
    | st.lists(st.sampled_from([*"a@.:/-_= \n", "sk-", "AKIA", "4111", "eyJ", "€"])).map("".join)
)
def test_any_text_is_redacted_the_same_each_time(text: str) -> None:
    once = Redactor().redact(text)
    assert Redactor().redact(text) == once


@pytest.mark.parametrize(
    "piece", ["a", "a@", "a.b", "1", "4111 ", "sk-", "AKIA", "eyJ.", "-----BEGIN ", "+49 ", "::", "€"]
)
def test_redaction_takes_time_in_proportion_to_the_text(piece: str) -> None:
    redact = Redactor().redact
    redact("warm")
    took = []
    for size in (1 << 14, 1 << 17):
        text = piece * (size // len(piece))
        took.append(pace.seconds(partial(redact, text)))
    assert took[1] < max(16 * took[0], EVENT_SECONDS)


def test_what_a_fuzzer_found_is_kept() -> None:
    """Inputs that once raised, or took long."""
    for path in sorted((GOLDEN.parent / "found").glob("*")):
        assert pace.scaled(partial(judge, path.read_bytes())) < MALICE_SECONDS, path.name
        judge_forced(path.read_bytes())
