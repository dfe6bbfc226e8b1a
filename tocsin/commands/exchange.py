"""Make the exchange topic, look at it, or begin its next generation.

The number of partitions and the rule that leads groups to them are fixed once a generation is made. To
change them: stop the ingest part, `exchange next`, start ingest again; detect reads the old generation to
its end beside the new one. Then `exchange retire`.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import Any

from tocsin import config, registry
from tocsin.commands.terminal import columns, configured, moment, say
from tocsin.contracts import ConfigError
from tocsin.exits import OK
from tocsin.pipeline import EXCHANGE


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
    for topic_id, name in sorted(ledger.topics.items(), key=lambda item: item[1]):
        numbers = sorted(number for origin, number in ledger.origins if origin == topic_id)
        say(f"holds data of {name}, partitions {', '.join(map(str, numbers))}")


def _next(exchange: Any, options: argparse.Namespace) -> None:
    rule = exchange.next_generation()
    say(f"{exchange.name(rule.generation)}: {rule.partitions} partitions, begins now")


def _retire(exchange: Any, options: argparse.Namespace) -> None:
    exchange.retire(options.generation)
    say(f"{exchange.name(options.generation)}: retired; its topic can be deleted")


def _forget(exchange: Any, options: argparse.Namespace) -> None:
    say(f"{options.topic}: forgotten, {exchange.forget(options.topic)} partitions")
