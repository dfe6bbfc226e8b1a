"""The broker that all tests of a session share; import `kafka` into a conftest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from parts.kafka_server import KafkaServer, kafka_or_skip


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A running Apache Kafka. Tests use topic and group names of their own and leave it running."""
    yield from kafka_or_skip(tmp_path_factory.mktemp("kafka"))
