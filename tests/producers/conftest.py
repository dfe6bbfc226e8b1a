"""`make test-producers` fetches the real producers and demands them; elsewhere these tests are skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from parts import producers
from parts.kafka_fixture import kafka

__all__ = ["kafka"]

HERE = Path(__file__).parent
DEMANDED = "TOCSIN_PRODUCERS"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get(DEMANDED):
        return
    missing = not (producers.VENV / ".installed").exists()
    reason = "not fetched" if missing else "a target of its own"
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=f"{reason}; make test-producers"))
