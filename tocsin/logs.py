"""Logs: one line for each thing that happened, as JSON or as text, harmless in every terminal."""

from __future__ import annotations

import functools
import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from tocsin.reading.redaction import Redactor

CAP = 512  # characters of one value

Scalar = str | int | float | bool | None

# Control characters, escapes, direction overrides, invisible characters, tags and lone surrogates.
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)

_BARE = re.compile(r"[\w.,:;/@+-]+")  # what a text line shows without quotes


def visible(text: str, cap: int = CAP) -> str:
    """The text with everything that could act on a terminal or hide from a reader spelled out."""
    if len(text) > cap:
        text = f"{text[:cap]}… ({len(text)} characters)"
    return _HARMFUL.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text)


class Log:
    """Says what happened with fields beside it. Prompt text never belongs into either."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"tocsin.{name}")

    def debug(self, message: str, **fields: object) -> None:
        """For whoever develops."""
        self._log(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: object) -> None:
        """The life of the process."""
        self._log(logging.INFO, message, fields)

    def warning(self, message: str, **fields: object) -> None:
        """It goes on, but somebody should know."""
        self._log(logging.WARNING, message, fields)

    def error(self, message: str, **fields: object) -> None:
        """Something stopped, or was lost."""
        self._log(logging.ERROR, message, fields)

    def _log(self, level: int, message: str, fields: Mapping[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", message, extra={"fields": fields})


def setup(
    log_format: Literal["json", "text"] = "json",
    log_level: Literal["debug", "info", "warning", "error"] = "info",
    stream: TextIO | None = None,
) -> None:
    """Send the logs of the whole process to `stream` (standard error); replaces an earlier setup.

    Libraries are heard from warnings on: below that they may quote what they carry.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.getLogger("tocsin").setLevel(log_level.upper())
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    root.handlers[:] = [handler]
    logging.captureWarnings(True)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Scalar] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _told(record.getMessage()),
        }
        line.update((name, value) for name, value in _fields(record) if name not in line)
        return json.dumps(line, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """`time level logger: message  field=value ...` for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        name = record.name.removeprefix("tocsin.")
        fields = "".join(f"  {name}={_shown(value)}" for name, value in _fields(record))
        return f"{time} {record.levelname.lower()} {name}: {_told(record.getMessage())}{fields}"


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, Scalar]]:
    for name, value in getattr(record, "fields", {}).items():
        yield name, _plain(value)
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        frames = traceback.extract_tb(error.__traceback__)
        yield "error", _plain(error)
        yield (
            "where",
            visible(" < ".join(f"{f.filename}:{f.lineno} {f.name}" for f in reversed(frames)), 2000),
        )


def _plain(value: object) -> Scalar:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, BaseException):
        return _told(f"{type(value).__name__}: {value}")
    return _told(str(value))


def _told(text: str) -> str:
    """The text as a log may have it: an error of somebody else's code may quote what it was given."""
    return visible(_redactor().redact(text))


@functools.cache
def _redactor() -> Redactor:
    """Leaves addresses, which are hosts' here. Handlers format one record at a time."""
    from tocsin.reading.redaction import Redactor  # compiling its patterns takes a moment

    return Redactor(leaving=("ip",))


def _shown(value: Scalar) -> str:
    bare = not isinstance(value, str) or _BARE.fullmatch(value)
    return str(value) if bare else json.dumps(value, ensure_ascii=False)
