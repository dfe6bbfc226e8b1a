"""Alerts on a terminal, in a file or through a pipe: lines for people, or JSON lines for programs."""

from __future__ import annotations

import json
import math
import sys
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, TextIO

import msgspec
from msgspec import Meta

from tocsin.contracts import Sink, SinkRefused, SinkUnavailable, Writer, Written
from tocsin.model import Alert, Batch

COLOURS: Mapping[str, str] = {"critical": "1;31", "high": "31", "medium": "33", "low": "36", "info": "2"}
SHOWN_IDS = 3
LINE_CHARACTERS = 2000


class Console(Sink, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Alerts as lines; keeps nothing, so after a crash a line may come again.

    What is older than the first start is shown to no one: text leaves it out, JSON marks it `backfill`.
    """

    durable: ClassVar[bool] = False

    format: Annotated[
        Literal["text", "json"], Meta(description="lines for people, or one JSON object per line")
    ] = "text"
    to: Annotated[str, Meta(description="stderr, stdout, or a file that lines are added to")] = "stderr"

    def open(self) -> Writer:
        """Raises SinkRefused where the file cannot be written."""
        return ConsoleWriter(self)


class ConsoleWriter(Writer):
    """Writes the alerts of a batch and lets everything else pass."""

    def __init__(self, settings: Console) -> None:
        self._json = settings.format == "json"
        self._render = as_json if self._json else as_text
        self._own = settings.to not in ("stderr", "stdout")
        self._stream = _stream(settings.to)
        self._colour = not self._json and self._stream.isatty()

    def write(self, batch: Batch, deadline: float) -> None:
        alerts = [alert for alert in batch.alerts if self._json or not alert.backfill]
        try:
            for alert in alerts:
                line = self._render(alert)
                self._stream.write((coloured(alert, line) if self._colour else line) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            raise SinkRefused("nobody reads the alerts any more") from None
        except OSError as error:
            raise SinkUnavailable(f"console: {error.strerror}") from None

    def written(self, log_id: str, log_partition: int, from_offset: int) -> Written:
        return Written()

    def close(self) -> None:
        if self._own:
            self._stream.close()


def _stream(to: str) -> TextIO:
    if to in ("stderr", "stdout"):
        return sys.stderr if to == "stderr" else sys.stdout
    try:
        return open(to, "a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise SinkRefused(f"console: {to}: {error.strerror}") from None


def as_text(alert: Alert) -> str:
    """One line: severity, arrival time, application, what, who, summary, the first event ids."""
    when = datetime.fromtimestamp(min(max(alert.last_seen, 0.0), 2**32 - 1), UTC)
    again = "" if alert.status == "new" else f" [{alert.status}, {alert.count} times]"
    more = f" +{len(alert.event_ids) - SHOWN_IDS}" if len(alert.event_ids) > SHOWN_IDS else ""
    parts = [
        f"{alert.severity.name.upper():<8}",
        when.strftime("%Y-%m-%d %H:%M:%S"),
        f"{alert.tenant}/{alert.application}",
        alert.detector,
        alert.key,
        alert.summary + again,
        f"({', '.join(alert.event_ids[:SHOWN_IDS])}{more})" if alert.event_ids else "",
    ]
    return printable("  ".join(part for part in parts if part))[:LINE_CHARACTERS]


def as_json(alert: Alert) -> str:
    """One JSON object: every field of the alert under its own name, severity as a word, ASCII only."""
    fields = {name: _plain(value) for name, value in msgspec.structs.asdict(alert).items()}
    return json.dumps(fields | {"severity": alert.severity.name}, separators=(",", ":"), allow_nan=False)


def _plain(value: object) -> object:
    """The value as strict JSON can say it: no NaN, no infinity, no half of a surrogate pair."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def coloured(alert: Alert, line: str) -> str:
    """The line with its severity in colour."""
    word = alert.severity.name.upper()
    return f"\x1b[{COLOURS[alert.severity.name]}m{word}\x1b[0m{line[len(word) :]}"


def printable(text: str) -> str:
    """The text with everything that could steer a terminal or hide from the eye spelled out.

    Controls, line and paragraph separators, bidi and zero-width marks, private and unassigned
    characters and lone surrogates become `\\xNN` or `\\uNNNN`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if _harmless(c) else _spelled(c) for c in text)


def _harmless(character: str) -> bool:
    category = unicodedata.category(character)
    return character == " " or category[0] not in "CZ" or category == "Zs" and character == "\u3000"


def _spelled(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
