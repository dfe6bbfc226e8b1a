"""What detectors get to see of texts and of their sketches, side by side; prints JSON.

Wants files of labelled JSON lines (`{"text": ..., "label": ...}`, gzip or plain); of each, some records that
lie evenly in it are read.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tocsin.history import Seen
from tocsin.model import Event, Message, TextSignal
from tocsin.reading.sketch import sketches
from tocsin.settings import ContentSettings, ReadingSettings
from tocsin.signals import read

EACH = 150  # records of a file
FLAGGED = 0.5
KEY = "bench"
CONTENT, READING = ContentSettings(key=KEY), ReadingSettings()


def records(path: Path) -> list[tuple[str, bool]]:
    """Texts, and whether each is an attack."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        told = list(_texts(json.loads(line) for line in file))
    step = max(1, len(told) // EACH)
    return told[::step][:EACH]


def _texts(lines: Iterator[dict[str, object]]) -> Iterator[tuple[str, bool]]:
    for line in lines:
        if isinstance(line.get("text"), str) and line["text"]:
            yield str(line["text"]), line.get("label") == "attack"


def signals(texts: Sequence[str]) -> list[TextSignal]:
    """What the reading step says of each, as a user's message of its own."""
    seen = [Seen(Event(input=(Message("user", text),)), (0,)) for text in texts]
    return [one.texts[0] for one in read(seen, CONTENT, READING)]


def main() -> None:
    told = [record for path in sys.argv[1:] for record in records(Path(path))]
    texts = [text for text, _ in told]
    sent = sketches(texts, key=KEY)
    start = time.process_time()
    other = signals(sent)
    between = time.process_time()
    plain = signals(texts)
    end = time.process_time()
    flagged = [(one.score >= FLAGGED, two.score >= FLAGGED) for one, two in zip(plain, other, strict=True)]
    attacks = [pair for pair, (_, attack) in zip(flagged, told, strict=True) if attack]
    benign = [pair for pair, (_, attack) in zip(flagged, told, strict=True) if not attack]
    sizes = sorted(map(len, sent))
    figures = {
        "texts": len(texts),
        "signals that are equal": sum(one == two for one, two in zip(plain, other, strict=True)),
        "attacks": len(attacks),
        "attacks flagged as text": sum(one for one, _ in attacks),
        "attacks flagged as sketch": sum(two for _, two in attacks),
        "others flagged as text": sum(one for one, _ in benign),
        "others flagged as sketch": sum(two for _, two in benign),
        "characters of a sketch, median": sizes[len(sizes) // 2],
        "characters of a sketch, most": sizes[-1],
        "us to read a sketch": round((between - start) / len(sent) * 1e6),
        "us to read a text": round((end - between) / len(sent) * 1e6),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
