"""Say what Tocsin sees in a text: score, verdict, rules, views, decodings, secrets and personal data.

A text as an argument is explained in words. Without one, JSON lines are read from standard input, each
`{"text": ...}` or `{"messages": [...]}` with optional `id`, `role` and `system`, and a JSON line comes out
for each, in the same order. Nothing is kept or sent anywhere. What was too long to be read in full is
`truncated` rather than `clear`. Exit code 1 where a line was no such thing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from tocsin.commands.lines import batches
from tocsin.commands.terminal import say, warn
from tocsin.exits import OK, PROBLEMS
from tocsin.model import TRUST, Role
from tocsin.reading.redaction import Redactor
from tocsin.reading.rules import FLAGGED, Hit, Reading, Rules
from tocsin.reading.scorer import DATA, ModelError, Scorer
from tocsin.reading.verdict import Verdict, combine, scores
from tocsin.reading.views import views

QUOTED = 80  # characters of a quotation
_ROLES = {"developer": "system", "human": "user", "ai": "assistant", "model": "assistant", "function": "tool"}


class Asked(NamedTuple):
    """One line, or the argument: texts with their roles."""

    id: Any
    texts: tuple[tuple[str, Role | None], ...]
    mistake: str = ""


class Inspector:
    """All that reads a text, loaded once."""

    def __init__(self, folders: Sequence[str], threshold: float) -> None:
        self._rules, self._threshold, self._redactor = Rules.load(folders), threshold, Redactor()
        try:
            self._scorer: Scorer | None = Scorer.load()
        except ModelError as error:
            self._scorer = None
            warn(f"rules alone: {error}")

    def read(self, asked: Sequence[Asked]) -> list[dict[str, Any]]:
        """What is seen in each."""
        texts = [text for one in asked for text, _ in one.texts]
        roles: list[Role | None] = [role for one in asked for _, role in one.texts]
        readings = self._rules.read(texts, roles)
        seen = iter(zip(readings, self._scores(texts, roles, readings), strict=True))
        return [self._told(one, [next(seen) for _ in one.texts]) for one in asked]

    def _scores(
        self, texts: Sequence[str], roles: Sequence[Role | None], readings: Sequence[Reading]
    ) -> list[float]:
        """What the model says of each, in all its views."""
        if self._scorer is None or not texts:
            return [0.0] * len(texts)
        found = scores(self._scorer, texts, readings).tolist()
        return [data if role in DATA else prompt for role, (prompt, data) in zip(roles, found, strict=True)]

    def _told(self, one: Asked, seen: list[tuple[Reading, float]]) -> dict[str, Any]:
        if one.mistake:
            return {"id": one.id, "error": one.mistake}
        verdicts = [combine(reading, score, self._threshold) for reading, score in seen]
        worst = max(verdicts, default=Verdict(0.0, False, ()), key=lambda each: each.score)
        truncated = any(reading.truncated for reading, _ in seen)
        return {
            "id": one.id,
            "score": round(worst.score, 4),
            "verdict": "flagged" if worst.flagged else "truncated" if truncated else "clear",
            "reasons": list(worst.reasons),
            "rules": [
                self._hit(hit, text, number)
                for number, ((reading, _), (text, _)) in enumerate(zip(seen, one.texts, strict=True))
                for hit in reading.hits
            ],
            "views": list(dict.fromkeys(name for reading, _ in seen for name in reading.views)),
            "decodings": _chains(reading for reading, _ in seen),
            "findings": [
                {"type": mark, "start": start, "end": end, "message": number}
                for number, (text, _) in enumerate(one.texts)
                for mark, start, end in self._redactor.find(text)
            ],
            "model": round(max((score for _, score in seen), default=0.0), 4),
            "truncated": truncated,
        }

    def _hit(self, hit: Hit, text: str, number: int) -> dict[str, Any]:
        rule = hit.rule
        view = next((each for each in views(text) if each.chain == hit.chain and each.name == hit.view), None)
        quote = view.text[hit.start : hit.end][:QUOTED] if view else ""
        return {
            "id": rule.id,
            "title": rule.title,
            "family": rule.family,
            "severity": rule.severity,
            "weight": round(hit.weight, 3),
            "mentioned": hit.mentioned,
            "view": hit.view,
            "decodings": list(hit.chain),
            "start": hit.raw[0],
            "end": hit.raw[1],
            "quote": self._redactor.redact(quote),
            "message": number,
            "owasp": list(rule.owasp),
            "atlas": list(rule.atlas),
        }


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to read, and how to judge it."""
    parser.add_argument("text", nargs="?", help="default: JSON lines from standard input")
    parser.add_argument("--role", choices=sorted(TRUST), help="whose text it is; default: all rules apply")
    parser.add_argument("--rules", action="append", default=[], metavar="DIR", help="your own rule packs")
    parser.add_argument("--threshold", type=float, default=FLAGGED, help=f"default: {FLAGGED}")
    parser.add_argument("--json", action="store_true", help="a JSON line also for an argument")


def run(options: argparse.Namespace) -> int:
    """PROBLEMS where a line was not understood."""
    inspector = Inspector(options.rules, options.threshold)
    if options.text is not None:
        (seen,) = inspector.read([Asked(None, ((options.text, options.role),))])
        _write(seen) if options.json else _explain(seen)
        return OK
    code = OK
    for batch in batches():
        for seen in inspector.read([parse(line, options.role) for line in batch]):
            code = PROBLEMS if "error" in seen else code
            _write(seen)
        sys.stdout.buffer.flush()
    return code


def parse(line: bytes, role: Role | None = None) -> Asked:
    """One line as it was asked; with its mistake where it is none."""
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        return Asked(None, (), "no JSON")
    if not isinstance(given, dict):
        return Asked(None, (), "no object")
    whose = _role(given.get("role"), role)
    if isinstance(given.get("text"), str):
        texts: list[tuple[str, Role | None]] = [(given["text"], whose)]
    elif isinstance(given.get("messages"), list):
        texts = [pair for each in given["messages"] for pair in _message(each, whose)]
    else:
        return Asked(given.get("id"), (), "neither text nor messages")
    if isinstance(given.get("system"), str):
        texts.insert(0, (given["system"], "system"))
    return Asked(given.get("id"), tuple(texts))


def _message(message: Any, role: Role | None) -> Iterator[tuple[str, Role | None]]:
    if not isinstance(message, dict):
        return
    whose, content = _role(message.get("role"), role), message.get("content", message.get("text"))
    parts = content if isinstance(content, list) else [content]
    for part in parts:
        text = part.get("text") if isinstance(part, dict) else part
        if isinstance(text, str):
            yield text, whose
    for call in message.get("tool_calls") or () if isinstance(message.get("tool_calls"), list) else ():
        yield json.dumps(call, ensure_ascii=False), "assistant"


def _role(given: Any, default: Role | None) -> Role | None:
    name = _ROLES.get(given, given) if isinstance(given, str) else None
    return name if name in TRUST else default  # type: ignore[return-value]


def _chains(readings: Iterable[Reading]) -> list[str]:
    chains = {hit.chain for reading in readings for hit in reading.hits if hit.chain}
    return sorted(" > ".join(chain) for chain in chains)


def _write(seen: dict[str, Any]) -> None:
    clean = json.dumps(seen, ensure_ascii=False).encode("utf-8", "backslashreplace")
    sys.stdout.buffer.write(clean + b"\n")


def _explain(seen: dict[str, Any]) -> None:
    say(f"{seen['verdict']}, score {seen['score']:.2f} (the model alone: {seen['model']:.2f})")
    for rule in seen["rules"]:
        how = f" after undoing {', '.join(rule['decodings'])}" if rule["decodings"] else ""
        doubt = "; the text seems only to talk about it" if rule["mentioned"] else ""
        say(f"  {rule['severity']}: {rule['title']} ({rule['id']}, {rule['family']}){doubt}")
        say(f"    characters {rule['start']} to {rule['end']}{how}: {rule['quote']!r}")
    for reason in seen["reasons"]:
        if not reason.startswith("rule "):
            say(f"  {reason}")
    for finding in seen["findings"]:
        say(f"  {finding['type']} at characters {finding['start']} to {finding['end']}")
    if len(seen["views"]) > 1:
        say(f"  read as: {', '.join(seen['views'])}")
    if seen["truncated"]:
        say("  not all of it was read: it is longer or holds more than the bounds allow")
