"""Make the exchange topic, look at it, or begin its next generation.

The number of partitions and the rule that leads groups to them are fixed once a generation is made. To
change them: stop ingest; when `tocsin_lag_records` of detect is 0, stop detect too; change `partitions`;
`exchange next`; start both. What detectors remember, halves that wait and open alerts are carried over by
group. With `--cold` they are not, and detect need not have come to the end: it reads the old generation
beside the new one, until `exchange retire`.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from contextlib import closing
from typing import Any

from tocsin import config, registry
from tocsin.commands.terminal import columns, configured, moment, say, warn
from tocsin.contracts import ConfigError
from tocsin.exits import OK
from tocsin.pipeline import EXCHANGE

CARRY_ON = "ingest.exchange:carry_on"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which action."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for act, words in (
        (_create, "make it, where it is missing, and compare it with the settings"),
        (_show, "its generations, and how much waits in each partition"),
        (_next, "begin the next generation, with the settings as they are now"),
        (_retire, "an old generation was read to its end: read it no more"),
        (_forget, "forget that a source topic was ever read, so that `start` applies to it again"),
    ):
        action = actions.add_parser(act.__name__.strip("_"), help=words, description=words)
        configured(action)
        action.set_defaults(act=act)
        if act is _next:
            action.add_argument(
                "--cold",
                action="store_true",
                help="carry nothing over: what waits in the old one is not told",
            )
        if act is _retire:
            action.add_argument(
                "generation", type=int, metavar="NUMBER", help="as `tocsin exchange show` says"
            )
        if act is _forget:
            action.add_argument("topic", metavar="TOPIC", help="of the source")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    settings = config.load(options.config)
    if settings.exchange is None:
        raise ConfigError([f"{options.config}: there is no [exchange]"])
    options.settings = settings
    options.act(registry.resolve(EXCHANGE)(settings.exchange, settings.source), options)
    return OK


def _create(exchange: Any, options: argparse.Namespace) -> None:
    rule = exchange.prepare()
    say(f"{exchange.name(rule.generation)}: {rule.partitions} partitions, as configured")


def _show(exchange: Any, options: argparse.Namespace) -> None:
    ledger = exchange.ledger()
    if not ledger.rules:
        raise ConfigError(["there is no exchange yet: tocsin exchange create"])
    with closing(exchange.connection.admin()) as admin:
        for rule in ledger.rules:
            say(f"{exchange.name(rule.generation)}: {rule.state}, first start {moment(rule.started)}")
            if rule.state != "retired":
                backlog = exchange.backlog(admin, rule)
                rows = [
                    (f"  partition {place.number}", f"{frames:,} frames wait")
                    for place, frames in backlog.items()
                ]
                columns(sorted(rows))
    held = defaultdict(set)
    for origin in ledger.origins.values():
        held[origin.topic].add(origin.number)
    for topic, numbers in sorted(held.items()):
        say(f"holds data of {topic}, partitions {', '.join(map(str, sorted(numbers)))}")


def _next(exchange: Any, options: argparse.Namespace) -> None:
    if options.cold:
        rule = exchange.next_generation()
    else:
        with closing(options.settings.checkpoints.open()) as store:
            rule, told = registry.resolve(CARRY_ON)(exchange, options.settings.plan, store)
        for line in told:
            warn(line)
    say(f"{exchange.name(rule.generation)}: {rule.partitions} partitions, begins now")


def _retire(exchange: Any, options: argparse.Namespace) -> None:
    exchange.retire(options.generation)
    say(f"{exchange.name(options.generation)}: retired; its topic can be deleted")


def _forget(exchange: Any, options: argparse.Namespace) -> None:
    say(f"{options.topic}: forgotten, {exchange.forget(options.topic)} partitions")
