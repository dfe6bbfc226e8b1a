"""Turn text into sketches: what Tocsin sees in it, to be sent in its place.

A text as an argument gives its sketch. Without one, JSON lines are read from standard input, each
`{"text": ...}` or `{"messages": [...]}` with optional `id`, `role` and `system`; the same come out with a
sketch for each text, and what is none of these is left out. `--show` prints what a sketch says instead. The
key is the installation's `content.key`, in the environment as TOCSIN_CONTENT_KEY. docs/sketch.md says where
sketches go. Exit code 1 where a line was no such thing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from tocsin.commands.lines import batches
from tocsin.commands.terminal import say
from tocsin.contracts import ConfigError
from tocsin.exits import OK, PROBLEMS
from tocsin.reading.sketch import VARIABLE, keyed, read, secret, sketches

_KEPT = ("role", "name", "tool_call_id")  # of a message: no text, but names


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to sketch, or to show."""
    parser.add_argument("text", nargs="?", help="default: JSON lines from standard input")
    parser.add_argument("--rules", action="append", default=[], metavar="DIR", help="your own rules")
    parser.add_argument("--show", action="store_true", help="the text is a sketch: say what is in it")


def run(options: argparse.Namespace) -> int:
    """PROBLEMS where a line was not understood, or a sketch is none."""
    if options.show:
        return _show(options.text or sys.stdin.readline().strip())
    if options.text is not None:
        say(sketches([options.text], rules=options.rules)[0])
        return OK
    code = OK
    for batch in batches():
        for line in _sketched(batch, options.rules):
            code = PROBLEMS if "error" in line else code
            sys.stdout.buffer.write(json.dumps(line).encode() + b"\n")
        sys.stdout.buffer.flush()
    return code


def _show(line: str) -> int:
    told = read(line, keyed(secret()))
    if told is None:
        raise ConfigError([f"no sketch, or a damaged one, or not sealed with the key in {VARIABLE}"])
    shown = msgspec.to_builtins(told.sketch)
    named = dict(zip(told.sketch.__struct_fields__, shown, strict=True))
    say(json.dumps({"own": told.own, "length": told.length, "refusal": told.refusal, **named}))
    return OK


def _sketched(lines: list[bytes], rules: list[str]) -> list[dict[str, Any]]:
    """The same lines with sketches for texts; all texts of a batch are read together."""
    texts: list[str] = []
    asked = [parse(line, texts) for line in lines]
    made = iter(sketches(texts, rules=rules))
    return [_filled(each, made) for each in asked]


class _Place:
    """Where a sketch belongs; in the order of the texts."""


_HERE = _Place()


def parse(line: bytes, texts: list[str]) -> dict[str, Any]:
    """One line with a place for each of its texts, which are added to `texts`; or its mistake."""
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        return {"error": "no JSON"}
    if not isinstance(given, dict):
        return {"error": "no object"}
    kept = {name: given[name] for name in ("id", "role") if isinstance(given.get(name), str | int)}
    for name in ("system", "text"):
        if isinstance(given.get(name), str):
            kept[name] = _place(given[name], texts)
    if isinstance(given.get("messages"), list):
        kept["messages"] = [_message(each, texts) for each in given["messages"] if isinstance(each, dict)]
    if "text" not in kept and "messages" not in kept:
        return {**kept, "error": "neither text nor messages"} if "system" not in kept else kept
    return kept


def _message(message: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    kept = {name: message[name] for name in _KEPT if isinstance(message.get(name), str)}
    content = message.get("content", message.get("text"))
    if isinstance(content, str):
        kept["content"] = _place(content, texts)
    elif isinstance(content, list):
        said = [part.get("text") if isinstance(part, dict) else part for part in content]
        kept["content"] = [
            {"type": "text", "text": _place(text, texts)} for text in said if isinstance(text, str)
        ]
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        kept["tool_calls"] = [_call(each, texts) for each in calls if isinstance(each, dict)]
    return kept


def _call(call: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    """A tool call as OpenAI writes it, or flat."""
    inner = call["function"] if isinstance(call.get("function"), dict) else call
    given = inner.get("arguments", "")
    made: dict[str, Any] = {
        "name": str(inner.get("name", "")),
        "arguments": _place(given if isinstance(given, str) else json.dumps(given), texts),
    }
    if isinstance(call.get("id"), str):
        return {"id": call["id"], "type": "function", "function": made}
    return {"type": "function", "function": made}


def _place(text: str, texts: list[str]) -> _Place:
    texts.append(text)
    return _HERE


def _filled(value: Any, made: Iterator[str]) -> Any:
    if value is _HERE:
        return next(made)
    if isinstance(value, dict):
        return {name: _filled(each, made) for name, each in value.items()}
    return [_filled(each, made) for each in value] if isinstance(value, list) else value
