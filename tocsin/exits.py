"""What the process says when it ends: one exit code for each sort of ending."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.contracts import (
    ConfigError,
    Fenced,
    LogChanged,
    SinkRefused,
    SinkUnavailable,
    SourceUnavailable,
    StateUnreadable,
    StoreUnavailable,
    TocsinError,
)

OK, PROBLEMS, USAGE, DATA, UNAVAILABLE, INTERNAL, CONFIG, INTERRUPTED = 0, 1, 2, 65, 69, 70, 78, 130

EXITS: Mapping[int, str] = {
    OK: "done, or stopped in order",
    PROBLEMS: "done, and something was found that is wrong",
    USAGE: "the command line cannot be understood",
    DATA: "the log or the stored state is not the one that was expected: somebody has to decide",
    UNAVAILABLE: "a source, sink or store stayed away too long, or refused: starting again may help",
    INTERNAL: "stuck, or a mistake in Tocsin: the stacks are on standard error",
    CONFIG: "the configuration is wrong: every mistake is on standard error",
    INTERRUPTED: "interrupted twice: left at once, without a last checkpoint",
}

_CODES: tuple[tuple[type[TocsinError], int], ...] = (
    (ConfigError, CONFIG),
    (LogChanged, DATA),
    (StateUnreadable, DATA),
    (SinkUnavailable, UNAVAILABLE),
    (SinkRefused, UNAVAILABLE),
    (SourceUnavailable, UNAVAILABLE),
    (StoreUnavailable, UNAVAILABLE),
    (Fenced, UNAVAILABLE),
)


def code_of(error: TocsinError) -> int:
    """The exit code that an error ends the process with."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), PROBLEMS)
