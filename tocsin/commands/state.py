"""Look at the saved state, take it out as JSON lines, or forget it.

Looking works beside the process that owns the state; forgetting needs it stopped. What is forgotten is
learnt again from where the source's `start` says, and rows already stored are not written twice.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from tocsin import config
from tocsin.commands.terminal import columns, configured, moment, say, warn
from tocsin.contracts import CheckpointStore, ConfigError
from tocsin.exits import OK, PROBLEMS
from tocsin.state import PartitionState


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which action, on which log."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for act, words in (
        (_show, "where each log stands, and what its sections hold"),
        (_export, "every key with its state, as JSON lines"),
        (_reset, "forget the state of one log, or of all"),
    ):
        action = actions.add_parser(act.__name__.strip("_"), help=words, description=words)
        configured(action)
        action.add_argument("--log", metavar="LOG", help="only this one, as `tocsin state show` names it")
        if act is _reset:
            action.add_argument("--all", action="store_true", help="all logs")
        action.set_defaults(act=act)


def run(options: argparse.Namespace) -> int:
    """Do it."""
    return int(options.act(options))


def _show(options: argparse.Namespace) -> int:
    complaints = []
    for log, state, said in _states(options):
        say(f"{log}: next offset {state.next_offset}, arrival clock {moment(state.clock)}")
        columns([("  section", "groups", "keys", "evicted"), *_sections(state)])
        complaints += said
    for complaint in complaints:
        warn(complaint)
    return PROBLEMS if complaints else OK


def _sections(state: PartitionState) -> list[tuple[str, str, str, str]]:
    groups, keys, evicted = Counter[str](), Counter[str](), Counter[str]()
    for count in state.describe():
        groups[count.section] += 1
        keys[count.section] += count.keys
        evicted[count.section] += count.evicted
    return [
        (f"  {name}", f"{groups[name]:,}", f"{keys[name]:,}", f"{evicted[name]:,}") for name in sorted(keys)
    ]


def _export(options: argparse.Namespace) -> int:
    complaints = []
    for log, state, said in _states(options):
        for line in _entries(log, state):
            sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
        complaints += said
    for complaint in complaints:
        warn(complaint)
    return PROBLEMS if complaints else OK


def _entries(log: str, state: PartitionState) -> Iterator[dict[str, Any]]:
    for group in sorted(state.groups, key=lambda group: (group.tenant, group.application)):
        for name, section in group.sections():
            for key, entry in sorted(section.items()):
                yield {
                    "log": log,
                    "tenant": group.tenant,
                    "application": group.application,
                    "section": name,
                    "key": key,
                    "seen": entry.seen,
                    "state": _plain(section.keep(entry).value),
                }


def _plain(data: bytes) -> Any:
    """A saved value as data."""
    return msgspec.msgpack.decode(
        data, ext_hook=lambda code, inner: {f"object {code}": msgspec.msgpack.decode(inner)}
    )


def _reset(options: argparse.Namespace) -> int:
    if bool(options.log) == options.all:
        raise ConfigError(["say which: --log LOG, or --all"])
    store: CheckpointStore = config.load(options.config).checkpoints.open()
    try:
        for log in [options.log] if options.log else store.logs():
            if log not in store.logs():
                raise ConfigError([_unknown(log, store)])
            store.reset(log)
            say(f"{log}: forgotten")
    finally:
        store.close()
    return OK


def _states(options: argparse.Namespace) -> Iterator[tuple[str, PartitionState, list[str]]]:
    """The newest state of each log that was asked for, with what is wrong with it."""
    configured = config.load(options.config)
    store: CheckpointStore = configured.checkpoints.look()
    try:
        if options.log and options.log not in store.logs():
            raise ConfigError([_unknown(options.log, store)])
        for log in [options.log] if options.log else store.logs():
            saved, complaints = store.load(log)
            log_id, _, number = log.rpartition("/")
            if saved is None:
                yield log, PartitionState.fresh(configured.plan, log_id, int(number)), list(complaints)
                continue
            state, more = PartitionState.restore(configured.plan, log_id, int(number), saved)
            yield log, state, [*complaints, *more]
    finally:
        store.close()


def _unknown(log: str, store: CheckpointStore) -> str:
    return f"no state of the log {log!r}; there is {', '.join(store.logs()) or 'none'}"
