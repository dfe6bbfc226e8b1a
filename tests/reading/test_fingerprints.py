"""Hashes and sketches against their definitions, and the bounds of what is kept."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tocsin.reading import fingerprints, language
from tocsin.reading.cache import Cache
from tocsin.reading.fingerprints import KEPT, SHINGLES, Sketcher, Voters, entropy, overlap, prints, siphash

VOTERS = Voters(language.common_words())


def seen(*texts: str) -> list[fingerprints.Print]:
    return prints([text.encode() for text in texts], VOTERS)


def told(text: str) -> tuple[object, ...]:
    (one,) = seen(text)
    return (*one[:4], one.runs.tolist(), one.words)


def test_siphash_is_that_of_its_authors() -> None:
    """The vector of eight bytes in the appendix of the paper's reference code."""
    key = np.frombuffer(bytes(range(16)), "<u8")
    assert int(siphash(np.frombuffer(bytes(range(8)), "<u8"), key)[0]) == 0x93F5F5799A932462


@given(st.binary(max_size=300))
def test_entropy_is_shannons(data: bytes) -> None:
    counts = Counter(data).values()
    bits = -sum(count / len(data) * math.log2(count / len(data)) for count in counts)
    assert abs(float(entropy([data])[0]) - max(bits, 0.0)) < 0.001


@given(st.lists(st.text(max_size=60), min_size=1, max_size=8))
def test_a_text_is_the_same_in_any_company(texts: list[str]) -> None:
    together = [(*one[:4], one.runs.tolist(), one.words) for one in seen(*texts)]
    assert together == [told(text) for text in texts]


def test_many_texts_are_read_in_parts_and_long_ones_alone() -> None:
    texts = [f"text number {number} of many" for number in range(5000)] + ["long " * 40_000]
    assert seen(*texts)[4999].simhash == seen(texts[4999])[0].simhash
    assert seen(*texts)[-1].words == 40_000


def test_words_are_runs_of_letters_and_digits() -> None:
    assert [one.words for one in seen("", "...", "one", "one, two-three_four", "été 12")] == [0, 0, 1, 3, 2]


def test_simhash_of_a_text_of_one_pair_is_its_hash_and_of_none_is_nothing() -> None:
    one, twice, none = seen("word", "word other word other", "!")
    assert none.simhash == 0 != one.simhash != twice.simhash


def test_a_long_text_counts_each_word_however_often_it_comes() -> None:
    """More words than fit into a byte of counts."""
    many, few = seen("alpha " * 1000 + "beta gamma", "alpha " * 200 + "beta gamma")
    assert many.simhash == few.simhash


def test_repetition_is_the_share_of_runs_that_came_before() -> None:
    once, twice = seen("a b c d e f g h", "a b c d e f g h a b c d e f g h")
    assert once.repetition == 0.0
    assert twice.repetition == round(1 - 8 / 13, 4)


def test_overlap_is_the_share_that_another_text_holds() -> None:
    words = [f"w{number}" for number in range(100)]
    whole, half, other = seen(" ".join(words), " ".join(words[:52]), " ".join(reversed(words)))
    assert overlap(whole.runs, whole.runs) == 1.0
    assert overlap(whole.runs, half.runs) == round(49 / 97, 4)
    assert overlap(half.runs, whole.runs) == 1.0
    assert overlap(whole.runs, other.runs) == overlap(whole.runs, fingerprints.NO_RUNS) == 0.0


def test_overlap_of_long_texts_is_estimated_from_the_runs_that_are_kept() -> None:
    words = [f"w{number}" for number in range(6000)]
    whole, third = seen(" ".join(words), " ".join(words[:2000]))
    assert len(whole.runs) == len(third.runs) == KEPT
    assert 0.27 < overlap(whole.runs, third.runs) < 0.40


def test_sketches_hold_about_a_quarter_of_the_runs_and_never_too_many() -> None:
    sketcher = Sketcher(bytes(16))
    short, long = seen(
        " ".join(f"w{number}" for number in range(400)), " ".join(f"w{number}" for number in range(4000))
    )
    assert 60 <= len(sketcher.shingles(short.runs)) <= 140
    assert len(sketcher.shingles(long.runs)) == SHINGLES
    assert sketcher.shingles(fingerprints.NO_RUNS) == ()


def test_a_cache_forgets_what_was_not_used_for_the_longest_time() -> None:
    cache: Cache[str, int] = Cache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
