"""A LiteLLM callback that produces every call's StandardLoggingPayload to Kafka.

Put this file beside LiteLLM's configuration, `pip install kafka-python`, and name it there:

    litellm_settings:
      callbacks: tocsin_kafka.callback

KAFKA_BROKER and KAFKA_TOPIC come from the environment. The gateway never waits for Kafka: what finds
no room, or no broker within two minutes, is dropped and counted in `callback.dropped`.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from litellm.integrations.custom_logger import CustomLogger

log = logging.getLogger("tocsin_kafka")


class TocsinKafka(CustomLogger):
    """Sends successes and failures; LiteLLM has built the payload, redacted as it was told to."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self._topic = os.environ.get("KAFKA_TOPIC", "llm.events")
        self._producer: Any = None

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
        """Wait for what is on its way; call it before the process ends."""
        if self._producer is not None:
            self._producer.flush(timeout=seconds)

    def _send(self, kwargs: Any) -> None:
        payload = kwargs.get("standard_logging_object")
        if payload is None:
            return
        try:
            value = json.dumps(payload, default=str, ensure_ascii=False).encode("utf-8", "replace")
            self._connected().send(self._topic, value=value).add_errback(self._lost)
        except (KafkaError, ValueError) as error:
            self._lost(error)

    def _connected(self) -> Any:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=os.environ.get("KAFKA_BROKER", "localhost:9092"),
                acks="all",
                compression_type="gzip",
                linger_ms=50,
                max_block_ms=100,
                max_request_size=2_000_000,
            )
        return self._producer

    def _lost(self, error: BaseException) -> None:
        self.dropped += 1
        log.warning("a call was not shipped to Kafka (%d so far): %s", self.dropped, type(error).__name__)


callback = TocsinKafka()
