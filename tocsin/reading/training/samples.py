"""Labelled texts: JSON lines from folders the user names, as samples to learn from or to judge by."""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tocsin.model import Role
from tocsin.reading.scorer import DATA

NOT_TEXT = frozenset({"stream_probing_dev"})  # composed of the texts of others
ASIDE = frozenset({"jailbreak_semantic", "agent_abuse_code_interpreter", "code_payload"})
"""Types that are judged, but neither learnt from nor counted: harmful in intent, not in form."""
HIDDEN = "encoded_"  # types that begin so are read through views: their raw form is nothing to learn from
_DOCUMENT = "document"  # types with this word were retrieved
_ROLES: Mapping[str, Role] = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "retrieved": "retrieved",
}
OWN = "tocsin"  # the source of what the grammar makes


class Sample(NamedTuple):
    """One labelled text; `attack` says whether it is one, `cluster` names its near duplicates."""

    id: str
    text: str
    attack: bool
    source: str
    type: str
    language: str = "en"
    role: str = "user"
    cluster: str = ""

    @property
    def aside(self) -> bool:
        return self.type in ASIDE

    @property
    def hidden(self) -> bool:
        return self.type.startswith(HIDDEN)

    @property
    def place(self) -> Role | None:
        """The role as the core knows it, where it does."""
        return _ROLES.get(self.role)

    @property
    def data(self) -> bool:
        return self.place in DATA


class Unreadable(Exception):
    """A file of samples is missing, broken or of another shape."""


def load(folders: Sequence[str | Path]) -> list[Sample]:
    """The samples of all `*.jsonl` and `*.jsonl.gz` in folders, or of files, in the order of their names."""
    return [sample for path in files(folders) for sample in read(path)]


def files(folders: Sequence[str | Path]) -> list[Path]:
    found: list[Path] = []
    for folder in map(Path, folders):
        if not folder.exists():
            raise Unreadable(f"{folder}: no such file or folder")
        found += [folder] if folder.is_file() else [*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")]
    return sorted(path for path in found if path.name.split(".")[0] not in NOT_TEXT)


def read(path: Path) -> Iterator[Sample]:
    """The samples of one file: a record with a text is one, a trace is one for each of its messages."""
    for number, record in enumerate(records(path), 1):
        yield from _samples(record, f"{path.name.split('.')[0]}", number)


def records(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of one file. Raises Unreadable."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield msgspec.json.decode(line, type=dict[str, Any])
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise Unreadable(f"{path}:{number}: {error}") from error


def _samples(record: Mapping[str, Any], file: str, number: int) -> Iterator[Sample]:
    label = str(record.get("label") or "")
    if label not in ("attack", "benign", "pii", "secret"):
        return
    one = Sample(
        id=str(record.get("id") or f"{file}-{number}"),
        text=str(record.get("text") or ""),
        attack=label == "attack",
        source=str(record.get("source") or file),
        type=str(record.get("type") or label),
        language=str(record.get("lang") or "en"),
        role=str(record.get("role") or ("retrieved" if _DOCUMENT in str(record.get("type")) else "user")),
        cluster=str(record.get("dup_cluster", "")) or f"{file}-{number}",
    )
    if one.text:
        yield one
        return
    for at, message in enumerate(record.get("messages") or record.get("trace") or ()):
        yield from _message(one, at, message)


def _message(one: Sample, at: int, message: Mapping[str, Any]) -> Iterator[Sample]:
    """In a trace an attack is what carries the payload; everything else is benign."""
    text, role = message.get("content"), str(message.get("role") or "user")
    if not isinstance(text, str) or not text.strip():
        return
    injected = bool(message.get("injected"))
    kind = "tool_result_injected" if injected else f"{role}_message"
    yield one._replace(id=f"{one.id}#{at}", text=text, attack=injected, type=kind, role=role)


def distinct(samples: Iterable[Sample]) -> list[Sample]:
    """Each text once, as its first sample."""
    seen: dict[tuple[str, bool], Sample] = {}
    for sample in samples:
        seen.setdefault((sample.text, sample.attack), sample)
    return list(seen.values())


def components(samples: Sequence[Sample]) -> dict[str, str]:
    """Sources that share clusters are of one component; each source with its component's name."""
    parent = {sample.source: sample.source for sample in samples}

    def root(source: str) -> str:
        while parent[source] != source:
            source = parent[source]
        return source

    met: dict[str, str] = {}
    for sample in samples:
        first, second = sorted((root(met.setdefault(sample.cluster, sample.source)), root(sample.source)))
        parent[second] = first
    return {source: root(source) for source in sorted(parent)}


def weights(samples: Sequence[Sample]) -> list[float]:
    """One cluster of one source weighs one, however many it has."""
    sizes = Counter((sample.source, sample.attack, sample.cluster) for sample in samples)
    return [1 / sizes[sample.source, sample.attack, sample.cluster] for sample in samples]


def balanced(samples: Sequence[Sample]) -> list[float]:
    """Weights to learn with: a source counts by the root of its clusters, attacks as much as benign text."""
    plain = weights(samples)
    groups = [(sample.source, sample.type, sample.attack) for sample in samples]
    total: dict[tuple[str, str, bool], float] = defaultdict(float)
    for group, weight in zip(groups, plain, strict=True):
        total[group] += weight
    sides = {
        side: sum(size**0.5 for group, size in total.items() if group[2] is side) for side in (True, False)
    }
    return [
        weight / total[group] ** 0.5 / sides[group[2]] * len(samples) / 2
        for group, weight in zip(groups, plain, strict=True)
    ]
