"""Log files of LLM calls, shipped by the real rsyslog and syslog-ng through real Kafka into Tocsin."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from parts import shippers
from parts.kafka_server import KafkaServer
from parts.kafka_topics import fresh
from parts.running import Tocsin, directly, facts

CALLS = 400
RECORDINGS = shippers.ROOT.parent / "shared" / "data" / "telemetry"
Start = Callable[[Path, str, str, Path], shippers.Shipper]
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.parametrize("start", [shippers.rsyslog, shippers.syslog_ng]),
]


def calls() -> list[bytes]:
    """Lines as applications write them: native events, requests with answers, a gateway's payloads."""
    lines = [_native(number) for number in range(CALLS)]
    for name in ("raw-openai", "raw-anthropic", "litellm-standard-logging"):
        path = RECORDINGS / f"{name}.jsonl.gz"
        lines += gzip.decompress(path.read_bytes()).splitlines() if path.exists() else []
    return lines


def _native(number: int) -> bytes:
    text = f'ünï\tcode «{number}» \\ " \u2028 \U0001f600\n' + "long " * (number * 7)
    call = {
        "tocsin": 1, "kind": "llm", "time": time.time(), "session": f"s{number % 7}", "user": f"u{number}",
        "model": "m", "response_id": f"r{number}", "input": [{"role": "user", "text": text}],
    }  # fmt: skip
    return json.dumps(call, ensure_ascii=bool(number % 2)).encode()


def source(kafka: KafkaServer, topic: str) -> str:
    return f'type = "kafka"\nbrokers = ["{kafka.brokers}"]\ntopics = ["{topic}"]\nstart = "earliest"'


def test_a_log_file_arrives_whole(start: Start, kafka: KafkaServer, tmp_path: Path) -> None:
    lines, topic, path = calls(), fresh("calls"), tmp_path / "calls.jsonl"
    kafka.create_topic(topic, 3)
    half = len(lines) // 2
    path.write_bytes(b"\n".join(lines[:half]) + b"\n")
    with start(tmp_path / "shipper", kafka.brokers, topic, path) as shipper:
        with Tocsin(tmp_path, source(kafka, topic)) as tocsin:
            tocsin.await_events(CALLS // 2)
            with path.open("ab") as file:  # it grows while it is followed
                file.write(b"\n".join(lines[half:]) + b"\n")
            expected = directly(path, tmp_path)
            tocsin.await_events(len(expected))
        assert shipper.running(), shipper.log()
    assert tocsin.rejects() == []
    assert facts(tocsin.events()) == facts(expected)
    shipped = [event for event in tocsin.events() if event.kind == "llm"]
    assert {event.attributes.get("shipper.file") for event in shipped} == {str(path)}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # kafka-python leaves sockets of a lost broker open
def test_a_broker_that_is_away_for_a_while_costs_nothing(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_bytes(b"")
    with (
        KafkaServer(tmp_path / "kafka") as kafka,
        start(tmp_path / "shipper", kafka.brokers, "calls", path) as shipper,
    ):
        kafka.create_topic("calls", 2)
        with Tocsin(tmp_path, source(kafka, "calls")) as tocsin, path.open("ab", buffering=0) as file:
            for number in range(CALLS):
                file.write(_native(number) + b"\n")
                if number == CALLS // 3:
                    tocsin.await_events(number // 2)
                    kafka.kill()
                if number == 2 * CALLS // 3:
                    kafka.start()
                time.sleep(0.005)
            tocsin.await_calls(CALLS)
        assert shipper.running(), shipper.log()
    assert tocsin.rejects() == []
    assert {event.user for event in tocsin.events()} == {f"u{number}" for number in range(CALLS)}
