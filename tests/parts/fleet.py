"""Worker processes that are started, killed in the middle of a commit, and started again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from parts.proxy import Proxy

CONFIG = """
[source]
type = "kafka"
brokers = ["{brokers}"]
topics = ["{topic}"]
start = "earliest"
group_id = "{topic}"
group_instance_id = "{name}"
session_seconds = 10.0

[exchange]
topic = "{topic}.exchange"
partitions = {partitions}
replication = 1
linger_ms = 50

[engine]
linger_ms = 20
checkpoint_seconds = 0.3

[content]
mode = "features"

[operations]
listen = ""
log_level = "info"

[checkpoints]
type = "kafka"
brokers = ["{brokers}"]
topic = "{topic}.state"
replication = 1

[sinks.clickhouse]
url = "http://127.0.0.1:{port}/{database}"

{detectors}
"""


class WorkerProcess:
    """One `tocsin run`, behind a proxy of its own that sees its inserts."""

    def __init__(self, name: str, directory: Path, port: int, **settings: object) -> None:
        self.name = name
        self.kills_in_commit = 0
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._plan: tuple[str, float] | None = None
        self._proxy = Proxy(port, self._watch)
        self._config = directory / f"{name}.toml"
        self._log = directory / f"{name}.log"
        self._config.write_text(CONFIG.format(name=name, port=self._proxy.port, **settings))

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        self.starts += 1
        with self._log.open("ab") as out:
            command = [sys.executable, "-m", "tocsin", "run", "-c", str(self._config)]
            self._process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    def kill_in_commit(self, phase: str, delay: float) -> None:
        """At the next insert: before it is passed on, before its reply is, or `delay` seconds after."""
        with self._lock:
            self._plan = (phase, delay)

    def stop(self, seconds: float = 20.0) -> int:
        """Ask it to end, and say how it did."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(seconds)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        self._proxy.close()

    def _watch(self, phase: str) -> bool:
        with self._lock:
            if self._plan is None or self._plan[0] != phase:
                return True
            delay, self._plan = self._plan[1], None
        if delay:
            threading.Timer(delay, self._kill).start()
            return True
        self._kill()
        return False

    def _kill(self) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()
            process.wait(10)
            self.kills_in_commit += 1


class Reaper:
    """Kills workers in the middle of commits until it is told to stop, and starts them again."""

    def __init__(self, workers: list[WorkerProcess], seed: int) -> None:
        self._workers = workers
        self._chance = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def kills(self) -> int:
        return sum(worker.kills_in_commit for worker in self._workers)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)
        for worker in self._workers:
            worker.kill_in_commit("never", 0.0)
            if not worker.running:
                worker.start()

    def _run(self) -> None:
        until = dict.fromkeys(self._workers, 0.0)
        while not self._stop.wait(0.02):
            for worker in self._workers:
                if not worker.running:
                    worker.start()
                    until[worker] = time.monotonic() + self._chance.uniform(0.2, 1.2)
                elif until[worker] and time.monotonic() > until[worker]:
                    until[worker] = 0.0
                    phase = self._chance.choice(["request", "reply"])
                    worker.kill_in_commit(
                        phase, self._chance.choice([0.0, self._chance.uniform(0.001, 0.08)])
                    )
