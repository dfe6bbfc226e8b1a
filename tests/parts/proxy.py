"""A TCP proxy that tells when a request passes and when its reply does, and can lose either."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType

Watch = Callable[[str], bool]
"""Called with "request" before an insert is passed on and with "reply" before its answer is;
False drops the connection instead."""


class Proxy:
    """Listens on a free loopback port and passes everything on to `port`, one thread a direction."""

    def __init__(self, port: int, watch: Watch, marker: bytes = b"INSERT") -> None:
        self._target = ("127.0.0.1", port)
        self._watch = watch
        self._marker = marker
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._server.close()
        with self._lock:
            for end in list(self._open):
                _hang_up(end)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                _hang_up(client)
                continue
            server.settimeout(None)
            pending = threading.Event()
            with self._lock:
                self._open |= {client, server}
            for here, there, phase in ((client, server, "request"), (server, client, "reply")):
                arguments = (here, there, phase, pending)
                threading.Thread(target=self._pass_on, args=arguments, daemon=True).start()

    def _pass_on(
        self, here: socket.socket, there: socket.socket, phase: str, pending: threading.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := here.recv(1 << 16):
                if not self._allowed(data, phase, pending):
                    break
                there.sendall(data)
        _hang_up(here)
        _hang_up(there)
        with self._lock:
            self._open -= {here, there}

    def _allowed(self, data: bytes, phase: str, pending: threading.Event) -> bool:
        if phase == "request" and data.startswith(b"POST ") and self._marker in data[:4096]:
            pending.set()
            return self._watch("request")
        if phase == "reply" and pending.is_set() and data.startswith(b"HTTP/1."):
            pending.clear()
            return self._watch("reply")
        return True


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
