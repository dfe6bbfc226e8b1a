from __future__ import annotations

import re
from pathlib import Path

import pytest

from detectors import BUILTIN
from detectors.reference import DOCS, facts, pages
from tocsin.registry import DETECTORS, load


def test_the_pages_say_what_the_code_says() -> None:
    for path, text in pages().items():
        assert path.read_text() == text, f"{path.name} is old: python -m detectors.reference"


def test_every_detector_has_a_page_and_every_page_a_detector() -> None:
    assert {path.stem for path in DOCS.glob("*.md")} == {*BUILTIN, "README", "quality"}


@pytest.mark.parametrize("name", BUILTIN)
def test_the_facts_hold_every_setting_and_what_is_missed(name: str) -> None:
    detector = load(DETECTORS, name)
    text = facts(detector)
    assert detector.about.misses in text
    assert all(f"| `{setting}` |" in text for setting in detector.__struct_fields__)


def test_the_example_in_the_index_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (DOCS / "README.md").read_text(), re.DOTALL)
    golden = str(DOCS.parents[1] / "tests" / "detectors" / "golden")
    exec(example.replace('"tests/detectors/golden"', repr(golden)), {})  # noqa: S102


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_pages_are_short_and_alike(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 150
    if path.stem in BUILTIN:
        for heading in ("How it works", "What an alert says", "First steps", "Tuning"):
            assert f"\n## {heading}\n" in text
