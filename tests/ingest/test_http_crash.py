"""Accepted means durable: through SIGKILL, a full disk and restarts, and on through the whole pipeline."""

from __future__ import annotations

import base64
import http.client
import json
import random
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from parts.http_process import Running, running

from ingest.journal import Journal
from ingest.journal_reader import PARTITION, JournalReader
from tocsin import config, pipeline
from tocsin.contracts import ConfigError, SinkUnavailable
from tocsin.memory import MemorySink, MemoryTables, MemoryWriter
from tocsin.sealing import Keys

ACME, UMBRELLA = "acme-token-0123456789", "umbrella-token-0123456"
KEY = base64.b64encode(b"k" * 32).decode()
TEXT = "the patient's name is Odysseus"


def values_in(directory: Path, keys: Keys | None = None) -> list[bytes]:
    """What a journal holds, read as the pipeline reads it."""
    made = Journal(directory, 1 << 30)
    with closing(JournalReader(made.path, keys, made)) as reader:
        reader.seek(PARTITION, None)
        found: list[bytes] = []
        while records := reader.poll(0.0):
            found += [record.value for record in records]
    made.close()
    return found


class Sender(threading.Thread):
    """Sends numbered documents, each once, and remembers which were accepted."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__()
        self.accepted: list[bytes] = []
        self.codes: list[int] = []
        self._port = port
        self._label = name

    def run(self) -> None:
        number = 0
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)) as client:
            while True:
                lines = [b'{"n":"%s.%d.%d"}' % (self._label.encode(), number, line) for line in range(5)]
                try:
                    client.request("POST", "/events", b"\n".join(lines))
                    response = client.getresponse()
                    response.read()
                except (OSError, http.client.HTTPException):
                    return
                self.codes.append(response.status)
                if response.status == 200:
                    self.accepted += lines
                number += 1


def sent_until_killed(server: Running, name: str, seconds: float) -> list[bytes]:
    senders = [Sender(server.port, f"{name}.{number}") for number in range(4)]
    for sender in senders:
        sender.start()
    time.sleep(seconds)
    server.kill()
    for sender in senders:
        sender.join(20)
    return [value for sender in senders for value in sender.accepted]


def test_a_kill_at_any_moment_loses_nothing_accepted_and_doubles_nothing(tmp_path: Path) -> None:
    chance, accepted = random.Random(4), list[bytes]()
    for kill in range(4):
        with running(tmp_path) as server:
            accepted += sent_until_killed(server, str(kill), chance.uniform(0.1, 0.5))
    found = values_in(tmp_path)
    assert len(accepted) > 100
    assert len(found) == len(set(found))
    assert set(accepted) <= set(found)
    per_request = 5
    assert len(found) % per_request == 0  # all of a request or none of it


def test_a_disk_that_is_full_is_answered_with_503_and_loses_nothing(tmp_path: Path) -> None:
    with running(tmp_path, limit=1_000_000) as server:
        codes, accepted = [], []
        for number in range(60):
            body = b'{"n":%d,"x":"%s"}' % (number, b"x" * 40_000)
            with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as client:
                client.request("POST", "/events", body)
                response = client.getresponse()
                told = json.loads(response.read())
            codes.append(response.status)
            if response.status == 200:
                accepted.append(body)
            else:
                assert response.getheader("Retry-After") == "15" and "durable" in told["message"]
        assert codes[0] == 200 and codes[-1] == 503
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as client:
            client.request("GET", "/healthz")
            assert client.getresponse().status == 503
    assert values_in(tmp_path) == accepted
    with running(tmp_path) as server:  # with room again
        assert urllib.request.urlopen(f"http://127.0.0.1:{server.port}/events", b'{"n":60}').status == 200
    assert values_in(tmp_path) == [*accepted, b'{"n":60}']


# Through the pipeline.


class House:
    """A configured Tocsin with an http source, that can be started over and over."""

    def __init__(self, directory: Path, **encryption: Any) -> None:
        self.tables = MemoryTables()
        self.sink = MemorySink(tables=self.tables)
        self._directory = directory
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port: int = free.getsockname()[1]
        self._encryption = encryption

    def settings(self) -> config.Config:
        tables = {
            "source": {
                "type": "http",
                "listen": f"127.0.0.1:{self._port}",
                "directory": str(self._directory / "journal"),
                "tokens": {"acme": ACME, "umbrella": UMBRELLA},
            },
            "checkpoints": {"type": "sqlite", "directory": str(self._directory / "state")},
            "operations": {"listen": ""},
            "engine": {"checkpoint_seconds": 0.05},
            "detectors": {"defaults": False, "error_burst": {}},
            "encryption": self._encryption,
        }
        made = config.read(tables, {}, embedded=True)
        return msgspec.structs.replace(made, sinks={"memory": self.sink})

    @contextmanager
    def running(self) -> Iterator[int]:
        """The port of a pipeline that runs."""
        stop = threading.Event()
        thread = threading.Thread(target=pipeline.build(self.settings()).run, args=(stop,))
        thread.start()
        try:
            self._wait(self._listens)
            yield self._port
        finally:
            stop.set()
            thread.join(20)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=5).close()
        except ConnectionRefusedError:
            return False
        return True

    def wait(self, events: int) -> None:
        self._wait(lambda: len(self.tables.events) >= events)

    def _wait(self, until: Any) -> None:
        end = time.monotonic() + 20
        while not until():
            assert time.monotonic() < end
            time.sleep(0.01)


def post(port: int, token: str, users: Sequence[str], **more: Any) -> None:
    lines = [
        json.dumps({"tocsin": 1, "kind": "llm", "user": user, "time": time.time()} | more) for user in users
    ]
    send(port, token, "\n".join(lines))


def send(port: int, token: str, body: str) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as client:
        client.request("POST", "/events", body, {"Authorization": f"Bearer {token}"})
        assert client.getresponse().status == 200


def test_events_belong_to_the_tenant_that_sent_them_and_are_stored_once_over_restarts(tmp_path: Path) -> None:
    house = House(tmp_path)
    with house.running() as port:
        post(port, ACME, ["a", "b"], tenant="umbrella")  # claims to be another
        house.wait(2)
    with house.running() as port:
        post(port, UMBRELLA, ["c"])
        house.wait(3)
    assert [event.tenant for event, _ in house.tables.events] == ["acme", "acme", "umbrella"]
    assert {event.source for event, _ in house.tables.events} == {"http"}
    offsets = [event.log_offset for event, _ in house.tables.events]
    assert offsets[:2] == [0, 1] and offsets[2] >= 2, "a tick may have come between"
    assert house.tables.doubled == 0


class LateSink(MemorySink, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Is away until it is let in."""

    there: threading.Event

    def open(self) -> MemoryWriter:
        if not self.there.is_set():
            raise SinkUnavailable("not up")
        return super().open()


def test_senders_are_served_while_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "FIRST_PAUSE", 0.05)
    house, there = House(tmp_path), threading.Event()
    house.sink = LateSink(tables=house.tables, there=there)
    with house.running() as port:
        post(port, ACME, ["a"])
        assert not house.tables.events
        there.set()
        house.wait(1)


def test_the_journal_forgets_what_checkpoints_do_not_need(tmp_path: Path) -> None:
    house = House(tmp_path)
    with house.running() as port:
        for number in range(6):
            post(port, ACME, [f"u{number}"], input=[{"role": "user", "text": TEXT}])
            house.wait(number + 1)
            time.sleep(0.1)
    left = values_in(tmp_path / "journal")
    assert 1 <= len(left) <= 3


def test_a_sender_of_garbage_does_not_stop_the_others(tmp_path: Path) -> None:
    house = House(tmp_path)
    with house.running() as port:
        send(port, ACME, '{"tocsin":1}\n' + "garbage\n" * 2000)
        post(port, UMBRELLA, ["fine"])
        house.wait(2)
    assert len(house.tables.rejects) == 2000
    assert {reject.tenant for reject in house.tables.rejects} == {"acme"}


def test_a_sealed_pipeline_leaves_no_text_and_stops_loudly_without_its_key(tmp_path: Path) -> None:
    house = House(tmp_path, keys={"k": KEY})
    with house.running() as port:
        post(port, ACME, ["a"], input=[{"role": "user", "text": TEXT}])
        house.wait(1)
        on_disk = b"".join(path.read_bytes() for path in (tmp_path / "journal").iterdir())
        assert TEXT.encode() not in on_disk and len(on_disk) > 1000
    assert house.tables.events[0][0].tenant == "acme"
    made = Journal(tmp_path / "journal", 1 << 30, keys=Keys([b"k" * 32]))
    made.append("acme", [b'{"tocsin":1}']).result(10)
    made.close()
    another = House(tmp_path, keys={"other": base64.b64encode(b"o" * 32).decode()})
    with pytest.raises(ConfigError, match="sealed with a key .* add that key"):
        pipeline.build(another.settings()).run(threading.Event())
    with house.running():
        house.wait(2)
