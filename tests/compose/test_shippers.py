"""Shipper configurations are well-formed, and each has its page."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
SHIPPERS = ROOT / "compose" / "shippers"
FOLDERS = sorted(path.name for path in SHIPPERS.iterdir() if path.is_dir())
KAFKA = sorted(set(FOLDERS) - {"coding-agents"})


def texts(folder: str) -> str:
    return "\n".join(path.read_text() for path in sorted((SHIPPERS / folder).iterdir()) if path.is_file())


def test_the_shippers_that_people_run_are_there() -> None:
    expected = {"fluent-bit", "vector", "filebeat", "logstash", "fluentd", "rsyslog", "syslog-ng"}
    assert expected | {"otel-collector", "litellm", "coding-agents"} == set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_has_a_page_that_links_every_file_and_speaks_of_keys_and_evidence(folder: str) -> None:
    page = (ROOT / "docs" / "shippers" / f"{folder}.md").read_text()
    for path in (SHIPPERS / folder).iterdir():
        if path.is_file():
            assert f"compose/shippers/{folder}/{path.name}" in page
    assert "## Partition keys" in page and "## Evidence" in page and "direct = true" in page


@pytest.mark.parametrize("path", [p for p in SHIPPERS.rglob("*") if p.suffix in (".yaml", ".yml")], ids=str)
def test_yaml_is_yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_settings_of_coding_agents_are_well_formed() -> None:
    folder = SHIPPERS / "coding-agents"
    telemetry: Any = json.loads((folder / "gemini-cli.settings.json").read_text())["telemetry"]
    assert telemetry["enabled"] is True
    codex = tomllib.loads((folder / "codex.toml").read_text())["otel"]
    assert codex["exporter"]["otlp-http"]["endpoint"].endswith("/v1/logs")
    lines = (folder / "claude-code.env").read_text().splitlines()
    names = [line.partition("=")[0] for line in lines if line and not line.startswith("#")]
    assert all(name.isupper() and name.replace("_", "").isalnum() for name in names)


@pytest.mark.parametrize("folder", KAFKA)
def test_topic_and_broker_come_from_the_environment(folder: str) -> None:
    text = texts(folder)
    assert "KAFKA_BROKER" in text and "KAFKA_TOPIC" in text


def test_none_sets_a_partition_key() -> None:
    for folder in KAFKA:
        assert "key_field" not in texts(folder) and "message_key" not in texts(folder)
