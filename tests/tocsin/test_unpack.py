"""Unpacking stamps every item with its place, and nothing a decoder does gets out."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Callable

import msgspec
import pytest
from parts import pace

from ingest.recognise import Recogniser
from tocsin.model import Decoded, Event, Partition, Record, Reject
from tocsin.settings import GroupSettings, LimitSettings
from tocsin.unpack import Oversized, Unpacker


class Scripted:
    """A decoder that does what it is told."""

    name = "scripted"

    def __init__(self, act: Callable[[bytes], Decoded]) -> None:
        self._act = act

    def decode(self, value: bytes) -> Decoded:
        return self._act(value)


def record(value: bytes, number: int = 3) -> Record:
    return Record(Partition("topic", number), 41, 42, 1795415000.0, value)


def returning(*items: Event | Reject) -> Scripted:
    return Scripted(lambda value: Decoded(items))


def rejected(unpack: Unpacker, value: bytes) -> Reject:
    (item,) = unpack(record(value))
    assert isinstance(item, Reject)
    return item


def test_items_know_their_place() -> None:
    first, broken, last = Unpacker(returning(Event(), Reject(reason="invalid"), Event()))(record(b"x"))
    for index, item in enumerate((first, broken, last)):
        place = (item.source, item.source_partition, item.source_offset, item.source_index)
        assert place == ("topic", 3, 41, index)
    assert isinstance(first, Event) and first.source_format == "scripted"


@pytest.mark.parametrize(
    ("event", "application"),
    [
        (Event(application="shop", service="s", agent="a"), "shop"),
        (Event(service="s", agent="a"), "s"),
        (Event(agent="a"), "a"),
        (Event(), "default"),
    ],
)
def test_the_application_is_the_first_name_that_is_given(event: Event, application: str) -> None:
    (item,) = Unpacker(returning(event))(record(b"x"))
    assert isinstance(item, Event) and item.application == application


def test_a_tenant_is_believed_only_where_that_is_said() -> None:
    for believed, tenant in ((False, "ours"), (True, "theirs")):
        groups = GroupSettings(tenant="ours", tenant_from_payload=believed)
        (item,) = Unpacker(returning(Event(tenant="theirs")), groups)(record(b"x"))
        assert item.tenant == tenant
        (item,) = Unpacker(returning(Event()), groups)(record(b"x"))
        assert item.tenant == "ours"


@pytest.mark.parametrize(
    "error", [ValueError("with text of the input"), RecursionError(), MemoryError(), KeyError()]
)
def test_a_decoder_that_raises_costs_its_record(error: Exception) -> None:
    def act(value: bytes) -> Decoded:
        raise error

    reject = rejected(Unpacker(Scripted(act)), b"x")
    assert reject.reason in ("invalid", "too_deep")
    assert "text of the input" not in reject.detail


def test_a_decoder_that_returns_nonsense_costs_its_record() -> None:
    assert rejected(Unpacker(returning("text")), b"x").reason == "invalid"  # type: ignore[arg-type]
    assert rejected(Unpacker(Scripted(lambda value: None)), b"x").reason == "invalid"  # type: ignore[arg-type,return-value]


def test_a_reject_has_size_digest_and_a_redacted_sample() -> None:
    value = b'{"note":"mail bob@example.org with AKIAZQ8XW2RT5YP9LS4K"}'
    reject = rejected(Unpacker(Recogniser()), value)
    assert (reject.reason, reject.size) == ("unrecognised", len(value))
    assert reject.sha256 == hashlib.sha256(value).hexdigest()
    assert reject.sample == '{"note":"mail [email] with [secret:aws_key]"}'
    assert reject.shape == "note"


def test_a_secret_across_the_end_of_the_sample_is_seen_whole() -> None:
    value = b"x" * 250 + b" AKIAZQ8XW2RT5YP9LS4K and more"
    assert "AKIA" not in rejected(Unpacker(Recogniser(), sample_bytes=256), value).sample


def test_samples_are_bounded_and_can_be_left_out() -> None:
    value = "é".encode() * 5000
    assert len(rejected(Unpacker(Recogniser(), sample_bytes=99), value).sample.encode()) <= 99
    assert rejected(Unpacker(Recogniser(), sample_bytes=0), value).sample == ""


def test_fifty_megabytes_are_refused_without_parsing() -> None:
    def act(value: bytes) -> Decoded:
        raise AssertionError("it was parsed")

    unpack = Unpacker(Scripted(act))
    value = b"[0," * (50_000_000 // 3)
    tracemalloc.start()
    reject = rejected(unpack, value)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (reject.reason, reject.size) == ("too_large", len(value))
    assert peak < 1_000_000
    assert pace.seconds(lambda: unpack(record(value))) < 0.5  # a digest over all of it


def test_a_record_that_its_source_did_not_read_is_told_as_it_was() -> None:
    oversized = Oversized(Partition("file", 0), 0, 99, None, b"beginning", 98, "digest")
    (reject,) = Unpacker(Recogniser())(oversized)
    assert isinstance(reject, Reject)
    assert (reject.reason, reject.size, reject.sha256, reject.sample) == (
        "too_large",
        98,
        "digest",
        "beginning",
    )


def test_many_rejects_of_one_record_cost_one_digest() -> None:
    value = b"x" * (1 << 20)
    unpack = Unpacker(returning(*[Reject(reason="invalid") for _ in range(2000)]))
    assert len(unpack(record(value))) == 2000
    assert pace.seconds(lambda: unpack(record(value))) < 0.1


def test_the_same_record_gives_the_same_items() -> None:
    unpack = Unpacker(Recogniser())
    values = [msgspec.json.encode(Event(user="u")), b"broken", b'{"unknown":1}']
    for value in values * 2:
        assert unpack(record(value)) == Unpacker(Recogniser())(record(value))


def test_a_record_below_the_limit_is_read() -> None:
    value = msgspec.json.encode(Event(user="u" * 900))
    (event,) = Unpacker(Recogniser(), limits=LimitSettings(record_bytes=1024 + 100))(record(value))
    assert isinstance(event, Event)
