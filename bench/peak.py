"""The most memory that this process has held."""

from __future__ import annotations

import re
from pathlib import Path


def peak() -> float:
    """MB of resident memory at most, as Linux counts it since the program began.

    `ru_maxrss` is no such figure: a child takes over what its parent held when it was started.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found, "Linux tells the peak of resident memory"
    return int(found[1]) / 1024
