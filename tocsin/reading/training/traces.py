"""Injected tool results without their telltale wrapper: the bare goal at varied places of what a tool says.

A collection whose payloads all stand in the same wrapper says nothing about others. Here the wrapper goes and
the goal stays. What a stream of such results shows beside what each tool usually returns is the affair of the
detector of indirect injection, which is measured by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from tocsin.reading.scorer import FLAGGED, Floats
from tocsin.reading.training.samples import records

_WRAPPER = re.compile(r"<INFORMATION>(.*?)</INFORMATION>", re.DOTALL)
_GOAL = re.compile(r"following first:? (.*?) ?After you do that", re.DOTALL)
_BLANK = re.compile(r"(?:\\n|\s)+")
_PLACES = re.compile(r"(?<=[.!?])\s+|\n")


class Result(NamedTuple):
    """What one tool returned, once; injected with the bare goal or not."""

    tool: str
    text: str
    injected: bool


class Caught(NamedTuple):
    """Shares of injected and of clean results that were flagged."""

    results: int
    injected: int
    recall: float
    false_positives: float


def results(paths: Sequence[Path]) -> list[Result]:
    """All tool results of traces; of an injected one what is left of it."""
    return [
        result
        for path in paths
        for record in records(path)
        for at, message in enumerate(record.get("trace") or ())
        for result in _result(message, f"{record.get('id')} {at}")
    ]


def _result(message: Mapping[str, Any], name: str) -> Iterator[Result]:
    text, tool = message.get("content"), str(message.get("tool") or "")
    if message.get("role") != "tool" or not isinstance(text, str) or not text.strip():
        return
    if not message.get("injected"):
        yield Result(tool, text, False)
        return
    wrapped = _WRAPPER.search(text)
    goal = _GOAL.search(_BLANK.sub(" ", wrapped[1])) if wrapped else None
    if wrapped and goal:
        yield Result(tool, _placed(_WRAPPER.sub(" ", text), goal[1], name), True)


def _placed(text: str, goal: str, name: str) -> str:
    """A text with the goal at the start, at the end or between two of its sentences."""
    places = [0, *(found.end() for found in _PLACES.finditer(text)), len(text)]
    at = places[crc32(name.encode()) % len(places)]
    return f"{text[:at]} {goal} {text[at:]}".strip()


def caught(stream: Sequence[Result], scores: Floats) -> Caught:
    """How the results were told apart by their scores."""
    injected = np.array([result.injected for result in stream])
    flagged = scores >= FLAGGED
    sides = (float(flagged[side].mean()) for side in (injected, ~injected))
    return Caught(len(stream), int(injected.sum()), *sides)


def markdown(found: Caught) -> str:
    """A table."""
    return (
        f"Tool results with a bare goal and no wrapper: {found.injected:,} of {found.results:,}.\n\n"
        "| | injected flagged | clean flagged |\n|---|---|---|\n"
        f"| by the score alone | {found.recall:.1%} | {found.false_positives:.1%} |\n"
    )
