"""Lines of standard input, in batches."""

from __future__ import annotations

import sys
from collections.abc import Iterator

BATCH = 64  # lines
LONGEST = 8 << 20  # bytes of a line


def batches() -> Iterator[list[bytes]]:
    """Lines that are worked on together, without blank ones; where somebody types them each by itself."""
    batch: list[bytes] = []
    live = sys.stdin.isatty()
    while line := sys.stdin.buffer.readline(LONGEST):
        if line.strip():
            batch.append(line)
        if batch and (live or len(batch) == BATCH or len(line) > 1 << 20):
            yield batch
            batch = []
    if batch:
        yield batch
