"""The table of tails: what is learnt from, and that it tells suffixes from what is as rough."""

from __future__ import annotations

from pathlib import Path
from random import Random
from zipfile import ZipFile

import numpy as np
import pytest

from tocsin.reading import garble
from tocsin.reading.garble import WINDOW, Garble, Table
from tocsin.reading.training import garbling, rough

WORDS = "the river bends around old towns and carries boats down to warm seas while people wave from bridges"
TEXTS = [f"{WORDS} {number} {WORDS[number:]} f(x), (y)[0] {{a: b}};" for number in range(60)]


@pytest.fixture
def known() -> rough.Vocabulary:
    return rough.vocabulary(TEXTS)


def test_suffixes_and_rough_texts_are_the_same_for_the_same_seed(known: rough.Vocabulary) -> None:
    for make in (rough.suffix, lambda random, known: list(rough.rough(random, known, 40))):
        assert make(Random(4), known) == make(Random(4), known) != make(Random(5), known)


def test_rough_texts_are_filled(known: rough.Vocabulary) -> None:
    made = list(rough.rough(Random(4), known, 400))
    assert len(set(made)) > 300
    assert not [text for text in made if "{word}" in text.lower() or "{blob}" in text or "{{" in text]


def test_windows_cover_a_text_to_its_end() -> None:
    raw, windows, of = garbling._windows(["short", "x" * 100 + "end"])
    assert of.tolist() == [0, 1, 1, 1]
    assert [raw[begin:end].tobytes() for begin, end in windows][:1] == [b"short"]
    assert raw[windows[-1, 0] : windows[-1, 1]].tobytes() == b"x" * (WINDOW - 3) + b"end"


def test_what_is_learnt_tells_unseen_suffixes_and_is_the_same_each_time(known: rough.Vocabulary) -> None:
    random = Random(4)
    suffixes = [rough.suffix(random, known) for _ in range(400)]
    ordinary = [*TEXTS, *rough.rough(random, known, 400)]
    weights = garbling.learnt(ordinary, suffixes, 1)
    assert np.array_equal(weights, garbling.learnt(ordinary, suffixes, 1))
    fresh = [f"{WORDS} {rough.suffix(random, known)}" for _ in range(100)]
    benign = [*rough.rough(random, known, 100), *(text[::-1][::-1] for text in TEXTS[:20])]
    attack, harmless = (garble.sums_of(each, weights)[0] for each in (fresh, benign))
    assert (attack > np.quantile(harmless, 0.95)).mean() > 0.7


def test_limits_hold_for_all_sources_together_and_for_each_large_one() -> None:
    few, many = np.arange(1000), np.arange(100_000) - 100_000
    suspected, sure = garbling.limits({"few": few, "many": many})
    pooled = np.concatenate((few, many))
    assert (pooled >= suspected).mean() <= garbling.SUSPECTED < (pooled >= suspected - 1).mean() + 1e-4
    assert (pooled >= sure).mean() <= garbling.SURE
    assert (few >= sure).mean() <= garbling.OF_A_SOURCE < (few >= sure - 1).mean() + 1e-3


def test_translations_and_code_are_read_from_a_wheel(tmp_path: Path) -> None:
    path = tmp_path / "django.whl"
    with ZipFile(path, "w") as archive:
        said = 'msgid ""\nmsgstr "Project-Id-Version: x\\n"\n\nmsgid "Yes"\nmsgstr "Jo"\n'
        archive.writestr("django/conf/locale/xx/LC_MESSAGES/django.po", said)
        archive.writestr("django/a.js", "let a;" * 2000)
    *code, message = garbling.django(path)
    assert message == "Jo"
    assert code and set("".join(code)) == set("let a;")


def test_a_table_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "garble.npz"
    garbling.write(Table(np.ones(1 << garble.BITS, np.int8), np.array([60, 400])), path)
    before = path.read_bytes()
    garbling.write(Table(np.ones(1 << garble.BITS, np.int8), np.array([60, 400])), path)
    assert path.read_bytes() == before
    long, short = Garble.load(path).tails(["x" * 16, "x" * 8])
    assert long and long[:2] == (0, 16) and long.certainty == pytest.approx(4 / 340)
    assert short is None
