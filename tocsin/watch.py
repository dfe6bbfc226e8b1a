"""One detector looking at one group: its keyed state, its findings, its failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tocsin.codec import Codec
from tocsin.contracts import Detector
from tocsin.model import KINDS, Event, Finding, Kind, Signals
from tocsin.plan import Instance
from tocsin.section import Entry, Section, short

Call = tuple[
    Callable[[Event], str | None],
    Callable[[str, float], Entry[Any]],
    Callable[[Event, Signals, Any], Finding | None],
    "Watch",
]


class ObserveFailed(Exception):
    """A detector broke its contract; carries what may be told about it, which is never text of its input."""


class Watch:
    """A detector and its states in one group.

    `call` is what the core calls for every event, so it is bound once.
    """

    __slots__ = (
        "_detector",
        "_nothing",
        "call",
        "failures",
        "instance",
        "key",
        "kinds",
        "needs_texts",
        "place",
        "section",
        "timed",
    )

    def __init__(self, instance: Instance, place: int, codec: Codec[Any]) -> None:
        detector, options = instance.detector, instance.options
        self.instance = instance
        self.place = place
        self.failures = 0
        self.timed = type(detector).due is not Detector.due
        self.section: Section[Any] = Section(
            detector.start, codec, limit=options.max_keys, idle=options.idle_seconds
        )
        self.key = detector.key
        self.kinds = detector.kinds
        remembers = _remembers(detector)
        self.needs_texts = detector.needs_texts and not remembers
        touch = self.section.touch if remembers else self._touch_nothing
        self.call: Call = (detector.key, touch, detector.observe, self)
        self._detector = detector
        self._nothing: Entry[Any] = Entry(detector.start(), "", 0, 0.0)

    def _touch_nothing(self, key: str, clock: float) -> Entry[Any]:
        """Without anything to remember no key takes room."""
        return self._nothing

    def wake(self, key: str, entry: Entry[Any], now: float) -> Finding | None:
        """What the detector says once its time has come. Raises ObserveFailed."""
        try:
            due = self._detector.due(entry.value)
            self.section.change(entry)
            finding = self._detector.wake(now, entry.value)
            if self._detector.due(entry.value) == due:
                raise self.failed(key, "wake left due as it was")
            return finding
        except (MemoryError, ObserveFailed):
            raise
        except Exception as error:
            raise self.failed(key, type(error).__name__) from error

    def due(self, key: str, entry: Entry[Any]) -> float | None:
        """When the key wants to be woken. Raises ObserveFailed."""
        try:
            return self._detector.due(entry.value)
        except MemoryError:
            raise
        except Exception as error:
            raise self.failed(key, type(error).__name__) from error

    def failed(self, key: str | None, what: str) -> ObserveFailed:
        """A state that was left halfway is not kept: the key starts anew."""
        self.failures += 1
        if key is not None:
            self.section.remove(short(key))
        return ObserveFailed(f"{self.instance.name}: {what}")


def calls(watches: Iterable[Watch]) -> Mapping[tuple[Kind, bool], tuple[Call, ...]]:
    """Who has to be asked about an event: by its kind, and by whether texts of it were read."""
    return {
        (kind, read): tuple(
            [watch.call for watch in watches if kind in watch.kinds and (read or not watch.needs_texts)]
        )
        for kind in KINDS
        for read in (False, True)
    }


def _remembers(detector: Detector[Any]) -> bool:
    """Whether states of this detector can differ: those without fields cannot."""
    return getattr(detector.state_type, "__struct_fields__", None) != ()
