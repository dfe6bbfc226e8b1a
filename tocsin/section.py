"""Bounded keyed state: what is kept, what is forgotten, and what changed since it was last saved.

A section is a segmented LRU. A new key is on probation; it is protected once it comes back at a later
arrival time, and protected keys take at most four fifths of the room. So a flood of invented keys
pushes out other keys on probation and nothing else.

An entry that is touched moves to the end of its list and takes the next number of the section's count,
at most once in a grain of arrival time. So the numbers are the order of forgetting, and a checkpoint
need not list what was forgotten: it lies before the front of its list.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

V = TypeVar("V")
KEY_CHARACTERS = 128
GRAIN = 60.0  # seconds of arrival time; a key that is touched all the time need not move every time
_FOREVER = float("inf")


def short(key: str) -> str:
    """The key itself, or a bounded stand-in for one that is too long to be kept a hundred thousand times."""
    if key.isascii() and len(key) <= KEY_CHARACTERS:
        return key
    data = key.encode("utf-8", "replace")  # a lone surrogate could not be saved
    if len(key) <= KEY_CHARACTERS:
        return data.decode()
    return data[:64].decode("utf-8", "ignore") + "#" + blake2b(data, digest_size=16).hexdigest()


class Entry(msgspec.Struct, Generic[V], gc=False):
    """The state of one key. `gc=False`: a hundred thousand of these would slow every collection."""

    value: V
    order: int  # its place in its list: the number of its last move
    seen: float  # arrival time of its last touch, at most a grain too old
    changed: bool = False  # since the last checkpoint that was offered
    written: bool = False  # a confirmed checkpoint holds this key
    queued: float | None = None  # earliest timer in the heap


class Coder(Protocol[V]):
    """How values become bytes."""

    def encode(self, value: V) -> bytes: ...
    def decode(self, data: bytes) -> V: ...


class Kept(NamedTuple):
    """One entry as a checkpoint holds it."""

    key: str
    order: int
    seen: float
    protected: bool
    value: bytes


class Head(msgspec.Struct, frozen=True, array_like=True):
    """A section apart from its entries; entries before the front of their list are forgotten ones."""

    order: int
    probation_front: int
    protected_front: int
    evicted: int
    swept: float


class Section(Generic[V]):
    """The states of up to `limit` keys; a key silent for more than `idle` seconds is forgotten."""

    __slots__ = (
        "_changed",
        "_coder",
        "_grain",
        "_idle",
        "_limit",
        "_offered",
        "_probation",
        "_protected",
        "_protected_limit",
        "_start",
        "_swept",
        "evicted",
        "mark",
        "order",
        "removed",
    )

    def __init__(
        self, start: Callable[[], V], coder: Coder[V], *, limit: int, idle: float = _FOREVER
    ) -> None:
        self.order = 0
        self.mark = 0  # everything up to this order is saved
        self.evicted = 0
        self.removed: dict[str, int] = {}  # key -> order of the removal, for the next checkpoint
        self._changed: list[str] = []
        self._offered: list[str] = []
        self._swept = 0.0  # arrival time when idle keys were last looked for
        self._start = start
        self._coder = coder
        self._limit = limit
        self._grain = min(GRAIN, idle / 10)
        self._idle = idle + self._grain
        self._protected_limit = limit * 4 // 5
        self._probation: OrderedDict[str, Entry[V]] = OrderedDict()
        self._protected: OrderedDict[str, Entry[V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._probation) + len(self._protected)

    @property
    def protected(self) -> int:
        return len(self._protected)

    @property
    def full(self) -> bool:
        return len(self) >= self._limit

    def __iter__(self) -> Iterator[str]:
        return chain(self._probation, self._protected)

    def items(self) -> Iterator[tuple[str, Entry[V]]]:
        return chain(self._probation.items(), self._protected.items())

    def get(self, key: str) -> Entry[V] | None:
        """The entry as it is, untouched."""
        return self._protected.get(key) or self._probation.get(key)

    def touch(self, key: str, clock: float) -> Entry[V]:
        """The entry of a key that was just heard of; a new one where it is unknown or was idle."""
        entry = self._protected.get(key)
        if entry is None:
            entry = self._probation.get(key)
            if entry is None:
                bounded = short(key)
                return self._admit(key, clock) if bounded == key else self.touch(bounded, clock)
            if entry.seen < clock and self._protected_limit:
                return self._protect(key, entry, clock)
        if clock - entry.seen >= self._grain:
            return self._move(key, entry, clock)
        if not entry.changed:
            self.change(key, entry)
        return entry

    def change(self, key: str, entry: Entry[V]) -> None:
        """Note that a value changes without its key being heard of."""
        if not entry.changed:
            entry.changed = True
            self._changed.append(key)

    def _move(self, key: str, entry: Entry[V], clock: float) -> Entry[V]:
        if clock - entry.seen > self._idle:
            self.remove(key)
            return self._admit(key, clock)
        (self._protected if key in self._protected else self._probation).move_to_end(key)
        self.order = entry.order = self.order + 1
        entry.seen = clock
        self.change(key, entry)
        return entry

    def _protect(self, key: str, entry: Entry[V], clock: float) -> Entry[V]:
        if clock - entry.seen > self._idle:
            return self._move(key, entry, clock)
        if len(self._protected) >= self._protected_limit:
            demoted, other = self._protected.popitem(last=False)
            self.order = other.order = self.order + 1
            self._probation[demoted] = other
            self.change(demoted, other)
        self._protected[key] = self._probation.pop(key)
        self.order = entry.order = self.order + 1
        entry.seen = clock
        self.change(key, entry)
        return entry

    def _admit(self, key: str, clock: float) -> Entry[V]:
        if clock - self._swept >= self._grain:
            self._sweep(clock)
        while len(self._probation) + len(self._protected) >= self._limit:
            self.pop()
        self.order += 1
        entry = self._probation[key] = Entry(self._start(), self.order, clock, True)
        self._changed.append(key)
        if len(self._changed) > 1024 + 2 * self._limit:  # most were forgotten since
            self._changed = [key for key, entry, _ in self._present(self._changed) if entry.changed]
        return entry

    def remove(self, key: str) -> None:
        """Forget a key, wherever it stands."""
        entry = self._protected.pop(key, None) or self._probation.pop(key, None)
        if entry is not None:
            self.order += 1
            if entry.written:
                self.removed[key] = self.order

    def pop(self) -> tuple[str, Entry[V]]:
        """Forget the key that is next in line, to make room."""
        self.evicted += 1
        return self._pop(self._probation or self._protected)

    def _pop(self, entries: OrderedDict[str, Entry[V]]) -> tuple[str, Entry[V]]:
        key, entry = entries.popitem(last=False)
        self.order += 1
        # Before the front means forgotten, unless what was saved stands in the other list.
        if entry.written and entry.order > self.mark:
            self.removed[key] = self.order
        return key, entry

    def _sweep(self, clock: float) -> None:
        self._swept = clock
        for entries in (self._probation, self._protected):
            while entries:
                oldest = entries[next(iter(entries))]
                if clock - oldest.seen <= self._idle:
                    break
                self._pop(entries)

    # What a checkpoint holds.

    @property
    def dirty(self) -> bool:
        """Whether the last confirmed checkpoint lacks anything."""
        return self.order != self.mark or bool(self._changed or self._offered)

    def head(self) -> Head:
        return Head(
            self.order,
            self._front(self._probation),
            self._front(self._protected),
            self.evicted,
            self._swept,
        )

    def _front(self, entries: OrderedDict[str, Entry[V]]) -> int:
        return entries[next(iter(entries))].order if entries else self.order + 1

    def offer(self, unchanged: Iterable[str]) -> list[tuple[str, Entry[V], bool]]:
        """Entries that no confirmed checkpoint holds as they are now, and those of `unchanged`."""
        self._offered = [key for key, _, _ in self._present(self._offered + self._changed)]
        self._changed = []
        rows = list(self._present([*self._offered, *unchanged]))
        for _, entry, _ in rows:
            entry.changed = False
        return rows

    def keep(self, key: str, entry: Entry[V], protected: bool) -> Kept:
        return Kept(key, entry.order, entry.seen, protected, self._coder.encode(entry.value))

    def saved(self, order: int, entries: Iterable[Entry[V]]) -> None:
        """The offer made at `order` with these entries is durable."""
        self.mark = order
        self._offered = []
        for entry in entries:
            entry.written = True
        self.removed = {key: at for key, at in self.removed.items() if at > order}

    def _present(self, keys: Iterable[str]) -> Iterator[tuple[str, Entry[V], bool]]:
        for key in dict.fromkeys(keys):
            if entry := self._protected.get(key):
                yield key, entry, True
            elif entry := self._probation.get(key):
                yield key, entry, False

    def restore(self, head: Head, kept: Sequence[Kept]) -> None:
        """Become what was saved: the newest head, and the newest form of every entry not removed."""
        fronts = {True: head.protected_front, False: head.probation_front}
        entries = [
            (key, protected, Entry(self._coder.decode(value), order, seen, written=True))
            for key, order, seen, protected, value in sorted(kept, key=lambda each: each.order)
            if order >= fronts[protected]
        ]
        for key, protected, entry in entries:
            (self._protected if protected else self._probation)[key] = entry
        self.order = self.mark = head.order
        self.evicted, self._swept = head.evicted, head.swept

    def forget(self, head: Head) -> None:
        """Start anew, so that nothing written up to `head` ever comes back."""
        self.mark = head.order
        self.order = head.order + 1
