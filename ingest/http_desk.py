"""What the receiver answers: whose request it is, whether it can be taken, and that it was."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256

from ingest import http_events, http_otlp
from ingest.http_message import (
    ENCODINGS,
    JSON,
    PROTOBUF,
    Answer,
    Head,
    Malformed,
    Parcel,
    TooLong,
    expanded,
    refusal,
)
from ingest.journal import Full, Journal, Unwritable
from tocsin.metrics import Metrics

EVENTS, HEALTH = "/events", "/healthz"
PATHS = (*http_otlp.SIGNALS, EVENTS)
BACKLOG_SECONDS, DISK_SECONDS, CROWD_SECONDS = "5", "15", "1"  # for Retry-After
CROWDED_SECONDS = 15.0
FULL = "what was accepted waits for detection: send it again later"


class Desk:
    """One for all connections; the receiver's thread uses it."""

    def __init__(
        self,
        journal: Journal,
        metrics: Metrics,
        tokens: Mapping[str, Sequence[str]],
        *,
        body_bytes: int,
        record_bytes: int,
        held_bytes: int,
    ) -> None:
        self._journal = journal
        self._metrics = metrics
        self._tokens = [(_digest(token), tenant) for tenant, own in tokens.items() for token in own]
        self._body_bytes = body_bytes
        self._record_bytes = record_bytes
        self._held_bytes = held_bytes
        self._held = 0
        self._full_at = float("-inf")

    def refused(self, head: Head) -> Answer | None:
        """Why the body of a request is not wanted; None: it is."""
        if head.path == HEALTH:
            return self._health(head)
        tenant = self._tenant(head)
        if tenant is None:
            challenge = ("WWW-Authenticate", "Bearer")
            return refusal(head, 401, "a bearer token that is known is needed", challenge)
        if "origin" in head.headers and not self._tokens:
            return refusal(head, 403, "web pages may not send: configure tokens")
        if head.path not in PATHS:
            return refusal(head, 404, f"there are {' '.join(PATHS)}")
        if head.method != "POST":
            return refusal(head, 405, "POST it", ("Allow", "POST"))
        if head.path != EVENTS and head.content_type not in (JSON, PROTOBUF):
            return refusal(head, 415, f"Content-Type must be {PROTOBUF} or {JSON}")
        if _encoding(head) not in ENCODINGS:
            return refusal(head, 415, f"Content-Encoding must be one of {', '.join(ENCODINGS)}")
        if self._journal.full(tenant, int(head.headers.get("content-length", "0"))):
            return self._full(head)
        return None

    @property
    def crowded(self) -> bool:
        """Whether senders were lately asked to come again because too much waits for detection."""
        return time.monotonic() - self._full_at < CROWDED_SECONDS

    def hold(self, size: int) -> bool:
        """Whether so many more bytes may be held in memory; less than nothing: let go of them."""
        if size > 0 and self._held + size > self._held_bytes:
            return False
        self._held += size
        return True

    async def answer(self, head: Head, body: bytes) -> Answer:
        """Keep what the body holds, and say so once it is durable."""
        tenant = self._tenant(head) or ""
        try:
            found = self._parcel(head, expanded(body, _encoding(head), self._body_bytes))
            if found.records:
                await asyncio.wrap_future(self._journal.append(tenant, found.records))
        except TooLong:
            return refusal(head, 413, f"expands to more than {self._body_bytes} bytes: send smaller batches")
        except Malformed as error:
            return refusal(head, 400, str(error))
        except Full:
            return self._full(head)
        except Unwritable:
            return refusal(head, 503, "it could not be made durable", ("Retry-After", DISK_SECONDS))
        self._count(head.path, found)
        signal = http_otlp.SIGNALS.get(head.path)
        if signal is None:
            return http_events.accepted(found)
        return http_otlp.accepted(signal, head.content_type, found.rejected, found.message)

    def answered(self, head: Head | None, answer: Answer, size: int, seconds: float) -> None:
        """Count it."""
        path = head.path if head and head.path in (*PATHS, HEALTH) else "other"
        self._metrics.count("tocsin_http_requests_total", path=path, code=str(answer.code))
        self._metrics.count("tocsin_http_body_bytes_total", size, path=path)
        self._metrics.observe("tocsin_http_request_seconds", seconds, path=path)

    def _parcel(self, head: Head, body: bytes) -> Parcel:
        signal = http_otlp.SIGNALS.get(head.path)
        if signal is None:
            return http_events.parcel(body, self._record_bytes)
        return http_otlp.parcel(signal, head.content_type, body, self._record_bytes)

    def _count(self, path: str, found: Parcel) -> None:
        self._metrics.count("tocsin_http_accepted_total", found.accepted, path=path)
        self._metrics.count("tocsin_http_rejected_total", found.rejected, path=path)

    def _tenant(self, head: Head) -> str | None:
        """Whose request it is: a token's tenant, "" where none is needed; None: the token is unknown.

        Every token is compared, in constant time, so that an answer's delay tells nothing of any.
        """
        if not self._tokens:
            return ""
        scheme, _, token = head.headers.get("authorization", "").strip().partition(" ")
        digest, found = _digest(token.strip()), None
        for known, tenant in self._tokens:
            if hmac.compare_digest(known, digest):
                found = tenant
        return found if scheme.lower() == "bearer" else None

    def _full(self, head: Head) -> Answer:
        self._full_at = time.monotonic()
        return refusal(head, 429, FULL, ("Retry-After", BACKLOG_SECONDS))

    def _health(self, head: Head) -> Answer:
        if self._journal.failing:
            return refusal(head, 503, "the journal cannot be written", ("Retry-After", DISK_SECONDS))
        return Answer(200, b"{}")


def sent_away() -> Answer:
    """To a client that comes when there are too many."""
    return refusal(None, 503, "too many connections", ("Retry-After", CROWD_SECONDS), ("Connection", "close"))


def _encoding(head: Head) -> str:
    return head.headers.get("content-encoding", "").strip().lower() or "identity"


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "replace")).digest()
