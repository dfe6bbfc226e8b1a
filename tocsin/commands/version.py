"""Say which Tocsin this is, and on which libraries it stands."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version

from tocsin.commands.terminal import columns
from tocsin.exits import OK

_LIBRARIES = ("msgspec", "orjson", "kafka-python", "clickhouse-connect", "chdb-core", "river")


def arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(options: argparse.Namespace) -> int:
    """Print the versions."""
    rows = [("tocsin", _version("tocsin")), ("python", platform.python_version())]
    columns(rows + [(name, _version(name)) for name in _LIBRARIES])
    return OK


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
