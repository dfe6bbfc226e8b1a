"""Who may import whom, and what may not be in the files of the project."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tocsin import registry

ROOT = Path(__file__).parents[2]
CLIENTS = {
    "kafka": ("ingest/kafka", "ingest/exchange", "ingest/dead_letter"),
    "clickhouse_connect": ("sinks/clickhouse",),
    "chdb": ("sinks/clickhouse",),
    "grafana_api": ("dashboards/push",),
    "river": ("tocsin/adwin",),
    "prometheus_client": ("tocsin/metrics", "tocsin/health"),
    "hyperscan": ("tocsin/reading/",),
    "h11": ("ingest/http_connection",),
    "cryptography": ("tocsin/sealing",),
    "yaml": ("tocsin/reading/yaml_nodes",),
}
FORBIDDEN = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in registry.PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_clients_are_imported_only_in_files_named_after_them() -> None:
    for path, tree in modules():
        for name in imported(tree):
            assert path.startswith(CLIENTS.get(name, ("",))), f"{path} imports {name}"


def test_nothing_can_run_code_from_data() -> None:
    for path, tree in modules():
        assert not FORBIDDEN & set(imported(tree)), path
        calls = {
            node.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not calls & {"eval", "exec", "compile", "__import__"}, path


def test_yaml_is_parsed_and_nothing_is_made_of_it() -> None:
    """A loader could make objects."""
    tree = ast.parse((ROOT / "tocsin" / "reading" / "yaml_nodes.py").read_text())
    taken = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "yaml"
        for alias in node.names
    }
    assert taken == {"SafeLoader", "YAMLError", "parse"}


def test_every_package_is_in_the_wheel() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in registry.PACKAGES
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert sorted(listed) == sorted(found)


def test_tests_are_no_packages_of_the_same_names() -> None:
    found = {path.relative_to(ROOT).parts[1] for path in (ROOT / "tests").rglob("__init__.py")}
    assert found <= {"plugin"}  # a project of its own


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_lock_names_hashes_and_no_place(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    assert all(line.lstrip().startswith(("#", "--hash=sha256:")) or "==" in line for line in lines if line)
    assert not any("://" in line or "index" in line.split("#")[0] or "find-links" in line for line in lines)


def test_both_locks_agree() -> None:
    def pins(name: str) -> set[str]:
        lines = (ROOT / name).read_text().splitlines()
        return {line.rstrip(" \\") for line in lines if "==" in line and not line.startswith((" ", "#"))}

    assert pins("requirements.txt") < pins("requirements-dev.txt")


def test_the_lock_fits_what_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    text = (ROOT / "requirements-dev.txt").read_text()
    for requirement in asked:
        name = requirement.split("[")[0].split(">")[0]
        assert f"\n{name}==" in text, f"{name}: run `make lock`"


MODULES = {  # distribution to the modules that its extras and it bring, where the names differ
    "kafka-python": {"kafka", "lz4", "zstandard", "snappy"},
    "clickhouse-connect": {"clickhouse_connect"},
    "grafana-api": {"grafana_api"},
    "prometheus-client": {"prometheus_client"},
}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [requirement.split("[")[0].split(">")[0] for requirement in project["dependencies"]]
    own = {
        *registry.PACKAGES,
        "chdb",
        "re2",
        "sklearn",
        "scipy",
        "yaml",
    }  # extras, imported where they are wanted
    used = {name for _, tree in modules() for name in imported(tree)} - set(sys.stdlib_module_names) - own
    assert not used - {module for name in declared for module in MODULES.get(name, {name})}
    assert not [name for name in declared if not used & MODULES.get(name, {name})]
