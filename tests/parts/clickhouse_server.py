"""Starts, stops and kills a ClickHouse HTTP server of its own process, for tests of the network path."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

PROGRAM = Path(__file__).with_name("clickhouse_http.py")
Fault = dict[str, str | int | float]


class ClickHouseServer:
    """One server on one directory; a restart keeps directory and port."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """What a sink is given."""
        return f"http://127.0.0.1:{self.port}/tocsin"

    def start(self) -> ClickHouseServer:
        """Start, and wait until it answers."""
        command = [sys.executable, str(PROGRAM), str(self.directory), str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout and self.process.stdout.readline() == "ready\n"
        return self

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nothing is said."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Let it go."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=30)
            assert self.process.stdout
            self.process.stdout.close()
            self.process = None

    def faults(self, *faults: Fault) -> None:
        """From now on these faults happen, and no others."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/faults", json.dumps(faults).encode(), method="POST"
        )
        urllib.request.urlopen(request, timeout=10).close()

    @contextmanager
    def failing(self, *faults: Fault) -> Iterator[None]:
        """These faults happen inside."""
        self.faults(*faults)
        try:
            yield
        finally:
            self.faults()

    def ask(self, sql: str) -> str:
        """The answer to a query, as tab-separated text."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/?", sql.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            text: str = answer.read().decode()
        return text.strip()

    def __enter__(self) -> ClickHouseServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
