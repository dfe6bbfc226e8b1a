"""The floor stands where a worker stands."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.floor import Floor
from tocsin.worker import Worker


def test_the_floor_can_do_what_a_pipeline_asks_of_a_worker() -> None:
    public = {name for name in vars(Worker) if not name.startswith("_")}
    assert public <= set(vars(Floor))
