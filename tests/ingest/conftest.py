"""The real Kafka for the tests of sources, exchange and checkpoint store."""

from parts.kafka_fixture import kafka

__all__ = ["kafka"]
