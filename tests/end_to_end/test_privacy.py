"""Ten thousand secrets and identities go in, in every format, and none of them is anywhere afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

import msgspec
import pytest
from parts.clickhouse_rows import Database
from parts.golden import Case, cases
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
keys = { u1 = "an old secret of some length", u2 = "a new secret of some length" }
since = { u2 = 2025-01-01T00:00:00Z }
"""
FILE = """
[source]
type = "file"
paths = ["{directory}/traffic.log"]

[operations]
listen = ""
log_level = "debug"

[checkpoints]
directory = "{directory}/state"

[sinks.clickhouse]
url = "chdb://{directory}/database"
fsync = "off"

[sinks.console]
format = "json"
to = "{directory}/alerts.json"
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


def traffic(planter: Planter) -> Iterator[bytes]:
    """Records as lines, each with secrets of its own."""
    known = [(record, *identities(record)) for record in payloads()]
    for number, (record, named, alone) in enumerate(cycle(known)):
        if planter.planted >= PLANTED:
            return
        made = planter.broken(record) if number % 40 == 39 else planter.record(record, named, alone=alone)
        yield made.replace(b"\n", b" ")


def run(directory: Path) -> bytes:
    """What `tocsin run` says until its input has ended."""
    temporary = directory / "tmp"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tocsin", "run", "-c", str(directory / "tocsin.toml")],
        capture_output=True,
        timeout=200,
        check=False,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


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


def test_nothing_that_was_planted_is_stored_anywhere(tmp_path: Path) -> None:
    planter = Planter(seed=11)
    lines = list(traffic(planter))
    (tmp_path / "traffic.log").write_bytes(b"".join(line + b"\n" for line in lines))
    (tmp_path / "tocsin.toml").write_text(FILE.format(directory=tmp_path) + PRIVACY + DETECTORS)
    migrate(ClickHouse(url=f"chdb://{tmp_path}/database", fsync="off"))
    places = {"log": run(tmp_path)}
    database = Database(ClickHouse(url=f"chdb://{tmp_path}/database", fsync="off"))
    try:
        counts = {name: database.one(f"SELECT count() FROM @{name}") for name in TABLES}
        assert planter.planted >= PLANTED and counts["events"] > 1000
        assert counts["alerts"] > 10 and counts["quarantine"] > 30
        places |= dumped(database)
    finally:
        database.connection.close()
    places |= files(tmp_path, "traffic.log", "database")
    assert {"log", "alerts.json", "state/state.sqlite"} <= places.keys()
    assert leaks(
        {"traffic": (tmp_path / "traffic.log").read_bytes()}, planter.traces[:100]
    )  # it would be seen
    assert leaks(places, planter.traces) == {}
