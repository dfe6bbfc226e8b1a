"""What the libraries are asked to do is what the core would ask of them."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.core import real_plan, wire_events
from bench.libraries import calls, costs
from tocsin.model import Event
from tocsin.settings import ContentSettings

WIRE = wire_events(300)


@pytest.mark.parametrize("mode", ["features", "excerpt"])
def test_each_new_message_is_digested_once_and_all_that_is_kept_is_scanned(mode: str) -> None:
    plan = msgspec.structs.replace(real_plan(), content=msgspec.convert({"mode": mode}, ContentSettings))
    made = calls(plan, [WIRE[:200], WIRE[200:]])
    events = [msgspec.json.decode(line, type=Event) for line in WIRE]
    said = [(event.input[-1].text, event.output[0].text) for event in events]
    digested = [text for each in made for text in each.messages]
    assert digested == [text.encode() for pair in said for text in pair], "what is repeated is not new"
    scanned = b"".join(text for each in made for text in each.scanned)
    assert all(event.trace_id.encode() in scanned for event in events)
    kept = [question[:200].encode() in scanned for question, _ in said]
    assert kept == [mode == "excerpt"] * len(said)
    assert [len(each.wire) for each in made] == [200, 100] == [len(each.values) // 3 for each in made]


def test_every_library_costs_something() -> None:
    told = costs(calls(real_plan(), [WIRE]))
    assert set(told) == {"decode", "digests", "scans", "windows"}
    assert all(figure > 0 for figure in told.values())
