"""Coverage-guided fuzzing of recogniser, formats, unpacking and redaction: `make fuzz-atheris`.

Half of the inputs are mutated as JSON by structure, the others by libFuzzer.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

atheris: Any = import_module("atheris")  # only on Linux, and without types

with atheris.instrument_imports(include=["ingest", "tocsin"]):
    from parts import mutation
    from parts.judged import judge, judge_forced, recogniser

FORCED = 16  # one of so many inputs is forced upon every format


def one(data: bytes) -> None:
    judge(data)
    if len(data) % FORCED == 0:
        judge_forced(data)


def mutate(data: bytes, room: int, seed: int) -> bytes:
    chance = Random(seed)
    if chance.random() < 0.5:
        document = mutation.parsed(data)
        made = mutation.mutated(document, chance) if document else mutation.damaged(data, chance)
        if len(made) <= room:
            return made
    found: bytes = atheris.Mutate(data, room)
    return found


def main() -> None:
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, record in enumerate(mutation.corpus()):
        (corpus / f"golden-{number:04}").write_bytes(record)
    for name in ("native", "otlp", "otlp_proto"):
        recogniser(name)
    judge(b"{}")
    atheris.Setup(sys.argv, one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
