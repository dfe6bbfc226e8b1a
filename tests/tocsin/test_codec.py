"""States come back bit for bit, and bytes that name anything else are refused."""

from __future__ import annotations

import pickle
import random
from collections import deque
from typing import Any

import msgspec
import numpy
import pytest
from msgspec.msgpack import Ext

from tocsin.codec import Codec
from tocsin.contracts import StateUnreadable


class State(msgspec.Struct):
    window: Any
    last: deque[float]
    sums: numpy.ndarray
    seen: dict[str, float]
    pair: tuple[int, float] = (0, 0.5)


CODEC: Codec[State] = Codec(State)


def state() -> State:
    from river.drift import ADWIN

    window = ADWIN(delta=0.01, grace_period=5)  # type: ignore[no-untyped-call,unused-ignore]
    return State(window, deque([], 8), numpy.zeros((2, 3)), {})


def learn(state: State, value: float) -> bool:
    state.window.update(value)
    state.last.append(value)
    state.sums[0] += value
    state.seen[str(int(value))] = value
    return bool(state.window.drift_detected)


@pytest.mark.parametrize("seed", range(4))
def test_a_round_trip_in_mid_stream_changes_nothing(seed: int) -> None:
    chance = random.Random(seed)
    values = [chance.gauss(5 if at < 400 else 9, 1) for at in range(800)]
    straight, interrupted, drifts = state(), state(), 0
    for at, value in enumerate(values):
        if chance.random() < 0.1:
            interrupted = CODEC.decode(CODEC.encode(interrupted))
        drifted = learn(straight, value)
        assert learn(interrupted, value) == drifted, at
        drifts += drifted
    assert CODEC.encode(straight) == CODEC.encode(interrupted)
    assert drifts > 0
    assert interrupted.last == straight.last and interrupted.last.maxlen == 8
    assert interrupted.pair == (0, 0.5)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_arrays_keep_type_and_shape_and_stay_writable(dtype: str) -> None:
    codec: Codec[Any] = Codec(Any)
    array = numpy.arange(12).reshape(3, 4).astype(dtype)
    copy = codec.decode(codec.encode(array))
    assert copy.dtype == array.dtype and (copy == array).all()
    copy[0, 0] = 1


@pytest.mark.parametrize(
    "value",
    [
        numpy.array([object()]),
        numpy.array(["text"]),
        deque([(1, 2)]),
        random.Random(1),
        lambda: None,
        2**70,
    ],
)
def test_what_cannot_be_stored_exactly_is_refused_when_written(value: Any) -> None:
    with pytest.raises((TypeError, OverflowError)):
        Codec(Any).encode(value)


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this must never run",)


def disguised(code: int, inside: list[Any]) -> bytes:
    return msgspec.msgpack.encode(Ext(code, msgspec.msgpack.encode(inside)))


@pytest.mark.parametrize(
    "payload",
    [
        pickle.dumps(Harmful()),
        msgspec.msgpack.encode(Ext(99, b"\x90")),
        msgspec.msgpack.encode(Ext(1, b"not msgpack")),
        disguised(1, [0.01, 32, 5, 5, 10, False, b"garbage"]),
        disguised(1, [0.01, 32, 5, 5, 10, False, pickle.dumps(Harmful())]),
        disguised(2, ["|O", [1], b"12345678"]),
        disguised(2, ["<f8", [5], b"12345678"]),
        msgspec.msgpack.encode(Ext(3, bytes(2 << 20))),
        b"",
        b"\xc1",
    ],
)
def test_bytes_of_anything_else_are_refused(payload: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("river.drift")
    with pytest.raises(StateUnreadable):
        Codec(Any).decode(payload)
    assert "must never run" not in capfd.readouterr().out


def test_another_class_in_a_field_is_refused() -> None:
    class Other(msgspec.Struct):
        window: numpy.ndarray

    codec: Codec[Other] = Codec(Other)
    anything: Codec[Any] = Codec(Any)
    with pytest.raises(StateUnreadable):
        codec.decode(anything.encode({"window": deque([1.0])}))
