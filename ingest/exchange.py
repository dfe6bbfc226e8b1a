"""The exchange: a Kafka topic keyed by group, filled exactly once, read as the log.

source topics ──► IngestPart ──► exchange topic ──► ExchangeSource ──► detect part
"""

from __future__ import annotations

from ingest.exchange_carry import carry_on
from ingest.exchange_forward import Surroundings, Unpack
from ingest.exchange_ingest import IngestPart
from ingest.exchange_reader import ExchangeReader, ExchangeSource, detect_source
from ingest.exchange_topic import Exchange, ExchangeSettings, Ledger, Origin, Rule

__all__ = [
    "Exchange",
    "ExchangeReader",
    "ExchangeSettings",
    "ExchangeSource",
    "IngestPart",
    "Ledger",
    "Origin",
    "Rule",
    "Surroundings",
    "Unpack",
    "carry_on",
    "detect_source",
]
