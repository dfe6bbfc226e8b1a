"""Run the pipeline that the configuration describes, until it is stopped or its input has ended.

SIGTERM or SIGINT: the last rows, a checkpoint, and the end within 10 seconds. A second one: the end at
once. Either way a restart goes on where this run stood, and stores nothing twice. SIGHUP: source
partitions that were paused because almost nothing of them could be decoded are read on.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from tocsin import config, logs, pipeline
from tocsin.commands.terminal import Progress, configured
from tocsin.exits import INTERRUPTED, OK

log = logs.Log("run")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which file, and which part."""
    configured(parser)
    parser.add_argument(
        "--part",
        choices=("both", "ingest", "detect"),
        default="both",
        help="with an exchange: only fill it, or only work on what it holds; default: both",
    )


def run(options: argparse.Namespace) -> int:
    """Run it."""
    settings = config.load(options.config)
    logs.setup(settings.operations.log_format, settings.operations.log_level)
    for warning in settings.warnings:
        log.warning(warning)
    progress = Progress()
    with stopping() as stop:
        built = pipeline.build(settings, options.part)
        log.info("starts", part=options.part, config=options.config, plan=settings.plan.config_hash)
        try:
            with resuming(built.resume):
                built.run(stop, progress.tell(str))
        finally:
            progress.clear()
    log.info("ended", **built.passed._asdict())
    return OK


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; the second of them ends the process."""
    stop = threading.Event()
    heard: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if heard:
            os._exit(INTERRUPTED)
        heard.append(number)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def resuming(resume: Callable[[], None]) -> Iterator[None]:
    """SIGHUP is the operator's word that what the limiter paused is in order again."""
    before = signal.signal(signal.SIGHUP, lambda number, frame: resume())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
