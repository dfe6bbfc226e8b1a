"""Detector states as bytes: msgpack of plain data, plus a short list of classes whose state is exact.

No class is ever looked up by a name that the bytes bring along: an unknown or oversized payload is
refused with StateUnreadable.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar, get_origin

import msgspec
from msgspec.msgpack import Ext

from tocsin.adwin import adwin_class
from tocsin.contracts import StateUnreadable

V = TypeVar("V")

MAX_BYTES = 1 << 20  # of one object; a longer one is corrupt
_DTYPES = frozenset(f"<{kind}{size}" for kind in "iuf" for size in "248") - {"<f2"} | {"|b1", "|i1", "|u1"}


class Codec(Generic[V]):
    """Turns values of one type into bytes and back, so that the copy behaves bit for bit the same."""

    def __init__(self, kind: Any) -> None:  # a type or a union of types
        self._encoder = msgspec.msgpack.Encoder(enc_hook=_pack)
        self._decoder: msgspec.msgpack.Decoder[V] = msgspec.msgpack.Decoder(
            kind, dec_hook=_accept, ext_hook=_unpack
        )

    def encode(self, value: V) -> bytes:
        """Raises TypeError for a class that is not on the list."""
        return self._encoder.encode(value)

    def decode(self, data: bytes) -> V:
        """Raises StateUnreadable for anything but bytes that `encode` made."""
        try:
            return self._decoder.decode(data)
        except StateUnreadable:
            raise
        except Exception as error:  # river's and numpy's own decoders raise what they like
            raise StateUnreadable(f"state of another shape: {type(error).__name__}") from error


class _Known(NamedTuple):
    """One class on the list: where it lives, its exact state as plain data, and back."""

    code: int
    module: str
    name: str
    take: Callable[[Any], tuple[Any, ...]]
    make: Callable[..., Any]


def _adwin_take(adwin: Any) -> tuple[Any, ...]:
    helper = adwin._helper
    return (
        adwin.delta,
        adwin.clock,
        adwin.max_buckets,
        adwin.min_window_length,
        adwin.grace_period,
        adwin._drift_detected,
        helper.__getstate__(),
    )


def _adwin_make(
    delta: float, clock: int, buckets: int, window: int, grace: int, drift: bool, state: bytes
) -> Any:
    adwin = adwin_class()(
        delta=delta, clock=clock, max_buckets=buckets, min_window_length=window, grace_period=grace
    )
    try:
        adwin._helper.__setstate__(state)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in Rust is not an Exception
        raise StateUnreadable("an ADWIN window that cannot be read") from error
    if adwin._helper.__getstate__() != state:
        raise StateUnreadable("an ADWIN window that does not read back")
    adwin._drift_detected = drift
    return adwin


def _array_take(array: Any) -> tuple[Any, ...]:
    if array.dtype.str not in _DTYPES:
        raise TypeError(f"arrays of {array.dtype} cannot be stored")
    return array.dtype.str, array.shape, array.tobytes()


def _array_make(dtype: str, shape: list[int], data: bytes) -> Any:
    import numpy

    if dtype not in _DTYPES:
        raise StateUnreadable("an array of a kind that is not on the list")
    return numpy.frombuffer(data, dtype).reshape(shape).copy()


def _deque_take(items: deque[Any]) -> tuple[Any, ...]:
    if not all(item is None or isinstance(item, int | float | str | bytes) for item in items):
        raise TypeError("a deque in a state holds numbers, text or bytes")
    return items.maxlen, list(items)


def _deque_make(limit: int | None, items: list[Any]) -> deque[Any]:
    return deque(items, limit)


_KNOWN = (
    _Known(1, "river.drift.adwin", "ADWIN", _adwin_take, _adwin_make),
    _Known(2, "numpy", "ndarray", _array_take, _array_make),
    _Known(3, "collections", "deque", _deque_take, _deque_make),
)
_BY_CODE = {known.code: known for known in _KNOWN}


def _pack(value: Any) -> Ext:
    for known in _KNOWN:
        # Not imported means that the value cannot be one: river is heavy and may not be needed.
        module = sys.modules.get(known.module)
        if module is not None and type(value) is getattr(module, known.name):
            return Ext(known.code, msgspec.msgpack.encode(known.take(value)))
    raise TypeError(f"{type(value).__qualname__} cannot be stored in a state")


def _unpack(code: int, data: memoryview) -> Any:
    known = _BY_CODE.get(code)
    if known is None or len(data) > MAX_BYTES:
        raise StateUnreadable(f"object {code} of {len(data)} bytes is not on the list")
    return known.make(*msgspec.msgpack.decode(data, type=list[Any]))


def _accept(kind: Any, value: Any) -> Any:
    if not isinstance(value, get_origin(kind) or kind):
        raise StateUnreadable(f"{type(value).__name__} where {kind} belongs")
    return value
