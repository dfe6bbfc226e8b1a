"""The file source: JSON lines from files and standard input, plain, gzip or zstd, once or followed.

A record is a line; its offset is the position of its first byte in the decompressed stream. Each
incarnation of a file is a log of its own, named by device, inode and first bytes.
"""

from __future__ import annotations

import io
import os
import secrets
import select
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from glob import glob
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, BinaryIO

from msgspec import Meta

from ingest.compression import Damaged, Stream, compressed, expanding
from ingest.lines import Line, Lines
from tocsin.contracts import Changes, LogChanged, Reader, Source, SourceUnavailable
from tocsin.model import Partition, Record
from tocsin.unpack import Oversized

STDIN = "-"
HEAD = 256  # bytes that name an incarnation
FOLLOW_SECONDS = 0.2  # between looks at a file that did not grow
POLL_BYTES = 4 << 20  # of one poll
PIECE = 1 << 18
SAMPLE = 1 << 13  # bytes kept of a line that is refused for its length


class FileSource(Source, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files of lines. Each is one partition, and a log already: no exchange is needed."""

    paths: Annotated[tuple[str, ...], Meta(min_length=1, description="files or globs; `-` is standard input")]
    follow: Annotated[bool, Meta(description="wait for more, like tail -F; also for files to appear")] = False
    poll_records: Annotated[int, Meta(ge=1, le=100_000, description="records of one poll at most")] = 2000
    line_bytes: Annotated[
        int, Meta(ge=1 << 16, description="of a longer line only this much is held, and it is refused")
    ] = 8 << 20

    def open(self) -> FileReader:
        """Find the files. Raises SourceUnavailable where one is missing and none is waited for."""
        return FileReader(self)


class FileReader(Reader):
    """Open files, read one after the other and fairly: a poll takes from the next one that has lines."""

    def __init__(self, source: FileSource) -> None:
        self._source = source
        self._files: dict[Partition, OpenFile] = {}
        self._reported: set[Partition] = set()
        self._looked = 0.0
        self._paused: set[Partition] = set()
        self._turn = 0
        self._look()
        if not self._files and not source.follow:
            raise SourceUnavailable(f"no such file: {', '.join(source.paths)}")

    def changes(self) -> Changes:
        if self._source.follow and time.monotonic() - self._looked >= FOLLOW_SECONDS:
            self._look()
        new = [partition for partition in self._files if partition not in self._reported]
        self._reported.update(new)
        return Changes(assigned=new)

    def poll(self, timeout: float) -> Sequence[Record]:
        end = time.monotonic() + timeout
        while True:
            records = self._read()
            if records or time.monotonic() >= end or (self.ended() and not self._paused):
                return records
            time.sleep(min(FOLLOW_SECONDS, max(0.0, end - time.monotonic())))

    def log_id(self, partition: Partition) -> str:
        return self._files[partition].log_id

    def seek(self, partition: Partition, offset: int | None) -> None:
        self._files[partition].seek(offset or 0)

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._paused.update(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._paused.difference_update(partitions)

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Nobody outside wants to know."""

    def lag(self) -> Mapping[Partition, int]:
        return {partition: file.lag() for partition, file in self._files.items() if file.sought}

    def ended(self) -> bool:
        return not self._source.follow and all(file.ended for file in self._files.values())

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def _look(self) -> None:
        """Find files that are new; one that was replaced is a further incarnation of its path."""
        self._looked = time.monotonic()
        for path in _found(self._source.paths):
            known = [partition for partition in self._files if _path(partition) == path]
            newest = self._files[known[-1]] if known else None
            if newest and not (self._source.follow and newest.replaced()):
                continue
            name = path if newest is None else f"{path}#{len(known)}"
            opened = OpenFile.open(path, self._source)
            if opened is not None:
                if newest is not None:
                    newest.finish()
                self._files[Partition(name, 0)] = opened

    def _read(self) -> Sequence[Record]:
        """Records of one file: the next in turn that has any."""
        ready = [p for p, file in self._files.items() if file.sought and p not in self._paused]
        for step in range(len(ready)):
            partition = ready[(self._turn + step) % len(ready)]
            records = self._files[partition].read(partition, self._source.poll_records)
            if records:
                self._turn += step + 1
                return records
        return ()


class OpenFile:
    """One incarnation of a file."""

    def __init__(self, path: str, raw: BinaryIO, log_id: str, source: FileSource) -> None:
        self.path = path
        self.log_id = log_id
        self.sought = False
        self.ended = False
        self._raw = raw
        self._stream: Stream = raw
        self._pipe = path == STDIN or not raw.seekable()
        self._wait = source.follow and not self._pipe  # an unfinished last line may still grow
        self._lines = Lines(source.line_bytes)
        self._offset = 0

    @classmethod
    def open(cls, path: str, source: FileSource) -> OpenFile | None:
        """None where it went away, or is still empty and waited for."""
        if path == STDIN:
            raw = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)  # nothing waits in a buffer unseen
            return cls(path, raw, f"stdin-{secrets.token_hex(8)}", source)
        try:
            opened = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by close
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceUnavailable(f"{path}: {error.strerror}") from error
        status = os.fstat(opened.fileno())
        head = os.pread(opened.fileno(), HEAD, 0) if stat.S_ISREG(status.st_mode) else b""
        if source.follow and b"\n" not in head and len(head) < HEAD:
            opened.close()
            return None  # its name would change with its first line
        return cls(path, opened, _log_id(status, head), source)

    def seek(self, offset: int) -> None:
        """Read on from a position of the decompressed stream, which a compressed file is read up to."""
        if self._pipe:
            if offset:
                raise LogChanged(f"{self.path} cannot be read again from {offset}")
            self._stream = Opening(self._raw)
        else:
            self._raw.seek(0)
            head = self._raw.read(4)
            self._raw.seek(0)
            self._stream = expanding(head, self._raw)
            self._skip(offset)
        self._offset, self.sought, self.ended = offset, True, False
        self._lines.clear()

    def read(self, partition: Partition, most: int) -> list[Record]:
        """The next lines, at most `most`."""
        records: list[Record] = []
        size = 0
        while not self.ended and len(records) < most and size < POLL_BYTES:
            line = self._lines.next()
            if line is None:
                if not self._more():
                    break
                continue
            start, self._offset = self._offset, self._offset + line.size
            if line.value.strip():
                records.append(self._record(partition, start, line))
            size += line.size
        return records

    def _record(self, partition: Partition, start: int, line: Line) -> Record:
        if not line.sha256:
            return Record(partition, start, self._offset, None, line.value)
        return Oversized(
            partition, start, self._offset, None, line.value[:SAMPLE], line.size - line.end, line.sha256
        )

    def lag(self) -> int:
        """Bytes of the file, as it is stored, that were not looked at."""
        if self._pipe or self.ended:
            return 0
        return max(0, os.fstat(self._raw.fileno()).st_size - self._raw.tell()) + self._lines.waiting

    def replaced(self) -> bool:
        """Whether the path names another file now, or this one was cut."""
        if self._pipe:
            return False
        try:
            status = os.stat(self.path)
        except OSError:
            return False
        mine = os.fstat(self._raw.fileno())
        return (status.st_dev, status.st_ino) != (mine.st_dev, mine.st_ino) or (
            mine.st_size < self._raw.tell()
        )

    def finish(self) -> None:
        """Nothing comes after what is there: an unfinished last line is a line."""
        self._wait = False

    def close(self) -> None:
        if self.path != STDIN:
            self._raw.close()

    def _more(self) -> bool:
        """Take the next piece of the stream; False at its present end."""
        if self._pipe and not _ready(self._raw):
            return False
        try:
            piece = self._stream.read(PIECE)
        except Damaged as error:
            return self._damaged(error)
        except OSError as error:
            raise SourceUnavailable(f"{self.path}: {error}") from error
        if piece:
            self._lines.add(piece)
            return True
        if self._wait:
            return False
        if getattr(self._stream, "unfinished", False):
            return self._damaged(Damaged("it ends in the middle"))
        last = self._lines.finish()
        self.ended = not last
        return last

    def _damaged(self, error: Damaged) -> bool:
        """Nothing readable follows. A line that no decoder takes puts that into quarantine."""
        self._stream = io.BytesIO(b"")
        self._wait = False
        self._lines.add(b"\ncompressed stream is damaged: " + str(error).encode() + b"\n")
        return True

    def _skip(self, offset: int) -> None:
        if self._stream is self._raw:
            if offset > os.fstat(self._raw.fileno()).st_size:
                raise LogChanged(f"{self.path} ends before {offset}")
            self._raw.seek(offset)
            return
        left = offset
        while left:
            try:
                piece = self._stream.read(min(left, 1 << 20))
            except Damaged:
                piece = b""
            if not piece:
                raise LogChanged(f"{self.path} ends before {offset}")
            left -= len(piece)


class Opening:
    """A pipe whose first bytes tell whether it is compressed."""

    def __init__(self, raw: Stream) -> None:
        self._raw = raw
        self._stream: Stream | None = None
        self._head = b""

    def read(self, size: int, /) -> bytes:
        if self._stream is None:
            self._head = self._raw.read(size) or b""
            if not compressed(self._head):
                self._stream = self._raw
                return self._head
            self._stream = expanding(self._head, Joined(self._head, self._raw))
        return self._stream.read(size) or b""


class Joined:
    """Bytes that were read already, and the stream that they came from."""

    def __init__(self, head: bytes, rest: Stream) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        piece, self._head = self._head[:size], self._head[size:]
        return piece or self._rest.read(size)


def _ready(pipe: BinaryIO) -> bool:
    """Whether reading would not wait."""
    try:
        return bool(select.select([pipe], [], [], 0)[0])
    except (OSError, ValueError):  # no descriptor: it is in memory
        return True


def _log_id(status: os.stat_result, head: bytes) -> str:
    name = f"{status.st_dev}:{status.st_ino}:".encode() + head.split(b"\n", 1)[0]
    return f"file-{blake2b(name, digest_size=8).hexdigest()}"


def _found(paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        if path == STDIN or Path(path).is_file() or Path(path).is_fifo():
            yield path
        else:
            yield from sorted(each for each in glob(path) if Path(each).is_file())


def _path(partition: Partition) -> str:
    return partition.name.partition("#")[0]
