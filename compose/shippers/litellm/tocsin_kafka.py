"""A LiteLLM callback that produces every call's StandardLoggingPayload to Kafka.

Put this file beside LiteLLM's configuration, `pip install kafka-python`, and name it there:

    litellm_settings:
      callbacks: tocsin_kafka.callback

KAFKA_BROKER and KAFKA_TOPIC come from the environment. The gateway never waits for Kafka: payloads go
through a queue to a thread; what finds no room in it, or no broker within a minute, is dropped and
counted in `callback.dropped`.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from litellm.integrations.custom_logger import CustomLogger  # pyright: ignore[reportMissingImports]

WAITING = 10_000  # payloads at most
BLOCK_SECONDS = 60.0  # for a broker that does not answer

log = logging.getLogger("tocsin_kafka")


class TocsinKafka(CustomLogger):
    """Sends successes and failures; LiteLLM has built the payload, redacted as it was told to."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self._topic = os.environ.get("KAFKA_TOPIC", "llm.events")
        self._waiting: queue.Queue[Any] = queue.Queue(WAITING)
        threading.Thread(target=self._work, name="tocsin-kafka", daemon=True).start()

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self._send(kwargs)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self._send(kwargs)

    async def async_log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        self._send(kwargs)

    async def async_log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        self._send(kwargs)

    def flush(self, seconds: float = 10.0) -> None:
        """Wait until what was taken is with the brokers; call it before the process ends."""
        done = threading.Event()
        self._waiting.put(done)
        done.wait(seconds)

    def _send(self, kwargs: Any) -> None:
        payload = kwargs.get("standard_logging_object")
        if payload is None:
            return
        try:
            self._waiting.put_nowait(json.dumps(payload, default=str).encode())
        except (queue.Full, ValueError) as error:
            self._lost(error)

    def _work(self) -> None:
        producer = None
        while True:
            value = self._waiting.get()
            try:
                producer = producer or _producer()
                if isinstance(value, threading.Event):
                    producer.flush(timeout=BLOCK_SECONDS)
                    value.set()
                else:
                    producer.send(self._topic, value=value).add_errback(self._lost)
            except KafkaError as error:
                self._lost(error)

    def _lost(self, error: BaseException) -> None:
        self.dropped += 1
        log.warning("a call was not shipped to Kafka (%d so far): %s", self.dropped, type(error).__name__)


def _producer() -> Any:
    return KafkaProducer(
        bootstrap_servers=os.environ.get("KAFKA_BROKER", "localhost:9092"),
        acks="all",
        compression_type="gzip",
        linger_ms=50,
        max_block_ms=int(BLOCK_SECONDS * 1000),
        max_request_size=2_000_000,
    )


callback = TocsinKafka()
