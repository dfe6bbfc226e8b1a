"""Rules and model as the configuration wants them, loaded once in a process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files

from tocsin.contracts import ConfigError
from tocsin.reading import pack
from tocsin.reading.garble import TABLE
from tocsin.reading.pack import Ready
from tocsin.reading.rules import Rules
from tocsin.reading.scorer import MODEL, ModelError, Scorer
from tocsin.registry import suggest
from tocsin.settings import ReadingSettings


def rules(settings: ReadingSettings) -> Rules:
    """The shipped rules and the user's, without those that are switched off. Raises ConfigError."""
    return _rules(settings.rules, frozenset(settings.disabled))


def scorer() -> Scorer:
    """The shipped model. Raises ConfigError where it is missing or damaged."""
    try:
        return Scorer.load()
    except ModelError as error:
        raise ConfigError([f"[reading] the model cannot be read: {error}; install Tocsin again"]) from error


def mistakes(settings: ReadingSettings) -> list[str]:
    """What is wrong with the rule packs and ids that the settings name."""
    if not settings.rules and not settings.disabled:
        return []
    try:
        known = {each.rule.id for each in pack.load(settings.rules)}
    except ConfigError as error:
        return [f"rules: {mistake}" for mistake in error.mistakes]
    return [
        f"disabled: no rule {name!r}; {suggest(name, known)}"
        for name in settings.disabled
        if name not in known
    ]


@cache
def fingerprint(folders: Sequence[str]) -> str:
    """Changes with any rule pack, the model or the table of tails."""
    total = sha256()
    folder = files("tocsin.reading").joinpath("packs")
    named = sorted((each.name, each.read_bytes()) for each in folder.iterdir() if each.name.endswith(".toml"))
    paths = [path for each in folders for path in pack.paths(each)]
    named += [(path.name, path.read_bytes()) for path in (*paths, MODEL, TABLE) if path.exists()]
    for name, data in named:
        total.update(f"{name}\0{len(data)}\0".encode() + data)
    return total.hexdigest()


@cache
def _rules(folders: Sequence[str], disabled: frozenset[str]) -> Rules:
    return Rules([each for each in _packs(folders) if each.rule.id not in disabled])


@cache
def _packs(folders: Sequence[str]) -> list[Ready]:
    return pack.load(folders)
