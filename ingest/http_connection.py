"""One HTTP/1.1 connection: requests in, answers out, every wait and every size bounded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import h11

from ingest.http_message import Answer, Head, TooLong, refusal
from tocsin.logs import Log

HEAD_BYTES = 32 << 10
READ_BYTES = 64 << 10
PIECES = 1 << 14  # chunks of one body: more cost more than the bytes in them
ANSWER_SECONDS = 10.0
LINGER_SECONDS, LINGER_BYTES = 1.0, 4 << 20  # so that a sender who is still sending reads the answer
LONG = "a body of more than {} bytes: send smaller batches"

log = Log("http")


class Limits(Protocol):
    """Settings of a connection."""

    @property
    def body_bytes(self) -> int: ...
    @property
    def head_seconds(self) -> float: ...
    @property
    def body_seconds(self) -> float: ...
    @property
    def idle_seconds(self) -> float: ...


class Desk(Protocol):
    """Who answers."""

    def refused(self, head: Head) -> Answer | None:
        """Why the body of a request is not wanted; None: it is."""
        ...

    def hold(self, size: int) -> bool:
        """Whether so many more bytes of bodies may be held in memory; less than nothing: let go of them."""
        ...

    async def answer(self, head: Head, body: bytes) -> Answer: ...

    def answered(self, head: Head | None, answer: Answer, size: int, seconds: float) -> None:
        """For the statistics."""
        ...


class Connection:
    """Serves one client until it leaves, is too slow, or is sent away."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        desk: Desk,
        limits: Limits,
        closing: Callable[[], bool],
    ) -> None:
        self.idle_since: float | None = time.monotonic()  # None: a request is being served
        self._reader = reader
        self._writer = writer
        self._desk = desk
        self._limits = limits
        self._closing = closing
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self._held = 0
        self._unread = False  # the rest of a request is still on its way

    async def serve(self) -> None:
        """Returns when the connection is over; never raises, apart from being cancelled."""
        try:
            while await self._exchange():
                self._protocol.start_next_cycle()
        except (OSError, TimeoutError, h11.ProtocolError, asyncio.LimitOverrunError) as error:
            log.debug("a client went away", error=type(error).__name__)
        finally:
            await self._close()

    async def _exchange(self) -> bool:
        """One request and its answer; whether another may follow."""
        head: Head | None = None
        started, self._unread = time.monotonic(), True
        try:
            head = await self._head()
            if head is None:
                self._unread = False
                return False
            started = time.monotonic()
            answer = self._desk.refused(head)
            if answer is None:
                answer = await self._with_body(head)
            elif not {"content-length", "transfer-encoding"} & head.headers.keys():
                await self._next()
                self._unread = False
        except h11.RemoteProtocolError as error:
            answer = refusal(head, error.error_status_hint, "not HTTP/1.1 as it should be")
        except TimeoutError:
            answer = refusal(head, 408, "too slow")
        except TooLong:
            answer = refusal(head, 413, LONG.format(self._limits.body_bytes))
        self._desk.answered(head, answer, self._held, time.monotonic() - started)
        await self._send(head, answer)
        self._let_go()
        return self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE

    async def _head(self) -> Head | None:
        """The next request's; None: there is none."""
        self.idle_since = time.monotonic()
        event = self._protocol.next_event()
        if event is h11.NEED_DATA:
            try:
                async with asyncio.timeout(self._limits.idle_seconds):
                    await self._receive()
            except TimeoutError:
                return None
            self.idle_since = None
            async with asyncio.timeout(self._limits.head_seconds):
                event = await self._next()
        self.idle_since = None
        if not isinstance(event, h11.Request):
            return None
        headers: Mapping[str, str] = {
            name.decode("ascii"): value.decode("latin-1") for name, value in event.headers
        }
        target = event.target.decode("ascii", "replace").partition("?")[0]
        return Head(event.method.decode("ascii"), target, headers)

    async def _with_body(self, head: Head) -> Answer:
        async with asyncio.timeout(self._limits.body_seconds):
            body = await self._body(head)
        if body is None:
            return refusal(head, 503, "too many bodies at once", ("Retry-After", "1"))
        self._unread = False
        return await self._desk.answer(head, body)

    async def _body(self, head: Head) -> bytes | None:
        """All of it; None: there is no room for it now. Raises TooLong."""
        if int(head.headers.get("content-length", "0")) > self._limits.body_bytes:
            raise TooLong
        if self._protocol.they_are_waiting_for_100_continue:
            await self._write(h11.InformationalResponse(status_code=100, headers=[]))
        pieces: list[bytes] = []
        while True:
            event = await self._next()
            if isinstance(event, h11.EndOfMessage):
                return b"".join(pieces)
            if not isinstance(event, h11.Data):
                raise h11.RemoteProtocolError("the body ends in the middle")
            if not self._desk.hold(len(event.data)):
                return None
            self._held += len(event.data)
            pieces.append(bytes(event.data))
            if self._held > self._limits.body_bytes or len(pieces) > PIECES:
                raise TooLong

    async def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            await self._receive()
        return event

    async def _receive(self) -> None:
        self._protocol.receive_data(await self._reader.read(READ_BYTES))

    async def _send(self, head: Head | None, answer: Answer) -> None:
        if self._protocol.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        headers += answer.headers
        if self._unread or self._closing():
            headers.append(("Connection", "close"))
        body = b"" if head is not None and head.method == "HEAD" else answer.body
        await self._write(
            h11.Response(status_code=answer.code, headers=headers), h11.Data(data=body), h11.EndOfMessage()
        )

    async def _write(self, *events: h11.Event) -> None:
        """In one piece: a second one would wait until the client's system acknowledges the first."""
        self._writer.write(b"".join(self._protocol.send(event) or b"" for event in events))
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._writer.drain()

    def _let_go(self) -> None:
        self._desk.hold(-self._held)
        self._held = 0

    async def _close(self) -> None:
        self._let_go()
        await part(self._reader, self._writer, unread=self._unread)


async def part(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, unread: bool) -> None:
    """End a connection so that its answer arrives, also where the client is still sending."""
    try:
        if unread:
            await _linger(reader, writer)
        writer.close()
        async with asyncio.timeout(LINGER_SECONDS):
            await writer.wait_closed()
    except (OSError, TimeoutError, asyncio.CancelledError):
        writer.transport.abort()


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read on for a moment: closing at once would reset the connection under the answer."""
    if writer.can_write_eof():
        writer.write_eof()
    size = 0
    async with asyncio.timeout(LINGER_SECONDS):
        while size < LINGER_BYTES and (piece := await reader.read(READ_BYTES)):
            size += len(piece)
