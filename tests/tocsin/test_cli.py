"""The command line, as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.__main__ import main, parser
from tocsin.commands import COMMANDS
from tocsin.commands.terminal import Progress, columns, say

KAFKA = """
[source]
type = "kafka"
brokers = "localhost:9092"
topics = ["llm"]
start = "earliest"
direct = true
[content]
key = "k"
[sinks.clickhouse]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tocsin.toml"
    path.write_text(KAFKA)
    return path


def test_help_names_every_command_and_exit_code() -> None:
    text = parser().format_help()
    assert all(f"    {name}" in text for name in COMMANDS)
    assert all(f"  {code} " in text for code in (0, 1, 2, 65, 69, 70, 78, 130))


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["rum"])
    assert ended.value.code == 2
    assert "invalid choice: 'rum'" in capsys.readouterr().err


def test_check_says_that_a_file_is_good(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-c", str(config)]) == 0
    out = capsys.readouterr().out
    assert "is good" in out and "error_burst" in out and "clickhouse" in out


def test_check_tells_every_mistake_with_its_file(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(KAFKA + "[engine]\nbach_rows = 1\n[detectors.lop]\n")
    assert main(["check", "-c", str(config)]) == 78
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f"{config}: [engine] bach_rows: unknown; did you mean 'batch_rows'?",
        f"{config}: [detectors.lop] unknown detector 'lop'; known: drift, error_burst, first_seen_tool, "
        "probing_rate",
    ]


def test_check_connect_says_who_does_not_answer(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(KAFKA.replace("[sinks.clickhouse]", '[sinks.clickhouse]\nurl = "http://127.0.0.1:1/t"'))
    assert main(["check", "--connect", "-c", str(config)]) == 1
    assert "[sinks.clickhouse] " in capsys.readouterr().err


def test_detectors_are_listed_and_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detectors"]) == 0
    assert "probing_rate" in capsys.readouterr().out
    assert main(["detectors", "error_burst"]) == 0
    told = capsys.readouterr().out
    assert "misses:" in told and "OWASP: LLM01:2026" in told and "window_seconds" in told
    assert main(["detectors", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert known["drift"]["misses"] and known["drift"]["settings"][0]["default"]


def test_an_unknown_detector_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detectors", "drft"]) == 78
    assert "did you mean 'drift'?" in capsys.readouterr().err


def test_dashboards_are_built_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboards", "build", "--to", str(tmp_path)]) == 0
    written = capsys.readouterr().out.split()
    assert written and all(json.loads(Path(path).read_text())["panels"] for path in written)


def test_options_of_push_reach_the_component(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GRAFANA_TOKEN", raising=False)
    assert main(["dashboards", "push", "--url", "http://localhost:1", "--dry-run"]) == 1
    assert "GRAFANA_TOKEN" in capsys.readouterr().err


def test_version_names_the_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("tocsin")


def test_a_reader_that_has_enough_ends_the_command_quietly() -> None:
    command = f"{sys.executable} -m tocsin detectors --json | head -c 1"
    run = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "{", "")


def test_what_is_shown_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\x1b[31mb\u202ec\nd")
    columns([("x\x1b]0;t\x07", "y"), ("z", "\r")])
    shown = capsys.readouterr().out
    assert shown.isascii() and "\x1b" not in shown and shown.count("\n") == 3


def test_progress_is_quiet_away_from_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.show("50 %")
    progress.clear()
    assert capsys.readouterr().err == ""
