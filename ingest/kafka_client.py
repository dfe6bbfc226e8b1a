"""How Tocsin speaks to Kafka: addresses, security, and clients with safe settings."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError
from kafka.structs import OffsetAndMetadata, TopicPartition
from msgspec import Meta

from ingest import kafka_codec
from tocsin.contracts import SourceUnavailable
from tocsin.logs import Log
from tocsin.model import Partition

BOOTSTRAP_MS = 10_000  # until some broker must have answered
REQUEST_MS = 5_000  # one administrative request

log = Log("kafka")
logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)  # warns when a poll takes 0.1 s under load

Brokers = Annotated[
    str | tuple[str, ...],
    Meta(description="where to begin: host:port, as a list or separated by commas"),
]


class KafkaSecurity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Encryption and authentication towards the brokers."""

    protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Meta(description="PLAINTEXT only on loopback or inside a closed network"),
    ] = "PLAINTEXT"
    mechanism: Annotated[
        Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], Meta(description="with the SASL protocols")
    ] = ""
    username: Annotated[str, Meta(description="with the SASL protocols")] = ""
    password: Annotated[str, Meta(description="from the environment: ${NAME}")] = ""
    ca_file: Annotated[
        str, Meta(description="certificates that brokers are checked with; empty: the system's")
    ] = ""
    certificate_file: Annotated[str, Meta(description="our certificate, where brokers ask for one")] = ""
    key_file: Annotated[str, Meta(description="its key")] = ""
    check_hostname: Annotated[bool, Meta(description="the broker's certificate must be for its address")] = (
        True
    )

    def __post_init__(self) -> None:
        if self.protocol.startswith("SASL") != bool(self.mechanism):
            raise ValueError("mechanism belongs with SASL_PLAINTEXT and SASL_SSL, and only with those")
        if self.mechanism and not (self.username and self.password):
            raise ValueError("SASL needs username and password")

    def __repr__(self) -> str:
        return f"KafkaSecurity(protocol={self.protocol!r}, mechanism={self.mechanism!r})"


class Connection(msgspec.Struct, frozen=True):
    """A cluster and how to reach it."""

    brokers: str | tuple[str, ...]
    security: KafkaSecurity = KafkaSecurity()

    @property
    def addresses(self) -> list[str]:
        """Each host:port by itself."""
        named = self.brokers.split(",") if isinstance(self.brokers, str) else self.brokers
        return [address.strip() for address in named if address.strip()]

    def options(self) -> dict[str, Any]:
        """What every client is told."""
        security = self.security
        options: dict[str, Any] = {
            "bootstrap_servers": self.addresses,
            "client_id": "tocsin",
            "security_protocol": security.protocol,
            "ssl_check_hostname": security.check_hostname,
            "bootstrap_timeout_ms": BOOTSTRAP_MS,
            "reconnect_backoff_max_ms": 2_000,
        }
        named = {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.username,
            "sasl_plain_password": security.password,
            "ssl_cafile": security.ca_file,
            "ssl_certfile": security.certificate_file,
            "ssl_keyfile": security.key_file,
        }
        return options | {name: value for name, value in named.items() if value}

    def warn(self) -> None:
        """Say so where what travels can be read on the way."""
        if self.security.protocol.endswith("PLAINTEXT") and not loopback(self.addresses):
            log.warning(
                "prompts travel unencrypted to these brokers; set security.protocol to SASL_SSL or SSL",
                brokers=", ".join(self.addresses),
                protocol=self.security.protocol,
            )

    def consumer(self, **options: Any) -> Any:
        """A consumer that moves only where it is told to and skips what was never committed."""
        safe: dict[str, Any] = {
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "isolation_level": "read_committed",
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
        }
        return connect(KafkaConsumer, self.options() | safe | options, self.addresses)

    def admin(self) -> Admin:
        """A client for topics and offsets."""
        options = self.options() | {"request_timeout_ms": REQUEST_MS}
        return Admin(connect(KafkaAdminClient, options, self.addresses))


class Admin:
    """Topics and offsets, with short and bounded requests. Raises SourceUnavailable."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def topics(self, names: Iterable[str]) -> Mapping[str, tuple[str, int]]:
        """Topic id and partition count of each name that exists."""
        found = self._ask("describe_topics", sorted(names))
        return {
            topic["name"]: (str(topic["topic_id"]), len(topic["partitions"]))
            for topic in found
            if topic["error_code"] == 0
        }

    def create(self, name: str, partitions: int, replication: int, configs: Mapping[str, str]) -> bool:
        """Make a topic and wait for its leaders; False: it was there already."""
        topic = {"num_partitions": partitions, "replication_factor": replication, "configs": dict(configs)}
        try:
            self._ask("create_topics", {name: topic}, timeout_ms=20_000)
        except TopicAlreadyExistsError:
            return False
        self._ask("wait_for_topics", [name], timeout_ms=20_000)
        return True

    def configs(self, topic: str) -> Mapping[str, str]:
        """How a topic is configured, defaults included."""
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        found = self._ask("describe_configs", [resource], config_filter="all")
        return {name: str(config["value"]) for name, config in found["topic"][topic].items()}

    def bounds(self, topic: str, partitions: Iterable[int]) -> Mapping[int, tuple[int, int]]:
        """First offset and end of each partition, uncommitted transactions included."""
        numbers = sorted(partitions)
        first, end = (
            self._ask("list_partition_offsets", {TopicPartition(topic, n): which for n in numbers})
            for which in (-2, -1)
        )
        at = [TopicPartition(topic, number) for number in numbers]
        return {tp.partition: (first[tp].offset, end[tp].offset) for tp in at}

    def delete_below(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Forget the records below an offset of each partition."""
        below = {TopicPartition(topic, number): offset for number, offset in offsets.items()}
        self._ask("delete_records", below, timeout_ms=REQUEST_MS)

    def group_members(self, group: str) -> int:
        """How many consumers are in a group now."""
        found = self._ask("describe_groups", [group])
        return sum(len(described.get("members") or ()) for described in found.values())

    def close(self) -> None:
        """Let go."""
        self._client.close()

    def _ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        try:
            return getattr(self._client, method)(*arguments, **options)
        except TopicAlreadyExistsError:
            raise
        except (KafkaError, OSError) as error:
            raise SourceUnavailable(f"{method}: {described(error)}") from error


def offsets_of(positions: Mapping[Partition, int]) -> dict[Any, Any]:
    """Positions as the client wants them."""
    return {
        TopicPartition(partition.name, partition.number): OffsetAndMetadata(offset, "", -1)
        for partition, offset in positions.items()
    }


def described(error: BaseException) -> str:
    """An error of the client's, in one short line."""
    return f"{type(error).__name__}: {str(error)[:300]}"


def loopback(addresses: Iterable[str]) -> bool:
    """Whether all the brokers are on this machine."""
    return all(_is_loopback(address.rpartition(":")[0].strip("[]")) for address in addresses)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def connect(kind: Any, options: Mapping[str, Any], addresses: list[str]) -> Any:
    """A client of the library's. Raises SourceUnavailable."""
    client = kind.__new__(kind)
    try:
        client.__init__(**options)
    except (KafkaError, OSError) as error:
        # A client that found no broker keeps its thread and sockets.
        if (inner := getattr(client, "_client", None)) is not None:
            inner.close()
        raise SourceUnavailable(f"Kafka at {', '.join(addresses)}: {described(error)}") from error
    return client


def say_what_is_native() -> None:
    """One line at start; a checksum in Python costs twenty times everything else."""
    native = kafka_codec.native()
    slow = [name for name, there in native.items() if not there]
    log.info("kafka-python", native=", ".join(sorted(set(native) - set(slow))), missing=", ".join(slow))
    if slow:
        log.warning("install kafka-python[crc32c,lz4,snappy,zstd]: what is missing is slow or unreadable")
