"""`make test-shippers` fetches the real shippers and demands them; elsewhere these tests are skipped."""

from __future__ import annotations

import gc
import os
import warnings
from pathlib import Path

import pytest
from parts import shippers
from parts.kafka_fixture import kafka

__all__ = ["kafka"]

HERE = Path(__file__).parent
DEMANDED = "TOCSIN_SHIPPERS"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [part.name for part in (shippers.SYSLOGS, shippers.COLLECTOR) if not part.exists()]
    if os.environ.get(DEMANDED):
        return
    reason = f"not fetched: {', '.join(missing)}" if missing else "a target of its own"
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=f"{reason}; make test-shippers"))


def pytest_sessionfinish() -> None:
    """kafka-python leaves sockets open when a broker is lost: they end here, where nobody is told of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
