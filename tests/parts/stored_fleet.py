"""Hours of the simulated fleet, through the core and the sink, in the real embedded engine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from sinks.clickhouse import ClickHouse
from sinks.clickhouse_client import Connection
from sinks.clickhouse_migrate import migrate
from tocsin import core, registry
from tocsin.model import Alert, Batch, Event, Reject
from tocsin.plan import Instance, Plan, Unpacked
from tocsin.simulator import Simulator
from tocsin.state import PartitionState

HOURS, RATE = 3, 1.0
PIECE = 500  # events in one step


class Stored(NamedTuple):
    """What is in the database, and the same as objects."""

    connection: Connection
    start: float
    end: float
    events: list[Event]
    alerts: list[Alert]
    rejects: list[Reject]

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The answer to a query, a dictionary for each row."""
        return list(self.connection.client.query(sql).named_results())


@contextmanager
def stored_fleet(directory: Path) -> Iterator[Stored]:
    """The database with the fleet's events, alerts, refused records and minutes."""
    simulator = Simulator(duration_seconds=HOURS * 3600.0, rate=RATE)
    settings = ClickHouse(url=f"chdb://{directory}", events_days=0, minutes_days=0)
    migrate(settings)
    batch = _batch(simulator)
    _write(settings, batch)
    connection = Connection(settings)
    connection.client.database = "tocsin"
    yield Stored(connection, simulator.start, simulator.end, batch.events, batch.alerts, batch.rejects)
    connection.close()


def _batch(simulator: Simulator) -> Batch:
    kind = registry.DETECTORS
    instances = [Instance(name, name, registry.load(kind, name)()) for name in registry.builtins(kind)]
    plan = Plan(instances=tuple(instances))
    state, whole = PartitionState.fresh(plan, "test", 0), Batch()
    records = [_record(offset, event) for offset, event in enumerate(simulator.events())]
    for first in range(0, len(records), PIECE):
        _join(whole, core.step(plan, state, records[first : first + PIECE]))
    _join(whole, core.finish(plan, state))
    return whole


def _record(offset: int, event: Event) -> Unpacked:
    items: list[Event | Reject] = [replace(event, tenant="default")]
    if offset % 400 < 2:
        items.append(Reject(reason=("undecodable", "invalid")[offset % 2], size=9, tenant="default"))
    return Unpacked(offset, offset + 1, None, items, 1000)


def _join(whole: Batch, batch: Batch) -> None:
    whole.events += batch.events
    whole.signals += batch.signals
    whole.alerts += batch.alerts
    whole.rejects += batch.rejects


def _write(settings: ClickHouse, batch: Batch) -> None:
    writer = settings.open()
    writer.write(batch, time.monotonic() + 60.0)
    minutes = sorted({int(event.time // 60) * 60 for event in batch.events})
    writer.aggregate("test", 0, minutes, 1)
    writer.close()
