"""The real parts that the whole pipeline runs on."""

from __future__ import annotations

from parts.kafka_fixture import kafka

__all__ = ["kafka"]
