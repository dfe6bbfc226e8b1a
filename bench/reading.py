"""What reading text costs, per core, beside the plain way to do the same.

Texts of 1.2 KB from the documentation of Python, each of them new. The plain way: `re` for the elements of
the same rules, one after another, and scikit-learn's HashingVectorizer with a linear model (where installed).
Prints JSON; microseconds are of CPU, events are texts of 1.2 KB.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pydoc_data.topics import topics
from typing import Any

from bench.peak import peak
from tocsin.history import Digester, History, Seen
from tocsin.model import Event, Message
from tocsin.reading import fingerprints, language, pack
from tocsin.reading.loaded import rules, scorer
from tocsin.reading.redaction import Redactor
from tocsin.reading.step import reader
from tocsin.reading.views import look
from tocsin.settings import ContentSettings, HistorySettings, ReadingSettings
from tocsin.signals import read

SIZE, PLAIN, ROUNDS, BATCH, TURNS = 1200, 5, 3, 256, 20
READING, CONTENT = ReadingSettings(), ContentSettings(key="bench")


def texts() -> list[str]:
    """Consecutive pieces of Python's documentation."""
    told = re.sub(r"\s+", " ", " ".join(topics[name] for name in sorted(topics)))
    return [told[at : at + SIZE] for at in range(0, len(told) - SIZE, SIZE)]


def spent(work: Callable[[], object], count: int) -> float:
    """Microseconds of CPU for each of `count`, the best of some rounds."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        rounds.append((time.process_time() - start) / count * 1e6)
    return min(rounds)


def seen(events: Sequence[Event]) -> list[Seen]:
    past = History(HistorySettings(), Digester(""))
    return [past.read(event, 1.0) for event in events]


def forget() -> None:
    """Lets every text be new again."""
    reader(READING, CONTENT.key).forget()


def whole(events: Sequence[Seen]) -> None:
    """The step over all, in batches."""
    forget()
    for at in range(0, len(events), BATCH):
        read(events[at : at + BATCH], CONTENT, READING)


def one_by_one(events: Sequence[Seen]) -> list[float]:
    """Milliseconds of each event that is read alone."""
    forget()
    took = []
    for event in events:
        start = time.process_time()
        read([event], CONTENT, READING)
        took.append((time.process_time() - start) * 1e3)
    return took


def parts(some: list[str]) -> dict[str, float]:
    """What the parts of the step cost, each for itself."""
    voters = fingerprints.Voters(language.common_words())
    known, model, redactor = rules(READING), scorer(), Redactor()
    small = [text.lower().encode() for text in some]
    looked = list(map(look, some))
    works: dict[str, Callable[[], Any]] = {
        "views": lambda: list(map(look, some)),
        "rules": lambda: known.judged(looked),
        "model": lambda: model.scores(some),
        "findings": lambda: [redactor.find(text) for text in some],
        "fingerprints": lambda: fingerprints.prints(small, voters),
    }
    return {f"{name} us": spent(work, len(some)) for name, work in works.items()}


def plain(some: list[str]) -> float:
    """Microseconds that the plain way takes for a text."""
    ready = pack.shipped()
    elements = {element for each in ready for way in each.sequences for element in way.elements}
    searches = [re.compile(element.encode(), re.DOTALL) for element in sorted(elements)]

    def search() -> None:
        for text in some[:PLAIN]:
            data = text.lower().encode()
            for each in searches:
                each.search(data)

    return spent(search, PLAIN) + _linear(some)


def _linear(some: list[str]) -> float:
    try:
        from sklearn.feature_extraction.text import HashingVectorizer  # type: ignore[import-untyped]
        from sklearn.linear_model import SGDClassifier  # type: ignore[import-untyped]
    except ImportError:
        return 0.0
    vectoriser = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=1 << 19)
    few = some[:100]
    model = SGDClassifier(loss="log_loss").fit(vectoriser.transform(few), [n % 2 for n in range(len(few))])
    return spent(lambda: model.predict_proba(vectoriser.transform(few)), len(few))


def conversations(some: list[str]) -> dict[str, float]:
    """Calls that carry their whole conversation, and the same where nothing is known of what came before."""
    turns = [Message("user" if n % 2 == 0 else "assistant", text) for n, text in enumerate(some)]
    calls = [
        Event(session=str(at), input=tuple(turns[at : at + size]))
        for at in range(0, len(turns) - TURNS, TURNS)
        for size in range(1, TURNS + 1)
    ]
    told = seen(calls)
    strange = [Seen(one.event, tuple(range(len(one.event.input))), (), one.digests) for one in told]

    def each_alone() -> None:
        for one in strange:
            forget()
            read([one], CONTENT, READING)

    known, unknown = spent(lambda: whole(told), len(told)), spent(each_alone, len(strange))
    return {"call of a conversation us": known, "times all of it": unknown / known}


def main() -> None:
    # Another process compiles and keeps what is not kept, so that this one starts as all but the first do.
    load = "from bench.reading import *; reader(READING, CONTENT.key)"
    subprocess.run([sys.executable, "-c", load], check=True)
    start = time.process_time()
    reader(READING, CONTENT.key)
    figures = {"start-up s": time.process_time() - start, "rules": float(len(rules(READING).all))}
    some = texts()
    events = seen([Event(input=(Message("user", text),)) for text in some])
    whole(events)
    figures["step us"] = spent(lambda: whole(events), len(events))
    figures["events/s per core"] = 1e6 / figures["step us"]
    figures["memory MB"] = peak()
    figures |= parts(some)
    figures["plain us"] = plain(some)
    figures["times plain"] = figures["plain us"] / figures["step us"]
    figures["one event p99 ms"] = statistics.quantiles(one_by_one(events), n=100)[98]
    figures |= conversations(some[:200])
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
