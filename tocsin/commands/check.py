"""Check the configuration and tell every mistake at once.

With --connect also whether source and sinks answer.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from tocsin import config
from tocsin.commands.terminal import configured, say, warn
from tocsin.contracts import TocsinError
from tocsin.exits import OK, PROBLEMS
from tocsin.health import Health
from tocsin.metrics import Metrics
from tocsin.ports import Lent


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which file, and how far to go."""
    configured(parser)
    parser.add_argument("--connect", action="store_true", help="open source and sinks, and close them again")


def run(options: argparse.Namespace) -> int:
    """Say that all is well, or what is not."""
    checked = config.load(options.config)
    for warning in checked.warnings:
        warn(f"warning: {warning}")
    problems = [problem for problem in _connect(checked) if problem] if options.connect else []
    for problem in problems:
        warn(problem)
    if problems:
        return PROBLEMS
    detectors = ", ".join(instance.name for instance in checked.instances) or "none"
    say(f"{options.config} is good. detectors: {detectors}; sinks: {', '.join(checked.sinks) or 'none'}")
    return OK


def _connect(checked: config.Config) -> Iterator[str]:
    lent = Lent(Metrics(), Health(checked.engine.stuck_seconds), checked.keys)
    yield _answers("source", lambda: checked.source.open_with(lent))
    for name, sink in checked.sinks.items():
        yield _answers(f"sinks.{name}", sink.open)


def _answers(place: str, connect: Callable[[], Any]) -> str:
    try:
        connect().close()
    except TocsinError as error:
        return f"[{place}] {error}"
    say(f"[{place}] answers")
    return ""
