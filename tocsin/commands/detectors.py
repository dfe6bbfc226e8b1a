"""Say what can be detected, and what each detector misses.

Without a name: all detectors. With one: what it reads, its settings, and the risks that it covers.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from tocsin import reference, registry
from tocsin.commands.terminal import columns, say
from tocsin.contracts import About, ConfigError
from tocsin.exits import OK, PROBLEMS


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which, and in which form."""
    parser.add_argument("name", nargs="?", help="of one detector")
    parser.add_argument("--json", action="store_true", help="as one JSON document")


def run(options: argparse.Namespace) -> int:
    """Print what is known."""
    kind = registry.DETECTORS
    names = [options.name] if options.name else list(registry.entries(kind))
    known: dict[str, type[Any]] = {}
    broken: list[str] = []
    for name in names:
        try:
            known[name] = registry.load(kind, name)
        except ConfigError as error:
            if options.name:
                raise
            broken += error.mistakes
    if options.json:
        say_json(known)
    elif options.name:
        describe(options.name, known[options.name])
    else:
        columns([(name, cls.about.maturity, cls.about.title) for name, cls in known.items()])
        say()
        say("More on one of them: tocsin detectors NAME")
    for mistake in broken:
        say(mistake)
    return PROBLEMS if broken else OK


def describe(name: str, cls: type[Any]) -> None:
    """All about one detector."""
    about: About = cls.about
    say(f"{name}: {about.title} ({about.maturity})")
    for word, text in (
        ("detects", about.detects),
        ("misses", about.misses),
        ("reads", ", ".join(about.reads)),
        ("OWASP", ", ".join(about.owasp)),
        ("MITRE ATLAS", ", ".join(about.atlas)),
    ):
        say(f"  {word}: {text or 'nothing'}")
    say()
    rows = [("setting", "value", "default", "meaning")]
    columns(
        rows + [(s.name, s.kind.replace("`", ""), s.default, s.description) for s in reference.settings(cls)]
    )


def say_json(known: dict[str, type[Any]]) -> None:
    """Everything for programs."""
    document = {
        name: cls.about._asdict() | {"settings": [s._asdict() for s in reference.settings(cls)]}
        for name, cls in known.items()
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
