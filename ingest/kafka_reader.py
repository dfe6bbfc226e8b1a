"""The open Kafka source: one member of the consumer group."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kafka import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import FencedInstanceIdError, KafkaError, OffsetOutOfRangeError, UnsupportedCodecError
from kafka.structs import TopicPartition

from ingest import kafka_codec
from ingest.kafka_client import described, offsets_of
from tocsin.contracts import Changes, ConfigError, Fenced, LogChanged, Reader, SourceUnavailable
from tocsin.logs import Log
from tocsin.model import Partition, Record

if TYPE_CHECKING:
    from ingest.kafka import KafkaSource

IDLE_SECONDS = 5.0  # without a record for longer: is the broker there?
CHECK_SECONDS = 30.0  # are the topics still the same?
LOOKUP_MS = 10_000  # one question about offsets
CLOSE_MS = 5_000
METADATA_MS = 30_000  # new partitions and topics are noticed after this

log = Log("kafka")


class KafkaReader(Reader):
    """A member of the group. What the group does is noted by the client's thread and told by `changes`."""

    def __init__(self, source: KafkaSource, start: str | float) -> None:
        kafka_codec.bound(source.decompressed_bytes)
        self.source = source
        self.membership: Any = None  # as it was before the last records were polled: fences who writes them
        self._start = start
        self.admin = source.connection.admin()
        self._happened: deque[tuple[str, list[Partition]]] = deque()
        self._assigned: set[Partition] = set()  # as told by `changes`
        self._positions: dict[Partition, int] = {}  # of those that `seek` was called for
        self._held: set[Partition] = set()
        self._ids: dict[str, str] = {}
        self._heard = self._checked = time.monotonic()
        self._broken = False
        self._settled = True
        self._steered: set[str] = set()
        try:
            self._consumer = self._join()
        except SourceUnavailable:
            self.admin.close()
            raise

    def changes(self) -> Changes:
        """Folds what happened since: a partition that came and went again is not told."""
        came: dict[Partition, None] = {}
        went: dict[str, dict[Partition, None]] = {"revoked": {}, "lost": {}}
        while self._happened:
            what, partitions = self._happened.popleft()
            for partition in partitions:
                if what == "assigned":
                    came[partition] = None
                    continue
                came.pop(partition, None)
                self._positions.pop(partition, None)
                self._held.discard(partition)
                if partition in self._assigned:
                    self._assigned.discard(partition)
                    went[what][partition] = None
        self._assigned.update(came)
        return Changes(tuple(came), tuple(went["revoked"]), tuple(went["lost"]))

    def poll(self, timeout: float, records: int | None = None) -> Sequence[Record]:
        """Records of the partitions that were sought, those of a partition together."""
        if self._broken:
            self._rejoin()
        # Between two polls the client's thread may find that the member was thrown out. Only the next poll
        # tells, so what is written until then must not be written under the membership of then.
        membership = self.group_metadata()
        try:
            found = self._consumer.poll(
                timeout_ms=max(0, int(timeout * 1000)), max_records=records or self.source.poll_records
            )
        except OffsetOutOfRangeError as error:
            self._gone(error)
            return ()
        except FencedInstanceIdError as error:
            raise Fenced(
                f"another worker uses group_instance_id {self.source.group_instance_id!r}"
            ) from error
        except UnsupportedCodecError as error:
            raise ConfigError([f"{error}: install kafka-python[crc32c,lz4,snappy,zstd]"]) from error
        except (KafkaError, OSError, AssertionError) as error:
            self._broken = True  # the client can spin for ever on a batch it failed on once
            raise SourceUnavailable(described(error)) from error
        self._settle()
        self._check(bool(found))
        came = [record for tp, batch in found.items() for record in self._records(tp, batch)]
        if came:
            self.membership = membership
        return came

    def log_id(self, partition: Partition) -> str:
        """Kafka's topic id, which a topic made anew under the same name does not share."""
        if partition.name not in self._ids:
            self._ids[partition.name] = self._topic_id(partition.name)
        return self._ids[partition.name]

    def seek(self, partition: Partition, offset: int | None) -> None:
        """Read on from `offset`; None: from where `start` says. Does nothing where the partition went."""
        first, end = self.range(partition)
        if offset is None:
            offset = self._first_start(partition, first, end)
        elif not first <= offset <= end:
            offset = self._beyond(partition, offset, first, end)
        try:
            self._consumer.seek(_tp(partition), offset)
        except ValueError:
            return
        self._positions[partition] = offset
        if partition not in self._held:
            self._consumer.resume(_tp(partition))

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Membership goes on as long as `poll` is called."""
        for partition in partitions:
            self._held.add(partition)
            if _tp(partition) in self._consumer.assignment():
                self._consumer.pause(_tp(partition))

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Those that were not sought yet stay silent."""
        for partition in partitions:
            self._held.discard(partition)
            if partition in self._positions and _tp(partition) in self._consumer.assignment():
                self._consumer.resume(_tp(partition))

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """For lag tools; the answer is not waited for."""
        try:
            self._consumer.commit_async(offsets_of(positions))
        except (KafkaError, OSError, RuntimeError, AssertionError) as error:
            log.debug("the commit hint was not taken", error=error)

    def lag(self) -> Mapping[Partition, int]:
        """By the broker's last word on where the partitions end."""
        known = {}
        for partition, position in self._positions.items():
            tp = _tp(partition)
            if tp in self._consumer.assignment() and (end := self._consumer.highwater(tp)) is not None:
                known[partition] = max(0, end - self._past_markers(tp, position))
        return known

    def ended(self) -> bool:
        """A topic has no end."""
        return False

    def close(self) -> None:
        """Leave the group."""
        self._leave()
        self.admin.close()

    # For the ingest part, whose positions are the group's committed offsets.

    @property
    def positions(self) -> Mapping[Partition, int]:
        """Where each partition that was sought is read on."""
        return self._positions

    def group_metadata(self) -> Any:
        """The membership of now; its generation is below 0 while there is none."""
        return self._consumer.group_metadata()

    def committed(self, partition: Partition) -> int | None:
        """The group's position, waiting for transactions that may still change it."""
        try:
            found: int | None = self._consumer.committed(_tp(partition), timeout_ms=3 * LOOKUP_MS)
            return found
        except (KafkaError, OSError) as error:
            raise SourceUnavailable(f"committed offset of {partition}: {described(error)}") from error

    def range(self, partition: Partition) -> tuple[int, int]:
        """The first offset that is there and the end of what is committed."""
        tp = _tp(partition)
        try:
            first = self._consumer.beginning_offsets([tp], timeout_ms=LOOKUP_MS)[tp]
            return first, self._consumer.end_offsets([tp], timeout_ms=LOOKUP_MS)[tp]
        except (KafkaError, OSError, AttributeError) as error:
            raise SourceUnavailable(f"offsets of {partition}: {described(error)}") from error

    # Membership.

    def _join(self) -> Any:
        source = self.source
        consumer = source.connection.consumer(
            group_id=source.group_id,
            group_instance_id=source.group_instance_id or None,
            partition_assignment_strategy=(CooperativeStickyAssignor,),
            fetch_max_bytes=source.fetch_bytes,
            max_partition_fetch_bytes=source.partition_fetch_bytes,
            session_timeout_ms=int(source.session_seconds * 1000),
            heartbeat_interval_ms=int(source.session_seconds * 1000 / 15),
            max_poll_records=source.poll_records,
            metadata_max_age_ms=METADATA_MS,
        )
        listener = _Listener(consumer, self._happened)
        pattern = f"^(?:{source.pattern})$" if source.pattern else None
        consumer.subscribe(topics=list(source.topics), pattern=pattern, listener=listener)
        try:
            # A leader that knows no partitions yet assigns none, and may not notice for METADATA_MS.
            consumer.topics()
        except (KafkaError, OSError) as error:
            consumer.close(autocommit=False, timeout_ms=CLOSE_MS)
            raise SourceUnavailable(described(error)) from error
        self._settled = not source.group_instance_id
        return consumer

    def _settle(self) -> None:
        """Ask once to be assigned anew. A static member that died and comes again is given what it had, no
        rebalance (KIP-345); if it died between the two steps of a move (KIP-429), the second one is still
        to be asked for, and until then nobody reads what it gave away."""
        coordinator = self._consumer._coordinator
        if not self._settled and coordinator.generation_if_stable() is not None:
            self._settled = True
            coordinator.request_rejoin()

    def _leave(self) -> None:
        try:
            self._consumer.close(autocommit=False, timeout_ms=CLOSE_MS)
        except (KafkaError, OSError, RuntimeError) as error:
            log.warning("left the group without a farewell", error=error)

    def _rejoin(self) -> None:
        self._leave()
        self._happened.append(("lost", list(self._assigned)))
        self._consumer = self._join()
        self._broken = False

    def _check(self, heard: bool) -> None:
        """Now and then, more often in silence: is the broker there, are the topics the same?"""
        now = time.monotonic()
        if heard:
            self._heard = now
        if now - self._checked < (CHECK_SECONDS if now - self._heard < IDLE_SECONDS else IDLE_SECONDS):
            return
        self._checked = now
        known = self.admin.topics(self._ids or self.source.topics)
        for name, topic_id in self._ids.items():
            if name in known and known[name][0] != topic_id:
                raise LogChanged(
                    f"topic {name} was deleted and made again: it was {topic_id}, is {known[name][0]}"
                )
        missing = [name for name in self.source.topics if name not in known]
        if missing:
            raise SourceUnavailable(f"no such topic: {', '.join(missing)}")

    def _topic_id(self, name: str) -> str:
        known = self.admin.topics([name])
        if name not in known:
            raise SourceUnavailable(f"no such topic: {name}")
        return known[name][0]

    # Positions.

    def _records(self, tp: Any, batch: Sequence[Any]) -> Iterable[Record]:
        partition = Partition(tp.topic, tp.partition)
        if partition not in self._positions:
            return ()
        self._positions[partition] = batch[-1].offset + 1
        if batch[0].timestamp_type == 0 and self.source.direct:
            self._warn_steered(tp.topic)
        return [Record(partition, r.offset, r.offset + 1, r.timestamp / 1000, r.value or b"") for r in batch]

    def _warn_steered(self, topic: str) -> None:
        if topic not in self._steered:
            self._steered.add(topic)
            log.warning(
                "senders set the time of these records; message.timestamp.type=LogAppendTime", topic=topic
            )

    def _past_markers(self, tp: Any, position: int) -> int:
        """Transaction markers behind the last record are nothing to read."""
        fetched = self._consumer.position(tp, timeout_ms=0)
        return max(position, fetched or 0)

    def _first_start(self, partition: Partition, first: int, end: int) -> int:
        if isinstance(self._start, str):
            return first if self._start == "earliest" else end
        tp = _tp(partition)
        try:
            found = self._consumer.offsets_for_times({tp: int(self._start * 1000)}, timeout_ms=LOOKUP_MS)[tp]
        except (KafkaError, OSError) as error:
            raise SourceUnavailable(f"offset at {self.source.start}: {described(error)}") from error
        return end if found is None or found.offset < 0 else int(found.offset)

    def _beyond(self, partition: Partition, offset: int, first: int, end: int) -> int:
        place = f"{partition.name}/{partition.number}"
        if offset > end:
            raise LogChanged(
                f"{place} ends at {end}, before the next offset {offset}: it was truncated or made anew"
            )
        if self.source.out_of_range == "fail":
            raise LogChanged(
                f"{place} begins at {first}: offsets {offset} to {first - 1} were deleted before they were "
                'read; set out_of_range = "earliest" to go on behind the gap'
            )
        log.error("records were deleted unread", partition=place, lost_from=offset, lost_to=first - 1)
        return first

    def _gone(self, error: OffsetOutOfRangeError) -> None:
        """Retention overtook the reader, or the topic is another one by now."""
        for tp, offset in error.args[0].items():
            known = self._topic_id(tp.topic)
            if known != self._ids.get(tp.topic, known):
                raise LogChanged(f"topic {tp.topic} was deleted and made again") from error
            self.seek(Partition(tp.topic, tp.partition), offset)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs on the client's IO thread, where nothing may block: notes what happened, no more.

    A new partition is paused, at a position that nobody reads from, until `seek`.
    """

    def __init__(self, consumer: Any, happened: deque[tuple[str, list[Partition]]]) -> None:
        self._consumer = consumer
        self._happened = happened

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        for tp in assigned:
            self._consumer.pause(tp)
            self._consumer.seek(tp, 0)
        self._note("assigned", assigned)

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        self._note("revoked", revoked)

    def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        self._note("lost", lost)

    def _note(self, what: str, partitions: Iterable[Any]) -> None:
        self._happened.append((what, [Partition(tp.topic, tp.partition) for tp in sorted(partitions)]))


def _tp(partition: Partition) -> Any:
    return TopicPartition(partition.name, partition.number)
