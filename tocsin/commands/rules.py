"""Rules for reading text: test their examples, list them, explain one.

`test` runs every rule on its positive and negative examples; exit code 1 where one fails. Rules of your own
are TOML files in a folder named with --rules; docs/reading.md says how they are written.
"""

from __future__ import annotations

import argparse

from tocsin import taxonomy
from tocsin.commands.terminal import columns, say, warn
from tocsin.contracts import ConfigError
from tocsin.exits import OK, PROBLEMS
from tocsin.reading import pack
from tocsin.reading.pack import Ready, Rule
from tocsin.reading.rules import Rules
from tocsin.reading.views import look

MATCHES = ("does not match", "matches")


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with which rules."""
    parser.add_argument("action", choices=("test", "list", "explain"))
    parser.add_argument("id", nargs="?", help="the rule to explain, or a family to list")
    parser.add_argument("--rules", action="append", default=[], metavar="DIR", help="your own rule packs")


def run(options: argparse.Namespace) -> int:
    """PROBLEMS where an example fails."""
    ready = pack.load(options.rules)
    if options.action == "test":
        return _test(ready)
    if options.action == "explain":
        _explain(ready, options.id or "")
    else:
        _list([each.rule for each in ready if options.id in (None, each.rule.family)])
    return OK


def failures(ready: list[Ready]) -> list[str]:
    """Examples that a rule does not judge as it says."""
    rules = Rules(ready)
    told: list[str] = []
    for rule in (each.rule for each in ready):
        role = rule.roles[0] if rule.roles else None
        for wanted, examples in ((True, rule.positive), (False, rule.negative)):
            for number, text in enumerate(examples, 1):
                if (rule.id in {hit.rule.id for hit in rules.match(look(text).views, role)[0]}) != wanted:
                    kind = "positive" if wanted else "negative"
                    told.append(f"{rule.id}: {kind} example {number} {MATCHES[not wanted]}")
    return told


def _test(ready: list[Ready]) -> int:
    told = failures(ready)
    for line in told:
        warn(line)
    examples = sum(len(each.rule.positive) + len(each.rule.negative) for each in ready)
    say(f"{len(ready)} rules, {examples} examples, {len(told)} failed")
    return PROBLEMS if told else OK


def _list(rules: list[Rule]) -> None:
    rows = [(one.family, one.id, one.severity, f"{one.weight:.2f}", one.lang, one.title) for one in rules]
    columns(rows)


def _explain(ready: list[Ready], name: str) -> None:
    found = next((each for each in ready if each.rule.id == name), None)
    if found is None:
        raise ConfigError([f"no rule is called {name!r}; `tocsin rules list` names them"])
    rule = found.rule
    say(f"{rule.id}: {rule.title}")
    say(f"  family {rule.family}, severity {rule.severity}, weight {rule.weight}, from {found.pack}")
    for pattern in rule.patterns:
        say(f"  matches: {pattern}")
    if rule.all:
        say(f"  matches all within {rule.within} bytes: {'   and   '.join(rule.all)}")
    for near in rule.unless:
        say(f"  unless close by: {near}")
    say(f"  whose text: {', '.join(rule.roles) or 'everybody'}; views: {', '.join(rule.views) or 'all'}")
    for identifier in (*rule.owasp, *rule.atlas):
        say(f"  {identifier} {taxonomy.name(identifier)}")
    for text in rule.positive:
        say(f"  flags: {text!r}")
    for text in rule.negative:
        say(f"  leaves alone: {text!r}")
    say(f"  misses: {rule.misses}")
    for reference in rule.references:
        say(f"  see {reference}")
