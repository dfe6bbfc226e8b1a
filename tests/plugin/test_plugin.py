"""A detector in a wheel of its own is found by name, keeps the contract and has types."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = Path(__file__).parent / "night"

USE = """
from tocsin import Event
from tocsin.registry import DETECTORS, conflicts, entries, load
from tocsin.testing import check_detector

Night = load(DETECTORS, "night")
assert Night.__module__ == "tocsin_night", Night
assert entries(DETECTORS)["night"].distribution == "tocsin-night 0.1.0"
assert not conflicts(), conflicts()
assert "probing_rate" in entries(DETECTORS)
day = [Event(user="ana", arrival=1_749_945_600.0 + 36_000 + n * 600) for n in range(60)]
check_detector(Night(), [*day, Event(user="ana", arrival=1_749_945_600.0 + 86_400 + 7200)], day)
print("found")
"""

TYPED = """
from tocsin import Detector
from tocsin_night import Hours, Night

night: Detector[Hours] = Night(calls=3)
reveal_type(night.start())
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plugin is installed, from a wheel that is built without a network."""
    work = tmp_path_factory.mktemp("plugin")
    shutil.copytree(PLUGIN, work / "night")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    offline = ["--no-index", "--no-deps"]
    run(
        [*pip, "wheel", *offline, "--no-build-isolation", "-w", str(work / "dist"), str(work / "night")], work
    )
    (built,) = (work / "dist").glob("tocsin_night-*.whl")
    run([*pip, "install", *offline, "--target", str(work / "site"), str(built)], work)
    return work / "site"


def run(command: Sequence[str], directory: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=directory, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_plugin_is_found_by_name_and_keeps_every_promise(site: Path) -> None:
    path = os.pathsep.join([str(site), str(ROOT)])
    assert run([sys.executable, "-c", USE], site.parent, PYTHONPATH=path) == "found\n"


def test_a_plugin_has_types_under_mypy_strict(site: Path) -> None:
    (site.parent / "typed.py").write_text(TYPED)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, "--cache-dir", os.devnull]
    path = os.pathsep.join([str(site), str(ROOT)])
    out = run([*mypy, "typed.py"], site.parent, MYPYPATH=path)
    assert 'Revealed type is "tocsin_night.Hours"' in out
