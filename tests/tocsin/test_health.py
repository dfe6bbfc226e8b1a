"""Health: what is said of the process, and how it is said over HTTP."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tocsin import health as health_module
from tocsin.contracts import ConfigError
from tocsin.health import CONNECTIONS, Health, HealthServer, address
from tocsin.metrics import Metrics


class Hand:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def health(clock: Hand) -> Health:
    return Health(60.0, clock)


def test_before_any_part_runs_it_is_alive_and_not_ready(health: Health) -> None:
    assert not health.stuck()
    assert health.reasons() == {"start": "no part runs yet"}


def test_with_a_part_that_beats_it_is_ready(health: Health, clock: Hand) -> None:
    for _ in range(10):
        health.beat("detect")
        clock.now += 59
        assert not health.reasons() and not health.stuck()


def test_a_part_that_stands_still_is_neither_ready_nor_alive(health: Health, clock: Hand) -> None:
    health.beat("ingest")
    clock.now += 30
    health.beat("detect")
    clock.now += 31
    assert health.stuck() == health.reasons() == {"ingest": "no progress for 61 s"}
    health.beat("ingest")
    assert not health.stuck() and not health.reasons()


def test_a_part_that_has_ended_need_not_beat(health: Health, clock: Hand) -> None:
    health.beat("detect")
    health.rest("detect")
    health.rest("never began")
    clock.now += 1000
    assert not health.stuck() and health.reasons() == {"start": "no part runs yet"}


def test_trouble_makes_it_unready_until_all_is_well_and_never_dead(health: Health) -> None:
    health.beat("detect")
    health.trouble("sink a", "no write confirmed for 3 s")
    health.trouble("sink b", "down")
    health.trouble("sink a", "no write confirmed for 4 s")
    assert health.reasons() == {"sink a": "no write confirmed for 4 s", "sink b": "down"}
    assert not health.stuck()
    health.well("sink a")
    health.well("never in trouble")
    assert health.reasons() == {"sink b": "down"}
    health.well("sink b")
    assert not health.reasons()


def test_reasons_are_harmless_and_short(health: Health) -> None:
    health.trouble("sink", "\x1b[2J\n\u202e" + "x" * 100_000)
    reason = health.reasons()["sink"]
    assert reason.startswith("\\u{1b}[2J\\u{a}\\u{202e}x") and len(reason) < 1000


# Over HTTP.


@pytest.fixture
def server(health: Health) -> Iterator[HealthServer]:
    server = HealthServer("127.0.0.1:0", health, Metrics())
    yield server
    server.close()


def ask(server: HealthServer, path: str, method: str = "GET") -> tuple[int, str, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers.get_content_type(), answer.read().decode()


def state(server: HealthServer, path: str) -> tuple[int, Any]:
    status, content_type, body = ask(server, path)
    assert content_type == "application/json"
    return status, json.loads(body)


def test_readyz_follows_what_stands_in_the_way(server: HealthServer, health: Health) -> None:
    assert state(server, "/readyz") == (503, {"ready": False, "reasons": {"start": "no part runs yet"}})
    health.beat("detect")
    assert state(server, "/readyz") == (200, {"ready": True, "reasons": {}})
    health.trouble("checkpoints", "disk full")
    assert state(server, "/readyz") == (503, {"ready": False, "reasons": {"checkpoints": "disk full"}})
    assert state(server, "/healthz") == (200, {"alive": True, "reasons": {}})
    health.well("checkpoints")
    assert state(server, "/readyz")[0] == 200


def test_healthz_says_who_stands_still(server: HealthServer, health: Health, clock: Hand) -> None:
    health.beat("detect")
    clock.now += 61
    stuck = {"alive": False, "reasons": {"detect": "no progress for 61 s"}}
    assert state(server, "/healthz") == (503, stuck)


def test_metrics_are_served_for_prometheus(server: HealthServer) -> None:
    status, content_type, body = ask(server, "/metrics")
    assert (status, content_type) == (200, "text/plain")
    assert "# TYPE tocsin_checkpoints_total counter" in body


@pytest.mark.parametrize("path", ["/", "/metrics/", "/readyz?x", "/../etc/passwd", "/%1b[2J"])
def test_there_is_nothing_else(server: HealthServer, path: str) -> None:
    assert ask(server, path) == (404, "text/plain", "/metrics /healthz /readyz\n")


def test_only_questions_are_answered(server: HealthServer) -> None:
    assert ask(server, "/readyz", "HEAD") == (503, "application/json", "")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(server, "/readyz", method)[0] == 501


def test_nonsense_does_not_reach_the_log(server: HealthServer, capfd: pytest.CaptureFixture[str]) -> None:
    for sent in (b"\x00\xff\x1b[2J\r\n\r\n", b"GET " + b"a" * 100_000 + b"\r\n\r\n", b""):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            while True:
                try:
                    if not client.recv(65536):
                        break
                except ConnectionResetError:
                    break
    assert ask(server, "/healthz")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_slow_clients_are_bounded_in_number_and_time(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "CONNECTION_SECONDS", 1.5)
    with closing(HealthServer("127.0.0.1:0", health, Metrics())) as server, ExitStack() as stack:
        place = ("127.0.0.1", server.port)
        clients = [
            stack.enter_context(socket.create_connection(place, timeout=10)) for _ in range(CONNECTIONS)
        ]
        began = time.monotonic()
        with pytest.raises(OSError):
            ask(server, "/healthz")  # all places are taken
        assert len(server._server._open) <= CONNECTIONS
        _dribble(clients, began + 2.0)
        assert ask(server, "/healthz")[0] == 200


def _dribble(clients: list[socket.socket], end: float) -> None:
    """A byte now and then keeps a socket's own timeout from ever passing."""
    while time.monotonic() < end:
        for client in clients:
            try:
                client.send(b"G")
            except OSError:
                continue
        time.sleep(0.1)


def test_a_client_that_is_left_alone_is_cut_off(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "CONNECTION_SECONDS", 0.3)
    with closing(HealthServer("127.0.0.1:0", health, Metrics())) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            assert client.recv(1) == b""
        assert ask(server, "/healthz")[0] == 200


def test_closing_does_not_wait_for_slow_clients(health: Health) -> None:
    server = HealthServer("127.0.0.1:0", health, Metrics())
    with socket.create_connection(("127.0.0.1", server.port)):
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < 4  # of the 5 that a client has
    with pytest.raises(OSError):
        ask(server, "/healthz")


# Where it listens.


def test_addresses_are_taken_apart() -> None:
    assert address("127.0.0.1:9464") == ("127.0.0.1", 9464)
    assert address("[::1]:0") == ("::1", 0)
    assert address("localhost:65535") == ("localhost", 65535)


@pytest.mark.parametrize("listen", ["9464", ":9464", "host:", "host:http", "host:65536", "host:-1", "[]:1"])
def test_what_is_no_address_is_a_mistake(listen: str) -> None:
    with pytest.raises(ConfigError, match="operations.listen"):
        address(listen)


def test_a_port_that_is_taken_is_a_mistake(server: HealthServer, health: Health) -> None:
    with pytest.raises(ConfigError, match="cannot listen on .*in use"):
        HealthServer(f"127.0.0.1:{server.port}", health, Metrics())


@pytest.mark.parametrize(
    ("listen", "warned"), [("127.0.0.1:0", False), ("localhost:0", False), ("0.0.0.0:0", True)]
)
def test_listening_to_a_network_is_warned_about(
    listen: str, warned: bool, health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "tocsin.health"):
        HealthServer(listen, health, Metrics()).close()
    assert ("without authentication" in caplog.text) == warned


def test_ipv6_loopback_is_served(health: Health) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with (
        closing(HealthServer("[::1]:0", health, Metrics())) as server,
        closing(http.client.HTTPConnection("::1", server.port, timeout=10)) as connection,
    ):
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
