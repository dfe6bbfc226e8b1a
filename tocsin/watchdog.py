"""The watchdog ends a process that is stuck inside one step, and shows where."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

EXIT_STUCK = 70
STDERR = 2  # the descriptor: sys.stderr need not have one, and whoever is stuck may hold its lock
DUMP_SECONDS = 5  # for the stacks; where nobody reads standard error they are not waited for


class Stop(Protocol):
    """Set when something shall end; threading.Event is one."""

    def is_set(self) -> bool: ...


class _Guard:
    def __init__(self, what: str, limit: float, *, hard: bool, after: Stop | None = None) -> None:
        self.what = what
        self.thread = threading.get_ident()
        self.limit = limit  # seconds
        self.hard = hard
        self.after = after
        self.deadline: float | None = None

    def overdue(self, now: float) -> bool:
        if self.deadline is None and (self.after is None or self.after.is_set()):
            self.deadline = now + self.limit
        return self.deadline is not None and self.deadline < now


class Watchdog:
    """Watches guarded steps from a thread of its own; without `start` nobody watches.

    A step that makes no progress for `stuck_seconds` leads to `bite`: every thread's stack goes to
    standard error and the process exits with code 70. Where compiled code holds the interpreter
    lock, no Python thread runs: then faulthandler's own timer prints the stacks and exits with 1.
    """

    def __init__(
        self,
        stuck_seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        bite: Callable[[str], None] | None = None,
    ) -> None:
        self.stuck_seconds = stuck_seconds
        self._pause = min(1.0, stuck_seconds / 4)
        self._clock = clock
        self._bite = bite or _exit
        self._guards: dict[int, _Guard] = {}
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def guard(self, what: str, seconds: float | None = None, after: Stop | None = None) -> Iterator[None]:
        """Watch the block. `seconds` is a hard limit for all of it, which progress does not extend;
        it counts from when `after` is set, where that is given."""
        limit = self.stuck_seconds if seconds is None else seconds
        guard = _Guard(what, limit, hard=seconds is not None, after=after)
        guard.overdue(self._clock())
        self._guards[id(guard)] = guard
        try:
            yield
        finally:
            del self._guards[id(guard)]
            self.touch()

    def touch(self) -> None:
        """This thread makes progress: its guards, hard limits apart, start to count again."""
        thread, deadline = threading.get_ident(), self._clock() + self.stuck_seconds
        for guard in list(self._guards.values()):
            if guard.thread == thread and not guard.hard:
                guard.deadline = deadline

    def stuck(self) -> str | None:
        """What is overdue; None while all is well."""
        now = self._clock()
        return next((guard.what for guard in list(self._guards.values()) if guard.overdue(now)), None)

    def start(self) -> None:
        """Begin to watch."""
        self._arm()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)
            self._thread = None

    def _watch(self) -> None:
        while not self._closed.wait(self._pause):
            self._arm()
            what = self.stuck()
            if what is not None:
                self._bite(what)
        faulthandler.cancel_dump_traceback_later()

    def _arm(self) -> None:
        """Postpone what happens when even this thread cannot run."""
        faulthandler.dump_traceback_later(2 * self.stuck_seconds + self._pause, exit=True, file=STDERR)


def _exit(what: str) -> None:
    signal.alarm(DUMP_SECONDS)
    os.write(STDERR, f"stuck in: {what}\n".encode())
    faulthandler.dump_traceback(file=STDERR, all_threads=True)
    os._exit(EXIT_STUCK)
