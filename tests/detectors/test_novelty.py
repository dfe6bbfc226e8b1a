from __future__ import annotations

from detectors.novelty import Known, begin, chance, digest, meet, printable, settled


def answer(known: Known, at: float, *things: str, most: int = 8) -> list[int]:
    begin(known, at)
    return [meet(known, thing.encode(), at, most).times for thing in things]


def test_a_thing_is_new_once() -> None:
    known = Known()
    assert answer(known, 1.0, "a", "b") == [0, 0]
    assert answer(known, 2.0, "a") == [1]
    assert answer(known, 3.0, "a", "c") == [2, 0]
    assert known.once == 2  # b and c
    assert chance(known) == 2 / 3


def test_when_it_was_first_met_is_remembered() -> None:
    known = Known()
    answer(known, 5.0, "a")
    answer(known, 9.0, "a")
    assert meet(known, b"a", 11.0, 8).first == 5.0


def test_an_answer_with_nothing_counts_as_well() -> None:
    known = Known()
    answer(known, 1.0, "a")
    for at in range(99):
        answer(known, 2.0 + at)
    assert chance(known) == 0.01


def test_the_memory_is_bounded_and_its_count_stays_right() -> None:
    known = Known()
    for number in range(5000):
        answer(known, float(number), f"t{number}", "always")
    assert len(known.things) == 8
    assert b"always" in known.things
    assert known.once == sum(met.times == 1 for met in known.things.values())


def test_settled_wants_answers_and_time_and_rare_news() -> None:
    known = Known()
    assert chance(known) == 1.0
    for number in range(100):
        answer(known, number * 10.0, "a")
    assert settled(known, 1000.0, 100, 1000.0, 0.01)
    assert not settled(known, 1000.0, 101, 1000.0, 0.01)
    assert not settled(known, 999.0, 100, 1000.0, 0.01)
    for number in range(3):
        answer(known, 1000.0, f"new{number}")
    assert not settled(known, 1000.0, 100, 1000.0, 0.01)


def test_names_cannot_speak_and_digests_do_not_run_together() -> None:
    assert printable("a\n<b>\x1b" + "c" * 100) == "a??b??" + "c" * 58
    assert digest("ab", "c") != digest("a", "bc")
