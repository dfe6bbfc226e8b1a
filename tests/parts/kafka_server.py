"""The real Apache Kafka, one node, on free loopback ports, with the server properties that compose ships."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from ingest.kafka_client import connect

ROOT = Path(__file__).parents[2]
PROPERTIES = ROOT / "compose" / "kafka" / "server.properties"
JARS = Path(os.environ.get("TOCSIN_CACHE") or Path.home() / ".cache" / "tocsin") / "kafka-4.3.0"
JAVA = ("java", "-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*")
LOGGING = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class KafkaServer:
    """A broker with its data in `directory`; it keeps ports and data over `restart`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.port, inner, controller = free_ports(3)
        self.brokers = f"localhost:{self.port}"
        directory.mkdir(parents=True, exist_ok=True)
        self._properties = directory / "server.properties"
        self._properties.write_text(self._adapted(inner, controller))

    def __enter__(self) -> KafkaServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _adapted(self, inner: int, controller: int) -> str:
        """The shipped properties with other ports and directories."""
        own = {
            "controller.quorum.bootstrap.servers": f"localhost:{controller}",
            "listeners": f"PLAINTEXT://localhost:{inner},HOST://localhost:{self.port},"
            f"CONTROLLER://localhost:{controller}",
            "advertised.listeners": f"PLAINTEXT://localhost:{inner},HOST://localhost:{self.port}",
            "log.dirs": str(self._directory / "data"),
        }
        lines = PROPERTIES.read_text().splitlines()
        return "\n".join(f"{k}={own.pop(k)}" if (k := line.split("=")[0]) in own else line for line in lines)

    def start(self, seconds: float = 60.0) -> None:
        """Format the data directory once, start, and wait until the broker answers."""
        if not (self._directory / "data").exists():
            self._format()
        with (self._directory / "kafka.log").open("ab") as out:
            command = (*JAVA[:1], LOGGING, *JAVA[1:], "kafka.Kafka", str(self._properties))
            self._process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + seconds
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Kafka did not start:\n{self.log()[-3000:]}")
            time.sleep(0.1)

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(b"tocsin-tests-one").decode().rstrip("=")  # never a leading dash
        tool = (*JAVA, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties))
        subprocess.run((*tool, "--standalone"), check=True, capture_output=True, timeout=60)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("localhost", self.port), timeout=1).close()
            admin = self.admin(bootstrap_timeout_ms=2000)
        except Exception:
            return False
        try:
            return bool(admin.describe_cluster()["brokers"])
        except Exception:
            return False
        finally:
            admin.close()

    def log(self) -> str:
        """What the broker wrote, warnings and worse."""
        return (self._directory / "kafka.log").read_text(errors="replace")

    def stop(self) -> None:
        """Shut down in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None

    def pause(self) -> None:
        """SIGSTOP: the broker keeps its connections and answers nothing until `resume`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop in order and start again on the same data and ports."""
        self.stop()
        self.start()

    def admin(self, **options: Any) -> Any:
        """A client for topics and groups; the caller closes it."""
        return connect(KafkaAdminClient, {"bootstrap_servers": self.brokers, **options}, [self.brokers])

    def create_topic(self, name: str, partitions: int = 1, **config: str) -> str:
        """Make a topic and wait until it has leaders; `_` in a config name stands for `.`."""
        admin = self.admin()
        try:
            configs = {key.replace("_", "."): value for key, value in config.items()}
            admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)], timeout_ms=20_000)
            wait_for_leaders(admin, name, partitions)
        except TopicAlreadyExistsError as error:
            raise ValueError(f"topic {name} is there already") from error
        finally:
            admin.close()
        return name


def wait_for_leaders(admin: Any, topic: str, partitions: int, seconds: float = 20.0) -> None:
    """Return once every partition has a leader."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        (found,) = admin.describe_topics([topic])
        led = [p for p in found["partitions"] if p["leader_id"] >= 0]
        if len(led) == partitions:
            return
        time.sleep(0.05)
    raise TimeoutError(f"{topic} has no leaders")


def kafka_or_skip(directory: Path) -> Iterator[KafkaServer]:
    """A running broker; where the jars or Java are missing a skip, in CI a failure."""
    if not JARS.is_dir() or shutil.which("java") is None:
        missing = "no Apache Kafka: run scripts/fetch-kafka"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with KafkaServer(directory) as server:
        yield server
