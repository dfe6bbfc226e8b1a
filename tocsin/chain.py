"""Checkpoints as a chain: what changed since the last one, plus a turn of what did not.

After ROUND checkpoints or so every entry was written again, and chunks from before are not needed.
Chunks are one stream of blocks, each behind its length, cut at CHUNK bytes: a block may cross a cut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import Any, NamedTuple

import msgspec

from tocsin.contracts import StateUnreadable
from tocsin.groups import Group, Groups
from tocsin.section import Entry, Head, Kept, Section

CHUNK = 512 << 10
BLOCK = 64 << 10  # aimed at; a single entry may be longer
ROUND = 32
LEAST = 64  # unchanged entries a checkpoint writes at least, so that a small state is written whole

_LENGTH = Struct(">I")


class Block(msgspec.Struct, frozen=True, array_like=True):
    """Some entries of one section of one group; without a section it says that the group is there."""

    group: int
    tenant: str
    application: str
    seen: float
    section: str = ""
    head: Head = Head(0, 0, 0, 0, 0.0)
    removed: list[str] = []
    entries: list[Kept] = []


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Block)


class Offer(NamedTuple):
    """What a checkpoint that is not yet confirmed holds of a section."""

    section: Section[Any]
    order: int
    entries: list[Entry[Any]]


class Chain:
    """The chunks of one log partition's checkpoints, and which of them are needed."""

    def __init__(self, groups: Groups, sequence: int = 0, base: int = 1) -> None:
        self._groups = groups
        self.sequence = sequence  # of the last confirmed checkpoint
        self._base = base
        self._round_start = sequence + 1
        self._waiting: deque[tuple[Group, str, Section[Any]]] = deque()
        self._keys: list[str] = []
        self._quota = LEAST
        self._turn: dict[tuple[int, str], list[str]] | None = None  # offered, not confirmed
        self._offers: list[Offer] = []
        self._seen: list[tuple[Group, float]] = []

    def offer(self) -> tuple[int, int, list[bytes]]:
        """Sequence, base and chunks of the next checkpoint; the same sequence until it is `saved`."""
        if self._turn is None:
            if not self._waiting:
                self._begin_round()
            self._turn = self._next_turn()
        self._offers, self._seen = [], []
        chunks = list(_chunks(self._blocks(self._turn)))
        base = self._base if self._waiting else self._round_start
        return self.sequence + 1, base, chunks

    def saved(self, sequence: int) -> None:
        """The last offer is durable."""
        if sequence != self.sequence + 1 or self._turn is None:
            raise ValueError(f"checkpoint {sequence} was not offered")
        for section, order, entries in self._offers:
            section.saved(order, entries)
        for group, seen in self._seen:
            group.mark = seen
        self.sequence = sequence
        self._turn, self._offers, self._seen = None, [], []
        if not self._waiting:
            self._base, self._round_start = self._round_start, sequence + 1

    def _begin_round(self) -> None:
        self._waiting.extend(
            (group, name, section) for group in self._groups for name, section in group.sections()
        )
        total = sum(len(section) for _, _, section in self._waiting)
        self._quota = max(LEAST, -(-total // ROUND))

    def _next_turn(self) -> dict[tuple[int, str], list[str]]:
        """Takes keys until the quota is met; a section's keys are looked up when its turn comes."""
        turn: dict[tuple[int, str], list[str]] = {}
        room = self._quota
        while self._waiting:
            group, name, section = self._waiting[0]
            self._keys = self._keys or list(section)
            turn[group.number, name] = self._keys[:room]
            if len(self._keys) > room:
                self._keys = self._keys[room:]
                break
            room -= len(self._keys)
            self._keys = []
            self._waiting.popleft()
        return turn

    def _blocks(self, turn: dict[tuple[int, str], list[str]]) -> Iterator[Block]:
        for group in self._groups:
            if group.seen > group.mark or (group.number, "book") in turn:
                self._seen.append((group, group.seen))
                yield Block(group.number, group.tenant, group.application, group.seen)
            for name, section in group.sections():
                keys = turn.get((group.number, name), ())
                if keys or section.dirty:
                    yield from self._section(group, name, section, keys)

    def _section(
        self, group: Group, name: str, section: Section[Any], keys: Sequence[str]
    ) -> Iterator[Block]:
        offer = Offer(section, section.order, [])
        self._offers.append(offer)
        start = (group.number, group.tenant, group.application, group.seen, name, section.head())
        removed, kept, size = list(section.removed), [], 0
        for entry in section.offer(keys):
            offer.entries.append(entry)
            kept.append(section.keep(entry))
            size += len(kept[-1].value) + 64
            if size >= BLOCK:
                yield Block(*start, removed, kept)
                removed, kept, size = [], [], 0
        yield Block(*start, removed, kept)


class Pile:
    """Everything that a chain of chunks says, the newest last."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.groups: dict[int, Block] = {}
        self._heads: dict[tuple[int, str], Head] = {}
        self._entries: dict[tuple[int, str], dict[str, Kept]] = {}
        for block in _read(chunks):
            self.groups[block.group] = block
            if block.section:
                self._add((block.group, block.section), block)

    def _add(self, place: tuple[int, str], block: Block) -> None:
        self._heads[place] = block.head
        entries = self._entries.setdefault(place, {})
        for key in block.removed:
            entries.pop(key, None)
        for kept in block.entries:
            entries[kept.key] = kept

    def restore(self, group: Group, name: str, section: Section[Any], *, cold: bool) -> None:
        """Fills a section of a group. Raises StateUnreadable where its entries are of another shape."""
        head = self._heads.get((group.number, name))
        if head is None:
            return
        try:
            if cold:
                section.forget(head)
            else:
                section.restore(head, list(self._entries[group.number, name].values()))
        except StateUnreadable:
            section.forget(head)
            raise


def _chunks(blocks: Iterable[Block]) -> Iterator[bytes]:
    buffer = bytearray()
    for block in blocks:
        data = _encode(block)
        buffer += _LENGTH.pack(len(data))
        buffer += data
        while len(buffer) >= CHUNK:
            yield bytes(buffer[:CHUNK])
            del buffer[:CHUNK]
    if buffer:
        yield bytes(buffer)


def _read(chunks: Iterable[bytes]) -> Iterator[Block]:
    """Blocks of the stream; a checkpoint's blocks never cross into the next one's chunks."""
    buffer = b""
    for chunk in chunks:
        buffer += chunk
        at = 0
        while len(buffer) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, at)
            if len(buffer) - at - _LENGTH.size < length:
                break
            at += _LENGTH.size
            yield _block(buffer[at : at + length])
            at += length
        buffer = buffer[at:]
    if buffer:
        raise StateUnreadable(f"the last {len(buffer)} bytes of the chunks are half a block")


def _block(data: bytes) -> Block:
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StateUnreadable("a block of state is not what this version writes") from error
