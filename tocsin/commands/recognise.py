"""Say what records are: their layers, their format, and the events in them.

One JSON line for each record, or a table on a terminal. Nothing is kept, redacted or sent anywhere: this
is your own file, shown to you. A record is a line; exit code 1 where any of them was refused.
"""

from __future__ import annotations

import argparse
import binascii
import sys
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tocsin import config, logs, registry
from tocsin.commands.terminal import say, warn
from tocsin.contracts import Reader, SourceUnavailable
from tocsin.exits import OK, PROBLEMS
from tocsin.model import Event, Partition, Record, Reject
from tocsin.pipeline import DECODER
from tocsin.unpack import Oversized

KEPT = ("formats", "limits")
_POLL_SECONDS = 0.2
_WIDTHS = (8, 30, 12)  # of the columns before the last


class Found(NamedTuple):
    """What one record turned out to be."""

    layers: Sequence[str]
    parsers: Sequence[str]
    items: Sequence[Event | Reject]
    ignored: int = 0

    @property
    def events(self) -> list[Event]:
        return [item for item in self.items if isinstance(item, Event)]

    @property
    def rejects(self) -> list[Reject]:
        return [item for item in self.items if isinstance(item, Reject)]


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to read, and how to show it."""
    parser.add_argument("file", metavar="FILE", help="lines, also .gz and .zst; - is standard input")
    parser.add_argument("-c", "--config", metavar="FILE", help="formats and limits from there")
    parser.add_argument(
        "--format", default="", help="decoder; default: what the configuration says, else auto"
    )
    parser.add_argument("--base64", action="store_true", help="each line is a record in base64 (protobuf)")
    parser.add_argument("--whole", action="store_true", help="all of the input is one record")
    parser.add_argument("--json", action="store_true", help="JSON lines also on a terminal")


def run(options: argparse.Namespace) -> int:
    """PROBLEMS where any record, or a part of one, was refused."""
    logs.setup("text", "warning")
    settings = _settings(options)
    decoder = registry.resolve(DECODER)(settings.format, settings.limits, settings.formats)
    show = _line if options.json or not sys.stdout.isatty() else _row
    counts: Counter[str] = Counter()
    for number, record in enumerate(_records(options, settings), 1):
        found = _found(decoder, record, settings.limits.record_bytes, options.base64)
        show(number, found)
        counts["records"] += 1
        counts["events"] += len(found.events)
        counts["refused"] += bool(found.rejects)
        counts.update(f"reason {reject.reason}" for reject in found.rejects[:1])
        counts.update(f"parser {parser}" for parser in found.parsers)
    warn(_summary(counts))
    return PROBLEMS if counts["refused"] else OK


def _settings(options: argparse.Namespace) -> config.Config:
    given = config.parse(options.config) if options.config else {}
    tables: dict[str, Any] = {name: table for name, table in given.items() if name in KEPT}
    source = given.get("source")
    named = source.get("format", "auto") if isinstance(source, dict) else "auto"
    tables["source"] = {"type": "file", "paths": [options.file], "format": options.format or named}
    tables["checkpoints"] = {"type": "memory"}
    return config.read(tables, embedded=True)


def _records(options: argparse.Namespace, settings: config.Config) -> Iterator[Record]:
    if options.whole:
        value = _whole(options.file)
        yield Record(Partition(options.file, 0), 0, len(value), None, value)
        return
    reader = settings.source.open()
    try:
        yield from _lines(reader)
    finally:
        reader.close()


def _lines(reader: Reader) -> Iterator[Record]:
    while not reader.ended():
        for partition in reader.changes().assigned:
            reader.seek(partition, None)
        yield from reader.poll(_POLL_SECONDS)


def _whole(path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise SourceUnavailable(f"{path}: {error.strerror}") from error


def _found(decoder: Any, record: Record, limit: int, base64: bool) -> Found:
    value = record.value
    if base64:
        try:
            value = b64decode(value.strip(), validate=True)
        except (binascii.Error, ValueError):
            return Found((), (), (Reject(reason="undecodable", detail="no base64"),))
    if isinstance(record, Oversized) or len(value) > limit:
        return Found((), (), (Reject(reason="too_large", detail=f"above {limit} bytes"),))
    try:
        if hasattr(decoder, "look"):
            return Found(*decoder.look(value))
        decoded = decoder.decode(value)
    except Exception as error:  # as in the pipeline, where it costs the record and nothing else
        return Found((), (), (Reject(reason="invalid", detail=f"decoder: {type(error).__name__}"),))
    return Found((), (decoder.name,), decoded.items, decoded.ignored)


def _line(number: int, found: Found) -> None:
    told: dict[str, Any] = {"record": number, "layers": list(found.layers), "parser": ",".join(found.parsers)}
    told |= {"events": found.events, "ignored": found.ignored}
    if found.rejects:
        first = found.rejects[0]
        told |= {"reason": first.reason, "detail": first.detail, "shape": first.shape}
        told["refused"] = len(found.rejects)
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


def _row(number: int, found: Found) -> None:
    cells = (f"{number}", " > ".join(found.layers) or "-", ",".join(found.parsers) or "-")
    head = "  ".join(logs.visible(cell).ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
    told = [_told(event) for event in found.events]
    told += [f"refused: {each.reason}: {each.shape or each.detail}" for each in found.rejects]
    if found.ignored:
        told.append(f"{found.ignored} ignored")
    for at, line in enumerate(told or ["nothing"]):
        say(f"{head if at == 0 else ' ' * len(head)}  {line}")


def _told(event: Event) -> str:
    """One event in one line."""
    what = event.tool_name if event.kind == "tool" else event.response_model or event.model
    words = [event.kind, event.operation, what, event.status if event.status != "ok" else ""]
    if event.input_tokens is not None or event.output_tokens is not None:
        words.append(f"{event.input_tokens or 0}+{event.output_tokens or 0} tokens")
    words += [f"{name}={value}" for name in ("user", "session", "agent") if (value := getattr(event, name))]
    if event.input or event.output:
        last = (event.output or event.input)[-1]
        words.append(f"{last.role}: {last.text[:60]!r}")
    return " ".join(word for word in words if word)


def _summary(counts: Counter[str]) -> str:
    parsers = ", ".join(_counted(counts, "parser ")) or "none"
    reasons = ", ".join(_counted(counts, "reason "))
    line = f"{counts['records']:,} records: {counts['events']:,} events; formats: {parsers}"
    return f"{line}; {counts['refused']:,} refused: {reasons}" if reasons else line


def _counted(counts: Counter[str], prefix: str) -> list[str]:
    found = [(name.removeprefix(prefix), count) for name, count in counts.items() if name.startswith(prefix)]
    return [f"{name} {count:,}" for name, count in sorted(found, key=lambda each: (-each[1], each[0]))]
