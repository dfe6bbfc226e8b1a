"""State is saved as a chain whose cost follows activity, comes back exactly, and is bounded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from parts.watchers import Every, Fragile, Last, Silence, Store, copy, lively, plan

from tocsin.chain import CHUNK, ROUND
from tocsin.contracts import About, Saved, StateUnreadable
from tocsin.core import Instance, PartitionState, Plan, Unpacked, step
from tocsin.model import Event, Message
from tocsin.settings import ContentSettings, DetectorOptions, LimitSettings

NOON = 1.8e9
MANY = Plan(instances=(Instance("every", "every", Every(n=1_000_000)),))


def users(first: int, count: int, offset: int) -> Unpacked:
    events = [Event(user=f"user{number}") for number in range(first, first + count)]
    return Unpacked(offset, offset + 1, NOON + offset, events, 1)


def keys(state: PartitionState, section: str = "detector:every") -> int:
    return sum(count.keys for count in state.describe() if count.section == section)


def test_a_checkpoint_costs_what_changed_and_a_turn_of_the_rest() -> None:
    state, store = PartitionState.fresh(MANY, "log", 0), Store()
    step(MANY, state, [users(0, 20_000, 0)])
    store.save(state)
    whole = sum(map(len, store.kept[1][1]))
    for sequence in range(2, 2 * ROUND):
        step(MANY, state, [users(5, 1, sequence)])
        store.save(state)
        assert sum(map(len, store.kept[sequence][1])) < whole / ROUND * 1.2
    assert whole > 500_000


def test_old_chunks_are_not_needed_for_long() -> None:
    state, store = PartitionState.fresh(MANY, "log", 0), Store()
    step(MANY, state, [users(0, 5_000, 0)])
    for sequence in range(1, 5 * ROUND):
        step(MANY, state, [users(5_000 + sequence, 1, sequence)])
        store.save(state)
        assert min(store.kept) == store.kept[sequence][0].base
        assert len(store.kept) <= 2 * ROUND + 4
    restored, _ = store.load(MANY)
    assert restored.describe() == state.describe()
    assert keys(restored) == 5_000 + 5 * ROUND - 1


def test_a_small_state_is_written_whole_every_time() -> None:
    state, store = PartitionState.fresh(MANY, "log", 0), Store()
    for sequence in range(1, 6):
        step(MANY, state, [users(0, 3, sequence)])
        store.save(state)
        assert list(store.kept) == [sequence]


def test_chunks_are_bounded_whatever_is_in_them() -> None:
    full = Plan(content=ContentSettings(mode="full"), limits=LimitSettings(text_characters=1 << 20))
    state, store = PartitionState.fresh(full, "log", 0), Store()
    texts = tuple(Message("user", f"word{number} " * 9_000) for number in range(45))
    step(full, state, [Unpacked(0, 1, NOON, [Event(join="j", half="span", input=texts)], 1)])
    store.save(state)
    chunks = store.kept[1][1]
    assert len(chunks) > 4 and max(map(len, chunks)) <= CHUNK
    restored, _ = store.load(full)
    assert restored.groups.by_number[1].assembly.flush()[0].event.input == texts


def test_a_checkpoint_is_offered_under_the_same_sequence_until_it_is_saved() -> None:
    state = PartitionState.fresh(MANY, "log", 0)
    step(MANY, state, [users(0, 10, 0)])
    assert [state.checkpoint(1)[0].sequence for _ in range(3)] == [1, 1, 1]
    with pytest.raises(ValueError, match="2"):
        state.saved(2)
    state.saved(1)
    assert state.checkpoint(4)[0].sequence == 2 and state.checkpoint(4)[0].epoch == 4


def saved_with(instances: tuple[Instance, ...], **settings: Any) -> Store:
    changed = plan(instances=instances, **settings)
    state, store = PartitionState.fresh(changed, "log", 0), Store()
    step(changed, state, copy(lively(100, 1)))
    store.save(state)
    return store


EVERY, FRAGILE, SILENCE, EACH = plan().instances


def test_a_changed_detector_starts_cold_and_says_so_and_the_others_keep_their_state() -> None:
    store = saved_with(plan().instances)
    other = Instance("fragile", "fragile", Fragile(n=7), FRAGILE.options)
    changed = plan(instances=(EVERY, other, SILENCE))
    state, complaints = store.load(changed)
    assert complaints == [
        "detector fragile starts cold: its settings or its version changed",
        "detector each is no longer configured: its state is dropped",
    ]
    assert keys(state, "detector:fragile") == 0
    assert keys(state, "detector:every") > 0 and keys(state, "detector:silence") > 0


def test_options_of_the_engine_make_nothing_cold() -> None:
    store = saved_with(plan().instances)
    easier = Instance("every", "every", EVERY.detector, DetectorOptions(max_keys=50, cooldown_seconds=1.0))
    state, complaints = store.load(plan(instances=(easier, FRAGILE, SILENCE, EACH)))
    assert complaints == [] and keys(state) > 0


def test_a_state_that_was_given_up_never_comes_back() -> None:
    """Changed, saved, and changed back: what the first settings learnt long ago is gone."""
    store = saved_with((EVERY, SILENCE))
    without, _ = store.load(plan(instances=(SILENCE,)))
    store.save(without)
    back, _ = store.load(plan(instances=(EVERY, SILENCE)))
    assert keys(back) == 0 and keys(back, "detector:silence") > 0
    store.save(back)
    again, _ = store.load(plan(instances=(EVERY, SILENCE)))
    assert keys(again) == 0


def test_another_content_key_makes_the_history_cold() -> None:
    store = saved_with(plan().instances)
    state, complaints = store.load(plan(content=ContentSettings(key="new")))
    assert complaints == ["history starts cold: the content key changed"]
    assert keys(state, "history") == 0 and keys(state) > 0


class Wider(msgspec.Struct):
    at: int
    more: str


class Silencer(Silence, frozen=True, kw_only=True):
    """A state of another shape, and nobody raised the version."""

    state_type = Wider


def test_a_state_of_another_shape_starts_cold_loudly() -> None:
    store = saved_with((EVERY, SILENCE))
    silencer = Instance("silence", "silence", Silencer(), SILENCE.options)
    state, complaints = store.load(plan(instances=(EVERY, silencer)))
    assert complaints and all("silence of t" in each and "starts cold" in each for each in complaints)
    assert keys(state, "detector:silence") == 0 and keys(state) > 0
    step(plan(instances=(EVERY, silencer)), state, [])


def test_fingerprints_tell_what_matters() -> None:
    class Newer(Every, frozen=True, kw_only=True):
        about = About("every", "the n-th event", "others", ("user",), state_version=2)

    prints = {
        Instance(name, kind, detector, options).fingerprint
        for name, kind, detector, options in (
            ("a", "every", Every(), DetectorOptions()),
            ("b", "every", Every(), DetectorOptions(max_keys=20)),
            ("a", "every", Every(n=4), DetectorOptions()),
            ("a", "every", Newer(), DetectorOptions()),
        )
    }
    assert len(prints) == 3
    assert plan().config_hash == plan().config_hash != plan(instances=(EVERY,)).config_hash


def load(saved: Saved) -> None:
    PartitionState.restore(plan(), "log", 0, saved)


def test_unreadable_checkpoints_are_refused_by_name() -> None:
    store = saved_with(plan().instances)
    checkpoint, chunks = store.kept[1]
    load(Saved(checkpoint, chunks))
    with pytest.raises(StateUnreadable, match="format 99"):
        load(Saved(replace(checkpoint, versions={"state": 99}), chunks))
    with pytest.raises(StateUnreadable, match="own part"):
        load(Saved(replace(checkpoint, meta=b"\x00"), chunks))
    with pytest.raises(StateUnreadable, match="half a block"):
        load(Saved(checkpoint, [chunks[0][:-1]]))
    with pytest.raises(StateUnreadable):
        load(Saved(checkpoint, [chunks[0][:4] + b"\xc1" * (len(chunks[0]) - 4)]))


def test_a_silent_group_is_not_restored() -> None:
    state, store = PartitionState.fresh(plan(), "log", 0), Store()
    step(plan(), state, [Unpacked(0, 1, NOON, [Event(user="u", application="a")], 1)])
    store.save(state)
    step(plan(), state, [Unpacked(1, 2, NOON + 1000, [Event(user="u", application="b")], 1)])
    store.save(state)
    restored, _ = store.load(plan())
    assert [group.application for group in restored.groups] == ["b"]
    assert restored.groups.last_number == 2


def test_timers_that_are_put_off_with_every_event_stay_few() -> None:
    silence = Plan(instances=(Instance("silence", "silence", Silence(seconds=50.0)),))
    state = PartitionState.fresh(silence, "log", 0)
    for offset in range(5000):
        events = [Event(session=f"s{offset % 20}")]
        step(silence, state, [Unpacked(offset, offset + 1, NOON + offset / 100, events, 1)])
    assert len(state.timers) <= 40


def test_timers_that_are_drawn_near_do_not_pile_up() -> None:
    class Nearer(Silence, frozen=True, kw_only=True):
        """Wants to be woken earlier with every event."""

        def due(self, state: Last) -> float | None:
            return NOON + 1e6 - state.events

    nearer = Plan(instances=(Instance("nearer", "nearer", Nearer()),))
    state = PartitionState.fresh(nearer, "log", 0)
    for offset in range(8000):
        step(nearer, state, [Unpacked(offset, offset + 1, NOON, [Event(session="s")], 1)])
    assert len(state.timers) <= 3000


def flooded(limit: int, honest: int, flood: int) -> dict[str, float]:
    """Figures of bench/flood.py, from a process of its own."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(root / "bench" / "flood.py"), str(limit), str(honest), str(flood)],
        capture_output=True,
        check=True,
        text=True,
        timeout=110,
        env={"PYTHONPATH": str(root)},
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_invented_keys_neither_grow_memory_nor_push_out_honest_ones() -> None:
    figures = flooded(limit=20_000, honest=10_000, flood=200_000)
    assert figures["keys"] == 20_000
    assert figures["kept"] >= 0.85
    assert figures["flood_mb"] < 15


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_hundred_thousand_keys_fit_into_45_megabytes() -> None:
    assert flooded(limit=125_000, honest=100_000, flood=0)["honest_mb"] < 45


def test_states_do_not_depend_on_the_hash_seed() -> None:
    script = (
        "from parts.watchers import Store, copy, lively, plan, rows\n"
        "from tocsin.core import PartitionState, step\n"
        "import hashlib, sys\n"
        "state = PartitionState.fresh(plan(), 'log', 0)\n"
        "batch = step(plan(), state, copy(lively(150, 3)))\n"
        "_, chunks = state.checkpoint(1)\n"
        "print(hashlib.sha256(rows(batch) + b''.join(chunks)).hexdigest())"
    )
    outcomes = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            check=True,
            timeout=60,
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outcomes) == 1
