"""What is sealed opens with its key, in its place, and nowhere else."""

from __future__ import annotations

import base64
import os
import threading
from multiprocessing import get_context
from multiprocessing.queues import Queue

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin import frame, sealing
from tocsin.contracts import ConfigError
from tocsin.model import Event, Message, Partition, Record, Reject
from tocsin.sealing import Keys, NoKey, Unsound
from tocsin.settings import EncryptionSettings

OLD, NEW = b"o" * 32, b"n" * 32
TEXT = "the patient's name is Odysseus"
PLACE = Partition("tocsin.exchange.1", 3)


def spelled(key: bytes) -> str:
    return base64.b64encode(key).decode()


def sealed_frame(keys: Keys, backfill: bool = False, text: str = TEXT) -> bytes:
    (value,) = frame.frames([Event(input=(Message("user", text),)), Reject(reason="invalid")], backfill)
    return frame.Sealer(keys)(value, PLACE)


def record(value: bytes, partition: Partition = PLACE) -> Record:
    return Record(partition, 7, 8, 1.7e9, value)


@given(st.binary(max_size=2000), st.text(max_size=40))
def test_what_was_sealed_comes_back(data: bytes, place: str) -> None:
    keys = Keys([NEW])
    sealed = keys.seal(data, place)
    assert keys.open(sealed, place) == data
    assert len(sealed) == len(data) + sealing.OVERHEAD


def test_the_first_key_seals_and_all_of_them_open() -> None:
    before, after = Keys([OLD]), Keys([NEW, OLD])
    assert after.open(before.seal(b"old", "p"), "p") == b"old"
    assert after.open(after.seal(b"new", "p"), "p") == b"new"
    with pytest.raises(NoKey):
        before.open(after.seal(b"new", "p"), "p")


def test_a_missing_key_is_told_with_its_remedy_and_without_any_key() -> None:
    sealed = Keys([OLD]).seal(b"x", "record 5")
    for keys in (None, Keys([NEW])):
        with pytest.raises(ConfigError, match="record 5 is sealed with a key .* add that key") as caught:
            sealing.opened(keys, sealed, "record 5")
        assert spelled(OLD) not in str(caught.value) and OLD.hex() not in str(caught.value)


def test_a_place_is_part_of_the_seal() -> None:
    keys = Keys([NEW])
    with pytest.raises(Unsound, match="moved"):
        keys.open(keys.seal(b"x", "record 5"), "record 6")


@given(st.integers(0, 200), st.integers(1, 255))
def test_changed_bytes_never_open(at: int, mask: int) -> None:
    keys = Keys([NEW])
    sealed = bytearray(keys.seal(b"data" * 30, "p"))
    sealed[at % len(sealed)] ^= mask
    with pytest.raises((Unsound, NoKey)):
        keys.open(bytes(sealed), "p")


def test_no_two_threads_and_no_two_owners_share_a_nonce() -> None:
    keys, sealed = Keys([NEW]), list[bytes]()
    threads = [
        threading.Thread(target=lambda: sealed.extend(keys.seal(b"x", "p") for _ in range(500)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sealed += [Keys([NEW]).seal(b"x", "p") for _ in range(20)]
    body = 1 + sealing.MARK
    assert len({one[body : body + sealing.SALT + sealing.NONCE] for one in sealed}) == 4020


def _seal_in_child(keys: Keys, out: Queue[bytes]) -> None:
    out.put(keys.seal(b"x", "p"))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_seals_under_a_salt_of_its_own() -> None:
    keys = Keys([NEW])
    ours = keys.seal(b"x", "p")
    context = get_context("fork")
    out: Queue[bytes] = context.Queue()
    child = context.Process(target=_seal_in_child, args=(keys, out))
    child.start()
    theirs = out.get(timeout=10)
    child.join(10)
    body = 1 + sealing.MARK
    assert ours[body : body + sealing.SALT] != theirs[body : body + sealing.SALT]
    assert keys.open(theirs, "p") == b"x"


def test_a_salt_that_sealed_enough_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "MESSAGES", 3)
    keys, body = Keys([NEW]), 1 + sealing.MARK
    sealed = [keys.seal(b"x", "p") for _ in range(7)]
    assert len({one[body : body + sealing.SALT] for one in sealed}) == 3
    assert all(keys.open(one, "p") == b"x" for one in sealed)


# Frames.


@pytest.mark.parametrize("backfill", [True, False])
def test_a_sealed_frame_holds_what_the_plain_one_did(backfill: bool) -> None:
    value = sealed_frame(Keys([NEW]), backfill)
    assert TEXT.encode() not in value
    unpacked = frame.Opener(Keys([NEW]))(record(value))
    assert [type(item) for item in unpacked.items] == [Event, Reject]
    assert unpacked.backfill is backfill and unpacked.size == len(value)


def test_plain_and_sealed_frames_of_both_keys_are_read_together() -> None:
    (plain,) = frame.frames([Event()])
    values = [plain, frame.TICK, sealed_frame(Keys([OLD])), sealed_frame(Keys([NEW, OLD]))]
    unpack = frame.Opener(Keys([NEW, OLD]))
    assert [len(unpack(record(value)).items) for value in values] == [1, 0, 2, 2]


def test_a_frame_without_its_key_stops_and_is_no_reject() -> None:
    for opener in (frame.Opener(), frame.Opener(Keys([OLD]))):
        with pytest.raises(NoKey, match="exchange.1/3"):
            opener(record(sealed_frame(Keys([NEW]))))


def test_a_frame_that_was_moved_or_changed_is_one_reject() -> None:
    keys = Keys([NEW])
    value, unpack = sealed_frame(keys), frame.Opener(keys)
    flipped = value[:1] + bytes((value[1] ^ frame.BACKFILL,)) + value[2:]
    for moved in (record(value, Partition("tocsin.exchange.1", 4)), record(value[:-1]), record(flipped)):
        (item,) = unpack(moved).items
        assert isinstance(item, Reject) and item.reason == "undecodable"


def test_sealed_frames_are_smaller_where_text_repeats() -> None:
    (plain,) = frame.frames([Event(input=(Message("user", "word " * 2000),))])
    assert len(frame.Sealer(Keys([NEW]))(plain, PLACE)) < len(plain) / 10


# Settings.


def test_the_key_that_seals_comes_first() -> None:
    made = EncryptionSettings(keys={"a": spelled(OLD), "b": spelled(NEW)}, seal_with="b")
    assert list(made.secrets.items()) == [("b", NEW), ("a", OLD)]
    assert EncryptionSettings(keys={"a": spelled(OLD)}).secrets == {"a": OLD}
    assert EncryptionSettings().secrets == {}


def test_keys_that_are_none_are_refused_without_being_quoted() -> None:
    for text in ("hunter2", "", spelled(b"short"), spelled(os.urandom(33)), "é" * 44):
        with pytest.raises(ValueError, match="openssl rand") as caught:
            EncryptionSettings(keys={"a": text})
        assert not text or text not in str(caught.value)
    for seal_with, keys in (("", ("a", "b")), ("c", ("a",)), ("c", ())):
        with pytest.raises(ValueError, match="seal_with"):
            EncryptionSettings(keys={name: spelled(os.urandom(32)) for name in keys}, seal_with=seal_with)


def test_settings_are_told_apart_from_other_tables() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"key": "x"}, EncryptionSettings)
