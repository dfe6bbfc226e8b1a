"""Judge labelled texts by a model, or by models that never saw their source, and tell how well that went.

Recall, false positives, calibration and the curve; every text is read in all its views, as in the pipeline.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from tocsin.commands.terminal import say, warn
from tocsin.exits import CONFIG, OK


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to judge, by what."""
    parser.add_argument(
        "folders", nargs="+", metavar="FOLDER", help="with *.jsonl or *.jsonl.gz, or such files"
    )
    parser.add_argument("-m", "--model", metavar="FILE", help="default: the one that ships")
    parser.add_argument(
        "--leave-out", action="store_true", help="train anew without each source; needs the extra `train`"
    )
    parser.add_argument("--seed", type=int, default=1, help="of that training; default 1")
    parser.add_argument("--curve", metavar="FILE", help="recall over false positives, as SVG")


def run(options: argparse.Namespace) -> int:
    """CONFIG where a model, a folder or scikit-learn is missing."""
    if options.leave_out and find_spec("sklearn") is None:
        warn("leaving out needs scikit-learn: pip install 'tocsin[train]'")
        return CONFIG
    from tocsin.reading.rules import Rules
    from tocsin.reading.scorer import ModelError, Scorer
    from tocsin.reading.training import evaluation, traces
    from tocsin.reading.training.samples import Unreadable, distinct, files, load

    try:
        samples = distinct(load(options.folders))
        rules, replayed = Rules.load(), []
        if options.leave_out:
            parts = []
            for part in evaluation.left_out(samples, rules, options.seed):
                parts.append(part)
                warn(f"left out: {', '.join(sorted({sample.source for sample in part.samples}))}")
            judged, scores = evaluation.joined(parts)
            replayed = list(evaluation.replayed(parts, rules, files(options.folders)))
        else:
            model = Path(options.model) if options.model else None
            readings = evaluation.read(samples, rules)
            judged, scores = samples, evaluation.scored(Scorer.load(model), samples, readings)
    except (Unreadable, ModelError) as error:
        warn(str(error))
        return CONFIG
    told = evaluation.report(judged, scores)
    for text in (evaluation.markdown(told), *map(traces.markdown, replayed)):
        for line in text.splitlines():
            say(line)
        say("")
    if options.curve:
        Path(options.curve).write_text(evaluation.picture(told.curve))
    return OK
