"""The broker that the tests of this folder share with the rest."""

from parts.kafka_fixture import kafka

__all__ = ["kafka"]
