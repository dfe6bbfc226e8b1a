"""Bounded keyed state forgets the right keys, in the same order after a restore."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.codec import Codec
from tocsin.section import KEY_CHARACTERS, Kept, Section, short

CODEC: Codec[list[int]] = Codec(list[int])


def section(limit: int, idle: float = 1e9) -> Section[list[int]]:
    return Section(list, CODEC, limit=limit, idle=idle)


class Saved:
    """What a chain of checkpoints of one section amounts to."""

    def __init__(self) -> None:
        self.kept: dict[str, Kept] = {}
        self.head: Any = None

    def save(self, of: Section[list[int]], unchanged: list[str], *, confirm: bool) -> None:
        rows = list(of.offer(unchanged))
        if confirm:
            for key in of.removed:
                self.kept.pop(key, None)
            self.kept |= {entry.key: of.keep(entry) for entry in rows}
            self.head = of.head()
            of.saved(of.order, rows)

    def load(self, limit: int, idle: float) -> Section[list[int]]:
        restored = section(limit, idle)
        if self.head:
            restored.restore(self.head, list(self.kept.values()))
        return restored


def inside(of: Section[list[int]]) -> list[tuple[str, int, float, list[int]]]:
    return [(key, entry.order, entry.seen, entry.value) for key, entry in of.items()]


steps = st.lists(
    st.tuples(
        st.sampled_from(["touch", "touch", "touch", "touch", "remove", "change", "pop", "save", "lost"]),
        st.integers(0, 30),
        st.sampled_from([0.0, 0.0, 1.0, 5.0, 80.0, 300.0]),
    ),
    max_size=200,
)


@settings(max_examples=300, deadline=None)
@given(steps, st.integers(1, 20), st.sampled_from([4.0, 100.0, 1e9]))
def test_what_was_saved_comes_back_exactly(
    script: list[tuple[str, int, float]], limit: int, idle: float
) -> None:
    """Any order of touches, removals, evictions, confirmed and lost checkpoints."""
    one, saved, clock = section(limit, idle), Saved(), 0.0
    for at, (what, number, passed) in enumerate(script):
        key, clock = f"k{number}", clock + passed
        entry = one.get(key)
        if what == "touch":
            one.touch(key, clock).value.append(at)
        elif what == "remove":
            one.remove(key)
        elif what == "pop" and len(one):
            one.pop()
        elif what == "change" and entry:
            entry.value.append(at)
            one.change(entry)
        elif what in ("save", "lost"):
            saved.save(one, list(one)[number:], confirm=what == "save")
        assert len(one) <= limit
    saved.save(one, [], confirm=True)
    restored = saved.load(limit, idle)
    assert inside(restored) == inside(one)
    assert (restored.protected, restored.order, restored.evicted) == (one.protected, one.order, one.evicted)
    for number in range(60):
        for each in (one, restored):
            each.touch(f"new{number}", clock + number)
    assert inside(restored) == inside(one)


def test_an_unconfirmed_checkpoint_is_offered_again_with_what_came_since() -> None:
    one = section(10)
    one.touch("a", 1.0)
    assert [entry.key for entry in one.offer([])] == ["a"]
    one.touch("b", 2.0)
    rows = list(one.offer([]))
    assert [entry.key for entry in rows] == ["a", "b"]
    one.saved(one.order, rows)
    assert not one.dirty and list(one.offer([])) == []


def test_keys_that_came_back_survive_any_number_of_new_ones() -> None:
    one, honest = section(100), [f"h{number}" for number in range(70)]
    for clock in (1.0, 2.0):
        for key in honest:
            one.touch(key, clock)
    for number in range(10_000):
        one.touch(f"invented{number}", 3.0 + number / 1000)
    assert set(honest) <= set(one)
    assert one.evicted == 10_000 - 30


def test_a_second_touch_at_the_same_arrival_time_protects_nothing() -> None:
    one = section(10)
    one.touch("a", 1.0)
    one.touch("a", 1.0)
    assert one.protected == 0
    one.touch("a", 1.5)
    assert one.protected == 1


def test_a_key_that_is_touched_all_the_time_is_in_every_checkpoint_and_moves_once_in_a_grain() -> None:
    one = section(10)
    moves = []
    for tenths in range(1_300):
        entry = one.touch("a", 1.0 + tenths / 10)
        moves.append(entry.order)
        assert [each.key for each in one.offer([])] == ["a"]
        one.saved(one.order, [entry])
    assert moves == sorted(moves) and len(set(moves)) == 4  # came, was protected, and two minutes went by


def test_a_protected_key_that_loses_its_place_has_to_come_back_for_it() -> None:
    one = section(10)
    for clock in (1.0, 2.0, 3.0):
        for number in range(8):
            one.touch(f"k{number}", clock)
    one.touch("late", 3.0)
    one.touch("late", 4.0)  # takes the place of the first
    assert [entry.protected for key, entry in one.items() if key in ("k0", "late")] == [False, True]
    one.touch("k0", 5.0)
    entry = one.get("k0")
    assert entry and entry.protected and one.protected == 8


def test_at_most_four_fifths_are_protected() -> None:
    one = section(10)
    for clock in (1.0, 2.0):
        for number in range(10):
            one.touch(f"k{number}", clock)
    assert (one.protected, len(one)) == (8, 10)


def test_a_silent_key_starts_anew_and_is_swept() -> None:
    one = section(10, idle=100.0)
    one.touch("a", 0.0).value.append(1)
    assert one.touch("a", 100.0).value == [1]
    one.touch("b", 100.0)
    assert one.touch("a", 300.0).value == []
    one.touch("c", 400.0)
    assert "b" not in set(one)
    assert one.evicted == 0


def test_a_flood_between_two_checkpoints_leaves_nothing_behind() -> None:
    one = section(50)
    for number in range(100_000):
        one.touch(f"k{number}", float(number))
    assert len(one._changed) <= 1024 + 2 * 50 + 50
    assert len(list(one.offer([]))) == 50 and one.removed == {}


def test_long_and_odd_keys_are_bounded_and_told_apart() -> None:
    one = section(10)
    one.touch("x" * 10_000_000, 1.0)
    one.touch("x" * 9_999_999, 1.0)
    one.touch("x" * 10_000_000, 1.0)
    assert len(one) == 2 and max(map(len, one)) <= KEY_CHARACTERS
    assert short("plain") == "plain" and short("é" * 10) == "é" * 10
    assert len(short("é" * 1000)) <= KEY_CHARACTERS
    short("\ud800").encode()


def test_seeded_traffic_keeps_its_honest_keys_under_a_flood() -> None:
    """Nine in ten events invent a key; honest users are skewed; 85 % of their states must stay."""
    one, chance = section(2_000), random.Random(3)
    honest: dict[str, int] = {}
    clock = 0.0
    for number in range(200_000):
        clock += 0.001
        if number % 10:
            one.touch(f"invented{number}", clock)
        else:
            key = f"h{int(400 * chance.random() ** 1.8)}"
            one.touch(key, clock)
            honest[key] = honest.get(key, 0) + 1
    assert sum(key in set(one) for key in honest) / len(honest) >= 0.85
    assert len(one) == 2_000
