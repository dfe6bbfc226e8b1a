"""Judges texts by one peer, in that peer's own environment: JSON strings in, `[score, flagged, seconds]` out.

python judge.py NAME < texts.jsonl

Each peer is asked as its own documentation says, with all that it ships and that runs locally, for text that
comes from a user. `score` grows with suspicion and is comparable within one peer only; `seconds` are of CPU.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

Judge = Callable[[str], tuple[float, bool]]
SEVERITIES = {"critical": 1.0, "high": 0.8, "medium": 0.5, "low": 0.3, "informational": 0.1}


def guardlayer() -> Judge:
    guard = import_module("guardlayer").GuardLayer()

    def judge(text: str) -> tuple[float, bool]:
        result = guard.scan_input(text)
        return float(result.score), result.verdict.value != "allow"

    return judge


def pyatr() -> Judge:
    engine = import_module("pyatr")

    def judge(text: str) -> tuple[float, bool]:
        left = 1.0
        matches = engine.scan(text)
        for match in matches:
            left *= 1.0 - 0.9 * SEVERITIES.get(match.severity, 0.5)
        return 1.0 - left, bool(matches)

    return judge


def agentbastion() -> Judge:
    firewall = import_module("agentbastion").Firewall()

    def judge(text: str) -> tuple[float, bool]:
        verdict = firewall.check_input(text)
        return float(len(verdict.matches)), not verdict.allowed

    return judge


def promptbadger() -> Judge:
    scanner = import_module("promptbadger").Scanner(classifier=True)

    def judge(text: str) -> tuple[float, bool]:
        result = scanner.scan(text)
        return result.score / 100, result.verdict != "benign"

    return judge


def llamafirewall() -> Judge:
    """Its scanners that need no model from a hub: patterns and hidden ASCII."""
    package = import_module("llamafirewall")
    scanners = [
        import_module("llamafirewall.scanners.regex_scanner").RegexScanner(),
        import_module("llamafirewall.scanners.hidden_ascii_scanner").HiddenASCIIScanner(),
    ]
    loop = asyncio.new_event_loop()

    def judge(text: str) -> tuple[float, bool]:
        message = package.UserMessage(content=text)
        results = [loop.run_until_complete(scanner.scan(message)) for scanner in scanners]
        return max(each.score for each in results), any(
            each.decision != package.ScanDecision.ALLOW for each in results
        )

    return judge


PEERS: dict[str, Callable[[], Judge]] = {
    each.__name__: each for each in (guardlayer, pyatr, agentbastion, promptbadger, llamafirewall)
}


def main(name: str) -> None:
    """A text that a peer fails on is not flagged by it."""
    judge = PEERS[name]()
    for line in sys.stdin:
        text = json.loads(line)
        start = time.process_time()
        answer: Any
        try:
            answer = judge(text)
        except Exception:
            answer = (0.0, False)
        print(json.dumps([*answer, time.process_time() - start]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
