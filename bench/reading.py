"""What reading text costs, per core, beside the plain way to do the same.

Texts of 1.2 KB made of the words of this project's documentation. The plain way: `re` for the same elements,
one after another, and scikit-learn's HashingVectorizer (where installed). Prints JSON.
"""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from tocsin.reading import pack
from tocsin.reading.rules import Rules
from tocsin.reading.views import look

SIZE, TEXTS, PLAIN, ROUNDS = 1200, 400, 10, 3


def texts() -> list[str]:
    """Consecutive pieces of the documentation, over and over with a number so that none is cached."""
    told = "\n".join(path.read_text() for path in sorted((Path(__file__).parents[1] / "docs").rglob("*.md")))
    pieces = [told[at : at + SIZE - 8] for at in range(0, len(told) - SIZE, SIZE)]
    return [f"{number:07d} {pieces[number % len(pieces)]}" for number in range(TEXTS)]


def spent(work: Callable[[str], object], some: list[str]) -> float:
    """Microseconds of CPU a text, the best of some rounds."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for text in some:
            work(text)
        rounds.append((time.process_time() - start) / len(some) * 1e6)
    return min(rounds)


def main() -> None:
    start = time.process_time()
    ready = pack.shipped()
    rules = Rules(ready)
    figures = {"start-up s": time.process_time() - start, "rules": float(len(ready))}
    some = texts()
    figures["views us"] = spent(look, some)

    def read(text: str) -> object:
        views = look(text).views
        return rules.match(views, "user")

    figures["views and rules us"] = spent(read, some)
    elements = {element for each in ready for sequence in each.sequences for element in sequence.elements}
    plain = [re.compile(element.encode(), re.DOTALL) for element in sorted(elements)]

    def each_alone(text: str) -> object:
        data = text.lower().encode()
        return [one.search(data) for one in plain]

    figures["re us"] = spent(each_alone, some[:PLAIN])
    single = []
    for text in some:
        start = time.perf_counter()
        read(text)
        single.append((time.perf_counter() - start) * 1e3)
    figures["one event p99 ms"] = statistics.quantiles(single, n=100)[98]
    figures["events/s per core"] = 1e6 / figures["views and rules us"]
    figures["times re"] = figures["re us"] / figures["views and rules us"]
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
