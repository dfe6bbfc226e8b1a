"""Look at what could not be read, and read it again after a mapping or a version changed.

What was read again stays listed, marked as such. A retry fetches records from their place in the source,
as long as it holds them, so it can be repeated: what an earlier one stored is not stored again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from tocsin import config, logs, pipeline, registry, retry
from tocsin.commands.migrate import clickhouse_sinks
from tocsin.commands.run import stopping
from tocsin.commands.terminal import Progress, columns, configured, moment, say
from tocsin.exits import OK, PROBLEMS
from tocsin.model import REASONS, Reject
from tocsin.retry import Place, RetrySource, Sieve, alone, place_of
from tocsin.stores import Memory

TABLES = "sinks.clickhouse_tables:Tables"
STORED = """
SELECT source, source_partition, source_offset, groupUniqArray(source_index) FROM `%s`.events
WHERE startsWith(log_id, {prefix:String}) = {again:Bool}
AND (source, source_partition, source_offset) IN {places:Array(Tuple(String, UInt32, UInt64))}
GROUP BY source, source_partition, source_offset"""
SHAPES = """
SELECT shape, count() AS entries, toUnixTimestamp(min(arrival)), toUnixTimestamp(max(arrival)),
arrayStringConcat(arraySort(groupUniqArray(3)(source)), ', ')
FROM `%s`.quarantine FINAL
WHERE reason = 'unrecognised' AND ({source:String} = '' OR source = {source:String})
GROUP BY shape ORDER BY entries DESC, shape LIMIT {limit:UInt32}"""
ASKED = 500  # places in one question


def arguments(parser: argparse.ArgumentParser) -> None:
    """List or retry."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the newest entries, with reason and place")
    listing.add_argument("--json", action="store_true", help="as JSON lines, with the redacted samples")
    listing.add_argument(
        "--shapes", action="store_true", help="what is unrecognised, counted by its top-level keys"
    )
    again = actions.add_parser("retry", help="read entries again and store what can be read now")
    for action, act, limit in ((listing, _list, 50), (again, _retry, 10_000)):
        configured(action)
        reasons = ", ".join(REASONS)
        action.add_argument(
            "--reason", default="", choices=["", *REASONS], metavar="REASON", help=f"one of {reasons}"
        )
        action.add_argument("--source", default="", help="only of this topic or file")
        action.add_argument(
            "--limit", type=int, default=limit, metavar="N", help=f"the newest N; default: {limit:,}"
        )
        action.set_defaults(act=act)


def run(options: argparse.Namespace) -> int:
    """Do it."""
    return int(options.act(options, config.load(options.config)))


def _entries(options: argparse.Namespace, tables: Any) -> list[Reject]:
    found: list[Reject] = tables.quarantine(limit=options.limit, reason=options.reason, source=options.source)
    return found


def _sink(settings: config.Config) -> Any:
    return next(iter(clickhouse_sinks(settings).values()))


def _tables(settings: config.Config) -> Any:
    return registry.resolve(TABLES)(_sink(settings))


def _stored(
    settings: config.Config, tables: Any, entries: Sequence[Reject], *, again: bool
) -> dict[Place, set[int]]:
    """Which events of these records are stored: by the pipeline, or by a retry."""
    question = STORED % _sink(settings).place().database
    places = sorted({place_of(entry) for entry in entries})
    stored: dict[Place, set[int]] = {}
    for start in range(0, len(places), ASKED):
        asked = [tuple(place) for place in places[start : start + ASKED]]
        answer = tables.query(question, {"prefix": retry.PREFIX, "again": again, "places": asked})
        stored.update((Place(*row[:3]), set(row[3])) for row in answer.rows)
    return stored


def _retry(options: argparse.Namespace, settings: config.Config) -> int:
    logs.setup("text", "warning")
    with _tables(settings) as tables:
        entries = [entry for entry in _entries(options, tables) if entry.reason != "observe_failed"]
        sieve = Sieve(entries, _stored(settings, tables, entries, again=False))
    if not entries:
        say("nothing to read again")
        return OK
    places = tuple({place_of(entry) for entry in entries})
    source = RetrySource(inner=alone(settings.source), places=places)
    settings = msgspec.structs.replace(
        settings,
        source=source,
        exchange=None,
        checkpoints=Memory(),
        operations=msgspec.structs.replace(settings.operations, listen=""),
    )
    progress = Progress()
    with stopping() as stop:
        built = pipeline.build(settings, patient=False, around=sieve.around)
        try:
            built.run(stop, progress.tell(str))
        finally:
            progress.clear()
    gone = len(places) - sieve.read - sieve.still
    say(f"{len(places):,} records: {sieve.read:,} read, {sieve.still:,} still unreadable, {gone:,} gone")
    say(f"{int(built.passed.events):,} events and {int(built.passed.alerts):,} alerts")
    return PROBLEMS if sieve.still or gone else OK


def _shapes(options: argparse.Namespace, settings: config.Config) -> int:
    with _tables(settings) as tables:
        asked = {"source": options.source, "limit": options.limit}
        found = tables.query(SHAPES % _sink(settings).place().database, asked).rows
    if options.json:
        for shape, entries, first, last, source in found:
            told = {"shape": shape, "entries": entries, "first": first, "last": last, "source": source}
            sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
        return OK
    rows = [("entries", "first", "last", "source", "shape")]
    for shape, entries, first, last, source in found:
        rows.append((f"{entries:,}", moment(first), moment(last), source, shape))
    if found:
        columns(rows)
    else:
        say("nothing is unrecognised")
    return OK


def _list(options: argparse.Namespace, settings: config.Config) -> int:
    if options.shapes:
        return _shapes(options, settings)
    with _tables(settings) as tables:
        found = _entries(options, tables)
        again = _stored(settings, tables, found, again=True)
    if options.json:
        for entry in found:
            sys.stdout.buffer.write(msgspec.json.encode(entry) + b"\n")
        return OK
    rows = [("arrival", "reason", "source", "offset", "bytes", "again", "detail")]
    for entry in found:
        place = f"{entry.source}/{entry.source_partition}"
        offset = f"{entry.source_offset}.{entry.source_index}"
        read = "read" if place_of(entry) in again else ""
        rows.append(
            (
                moment(entry.arrival),
                entry.reason,
                place,
                offset,
                f"{entry.size:,}",
                read,
                entry.detail or entry.shape,
            )
        )
    if found:
        columns(rows)
    else:
        say("quarantine is empty")
    return OK
