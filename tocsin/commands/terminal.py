"""What commands write for people: lines that no event can turn into commands to a terminal."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TextIO, TypeVar

from tocsin.logs import visible

T = TypeVar("T")

_WIDTH = 10_000  # characters of one line; more is cut
_REDRAW_SECONDS = 0.2


def say(line: str = "") -> None:
    """A line on standard output."""
    sys.stdout.write(visible(line, _WIDTH) + "\n")


def warn(line: str) -> None:
    """A line on standard error."""
    sys.stderr.write(visible(line, _WIDTH) + "\n")


def columns(rows: Sequence[Sequence[str]]) -> None:
    """Rows in columns as wide as their widest cell, the last one ragged."""
    widths = [max(len(visible(row[at])) for row in rows) for at in range(len(rows[0]) - 1)] if rows else []
    for row in rows:
        cells = [visible(cell).ljust(width) for cell, width in zip(row, widths, strict=False)]
        say("  ".join([*cells, row[-1]]).rstrip())


def moment(time: float) -> str:
    """A point in time in UTC, to the second."""
    return datetime.fromtimestamp(min(max(time, 0.0), 2**32 - 1), UTC).strftime("%Y-%m-%d %H:%M:%S")


def configured(parser: argparse.ArgumentParser) -> None:
    """The option that names the configuration."""
    parser.add_argument("-c", "--config", default="tocsin.toml", metavar="FILE", help="default: tocsin.toml")


class Progress:
    """One line that is drawn over again, on a terminal; nothing anywhere else."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._next = 0.0
        self._drawn = False

    def show(self, text: str) -> None:
        """Draw the line, at most five times a second."""
        now = time.monotonic()
        if self._live and now >= self._next:
            self._next = now + _REDRAW_SECONDS
            self._drawn = True
            self._stream.write(f"\r\x1b[2K{visible(text)}")
            self._stream.flush()

    def tell(self, words: Callable[[T], str]) -> Callable[[T], None] | None:
        """What shows a state in words; None where nobody would see it."""
        return (lambda state: self.show(words(state))) if self._live else None

    def clear(self) -> None:
        """Take the line away, so that other lines can follow."""
        if self._drawn:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
            self._drawn = False
