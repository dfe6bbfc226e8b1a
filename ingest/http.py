"""The http source: a receiver for OTLP/HTTP and plain JSON, with a journal of its own behind it.

sender ──request──► receiver ──► journal (durable: 200) ──► the loop, as for any log
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from ingest.http_desk import Desk
from ingest.http_receiver import Receiver
from ingest.journal import Journal
from ingest.journal_reader import JournalReader, JournalSource
from tocsin.contracts import ConfigError, Source, SourceUnavailable
from tocsin.health import Health, address, is_loopback
from tocsin.logs import Log
from tocsin.metrics import Metrics
from tocsin.model import Record
from tocsin.ports import Lent

TOKEN_CHARACTERS = 16

Seconds = Annotated[float, Meta(gt=0, le=3600)]

log = Log("http")


class HttpSource(Source, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """OTLP/HTTP and JSON over HTTP. What is answered with 200 is durable; no exchange is needed."""

    receives = True

    listen: Annotated[str, Meta(description="host:port; off loopback only with tokens")] = "127.0.0.1:4318"
    directory: Annotated[str, Meta(min_length=1, description="of the journal; one for each process")] = (
        ".tocsin/journal"
    )
    tokens: Annotated[
        dict[str, str | tuple[str, ...]],
        Meta(description="tenant to its bearer token, or to several while they change; from the environment"),
    ] = msgspec.field(default_factory=dict)
    certificate_file: Annotated[str, Meta(description="TLS: certificate chain, PEM; empty: plain HTTP")] = ""
    key_file: Annotated[str, Meta(description="TLS: its private key, PEM")] = ""
    journal_bytes: Annotated[
        int,
        Meta(
            ge=1 << 20,
            description="that may wait for detection, shared out equally between tenants; above: 429",
        ),
    ] = 1 << 30
    body_bytes: Annotated[
        int, Meta(ge=1 << 12, le=256 << 20, description="of one body, and of what it expands to; above: 413")
    ] = 8 << 20
    record_bytes: Annotated[
        int, Meta(ge=1 << 12, description="larger bodies are cut between spans into records of at most this")
    ] = 1 << 20
    held_bytes: Annotated[
        int, Meta(ge=1 << 20, description="of bodies on their way in, over all connections; above: 503")
    ] = 64 << 20
    connections: Annotated[
        int, Meta(ge=1, le=10_000, description="at once; beyond, the longest idle one is closed, or 503")
    ] = 256
    head_seconds: Annotated[Seconds, Meta(description="for the head of a request to be complete")] = 10.0
    body_seconds: Annotated[Seconds, Meta(description="for its body")] = 30.0
    idle_seconds: Annotated[Seconds, Meta(description="between two requests")] = 75.0

    def __post_init__(self) -> None:
        host, _ = _address(self.listen)
        if not self.tokens and not is_loopback(host):
            raise ValueError(
                f"tokens: needed to listen on {self.listen}, where others can send: "
                '[source.tokens] TENANT = "${TOCSIN_TOKEN}"'
            )
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificate_file and key_file: give both, or neither")
        tokens = [token for own in self._tokens().values() for token in own]
        if len(set(tokens)) < len(tokens):
            raise ValueError("tokens: one token stands for two tenants")
        if any(len(token) < TOKEN_CHARACTERS for token in tokens) or not all(self.tokens):
            raise ValueError(f"tokens: at least {TOKEN_CHARACTERS} characters each, and no empty tenant")
        if self.held_bytes < self.body_bytes:
            raise ValueError("held_bytes: must have room for one body of body_bytes")

    def open(self) -> HttpReader:
        """Without anybody who looks on. Raises SourceUnavailable."""
        return self.open_with(Lent(Metrics(), Health(60.0)))

    def open_with(self, lent: Lent) -> HttpReader:
        """Open the journal and listen. Raises SourceUnavailable, ConfigError and LogChanged."""
        place, tokens = _address(self.listen), self._tokens()
        context = self._context()
        if context is None and not is_loopback(place[0]):
            log.warning("tokens and prompts travel readably: set certificate_file", listen=self.listen)
        journal = Journal(Path(self.directory), self.journal_bytes, len(tokens), lent.keys)
        try:
            desk = Desk(
                journal,
                lent.metrics,
                tokens,
                body_bytes=self.body_bytes,
                record_bytes=self.record_bytes,
                held_bytes=self.held_bytes,
            )
            receiver = Receiver(place, context, self, desk, journal, lent)
        except BaseException:
            journal.close()
            raise
        log.info("listens", address=f"{place[0]}:{receiver.port}", tls=context is not None)
        return HttpReader(journal, receiver, lent)

    def alone(self) -> JournalSource:
        """The journal without its receiver."""
        return JournalSource(directory=self.directory)

    def _tokens(self) -> dict[str, tuple[str, ...]]:
        return {tenant: (own,) if isinstance(own, str) else tuple(own) for tenant, own in self.tokens.items()}

    def _context(self) -> ssl.SSLContext | None:
        if not self.certificate_file:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError([f"[source] certificate_file, key_file: {error}"]) from error
        return context


class HttpReader(JournalReader):
    """Reads what its receiver takes in, and ends with it."""

    def __init__(self, journal: Journal, receiver: Receiver, lent: Lent) -> None:
        super().__init__(journal.path, lent.keys, journal)
        self._receiver = receiver
        self._own = journal
        self._health = lent.health
        self._health.trouble("source", "what is received waits: detection has not begun")

    @property
    def port(self) -> int:
        """The port that is really listened on."""
        return self._receiver.port

    def poll(self, timeout: float) -> Sequence[Record]:
        if error := self._receiver.failure:
            raise SourceUnavailable(f"nothing is received any more: {error!r}")
        self._health.well("source")
        return super().poll(timeout)

    def close(self) -> None:
        self._receiver.close()
        super().close()
        self._own.close()


def _address(listen: str) -> tuple[str, int]:
    try:
        return address(listen, "listen")
    except ConfigError as error:
        raise ValueError(str(error)) from None
