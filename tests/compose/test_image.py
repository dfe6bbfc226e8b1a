"""The Dockerfile line by line, and the wheel that it installs, built from what it copies."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "compose" / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its arguments, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines()) if word
    ]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


def copied(stage: list[tuple[str, str]]) -> list[str]:
    """What a stage takes from the checkout."""
    return [
        name for word, rest in stage if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]
    ]


def test_it_runs_as_nobody_who_may_do_anything() -> None:
    last = stages()[-1]
    users = [rest for word, rest in last if word == "USER"]
    assert users == ["10001:10001"]
    after = last[last.index(("USER", users[0])) :]
    assert [rest for word, rest in after if word in ("RUN", "COPY")] == [
        'tocsin inspect "Compiled." > /dev/null'  # into this user's own cache
    ]


def test_nothing_is_imported_from_the_working_directory() -> None:
    assert any(word == "ENV" and "PYTHONSAFEPATH=1" in rest.split() for word, rest in stages()[-1])


def test_images_are_slim_and_nothing_is_fetched_by_address() -> None:
    for word, rest in instructions():
        if word == "FROM":
            assert re.fullmatch(r"python:3\.\d+-slim( AS \w+)?", rest)
        assert word != "ADD"
        assert "://" not in rest
        assert not re.search(r"\b(curl|wget|apt-get|git)\b|--(extra-)?index-url|--trusted-host", rest)


def test_everything_that_is_installed_has_a_hash_or_is_our_wheel() -> None:
    for word, rest in instructions():
        for command in re.findall(r"pip (?:install|wheel)[^&]*", rest) if word == "RUN" else ():
            assert "--no-deps" in command
            ours = command.rstrip().endswith((" .", "/tmp/wheel/*.whl"))
            assert ours or "--require-hashes" in command, command


def test_what_builds_is_what_the_lock_says() -> None:
    locked = (ROOT / "requirements-dev.txt").read_text().replace(" \\\n", "\n")
    lines = (ROOT / "compose" / "requirements-build.txt").read_text().replace(" \\\n", "\n").splitlines()
    wanted = "\n".join(line for line in lines if not line.startswith("#"))
    assert wanted.startswith("setuptools==")
    assert wanted in locked, "copy setuptools' lines from requirements-dev.txt"


def test_everything_that_is_copied_is_let_in_and_is_there() -> None:
    let_in = (ROOT / "compose" / "Dockerfile.dockerignore").read_text().splitlines()
    assert let_in[0] == "*"
    for stage in stages():
        for name in copied(stage):
            assert (ROOT / name).exists(), name
            assert f"!{name}" in let_in, name


def test_the_wheel_holds_all_that_runs(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in copied(stages()[0]):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / Path(name).name)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--quiet",
    ]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), "."], check=True, cwd=source, timeout=110)
    (wheel,) = tmp_path.glob("tocsin-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    for package in ("tocsin", "ingest", "detectors", "sinks", "dashboards"):
        for path in (ROOT / package).rglob("*"):
            if path.suffix in (".py", ".sql", ".json", ".toml", ".typed"):
                assert str(path.relative_to(ROOT)) in held
