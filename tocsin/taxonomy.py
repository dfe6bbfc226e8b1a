"""The names behind the ids that detectors and alerts carry: OWASP with edition year, MITRE ATLAS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

import msgspec

ATLAS_VERSION = "2026.09"


class Technique(msgspec.Struct, frozen=True):
    """An ATLAS technique or sub-technique and the tactics it serves."""

    name: str
    tactics: tuple[str, ...]


class _Atlas(msgspec.Struct, frozen=True):
    version: str
    tactics: dict[str, str]
    techniques: dict[str, Technique]


class _Taxonomy(msgspec.Struct, frozen=True):
    owasp: dict[str, str]
    atlas: _Atlas


@cache
def _taxonomy() -> _Taxonomy:
    return msgspec.toml.decode(files("tocsin").joinpath("taxonomy.toml").read_bytes(), type=_Taxonomy)


def owasp() -> Mapping[str, str]:
    """Every known OWASP risk: `LLM06:2026`, `ASI02:2026`, `MCP03:2025` and its name."""
    return _taxonomy().owasp


def techniques() -> Mapping[str, Technique]:
    """Every known ATLAS technique: `AML.T0024.002` and its name and tactics."""
    return _taxonomy().atlas.techniques


def tactics() -> Mapping[str, str]:
    """Every ATLAS tactic: `AML.TA0010` and its name."""
    return _taxonomy().atlas.tactics


def atlas_version() -> str:
    """The content version that the data file was taken from; equals `ATLAS_VERSION`."""
    return _taxonomy().atlas.version


def name(identifier: str) -> str:
    """What an id is called. Raises KeyError for one that the data file does not hold."""
    known = owasp()
    return known[identifier] if identifier in known else techniques()[identifier].name


def unknown(identifiers: Iterable[str]) -> list[str]:
    """Those of `identifiers` that no list holds: misspelt, retired or without an edition year."""
    return [each for each in identifiers if each not in owasp() and each not in techniques()]
