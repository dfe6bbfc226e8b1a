"""Writing over the network to the engine in a process of its own, while things go wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from msgspec.structs import replace
from parts.clickhouse_rows import LOG, Database, batch, soon
from parts.clickhouse_server import ClickHouseServer, Fault

from sinks.clickhouse import ClickHouse
from sinks.clickhouse_migrate import migrate
from tocsin.contracts import SinkRefused, SinkUnavailable, Writer
from tocsin.model import Batch
from tocsin.testing import check_sink
from tocsin.testing.sink import missing

pytestmark = pytest.mark.clickhouse
TABLES = ("events", "quarantine", "alerts")  # in the order in which a batch is written


@pytest.fixture
def writer(remote: Database) -> Iterator[Writer]:
    """An open writer over the network."""
    with closing(remote.settings.open()) as writer:
        yield writer


def insistent(writer: Writer, whole: Batch, attempts: int = 20) -> int:
    """What the worker does: offer, and after a doubt read back and offer what is missing."""
    offered = whole
    for attempt in range(attempts):
        try:
            writer.write(offered, time.monotonic() + 5)
            return attempt
        except SinkUnavailable:
            offered = whole
        while True:
            try:
                offered = missing(whole, writer.written(LOG, 0, 0))
                break
            except SinkUnavailable:
                time.sleep(0.05)
    raise AssertionError("never stored")


def complete(remote: Database, rows: int) -> None:
    """Everything is there once."""
    assert remote.one("SELECT count() FROM @events") == rows
    assert remote.one("SELECT count() FROM @alerts") == rows // 10
    assert remote.one("SELECT count() FROM @quarantine") == rows // 10
    assert remote.doubled() == 0


@pytest.mark.parametrize("compression", ["lz4", "zstd", "none"])
def test_the_sink_keeps_its_contract(server: ClickHouseServer, remote: Database, compression: Any) -> None:
    log, tables = "check-sink", ("events", "alerts", "quarantine")

    def stored() -> int:
        return sum(remote.one(f"SELECT count() FROM @{t} WHERE log_id = '{log}'") for t in tables)

    lost: dict[str, str | int | float] = {"match": "INSERT INTO", "times": -1, "do": "drop_reply"}
    sink = replace(remote.settings, compression=compression)
    check_sink(sink, stored=stored, outage=lambda: server.failing(lost), log=log)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("do", ["hang_up", "drop_reply", "error", "status"])
def test_a_failure_at_every_position_between_the_inserts_doubles_nothing(
    server: ClickHouseServer, remote: Database, writer: Writer, table: str, do: str
) -> None:
    with server.failing({"match": rf"INSERT INTO .*\.{table}", "do": do, "code": 242, "status": 502}):
        assert insistent(writer, batch(0, 100)) == 1
    complete(remote, 100)


@pytest.mark.parametrize(
    ("code", "name"),
    [(242, "TABLE_IS_READ_ONLY"), (243, "NOT_ENOUGH_SPACE"), (252, "TOO_MANY_PARTS"), (159, ""), (99999, "")],
)
def test_what_may_pass_is_unavailable(
    server: ClickHouseServer, remote: Database, writer: Writer, code: int, name: str
) -> None:
    with (
        server.failing({"match": "INSERT", "times": -1, "do": "error", "code": code}),
        pytest.raises(SinkUnavailable, match=f"insert into events: .*{name}.*{code}"),
    ):
        writer.write(batch(0, 10), soon())
    assert insistent(writer, batch(0, 10)) == 0
    complete(remote, 10)


@pytest.mark.parametrize("code", [497, 516, 164])
def test_what_never_passes_is_refused(server: ClickHouseServer, writer: Writer, code: int) -> None:
    with (
        server.failing({"match": "INSERT", "times": -1, "do": "error", "code": code}),
        pytest.raises(SinkRefused, match="insert into events: "),
    ):
        writer.write(batch(0, 10), soon())


def test_a_wrong_password_is_refused_at_the_start(server: ClickHouseServer, remote: Database) -> None:
    with (
        server.failing({"match": "", "times": -1, "do": "error", "code": 516}),
        pytest.raises(SinkRefused, match="connecting to ClickHouse"),
    ):
        remote.settings.open()


def test_a_server_that_is_not_there_is_unavailable(server: ClickHouseServer) -> None:
    with pytest.raises(SinkUnavailable, match="connecting to ClickHouse"):
        ClickHouse(url="http://127.0.0.1:1/tocsin").open()


@pytest.mark.parametrize("do", ["delay", "slow_reply"])
def test_an_insert_that_outlives_its_client_is_settled_before_reading_back(
    server: ClickHouseServer, remote: Database, writer: Writer, do: str
) -> None:
    """The reply comes too late; the insert was waiting (and is killed), or was done."""
    server.faults({"match": r"INSERT INTO .*\.events", "do": do, "seconds": 3})
    begun = time.monotonic()
    with pytest.raises(SinkUnavailable, match="insert into events"):
        writer.write(batch(0, 50), begun + 0.5)
    assert time.monotonic() - begun < 2.9  # the reply comes after 3
    stored = writer.written(LOG, 0, 0)
    assert len(stored.events) == (0 if do == "delay" else 50)
    writer.write(missing(batch(0, 50), stored), soon())
    time.sleep(max(0.0, begun + 3.5 - time.monotonic()))  # a zombie would have landed by now
    complete(remote, 50)


def test_a_write_that_cannot_be_settled_is_not_read_back(
    server: ClickHouseServer, remote: Database, writer: Writer
) -> None:
    server.faults({"match": "INSERT", "do": "drop_reply"}, {"match": "KILL", "do": "hang_up", "times": -1})
    with pytest.raises(SinkUnavailable, match="insert into events"):
        writer.write(batch(0, 20), soon())
    for _ in range(2):
        with pytest.raises(SinkUnavailable, match="ending a doubtful write"):
            writer.written(LOG, 0, 0)
    server.faults()
    assert len(writer.written(LOG, 0, 0).events) == 20


def test_the_client_sends_nothing_twice_by_itself(
    server: ClickHouseServer, remote: Database, writer: Writer
) -> None:
    with server.failing({"match": "INSERT", "times": -1, "do": "drop_reply"}), pytest.raises(SinkUnavailable):
        writer.write(batch(0, 30), soon())
    assert remote.one("SELECT count() FROM @events") == 30


def test_writers_at_once_lose_and_double_nothing(server: ClickHouseServer, remote: Database) -> None:
    """Two processes' worth of writers, one log partition each, every third reply lost."""

    def write(partition: int) -> None:
        with closing(remote.settings.open()) as writer:
            for first in range(0, 200, 20):
                whole = batch(first, 20, log_partition=partition)
                for alert in range(len(whole.alerts)):
                    whole.alerts[alert] = replace(whole.alerts[alert], log_partition=partition)
                    whole.rejects[alert] = replace(whole.rejects[alert], log_partition=partition)
                offered = whole
                while len(offered):
                    try:
                        writer.write(offered, soon())
                        break
                    except SinkUnavailable:
                        offered = missing(whole, writer.written(LOG, partition, 0))

    lost: list[Fault] = [{"match": f"INSERT .*{t}", "times": 7, "do": "drop_reply"} for t in TABLES]
    server.faults(*lost)
    threads = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    complete(remote, 400)


def test_a_killed_server_comes_back_with_everything_confirmed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """SIGKILL again and again while a writer insists; each batch is stored once."""
    server = ClickHouseServer(tmp_path_factory.mktemp("killed"))
    server.start()
    settings = ClickHouse(url=server.url, connect_seconds=1.0, reply_seconds=10.0)
    migrate(settings)
    writer, stop = settings.open(), threading.Event()

    def killing() -> None:
        for pause in (0.02, 0.05, 0.11, 0.17, 0.23, 0.31):
            if stop.wait(0.3 + pause):
                return
            server.kill()
            server.start()

    killer, rounds = threading.Thread(target=killing), 0
    killer.start()
    try:
        with closing(writer):
            while killer.is_alive() or rounds < 20:
                insistent(writer, batch(rounds * 50, 50), attempts=500)
                rounds += 1
        killer.join()
        remote = Database(settings)
        with closing(remote.connection):
            complete(remote, rounds * 50)
    finally:
        stop.set()
        killer.join()
        server.kill()


def test_minutes_are_computed_on_the_server(remote: Database, writer: Writer) -> None:
    whole = batch(0, 60)
    writer.write(whole, soon())
    minutes = sorted({int(event.time) // 60 * 60 for event in whole.events})
    for version in (1, 2):
        writer.aggregate(LOG, 0, minutes, version)
    assert remote.one("SELECT sum(events) FROM @usage") == 60


def test_no_password_and_no_row_is_in_an_error(server: ClickHouseServer, remote: Database) -> None:
    sink = replace(remote.settings, password="hunter2")
    with (
        closing(sink.open()) as writer,
        server.failing({"match": "INSERT", "times": -1, "do": "hang_up"}),
        pytest.raises(SinkUnavailable) as caught,
    ):
        writer.write(batch(0, 5, user="ada-the-private"), soon())
    assert "hunter2" not in str(caught.value) + repr(sink) and "ada" not in str(caught.value)
