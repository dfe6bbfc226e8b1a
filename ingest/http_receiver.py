"""The receiver: a thread with an event loop that takes requests in, and lets go of everything in order."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from typing import Any, Protocol

from ingest.http_connection import Connection, Limits, part
from ingest.http_desk import Desk, sent_away
from ingest.journal import Journal
from tocsin.contracts import ConfigError, SourceUnavailable
from tocsin.logs import Log
from tocsin.ports import Lent

PART = "receiver"
BACKLOG = 128
LOOK_SECONDS = 0.5  # between looks at the journal
GRACE_SECONDS = 3.0  # for requests that are being served
START_SECONDS = 10.0
HANDSHAKE_SECONDS = 10.0

log = Log("http")


class Settings(Limits, Protocol):
    """Settings of a receiver."""

    @property
    def connections(self) -> int: ...


class Receiver:
    """Listens from the moment it is made. Raises SourceUnavailable where the address is taken."""

    def __init__(
        self,
        place: tuple[str, int],
        context: ssl.SSLContext | None,
        settings: Settings,
        desk: Desk,
        journal: Journal,
        lent: Lent,
    ) -> None:
        self.failure: BaseException | None = None
        self._socket = _listening(place)
        self._context = context
        self._settings = settings
        self._desk = desk
        self._journal = journal
        self._metrics, self._health = lent.metrics, lent.health
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._parting = 0  # clients that were sent away and may still be sending
        self._stop = asyncio.Event()
        self._stopping = False
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._thread.start()
        self._started.wait(START_SECONDS)

    @property
    def port(self) -> int:
        """The port that is really listened on."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Take no more; requests that are being served are still answered."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(2 * GRACE_SECONDS)
        self._socket.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(_quietly)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # told by the thread that reads
            log.error("the receiver broke", error=error)
            self.failure = error
        finally:
            self._health.rest(PART)
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _serve(self) -> None:
        options: dict[str, Any] = {"ssl_handshake_timeout": HANDSHAKE_SECONDS} if self._context else {}
        server = await asyncio.start_server(
            self._connected, sock=self._socket, ssl=self._context, backlog=BACKLOG, **options
        )
        self._started.set()
        while not self._stop.is_set():
            self._look()
            try:
                await asyncio.wait_for(self._stop.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue
        self._stopping = True
        server.close()
        await self._drain()

    def _look(self) -> None:
        self._health.beat(PART)
        self._metrics.gauge("tocsin_http_connections", len(self._connections))
        self._metrics.gauge("tocsin_journal_bytes", self._journal.held)
        self._metrics.gauge(
            "tocsin_journal_records", self._journal.standing.next - self._journal.standing.first
        )
        if self._journal.failing:
            self._health.trouble("journal", self._journal.failing)
        elif self._desk.crowded:
            self._health.trouble("journal", f"{self._journal.held} bytes wait for detection: 429 is answered")
        else:
            self._health.well("journal")

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._stopping or (len(self._connections) >= self._settings.connections and not self._make_room()):
            await self._send_away(reader, writer)
            return
        connection = Connection(reader, writer, self._desk, self._settings, lambda: self._stopping)
        self._connections[task] = connection
        try:
            await connection.serve()
        except asyncio.CancelledError:
            pass  # it was idle and had to make room, or the end has come
        except Exception as error:  # one client's affair; its message may quote the input
            log.error("a request could not be served", error=type(error).__name__)
            writer.transport.abort()
        finally:
            self._connections.pop(task, None)

    def _make_room(self) -> bool:
        """Part with whoever has been idle longest, so that silent clients cannot keep others out."""
        idle = [(c.idle_since, task) for task, c in self._connections.items() if c.idle_since is not None]
        if not idle:
            return False
        longest = min(idle, key=lambda pair: pair[0])[1]
        self._connections.pop(longest)
        longest.cancel()
        return True

    async def _send_away(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = sent_away()
        lines = [f"HTTP/1.1 {answer.code} Service Unavailable", f"Content-Length: {len(answer.body)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        self._desk.answered(None, answer, 0, 0.0)
        writer.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
        waits = self._parting < self._settings.connections  # in a flood nobody is waited for
        self._parting += 1
        try:
            await part(reader, writer, unread=waits and not self._stopping)
        finally:
            self._parting -= 1

    async def _drain(self) -> None:
        """Idle clients leave now, the others once they were answered, or after a while."""
        deadline = time.monotonic() + GRACE_SECONDS
        while self._connections:
            late = time.monotonic() >= deadline
            going = [t for t, c in self._connections.items() if late or c.idle_since is not None]
            for task in going:
                task.cancel()
            await asyncio.sleep(0.02)
            if late:
                await asyncio.wait(going, timeout=1.0)
                return


def _listening(place: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    try:
        return socket.create_server(place, family=family, backlog=BACKLOG)
    except PermissionError as error:
        raise ConfigError([f"[source] listen: {place[0]}:{place[1]}: {error.strerror}"]) from error
    except OSError as error:
        raise SourceUnavailable(f"cannot listen on {place[0]}:{place[1]}: {error.strerror}") from error


def _quietly(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.debug("a client went away", said=str(context.get("message", "")))
