"""Bring the tables in ClickHouse up to this version, and their options up to the settings.

Can be interrupted and repeated. Needs a user that may create and alter tables.
"""

from __future__ import annotations

import argparse

from tocsin import config, registry
from tocsin.commands.terminal import configured, say
from tocsin.contracts import ConfigError, Sink
from tocsin.exits import OK

CLICKHOUSE = "sinks.clickhouse:ClickHouse"
MIGRATE = "sinks.clickhouse_migrate:migrate"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which file, and whether to do it."""
    configured(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")


def run(options: argparse.Namespace) -> int:
    """Migrate every ClickHouse sink."""
    migrate = registry.resolve(MIGRATE)
    for name, sink in clickhouse_sinks(config.load(options.config)).items():
        done = migrate(sink, dry_run=options.dry_run)
        for line in done or ["nothing to do"]:
            say(f"{name}: {line}")
    return OK


def clickhouse_sinks(checked: config.Config) -> dict[str, Sink]:
    """The sinks that keep tables, by name. Raises ConfigError where there is none."""
    clickhouse = registry.resolve(CLICKHOUSE)
    chosen = {name: sink for name, sink in checked.sinks.items() if isinstance(sink, clickhouse)}
    if not chosen:
        raise ConfigError(["no sink keeps tables: add [sinks.clickhouse]"])
    return chosen
