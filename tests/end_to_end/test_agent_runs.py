"""Real agent runs through real Kafka into the real ClickHouse engine, while workers are killed and moved.

Nothing is lost, nothing is doubled, and the alerts are those of one worker that nobody disturbed.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition
from parts.agent_runs import batches, invented_runs, real_runs_present, runs
from parts.clickhouse_server import ClickHouseServer
from parts.fleet import Reaper, WorkerProcess
from parts.kafka_server import KafkaServer
from parts.mirror import Mirror

from ingest.recognise import Recogniser
from tocsin import frame
from tocsin.config import load
from tocsin.health import Health
from tocsin.memory import MemoryLog, MemorySink, MemorySource, MemoryStore, MemoryTables
from tocsin.metrics import Metrics
from tocsin.model import Event, Partition, Record
from tocsin.settings import EngineSettings
from tocsin.unpack import Unpacker
from tocsin.watchdog import Watchdog
from tocsin.worker import Ports, Watchers, Worker

PARTITIONS, SOURCE_PARTITIONS = 4, 6
KILLS = 20 * int(os.environ.get("TOCSIN_SOAK", "1"))
SECONDS = 2.5 * KILLS  # that the stream takes at least, so that kills hit steady state
LIMIT = 14 * KILLS + 120
DROP_SECONDS = 0.75

DETECTORS = """
[reading]
enabled = false  # it keeps nothing between events, and twenty starts would load its rules twenty times

[detectors.error_burst]
cooldown_seconds = 5.0

[detectors.first_seen_tool]
warmup_calls = 30
warmup_seconds = 1.0

[detectors.drift]
min_samples = 128

[detectors.probing_rate]
"""

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(int(LIMIT) + 60)]


@pytest.fixture
def clickhouse(tmp_path: Path) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path / "clickhouse") as server:
        yield server


def bodies() -> list[bytes]:
    chosen = runs() if real_runs_present() else invented_runs(1500)
    return list(batches(chosen, time.time_ns()))


def expected_events(values: list[bytes]) -> int:
    unpack = Unpacker(Recogniser())
    return sum(
        isinstance(item, Event)
        for number, value in enumerate(values)
        for item in unpack(Record(Partition("t", 0), number, number + 1, None, value))
    )


def produce(brokers: str, topic: str, values: list[bytes], reaper: Reaper) -> None:
    """Without keys, over all partitions: evenly in time, and in drops while kills are behind.

    The last fifth waits for the last kill; drops, since a worker is killed only where something is inserted.
    """
    producer = KafkaProducer(bootstrap_servers=brokers, compression_type="zstd", linger_ms=5)
    started = time.monotonic()
    for number, value in enumerate(values):
        producer.send(topic, value, partition=number % SOURCE_PARTITIONS)
        share = number / len(values)
        time.sleep(max(0.0, started + SECONDS * share - time.monotonic()))
        dropped = time.monotonic()
        while reaper.kills < min(KILLS, KILLS * share / 0.8) and time.monotonic() < dropped + DROP_SECONDS:
            time.sleep(0.02)
    producer.flush(30)
    producer.close()


def until(done: Any, seconds: float, what: str, workers: list[WorkerProcess]) -> None:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            tails = "\n".join(f"--- {worker.name}\n{worker.said[-3000:]}" for worker in workers)
            pytest.fail(f"{what} took longer than {seconds} s\n{tails}")
        time.sleep(0.25)


def all_stored(clickhouse: ClickHouseServer, expected: int, workers: list[WorkerProcess]) -> None:
    """Waits as long as more is stored within a minute."""
    while (count := stored(clickhouse)) < expected:
        until(
            lambda before=count: stored(clickhouse) > before,
            60,
            f"{count} of {expected} are stored: more",
            workers,
        )


def undisturbed(log: MemoryLog, config: Path) -> MemoryTables:
    """The same exchange log, replayed by one worker in memory."""
    tables = MemoryTables()
    reader = MemorySource(log=log, follow=True).open()
    ports = Ports(reader, frame.unpack, {"memory": MemorySink(tables=tables).open()}, MemoryStore())
    watchers = Watchers(Metrics(), Health(60.0), Watchdog(60.0))

    class Read:
        """Stops a worker at the end of a log that could go on, as a signal stops one."""

        def is_set(self) -> bool:
            lag = reader.lag()
            return len(lag) == PARTITIONS and not any(lag.values())

    Worker(load(config).plan, ports, watchers, EngineSettings(linger_ms=0), None).run(Read())
    return tables


def committed(kafka: KafkaServer, group: str, topic: str) -> list[int]:
    """Where the detect part ended."""
    consumer = KafkaConsumer(bootstrap_servers=kafka.brokers, group_id=group, enable_auto_commit=False)
    ends = [consumer.committed(TopicPartition(topic, number)) or 0 for number in range(PARTITIONS)]
    consumer.close()
    return ends


def test_kills_and_rebalancing_lose_nothing_and_double_nothing(
    kafka: KafkaServer, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    topic = "agent-runs"
    kafka.create_topic(topic, SOURCE_PARTITIONS)
    exchange = f"{topic}.exchange.1"
    values = bodies()
    expected = expected_events(values)
    settings: dict[str, object] = {
        "brokers": kafka.brokers,
        "topic": topic,
        "partitions": PARTITIONS,
        "database": "disturbed",
        "detectors": DETECTORS,
    }
    workers = [WorkerProcess(f"w{n}", tmp_path, clickhouse.port, **settings) for n in range(2)]
    guest = WorkerProcess("guest", tmp_path, clickhouse.port, **settings)
    migrate(tmp_path / "w0.toml")
    reaper = Reaper(workers, seed=7)
    producing = threading.Thread(target=produce, args=(kafka.brokers, topic, values, reaper))
    try:
        reaper.start()
        until(lambda: exchange in kafka_topics(kafka), 60, "making the exchange", workers)
        mirror = Mirror(kafka.brokers, exchange, PARTITIONS)
        producing.start()
        until(lambda: stored(clickhouse) > 200, 60, "the first rows", workers)
        for visit in range(1, 3):
            guest.start()
            until(lambda seen=visit: guest.said.count('"starts"') == seen, 60, "the guest's start", workers)
            time.sleep(4)
            assert guest.stop() == 0, guest.said[-3000:]
        until(lambda: reaper.kills >= KILLS or not producing.is_alive(), LIMIT, "killing", workers)
        producing.join(LIMIT)
        reaper.stop()
        all_stored(clickhouse, expected, workers)
        mirror.stop()
        for worker in workers:
            assert worker.stop() == 0, worker.said[-3000:]
    finally:
        reaper.stop()
        for worker in (*workers, guest):
            worker.close()

    print(f"{expected} events, {reaper.kills} kills in commits, {sum(w.starts for w in workers)} starts")
    assert reaper.kills >= KILLS
    log_id = clickhouse.ask("SELECT DISTINCT log_id FROM disturbed.events")
    ends = committed(kafka, f"{topic}.detect", exchange)
    reference = undisturbed(mirror.log(log_id, ends), tmp_path / "w0.toml")
    compare_events(clickhouse, reference, expected)
    compare_alerts(clickhouse, reference)


def kafka_topics(kafka: KafkaServer) -> set[str]:
    with closing(kafka.admin()) as admin:
        return set(admin.list_topics())


def migrate(config: Path) -> None:
    from tocsin.__main__ import main

    assert main(["migrate", "-c", str(config)]) == 0


def stored(clickhouse: ClickHouseServer) -> int:
    """Calls and executions; a span that comes long after a result told of it is a row, and no event more."""
    return int(clickhouse.ask("SELECT countIf(NOT duplicate) FROM disturbed.events"))


def rows(clickhouse: ClickHouseServer, sql: str) -> list[dict[str, Any]]:
    text = clickhouse.ask(f"{sql} FORMAT JSONEachRow")
    return [json.loads(line) for line in text.splitlines()]


def compare_events(clickhouse: ClickHouseServer, reference: MemoryTables, expected: int) -> None:
    raw, distinct = (
        int(clickhouse.ask(f"SELECT {count} FROM disturbed.events")) for count in ("count()", "uniqExact(id)")
    )
    assert (raw, distinct) == (len(reference.events), len(reference.events))  # raw rows, not FINAL
    assert stored(clickhouse) == expected
    assert clickhouse.ask("SELECT count() FROM disturbed.quarantine") == "0"
    place = "log_partition, log_offset, log_index"
    found = {
        tuple(row.values())
        for row in rows(clickhouse, f"SELECT id, {place}, duplicate FROM disturbed.events")
    }
    told = {
        (e.id, e.log_partition, e.log_offset, e.log_index, bool(e.duplicate)) for e, _ in reference.events
    }
    assert {(i, int(p), int(o), int(x), bool(d)) for i, p, o, x, d in found} == told


def compare_alerts(clickhouse: ClickHouseServer, reference: MemoryTables) -> None:
    columns = "id, revision, detector, key, summary, count, log_partition, log_offset, log_index"
    found = sorted(
        tuple(str(value) for value in row.values())
        for row in rows(clickhouse, f"SELECT {columns} FROM disturbed.alerts")
    )
    told = sorted(
        tuple(
            str(value)
            for value in (
                a.id,
                a.revision,
                a.detector,
                a.key,
                a.summary,
                a.count,
                a.log_partition,
                a.log_offset,
                a.log_index,
            )
        )
        for a in reference.alerts
    )
    assert told, "the runs hold nothing that a detector finds"
    assert found == told
