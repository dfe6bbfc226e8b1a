"""Learn a model of attack texts from labelled JSON lines and from the grammar of attacks.

The same folders and seed give the same file, byte by byte. Needs the extra `train` (scikit-learn).
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from tocsin.commands.terminal import say, warn
from tocsin.exits import CONFIG, OK


def arguments(parser: argparse.ArgumentParser) -> None:
    """From where, to where."""
    parser.add_argument(
        "folders", nargs="+", metavar="FOLDER", help="with *.jsonl or *.jsonl.gz, or such files"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the model")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the grammar and of what is left aside; default 1"
    )
    parser.add_argument("--note", default="", help="where the data comes from, kept in the model")


def run(options: argparse.Namespace) -> int:
    """CONFIG where scikit-learn or a folder is missing."""
    if find_spec("sklearn") is None:
        warn("training needs scikit-learn: pip install 'tocsin[train]'")
        return CONFIG
    from tocsin.reading.rules import Rules
    from tocsin.reading.training import learning
    from tocsin.reading.training.samples import Unreadable, load

    try:
        samples = load(options.folders)
    except Unreadable as error:
        warn(str(error))
        return CONFIG
    sources = sorted({sample.source for sample in samples})
    model = learning.train(samples, Rules.load(), options.seed, {"sources": sources, "note": options.note})
    packed = model.pack()
    Path(options.output).write_bytes(packed)
    say(f"{options.output}: {len(packed):,} bytes from {len(samples):,} samples of {len(sources)} sources")
    say(f"sha256 of the weights: {model.digest()}")
    return OK
