"""Checkpoints as a chain: what changed since the last one, plus a turn of what did not.

After ROUND checkpoints or so every entry was written again, and chunks from before are not needed.
Chunks are one stream of blocks, each behind its length, cut at CHUNK bytes: a block may cross a cut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from struct import Struct
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from tocsin.contracts import StateUnreadable
from tocsin.groups import Group, Groups
from tocsin.section import Entry, Head, Kept, Section, standing

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


def pieces(start: Block, kept: Iterable[Kept]) -> Iterator[Block]:
    """Blocks like `start`, with entries; `removed` stands in the first alone."""
    part: list[Kept] = []
    size = 0
    for each in kept:
        part.append(each)
        size += len(each.value) + 64
        if size >= BLOCK:
            yield replace(start, entries=part)
            start, part, size = replace(start, removed=[]), [], 0
    yield replace(start, entries=part)


def chunked(blocks: Iterable[Block]) -> Iterator[bytes]:
    """The stream of blocks, cut."""
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
        chunks = list(chunked(self._blocks(self._turn)))
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
        place = (group.number, group.tenant, group.application, group.seen, name)

        def offered() -> Iterator[Kept]:
            for entry in section.offer(keys):
                offer.entries.append(entry)
                yield section.keep(entry)

        yield from pieces(Block(*place, section.head(), list(section.removed)), offered())


class Pile:
    """Everything that a chain of chunks says, the newest last."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.groups: dict[int, Block] = {}
        self._heads: dict[int, dict[str, Head]] = {}
        self._entries: dict[tuple[int, str], dict[str, Kept]] = {}
        for block in _read(chunks):
            self.groups[block.group] = block
            if block.section:
                self._add(block)

    def _add(self, block: Block) -> None:
        self._heads.setdefault(block.group, {})[block.section] = block.head
        entries = self._entries.setdefault((block.group, block.section), {})
        for key in block.removed:
            entries.pop(key, None)
        for kept in block.entries:
            entries[kept.key] = kept

    def living(self, alive: Callable[[float], bool]) -> list[Block]:
        """The newest group of each name that was heard of lately enough, in order of `seen`."""
        newest = {
            (block.tenant, block.application): block
            for block in sorted(self.groups.values(), key=lambda block: block.group)
            if alive(block.seen)
        }
        return sorted(newest.values(), key=lambda block: (block.seen, block.group))

    def sections(self, group: int) -> Mapping[str, tuple[Head, list[Kept]]]:
        """What a group holds, by section."""
        return {
            name: (head, standing(head, self._entries[group, name].values()))
            for name, head in self._heads.get(group, {}).items()
        }

    def restore(self, group: Group, name: str, section: Section[Any], *, cold: bool) -> None:
        """Fills a section of a group. Raises StateUnreadable where its entries are of another shape."""
        head = self._heads.get(group.number, {}).get(name)
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
