"""Lines out of pieces of a stream, in bounded memory whatever their length."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple


class Line(NamedTuple):
    """A line without its end; `size` counts what it took in the stream, its end included.

    One that was too long is only begun, and has the digest of all of it.
    """

    value: bytes
    size: int
    end: int = 1
    sha256: str = ""


class Lines:
    """Pieces in, lines out. Of a line longer than `longest` only the beginning is kept."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._piece = b""
        self._at = 0
        self._begun = bytearray()  # of a line that earlier pieces began
        self._begun_size = 0
        self._finished = False
        self._digest: Any = None  # of a line that is too long

    @property
    def waiting(self) -> int:
        """Bytes that were added and not handed out."""
        return len(self._piece) - self._at + self._begun_size

    def clear(self) -> None:
        """Forget everything that was added."""
        self._piece, self._at, self._begun_size, self._finished = b"", 0, 0, False
        self._digest = None
        self._begun.clear()

    def add(self, piece: bytes) -> None:
        """The next bytes of the stream; only after `next` gave None."""
        self._piece, self._at = piece, 0

    def finish(self) -> bool:
        """The stream has ended: what was begun is a line. Whether there is one."""
        self._finished = self._begun_size > 0
        return self._finished

    def next(self) -> Line | None:
        """The next line; None: it takes another piece."""
        end = self._piece.find(b"\n", self._at)
        if end < 0:
            self._keep(self._piece[self._at :])
            self._piece, self._at = b"", 0
            return self._take(b"", 0) if self._finished else None
        rest, self._at = self._piece[self._at : end], end + 1
        if self._begun_size or len(rest) > self._longest:
            return self._take(rest, 1)
        return Line(rest, len(rest) + 1)

    def _keep(self, part: bytes) -> None:
        self._begun_size += len(part)
        if self._digest is None and self._begun_size > self._longest:
            self._digest = sha256(self._begun)
        if self._digest is not None:
            self._digest.update(part)
        self._begun += part[: max(0, self._longest - len(self._begun))]

    def _take(self, rest: bytes, end: int) -> Line:
        self._keep(rest)
        digest = self._digest.hexdigest() if self._digest is not None else ""
        line = Line(bytes(self._begun), self._begun_size + end, end, digest)
        self._begun.clear()
        self._begun_size, self._finished, self._digest = 0, False, None
        return line
