"""Look at what could not be read, and read it again after a mapping or a version changed."""

from __future__ import annotations

import argparse
import sys

import msgspec

from tocsin import config, registry
from tocsin.commands.migrate import clickhouse_sinks
from tocsin.commands.terminal import columns, configured, moment, say
from tocsin.exits import OK
from tocsin.model import REASONS, Reject

TABLES = "sinks.clickhouse_tables:Tables"


def arguments(parser: argparse.ArgumentParser) -> None:
    """List or retry."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the newest entries, with reason and place")
    listing.add_argument("--json", action="store_true", help="as JSON lines, with the redacted samples")
    listing.set_defaults(act=_list)
    for action in (listing,):
        configured(action)
        action.add_argument(
            "--reason",
            default="",
            choices=["", *REASONS],
            metavar="REASON",
            help=f"one of {', '.join(REASONS)}",
        )
        action.add_argument("--source", default="", help="only of this topic or file")
        action.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many; default: 50")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    return int(options.act(options))


def entries(options: argparse.Namespace, checked: config.Config) -> list[Reject]:
    """What lies in quarantine, newest first."""
    (sink, *_) = clickhouse_sinks(checked).values()
    with registry.resolve(TABLES)(sink) as tables:
        found: list[Reject] = tables.quarantine(
            limit=options.limit, reason=options.reason, source=options.source
        )
        return found


def _list(options: argparse.Namespace) -> int:
    found = entries(options, config.load(options.config))
    if options.json:
        for entry in found:
            sys.stdout.buffer.write(msgspec.json.encode(entry) + b"\n")
        return OK
    rows = [("arrival", "reason", "source", "offset", "bytes", "detail")]
    for entry in found:
        place = f"{entry.source}/{entry.source_partition}"
        offset = f"{entry.source_offset}.{entry.source_index}"
        rows.append(
            (
                moment(entry.arrival),
                entry.reason,
                place,
                offset,
                f"{entry.size:,}",
                entry.detail or entry.shape,
            )
        )
    if found:
        columns(rows)
    else:
        say("quarantine is empty")
    return OK
