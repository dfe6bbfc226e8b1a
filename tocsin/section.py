"""Bounded keyed state: what is kept, what is forgotten, and what changed since it was last saved.

A section is a segmented LRU. A new key is on probation; it is protected once it comes back at a later
arrival time, and protected keys take at most four fifths of the room. So a flood of invented keys
pushes out other keys on probation and nothing else.

An entry that is touched moves to the end of its line and takes the next number of the section's count,
at most once in a grain of arrival time. So the numbers are the order of forgetting, and a checkpoint
need not list what was forgotten: it lies before the front of its line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

V = TypeVar("V")
KEY_CHARACTERS = 128
GRAIN = 60.0  # seconds of arrival time; a key that is touched all the time need not move every time
_FOREVER, _NEVER = float("inf"), float("-inf")
_ROUNDING = 1e-3  # seconds
_NOWHERE = -1  # the order of an entry that was forgotten


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
    key: str
    order: int  # its place in its line: the number of its last move
    seen: float  # arrival time of its last touch, at most a grain too old
    protected: bool = False
    changed: bool = True  # since the last checkpoint that was offered
    written: bool = False  # a confirmed checkpoint holds this key
    queued: float | None = None  # earliest timer in the heap
    settled: float = _NEVER  # arrival time before which to be touched changes nothing


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
    """A section apart from its entries; entries before the front of their line are forgotten ones."""

    order: int
    probation_front: int
    protected_front: int
    evicted: int
    swept: float


def standing(head: Head, kept: Iterable[Kept]) -> list[Kept]:
    """The entries that were not forgotten, in the order of their last moves."""
    fronts = {True: head.protected_front, False: head.probation_front}
    return [
        each for each in sorted(kept, key=lambda each: each.order) if each.order >= fronts[each.protected]
    ]


class _Line(Generic[V]):
    """Entries in the order of their last moves. An entry that moved or left since is passed over."""

    __slots__ = ("_entries", "_orders", "size")

    def __init__(self) -> None:
        self.size = 0  # entries that stand here now
        self._entries: deque[Entry[V]] = deque()
        self._orders: deque[int] = deque()

    def __iter__(self) -> Iterator[Entry[V]]:
        for entry, order in zip(self._entries, self._orders, strict=True):
            if entry.order == order:
                yield entry

    def enter(self, entry: Entry[V]) -> None:
        self.size += 1
        self._entries.append(entry)
        self._orders.append(entry.order)

    def leave(self) -> None:
        """An entry that stood here has taken another order, elsewhere or nowhere."""
        self.size -= 1
        if len(self._orders) > 256 + 2 * self.size:
            self._tidy()

    def push(self, entry: Entry[V]) -> None:
        """An entry moves to the end."""
        self._entries.append(entry)
        self._orders.append(entry.order)
        if len(self._orders) > 256 + 2 * self.size:
            self._tidy()

    def _tidy(self) -> None:
        self._entries = deque(self)
        self._orders = deque(entry.order for entry in self._entries)

    def first(self) -> Entry[V] | None:
        """The one whose last move is the longest ago."""
        entries, orders = self._entries, self._orders
        while orders:
            if entries[0].order == orders[0]:
                return entries[0]
            entries.popleft()
            orders.popleft()
        return None


class Section(Generic[V]):
    """The states of up to `limit` keys; a key silent for more than `idle` seconds is forgotten."""

    __slots__ = (
        "_changed",
        "_coder",
        "_entries",
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
        self._start = start
        self._coder = coder
        self._limit = limit
        self._protected_limit = limit * 4 // 5
        self._grain = min(GRAIN, idle / 10)
        self._idle = idle + self._grain
        self._swept = 0.0  # arrival time when idle keys were last looked for
        self._entries: dict[str, Entry[V]] = {}
        self._probation: _Line[V] = _Line()
        self._protected: _Line[V] = _Line()
        self._changed: list[str] = []
        self._offered: list[str] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        """Keys in the order in which they would be forgotten, those on probation first."""
        return (entry.key for entry in chain(self._probation, self._protected))

    @property
    def protected(self) -> int:
        return self._protected.size

    @property
    def full(self) -> bool:
        return len(self._entries) >= self._limit

    def items(self) -> Iterator[tuple[str, Entry[V]]]:
        return ((entry.key, entry) for entry in chain(self._probation, self._protected))

    def get(self, key: str) -> Entry[V] | None:
        """The entry as it is, untouched."""
        return self._entries.get(key)

    def touch(self, key: str, clock: float) -> Entry[V]:
        """The entry of a key that was just heard of; a new one where it is unknown or was idle."""
        entry = self._entries.get(key)
        if entry is None:
            bounded = short(key)
            return self._admit(key, clock) if bounded == key else self.touch(bounded, clock)
        if clock < entry.settled:
            return entry
        passed = clock - entry.seen
        if passed >= self._grain or (passed and not entry.protected):
            return self._move(entry, clock)
        self.change(entry)
        if entry.protected:
            entry.settled = entry.seen + self._grain - _ROUNDING
        return entry

    def change(self, entry: Entry[V]) -> None:
        """Note that a value changes without its key being heard of."""
        if not entry.changed:
            entry.changed = True
            self._changed.append(entry.key)

    def remove(self, key: str) -> None:
        """Forget a key, wherever it stands."""
        entry = self._entries.get(key)
        if entry is not None:
            written = entry.written
            self._drop(entry)
            if written:
                self.removed[key] = self.order

    def rename(self, old: str, new: str, clock: float) -> bool:
        """What is kept under one key is kept under another, unknown one from now on; whether it was."""
        entry = self._entries.get(old)
        if entry is None or new in self._entries:
            return False
        self.remove(old)
        renamed = self._admit(new, clock)
        renamed.value, renamed.seen = entry.value, entry.seen
        if entry.protected and self._protected.size < self._protected_limit:
            self._change_line(renamed, self._probation, self._protected)
        return True

    def pop(self) -> Entry[V]:
        """Forget the key that is next in line, to make room."""
        entry = self._probation.first() or self._protected.first()
        if entry is None:
            raise KeyError("the section is empty")
        self.evicted += 1
        self._forget(entry)
        return entry

    def _admit(self, key: str, clock: float) -> Entry[V]:
        if clock - self._swept >= self._grain:
            self._sweep(clock)
        entries, changed = self._entries, self._changed
        while len(entries) >= self._limit:
            self.pop()
        self.order = order = self.order + 1
        entry = entries[key] = Entry(self._start(), key, order, clock)
        self._probation.enter(entry)
        changed.append(key)
        if len(changed) > 1024 + 2 * self._limit:
            self._changed = self._pruned(changed)
        return entry

    def _move(self, entry: Entry[V], clock: float) -> Entry[V]:
        if clock - entry.seen > self._idle:
            self.remove(entry.key)
            return self._admit(entry.key, clock)
        entry.seen = clock
        if entry.protected or not self._protected_limit:
            self._requeue(entry)
            return entry
        if self._protected.size >= self._protected_limit and (oldest := self._protected.first()):
            self._change_line(oldest, self._protected, self._probation)
        return self._change_line(entry, self._probation, self._protected)

    def _change_line(self, entry: Entry[V], old: _Line[V], new: _Line[V]) -> Entry[V]:
        self.order = entry.order = self.order + 1
        entry.protected, entry.settled = not entry.protected, _NEVER
        old.leave()
        new.enter(entry)
        self.change(entry)
        return entry

    def _requeue(self, entry: Entry[V]) -> None:
        self.order = entry.order = self.order + 1
        (self._protected if entry.protected else self._probation).push(entry)
        self.change(entry)

    def _forget(self, entry: Entry[V]) -> None:
        """Before the front means forgotten, unless what was saved stands in the other line."""
        moved = entry.written and entry.order > self.mark
        self._drop(entry)
        if moved:
            self.removed[entry.key] = self.order

    def _drop(self, entry: Entry[V]) -> None:
        del self._entries[entry.key]
        entry.order = _NOWHERE
        (self._protected if entry.protected else self._probation).leave()
        self.order += 1

    def _sweep(self, clock: float) -> None:
        self._swept = clock
        for line in (self._probation, self._protected):
            while (oldest := line.first()) and clock - oldest.seen > self._idle:
                self._forget(oldest)

    # What a checkpoint holds.

    @property
    def dirty(self) -> bool:
        """Whether the last confirmed checkpoint lacks anything."""
        return self.order != self.mark or bool(self._changed or self._offered)

    def head(self) -> Head:
        probation, protected = self._probation.first(), self._protected.first()
        return Head(
            self.order,
            probation.order if probation else self.order + 1,
            protected.order if protected else self.order + 1,
            self.evicted,
            self._swept,
        )

    def offer(self, unchanged: Iterable[str]) -> Iterator[Entry[V]]:
        """Entries that no confirmed checkpoint holds as they are now, and those of `unchanged`; each once."""
        for key in self._offered:
            if entry := self._entries.get(key):
                entry.changed = True
        self._offered += self._changed
        self._changed = []
        if len(self._offered) > 1024 + 2 * self._limit:
            self._offered = self._pruned(self._offered)
        for always, keys in ((True, unchanged), (False, self._offered)):
            for key in keys:
                entry = self._entries.get(key)
                if entry and (always or entry.changed):
                    entry.changed, entry.settled = False, _NEVER
                    yield entry

    def keep(self, entry: Entry[V]) -> Kept:
        return Kept(entry.key, entry.order, entry.seen, entry.protected, self._coder.encode(entry.value))

    def saved(self, order: int, entries: Iterable[Entry[V]]) -> None:
        """The offer made at `order` with these entries is durable."""
        self.mark = order
        self._offered = []
        for entry in entries:
            entry.written = True
        self.removed = {key: at for key, at in self.removed.items() if at > order}

    def _pruned(self, keys: Iterable[str]) -> list[str]:
        """Each key once, and only those that were not forgotten since."""
        return [key for key in dict.fromkeys(keys) if key in self._entries]

    def restore(self, head: Head, kept: Sequence[Kept]) -> None:
        """Become what was saved: the newest head, and the newest form of every entry not removed."""
        decode = self._coder.decode
        entries = [
            Entry(decode(value), key, order, seen, protected, changed=False, written=True)
            for key, order, seen, protected, value in standing(head, kept)
        ]
        for entry in entries:
            self._entries[entry.key] = entry
            (self._protected if entry.protected else self._probation).enter(entry)
        self.order = self.mark = head.order
        self.evicted, self._swept = head.evicted, head.swept
        # Only where the room has shrunk, or two sections became one.
        while self._protected.size > self._protected_limit and (oldest := self._protected.first()):
            self._change_line(oldest, self._protected, self._probation)

    def forget(self, head: Head) -> None:
        """Start anew, so that nothing written up to `head` ever comes back."""
        self.mark = head.order
        self.order = head.order + 1
