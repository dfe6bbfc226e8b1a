"""The embedded engine in a process that is killed, and on a disk that is full."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from parts.clickhouse_rows import Database

from sinks.clickhouse import ClickHouse

pytestmark = pytest.mark.clickhouse
PROGRAM = Path(__file__).parent.parent / "parts" / "clickhouse_replay.py"
KILLS = int(os.environ.get("TOCSIN_KILLS", "16"))
ENDLESS = 1_000_000


def replay(directory: Path, rows: int, *before: str) -> subprocess.Popen[str]:
    """The replaying process, its output to be read."""
    command = [*before, sys.executable, str(PROGRAM), str(directory), str(rows)]
    paths = f"{PROGRAM.parent.parent}:{PROGRAM.parent.parent.parent}"
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
    )


def told(process: subprocess.Popen[str], word: str) -> str:
    """The next line that begins with the word."""
    assert process.stdout
    for line in process.stdout:
        if line.startswith(word):
            return line
    raise AssertionError(f"ended without {word}: {process.wait()}")


def ended(process: subprocess.Popen[str]) -> None:
    """Its pipes closed and its end seen."""
    process.wait(timeout=60)
    for pipe in (process.stdin, process.stdout):
        assert pipe
        pipe.close()


def complete(directory: Path, rows: int) -> None:
    """Everything is there once, and no file of an insert was left."""
    database = Database(ClickHouse(url=f"chdb://{directory}/db"))
    with closing(database.connection):
        assert database.one("SELECT count() FROM @events") == rows
        assert database.one("SELECT uniqExact(log_offset) FROM @events") == rows
        assert database.one("SELECT count() FROM @alerts") == rows // 10
        assert database.one("SELECT count() FROM @quarantine") == rows // 10
        assert database.doubled() == 0
        assert [path.name for path in (directory / "db" / "inserts").rglob("*.raw")] == []


def test_kills_at_any_moment_lose_and_double_nothing(tmp_path: Path) -> None:
    chance = random.Random(20_26)
    for kill in range(KILLS):
        process = replay(tmp_path, ENDLESS)
        told(process, "wrote" if kill % 4 else "open")
        time.sleep(chance.uniform(0.0, 0.06))
        process.send_signal(signal.SIGKILL)
        ended(process)
        assert process.returncode == -signal.SIGKILL
    database = Database(ClickHouse(url=f"chdb://{tmp_path}/db"))
    with closing(database.connection):
        reached = database.one("SELECT max(log_offset) FROM @events")
    rows = (reached // 100 + 2) * 100
    process = replay(tmp_path, rows)
    told(process, "complete")
    ended(process)
    complete(tmp_path, rows)


def test_a_full_disk_is_unavailable_and_work_resumes(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    unshare = shutil.which("unshare") or "false"
    mount = 'mount -t tmpfs -o size=24m tmpfs "$0" && head -c 22M /dev/zero > "$0"/ballast && exec "$@"'
    inside = [unshare, "-m", "sh", "-c", mount, str(small)]
    if subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("no right to mount a small disk here (unshare -m)")
    process = replay(small, 2000, *inside)
    told(process, "wrote")
    line = told(process, "unavailable")
    assert "NOT_ENOUGH_SPACE" in line or "No space left" in line, line
    Path(f"/proc/{process.pid}/root{small}/ballast").unlink()
    assert process.stdin
    process.stdin.write("go on\n")
    process.stdin.flush()
    assert told(process, "complete") == "complete 2000 0\n"
    ended(process)
