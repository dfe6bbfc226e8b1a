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
    from tocsin.reading.scorer import ModelError, Scorer
    from tocsin.reading.training import evaluation
    from tocsin.reading.training.samples import Unreadable, distinct, load

    try:
        samples = distinct(load(options.folders))
        if options.leave_out:
            judged, scores = evaluation.left_out(samples, options.seed, warn)
        else:
            model = Path(options.model) if options.model else None
            judged, scores = samples, evaluation.scored(Scorer.load(model), samples)
    except (Unreadable, ModelError) as error:
        warn(str(error))
        return CONFIG
    told = evaluation.report(judged, scores)
    say(evaluation.markdown(told))
    if options.curve:
        Path(options.curve).write_text(evaluation.picture(told.curve))
    return OK
