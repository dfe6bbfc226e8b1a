"""A new generation of the exchange goes on, group by group, where the one before ended."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from parts.watchers import Every, extend, lively, plan

from tocsin.carry import Carry, Old
from tocsin.chain import ROUND
from tocsin.contracts import Checkpoint, Saved, StateUnreadable
from tocsin.core import Instance, PartitionState, Plan, Unpacked, finish, step
from tocsin.model import Alert, Batch, Event
from tocsin.settings import DetectorOptions, GroupSettings

NOON = 1.8e9
ROOMY = plan(groups=GroupSettings(max_groups=100, idle_seconds=100.0))
CROWDED = plan(groups=GroupSettings(max_groups=1, idle_seconds=100.0))


def route(tenant: str, application: str, partitions: int) -> int:
    return zlib.crc32(f"{tenant}\0{application}".encode()) % partitions


def numbered(log: Sequence[Unpacked]) -> list[Unpacked]:
    """Events only, each with a number of its own that no log gives it."""
    count, made = 0, []
    for record in log:
        items = []
        for item in record.items:
            if isinstance(item, Event):
                count += 1
                items.append(replace(item, source_offset=count))
        made.append(record._replace(items=items))
    return made


class Log:
    """Partitions of one generation, each with its state; every record brings all of them the time."""

    def __init__(self, plan: Plan, states: Sequence[PartitionState]) -> None:
        self.plan = plan
        self.states = states
        self.batch = Batch()

    @classmethod
    def fresh(cls, plan: Plan, log_id: str, partitions: int) -> Log:
        return cls(plan, [PartitionState.fresh(plan, log_id, number) for number in range(partitions)])

    def feed(self, records: Iterable[Unpacked], late: Iterable[int] = ()) -> None:
        """`late` partitions are not told the time by records that hold nothing for them."""
        for record in records:
            for state in self.states:
                mine = [
                    replace(item)
                    for item in record.items
                    if isinstance(item, Event)
                    and route(item.tenant, item.application, len(self.states)) == state.number
                ]
                if mine or state.number not in late:
                    extend(self.batch, step(self.plan, state, [record._replace(items=mine)]))

    def finish(self) -> Batch:
        for state in self.states:
            extend(self.batch, finish(self.plan, state))
        return self.batch

    def olds(self) -> list[Old]:
        return [Old(state.number, len(self.states), Saved(*state.checkpoint(1))) for state in self.states]

    def carried(self, partitions: int, plan: Plan | None = None, log_id: str = "new") -> tuple[Log, Carry]:
        """The next generation, which takes over what was released so far."""
        plan = plan or self.plan
        carry = Carry(plan, self.olds(), route, log_id, partitions)
        states = []
        for number in range(partitions):
            state, complaints = PartitionState.restore(
                plan, log_id, number, Saved(*carry.checkpoint(number, epoch=4))
            )
            assert complaints == []
            states.append(state)
        log = Log(plan, states)
        log.batch = self.batch
        return log, carry


def told(batch: Batch) -> dict[tuple[str, str], list[Any]]:
    """What was said of each group, in order, without the places and names that a log gives."""
    names = {event.id: event.source_offset for event in batch.events}
    said: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for event, signals in zip(batch.events, batch.signals, strict=True):
        bare = replace(event, id="", log_id="", log_partition=0, log_offset=0, log_index=0)
        said[event.tenant, event.application].append(msgspec.to_builtins((bare, signals)))
    for alert in batch.alerts:
        said[alert.tenant, alert.application].append(_bare(alert, names))
    for reject in batch.rejects:
        bare_reject = replace(reject, log_id="", log_partition=0, log_offset=0, log_index=0)
        said[reject.tenant, "\0rejects"].append(msgspec.to_builtins(bare_reject))
    said.update({name: sorted(lines, key=repr) for name, lines in said.items() if name[1] == "\0rejects"})
    return said


def _bare(alert: Alert, names: dict[str, int]) -> Any:
    bare = replace(alert, id="", event_ids=(), log_id="", log_partition=0, log_offset=0, log_index=0)
    return msgspec.to_builtins(bare), [names[each] for each in alert.event_ids]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 5), st.integers(1, 159), st.booleans())
def test_groups_go_on_as_if_nothing_had_happened(
    seed: int, before: int, after: int, cut: int, lagging: bool
) -> None:
    """Findings, revisions, held halves and timers of each group, whatever partitions it was in."""
    log = numbered(lively(160, seed))
    late = {seed % before} if lagging else set()
    old, unchanged = (Log.fresh(ROOMY, "old", before) for _ in range(2))
    for each in (old, unchanged):
        each.feed(log[: cut - cut // 4])
        each.feed(log[cut - cut // 4 : cut], late)
    new, carry = old.carried(after)
    assert carry.complaints == [] and carry.crowded == []
    tick = Unpacked(log[cut - 1].offset + 1, log[cut].offset, carry.clock, [], 0)
    for each in (new, unchanged):
        each.feed([tick])
        each.feed(log[cut:])
    assert told(new.finish()) == told(unchanged.finish())


def test_the_log_that_is_carried_is_full_of_what_waits() -> None:
    held = pages = timers = keys = 0
    for cut in (60, 90, 120, 150):
        old = Log.fresh(ROOMY, "old", 3)
        old.feed(numbered(lively(160, 11))[:cut])
        new, _ = old.carried(2)
        groups = [group for state in new.states for group in state.groups]
        held += sum(len(group.assembly.held) for group in groups)
        pages += sum(len(group.book.open) for group in groups)
        keys += sum(len(watch.section) for group in groups for watch in group.watches)
        timers += sum(len(state.timers) for state in new.states)
    assert held >= 4 and pages >= 20 and keys >= 100 and timers > pages


def test_a_generation_after_the_next_goes_on_too() -> None:
    log = numbered(lively(300, 2))
    now, unchanged = Log.fresh(ROOMY, "g0", 2), Log.fresh(ROOMY, "g0", 2)
    for at, partitions in enumerate((5, 1, 3)):
        part = log[at * 100 : at * 100 + 100]
        now.feed(part)
        unchanged.feed(part)
        now, _ = now.carried(partitions, log_id=f"g{at + 1}")
    assert told(now.finish()) == told(unchanged.finish())


def test_a_held_half_becomes_a_row_of_its_new_log() -> None:
    half = Event(application="a", join="j", half="span", trace_id="t", span_id="s")
    old = Log.fresh(ROOMY, "old", 2)
    old.feed([Unpacked(7, 8, NOON, [half], 1)])
    new, _ = old.carried(3)
    new.feed([Unpacked(0, 1, NOON + 60, [], 1)])
    (event,) = new.batch.events
    number = route("", "a", 3)
    assert (event.log_id, event.log_partition, event.log_offset, event.log_index) == ("new", number, 0, 0)
    assert event.id.split(".")[1:] == [str(route("", "a", 2)), "7", "0"]  # it stays the event that it was


def test_a_group_that_another_partitions_clock_left_behind_loses_nothing() -> None:
    """One partition fell silent long before the other: its half is released, then its group is forgotten."""
    first, second = (next(a for a in "abcdefgh" if route("", a, 2) == number) for number in range(2))
    old = Log.fresh(ROOMY, "old", 2)
    old.feed([Unpacked(0, 1, NOON, [Event(application=first, user="u", join="j", half="span")], 1)])
    old.feed([Unpacked(1, 2, NOON + 5000, [Event(application=second, user="u")], 1)], late={0})
    assert [event.application for event in old.batch.events] == [second]
    new, carry = old.carried(1)
    assert carry.clock == NOON + 5000
    new.feed([Unpacked(0, 1, NOON + 5001, [], 1)])
    assert [event.application for event in new.batch.events] == [second, first]
    assert [group.application for group in new.states[0].groups] == [second]


def test_every_new_partition_begins_at_the_same_time_at_its_first_record() -> None:
    old = Log.fresh(ROOMY, "old", 1)
    old.feed([Unpacked(41, 42, NOON, [Event(application="a", user="u")], 1)])
    new, _ = old.carried(4)
    assert [(state.clock, state.next_offset, len(state.groups)) for state in new.states] == [
        (NOON, 0, int(route("", "a", 4) == number)) for number in range(4)
    ]


def test_checkpoints_go_on_from_the_carried_one() -> None:
    log = numbered(lively(200, 9))
    old = Log.fresh(ROOMY, "old", 2)
    old.feed(log[:100])
    carry = Carry(ROOMY, old.olds(), route, "new", 1)
    kept: dict[int, tuple[Checkpoint, list[bytes]]] = {1: carry.checkpoint(0, 1)}
    assert (kept[1][0].sequence, kept[1][0].base, kept[1][0].epoch) == (1, 1, 1)
    state, _ = PartitionState.restore(ROOMY, "new", 0, Saved(*kept[1]))
    for at, record in enumerate(log[100 : 105 + 2 * ROUND]):
        step(ROOMY, state, [record._replace(offset=at, next_offset=at + 1)])
        checkpoint, chunks = state.checkpoint(1)
        kept[checkpoint.sequence] = checkpoint, chunks
        state.saved(checkpoint.sequence)
        needed = [kept[number][1] for number in range(checkpoint.base, checkpoint.sequence + 1)]
        again, said = PartitionState.restore(
            ROOMY, "new", 0, Saved(checkpoint, [chunk for part in needed for chunk in part])
        )
        assert said == [] and _sizes(again) == _sizes(state)
    assert kept[max(kept)][0].base > 1


def _sizes(state: PartitionState) -> list[Any]:
    """Apart from what is counted and not kept."""
    return [count._replace(failures=0, evicted=0) for count in state.describe()]


def test_the_same_state_is_carried_as_the_same_bytes() -> None:
    old = Log.fresh(CROWDED, "old", 3)
    old.feed(numbered(lively(100, 4)))
    first, second = (Carry(CROWDED, old.olds(), route, "new", 2) for _ in range(2))
    for number in range(2):
        assert first.checkpoint(number, 1) == second.checkpoint(number, 1)


# The group `other`, and too many groups.


@pytest.mark.parametrize(("before", "after"), [(1, 3), (4, 2), (3, 1), (2, 2)])
def test_nothing_that_waits_in_other_is_lost(before: int, after: int) -> None:
    """Where several meet, their halves all become rows, and their alerts all get their final counts."""
    for seed in range(6):
        log = numbered(lively(120, seed))
        old, unchanged = (Log.fresh(CROWDED, "old", before) for _ in range(2))
        old.feed(log)
        unchanged.feed(log)
        new, _ = old.carried(after)
        expected, found = unchanged.finish(), new.finish()
        assert sorted(e.source_offset for e in found.events) == sorted(
            e.source_offset for e in expected.events
        )
        assert _finals(found) == _finals(expected)


def _finals(batch: Batch) -> dict[str, int]:
    """The last count of each alert."""
    counts: dict[str, int] = {}
    for alert in batch.alerts:
        counts[alert.id] = max(counts.get(alert.id, 0), alert.count)
    return counts


def test_others_that_meet_become_one_and_the_later_entry_counts() -> None:
    home = route("", "other", 4)
    olds = [_sharing(number, events) for number, events in (((home + 1) % 4, 12), ((home + 3) % 4, 14))]
    carry = Carry(CROWDED, olds, route, "new", 2)
    number = (home + 1) % 2
    state, complaints = PartitionState.restore(CROWDED, "new", number, Saved(*carry.checkpoint(number, 1)))
    (other,) = (group for group in state.groups if group.application == "other")
    assert complaints == []
    assert other.watches[0].section.touch("u", NOON + 9).value.events == 14
    assert list(other.assembly.held) == ["j\x001", "j"]
    assert {page for page in other.book.open if page.startswith("every")} == {"every\0u\x001", "every\0u"}
    batch = step(CROWDED, state, [Unpacked(0, 1, NOON + 90, [], 1)])
    assert len(batch.events) == 2
    assert sorted(a.count for a in batch.alerts if a.detector == "fragile") == [6, 7]


def _sharing(number: int, events: int) -> Old:
    """A partition in which `other` holds a half, an open alert and a count of `events`."""
    state = PartitionState.fresh(CROWDED, "old", number)
    half = Event(application="b", join="j", half="span", trace_id="t", span_id=str(number))
    step(CROWDED, state, [Unpacked(0, 1, NOON, [Event(application=f"first{number}"), half], 1)])
    for at in range(1, events + 1):
        event = Event(application="b", user="u")
        step(CROWDED, state, [Unpacked(at, at + 1, NOON + at / 10, [event], 1)])
    return Old(number, 4, Saved(*state.checkpoint(1)))


def test_tables_that_become_one_keep_room_for_new_keys() -> None:
    """Two whole lines of protected keys do not shut the door on everybody else."""
    bounds = DetectorOptions(max_keys=20)
    small = Plan(instances=(Instance("every", "every", Every(), bounds),), groups=CROWDED.groups)
    home, olds = route("", "other", 4), []
    for number, name, start in (((home + 1) % 4, "later", NOON + 50), ((home + 3) % 4, "earlier", NOON)):
        state = PartitionState.fresh(small, "old", number)
        users = [Event(application="b", user=f"{name}{n}") for n in range(16)]
        for at in range(2):
            items = [Event(application="a"), *map(replace, users)]
            step(small, state, [Unpacked(at, at + 1, start + at, items, 1)])
        olds.append(Old(number, 4, Saved(*state.checkpoint(1))))
    number = (home + 1) % 2
    carry = Carry(small, olds, route, "new", 2)
    state, _ = PartitionState.restore(small, "new", number, Saved(*carry.checkpoint(number, 1)))
    (section,) = (g.watches[0].section for g in state.groups if g.application == "other")
    assert (len(section), section.protected) == (32, 16)
    protected = [entry for _, entry in section.items() if entry.protected]
    assert [entry.key for entry in protected] == [f"later{n}" for n in range(16)]
    assert [entry.order for _, entry in section.items()] == [*range(33, 49), *range(17, 33)]
    assert section.order == 48
    newcomers = [Event(application="b", user=f"new{n}") for n in range(4)]
    step(small, state, [Unpacked(0, 1, NOON + 60, newcomers, 1)])
    assert len(section) == 20 and all(section.get(event.user) for event in newcomers)


def test_groups_beyond_the_limit_stay_and_new_ones_share_other() -> None:
    old = Log.fresh(CROWDED, "old", 8)
    names = {route("", name, 8): name for name in "abcdefghijklmnop"}
    events = [Event(application=name, user="u") for name in names.values()]
    old.feed([Unpacked(0, 1, NOON, events, 1)])
    new, carry = old.carried(1)
    assert carry.crowded == [(0, "", len(names))]
    assert {group.application for group in new.states[0].groups} == set(names.values())
    new.feed([Unpacked(0, 1, NOON + 1, [replace(events[0]), Event(application="late", user="u")], 1)])
    assert {group.application for group in new.states[0].groups} == {*names.values(), "other"}
    assert new.states[0].groups.overflow == 1


# Changed settings and broken checkpoints.


def test_a_changed_detector_starts_cold_and_says_so_once() -> None:
    old = Log.fresh(ROOMY, "old", 3)
    old.feed(numbered(lively(100, 6)))
    options = DetectorOptions(max_keys=16, cooldown_seconds=30.0, idle_seconds=200.0)
    first, _, third, fourth = ROOMY.instances
    changed = replace(
        ROOMY, instances=(first, Instance("fragile", "every", Every(n=9), options), third, fourth)
    )
    new, carry = old.carried(2, changed)
    assert carry.complaints == ["detector fragile starts cold: its settings or its version changed"]
    sizes = {
        name: sum(c.keys for state in new.states for c in state.describe() if c.section == f"detector:{name}")
        for name in ("every", "fragile")
    }
    assert sizes["every"] > 5 and sizes["fragile"] == 0


def test_unreadable_checkpoints_are_refused() -> None:
    old = Log.fresh(ROOMY, "old", 1)
    old.feed(numbered(lively(20, 6)))
    ((number, partitions, (checkpoint, chunks)),) = old.olds()
    for broken in (
        Saved(replace(checkpoint, versions={"state": 99}), chunks),
        Saved(checkpoint, [chunks[0][:-1]]),
    ):
        with pytest.raises(StateUnreadable):
            Carry(ROOMY, [Old(number, partitions, broken)], route, "new", 2)


def test_nothing_carried_is_an_empty_beginning() -> None:
    carry = Carry(ROOMY, [], route, "new", 2)
    state, complaints = PartitionState.restore(ROOMY, "new", 1, Saved(*carry.checkpoint(1, 1)))
    assert complaints == [] and len(state.groups) == 0 and state.next_offset == 0
