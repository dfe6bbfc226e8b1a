"""What tests of the Kafka client need besides the broker, and a receiver."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from parts.served import Served, serving


@pytest.fixture(name="served")
def _served(tmp_path: Path) -> Iterator[Served]:
    """A receiver that listens."""
    with serving(tmp_path) as served:
        yield served


@pytest.fixture(autouse=True)
def sockets_of_the_client(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """kafka-python leaves the socket of a failed connection to the garbage collector, which warns."""
    yield
    if not request.path.name.startswith(("test_kafka", "test_exchange")):
        return  # collecting takes half a second a test
    caplog.get_records("call").clear()  # they hold errors, and those the frames with the sockets
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(5):  # what one round frees may hold more
            gc.collect()
