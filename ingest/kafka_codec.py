"""What kafka-python decompresses and checks, made bounded, and whether it does so natively.

The client decompresses a record batch without any limit: 260 KB of gzip become 256 MiB. A batch that
would grow beyond the bound, or whose compression is broken, is replaced by one short text record in its
place: it decodes to nothing, so it ends in quarantine like any other undecodable record, with its
offsets in the text, and reading goes on behind it.
"""

from __future__ import annotations

import importlib.util
import io
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from kafka import codec
from kafka.record import default_records, memory_records
from kafka.record.util import encode_varint

from tocsin.logs import Log

BOUND = 64 << 20  # bytes of one decompressed batch; `bound` sets it
NATIVE = {"crc32c": "crc32c", "lz4": "lz4.frame", "snappy": "cramjam", "zstd": "zstandard"}

log = Log("kafka")
_client: Any = memory_records  # where the client looks for the class of a batch
_Batch: Any = default_records.DefaultRecordBatch
_codec: Any = codec
_bound = [BOUND]


class TooLarge(ValueError):
    """The batch decompresses to more than the bound."""


class BoundedBatch(_Batch):  # type: ignore[misc]
    """A record batch that never decompresses to more than the bound."""

    _buffer: bytearray
    _pos: int
    _num_records: int
    _decompressed: bool

    def _maybe_uncompress(self) -> None:
        decode = _DECODERS.get(self.compression_type)
        if self._decompressed or decode is None:
            super()._maybe_uncompress()
            return
        self._assert_has_codec(self.compression_type)
        try:
            self._buffer = bytearray(decode(bytes(memoryview(self._buffer)[self._pos :]), _bound[0]))
        except MemoryError:
            raise
        except Exception as error:  # every library has its own; none may stop the partition
            self._stand_in(error)
        self._pos = 0
        self._decompressed = True

    def _stand_in(self, error: Exception) -> None:
        """Become one record in the last offset's place that says what was not read."""
        compressed = len(self._buffer) - self._pos
        log.error(
            "record batch not read",
            offset=self.base_offset,
            last_offset=self.last_offset,
            bytes=compressed,
            error=error,
        )
        text = (
            f"tocsin: offsets {self.base_offset} to {self.last_offset} were not read: "
            f"{compressed} compressed bytes, {str(error) or type(error).__name__}"
        )
        self._buffer = _record(self.last_offset_delta, text.encode())
        self._num_records = 1


def bound(size: int) -> None:
    """Read batches within `size` bytes, in the whole process."""
    _bound[0] = size
    _client.DefaultRecordBatch = BoundedBatch


def native() -> Mapping[str, bool]:
    """Which of the checksum and the codecs compiled code does."""
    return {name: importlib.util.find_spec(module) is not None for name, module in NATIVE.items()}


def _record(offset_delta: int, value: bytes) -> bytearray:
    body = bytearray(b"\0")  # attributes
    for number in (0, offset_delta, -1, len(value)):  # time and offset from the batch's, no key, value
        encode_varint(number, body.append)
    body += value
    encode_varint(0, body.append)  # headers
    record = bytearray()
    encode_varint(len(body), record.append)
    return record + body


def _gzip(data: bytes, limit: int) -> bytes:
    parts, left = [], limit
    while data:  # members follow one another
        member = zlib.decompressobj(wbits=31)
        parts.append(member.decompress(data, left + 1))
        left -= len(parts[-1])
        _check(left)
        if not member.eof:
            raise ValueError("the gzip stream ends too early")
        data = member.unused_data
    return b"".join(parts)


def _lz4(data: bytes, limit: int) -> bytes:
    frame = _codec.lz4.LZ4FrameDecompressor()
    plain: bytes = frame.decompress(data, max_length=limit + 1)
    _check(limit - len(plain))
    if not frame.eof:
        raise ValueError("the lz4 frame ends too early")
    return plain


def _zstd(data: bytes, limit: int) -> bytes:
    decompressor = _codec.zstd.ZstdDecompressor(max_window_size=max(limit, 1 << 23))
    with decompressor.stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
        plain: bytes = reader.read(limit + 1)
    _check(limit - len(plain))
    return plain


def _snappy(data: bytes, limit: int) -> bytes:
    parts, left = [], limit
    for block in _xerial(data) if _codec._detect_xerial_stream(data) else (data,):
        left -= _snappy_length(block)  # the library trusts this length: look before it allocates
        _check(left)
        parts.append(_codec.snappy.decompress(block))
    return b"".join(parts)


def _xerial(data: bytes) -> list[bytes]:
    """The blocks behind the 16 bytes of the stream's header."""
    blocks, at = [], 16
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        blocks.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return blocks


def _snappy_length(block: bytes) -> int:
    length = 0
    for shift, byte in enumerate(block[:5]):
        length |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return length
    raise ValueError("a snappy block without a length")


def _check(left: int) -> None:
    if left < 0:
        raise TooLarge(f"more than {_bound[0]} bytes when decompressed")


_DECODERS: Mapping[int, Callable[[bytes, int], bytes]] = {
    _Batch.CODEC_GZIP: _gzip,
    _Batch.CODEC_SNAPPY: _snappy,
    _Batch.CODEC_LZ4: _lz4,
    _Batch.CODEC_ZSTD: _zstd,
}
