"""What the built-in detectors find in public data at default settings. `python bench/detector_quality.py`

Reads ../shared/data where it exists and prints figures as they are. No threshold was set on these files; that
a burst which was told is known afterwards came from seeing the same bursts told every hour in
stream_probing_dev, so its figure for benign users with 24 h before is not independent. User identities and
episodes of that file are synthetic, arrival times are real; its bulk episodes have 500 calls, which is the
default of `hour_ceiling`.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import exp, fsum, log1p
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from detectors.drift import Drift
from detectors.first_seen_tool import FirstSeenTool
from detectors.probing_rate import ProbingRate
from tocsin.contracts import Detector
from tocsin.model import Event, Finding, Signals

DATA = Path(__file__).parents[2] / "shared" / "data"
START, HOUR, COOLDOWN = 1_750_003_200.0, 3600.0, 600.0


def lines(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(DATA / name, "rt") as file:
        yield from map(json.loads, file)


class Run:
    """A detector over a stream; what it says within the cooldown of a key is one alert."""

    def __init__(self, detector: Detector[Any]) -> None:
        self.detector = detector
        self.states: dict[str, Any] = {}
        self.alerts: list[tuple[float, str, Finding]] = []
        self._last: dict[str, float] = {}

    def one(self, event: Event) -> Finding | None:
        key = self.detector.key(event)
        if key is None:
            return None
        state = self.states.get(key)
        if state is None:
            state = self.states[key] = self.detector.start()
        finding = self.detector.observe(event, Signals(), state)
        if finding is not None:
            if event.arrival - self._last.get(key, float("-inf")) > COOLDOWN:
                self.alerts.append((event.arrival, key, finding))
            self._last[key] = event.arrival
        return finding


def probing() -> None:
    """Episodes found, and alerts about everybody else, with and without a day of known traffic before."""
    rows = list(lines("stream_probing_dev.jsonl.gz"))
    for known in (0, 24):
        run = Run(ProbingRate())
        for hour in range(known):
            for row in rows:
                if row["kind"] == "normal":
                    run.one(Event(user=row["user"], arrival=START + (hour - known) * HOUR + row["ts"]))
        before = len(run.alerts)
        for row in rows:
            run.one(Event(user=row["user"], arrival=START + row["ts"]))
        print(f"\nprobing_rate, stream_probing_dev, {known} h of the normal traffic before:")
        if known:
            print(f"  {before} alerts in those {known} hours ({before / known:.2f} an hour)")
        _episodes(rows, run.alerts[before:])


def _episodes(rows: Sequence[dict[str, Any]], alerts: Sequence[tuple[float, str, Finding]]) -> None:
    episodes: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["episode"]:
            episodes[row["kind"], row["episode"]].append(row)
    attackers = {row["user"] for row in rows if row["label"] == "attack"}
    batches = {row["user"] for row in rows if row["kind"] == "benign_batch"}
    kinds: dict[str, list[str]] = defaultdict(list)
    for (kind, _), calls in episodes.items():
        users, begun, end = {call["user"] for call in calls}, calls[0]["ts"], calls[-1]["ts"]
        hits = [
            at - START - begun
            for at, key, _ in alerts
            if key[5:] in users and begun - 0.1 <= at - START <= end + 0.1
        ]
        kinds[kind].append(f"{hits[0]:.0f}s" if hits else "-")
    for kind, found in kinds.items():
        hit = sum(each != "-" for each in found)
        print(f"  {kind:<24}{hit} of {len(found)} told after {' '.join(found)}")
    false = [(at, key) for at, key, _ in alerts if key[5:] not in attackers | batches]
    hours = (rows[-1]["ts"] - rows[0]["ts"]) / HOUR
    names = len({row["user"] for row in rows} - attackers - batches)
    print(
        f"  about {names} other users: {len(false)} alerts in {hours:.2f} h, on {len({k for _, k in false})}"
    )


def traces() -> None:
    """Hours of production token counts, without labels: how often drift speaks."""
    with gzip.open(DATA / "azure_llm_2023_code.csv.gz", "rt") as file:
        azure = [(int(row["ContextTokens"]), int(row["GeneratedTokens"])) for row in csv.DictReader(file)]
    with gzip.open(DATA / "mooncake_synthetic.csv.gz", "rt") as file:
        moon = [(int(row["input_length"]), int(row["output_length"])) for row in csv.DictReader(file)]
    print("\ndrift, token counts of recorded traces (unlabelled):")
    for name, tokens in (("azure_llm_2023_code", azure), ("mooncake_synthetic", moon)):
        run = Run(Drift())
        for number, (given, answered) in enumerate(tokens):
            run.one(Event(model="m", arrival=START + number, input_tokens=given, output_tokens=answered))
        print(f"  {name:<24}{len(tokens)} calls, {len(run.alerts)} alerts")
        for at, _, finding in run.alerts:
            print(f"    call {at - START:.0f}: {finding.summary}")


def swaps() -> None:
    """The same prompts answered by another model from the thousandth call on: every pair of eight models."""
    answers: dict[str, list[int]] = defaultdict(list)
    for row in lines("self_instruct_predictions.jsonl.gz"):
        answers[row["meta"]["model"]].append(len(row["text"]) // 4 + 1)  # four characters a token
    level = {model: exp(fsum(map(log1p, tokens)) / len(tokens)) for model, tokens in answers.items()}
    groups: dict[str, list[bool]] = defaultdict(list)
    for old in answers:
        for new in answers:
            ratio = max(level[old], level[new]) / min(level[old], level[new])
            name = "no swap" if old == new else "ratio >= 1.5" if ratio >= 1.5 else "ratio < 1.5"
            groups[name].append(_swap(answers[old], answers[new], Random(f"{old} {new}")))
    print(
        "\ndrift, one model swapped for another behind its name (lengths / 4 as tokens, 1,000 + 1,000 calls):"
    )
    for name, told in sorted(groups.items()):
        print(f"  {name:<24}{sum(told)} of {len(told)} told")


def _swap(old: list[int], new: list[int], random: Random) -> bool:
    run = Run(Drift())
    for number in range(2000):
        tokens = random.choice(old if number < 1000 else new)
        run.one(Event(model="m", arrival=START + number * 60, output_tokens=tokens))
    return bool(run.alerts)


def tools() -> None:
    """AgentDojo: two thirds of the clean runs are learnt, then the rest and the injected runs are seen."""
    runs = list(lines("agentdojo_banking_slack.jsonl.gz"))
    clean = [run for run in runs if run["type"] == "agent_clean"]
    Random(1).shuffle(clean)
    learnt, rest = clean[: len(clean) * 2 // 3], clean[len(clean) * 2 // 3 :]
    injected = [run for run in runs if run["label"] == "attack"]
    watch, clock = Run(FirstSeenTool()), [START]
    for run in learnt:
        _agent(run, watch, clock)
    counted: dict[str, list[bool]] = defaultdict(list)
    for run in [*rest, *injected]:
        counted[run["type"]].append(_agent(run, watch, clock))
    print(
        "\nfirst_seen_tool, AgentDojo banking and slack, one agent a suite, tools of the clean runs learnt:"
    )
    for name, told in counted.items():
        print(f"  {name:<24}{sum(told)} of {len(told)} runs told")


def _agent(run: dict[str, Any], watch: Run, clock: list[float]) -> bool:
    told = False
    suite = str(run["meta"].get("suite", ""))
    for message in run["trace"]:
        for call in message.get("tool_calls") or ():
            clock[0] += 60
            event = Event(kind="tool", agent=suite or "agent", tool_name=call["name"], arrival=clock[0])
            told |= watch.one(event) is not None
    return told


def main() -> None:
    if not DATA.exists():
        print(f"{DATA} is not there: nothing to measure")
        return
    probing()
    traces()
    swaps()
    tools()


if __name__ == "__main__":
    main()
