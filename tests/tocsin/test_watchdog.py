"""The watchdog ends who is stuck, and only who is stuck."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tocsin import watchdog
from tocsin.watchdog import EXIT_STUCK, Watchdog


class Hand:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def dog(clock: Hand) -> Watchdog:
    return Watchdog(60.0, clock=clock)


def test_a_step_without_progress_is_stuck(dog: Watchdog, clock: Hand) -> None:
    with dog.guard("the loop"):
        clock.now += 60
        assert dog.stuck() is None
        clock.now += 1
        assert dog.stuck() == "the loop"
    assert dog.stuck() is None


def test_touch_postpones(dog: Watchdog, clock: Hand) -> None:
    with dog.guard("the loop"):
        for _ in range(10):
            clock.now += 59
            dog.touch()
        assert dog.stuck() is None
        clock.now += 61
        assert dog.stuck() == "the loop"


def test_touch_does_not_postpone_a_hard_limit(dog: Watchdog, clock: Hand) -> None:
    with dog.guard("the loop"), dog.guard("stopping", 10.0):
        for _ in range(11):
            clock.now += 1
            dog.touch()
        assert dog.stuck() == "stopping"


def test_a_hard_limit_counts_from_when_it_is_set_off(dog: Watchdog, clock: Hand) -> None:
    stop = threading.Event()
    with dog.guard("stopping", 10.0, after=stop):
        clock.now += 1000
        assert dog.stuck() is None
        stop.set()
        assert dog.stuck() is None
        clock.now += 11
        assert dog.stuck() == "stopping"


def test_the_end_of_an_inner_step_is_progress_of_the_outer(dog: Watchdog, clock: Hand) -> None:
    with dog.guard("outer"):
        clock.now += 50
        with dog.guard("inner"):
            clock.now += 5
        clock.now += 50
        assert dog.stuck() is None


def test_a_step_that_raises_is_over(dog: Watchdog, clock: Hand) -> None:
    with pytest.raises(ZeroDivisionError), dog.guard("the loop"):
        raise ZeroDivisionError
    clock.now += 1000
    assert dog.stuck() is None


def test_a_thread_does_not_speak_for_another(dog: Watchdog, clock: Hand) -> None:
    with dog.guard("the loop"):
        clock.now += 50
        other = threading.Thread(target=dog.touch)
        other.start()
        other.join()
        clock.now += 20
        assert dog.stuck() == "the loop"


@contextmanager
def watching(clock: Hand, bite: Callable[[str], None]) -> Iterator[Watchdog]:
    """Long enough that a busy machine is not taken for compiled code that holds the interpreter."""
    dog = Watchdog(4.0, clock=clock, bite=bite)
    dog._pause = 0.02
    dog.start()
    try:
        yield dog
    finally:
        dog.close()


def test_who_is_stuck_is_bitten(clock: Hand) -> None:
    bitten: queue.SimpleQueue[str] = queue.SimpleQueue()
    with watching(clock, bitten.put) as dog, dog.guard("the loop"):
        time.sleep(0.1)
        assert bitten.empty()
        clock.now += 5
        assert bitten.get(timeout=10) == "the loop"


def test_who_moves_or_does_nothing_is_not_bitten(clock: Hand) -> None:
    bitten: list[str] = []
    with watching(clock, bitten.append) as dog:
        with dog.guard("the loop"):
            for _ in range(10):
                clock.now += 3.9
                time.sleep(0.03)
                dog.touch()
        clock.now += 100
        time.sleep(0.1)
    assert not bitten


def test_nobody_watches_after_close(clock: Hand) -> None:
    bitten: list[str] = []
    with watching(clock, bitten.append) as dog:
        pass
    with dog.guard("the loop"):
        clock.now += 100
        time.sleep(0.1)
    assert not bitten
    dog.close()


@pytest.mark.parametrize("broken", ["capsys", "none"])
def test_standard_error_need_not_be_a_file(
    broken: str, clock: Hand, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a thread raises fails a test here; beneath capsys sys.stderr has no descriptor."""
    if broken == "none":
        monkeypatch.setattr(sys, "stderr", None)
    bitten = threading.Event()
    with watching(clock, lambda what: bitten.set()) as dog, dog.guard("the loop"):
        clock.now += 5
        assert bitten.wait(10)


# A process of its own.

STUCK = """
import sys, threading, time
from tocsin.watchdog import Watchdog

def dig():
    {stuck}

dog = Watchdog(0.3)
dog.start()
threading.Thread(target=time.sleep, args=(60,), name="idle", daemon=True).start()
{before}
with dog.guard("the detect loop"):
    dig()
"""


def bitten(stuck: str, before: str = "", read: bool = True) -> tuple[int, str]:
    code = STUCK.format(stuck=stuck, before=before)
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = process.stderr.read() if read else ""
        return process.wait(30), told


def test_a_stuck_process_shows_every_stack_and_exits_with_70() -> None:
    code, told = bitten("time.sleep(60)")
    assert code == EXIT_STUCK == 70
    assert told.startswith("stuck in: the detect loop\n")
    assert "in dig" in told and told.count("hread 0x") == 3


def test_a_process_that_is_stuck_inside_its_own_logging_exits_too() -> None:
    code, told = bitten(
        "lock.acquire()",
        "class Locked:\n"
        "    def write(self, text): lock.acquire()\n"
        "    def flush(self): lock.acquire()\n"
        "lock = threading.Lock(); lock.acquire(); sys.stderr = Locked()",
    )
    assert code == EXIT_STUCK and "in dig" in told


def test_a_process_whose_interpreter_is_held_by_compiled_code_ends_with_its_stacks() -> None:
    code, told = bitten("ctypes.PyDLL(None).sleep(60)", "import ctypes")
    assert code == 1 and "in dig" in told


def test_a_process_whose_standard_error_is_not_read_ends_all_the_same() -> None:
    fill = "import os; os.set_blocking(2, False); full = lambda: os.write(2, b'x' * 4096)"
    code, _ = bitten(
        "time.sleep(60)",
        f"import contextlib; {fill}\n"
        "with contextlib.suppress(BlockingIOError):\n"
        "    while full(): pass\n"
        "os.set_blocking(2, True)\n"
        "from tocsin import watchdog; watchdog.DUMP_SECONDS = 1",
        read=False,
    )
    assert code == -14  # by SIGALRM: os._exit is never reached
    assert watchdog.DUMP_SECONDS < 10 and os.name == "posix"
