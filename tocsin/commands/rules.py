"""Rules for reading text: test their examples, list them, explain one.

`test` runs every rule on its positive and negative examples; exit code 1 where one fails. Rules of your own
are packs (TOML) and Sigma rules (YAML) in a folder named with --rules; docs/reading.md and docs/sigma.md say
how they are written.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from tocsin import taxonomy
from tocsin.commands.terminal import columns, say, warn
from tocsin.contracts import ConfigError
from tocsin.exits import OK, PROBLEMS
from tocsin.model import TRUST
from tocsin.reading import pack
from tocsin.reading.pack import Ready, Rule
from tocsin.reading.rules import Rules
from tocsin.reading.views import look
from tocsin.registry import suggest

MATCHES = ("does not match", "matches")


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with which rules."""
    parser.add_argument("action", choices=("test", "list", "explain"))
    parser.add_argument("id", nargs="?", help="the rule to explain, or a family to list")
    parser.add_argument("--rules", action="append", default=[], metavar="DIR", help="your own rules")


def run(options: argparse.Namespace) -> int:
    """PROBLEMS where an example fails."""
    ready = pack.load(options.rules)
    if options.action == "test":
        return _test(ready)
    if options.action == "explain":
        _explain(ready, options.id or "")
    else:
        _list(ready, options.id)
    return OK


def failures(ready: list[Ready]) -> list[str]:
    """Examples that a rule does not judge as it says."""
    rules = Rules(ready)
    told: list[str] = []
    for rule, parts in _named(ready).items():
        role = parts[0].rule.roles[0] if len(parts) == 1 and parts[0].rule.roles else None
        for wanted, examples in ((True, parts[0].rule.positive), (False, parts[0].rule.negative)):
            for number, text in enumerate(examples, 1):
                if (rule in {hit.rule.id for hit in rules.match(look(text).views, role)[0]}) != wanted:
                    kind = "positive" if wanted else "negative"
                    told.append(f"{rule}: {kind} example {number} {MATCHES[not wanted]}")
    return told


def _named(ready: Iterable[Ready]) -> dict[str, list[Ready]]:
    """Each rule's parts: an imported one has several where it treats roles differently."""
    found: dict[str, list[Ready]] = {}
    for each in ready:
        found.setdefault(each.rule.id, []).append(each)
    return found


def _test(ready: list[Ready]) -> int:
    told = failures(ready)
    for line in told:
        warn(line)
    rules = [parts[0].rule for parts in _named(ready).values()]
    examples = sum(len(rule.positive) + len(rule.negative) for rule in rules)
    silent = [rule.id for rule in rules if not rule.positive]
    say(f"{len(rules)} rules, {examples} examples, {len(told)} failed")
    if silent:
        say(f"without an example that matches: {', '.join(silent)}")
    return PROBLEMS if told else OK


def _list(ready: list[Ready], family: str | None) -> None:
    rules = [parts[0].rule for parts in _named(ready).values()]
    if family and family not in {rule.family for rule in rules}:
        raise ConfigError(
            [f"no rule is of family {family!r}; {suggest(family, {rule.family for rule in rules})}"]
        )
    columns([
        (one.family, one.id, one.severity, f"{one.weight:.2f}", one.lang, one.title)
        for one in rules
        if family in (None, one.family)
    ])  # fmt: skip


def _explain(ready: list[Ready], name: str) -> None:
    named = _named(ready)
    if name not in named:
        known = suggest(name, named)
        remedy = known if known.startswith("did") else "`tocsin rules list` names them"
        raise ConfigError([f"no rule is called {name!r}; {remedy}"])
    rule = named[name][0].rule
    say(f"{rule.id}: {rule.title}")
    say(f"  family {rule.family}, severity {rule.severity}, weight {rule.weight}, from {named[name][0].pack}")
    for part in named[name]:
        _matches(part)
    for identifier in (*rule.owasp, *rule.atlas):
        say(f"  {identifier} {taxonomy.name(identifier)}")
    for text in rule.positive:
        say(f"  flags: {text!r}")
    for text in rule.negative:
        say(f"  leaves alone: {text!r}")
    say(f"  misses: {rule.misses or 'not said'}")
    for reference in rule.references:
        say(f"  see {reference}")


def _matches(ready: Ready) -> None:
    rule: Rule = ready.rule
    for pattern in rule.patterns:
        say(f"  matches: {pattern}")
    for clause in ready.clauses:
        say(f"  matches: {clause}")
    if rule.signal:
        say(f"  matches by the table of tocsin.reading.{rule.signal}")
    if rule.all:
        say(f"  matches all within {rule.within} bytes: {'   and   '.join(rule.all)}")
    for near in rule.unless:
        say(f"  unless close by: {near}")
    roles = ", ".join(role for role in TRUST if role in rule.roles) or "everybody"
    say(f"  whose text: {roles}; views: {', '.join(rule.views) or 'all'}")
