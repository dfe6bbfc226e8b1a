"""What the core is told: the items of a record, the configured detectors, the settings that shape results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from tocsin.contracts import Detector
from tocsin.model import Event, Reject
from tocsin.prices import PriceSettings
from tocsin.settings import (
    AssemblySettings,
    ContentSettings,
    DetectorOptions,
    GroupSettings,
    HistorySettings,
    LimitSettings,
    PrivacySettings,
    ReadingSettings,
)


class Unpacked(NamedTuple):
    """A record of the log after decoding: its place and what it holds."""

    offset: int
    next_offset: int
    arrival: float | None  # None: the log has no clock, event times stand in
    items: Sequence[Event | Reject]
    size: int  # bytes
    backfill: bool = False


class Instance(msgspec.Struct, frozen=True):
    """One configured detector."""

    name: str
    type: str
    detector: Detector[Any]
    options: DetectorOptions = DetectorOptions()

    @property
    def fingerprint(self) -> str:
        """Changes exactly when states made before can no longer be used."""
        return _digest(self.type, self.detector.about.state_version, self.detector)


class Plan(msgspec.Struct, frozen=True):
    """Everything besides the log that decides what the core answers."""

    instances: tuple[Instance, ...] = ()
    content: ContentSettings = ContentSettings()
    reading: ReadingSettings = ReadingSettings()
    groups: GroupSettings = GroupSettings()
    limits: LimitSettings = LimitSettings()
    history: HistorySettings = HistorySettings()
    assembly: AssemblySettings = AssemblySettings()
    privacy: PrivacySettings = PrivacySettings()
    prices: Mapping[str, PriceSettings] = msgspec.field(default_factory=dict)

    @property
    def config_hash(self) -> str:
        """Equal for equal plans, rule packs and models, in every process; gives away no key."""
        return _digest(
            [(i.name, i.fingerprint, i.options) for i in self.instances],
            self.content,
            self.reading,
            _read_with(self.reading),
            self.groups,
            self.limits,
            self.history,
            self.assembly,
            self.privacy,
            self.prices,
        )


def _read_with(settings: ReadingSettings) -> str:
    if not settings.enabled:
        return ""
    from tocsin.reading.loaded import fingerprint  # with it come libraries that a plan does not need

    return fingerprint(settings.rules)


def _digest(*parts: object) -> str:
    return blake2b(msgspec.json.encode(parts, order="sorted"), digest_size=16).hexdigest()
