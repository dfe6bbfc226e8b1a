"""The command line, as a user meets it."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detectors import BUILTIN
from tocsin import config as config_module
from tocsin import pipeline
from tocsin.__main__ import main, parser
from tocsin.commands import COMMANDS
from tocsin.commands.terminal import Progress, columns, say
from tocsin.memory import MemorySink, MemoryTables

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


@pytest.fixture
def traffic(tmp_path: Path) -> Path:
    """A session whose calls begin to fail, as native JSON lines."""
    path = tmp_path / "traffic.jsonl"
    outcomes = ["ok"] * 12 + ["error"] * 30
    calls = (
        {
            "tocsin": 1,
            "kind": "llm",
            "time": 1.75e9 + number,
            "session": "s\x1b[2J",
            "model": "m",
            "input": [{"role": "user", "text": f"question {number}"}],
            "status": status,
        }
        for number, status in enumerate(outcomes)
    )
    path.write_text("".join(json.dumps(call) + "\n" for call in calls))
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
        f"{config}: [detectors.lop] unknown detector 'lop'; known: {', '.join(sorted(BUILTIN))}",
    ]


def test_check_connect_says_who_answers(
    config: Path, traffic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = f'[source]\ntype = "file"\npaths = ["{traffic}"]\n[content]\nkey = "k"\n'
    config.write_text(file + '[sinks.clickhouse]\nurl = "http://127.0.0.1:1/t"\n')
    assert main(["check", "--connect", "-c", str(config)]) == 1
    told = capsys.readouterr()
    assert told.out == "[source] answers\n"
    assert told.err.startswith("[sinks.clickhouse] ")


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


# Replay.


def test_replay_shows_alerts_to_people(traffic: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(traffic)]) == 0
    told = capfd.readouterr()
    assert "error_burst" in told.out and "\x1b" not in told.out
    assert told.err.startswith("42 events, ")


def test_replay_gives_the_same_bytes_for_the_same_input(traffic: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.jsonl.gz"
    copy.write_bytes(gzip.compress(traffic.read_bytes()))
    written = []
    for number, path in enumerate((traffic, copy)):
        out = tmp_path / f"alerts-{number}.jsonl"
        assert main(["replay", "--alerts", str(out), str(path)]) == 0
        written.append(out.read_bytes())
    assert written[0] == written[1] != b""
    alert = json.loads(written[0].splitlines()[0])
    assert alert["detector"] == "error_burst" and alert["revision"] == 1


def test_replay_reads_standard_input(traffic: Path) -> None:
    command = [sys.executable, "-m", "tocsin", "replay", "--alerts", "-", "--events", "-", "-"]
    with traffic.open("rb") as stdin:
        run = subprocess.run(command, stdin=stdin, capture_output=True, check=True, timeout=60)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert sum("severity" in line for line in lines) >= 1
    assert sum("tocsin" in line for line in lines) == 42


def test_replay_takes_detectors_from_a_configuration(traffic: Path, config: Path, tmp_path: Path) -> None:
    config.write_text(KAFKA.replace('"k"', '"${UNSET_FOR_KEY:-k}"') + "[detectors]\ndefaults = false\n")
    out = tmp_path / "alerts.jsonl"
    assert main(["replay", "-c", str(config), "--alerts", str(out), str(traffic)]) == 0
    assert out.read_bytes() == b""


def test_replay_of_nothing_readable_is_a_problem(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad").write_text("{broken\n")
    assert main(["replay", str(tmp_path / "bad")]) == 1
    assert "0 events, 0 alerts, 1 rejected" in capfd.readouterr().err


def test_replay_of_a_missing_file_ends_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(tmp_path / "nowhere")]) == 69
    assert "no such file" in capfd.readouterr().err


def test_replay_with_an_unknown_format_is_a_mistake(traffic: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "--format", "natve", str(traffic)]) == 78
    assert "did you mean 'native'?" in capfd.readouterr().err


# A pipeline in a directory, on the embedded engine, which one process may hold at a time.


def config_of(path: Path, **changes: Any) -> config_module.Config:
    """The configuration in a file, with other parts."""
    return msgspec.structs.replace(config_module.load(path), **changes)


class Installed:
    """A directory with a configuration, and the commands run there."""

    def __init__(self, directory: Path, traffic: Path, source: str = "") -> None:
        self.directory = directory
        self.config = directory / "tocsin.toml"
        self.config.write_text(
            f'''
            [source]
            type = "file"
            paths = ["{traffic}"]
            {source}
            [content]
            key = "k"
            [checkpoints]
            directory = "{directory}/state"
            [sinks.clickhouse]
            url = "chdb://{directory}/database"
            [operations]
            listen = ""
            '''
        )

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tocsin", *words]

    def __call__(self, *words: str, code: int = 0) -> str:
        command = self.command(*words, "-c", str(self.config))
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
        assert run.returncode == code, run.stdout + run.stderr
        return run.stdout + run.stderr

    def query(self, sql: str) -> list[list[object]]:
        """Rows, asked in a process of its own."""
        code = """
import json, sys, clickhouse_connect
client = clickhouse_connect.get_client(interface="chdb", path=sys.argv[1])
print(json.dumps(client.query(sys.argv[2]).result_rows))
"""
        command = [sys.executable, "-c", code, f"{self.directory}/database", sql]
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        rows: list[list[object]] = json.loads(run.stdout)
        return rows


@pytest.mark.clickhouse
def test_run_stops_in_order_and_goes_on_where_it_stood(tmp_path: Path, traffic: Path) -> None:
    tocsin = Installed(tmp_path, traffic, "follow = true")
    tocsin.config.write_text(tocsin.config.read_text() + "[reading]\nenabled = false\n")  # starts at once
    assert "run `tocsin migrate` first" in tocsin("run", code=69)
    assert "applied 0001_events" in tocsin("migrate")
    for number in range(2):
        running = subprocess.Popen(
            tocsin.command("run", "-c", str(tocsin.config)), stderr=subprocess.PIPE, text=True
        )
        assert running.stderr is not None
        wanted = "goes on from a checkpoint" if number else "starts without a checkpoint"
        assert any(wanted in line for line in running.stderr)
        with traffic.open("a") as more:
            more.write(json.dumps({"tocsin": 1, "kind": "tool", "time": 1.75e9 + 100 + number}) + "\n")
        time.sleep(1.5)
        running.send_signal(signal.SIGTERM)
        assert running.wait(15) == 0
        running.stderr.close()
    assert tocsin.query("SELECT count(), uniqExact(log_offset) FROM tocsin.events") == [[44, 44]]


def test_state_is_shown_taken_out_and_forgotten(
    tmp_path: Path, traffic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tocsin = Installed(tmp_path, traffic)
    where = ["-c", str(tocsin.config)]
    assert main(["state", "show", *where]) == 78
    assert "no state in" in capsys.readouterr().err
    kept = config_of(tocsin.config, sinks={"memory": MemorySink(tables=MemoryTables())})
    pipeline.build(kept).run(threading.Event())
    assert main(["state", "show", *where]) == 0
    shown = capsys.readouterr().out
    assert "detector:error_burst" in shown and "next offset" in shown
    log = shown.split(":")[0]
    assert main(["state", "export", "--log", log, *where]) == 0
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {entry["section"] for entry in entries} >= {"detector:error_burst", "history"}
    assert all(entry["log"] == log and entry["tenant"] == "default" for entry in entries)
    assert main(["state", "reset", *where]) == 78
    assert "say which" in capsys.readouterr().err
    assert main(["state", "show", "--log", "other/0", *where]) == 78
    assert f"there is {log}" in capsys.readouterr().err
    assert main(["state", "reset", "--all", *where]) == 0
    assert "forgotten" in capsys.readouterr().out
    assert main(["state", "show", *where]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.clickhouse
def test_quarantine_is_listed_and_read_again_once(
    tmp_path: Path, traffic: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    traffic.write_text(traffic.read_text() + "{broken\n")
    installed = Installed(tmp_path, traffic, 'format = "otlp"')

    def tocsin(*words: str, code: int = 0) -> str:
        """In this process, which loads the rules once."""
        assert main([*words, "-c", str(installed.config)]) == code
        return "".join(capfd.readouterr())

    tocsin("migrate")
    tocsin("run")
    assert "unrecognised" in tocsin("quarantine", "list")
    entry = json.loads(tocsin("quarantine", "list", "--json", "--reason", "undecodable").splitlines()[0])
    assert entry["sample"] == "{broken"
    shapes = json.loads(tocsin("quarantine", "list", "--shapes", "--json").splitlines()[0])
    assert shapes["entries"] == 42 and shapes["source"].endswith(traffic.name)
    assert shapes["shape"] in tocsin("quarantine", "list", "--shapes")
    installed.config.write_text(installed.config.read_text().replace('format = "otlp"', ""))
    for _ in range(2):
        told = tocsin("quarantine", "retry", code=1)
        assert "43 records: 42 read, 1 still unreadable, 0 gone" in told
    assert installed.query("SELECT count(), countIf(backfill) FROM tocsin.events") == [[42, 42]]
    assert installed.query("SELECT count() FROM tocsin.quarantine") == [[43]]
    assert " read " in tocsin("quarantine", "list", "--limit", "3")
