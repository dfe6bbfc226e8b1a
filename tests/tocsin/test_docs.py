"""What the pages say is so."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tocsin import config, reference, registry
from tocsin.__main__ import parser
from tocsin.commands import COMMANDS
from tocsin.metrics import METRICS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


class Anything(dict[str, str]):
    """An environment in which every variable is set."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return "http://127.0.0.1:8123/tocsin" if "URL" in name else f"the value of {name}"

    def get(self, name: str, default: Any = None) -> Any:
        return default or self[name]


def blocks(page: Path, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def test_generated_parts_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "generate-docs"), "--check"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_every_command_is_in_the_manual() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    assert all(f"## `tocsin {name}`" in text for name in COMMANDS)


def test_every_setting_has_a_meaning() -> None:
    classes = [*config.SECTIONS.values(), registry.resolve(config.EXCHANGE)]
    for kind in (registry.SOURCES, registry.STORES, registry.DETECTORS, registry.SINKS):
        classes += [registry.load(kind, name) for name in registry.builtins(kind)]
    silent = [
        f"{cls.__name__}.{s.name}" for cls in classes for s in reference.settings(cls) if not s.description
    ]
    assert not silent


def test_every_metric_is_in_the_list() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    assert all(f"`{metric.name}`" in text for metric in METRICS)


def test_every_detector_has_a_page() -> None:
    index = (ROOT / "docs" / "detectors" / "README.md").read_text()
    for name in registry.builtins(registry.DETECTORS):
        assert (ROOT / "docs" / "detectors" / f"{name}.md").exists() and f"({name}.md)" in index


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_on_a_page_can_be_typed(page: Path) -> None:
    for block in blocks(page, "(?:sh|bash|console)"):
        for line in block.replace("\\\n", " ").splitlines():
            for words in _tocsin(line):
                try:
                    parser().parse_args(words)
                except SystemExit as ended:
                    assert ended.code == 0, line


def _tocsin(line: str) -> Iterator[list[str]]:
    for part in re.split(r"\s*(?:\||&&|;)\s*", line.removeprefix("$ ")):
        words = shlex.split(part, comments=True)
        if words and words[0].split("/")[-1] == "tocsin":
            end = next((at for at, word in enumerate(words) if word.startswith(("<", ">", "2>"))), None)
            yield words[1:end]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_targets_on_a_page_can_be_made(page: Path) -> None:
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    typed = "\n".join(blocks(page, "(?:sh|bash|console)"))
    said = re.findall(r"`make ([a-z ]+)`", page.read_text())
    for made in [*said, *re.findall(r"^make ([a-z ]+)", typed, re.MULTILINE)]:
        assert set(made.split()) <= known


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_configurations_on_a_page_are_good(page: Path) -> None:
    for block in blocks(page, "toml"):
        tables = tomllib.loads(block)
        if "source" in tables:
            config.read(tables, Anything(), embedded="sinks" not in tables)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_on_a_page_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        assert "://" in target or (page.parent / target).exists(), target


def test_the_configuration_of_compose_is_good() -> None:
    config.read(tomllib.loads((ROOT / "compose" / "tocsin.toml").read_text()), Anything())


def test_the_detector_of_the_guide_keeps_its_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    detector, test = blocks(ROOT / "CONTRIBUTING.md", "python")
    assert detector.startswith("# detectors/denied_tool.py\n")
    assert test.startswith("# tests/detectors/test_denied_tool.py\n")
    module = types.ModuleType("detectors.denied_tool")
    monkeypatch.setitem(sys.modules, "detectors.denied_tool", module)
    exec(compile(detector, "denied_tool.py", "exec"), module.__dict__)  # noqa: S102 - the guide's own code
    names: dict[str, Any] = {}
    exec(compile(test, "test_denied_tool.py", "exec"), names)  # noqa: S102
    names["test_denied_tool_keeps_its_promises"]()


def test_help_of_make_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert targets is not None
    run = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert [line.split()[0] for line in run.stdout.splitlines()] == targets.group(1).split()
