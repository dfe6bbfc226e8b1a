"""Make the Grafana dashboards from their panels, or bring them into a running Grafana."""

from __future__ import annotations

import argparse
from pathlib import Path

from tocsin import registry
from tocsin.commands.terminal import say
from tocsin.exits import OK

BUILD = "dashboards.build:write"
PUSH = "dashboards.push:main"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Build or push."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    build = actions.add_parser("build", help="write the JSON files")
    build.add_argument("--to", metavar="FOLDER", help="default: where the package keeps them")
    build.set_defaults(act=_build)
    # Its options belong to the component: here they are words that are passed on.
    push = actions.add_parser("push", help="bring them into Grafana", add_help=False, prefix_chars="\0")
    push.add_argument("rest", nargs="*", metavar="OPTION", help="--help lists them")
    push.set_defaults(act=_push)


def run(options: argparse.Namespace) -> int:
    """Do it."""
    return int(options.act(options))


def _build(options: argparse.Namespace) -> int:
    write = registry.resolve(BUILD)
    for path in write(Path(options.to)) if options.to else write():
        say(str(path))
    return OK


def _push(options: argparse.Namespace) -> int:
    return int(registry.resolve(PUSH)(options.rest))
