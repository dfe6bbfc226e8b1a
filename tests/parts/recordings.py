"""Recordings of real producers with what really happened, run through the recogniser and the core."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from parts import truth
from parts.truth import Score, Truth

from ingest.recognise import Recogniser
from tocsin.core import PartitionState, Plan, Unpacked, finish, step
from tocsin.model import Event, Partition, Record, Reject
from tocsin.redact import Redaction
from tocsin.settings import ContentSettings
from tocsin.unpack import Unpacker

DATA = Path(__file__).parents[3] / "shared" / "data" / "telemetry"
FORMS = ("json", "protobuf")  # of OTLP through a collector; every other form is named after its file


class Recording(NamedTuple):
    """What one producer sent in one form; `files` are read one after the other."""

    name: str
    form: str
    files: tuple[Path, ...]


class Outcome(NamedTuple):
    """What became of a recording: its records, those that were understood, and the rows."""

    records: int
    recognised: int
    events: Sequence[Event]
    rejects: Sequence[Reject]


class _Verbatim:
    """Finds nothing to redact: what was said is compared letter by letter."""

    def redact(self, text: str) -> str:
        return text

    def suspects(self, text: str) -> bool:
        return False


def names(form: str = "") -> list[str]:
    """Producers, by the name of their truth: all, or those that were recorded in a form."""
    found = sorted(path.name.removesuffix(".truth.json") for path in DATA.glob("*.truth.json"))
    return [name for name in found if not form or any(each.form == form for each in of(name))]


@cache
def truth_of(name: str) -> Truth:
    found: Truth = json.loads((DATA / f"{name}.truth.json").read_text())
    return found


def of(name: str) -> list[Recording]:
    """All forms in which a producer was recorded; traces come before log records."""
    files: dict[str, list[Path]] = {}
    for listed in truth_of(name)["files"].values():
        for file in listed:
            files.setdefault(_form(file), []).append(DATA / file)
    return [
        Recording(name, form, tuple(sorted(paths, key=lambda path: ".logs." in path.name)))
        for form, paths in files.items()
    ]


def all_of() -> list[Recording]:
    return [recording for name in names() for recording in of(name)]


def one(name: str, form: str) -> Recording:
    return next(recording for recording in of(name) if recording.form == form)


def _form(file: str) -> str:
    straight = "sdk " if ".sdk." in file or "-sdkjson" in file else ""
    if ".otlp_proto." in file:
        return f"{straight}protobuf"
    return f"{straight}json" if ".otlp." in file else file.partition(".jsonl")[0]


def records(recording: Recording) -> Iterator[bytes]:
    """The values of the Kafka records."""
    for path in recording.files:
        data = path.read_bytes()
        lines = (gzip.decompress(data) if path.suffix == ".gz" else data).split(b"\n")
        coded = ".b64" in path.name
        yield from (base64.b64decode(line) if coded else line for line in lines if line.strip())


@cache
def run(recording: Recording) -> Outcome:
    """Each record on its own through recogniser, assembly and all; nothing is redacted."""
    plan = Plan(content=ContentSettings(mode="full"))
    state = PartitionState.fresh(plan, "recording", 0)
    state.redaction = Redaction(plan.content, _Verbatim())
    unpack = Unpacker(Recogniser())
    arrival = max(_times(truth_of(recording.name)), default=1.8e9)
    events: list[Event] = []
    rejects: list[Reject] = []
    count = recognised = 0
    for offset, value in enumerate(records(recording)):
        place = Partition("recording", 0)
        items = unpack(Record(place, offset, offset + 1, arrival + offset / 1000, value))
        count += 1
        recognised += not any(isinstance(item, Reject) for item in items)
        batch = step(plan, state, [Unpacked(offset, offset + 1, arrival + offset / 1000, items, len(value))])
        events += batch.events
        rejects += batch.rejects
    events += finish(plan, state).events
    return Outcome(count, recognised, [event for event in events if not event.duplicate], rejects)


def _times(happened: Truth) -> Iterator[float]:
    for each in (*happened["llm_calls"], *happened["tool_executions"]):
        yield each.get("time_unix") or 0.0


@cache
def score(name: str, form: str = "json") -> Score:
    """How much of what happened, as far as it was told, the events tell."""
    recording = one(name, form)
    outcome = run(recording)
    raw = b"\n".join(records(recording)).decode("utf-8", "replace")
    expected = truth.expected(truth_of(name), otlp=form.endswith(FORMS), raw=raw)
    return truth.compare(expected, outcome.events)
