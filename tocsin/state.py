"""The state of one log partition: its groups, its clock, its position, and how it is saved."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b, sha256
from typing import Any, NamedTuple

import msgspec

from tocsin.book import OpenAlert
from tocsin.chain import Chain, Pile
from tocsin.contracts import Checkpoint, Saved, StateUnreadable
from tocsin.groups import BOOK, HELD, Group, Groups
from tocsin.plan import Plan
from tocsin.prices import Prices
from tocsin.redact import Redaction
from tocsin.section import Section
from tocsin.timers import Timer, Timers
from tocsin.watch import ObserveFailed

FORMAT = 1  # of the chunks and of Meta


class Rows(msgspec.Struct):
    """How many rows of each table the last record has released so far."""

    events: int = 0
    alerts: int = 0
    rejects: int = 0


class Meta(msgspec.Struct, frozen=True):
    """The part of a checkpoint that every one holds whole."""

    last_offset: int
    rows: Rows
    last_group: int
    overflow: int
    history: str  # fingerprint of the content key: digests under another key mean nothing
    detectors: dict[str, str]  # instance name -> fingerprint
    backfill_until: int | None = None


def meta_of(checkpoint: Checkpoint) -> Meta:
    """Raises StateUnreadable where another version wrote it, or where it is corrupt."""
    version = checkpoint.versions.get("state")
    if version != FORMAT:
        raise StateUnreadable(f"state format {version}; this version reads format {FORMAT}")
    try:
        return msgspec.msgpack.decode(checkpoint.meta, type=Meta)
    except msgspec.DecodeError as error:
        raise StateUnreadable("the checkpoint's own part cannot be read") from error


class Count(NamedTuple):
    """What one section of one group holds."""

    tenant: str
    application: str
    section: str  # detector:<instance>, history, assembly, book
    keys: int
    protected: int
    evicted: int
    failures: int


class PartitionState:
    """Everything that processing one log partition depends on, besides its plan and its records."""

    def __init__(self, plan: Plan, log_id: str, number: int) -> None:
        self.plan = plan
        self.log_id = log_id
        self.number = number
        self.prefix = f"{blake2b(log_id.encode(), digest_size=4).hexdigest()}.{number}"
        self.clock = 0.0
        self.next_offset: int | None = None  # None: nothing was read yet
        self.last_offset = 0
        self.backfill_until: int | None = None  # records below this offset are older than the first start
        self.rows = Rows()
        self.groups = Groups(plan)
        self.timers = Timers()
        self.redaction = Redaction(plan.content, privacy=plan.privacy, limits=plan.limits)
        self.prices = Prices(plan.prices)
        self._chain = Chain(self.groups)

    @classmethod
    def fresh(cls, plan: Plan, log_id: str, number: int) -> PartitionState:
        """Nothing known."""
        return cls(plan, log_id, number)

    @classmethod
    def restore(cls, plan: Plan, log_id: str, number: int, saved: Saved) -> tuple[PartitionState, list[str]]:
        """The state as it was saved, with a complaint for each part that starts cold instead.

        Raises StateUnreadable for chunks that are corrupt or of a newer format.
        """
        checkpoint, meta = saved.checkpoint, meta_of(saved.checkpoint)
        state = cls(plan, log_id, number)
        state.clock, state.next_offset = checkpoint.clock, checkpoint.next_offset
        state.last_offset, state.rows = meta.last_offset, meta.rows
        state.backfill_until = meta.backfill_until
        complaints = state._fill(Pile(saved.chunks), meta)
        state.groups.last_number, state.groups.overflow = meta.last_group, meta.overflow
        state._chain = Chain(state.groups, checkpoint.sequence, checkpoint.base)
        state.set_timers()
        return state, complaints

    def checkpoint(self, epoch: int) -> tuple[Checkpoint, list[bytes]]:
        """What must be stored to come back here; offered again, with what came since, until `saved`."""
        sequence, base, chunks = self._chain.offer()
        return self.cover(epoch, sequence, base, chunks), chunks

    def cover(self, epoch: int, sequence: int, base: int, chunks: list[bytes]) -> Checkpoint:
        """The checkpoint that belongs to `chunks`."""
        digest = sha256()
        for chunk in chunks:
            digest.update(chunk)
        return Checkpoint(
            sequence=sequence,
            base=base,
            next_offset=self.next_offset or 0,
            clock=self.clock,
            epoch=epoch,
            config_hash=self.plan.config_hash,
            versions={"state": FORMAT}
            | {f"detector:{i.name}": i.detector.about.state_version for i in self.plan.instances},
            chunks=len(chunks),
            sha256=digest.hexdigest(),
            meta=msgspec.msgpack.encode(self._meta()),
        )

    def saved(self, sequence: int) -> None:
        """The store has confirmed the checkpoint that was offered last."""
        self._chain.saved(sequence)

    def describe(self) -> list[Count]:
        """What every section holds, by tenant and application; events without room: `groups.overflow`."""
        groups = sorted(self.groups, key=lambda group: (group.tenant, group.application))
        return [count for group in groups for count in _counts(group)]

    def set_timers(self) -> None:
        """Fill the heap from what the state says, dropping outdated timers."""
        timers: list[Timer] = []
        for group in self.groups:
            for place, key, entry, due in _wishes(group):
                entry.queued = due
                timers.append(Timer(due, group.tenant, group.application, place, key, group.number))
        self.timers.refill(timers)

    def _meta(self) -> Meta:
        return Meta(
            self.last_offset,
            self.rows,
            self.groups.last_number,
            self.groups.overflow,
            self.groups.history_fingerprint,
            {each.name: each.fingerprint for each in self.plan.instances},
            self.backfill_until,
        )

    def _fill(self, pile: Pile, meta: Meta) -> list[str]:
        complaints, cold = self.cold(meta)
        for block in pile.living(lambda seen: self.groups.alive(seen, self.clock)):
            group = self.groups.restore(block.group, block.tenant, block.application, block.seen)
            for name, section in group.sections():
                try:
                    pile.restore(group, name, section, cold=name in cold)
                except StateUnreadable as error:
                    complaints.append(f"{name} of {group.tenant}/{group.application} starts cold: {error}")
            group.assembly.restored()
        return complaints

    def cold(self, meta: Meta) -> tuple[list[str], set[str]]:
        """Which sections cannot be taken over, and what to say about it."""
        complaints: list[str] = []
        cold: set[str] = set()
        if meta.history != self.groups.history_fingerprint:
            complaints.append("history starts cold: the content key changed")
            cold |= {"history", "assembly:results"}  # both hold keyed digests
        for each in self.plan.instances:
            if meta.detectors.get(each.name) == each.fingerprint:
                continue
            cold.add(f"detector:{each.name}")
            if each.name in meta.detectors:
                complaints.append(f"detector {each.name} starts cold: its settings or its version changed")
        gone = meta.detectors.keys() - {each.name for each in self.plan.instances}
        complaints += [
            f"detector {name} is no longer configured: its state is dropped" for name in sorted(gone)
        ]
        return complaints, cold


def _counts(group: Group) -> Iterator[Count]:
    failures = {f"detector:{watch.instance.name}": watch.failures for watch in group.watches}
    for name, section in group.sections():
        yield Count(
            group.tenant,
            group.application,
            name,
            len(section),
            section.protected,
            section.evicted,
            failures.get(name, 0),
        )


def _wishes(group: Group) -> Iterator[tuple[int, str, Any, float]]:
    """Everything in a group that waits for a time."""
    hold = group.assembly.hold_seconds
    for key, held in group.assembly.held.items():
        yield HELD, key, held, held.seen + hold
    pages: Section[OpenAlert | None] = group.book.open
    for key, page in pages.items():
        if page.value:
            yield BOOK, key, page, page.value.until
    for watch in group.watches:
        if watch.timed:
            for key, entry in list(watch.section.items()):
                try:
                    due = watch.due(key, entry)
                except ObserveFailed:
                    continue
                if due is not None:
                    yield watch.place, key, entry, due
