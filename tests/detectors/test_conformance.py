"""Every built-in detector keeps every promise, with every example of its settings."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from detectors import BUILTIN
from tocsin.contracts import Detector
from tocsin.model import Event, Signals
from tocsin.registry import DETECTORS, load
from tocsin.testing import CHECKS, Trial, check_detector, read_events
from tocsin.testing.detector import ONCE
from tocsin.testing.trial import pack, reading, unpack

GOLDEN = Path(__file__).parent / "golden"


def example(name: str, number: int) -> Detector[Any]:
    examples: list[Detector[Any]] = list(load(DETECTORS, name).examples())
    return examples[number]


CASES = [(name, number) for name in BUILTIN for number in range(len(load(DETECTORS, name).examples()))]


_signals = msgspec.msgpack.Decoder(Signals).decode


@lru_cache(maxsize=4096)
def _read(event: bytes) -> bytes:
    return pack(reading(unpack(event)))


def remembered(event: Event) -> Signals:
    """`reading`, whose answer is the same for the same texts, and which is most of the kit's work."""
    return _signals(_read(pack(replace(event, id="", arrival=0.0))))


@pytest.mark.parametrize("check", [check for check in CHECKS if check not in ONCE])
@pytest.mark.parametrize(("name", "number"), CASES)
def test_every_example_keeps_every_promise(name: str, number: int, check: str) -> None:
    incident = read_events(GOLDEN / f"{name}.jsonl")
    CHECKS[check](Trial(example(name, number), incident, (), remembered))


@pytest.mark.parametrize("name", BUILTIN)
def test_the_whole_kit_passes_with_default_settings(name: str) -> None:
    incident, benign = read_events(GOLDEN / f"{name}.jsonl"), read_events(GOLDEN / f"{name}.benign.jsonl")
    check_detector(load(DETECTORS, name)(), incident, benign, skip=[c for c in CHECKS if c not in ONCE])


def test_golden_streams_are_what_their_script_makes() -> None:
    made = maker().streams()
    assert {path.name: path.read_bytes() for path in GOLDEN.glob("*.jsonl")} == made


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_golden", Path(__file__).parent / "make_golden.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HEAR = """
import sys
from pathlib import Path
from tocsin.registry import DETECTORS, load
from tocsin.testing import Life, read_events
for name in sys.argv[2:]:
    life = Life(load(DETECTORS, name)()).feed(read_events(Path(sys.argv[1]) / f"{name}.jsonl"))
    print(life.heard, sorted(life.save().items()))
"""


def test_findings_and_states_do_not_depend_on_the_hash_seed() -> None:
    def heard(seed: str) -> bytes:
        command = [sys.executable, "-c", HEAR, str(GOLDEN), *BUILTIN]
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(GOLDEN.parents[2])}
        return subprocess.run(command, env=environment, capture_output=True, check=True).stdout

    assert heard("1") == heard("2") != b""
