"""Ten thousand secrets and identities go in, in every format, and none of them is anywhere afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from itertools import cycle, islice
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaConsumer
from parts.clickhouse_rows import Database
from parts.clickhouse_server import ClickHouseServer
from parts.golden import Case, cases
from parts.kafka_server import KafkaServer, free_ports
from parts.kafka_topics import everything, fresh, produce
from parts.planted import Planter, found

from ingest.recognise import Recogniser
from sinks.clickhouse import ClickHouse
from sinks.clickhouse_migrate import migrate
from tocsin.model import Event
from tocsin.simulator import OtlpBatches, Simulator, native

PLANTED = 10_000
IDENTITIES = ("user", "api_key", "client_ip")
TABLES = ("events", "alerts", "quarantine", "minutes", "migrations")

DETECTORS = """
[detectors.probing_rate]
minute_floor = 2
minute_ceiling = 2
hour_ceiling = 2

[detectors.error_burst]
failures = 2
share = 0.1
surprise = 0.0

[detectors.first_seen_tool]
warmup_calls = 1
warmup_seconds = 0.0
novelty = 1.0
"""
PRIVACY = """
[content]
mode = "full"
key = "the content key"

[privacy]
keys = {{ u1 = "an old secret of some length", u2 = "a new secret of some length" }}
since = {{ u2 = 2025-01-01T00:00:00Z }}

[encryption]
keys = {{ first = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" }}

[operations]
listen = ""
log_level = "debug"

[sinks.console]
format = "json"
to = "{directory}/alerts.json"
"""
EMBEDDED = """
[sinks.clickhouse]
url = "chdb://{directory}/database"
fsync = "off"

[checkpoints]
directory = "{directory}/state"
"""
FILE = """
[source]
type = "file"
paths = ["{directory}/traffic.log"]
"""
HTTP = """
[source]
type = "http"
listen = "127.0.0.1:{port}"
directory = "{directory}/journal"
"""
KAFKA = """
[source]
type = "kafka"
brokers = ["{brokers}"]
topics = ["{topic}"]
group_id = "{topic}"
start = "earliest"

[exchange]
topic = "{topic}.exchange"
partitions = 2
replication = 1
linger_ms = 20

[quarantine]
dead_letter_topic = "{topic}.refused"

[checkpoints]
type = "kafka"
brokers = ["{brokers}"]
topic = "{topic}.state"
replication = 1

[sinks.clickhouse]
url = "{url}"
"""

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]


def payloads() -> list[bytes]:
    """One of everything: the golden payloads of all formats, and invented traffic, native and in OTLP."""
    golden = [record for case in cases() if text_lines(case) for record in case.records()]
    events = list(islice(Simulator(seed=5, duration_seconds=7200.0, rate=2.0).events(), 400))
    return [*golden, *map(native, events[::7]), *OtlpBatches(spans=3).of(events[::5])]


def text_lines(case: Case) -> bool:
    return case.path.suffix in (".json", ".jsonl", ".txt")


def identities(record: bytes) -> tuple[list[tuple[str, str]], bool]:
    """Who a record is from, by field; and whether it is one event."""
    events = [item for item in Recogniser().look(record).items if isinstance(item, Event)]
    named = {(field, getattr(event, field)) for event in events for field in IDENTITIES}
    fields = {
        name: field for field, name in sorted(named) if len(name) >= 4
    }  # one may be the same as another
    return [(field, name) for name, field in fields.items()], len(events) == 1


@cache
def known() -> list[tuple[bytes, list[tuple[str, str]], bool]]:
    """The payloads, with who they are from."""
    return [(record, *identities(record)) for record in payloads()]


def traffic(planter: Planter, planted: int) -> Iterator[bytes]:
    """Records as lines, each with secrets of its own."""
    for number, (record, named, alone) in enumerate(cycle(known())):
        if planter.planted >= planted:
            return
        made = planter.broken(record) if number % 40 == 39 else planter.record(record, named, alone=alone)
        yield made.replace(b"\n", b" ")


def configure(directory: Path, tables: str, **values: object) -> None:
    text = (tables + PRIVACY).format(directory=directory, **values) + DETECTORS
    (directory / "tocsin.toml").write_text(text)
    (directory / "tmp").mkdir()


@contextmanager
def running(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`tocsin run`, which must end well; what it says is in a file."""
    command = [sys.executable, "-m", "tocsin", "run", "-c", str(directory / "tocsin.toml")]
    with (directory / "said.log").open("wb") as said:
        environment = {**os.environ, "TMPDIR": str(directory / "tmp")}
        process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
    try:
        yield process
        assert process.wait(120) == 0, (directory / "said.log").read_text()[-3000:]
    finally:
        process.kill()
        process.wait(10)


def dumped(database: Database) -> dict[str, bytes]:
    """Every table, all columns of all rows."""
    return {
        name: msgspec.json.encode(database.rows(f"SELECT toJSONString(tuple(*)) FROM @{name}"))
        for name in TABLES
    }


def files(directory: Path, *besides: str) -> dict[str, bytes]:
    """Everything that lies in a directory, apart from what is named."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.relative_to(directory).parts[0] not in besides
    }


def leaks(places: dict[str, bytes], traces: Sequence[str]) -> dict[str, list[str]]:
    """Where something was found, and what."""
    return {name: hits for name, blob in places.items() if (hits := found(blob, traces))}


def posted(port: int, body: bytes, seconds: float = 20.0) -> None:
    """Send lines to the receiver, once it listens."""
    kind = {"content-type": "application/x-ndjson"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/events", body, kind)
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(request, timeout=10).close()
            return
        except urllib.error.HTTPError as error:
            assert error.code in (400, 429, 503), error.code
            if error.code == 400:
                return
        except OSError:
            assert time.monotonic() < deadline, "nobody listens"
        time.sleep(0.2)


def settled(database: Database, seconds: float = 90.0) -> None:
    """Return once nothing has come for a while."""
    deadline, before, since = time.monotonic() + seconds, -1, time.monotonic()
    while time.monotonic() - since < 3.0 or before < 100:
        assert time.monotonic() < deadline, f"{before} events came"
        count = database.one("SELECT count() FROM @events")
        if count != before:
            before, since = count, time.monotonic()
        time.sleep(0.25)


def looked_through(database: Database, places: dict[str, bytes], planter: Planter) -> None:
    """Nothing of what was planted stands in the tables or anywhere else."""
    counts = {name: database.one(f"SELECT count() FROM @{name}") for name in TABLES}
    assert counts["events"] > planter.planted / 10 and counts["quarantine"] > 10 and counts["alerts"] > 10
    assert {"said.log", "alerts.json"} <= places.keys()
    assert leaks(places | dumped(database), planter.traces) == {}


@pytest.fixture
def embedded(tmp_path: Path) -> ClickHouse:
    """An empty database that a run of its own fills."""
    settings = ClickHouse(url=f"chdb://{tmp_path}/database", fsync="off")
    migrate(settings)
    return settings


def test_of_ten_thousand_nothing_is_stored(tmp_path: Path, embedded: ClickHouse) -> None:
    planter = Planter(seed=11)
    lines = b"".join(line + b"\n" for line in traffic(planter, PLANTED))
    assert planter.planted >= PLANTED and found(lines, planter.traces[:100])  # it would be seen
    (tmp_path / "traffic.log").write_bytes(lines)
    configure(tmp_path, FILE + EMBEDDED)
    with running(tmp_path):
        pass
    places = files(tmp_path, "traffic.log", "database")
    assert "state/state.sqlite" in places
    database = Database(embedded)
    try:
        looked_through(database, places, planter)
    finally:
        database.connection.close()


def test_nothing_is_readable_in_the_journal(tmp_path: Path, embedded: ClickHouse) -> None:
    planter = Planter(seed=12)
    lines = list(traffic(planter, 1000))
    (port,) = free_ports(1)
    configure(tmp_path, HTTP + EMBEDDED, port=port)
    with running(tmp_path) as process:
        for start in range(0, len(lines), 50):
            posted(port, b"\n".join(lines[start : start + 50]))
        time.sleep(3.0)
        process.terminate()
    places = files(tmp_path, "database")
    assert any(name.startswith("journal/") for name in places)
    database = Database(embedded)
    try:
        looked_through(database, places, planter)
    finally:
        database.connection.close()


@pytest.mark.kafka
@pytest.mark.clickhouse
def test_nothing_is_readable_in_a_topic(tmp_path: Path, kafka: KafkaServer) -> None:
    planter = Planter(seed=13)
    topic = kafka.create_topic(fresh("private"), 2)
    lines = list(traffic(planter, 2000))
    for partition in (0, 1):
        produce(kafka.brokers, topic, lines[partition::2], partition)
    with ClickHouseServer(tmp_path / "database") as server:
        database = Database(ClickHouse(url=server.url))
        configure(tmp_path, KAFKA, brokers=kafka.brokers, topic=topic, url=server.url)
        with running(tmp_path) as process:
            settled(database)
            process.terminate()
        places = files(tmp_path, "database") | topics(kafka, topic)
        assert {f"{topic}.state", f"{topic}.refused"} <= places.keys()
        assert any(name.startswith(f"{topic}.exchange") for name in places)
        looked_through(database, places, planter)
        database.connection.close()


def topics(kafka: KafkaServer, topic: str) -> dict[str, bytes]:
    """All that the topics of a run hold, apart from its input."""
    consumer = KafkaConsumer(bootstrap_servers=kafka.brokers)
    with closing(consumer):
        sizes = {
            name: len(consumer.partitions_for_topic(name) or ())
            for name in consumer.topics()
            if name.startswith(f"{topic}.")
        }
    return {
        name: b"".join(
            (record.key or b"") + (record.value or b"")
            for part in everything(kafka.brokers, name, size)
            for record in part
        )
        for name, size in sizes.items()
    }
