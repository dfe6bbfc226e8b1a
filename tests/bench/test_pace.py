"""The measure of the bounds: the same on a busy machine, and ten times as much is told as such."""

from __future__ import annotations

import threading

from parts import pace


def test_the_fixed_work_takes_what_it_took_however_busy_the_machine_is() -> None:
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(1000))

    busy = threading.Thread(target=spin)
    busy.start()
    try:
        assert pace.seconds(pace.work) < 2 * pace.REFERENCE_SECONDS
    finally:
        stop.set()
        busy.join()


def test_ten_times_the_work_is_told() -> None:
    def ten() -> None:
        for _ in range(10):
            pace.work()

    assert pace.seconds(ten) > 5 * pace.seconds(pace.work)


def test_no_machine_is_faster_than_those_of_the_bounds() -> None:
    assert pace.slowness() >= 1
