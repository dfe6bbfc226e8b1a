"""The receiver in this process, and clients that speak to it over real sockets."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ingest.http import HttpReader, HttpSource
from ingest.journal_reader import PARTITION
from tocsin.health import Health
from tocsin.metrics import Metrics
from tocsin.ports import Lent
from tocsin.unpack import Owned

ACME, UMBRELLA, NEXT = "acme-token-0123456789", "umbrella-token-0123456", "acme-token-of-tomorrow"
TOKENS: dict[str, str | tuple[str, ...]] = {"acme": (ACME, NEXT), "umbrella": UMBRELLA}
JSON_TYPE = {"Content-Type": "application/json"}
EVENT = b'{"tocsin":1,"user":"u"}'


class Reply(NamedTuple):
    code: int
    body: bytes
    headers: Mapping[str, str]


class Served:
    """A source that listens, with what it was lent."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.lent = Lent(Metrics(), Health(60.0))
        made = HttpSource(listen="127.0.0.1:0", directory=str(directory), **settings)
        self.reader: HttpReader = made.open_with(self.lent)
        self.reader.changes()
        self.reader.seek(PARTITION, None)

    @property
    def records(self) -> list[tuple[str, bytes]]:
        """What was accepted since this was last asked: tenant and value."""
        found: list[tuple[str, bytes]] = []
        while records := self.reader.poll(0.0):
            found += [(record.tenant, record.value) for record in records if isinstance(record, Owned)]
        return found

    def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Reply:
        with closing(http.client.HTTPConnection("127.0.0.1", self.reader.port, timeout=10)) as client:
            return ask(client, path, body, headers, method)

    def raw(self, *pieces: bytes, pause: float = 0.0) -> bytes:
        """Everything that is answered to these bytes until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.reader.port), timeout=10) as client:
            for piece in pieces:
                client.sendall(piece)
                time.sleep(pause)
            return drained(client)


def ask(
    client: http.client.HTTPConnection,
    path: str,
    body: Any,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
) -> Reply:
    client.request(method, path, body, dict(headers or {}))
    response = client.getresponse()
    return Reply(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})


def drained(client: socket.socket) -> bytes:
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


@contextmanager
def serving(directory: Path, **settings: Any) -> Iterator[Served]:
    served = Served(directory, **settings)
    with closing(served.reader):
        yield served


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def request(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body
