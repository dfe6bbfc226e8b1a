"""Connecting, and telling apart what may pass, what never will, and which data is to blame."""

from __future__ import annotations

import fcntl
import logging
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver import options
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error
from clickhouse_connect.driver.httpclient import HttpClient

from sinks.clickhouse import ClickHouse, Place
from tocsin.contracts import SinkRefused, SinkUnavailable, TocsinError

# It would import pandas, where that is installed, to ask whether our lists are frames: 80 MB for a no.
setattr(options, "pd", None)  # noqa: B010

# The client logs what it raises, with stack and, at times, with a value: once is enough.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)

REFUSED = {
    **{16: "NO_SUCH_COLUMN_IN_TABLE", 20: "NUMBER_OF_COLUMNS_DOESNT_MATCH", 46: "UNKNOWN_FUNCTION"},
    **{47: "UNKNOWN_IDENTIFIER", 48: "NOT_IMPLEMENTED", 60: "UNKNOWN_TABLE", 62: "SYNTAX_ERROR"},
    **{81: "UNKNOWN_DATABASE", 115: "UNKNOWN_SETTING", 164: "READONLY", 192: "UNKNOWN_USER"},
    **{193: "WRONG_PASSWORD", 194: "REQUIRED_PASSWORD", 195: "IP_ADDRESS_NOT_ALLOWED"},
    **{452: "SETTING_CONSTRAINT_VIOLATION", 497: "ACCESS_DENIED", 516: "AUTHENTICATION_FAILED"},
}
QUOTING = {62}  # its text may hold what could not be read, and that may be a row
BAD_DATA = {
    **{6: "CANNOT_PARSE_TEXT", 26: "CANNOT_PARSE_QUOTED_STRING", 27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED"},
    **{32: "ATTEMPT_TO_READ_AFTER_EOF", 33: "CANNOT_READ_ALL_DATA", 38: "CANNOT_PARSE_DATE"},
    **{41: "CANNOT_PARSE_DATETIME", 53: "TYPE_MISMATCH", 69: "ARGUMENT_OUT_OF_BOUND"},
    **{70: "CANNOT_CONVERT_TYPE", 72: "CANNOT_PARSE_NUMBER", 117: "INCORRECT_DATA"},
    **{128: "TOO_LARGE_ARRAY_SIZE", 131: "TOO_LARGE_STRING_SIZE", 190: "SIZES_OF_ARRAYS_DONT_MATCH"},
    **{321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE", 349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN"},
    **{469: "VIOLATED_CONSTRAINT", 691: "UNKNOWN_ELEMENT_OF_ENUM"},
}


class BadData(TocsinError):
    """Something in the rows is to blame; nothing of the insert was stored."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turns what the client raises into the words of the contract.

    A code that is on no list counts as unavailable: trying again loses nothing. The server's text is
    passed on only where it cannot quote a row.
    """
    try:
        yield
    except Error as error:
        name = f"{error.name or type(error).__name__} ({error.code})" if error.code else type(error).__name__
        if error.code in REFUSED:
            said = "" if error.code in QUOTING else f": {str(error)[:300]}"
            raise SinkRefused(f"{what}: {name}{said}") from None
        if error.code in BAD_DATA:
            raise BadData(name) from None
        detail = "" if error.code else f": {str(error)[:200]}"
        raise SinkUnavailable(f"{what}: {name}{detail}") from None
    except OSError as error:  # the files that inserts into the embedded engine pass through
        raise SinkUnavailable(f"{what}: {error.strerror or type(error).__name__}") from None


class Connection:
    """A client together with what has to be let go of with it."""

    def __init__(self, settings: ClickHouse) -> None:
        self._closed = False
        self.settings = settings
        self.place = settings.place()
        self.database = self.place.database
        self._engine = _Engine.enter(self.place.path) if self.place.embedded else None
        try:
            self.client = self._connect()
        except BaseException:
            self._leave()
            raise

    def _connect(self) -> Client:
        with translated(f"connecting to {self.settings!r}"):
            try:
                return _embedded(self.place) if self.place.embedded else _server(self.settings, self.place)
            except ImportError:
                raise SinkRefused("chdb:// needs the embedded engine: install tocsin[embedded]") from None

    def patience(self, deadline: float, longest: float | None = None) -> dict[str, Any]:
        """Settings for one query that has to be over by `deadline` (time.monotonic() seconds).

        `longest`: seconds that its answer may take, where that is not what the settings say.

        Raises SinkUnavailable when there is no time left.
        """
        left = min(deadline - time.monotonic(), longest or self.settings.reply_seconds)
        if left <= 0:
            raise SinkUnavailable("no time left before the deadline")
        if isinstance(self.client, HttpClient):
            self.client.timeout = type(self.client.timeout)(connect=self.settings.connect_seconds, read=left)
        return {"max_execution_time": max(1, math.ceil(left))}

    def close(self) -> None:
        """Close the client, and the embedded engine with the last of its connections."""
        if not self._closed:
            self._closed = True
            self.client.close()
            self._leave()

    def _leave(self) -> None:
        if self._engine is not None:
            self._engine.leave()
            self._engine = None


def _embedded(place: Place) -> Client:
    return clickhouse_connect.get_client(
        interface="chdb", path=place.path or ":memory:", settings={"async_insert": 0}
    )


def _server(settings: ClickHouse, place: Place) -> Client:
    return clickhouse_connect.get_client(
        interface="https" if place.secure else "http",
        host=place.host,
        port=place.port,
        username=place.user,
        password=place.password,
        compress=False if settings.compression == "none" else settings.compression,
        connect_timeout=math.ceil(settings.connect_seconds),
        send_receive_timeout=math.ceil(settings.reply_seconds),
        verify=settings.verify,
        ca_cert=settings.ca_cert or None,
        client_name="tocsin",
        autogenerate_session_id=False,
        show_clickhouse_errors="scrub",
        settings={"async_insert": 0} | (QUORUM if settings.engine == "replicated" else {}),
    )


# Reading back must see what another replica confirmed.
QUORUM = {"insert_quorum": "auto", "insert_quorum_parallel": 0, "select_sequential_consistency": 1}


class _Engine:
    """The one embedded engine that a process can hold, shared by its connections.

    Inserts pass through plain files, and a killed process leaves them behind: they get a private
    directory beside the data, swept by whoever next holds the lock.
    """

    current: _Engine | None = None

    def __init__(self, path: str) -> None:
        self.path = path
        self.users = 0
        self._lock = -1
        self._before = (tempfile.tempdir, os.environ.get("TMPDIR"))
        self._inserts = Path(tempfile.mkdtemp(prefix="tocsin-")) if not path else self._claim(Path(path))
        tempfile.tempdir = os.environ["TMPDIR"] = str(self._inserts)

    def _claim(self, directory: Path) -> Path:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(directory / "tocsin.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            inserts = directory / "inserts"
            shutil.rmtree(inserts, ignore_errors=True)
            inserts.mkdir(mode=0o700)
        except BlockingIOError:
            os.close(self._lock)
            raise SinkRefused(f"{directory}: another process holds this database") from None
        except OSError as error:
            raise SinkUnavailable(f"{directory}: {error.strerror}") from None
        return inserts.absolute()

    @classmethod
    def enter(cls, path: str) -> _Engine:
        """The engine for this path. Raises SinkRefused where the process holds another one."""
        path = os.path.realpath(path) if path else ""
        if cls.current is None:
            cls.current = cls(path)
        elif cls.current.path != path:
            raise SinkRefused(
                f"one process holds one embedded database; it is {cls.current.path or 'memory'}"
            )
        cls.current.users += 1
        return cls.current

    def leave(self) -> None:
        """Give up one connection; the last one removes the directory and the lock."""
        self.users -= 1
        if self.users:
            return
        _Engine.current = None
        tempfile.tempdir = self._before[0]
        os.environ.pop("TMPDIR")
        if self._before[1] is not None:
            os.environ["TMPDIR"] = self._before[1]
        shutil.rmtree(self._inserts, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
