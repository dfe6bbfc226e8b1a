"""What sorting key, codecs and indexes of the events table cost and give, on the simulated fleet.

    python bench/clickhouse_layout.py [copies]

A day of simulated events is written once through the sink and copied, moved by a day each time, into
one table for each layout; then: CPU of writing and merging, bytes a row, and the median time of the
questions that the table is asked.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence

from msgspec.structs import replace

from sinks.clickhouse import ClickHouse
from sinks.clickhouse_client import Connection
from sinks.clickhouse_migrate import migrate, migrations, statements
from tocsin.model import Batch, Event, Signals
from tocsin.simulator import Simulator

KEY = "ORDER BY (tenant, toStartOfHour(time), application, log_id, log_partition, log_offset, log_index)"
POSITION = "log_id, log_partition, log_offset, log_index)"
BLOOM = r"\n *INDEX by_(session|trace|user)[^\n]*"
LAYOUTS = {
    "chosen": [],
    "by position": [(re.escape(KEY), f"ORDER BY ({POSITION}")],
    "by tenant, position": [(re.escape(KEY), f"ORDER BY (tenant, {POSITION}")],
    "by minute": [("toStartOfHour", "toStartOfMinute")],
    "no bloom filters": [(BLOOM, ""), (r"GRANULARITY 1,\n\)", "GRANULARITY 1\n)")],
    "LZ4": [(r"ZSTD\(\d\)", "LZ4")],
    "ZSTD(3)": [(r"ZSTD\(1\)", "ZSTD(3)")],
}
QUESTIONS = {
    "read back": "SELECT log_offset, log_index FROM {t} WHERE log_id = 'log' AND log_partition = 0 "
    "AND log_offset >= {rows} - 2000",
    "minute": "SELECT application, model, count(), sum(input_tokens) FROM {t} FINAL WHERE log_id = 'log' "
    "AND log_partition = 0 AND arrival >= toDateTime64({end} - 3960, 3, 'UTC') AND time >= "
    "toDateTime64({end} - 3660, 6, 'UTC') AND time < toDateTime64({end} - 3600, 6, 'UTC') GROUP BY ALL",
    "hour of one": "SELECT model, count(), avg(duration_ms) FROM {t} FINAL WHERE tenant = 'default' AND "
    "application = '{application}' AND time >= toDateTime64({end} - 3600, 6, 'UTC') GROUP BY ALL",
    "day by hour": "SELECT toStartOfHour(time), count(), sum(cost_usd) FROM {t} WHERE tenant = 'default' "
    "AND time >= toDateTime64({end} - 86400, 6, 'UTC') GROUP BY ALL",
    "session": "SELECT count() FROM {t} WHERE session = '{session}'",
    "trace": "SELECT count() FROM {t} WHERE trace_id = '{trace_id}'",
    "user": "SELECT count() FROM {t} WHERE user = '{user}'",
}


def main(copies: int) -> None:
    """Print one line for each layout."""
    with tempfile.TemporaryDirectory() as directory:
        settings = ClickHouse(url=f"chdb://{directory}", fsync="off", events_days=0, excerpts_days=0)
        migrate(settings)
        events = _stored_day(settings)
        connection = Connection(settings)
        connection.client.command("USE tocsin")
        names = " ".join(f"{name:>12}" for name in QUESTIONS)
        print(f"{len(events) * copies} rows; questions in ms")
        print(f"{'layout':<20} {'cpu us/row':>10} {'bytes/row':>9} {'indexes':>7} {names}")
        for name, changes in LAYOUTS.items():
            _measure(connection, settings, name, changes, events, copies)
        connection.close()


def _stored_day(settings: ClickHouse) -> Sequence[Event]:
    fleet = Simulator(duration_seconds=86_400.0, rate=2.0).events()
    events = [
        replace(e, tenant="default", log_id="log", log_offset=n, arrival=e.time, id=f"log.0.{n}.0")
        for n, e in enumerate(fleet)
    ]
    writer = settings.open()
    for start in range(0, len(events), 20_000):
        part = events[start : start + 20_000]
        batch = Batch(events=part, signals=[Signals(input_length=900, input_digest=e.span_id) for e in part])
        writer.write(batch, time.monotonic() + 60)
    writer.close()
    return events


def _measure(
    connection: Connection,
    settings: ClickHouse,
    name: str,
    changes: Sequence[tuple[str, str]],
    events: Sequence[Event],
    copies: int,
) -> None:
    client = connection.client
    definition = statements(next(m.text for m in migrations() if m.name == "0001_events"), settings)[0]
    for old, new in changes:
        definition, found = re.subn(old, new, definition)
        assert found, old
    client.command("DROP TABLE IF EXISTS layout SYNC")
    client.command(definition.replace("`tocsin`.events", "layout"))
    begun = time.process_time()
    for copy in range(copies):
        client.command(_copy(copy, len(events)))
    while client.command("SELECT count() FROM system.merges"):
        time.sleep(0.2)
    cpu = (time.process_time() - begun) / len(events) / copies
    size = client.query(
        "SELECT sum(bytes_on_disk) / sum(rows), sum(secondary_indices_compressed_bytes) / sum(rows) "
        "FROM system.parts WHERE active AND table = 'layout'"
    ).result_rows[0]
    took = " ".join(
        f"{_asked(connection, question, events, copies):12.1f}" for question in QUESTIONS.values()
    )
    print(f"{name:<20} {cpu * 1e6:10.2f} {size[0]:9.1f} {size[1]:7.2f} {took}", flush=True)


def _copy(copy: int, count: int) -> str:
    later = f"INTERVAL {copy} DAY"
    return (
        f"INSERT INTO layout SELECT * REPLACE (log_offset + {copy * count} AS log_offset, "
        f"arrival + {later} AS arrival, time + {later} AS time, concat(session, '{copy}') AS session, "
        f"lower(hex(MD5(concat(trace_id, '{copy}')))) AS trace_id) FROM events ORDER BY log_offset "
        "SETTINGS max_insert_block_size = 20000, min_insert_block_size_rows = 20000, optimize_on_insert = 0"
    )


def _asked(connection: Connection, question: str, events: Sequence[Event], copies: int) -> float:
    known = next(event for event in events if event.session and event.user and event.trace_id)
    trace = f"lower(hex(MD5(concat('{known.trace_id}', '{copies // 2}'))))"
    sql = question.replace("'{trace_id}'", trace).format(
        t="layout",
        rows=len(events) * copies,
        end=int(events[-1].time) + (copies - 1) * 86_400,
        application=known.application,
        session=f"{known.session}{copies // 2}",
        user=known.user,
    )
    return statistics.median(_milliseconds(connection, sql) for _ in range(7))


def _milliseconds(connection: Connection, sql: str) -> float:
    begun = time.perf_counter()
    connection.client.query(sql, settings={"use_query_condition_cache": 0})
    return (time.perf_counter() - begun) * 1e3


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
