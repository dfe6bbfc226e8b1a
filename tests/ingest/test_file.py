"""The file source keeps its contract: plain, compressed, followed, rotated, oversized."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import sys
import time
from pathlib import Path

import pytest
import zstandard

from ingest.file import FileReader, FileSource
from ingest.recognise import Recogniser
from tocsin.contracts import LogChanged, SourceUnavailable
from tocsin.model import Partition, Record, Reject
from tocsin.testing import check_source
from tocsin.unpack import Oversized, Unpacker

VALUES = [f'{{"tocsin":1,"user":"u{number}"}}'.encode() for number in range(500)]
TEXT = b"\n".join(VALUES) + b"\n"


def _written(path: Path, packing: str) -> Path:
    if packing == "gzip":
        path.write_bytes(gzip.compress(TEXT[:9_000]) + gzip.compress(TEXT[9_000:]))
    elif packing == "zstd":
        pack = zstandard.ZstdCompressor().compress
        path.write_bytes(pack(TEXT[:9_000]) + pack(TEXT[9_000:]))
    else:
        path.write_bytes(TEXT)
    return path


def _open(*paths: str | Path, follow: bool = False, line_bytes: int = 1 << 20) -> FileReader:
    return FileSource(paths=tuple(map(str, paths)), follow=follow, line_bytes=line_bytes).open()


def _start(reader: FileReader) -> list[Partition]:
    assigned = list(reader.changes().assigned)
    for partition in assigned:
        reader.seek(partition, None)
    return assigned


def _all(reader: FileReader, seconds: float = 5.0) -> list[Record]:
    _start(reader)
    records: list[Record] = []
    end = time.monotonic() + seconds
    while not reader.ended() and time.monotonic() < end:
        records += reader.poll(0.05)
    return records


def _next(reader: FileReader, count: int, seconds: float = 5.0) -> list[bytes]:
    """What comes while a file is followed."""
    values: list[bytes] = []
    end = time.monotonic() + seconds
    while len(values) < count and time.monotonic() < end:
        _start(reader)
        values += [record.value for record in reader.poll(0.05)]
    return values


@pytest.mark.parametrize("packing", ["plain", "gzip", "zstd"])
def test_the_contract_is_kept(tmp_path: Path, packing: str) -> None:
    path = _written(tmp_path / "log.jsonl", packing)
    check_source(FileSource(paths=(str(path),)), VALUES)


def test_several_files_are_several_partitions(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.jsonl").write_text(f'{{"{name}":1}}\n' * 10)
    reader = _open(tmp_path / "*.jsonl")
    records = _all(reader)
    assert [Path(p.name).name for p in dict.fromkeys(r.partition for r in records)] == ["a.jsonl", "b.jsonl"]
    assert len(records) == 20
    reader.close()


def test_offsets_count_bytes_of_the_decompressed_stream(tmp_path: Path) -> None:
    reader = _open(_written(tmp_path / "log.gz", "gzip"))
    records = _all(reader)
    for record in records:
        assert TEXT[record.offset : record.next_offset].rstrip(b"\n") == record.value
    reader.close()


def test_a_last_line_without_an_end_is_a_record(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"one\n\n \ntwo")
    reader = _open(tmp_path / "log")
    assert [record.value for record in _all(reader)] == [b"one", b"two"]
    reader.close()


def test_following_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntw")
    reader = _open(path, follow=True)
    assert _next(reader, 2, 0.5) == [b"one"]
    with path.open("ab") as file:
        file.write(b"o\n")
    assert _next(reader, 1) == [b"two"]
    reader.close()


def test_following_waits_for_a_file_to_appear(tmp_path: Path) -> None:
    reader = _open(tmp_path / "later", follow=True)
    assert _next(reader, 1, 0.3) == []
    (tmp_path / "later").write_bytes(b"here\n")
    assert _next(reader, 1) == [b"here"]
    reader.close()


def test_a_rotated_file_is_read_to_its_end_before_and_beside_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    reader = _open(path, follow=True)
    assert _next(reader, 1) == [b"one"]
    with path.open("ab") as old:
        path.rename(tmp_path / "log.1")
        path.write_bytes(b"three\n")
        old.write(b"two")
    assert sorted(_next(reader, 2)) == [b"three", b"two"]
    reader.close()


def test_a_truncated_file_is_another_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a longer first line\n")
    reader = _open(path, follow=True)
    first = _start(reader)
    ids = {reader.log_id(partition) for partition in first}
    assert [record.value for record in reader.poll(0.5)] == [b"a longer first line"]
    path.write_bytes(b"new\n")
    assert _next(reader, 1) == [b"new"]
    assert len(ids | {reader.log_id(Partition(f"{path}#1", 0))}) == 2
    reader.close()


def test_seeking_behind_the_end_is_a_changed_log(tmp_path: Path) -> None:
    for packing in ("plain", "gzip"):
        reader = _open(_written(tmp_path / packing, packing))
        with pytest.raises(LogChanged):
            reader.seek(next(iter(reader.changes().assigned)), len(TEXT) + 1)
        reader.close()


def test_a_replaced_file_has_another_name_as_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    names = set()
    for line in (b"first\n", b"other\n"):
        path.unlink(missing_ok=True)
        path.write_bytes(line)
        reader = _open(path)
        names.add(reader.log_id(next(iter(reader.changes().assigned))))
        reader.close()
    assert len(names) == 2


def test_a_huge_line_is_not_held_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.write(b"x" * 50_000_000 + b"\nafter\n")
    reader = _open(path, line_bytes=1 << 16)
    huge, after = _all(reader)
    assert isinstance(huge, Oversized)
    assert huge.size == 50_000_000
    assert huge.sha256 == hashlib.sha256(b"x" * 50_000_000).hexdigest()
    assert len(huge.value) < 1 << 16
    assert (huge.offset, huge.next_offset) == (0, 50_000_001)
    assert after.value == b"after"
    (reject,) = Unpacker(Recogniser())(huge)
    assert isinstance(reject, Reject)
    assert (reject.reason, reject.size, reject.sha256) == ("too_large", huge.size, huge.sha256)
    reader.close()


@pytest.mark.parametrize("cut", [False, True])
def test_of_broken_compression_the_sound_part_is_read(tmp_path: Path, cut: bool) -> None:
    lines = [random.Random(number).randbytes(300).hex().encode() for number in range(3000)]
    whole = gzip.compress(b"\n".join(lines), mtime=0)
    half = len(whole) // 2
    (tmp_path / "log.gz").write_bytes(whole[:half] + (b"" if cut else b"\xff" * 64 + whole[half:]))
    reader = _open(tmp_path / "log.gz")
    *read, told = [record.value for record in _all(reader)]
    assert read[:1400] == lines[:1400]
    assert b"damaged" in told
    (reject,) = Recogniser().decode(told).items
    assert isinstance(reject, Reject) and reject.reason == "undecodable"
    reader.close()


def test_compressed_standard_input_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT))))
    reader = _open("-")
    assert [record.value for record in _all(reader)] == VALUES


def test_an_idle_pipe_does_not_hold_up_a_poll(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    handle = os.open(path, os.O_RDWR)
    reader = _open(path)
    _start(reader)
    started = time.monotonic()
    assert not reader.poll(0.1)
    assert time.monotonic() - started < 10
    os.close(handle)
    reader.close()


def test_a_missing_file_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="no such file"):
        _open(tmp_path / "none")


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT)))
    reader = _open("-")
    assert [record.value for record in _all(reader)] == VALUES
    with pytest.raises(LogChanged):
        reader.seek(Partition("-", 0), 10)
    reader.close()


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    handle = os.open(path, os.O_RDWR)  # so that opening for reading does not wait
    os.write(handle, b"one\ntwo\n")
    reader = _open(path)
    _start(reader)
    os.close(handle)
    assert [record.value for record in reader.poll(1.0)] == [b"one", b"two"]
    reader.close()
