"""What a worker is given: where records come from and rows go to, and who looks on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from tocsin.contracts import CheckpointStore, Reader, Writer
from tocsin.health import Health
from tocsin.metrics import Metrics
from tocsin.model import Partition, Record
from tocsin.plan import Unpacked
from tocsin.watchdog import Watchdog

if TYPE_CHECKING:
    from tocsin.sealing import Keys

PART = "detect"

Unpack = Callable[[Record], Unpacked]


class Watchers(NamedTuple):
    """Who looks on."""

    metrics: Metrics
    health: Health
    watchdog: Watchdog


class Lent(NamedTuple):
    """What the process lends to a source that does more than read."""

    metrics: Metrics
    health: Health
    keys: Keys | None = None  # seal what it keeps


class Ports(NamedTuple):
    """What a worker is connected to."""

    reader: Reader
    unpack: Unpack
    writers: Mapping[str, Writer]
    store: CheckpointStore


def spoken(partition: Partition) -> str:
    """The partition's name in metrics, logs and health."""
    return f"{partition.name}/{partition.number}"
