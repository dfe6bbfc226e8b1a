"""The Kafka source: topics read by a consumer group, positions kept by whoever reads."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from ingest import kafka_codec
from ingest.kafka_client import Brokers, Connection, KafkaSecurity, say_what_is_native
from ingest.kafka_reader import KafkaReader
from tocsin.contracts import Source

Bytes = Annotated[int, Meta(ge=1 << 16, le=1 << 30)]


class KafkaSource(Source, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Topics of a Kafka cluster, as raw records. Groups go through the exchange unless `direct`."""

    brokers: Brokers
    start: Annotated[
        str,
        Meta(
            description="where a partition begins that was never read: earliest, latest, or a time like "
            "2026-01-31T00:00:00Z. No default: both of the usual ones surprise somebody"
        ),
    ]
    topics: Annotated[tuple[str, ...], Meta(description="topics to read")] = ()
    pattern: Annotated[str, Meta(description="or: all topics whose whole name matches this expression")] = ""
    group_id: Annotated[
        str,
        Meta(min_length=1, max_length=200, description="consumer group: its workers share the work"),
    ] = "tocsin"
    group_instance_id: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9._-]*$",
            max_length=200,
            description="a name of this worker that stays over restarts: a short restart moves no partition",
        ),
    ] = ""
    security: KafkaSecurity = KafkaSecurity()
    direct: Annotated[
        bool,
        Meta(
            description="read without the exchange: states that every record of a group (tenant and "
            "application) is in one partition, by the key or because there is one partition"
        ),
    ] = False
    out_of_range: Annotated[
        Literal["fail", "earliest"],
        Meta(description="the next offset was deleted by retention: stop, or go on behind the gap"),
    ] = "fail"
    poll_records: Annotated[int, Meta(ge=1, le=100_000, description="records of one poll at most")] = 2000
    fetch_bytes: Annotated[Bytes, Meta(description="bytes of one fetch over all partitions")] = 32 << 20
    partition_fetch_bytes: Annotated[Bytes, Meta(description="bytes of one fetch of a partition")] = 4 << 20
    decompressed_bytes: Annotated[
        Bytes, Meta(description="a record batch that decompresses to more goes to quarantine unread")
    ] = kafka_codec.BOUND
    session_seconds: Annotated[
        float, Meta(ge=6, le=1800, description="a worker silent for longer loses its partitions")
    ] = 45.0

    def __post_init__(self) -> None:
        if not self.connection.addresses:
            raise ValueError("brokers names none")
        if bool(self.topics) == bool(self.pattern):
            raise ValueError("name either topics or a pattern")
        start_of(self.start)
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"pattern is no regular expression: {error}") from error

    @property
    def connection(self) -> Connection:
        """The cluster."""
        return Connection(self.brokers, self.security)

    def open(self) -> KafkaReader:
        """Connect. Raises SourceUnavailable."""
        say_what_is_native()
        self.connection.warn()
        return KafkaReader(self, start_of(self.start))


def start_of(text: str) -> str | float:
    """`earliest`, `latest`, or epoch seconds."""
    if text in ("earliest", "latest"):
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(
            f"start is earliest, latest or a time with its zone, like 2026-01-31T00:00:00Z; not {text!r}"
        )
    return moment.timestamp()
