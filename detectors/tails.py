"""How far out a value lies: a threshold with a chosen risk, learnt from the tail of a stream."""

from __future__ import annotations

from math import expm1, log

import msgspec

BODY = 0.9  # share of the first values that lies below where the tail begins
PEAKS = 128  # excesses remembered, the last
EVERY = 8  # peaks after which the limit is reckoned anew
HALVE = 20_000  # values after which older ones count half
HEAVIEST = 0.5  # shape of a tail beyond which nothing could be told


class Tail(msgspec.Struct, array_like=True, gc=False):
    """A stream's tail: where it begins, how much lies there, how far out it reaches."""

    first: list[float] = []  # values until the tail is known
    seen: int = 0
    over: int = 0
    begins: float = 0.0
    peaks: list[float] = []
    limit: float = 0.0


def beyond(tail: Tail, value: float, warmup: int, risk: float) -> bool:
    """Whether a value is so far out that one in 1 / `risk` is; such a value is not learnt.

    Peaks over a threshold with a generalised Pareto tail, as a stream is watched by SPOT (Siffer, Fouque,
    Termier and Largouet, KDD 2017); its parameters by moments (Hosking and Wallis, Technometrics 1987). No
    shape below the exponential is believed, because a bounded tail promises too much.
    """
    if tail.seen < warmup:
        tail.first.append(value)
        tail.seen += 1
        if tail.seen == warmup:
            _begin(tail, risk)
        return False
    if value > tail.limit:
        return True
    tail.seen += 1
    if value > tail.begins:
        tail.over += 1
        tail.peaks = [*tail.peaks[1 - PEAKS :], value - tail.begins]
        if not tail.over % EVERY:
            tail.limit = _limit(tail, risk)
    if tail.seen > HALVE:
        tail.seen, tail.over = tail.seen // 2, max(1, tail.over // 2)
    return False


def _begin(tail: Tail, risk: float) -> None:
    ordered = sorted(tail.first)
    tail.begins = ordered[int(BODY * len(ordered))]
    tail.peaks = [value - tail.begins for value in tail.first if value > tail.begins][-PEAKS:]
    tail.over = max(1, len(tail.peaks))
    tail.first = []
    tail.limit = _limit(tail, risk)


def _limit(tail: Tail, risk: float) -> float:
    """The value that is passed with probability `risk`."""
    count = len(tail.peaks)
    if count < 2:
        return tail.begins + 1e9
    mean = sum(tail.peaks) / count
    variance = sum((peak - mean) ** 2 for peak in tail.peaks) / (count - 1)
    shape = 0.5 * (1.0 - mean * mean / variance) if variance > 0.0 else 0.0
    shape = min(max(shape, 0.0), HEAVIEST)
    scale, rarer = mean * (1.0 - shape), log(max(1.0, tail.over / (tail.seen * risk)))
    reach = scale * rarer if shape < 1e-6 else scale / shape * expm1(shape * rarer)
    return tail.begins + max(reach, 1.25 * max(tail.peaks))
