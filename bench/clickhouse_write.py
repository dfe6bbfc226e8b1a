"""What writing costs in the embedded engine: CPU an event by batch size, read-back, and a full minute.

    python bench/clickhouse_write.py [events]

Simulated events without content. Each size is measured with merges stopped and with merges running to
their end; "columns" and "native" are the client's part of it. CPU is that of the whole process.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence

from msgspec.structs import replace

from sinks.clickhouse import ClickHouse
from sinks.clickhouse_client import Connection
from sinks.clickhouse_columns import EVENTS
from sinks.clickhouse_migrate import migrate
from sinks.clickhouse_writer import Lane
from tocsin.model import Batch, Event, Signals
from tocsin.simulator import Simulator

SIZES = (100, 1000, 5000, 20_000)
MINUTE = 600_000


def main(count: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as directory:
        settings = ClickHouse(url=f"chdb://{directory}", fsync="off", events_days=0, excerpts_days=0)
        migrate(settings)
        events = _events(count)
        signals = [Signals(input_length=900, input_digest=event.span_id) for event in events]
        _client(settings, events, signals)
        for size in SIZES:
            _writing(settings, events[: size * 40], signals, size)
        _minute(settings, events)


def _events(count: int) -> list[Event]:
    fleet = Simulator(duration_seconds=count / 50.0, rate=50.0).events()
    return [
        replace(e, tenant="default", log_id="log", log_offset=n, arrival=e.time, id=f"log.0.{n}.0")
        for n, e in enumerate(fleet)
        if n < count
    ]


def _client(settings: ClickHouse, events: Sequence[Event], signals: Sequence[Signals]) -> None:
    connection = Connection(settings)
    lane, begun = Lane(connection, EVENTS), time.process_time()
    data = [EVENTS.data(events[n : n + 5000], signals[n : n + 5000]) for n in range(0, len(events), 5000)]
    read = time.process_time()
    for columns, values in data:
        lane._native(columns, values)
    ended = time.process_time()
    print(f"columns {(read - begun) / len(events) * 1e6:.1f} us/event", end=", ")
    print(f"native {(ended - read) / len(events) * 1e6:.1f} us/event")
    connection.close()


def _writing(settings: ClickHouse, events: Sequence[Event], signals: Sequence[Signals], size: int) -> None:
    figures = []
    for merges in ("STOP", "START"):
        connection = Connection(settings)
        connection.client.command("TRUNCATE TABLE tocsin.events")
        connection.client.command(f"SYSTEM {merges} MERGES tocsin.events")
        writer, begun = settings.open(), time.process_time()
        for n in range(0, len(events), size):
            batch = Batch(events=list(events[n : n + size]), signals=list(signals[n : n + size]))
            writer.write(batch, time.monotonic() + 60)
        while merges == "START" and connection.client.command("SELECT count() FROM system.merges"):
            time.sleep(0.1)
        figures.append((time.process_time() - begun) / len(events) * 1e6)
        writer.close()
        connection.close()
    print(f"{size:6} rows: {figures[0]:6.1f} us/event inserted, {figures[1]:6.1f} with merges", flush=True)


def _minute(settings: ClickHouse, events: Sequence[Event]) -> None:
    """A minute of 600,000 events, computed by a log partition that owns them all."""
    connection, writer = Connection(settings), settings.open()
    ask, minute = connection.client.command, int(events[0].time) // 60 * 60
    copies = MINUTE // int(str(ask("SELECT count() FROM tocsin.events"))) + 1
    ask(
        "INSERT INTO tocsin.events SELECT e.* REPLACE ('full' AS log_id, "
        "e.log_offset + 1000000 * n.number AS log_offset, "
        f"toDateTime64({minute} + e.log_offset % 60, 6, 'UTC') AS time, "
        f"toDateTime64({minute} + 60, 3, 'UTC') AS arrival) "
        f"FROM tocsin.events AS e CROSS JOIN numbers({copies}) AS n LIMIT {MINUTE} "
        "SETTINGS optimize_on_insert = 0"
    )
    for version in (1, 2, 3):
        begun, cpu = time.perf_counter(), time.process_time()
        writer.aggregate("full", 0, [minute], version)
        print(
            f"minute of {MINUTE} events: {(time.perf_counter() - begun) * 1e3:.0f} ms, "
            f"{(time.process_time() - cpu) * 1e3:.0f} ms of CPU"
        )
    rows = ask("SELECT sum(events + duplicates), count() FROM tocsin.minutes FINAL WHERE log_id = 'full'")
    print(f"events in it, rows of it: {rows}")
    writer.close()
    connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
