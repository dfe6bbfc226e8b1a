"""An http source in a process of its own, so that it can be killed or run out of disk.

python http_process.py SETTINGS_JSON FILE_LIMIT     # 0: none; prints its port, ends with its standard input
"""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[2]


class Running:
    """Such a process, seen from the test."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def kill(self) -> None:
        """Without a word of warning."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def running(directory: Path, limit: int = 0, **settings: Any) -> Iterator[Running]:
    """Listens when this is entered."""
    told = msgspec.json.encode({"listen": "127.0.0.1:0", "directory": str(directory)} | settings).decode()
    command = [sys.executable, str(Path(__file__)), told, str(limit)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield Running(process, int(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def main() -> None:
    from ingest.http import HttpSource

    if limit := int(sys.argv[2]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    reader = msgspec.json.decode(sys.argv[1], type=HttpSource).open()
    sys.stdout.write(f"{reader.port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    reader.close()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
