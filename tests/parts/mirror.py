"""A copy of an exchange as it is written: records that the detect part may have deleted since."""

from __future__ import annotations

import threading
import time

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from tocsin.memory import MemoryLog
from tocsin.model import Partition, Record


class Mirror:
    """Reads committed records of a topic from its beginning, in a thread of its own."""

    def __init__(self, brokers: str, topic: str, partitions: int) -> None:
        self.records: list[list[Record]] = [[] for _ in range(partitions)]
        self._topic = topic
        self._stop = threading.Event()
        self._positions = dict.fromkeys(range(partitions), 0)
        self._consumer = KafkaConsumer(
            bootstrap_servers=brokers, isolation_level="read_committed", enable_auto_commit=False
        )
        places = [TopicPartition(topic, number) for number in range(partitions)]
        self._consumer.assign(places)
        self._consumer.seek_to_beginning(*places)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def log(self, log_id: str, ends: list[int]) -> MemoryLog:
        """What lies below `ends`, as a log that a worker can replay."""
        name = self._topic
        log = MemoryLog(len(ends), name)
        log.ids = [log_id] * len(ends)
        log.records = [
            [
                Record(Partition(name, number), each.offset, each.next_offset, each.arrival, each.value)
                for each in records
                if each.offset < ends[number]
            ]
            for number, records in enumerate(self.records)
        ]
        log.ends = ends
        return log

    def stop(self, quiet_seconds: float = 1.0) -> None:
        """End once nothing came for a while."""
        count = -1
        while count != (count := sum(map(len, self.records))):
            time.sleep(quiet_seconds)
        self._stop.set()
        self._thread.join(10)
        self._consumer.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            for place, records in self._consumer.poll(timeout_ms=100, max_records=2000).items():
                self.records[place.partition] += [
                    Record(
                        Partition(self._topic, place.partition),
                        record.offset,
                        record.offset + 1,
                        record.timestamp / 1000,
                        record.value,
                    )
                    for record in records
                ]
