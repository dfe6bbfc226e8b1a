"""Run files, or standard input, through decoder and detectors, and show the alerts.

Nothing is kept: neither state nor tables. The same input gives the same output, byte for byte. Each file
is a log of its own with a state of its own; `cat a b | tocsin replay -` makes one of several.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tocsin import config, logs, pipeline, registry
from tocsin.commands.run import stopping
from tocsin.commands.terminal import Progress, warn
from tocsin.contracts import ConfigError, Sink, SinkRefused, SinkUnavailable, Writer, Written
from tocsin.exits import OK, PROBLEMS
from tocsin.model import Batch
from tocsin.wrapped import NamedLog

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT
KEPT = ("formats", "groups", "limits", "content", "engine", "history", "assembly", "quarantine", "detectors")


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to read, how, and where results go."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="JSON lines, also .gz and .zst; - is standard input"
    )
    parser.add_argument(
        "-c", "--config", metavar="FILE", help="detectors and limits from there; default: built in"
    )
    parser.add_argument(
        "--format", default="auto", help="decoder; default: auto, recognised record by record"
    )
    parser.add_argument(
        "--alerts", metavar="PATH", help="alerts as JSON lines; - is standard output; default: for people"
    )
    parser.add_argument(
        "--events", metavar="PATH", help="events as JSON lines, redacted as the configuration says"
    )


def run(options: argparse.Namespace) -> int:
    """Replay one file after the other; PROBLEMS when nothing could be read."""
    logs.setup("text", "warning")
    for path in filter(None, (options.alerts, options.events)):
        if path != "-":
            _empty(path)
    passed = [_replay(options, path, number) for number, path in enumerate(options.files, 1)]
    events, alerts, rejects = (int(sum(each[at] for each in passed)) for at in (1, 2, 3))
    seconds = sum(each.seconds for each in passed)
    warn(f"{events:,} events, {alerts:,} alerts, {rejects:,} rejected, {seconds:.1f} s")
    return PROBLEMS if rejects and not events else OK


def _replay(options: argparse.Namespace, path: str, number: int) -> pipeline.Passed:
    settings = _settings(options, path)
    source = NamedLog(inner=settings.source, log_id=f"replay.{number}")
    settings = msgspec.structs.replace(settings, source=source, sinks=_sinks(options))
    progress = Progress()
    with stopping() as stop:
        built = pipeline.build(settings, patient=False)
        try:
            built.run(stop, progress.tell(lambda state: f"{path}: {state}"))
        finally:
            progress.clear()
    return built.passed


def _settings(options: argparse.Namespace, path: str) -> config.Config:
    given = config.parse(options.config) if options.config else {}
    tables: dict[str, Any] = {name: table for name, table in given.items() if name in KEPT}
    tables["source"] = {"type": "file", "paths": [path], "format": options.format}
    tables["checkpoints"] = {"type": "memory"}
    tables["operations"] = {"listen": ""}
    return config.read(tables, embedded=True)


def _sinks(options: argparse.Namespace) -> Mapping[str, Sink]:
    console = registry.load(registry.SINKS, "console")
    sinks: dict[str, Sink] = {}
    if options.alerts:
        sinks["alerts"] = console(format="json", to="stdout" if options.alerts == "-" else options.alerts)
    elif options.events != "-":
        sinks["alerts"] = console(format="text", to="stdout")
    if options.events:
        sinks["events"] = EventLines(path=options.events)
    return sinks


def _empty(path: str) -> None:
    try:
        Path(path).write_bytes(b"")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from error


class EventLines(Sink, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events as JSON lines, in the native format."""

    path: str

    def open(self) -> Writer:
        """Adds to the file."""
        return EventLinesWriter(self.path)


class EventLinesWriter(Writer):
    """An open file of events."""

    def __init__(self, path: str) -> None:
        try:
            self._file = os.fdopen(os.dup(1) if path == "-" else os.open(path, _APPEND, 0o600), "ab")
        except OSError as error:
            raise SinkRefused(f"{path}: {error.strerror}") from error

    def write(self, batch: Batch, deadline: float) -> None:
        try:
            for event in batch.events:
                self._file.write(msgspec.json.encode(event, order="deterministic") + b"\n")
            self._file.flush()
        except BrokenPipeError:
            raise SinkRefused("nobody reads the events any more") from None
        except OSError as error:
            raise SinkUnavailable(f"events: {error.strerror}") from error

    def written(self, log_id: str, log_partition: int, from_offset: int) -> Written:
        return Written()

    def close(self) -> None:
        self._file.close()
