"""Several workers, one log, store and sink: partitions move, workers freeze, die and come back."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from parts.loop import House, Reader, append, calls, filled
from parts.watchers import lively

from tocsin.checkpoint import digest
from tocsin.memory import Crash, MemoryLog, position
from tocsin.model import Partition
from tocsin.worker import Worker

PARTITIONS = [Partition("memory", number) for number in range(3)]


class Member:
    """One process of the group."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.start()

    def start(self) -> None:
        self.reader: Reader = self.house.reader()
        self.reader.lose(*PARTITIONS)
        self.reader.changes()
        self.worker: Worker = self.house.worker(reader=self.reader)

    def rounds(self, times: int) -> bool:
        """Whether it lives; a dead one starts again with nothing assigned."""
        try:
            self.house.rounds(self.worker, times)
        except Crash:
            self.start()
            return False
        return True


class Group(RuleBasedStateMachine):
    """The coordinator gives each partition to one worker at a time, and tells them so in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House(MemoryLog(len(PARTITIONS)), follow=True, max_records=5)
        self.members = [Member(self.house), Member(self.house)]
        self.owner: dict[Partition, int] = {}
        self.seed = 0

    @initialize()
    def begin(self) -> None:
        for partition in PARTITIONS:
            self.give(partition, partition.number % 2)

    def give(self, partition: Partition, to: int) -> None:
        self.owner[partition] = to
        self.members[to].reader.assign(partition)

    def give_back(self, member: int) -> None:
        """The group notices that a member is a new process."""
        for partition, owner in self.owner.items():
            if owner == member:
                self.give(partition, member)

    @rule(number=st.integers(0, 2), records=st.integers(1, 12))
    def arrive(self, number: int, records: int) -> None:
        self.seed += 1
        append(self.house.log, lively(records, self.seed), number)

    @rule(member=st.integers(0, 1), times=st.integers(1, 6))
    def work(self, member: int, times: int) -> None:
        if not self.members[member].rounds(times):
            self.give_back(member)

    @rule(partition=st.sampled_from(PARTITIONS), lost=st.booleans())
    def move(self, partition: Partition, lost: bool) -> None:
        old = self.owner[partition]
        (self.members[old].reader.lose if lost else self.members[old].reader.revoke)(partition)
        self.give(partition, 1 - old)

    @rule(member=st.integers(0, 1))
    def restart(self, member: int) -> None:
        """Killed, and back at once with what it had."""
        self.members[member].start()
        self.give_back(member)

    @rule(fault=st.sampled_from(("unavailable", "half", "lost_reply", "crash_half", "crash_after")))
    def break_sink(self, fault: str) -> None:
        self.house.tables[0].faults.append(fault)  # type: ignore[arg-type]

    @rule(fault=st.sampled_from(("unavailable", "lost_reply")))
    def break_store(self, fault: str) -> None:
        self.house.shelf.faults.append(fault)  # type: ignore[arg-type]

    @precondition(lambda self: self.seed > 0)
    @rule(number=st.integers(0, 2))
    def damage(self, number: int) -> None:
        """A bit of the newest checkpoint flips, where there is one before."""
        log = f"{self.house.log.ids[number]}/{number}"
        if len(self.house.shelf.saved.get(log, {})) > 1 and not self.damaged(log):
            self.house.shelf.damage(log)

    def damaged(self, log: str) -> bool:
        return any(
            digest(saved.chunks) != saved.checkpoint.sha256 for saved in self.house.shelf.saved[log].values()
        )

    @invariant()
    def nothing_is_doubled(self) -> None:
        assert self.house.tables[0].doubled == 0

    def teardown(self) -> None:
        self.house.tables[0].faults.clear()
        self.house.shelf.faults.clear()
        for _ in range(100):
            for member in self.members:
                member.rounds(5)
            ends = {p: self.house.log.ends[p.number] for p in PARTITIONS if self.house.log.ends[p.number]}
            if all(self.house.log.committed.get(p) == end for p, end in ends.items()):
                break
        reference = House(self.house.log, follow=True)
        reference.rounds(reference.worker(), 200)
        assert self.house.result() == reference.result()


TestGroup = Group.TestCase
TestGroup.settings = settings(max_examples=50, stateful_step_count=25)


def test_a_frozen_worker_that_wakes_up_is_fenced_and_forgets_what_it_had() -> None:
    house = House(filled(), follow=True, max_records=3)
    stale, fresh = Member(house), Member(house)
    stale.reader.assign(PARTITIONS[0])
    stale.rounds(3)
    fresh.reader.assign(PARTITIONS[0])  # the group gave it away while the other one was frozen
    fresh.rounds(100)
    saved = dict(house.shelf.saved[f"{house.log.ids[0]}/0"])
    stale.rounds(100)
    assert house.watchers.metrics.value("tocsin_rebalances_total", change="fenced") == 1
    assert house.shelf.saved[f"{house.log.ids[0]}/0"] == saved
    reference = House(filled(), follow=True)
    reference.rounds(reference.worker(), 100)
    tables, right = house.tables[0], reference.tables[0]
    assert tables.doubled > 0, "it wrote before it knew; a row's place absorbs that"
    assert {position(e): (e, s) for e, s in tables.events} == {position(e): (e, s) for e, s in right.events}
    assert {position(a): a for a in tables.alerts} == {position(a): a for a in right.alerts}


def test_a_fenced_partition_that_stays_with_the_worker_is_claimed_again() -> None:
    house = House(MemoryLog(), follow=True)
    append(house.log, calls(10))
    member = Member(house)
    member.reader.assign(PARTITIONS[0])
    member.rounds(20)
    house.shelf.epochs[f"{house.log.ids[0]}/0"] += 1  # `tocsin state reset`, for one
    append(house.log, calls(10))
    member.rounds(20)
    assert "partition memory/0" in house.watchers.health.reasons()
    house.clock.sleep(31)
    member.rounds(20)
    assert house.log.committed[PARTITIONS[0]] == house.log.ends[0]
    assert house.tables[0].doubled == 0 and len(house.tables[0].events) == 20
    assert "partition memory/0" not in house.watchers.health.reasons()


@pytest.mark.parametrize("gone", ["revoke", "lose"])
def test_rows_of_a_partition_that_is_gone_are_not_written_any_more(gone: str) -> None:
    house = House(MemoryLog(), follow=True, linger_ms=10_000, checkpoint_seconds=60.0)
    append(house.log, calls(10))
    member = Member(house)
    member.reader.assign(PARTITIONS[0])
    member.rounds(5)
    getattr(member.reader, gone)(PARTITIONS[0])
    house.clock.sleep(20)
    member.rounds(5)
    assert house.tables[0].events == [] and house.log.committed == {}
    assert "partitions" in house.watchers.health.reasons()
