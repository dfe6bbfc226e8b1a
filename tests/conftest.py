"""What holds for every test: one broker, no real part missing in CI, how many examples properties get."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings
from parts.kafka_fixture import kafka

__all__ = ["kafka"]

REAL_PARTS = ("kafka", "clickhouse", "end_to_end")
LONGEST = (  # begun first, so that no worker is alone with one of them at the end
    "test_agent_runs.py",
    "test_conformance.py",
    "test_exchange.py",
    "test_demo.py",
    "test_privacy.py",
    "test_fuzz.py",
    "test_clickhouse_crash.py",
    "test_clickhouse_server.py",
    "test_kafka.py",
    "test_interleaving.py",
    "test_worker.py",
    "test_cli.py",
    "test_exchange_membership.py",
    "test_learning.py",
    "test_clickhouse_schema.py",
    "test_kafka_store.py",
    "test_literals.py",
    "test_plugin.py",
    "test_traffic.py",
    "test_panels.py",
)

settings.register_profile("default", deadline=None, derandomize=True, print_blob=True)
settings.register_profile(
    "fuzz", deadline=None, max_examples=20_000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A command under test sends the logs of the whole process to a stream that ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first; xdist hands files out in this order."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI every real part is there: a test that skips for want of one has failed."""
    report = yield
    needs = [name for name in REAL_PARTS if item.get_closest_marker(name)]
    if os.environ.get("CI") == "true" and report.skipped and needs and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI, where {', '.join(needs)} must be present"
    return report
