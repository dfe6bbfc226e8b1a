"""The ingest part: source records become events and go, exactly once, to the exchange.

It has no state of its own. What it has read is in the consumer group's offsets, which are committed in
the same transaction as the frames, under the membership that the records were read in: a crash, a
rebalance or a worker that was thought dead changes nothing twice.
"""

from __future__ import annotations

import time
from threading import Event as Flag

from ingest.exchange_forward import Forwarder, Surroundings, Unpack
from ingest.exchange_topic import Exchange
from ingest.kafka_transaction import Superseded, TransactionLost
from ingest.slot import Slot
from tocsin.contracts import Fenced, SourceUnavailable, TocsinError
from tocsin.logs import Log
from tocsin.settings import EngineSettings, QuarantineSettings

RETRY_SECONDS = (0.1, 30.0)  # first and longest pause after an error
SUPERSEDED = 5  # times within `SUPERSEDED_SECONDS`: somebody else works under our name
SUPERSEDED_SECONDS = 300.0

log = Log("exchange")


class IngestPart:
    """One ingest worker: connects, forwards, and begins anew where the last commit ended after any error."""

    def __init__(
        self,
        exchange: Exchange,
        unpack: Unpack,
        surroundings: Surroundings,
        quarantine: QuarantineSettings | None = None,
        give_up_seconds: float = EngineSettings().give_up_seconds,
    ) -> None:
        self._exchange = exchange
        self._unpack = unpack
        self._surroundings = surroundings
        self._quarantine = quarantine or QuarantineSettings()
        self._give_up_seconds = give_up_seconds
        self._forwarder: Forwarder | None = None
        self._superseded: list[float] = []
        self._resume = False

    def run(self, stop: Flag) -> None:
        """Work until `stop` is set. Raises ConfigError, LogChanged and Fenced: somebody has to decide;
        and SourceUnavailable where no turn succeeded for `give_up_seconds`."""
        source = self._exchange.source
        with Slot(self._exchange.settings.slot or source.group_instance_id, source.group_id) as slot:
            try:
                self._forever(slot.name, stop)
            finally:
                if self._forwarder is not None:
                    self._forwarder.close()
                    self._forwarder = None
        self._surroundings.health.rest("ingest")

    def resume(self) -> None:
        """Go on with what the limiter paused. Safe to call from a signal handler or another thread."""
        self._resume = True

    def _forever(self, slot: str, stop: Flag) -> None:
        pause, well = RETRY_SECONDS[0], time.monotonic()
        while not stop.is_set():
            self._surroundings.health.beat("ingest")
            try:
                self._turn(slot)
            except (SourceUnavailable, TransactionLost) as error:
                self._failed(error)
                if time.monotonic() - well > self._give_up_seconds:
                    raise SourceUnavailable(f"nothing forwarded since it failed at first: {error}") from error
                stop.wait(pause)
                pause = min(2 * pause, RETRY_SECONDS[1])
            else:
                pause, well = RETRY_SECONDS[0], time.monotonic()
                self._up(True)

    def _turn(self, slot: str) -> None:
        if self._forwarder is None:
            self._forwarder = Forwarder(
                self._exchange, slot, self._unpack, self._surroundings, self._quarantine
            )
        if self._resume:
            self._resume = False
            self._forwarder.resume()
        self._forwarder.turn()

    def _failed(self, error: TocsinError) -> None:
        if self._forwarder is not None:
            self._forwarder.rewind()
        self._up(False, str(error))
        if isinstance(error, TransactionLost):
            log.warning("transaction not committed, beginning anew where the last one ended", error=error)
            self._surroundings.metrics.count("tocsin_transactions_total", outcome="aborted")
            if isinstance(error, Superseded):
                self._count_superseded(error)
            return
        log.warning("cannot read or write now, trying again", error=error)

    def _up(self, up: bool, reason: str = "") -> None:
        self._surroundings.metrics.gauge("tocsin_source_up", int(up), part="ingest")
        if up:
            self._surroundings.health.well("ingest")
        else:
            self._surroundings.health.trouble("ingest", reason)

    def _count_superseded(self, error: Superseded) -> None:
        """Once means that we were slow; time and again, that another worker has our name."""
        now = time.monotonic()
        self._superseded = [at for at in self._superseded if now - at < SUPERSEDED_SECONDS] + [now]
        if len(self._superseded) >= SUPERSEDED:
            raise Fenced(
                f"another ingest worker has the same slot: give each its own [exchange] slot; {error}"
            )
