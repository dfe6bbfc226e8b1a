"""Health: whether the process moves, whether it is of use, and why not."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

from tocsin.contracts import ConfigError
from tocsin.logs import Log, visible
from tocsin.metrics import Metrics

CONNECTIONS = 16
CONNECTION_SECONDS = 5.0
LOOK_SECONDS = 0.1  # between looks for slow clients and for the end

log = Log("health")


class Health:
    """What the parts of the process say about themselves. Safe to use from several threads."""

    def __init__(self, stuck_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stuck_seconds = stuck_seconds
        self._clock = clock
        self._beats: dict[str, float] = {}
        self._troubles: dict[str, str] = {}
        self._lock = threading.Lock()

    def beat(self, part: str) -> None:
        """The part's loop went round."""
        self._beats[part] = self._clock()

    def rest(self, part: str) -> None:
        """The part has ended in order; it need not beat any more."""
        self._beats.pop(part, None)

    def trouble(self, what: str, reason: str) -> None:
        """Not ready because of `what`, until `well` is said of it."""
        with self._lock:
            self._troubles[what] = visible(reason)

    def well(self, what: str) -> None:
        """`what` is in order again."""
        if what in self._troubles:
            with self._lock:
                self._troubles.pop(what, None)

    def stuck(self) -> Mapping[str, str]:
        """The parts whose loop does not go round any more."""
        now = self._clock()
        return {
            part: f"no progress for {now - beat:.0f} s"
            for part, beat in list(self._beats.items())
            if now - beat > self._stuck_seconds
        }

    def reasons(self) -> Mapping[str, str]:
        """Everything that stands between this process and being ready."""
        with self._lock:
            reasons = dict(self._troubles)
        if not self._beats:
            reasons["start"] = "no part runs yet"
        return reasons | dict(self.stuck())


class HealthServer:
    """/metrics, /healthz and /readyz over HTTP from a thread of its own, bounded in every way."""

    def __init__(self, listen: str, health: Health, metrics: Metrics) -> None:
        host, port = address(listen)
        if not is_loopback(host):
            log.warning("operations listen on a network without authentication", listen=listen)
        try:
            self._server = _Server((host, port), health, metrics)
        except OSError as error:
            raise ConfigError([f"operations.listen: cannot listen on {listen}: {error.strerror}"]) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(LOOK_SECONDS,), name="health", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is really listened on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2.0)


def address(listen: str, place: str = "operations.listen") -> tuple[str, int]:
    """`host:port` taken apart; an IPv6 host stands in brackets. Raises ConfigError."""
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError([f"{place}: {listen!r} is not host:port, as in 127.0.0.1:9464"])
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether nobody on another machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = CONNECTIONS

    def __init__(self, place: tuple[str, int], health: Health, metrics: Metrics) -> None:
        self.address_family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        self.health = health
        self.metrics = metrics
        self._open: dict[Any, float] = {}
        super().__init__(place, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if len(self._open) >= CONNECTIONS:
            self.shutdown_request(request)
            return
        self._open[request] = time.monotonic() + CONNECTION_SECONDS
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """A client that dribbles its request byte by byte is cut off all the same."""
        now = time.monotonic()
        for request in [request for request, deadline in list(self._open.items()) if deadline < now]:
            self._open.pop(request, None)
            try:
                request.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a client of the health server went away")


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    timeout = CONNECTION_SECONDS
    server_version = "tocsin"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer one of the three paths."""
        if self.path == "/metrics":
            self._answer(200, CONTENT_TYPE_LATEST, self.server.metrics.text())
        elif self.path == "/healthz":
            self._state("alive", self.server.health.stuck())
        elif self.path == "/readyz":
            self._state("ready", self.server.health.reasons())
        else:
            self._answer(404, "text/plain", b"/metrics /healthz /readyz\n")

    do_HEAD = do_GET  # noqa: N815 - the name http.server calls

    def log_message(self, format: str, *args: object) -> None:
        log.debug("health request", path=self.path if hasattr(self, "path") else "")

    def _state(self, word: str, reasons: Mapping[str, str]) -> None:
        body = json.dumps({word: not reasons, "reasons": dict(reasons)}) + "\n"
        self._answer(503 if reasons else 200, "application/json", body.encode())

    def _answer(self, code: int, content_type: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
