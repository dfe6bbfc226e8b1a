"""The state of the exchange's generations so far, dealt by group to the log partitions of the next one.

Nothing is decoded but the halves that wait: a group's tables are carried as they were saved, so a group goes
on as if nothing had happened. Only `other`, which all share who found no room, may meet its like from
another partition; then their tables become one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from typing import NamedTuple

from tocsin.assembly import moved
from tocsin.chain import Block, Pile, chunked, pieces
from tocsin.contracts import Checkpoint, Saved, StateUnreadable
from tocsin.groups import OTHER
from tocsin.plan import Plan
from tocsin.section import Head, Kept
from tocsin.state import PartitionState, meta_of

Route = Callable[[str, str, int], int]  # tenant, application, partitions -> partition
Table = tuple[Head, list[Kept]]

LOSSLESS = frozenset({"assembly", "book"})  # sections whose entries still become rows


class Old(NamedTuple):
    """The newest checkpoint of a log partition that was read to its end."""

    number: int
    partitions: int  # of its generation
    saved: Saved


class Part(NamedTuple):
    """A group as one old log partition had it."""

    seen: float
    tables: dict[str, Table]


class Carry:
    """The first checkpoints of a new generation.

    Raises StateUnreadable for a checkpoint that is corrupt or of another format.
    """

    def __init__(self, plan: Plan, olds: Sequence[Old], route: Route, log_id: str, partitions: int) -> None:
        self.clock = max((old.saved.checkpoint.clock for old in olds), default=0.0)
        self.complaints: list[str] = []  # what starts cold; grows with the checkpoints that are made
        self._plan = plan
        self._log_id = log_id
        self._route = route
        self._partitions = partitions
        self._groups: list[dict[tuple[str, str], list[Part]]] = [defaultdict(list) for _ in range(partitions)]
        for old in olds:
            self._deal(old)
        self.complaints = list(dict.fromkeys(self.complaints))

    @property
    def crowded(self) -> Sequence[tuple[int, str, int]]:
        """Partition, tenant, groups: where more come together than `max_groups`. They are all kept."""
        return [
            (number, tenant, count)
            for number, groups in enumerate(self._groups)
            for tenant, count in sorted(Counter(t for t, name in groups if name != OTHER).items())
            if count > self._plan.groups.max_groups
        ]

    def checkpoint(self, number: int, epoch: int) -> tuple[Checkpoint, list[bytes]]:
        """What a new log partition begins with, and the chunks to it."""
        state = PartitionState.fresh(self._plan, self._log_id, number)
        state.clock, state.next_offset = self.clock, 0
        state.groups.last_number = len(self._groups[number])
        # A group that the furthest clock has left behind is forgotten once what it still holds was released.
        oldest = state.groups.oldest(self.clock)
        chunks = list(chunked(self._blocks(number, oldest)))
        return state.cover(epoch, 1, 1, chunks), chunks

    def _deal(self, old: Old) -> None:
        checkpoint, chunks = old.saved
        blank = PartitionState.fresh(self._plan, self._log_id, 0)
        complaints, cold = blank.cold(meta_of(checkpoint))
        self.complaints += complaints
        pile = Pile(chunks)
        for block in pile.living(lambda seen: blank.groups.alive(seen, checkpoint.clock)):
            tables = {name: table for name, table in pile.sections(block.group).items() if name not in cold}
            place = self._groups[self._place(old, block.tenant, block.application)]
            place[block.tenant, block.application].append(Part(block.seen, tables))

    def _place(self, old: Old, tenant: str, application: str) -> int:
        """The new partition of a group. Those who share `other` are there because of their own names."""
        if application == OTHER and self._route(tenant, application, old.partitions) != old.number:
            return old.number % self._partitions
        return self._route(tenant, application, self._partitions)

    def _blocks(self, number: int, oldest: float) -> Iterator[Block]:
        """Groups with their sections, numbered in the order in which they were heard of."""
        groups = [
            (max(part.seen for part in parts), *name, parts) for name, parts in self._groups[number].items()
        ]
        for at, (seen, tenant, application, parts) in enumerate(sorted(groups, key=lambda g: g[:3]), 1):
            start = (at, tenant, application, max(seen, oldest))
            yield Block(*start)
            for name in sorted({name for part in parts for name in part.tables}):
                try:
                    head, kept = _table(name, [part.tables[name] for part in parts if name in part.tables])
                    if name == "assembly":
                        kept = [each._replace(value=moved(each.value, self._log_id, number)) for each in kept]
                except StateUnreadable as error:
                    self.complaints.append(f"{name} of {tenant}/{application} starts cold: {error}")
                else:
                    yield from pieces(Block(*start, name, head), kept)


def _table(name: str, tables: Sequence[Table]) -> Table:
    """One table of several: of two entries under one key the later one counts.

    An entry that still has to become a row stays beside it, under a key that nobody asks for.
    """
    if len(tables) == 1:
        return tables[0]
    found: dict[str, Kept] = {}
    numbered = [[(at, each) for each in kept] for at, (_, kept) in enumerate(tables)]
    for at, each in merge(*numbered, key=lambda pair: pair[1].seen):
        earlier = found.pop(each.key, None)
        if earlier and name in LOSSLESS:
            found[f"{each.key}\0{at}"] = earlier._replace(key=f"{each.key}\0{at}")
        found[each.key] = each
    heads = [head for head, _ in tables]
    evicted, swept = sum(head.evicted for head in heads), max(head.swept for head in heads)
    kept = [each._replace(order=order) for order, each in enumerate(found.values(), 1)]
    return Head(len(kept), 0, 0, evicted, swept), kept
