"""The command line as people read it, made from the parsers that check it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

from tocsin.exits import EXITS


def manual(parser: argparse.ArgumentParser) -> str:
    """All commands with their options, in Markdown."""
    parts = [part for name, command in _commands(parser).items() for part in _command(name, command)]
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in EXITS.items())
    return "\n\n".join([*parts, f"## Exit codes\n\n| code | meaning |\n|---|---|\n{codes}"]) + "\n"


def _commands(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    return {}


def _command(name: str, command: argparse.ArgumentParser, level: int = 2) -> Iterator[str]:
    yield f"{'#' * level} `tocsin {name}`" + (f"\n\n{command.description}" if command.description else "")
    rows = [_row(action) for action in command._actions if _shown(action)]
    if rows:
        yield "| argument | meaning |\n|---|---|\n" + "\n".join(rows)
    for inner, parser in _commands(command).items():
        yield from _command(f"{name} {inner}", parser, level + 1)


def _shown(action: argparse.Action) -> bool:
    hidden = (argparse._HelpAction, argparse._SubParsersAction)
    return not isinstance(action, hidden) and action.help != argparse.SUPPRESS


def _row(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if not action.option_strings:
        many = {"*": f"[{value} ...]", "+": f"{value} ...", "?": f"[{value}]"}
        named = many.get(str(action.nargs), value)
    else:
        named = ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {value}")
    words = "" if action.choices is None else f" ({', '.join(map(str, action.choices))})"
    return f"| `{named}` | {action.help or ''}{words} |"
