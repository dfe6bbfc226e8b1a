"""Composition: a checked configuration becomes running parts, connected, watched, and let go of in order.

Components are reached by name only; this module knows how they fit together, not what they are.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, Literal, NamedTuple, TypeVar

from tocsin import frame, registry, signals
from tocsin.config import Config
from tocsin.contracts import (
    ConfigError,
    SinkUnavailable,
    Source,
    SourceUnavailable,
    StoreUnavailable,
    TocsinError,
)
from tocsin.health import Health, HealthServer
from tocsin.logs import Log
from tocsin.metrics import Metrics
from tocsin.model import Record
from tocsin.plan import Unpacked
from tocsin.ports import Lent
from tocsin.unpack import Unpacker
from tocsin.watchdog import Watchdog
from tocsin.worker import Ports, Unpack, Watchers, Worker

DECODER = "ingest.recognise:decoder"
EXCHANGE = "ingest.exchange:Exchange"
DETECT_SOURCE = "ingest.exchange:detect_source"
INGEST_PART = "ingest.exchange:IngestPart"
SURROUNDINGS = "ingest.exchange:Surroundings"

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts to connect
STOP_SECONDS = 10.0  # for the ingest part to end its transaction
TELL_SECONDS = 0.2
SWITCH_SECONDS = 0.002  # each thread waits for the others' turns; Python's 5 ms add up
# Objects that are made until the collector of cycles looks: every batch passes Python's 700 several times,
# and next to nothing here is part of a cycle.
SELDOM = (50_000, 20, 100)

Part = Literal["both", "ingest", "detect"]
Around = Callable[[Unpack], Unpack]
T = TypeVar("T")

log = Log("pipeline")


class Passed(NamedTuple):
    """How far a run has come."""

    seconds: float
    events: float
    alerts: float
    rejects: float
    lag: float  # records (bytes, for a file) that are known to wait

    def __str__(self) -> str:
        """For a line of progress."""
        rate = self.events / self.seconds if self.seconds else 0.0
        waiting = f", {self.lag:,.0f} wait" if self.lag else ""
        quarantined = f", {self.rejects:,.0f} in quarantine" if self.rejects else ""
        return f"{self.events:,.0f} events, {rate:,.0f}/s, {self.alerts:,.0f} alerts{quarantined}{waiting}"


def build(
    settings: Config, part: Part = "both", *, patient: bool = True, around: Around | None = None
) -> Pipeline:
    """A pipeline, ready to be run.

    `patient` False, for whoever sits in front of it: what is not there ends the run at once, and no
    partition is paused for its bad records. `around` is put around the unpacking of source records.
    """
    if part != "both" and settings.exchange is None:
        raise ConfigError(["--part: without [exchange] there is one part; leave it out"])
    seconds = settings.engine.stuck_seconds
    return Pipeline(settings, part, Watchers(Metrics(), Health(seconds), Watchdog(seconds)), patient, around)


class Pipeline:
    """The parts of one process. The thread that calls `run` is the detect part's."""

    def __init__(
        self, settings: Config, part: Part, watchers: Watchers, patient: bool, around: Around | None
    ) -> None:
        self.watchers = watchers
        self._settings = settings
        self._part = part
        self._patient = patient
        self._around = around
        self._resumes: list[Callable[[], None]] = []
        self._failure: BaseException | None = None
        self._started = time.monotonic()

    @property
    def passed(self) -> Passed:
        """How far it has come. Safe to ask from any thread."""
        total = self.watchers.metrics.total
        return Passed(
            time.monotonic() - self._started,
            total("tocsin_events_total"),
            total("tocsin_alerts_total"),
            total("tocsin_rejects_total"),
            total("tocsin_lag_records"),
        )

    def run(self, stop: threading.Event, tell: Callable[[Passed], None] | None = None) -> None:
        """Work until `stop` is set or the input has ended; `stop` is set when it returns.

        Raises what a part could not get over, after the other part has ended in order.
        """
        if self._part != "ingest":
            signals.prepare(self._settings.content, self._settings.reading)
        gc.set_threshold(*SELDOM)
        self._started = time.monotonic()
        try:
            with ExitStack() as stack:
                self._watch(stack)
                if tell:
                    stack.enter_context(self._telling(tell))
                self._parts(stack, stop)
        finally:
            stop.set()
        if self._failure:
            raise self._failure

    def resume(self) -> None:
        """Read on what the limiter paused. Safe to call from a signal handler or another thread."""
        for resume in self._resumes:
            resume()

    def _watch(self, stack: ExitStack) -> None:
        operations = self._settings.operations
        self.watchers.watchdog.start()
        stack.callback(self.watchers.watchdog.close)
        if operations.listen:
            server = HealthServer(operations.listen, self.watchers.health, self.watchers.metrics)
            stack.callback(server.close)

    def _parts(self, stack: ExitStack, stop: threading.Event) -> None:
        settings = self._settings
        if settings.exchange or settings.source.receives:
            sys.setswitchinterval(SWITCH_SECONDS)
        exchange = (
            registry.resolve(EXCHANGE)(settings.exchange, settings.source, settings.keys)
            if settings.exchange
            else None
        )
        if exchange is not None and self._part != "detect":
            self._patiently("exchange", exchange.prepare, stop)
            stack.enter_context(self._ingesting(exchange, stop))
        if self._part == "ingest":
            stop.wait()
        elif not stop.is_set():
            self._detect(exchange, stop)

    # The detect part.

    def _detect(self, exchange: Any | None, stop: threading.Event) -> None:
        worker = self._connect(exchange, stop)
        if worker is None:
            return
        self._resumes.append(worker.resume)
        with closing(worker):
            worker.run(stop)
        stop.set()

    def _connect(self, exchange: Any | None, stop: threading.Event) -> Worker | None:
        """The worker with everything it needs open; None where it was stopped before that."""
        settings = self._settings
        source = self._patiently("exchange", lambda: self._log_of(exchange), stop)
        if source is None:
            return None
        lent = Lent(self.watchers.metrics, self.watchers.health, settings.keys)

        def read() -> Any:
            return self._open(opened, "source", lambda: source.open_with(lent), stop)

        with ExitStack() as opened:
            reader = read() if source.receives else None
            store = self._open(opened, "checkpoints", settings.checkpoints.open, stop)
            writers = {
                name: self._open(opened, f"sinks.{name}", sink.open, stop)
                for name, sink in settings.sinks.items()
            }
            reader = reader or read()
            if stop.is_set():
                return None
            opened.pop_all()  # the worker closes them
        unpack = self._direct() if exchange is None else frame.Opener(settings.keys)
        # One sender to a receiver must not stop the others: it has no limiter.
        limited = exchange is None and self._patient and not source.receives
        quarantine = settings.quarantine if limited else None
        ports = Ports(reader, unpack, writers, store)
        return Worker(settings.plan, ports, self.watchers, settings.engine, quarantine)

    def _log_of(self, exchange: Any | None) -> Source:
        if exchange is None:
            return self._settings.source
        source: Source = registry.resolve(DETECT_SOURCE)(exchange)
        return source

    def _open(self, opened: ExitStack, place: str, connect: Callable[[], Any], stop: threading.Event) -> Any:
        connection = self._patiently(place, connect, stop)
        if connection is not None:
            opened.callback(connection.close)
        return connection

    def _patiently(self, place: str, connect: Callable[[], T], stop: threading.Event) -> T | None:
        """What `connect` gives, however long it takes to be there; None where it was stopped before."""
        pause, since = FIRST_PAUSE, time.monotonic()
        while not stop.is_set():
            try:
                connection = connect()
            except (SourceUnavailable, SinkUnavailable, StoreUnavailable) as error:
                waited = time.monotonic() - since
                if not self._patient or waited > self._settings.engine.give_up_seconds:
                    raise
                log.warning("not there yet", place=place, error=str(error), again_in=pause)
                self.watchers.health.trouble(place, str(error))
                stop.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self.watchers.health.well(place)
                return connection
        return None

    # The ingest part.

    @contextmanager
    def _ingesting(self, exchange: Any, stop: threading.Event) -> Iterator[None]:
        """A thread that fills the exchange; when it fails it stops the other part too."""
        metrics, health, watchdog = self.watchers
        surroundings = registry.resolve(SURROUNDINGS)(metrics=metrics, health=health, watchdog=watchdog)
        part = registry.resolve(INGEST_PART)(
            exchange,
            self._unpacker(),
            surroundings,
            self._settings.quarantine,
            self._settings.engine.give_up_seconds,
        )
        self._resumes.append(part.resume)
        thread = threading.Thread(target=self._ingest, args=(part, stop), name="ingest", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(STOP_SECONDS)

    def _ingest(self, part: Any, stop: threading.Event) -> None:
        try:
            part.run(stop)
        except BaseException as error:  # told by the thread that runs the process
            if not isinstance(error, TocsinError):
                log.error("the ingest part broke", error=error)
            self._failure = error
        finally:
            stop.set()

    # What both parts share.

    def _unpacker(self) -> Unpacker:
        settings = self._settings
        decoder = registry.resolve(DECODER)(settings.format, settings.limits, settings.formats)
        return Unpacker(
            decoder,
            settings.groups,
            settings.limits,
            sample_bytes=settings.quarantine.sample_bytes,
            secret=settings.content.key,
            masked=bool(settings.privacy.keys),
        )

    def _direct(self) -> Unpack:
        """Unpacking where the source is the log."""
        unpack = self._unpacker()

        def unpacked(record: Record) -> Unpacked:
            items = unpack(record)
            return Unpacked(record.offset, record.next_offset, record.arrival, items, len(record.value))

        return self._around(unpacked) if self._around else unpacked

    @contextmanager
    def _telling(self, tell: Callable[[Passed], None]) -> Iterator[None]:
        """A thread that tells how far the run has come."""
        over = threading.Event()

        def go_on() -> None:
            while not over.wait(TELL_SECONDS):
                tell(self.passed)

        thread = threading.Thread(target=go_on, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
