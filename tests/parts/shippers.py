"""Real log shippers, each in a process of its own with the configuration that compose/shippers ships."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("TOCSIN_CACHE") or Path.home() / ".cache" / "tocsin")
SYSLOGS = CACHE / "syslogs"
COLLECTOR = CACHE / "otelcol-0.155.0" / "otelcol"
SHIPPED = ROOT / "compose" / "shippers"
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/syslog-ng")


class Shipper:
    """A shipper that runs while the block does. What it writes stands in `directory`/log."""

    def __init__(
        self, command: Sequence[str | Path], directory: Path, environment: Mapping[str, str]
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._command = command
        self._log = directory / "log"
        self._environment = os.environ | environment
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Shipper:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )

    def stop(self) -> None:
        """Shut down in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: nothing is flushed."""
        self._end(signal.SIGKILL)

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def rsyslog(directory: Path, broker: str, topic: str, path: Path) -> Shipper:
    """rsyslog with imfile and omkafka."""
    state = directory / "state"
    state.mkdir(parents=True, exist_ok=True)
    modules = SYSLOGS / "usr/lib/x86_64-linux-gnu/rsyslog"
    command = (
        SYSLOGS / "usr/sbin/rsyslogd", "-n", "-M", str(modules), "-f", SHIPPED / "rsyslog/tocsin.conf",
        "-i", directory / "pid",
    )  # fmt: skip
    return Shipper(command, directory, _environment(broker, topic, path) | {"RSYSLOG_STATE": str(state)})


def syslog_ng(directory: Path, broker: str, topic: str, path: Path) -> Shipper:
    """syslog-ng with its Kafka driver."""
    directory.mkdir(parents=True, exist_ok=True)
    share, modules = SYSLOGS / "usr/share/syslog-ng", SYSLOGS / "usr/lib/syslog-ng/3.38"
    config = directory / "tocsin.conf"
    text = (SHIPPED / "syslog-ng/tocsin.conf").read_text()
    config.write_text(text.replace("scl.conf", str(SYSLOGS / "etc/syslog-ng/scl.conf")))
    command = (
        SYSLOGS / "usr/sbin/syslog-ng", "-F", "--no-caps", "-f", config, "-R", directory / "persist",
        "-c", directory / "ctl", "--pidfile", directory / "pid", "--module-path", modules,
    )  # fmt: skip
    environment = _environment(broker, topic, path) | {"SYSLOG_NG_SHARE": str(share)}
    return Shipper(command, directory, environment)


def collector(directory: Path, config: str, **environment: str) -> Shipper:
    """The OpenTelemetry Collector with one of the configurations of compose/shippers/otel-collector."""
    command = (COLLECTOR, "--config", SHIPPED / "otel-collector" / config)
    return Shipper(command, directory, environment)


def await_port(port: int, seconds: float = 20.0) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, f"nobody listens on {port}"
            time.sleep(0.05)
        else:
            return


def _environment(broker: str, topic: str, path: Path) -> dict[str, str]:
    libraries = os.pathsep.join(str(SYSLOGS / folder) for folder in LIBRARIES)
    return {"LD_LIBRARY_PATH": libraries, "KAFKA_BROKER": broker, "KAFKA_TOPIC": topic, "LLM_LOG": str(path)}
