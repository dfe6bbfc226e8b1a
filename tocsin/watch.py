"""One detector looking at one group: its keyed state, its findings, its failures."""

from __future__ import annotations

from typing import Any

from tocsin.codec import Codec
from tocsin.contracts import Detector
from tocsin.model import Event, Finding, Signals
from tocsin.plan import Instance
from tocsin.section import Entry, Section, short


class ObserveFailed(Exception):
    """A detector broke its contract; carries what may be told about it, which is never text of its input."""


class Watch:
    """Runs a detector against the states of one group."""

    __slots__ = ("_detector", "_key", "_observe", "failures", "instance", "place", "section", "timed")

    def __init__(self, instance: Instance, place: int, codec: Codec[Any]) -> None:
        detector, options = instance.detector, instance.options
        self.instance = instance
        self.place = place
        self.failures = 0
        self.timed = type(detector).due is not Detector.due
        self.section: Section[Any] = Section(
            instance.name, detector.start, codec, limit=options.max_keys, idle=options.idle_seconds
        )
        self._detector = detector
        self._key = detector.key
        self._observe = detector.observe

    def observe(self, event: Event, signals: Signals, clock: float) -> tuple[str, Finding | None] | None:
        """The key and what was found; None where the detector has no interest. Raises ObserveFailed."""
        key = None
        try:
            key = self._key(event)
            if key is None:
                return None
            key = short(key)
            return key, self._observe(event, signals, self.section.touch(key, clock).value)
        except MemoryError:
            raise
        except Exception as error:  # a plugin may raise anything
            raise self._failed(key, type(error).__name__) from error

    def wake(self, key: str, entry: Entry[Any], now: float) -> Finding | None:
        """What the detector says once its time has come. Raises ObserveFailed."""
        try:
            due = self._detector.due(entry.value)
            self.section.change(key, entry)
            finding = self._detector.wake(now, entry.value)
            if self._detector.due(entry.value) == due:
                raise self._failed(key, "wake left due as it was")
            return finding
        except (MemoryError, ObserveFailed):
            raise
        except Exception as error:
            raise self._failed(key, type(error).__name__) from error

    def due(self, key: str, entry: Entry[Any]) -> float | None:
        """When the key wants to be woken. Raises ObserveFailed."""
        try:
            return self._detector.due(entry.value)
        except MemoryError:
            raise
        except Exception as error:
            raise self._failed(key, type(error).__name__) from error

    def _failed(self, key: str | None, what: str) -> ObserveFailed:
        """A state that was left halfway is not kept: the key starts anew."""
        self.failures += 1
        if key is not None:
            self.section.remove(key)
        return ObserveFailed(f"{self.instance.name}: {what}")
