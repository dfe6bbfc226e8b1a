"""The way through one record, and what was found on it."""

from __future__ import annotations

from msgspec.structs import force_setattr

from tocsin.model import Decoded, Event, Reject
from tocsin.settings import LimitSettings

SHAPES = 100  # unknown shapes that one record is told to hold
STRANGERS = 1_000  # unknown documents in one record before it is given up, and ten more for each item in it


class Walk:
    """Collects layers, formats and items of a record, within its limits."""

    __slots__ = (
        "_limits", "_seen", "_unknown",
        "dense", "ignored", "items", "layers", "parsers", "room", "strangers",
    )  # fmt: skip

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self._unknown: dict[str, tuple[Reject, int]] = {}
        self.room = limits.record_bytes  # for what is expanded, in all
        self.items: list[Event | Reject] = []
        self.dense = False  # so many objects are in it that they must be counted
        self.ignored = 0
        self._seen = 0
        self.strangers = 0  # documents that were compared with every format, in vain
        self.layers: dict[str, None] = {}
        self.parsers: dict[str, None] = {}

    def layer(self, name: str) -> None:
        """A layer was opened."""
        self.layers[name] = None

    def add(self, parser: str, found: Decoded) -> None:
        """A format has read a document."""
        self.parsers[parser] = None
        self.items.extend(found.items)
        self.ignored += found.ignored
        for item in found.items:
            if isinstance(item, Event) and not item.source_format:
                force_setattr(item, "source_format", parser)

    def refuse(self, reason: str, detail: str) -> None:
        """A part cannot be read."""
        self.items.append(Reject(reason=reason, detail=detail))

    def unrecognised(self, shape: str) -> None:
        """A document is of no known shape; the second of a shape in one record is only counted."""
        if len(self._unknown) >= SHAPES and shape not in self._unknown:
            shape = "..."
        reject, times = self._unknown.get(shape, (None, 0))
        if reject is None:
            reject = Reject(reason="unrecognised", detail="of no known format", shape=shape)
            self.items.append(reject)
        self._unknown[shape] = reject, times + 1

    def stranger(self, shape: str) -> None:
        """A document was compared with every format, in vain."""
        self.strangers += 1
        self.unrecognised(shape)

    def full(self) -> bool:
        """Whether the record holds as much as it may; says so, once. Asked before each of several parts."""
        most = self._limits.events_per_record
        strange = self.strangers >= STRANGERS + 10 * len(self.items)
        if self._seen < most and len(self.items) < most and not strange:
            self._seen += 1
            return False
        if self._seen <= most:
            what = f"{self.strangers} unknown documents" if strange else f"more than {most} events"
            self.refuse("too_many", f"{what} in one record")
            self._seen = most + 1
        return True

    def end(self) -> None:
        """All of the record was seen."""
        for reject, times in self._unknown.values():
            if times > 1:
                force_setattr(reject, "detail", f"of no known format, {times} times")
