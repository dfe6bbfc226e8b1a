"""The demo as a newcomer runs it, and what it does with directories."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import msgspec
import pytest

from tocsin import demo
from tocsin.contracts import ConfigError
from tocsin.exits import OK
from tocsin.model import Event
from tocsin.simulator import Incident


@pytest.mark.clickhouse
@pytest.mark.timeout(300)
def test_it_finds_what_must_be_found_and_says_what_it_missed(tmp_path: Path) -> None:
    # All incidents, among half of the events that are usual around them: those prove nothing more.
    command = [sys.executable, "-m", "tocsin", "demo", "--rate", "2", "--dir", str(tmp_path / "demo")]
    demonstrated = subprocess.run(command, capture_output=True, text=True, timeout=290)
    assert demonstrated.returncode == OK, demonstrated.stderr
    assert demonstrated.stderr == ""
    said = demonstrated.stdout
    assert (found := re.search(r"Found: (\d+) of 15 incidents", said))
    assert (missed := re.search(r"Missed: (\d+)", said))
    assert int(found[1]) + int(missed[1]) == 15
    assert int(found[1]) >= 11
    truth = msgspec.json.decode((tmp_path / "demo" / "truth.json").read_bytes(), type=list[Incident])
    for incident in truth:
        assert incident.title in said
    with gzip.open(tmp_path / "demo" / "traffic.jsonl.gz") as lines:
        events = [msgspec.json.decode(line, type=Event) for line in lines]
    assert f"{len(events):,} events of 6 hours went through" in said
    (program,) = re.findall(r'-c "(.*)"', said)
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert shown.stdout.count("first_seen_tool") == 1


def test_the_configuration_names_the_directory(tmp_path: Path) -> None:
    directory = demo.fresh(tmp_path / "with space" / "demo")
    tables = tomllib.loads((directory / "tocsin.toml").read_text())
    assert tables["source"]["paths"] == [f"{directory}/traffic.jsonl.gz"]
    assert tables["sinks"]["clickhouse"]["url"] == f"chdb://{directory}/database"


def test_a_second_demo_starts_afresh_and_keeps_what_others_put_there(tmp_path: Path) -> None:
    directory = demo.fresh(tmp_path / "demo")
    for name in ("database", "state"):
        (directory / name).mkdir()
        (directory / name / "old").touch()
    (directory / "notes.txt").touch()
    demo.fresh(directory)
    assert sorted(path.name for path in directory.iterdir()) == ["notes.txt", "tocsin.toml"]


def test_a_directory_that_is_no_demo_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "database").mkdir()
    with pytest.raises(ConfigError, match="holds something that is no demo"):
        demo.fresh(tmp_path)
    (tmp_path / "tocsin.toml").write_text("[source]\n")
    with pytest.raises(ConfigError, match="holds something that is no demo"):
        demo.fresh(tmp_path)
    assert (tmp_path / "database").is_dir()


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "new\nline"])
def test_names_that_toml_would_read_otherwise_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="choose a name without"):
        demo.fresh(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_the_day_is_over_and_recent() -> None:
    assert 16 * 3600.0 <= time.time() - demo.yesterday() <= 40 * 3600.0
    assert demo.yesterday() % 86400.0 == 8 * 3600.0
