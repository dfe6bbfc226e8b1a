"""Lines that carry JSON behind words of a shipper: CRI, syslog, Logstash's plain codec, loggers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

_SCAN = json.JSONDecoder().raw_decode
_SEAM = re.compile(rb"\}\s*\{")
_HEAD = 2048  # bytes in which the document must begin
_STARTS = 8  # places that are tried
_START = re.compile(rb"(?:^|(?<=[\s:=]))[{\[]")

_TIME = r"(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*)"
_SENDER = r"(?P<host>\S+) (?P<programname>[^\s:\[]+)(?:\[\d+\])?"
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("cri", rf"{_TIME} (?P<stream>stdout|stderr) [FP] $"),
        ("syslog", rf"<\d{{1,3}}>1 (?:{_TIME}|-) (?P<host>\S+) (?P<programname>\S+) \S+ \S+ "),
        ("syslog", rf"(?:<\d{{1,3}}>)?{_TIME} {_SENDER}: "),
        ("syslog", rf"(?:<\d{{1,3}}>)?[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d {_SENDER}: "),
        ("logstash", rf"{_TIME} (?:\{{name=(?P<host>[^,}}\s]+)[^{{}}]*\}}|%\{{host\}}|(?P<name>\S+)) $"),
        ("text", rf"{_TIME}[ \t]"),
    )
)


class Behind(NamedTuple):
    """A document that stood behind words, and what the words said."""

    name: str
    document: Any
    said: dict[str, str]


def behind(line: bytes) -> Behind | None:
    """The first place from which the whole rest of the line is JSON."""
    for start in _starts(line):
        try:
            document = orjson.loads(line[start:])
        except orjson.JSONDecodeError:
            continue
        if isinstance(document, dict | list):
            name, said = _words(line[:start].decode("utf-8", "replace"))
            return Behind(name, document, said)
    return None


def several(text: bytes) -> list[bytes]:
    """Documents that follow one another with nothing but blanks between them; what is broken is the last."""
    if not text.startswith(b"{") or not _SEAM.search(text):
        return []
    words, at, found = text.decode("utf-8", "replace"), 0, []
    while at < len(words):
        try:
            _, end = _SCAN(words, at)
        except (ValueError, RecursionError):
            end = len(words)
        found.append(words[at:end].encode())
        at = len(words) - len(words[end:].lstrip()) if end < len(words) else end
    return found


def _starts(line: bytes) -> Iterator[int]:
    for number, match in enumerate(_START.finditer(line, 0, _HEAD)):
        if number >= _STARTS:
            return
        yield match.start()


def _words(head: str) -> tuple[str, dict[str, str]]:
    for name, pattern in _KINDS:
        match = pattern.match(head)
        if match:
            return name, {key: text for key, text in match.groupdict().items() if text and text != "-"}
    return "text", {}
