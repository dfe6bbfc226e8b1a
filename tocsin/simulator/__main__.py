"""`python -m tocsin.simulator`: simulated traffic into a file or to standard output, its truth beside it."""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec

from tocsin.simulator.encoding import OtlpBatches, native
from tocsin.simulator.traffic import START, Simulator


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the traffic; returns the exit code."""
    options = parser().parse_args(arguments)
    simulator = Simulator(
        seed=options.seed,
        start=options.start,
        duration_seconds=options.minutes * 60.0,
        rate=options.rate,
        content=options.content,
        incidents=options.incidents,
    )
    if options.truth:
        options.truth.write_bytes(msgspec.json.format(msgspec.json.encode(simulator.truth), indent=1) + b"\n")
    with _opened(options.output) as output:
        for line in records(simulator, options.format):
            output.write(line + b"\n")
    return 0


def records(simulator: Simulator, form: str) -> Iterator[bytes]:
    """The traffic as values of Kafka records: an event each (native) or a batch each (otlp)."""
    if form == "otlp":
        return OtlpBatches().of(simulator.events())
    return map(native, simulator.events())


def parser() -> argparse.ArgumentParser:
    """The options that say what is simulated, shared by everyone who sends it somewhere."""
    parser = argparse.ArgumentParser(prog="python -m tocsin.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--start", type=_time, default=START, help="ISO time; default 2026-11-04T08:00:00Z")
    parser.add_argument("--minutes", type=float, default=30.0, help="length in simulated time")
    parser.add_argument("--rate", type=float, default=100.0, help="mean events per simulated second")
    parser.add_argument("--format", choices=("native", "otlp"), default="native")
    parser.add_argument("--no-content", dest="content", action="store_false", help="leave out what was said")
    parser.add_argument("--no-incidents", dest="incidents", action="store_false", help="an uneventful day")
    parser.add_argument("--truth", type=Path, help="where the list of incidents goes, as JSON")
    parser.add_argument(
        "-o", "--output", type=Path, help="file, compressed if it ends in .gz; default: output"
    )
    return parser


def _time(text: str) -> float:
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        yield sys.stdout.buffer
    elif path.suffix == ".gz":
        with gzip.GzipFile(path, "wb", compresslevel=4, mtime=0) as output:
            yield output  # type: ignore[misc]
    else:
        with path.open("wb") as output:
            yield output


if __name__ == "__main__":
    sys.exit(main())
