"""Names to classes, and whose files they are."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tocsin import registry
from tocsin.contracts import ConfigError

ROOT = Path(__file__).parents[2]


def make_plugin(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, entry: str, code: str, group: str = "detectors"
) -> None:
    """A distribution as an installer would leave it behind: a module and its metadata."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(textwrap.dedent(code))
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tocsin.{group}]\n{entry}\n")
    monkeypatch.syspath_prepend(str(folder))


NIGHT = """
    from detectors.error_burst import ErrorBurst
    class Night(ErrorBurst, frozen=True, kw_only=True, forbid_unknown_fields=True):
        "Only a name."
"""


@pytest.mark.parametrize("kind", registry.KINDS, ids=lambda kind: kind.word)
def test_every_built_in_loads(kind: registry.Kind) -> None:
    for name in registry.builtins(kind):
        assert registry.load(kind, name).__name__


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="unknown detector 'eror_burst'; did you mean 'error_burst'?"):
        registry.load(registry.DETECTORS, "eror_burst")


def test_a_name_near_to_nothing_gets_all_of_them() -> None:
    with pytest.raises(ConfigError, match="known: clickhouse, console"):
        registry.load(registry.SINKS, "xyz")


def test_a_plugin_comes_in_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_plugin(tmp_path, monkeypatch, "tocsin-night", "night = tocsin_night:Night", NIGHT)
    assert registry.load(registry.DETECTORS, "night").__module__ == "tocsin_night"
    assert registry.entries(registry.DETECTORS)["night"].distribution == "tocsin-night 1.0"


def test_nothing_is_imported_before_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_plugin(tmp_path, monkeypatch, "tocsin-bad", "bad = tocsin_bad:Bad", "raise RuntimeError('boom')")
    assert "bad" in registry.entries(registry.DETECTORS)
    assert registry.load(registry.DETECTORS, "error_burst")


def test_a_broken_plugin_says_what_broke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_plugin(tmp_path, monkeypatch, "tocsin-bad", "bad = tocsin_bad:Bad", "import missing_thing")
    with pytest.raises(ConfigError, match=r"'bad' of the plugin tocsin-bad 1.0 .*No module named"):
        registry.load(registry.DETECTORS, "bad")


def test_a_plugin_of_the_wrong_sort_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_plugin(tmp_path, monkeypatch, "tocsin-odd", "odd = tocsin_odd:Odd", "class Odd: ...")
    with pytest.raises(ConfigError, match="is no Detector"):
        registry.load(registry.DETECTORS, "odd")


def test_a_plugin_may_not_take_a_built_in_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_plugin(tmp_path, monkeypatch, "tocsin-twin", "error_burst = tocsin_twin:Night", NIGHT)
    (conflict,) = registry.conflicts()
    assert conflict.startswith("plugin tocsin-twin 1.0 calls a detector 'error_burst'")
    assert registry.load(registry.DETECTORS, "error_burst").__module__ == "detectors.error_burst"


def test_two_plugins_may_not_share_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in ("one", "two"):
        (tmp_path / number).mkdir()
        make_plugin(
            tmp_path / number, monkeypatch, f"tocsin-{number}", f"night = tocsin_{number}:Night", NIGHT
        )
    (conflict,) = registry.conflicts()
    assert "tocsin-two 1.0" in conflict and "taken by tocsin-one 1.0" in conflict


def test_a_checkout_owns_its_packages() -> None:
    assert registry.guard() == []


def test_a_package_nearby_that_shadows_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "detectors.py").write_text("")
    code = (
        f"import sys; sys.path.append({str(ROOT)!r}); "
        "from tocsin import registry; print(*registry.guard(), sep='\\n')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("the package 'detectors' is not Tocsin's: it comes from")
    assert "an environment of its own" in run.stdout


def test_a_distribution_that_overwrites_ours_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    owners = {name: ["tocsin"] for name in registry.PACKAGES} | {"detectors": ["tocsin", "detectors"]}
    monkeypatch.setattr("importlib.metadata.packages_distributions", lambda: owners)
    assert registry.guard() == []  # a checkout's files cannot be overwritten by an installer
    monkeypatch.setattr(registry, "_installed_in", lambda home: True)
    (reason,) = registry.guard()
    assert "'detectors' also belongs to detectors" in reason
