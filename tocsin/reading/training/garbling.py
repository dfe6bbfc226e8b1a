"""Makes the table of `tocsin.reading.garble` from suffixes of our own making, ordinary and rough text.

`python -m tocsin.reading.training.garbling FOLDER... --wheel FILE -o FILE`: labelled JSON lines, of which the
benign ones are learnt, and a wheel of Django, for its translations into some ninety languages and its code.
The limits are those at which of the sources that were left out, four folds, few texts are told.
"""

from __future__ import annotations

import argparse
import ast
import re
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from tocsin.commands.terminal import say
from tocsin.reading import garble
from tocsin.reading.compiled import compiled
from tocsin.reading.garble import BEFORE, BITS, RUNS, WINDOW, Bytes, Table
from tocsin.reading.training import grammar
from tocsin.reading.training.rough import rough, suffix, vocabulary
from tocsin.reading.training.samples import Sample, distinct, load

SUSPECTED, SURE = 0.004, 0.0005  # of what is not data in sources that were left out, and
OF_A_SOURCE, LEAST = 0.003, 1000  # of any of them that is sure, where it has so many texts
SUFFIXES, ROUGH = 60_000, 70_000
READ, PART = 6000, 1500  # characters of a text, and of a part of a file
FOLDS, ROUNDS, STRIDE = 4, 5, 24
UNIT = 16  # of a weight's integers
_RATE, _DECAY, _SCALE = 0.1, 1e-6, 8.0
_MESSAGE = re.compile(r'^msgstr(?:\[\d\])? ((?:"(?:[^"\\]|\\.)*"\n?)+)', re.MULTILINE)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')

Floats = NDArray[np.float64]


def library() -> Iterator[str]:
    """Parts of Python's standard library."""
    folder, random = Path(sysconfig.get_path("stdlib")), Random("library")
    apart = {"site-packages", "test", "tests", "lib2to3", "encodings", "__pycache__"}
    for path in sorted(folder.rglob("*.py")):
        if apart.isdisjoint(path.relative_to(folder).parts):
            yield from _some(random, path.read_text("utf-8", "replace"))


def _some(random: Random, text: str) -> Iterator[str]:
    """A third of its parts."""
    for at in range(0, len(text), PART):
        if random.random() < 0.35:
            yield text[at : at + PART]


def django(wheel: Path) -> Iterator[str]:
    """Translations, some messages at a time, and parts of its code, pages and styles."""
    random, messages = Random("django"), dict[str, list[str]]()
    with ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".po"):
                language = name.split("locale/")[1].split("/")[0]
                text = archive.read(name).decode()
                messages.setdefault(language, []).extend(_messages(text))
            elif name.endswith((".js", ".html", ".css", ".txt", ".py")):
                text = archive.read(name).decode("utf-8", "replace")[:40_000]
                yield from _some(random, text)
    for lines in messages.values():
        random.shuffle(lines)
        while lines:
            many = random.randint(1, 8)
            yield random.choice(("\n", " ", ". ")).join(lines[:many])
            del lines[:many]


def _messages(text: str) -> Iterator[str]:
    for found in _MESSAGE.finditer(text):
        message = "".join(ast.literal_eval(each) for each in _QUOTED.findall(found[1]))
        if message and "Project-Id" not in message:
            yield message


class Texts(NamedTuple):
    """What is learnt from."""

    benign: Mapping[str, Sequence[Sample]]  # by source
    own: Sequence[str]  # ordinary and rough, of no source
    suffixes: Sequence[str]


def texts(folders: Sequence[str], wheel: Path, seed: int) -> Texts:
    """All that is learnt from, the same for the same folders, seed and release of Python."""
    benign: dict[str, list[Sample]] = {}
    for sample in distinct(load(folders)):
        if not sample.attack and not sample.hidden:
            benign.setdefault(sample.source, []).append(sample)
    made = [sample.text for sample in grammar.samples(seed) if not _like_suffixes(sample)]
    own = [*made, *library(), *django(wheel)]
    known = vocabulary([*own, *(sample.text for each in benign.values() for sample in each)])
    random = Random(seed)
    suffixes = [suffix(random, known) for _ in range(SUFFIXES)]
    return Texts(benign, [*own, *rough(random, known, ROUGH)], suffixes)


def _like_suffixes(sample: Sample) -> bool:
    return sample.attack and sample.type == "noise"


def learnt(ordinary: Sequence[str], suffixes: Sequence[str], seed: int) -> NDArray[np.int8]:
    """The weights: logistic regression on windows by stochastic gradients of their own rates (AdaGrad, Duchi
    et al., 2011)."""
    raw, windows, of = _windows([*ordinary, *suffixes])
    suffixed = of >= len(ordinary)
    weights, squares, bias = np.zeros(1 << BITS), np.full(1 << BITS, 1e-6), np.array([-1.0])
    random, found = np.random.default_rng(seed), garble.runs(raw)
    for number in range(ROUNDS):
        order = random.permutation(len(windows))
        _round(found, windows[order], suffixed[order], (weights, squares, bias), _RATE / (1 + number))
    return np.clip(np.rint(weights * UNIT), -127, 127).astype(np.int8)


def _windows(given: Sequence[str]) -> tuple[Bytes, NDArray[np.int64], NDArray[np.int64]]:
    """Texts in one buffer, begin and end of each window there, and the number of its text."""
    parts = [b"\n" * BEFORE + text[:READ].encode("utf-8", "replace") for text in given]
    windows, of, at = list[tuple[int, int]](), list[int](), 0
    for number, part in enumerate(parts):
        first, last = at + BEFORE, at + len(part)
        starts = [*range(first, max(first + 1, last - WINDOW + 1), STRIDE)]
        if last - WINDOW > starts[-1]:
            starts.append(last - WINDOW)
        windows += [(start, min(start + WINDOW, last)) for start in starts]
        of += [number] * len(starts)
        at = last
    return np.frombuffer(b"".join(parts), np.uint8), np.array(windows, np.int64), np.array(of, np.int64)


@compiled
def _round(
    found: NDArray[np.int32],
    windows: NDArray[np.int64],
    suffixed: NDArray[np.bool_],
    state: tuple[Floats, Floats, Floats],
    rate: float,
) -> None:
    """One look at each window; the state: weights, sums of squares, bias."""
    weights, squares, bias = state
    for number in range(len(windows)):
        begin, end = windows[number]
        size = max(end - begin, 1)
        total = 0.0
        for at in range(begin, end):
            for each in range(RUNS):
                total += weights[found[at, each]]
        odds = total / size * _SCALE + bias[0]
        error = 1 / (1 + np.exp(-odds)) - (1.0 if suffixed[number] else 0.0)
        bias[0] -= rate / 20 * error
        if abs(error) < 1e-3:
            continue
        for at in range(begin, end):
            for each in range(RUNS):
                run = found[at, each]
                slope = error * _SCALE / size + _DECAY * weights[run]
                squares[run] += slope * slope
                weights[run] -= rate * slope / np.sqrt(squares[run])


def left_out(all_: Texts, seed: int) -> dict[str, NDArray[np.int64]]:
    """By source the sums of what is not data in it, by weights that never saw it."""
    names, sums = sorted(all_.benign), dict[str, NDArray[np.int64]]()
    for fold in range(FOLDS):
        held = names[fold::FOLDS]
        known = [sample.text for name in names if name not in held for sample in all_.benign[name]]
        weights = learnt([*known, *all_.own], all_.suffixes, seed)
        for name in held:
            said = [sample.text for sample in all_.benign[name] if not sample.data]
            sums[name] = garble.sums_of(said, weights)[0]
    return sums


def limits(sums: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """The sums from which on a tail is suspected, and sure, by those of sources that were left out."""
    pooled = np.concatenate(list(sums.values()))
    large = [_above(each, OF_A_SOURCE) for each in sums.values() if len(each) >= LEAST]
    return np.array([_above(pooled, SUSPECTED), max(_above(pooled, SURE), *large)], np.int64)


def _above(sums: NDArray[np.int64], share: float) -> int:
    """The least limit that no more than this share reaches."""
    return int(np.sort(sums)[-1 - int(share * len(sums))]) + 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the table, and says what of each source is told by one that never saw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=garble.TABLE)
    options = parser.parse_args(arguments)
    all_ = texts(options.folders, options.wheel, options.seed)
    sums = left_out(all_, options.seed)
    suspected, sure = limits(sums)
    say("| source | texts | suspected | sure |")
    say("|---|---|---|---|")
    for name, of_source in sorted(sums.items()):
        shares = ((of_source >= limit).mean() if len(of_source) else 0.0 for limit in (suspected, sure))
        say(f"| {name} | {len(of_source):,} | {' | '.join(f'{share:.2%}' for share in shares)} |")
    ordinary = [sample.text for each in all_.benign.values() for sample in each]
    weights = learnt([*ordinary, *all_.own], all_.suffixes, options.seed)
    write(Table(weights, np.array([suspected, sure])), options.output)


def write(table: Table, path: Path) -> None:
    """The table as a file."""
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **table._asdict())


if __name__ == "__main__":
    main()
