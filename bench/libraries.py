"""What the libraries alone cost on the events of the bench of the core: the calls that no core can leave out.

The typed decode of each event, a keyed digest of each message that is new, Hyperscan over all that has to be
looked at before it is kept, and the ADWIN windows of `drift`. Nothing is looked up, decided or kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import chain
from math import log1p
from time import process_time
from typing import Any, NamedTuple

import msgspec

from tocsin import core
from tocsin.adwin import adwin_class
from tocsin.core import PartitionState, Plan, Unpacked
from tocsin.glance import BETWEEN, NAMED, blocks, names
from tocsin.history import Seen
from tocsin.model import Event, Signals
from tocsin.reading.redaction import Redactor
from tocsin.signals import read


class Calls(NamedTuple):
    """The arguments of all calls for one batch."""

    wire: Sequence[bytes]
    messages: Sequence[bytes]  # those that are new
    scanned: Sequence[bytes]
    values: Sequence[float]  # for the windows


def calls(plan: Plan, wire: Sequence[Sequence[bytes]]) -> list[Calls]:
    """What the core would ask the libraries, batch by batch."""
    state = PartitionState.fresh(plan, "bench", 0)
    decode = msgspec.json.Decoder(Event).decode
    made: list[Calls] = []
    for number, batch in enumerate(wire):
        record = Unpacked(number, number + 1, None, [decode(line) for line in batch], 0)
        seen = core._first_pass(state, [core.Work(record, record.items)]).seen
        signals = read(seen, plan.content, plan.reading)
        texts = [text.encode() for one in seen for text in _new_texts(one)]
        made.append(Calls(batch, texts, _scanned(state, seen, signals), _values(record.items)))
    return made


def costs(made: Sequence[Calls]) -> dict[str, float]:
    """Microseconds of CPU an event of each library, over all batches."""
    works: dict[str, Callable[[Any], None]] = {
        "decode": _decode(),
        "digests": _digest(),
        "scans": _scan(),
        "windows": _update(),
    }
    spent = dict.fromkeys(works, 0.0)
    for each in made:
        for (name, work), arguments in zip(works.items(), each, strict=True):
            start = process_time()
            work(arguments)
            spent[name] += process_time() - start
    events = sum(len(each.wire) for each in made)
    return {name: seconds / events * 1e6 for name, seconds in spent.items()}


def _new_texts(seen: Seen) -> list[str]:
    event = seen.event
    return [event.input[at].text for at in seen.new_input] + [event.output[at].text for at in seen.new_output]


def _scanned(state: PartitionState, seen: Sequence[Seen], signals: Sequence[Signals]) -> list[bytes]:
    redaction, content = state.redaction, state.plan.content
    keeps = content.mode != "features"
    new = [
        redaction._new(one.event, told) if keeps else ((), ())
        for one, told in zip(seen, signals, strict=True)
    ]
    events, rich = [one.event for one in seen], [one.rich for one in seen]
    texts = [BETWEEN.join(each) for each in map(redaction._glance.texts, events, new, rich) if each]
    named = [BETWEEN.join(chain.from_iterable(map(names, part))) for part in _parts(events)]
    return [text.encode() for text in (*named, *map(BETWEEN.join, blocks(texts)))]


def _parts(events: Sequence[Event]) -> list[Sequence[Event]]:
    return [events[at : at + NAMED] for at in range(0, len(events), NAMED)]


def _values(events: Sequence[Any]) -> list[float]:
    said = [
        (event.output_tokens, event.input_tokens, event.duration_ms)
        for event in events
        if event.kind == "llm"
    ]
    return [log1p(value) for values in said for value in values if value is not None]


def _decode() -> Callable[[Sequence[bytes]], None]:
    decode = msgspec.json.Decoder(Event).decode

    def work(lines: Sequence[bytes]) -> None:
        kept = [decode(line) for line in lines]
        del kept

    return work


def _digest() -> Callable[[Sequence[bytes]], None]:
    blank = blake2b(key=bytes(32), digest_size=8, person=b"bench")

    def work(texts: Sequence[bytes]) -> None:
        for text in texts:
            one = blank.copy()
            one.update(text)
            one.hexdigest()

    return work


def _scan() -> Callable[[Sequence[bytes]], None]:
    redactor = Redactor()
    database, scratch = redactor._database, redactor._scratch

    def note(number: int, start: int, end: int, flags: int, hits: Any) -> None:
        hits.append(number)

    def work(texts: Sequence[bytes]) -> None:
        for text in texts:
            database.scan(text, match_event_handler=note, context=[], scratch=scratch)

    return work


def _update() -> Callable[[Sequence[float]], None]:
    window = adwin_class()()

    def work(values: Sequence[float]) -> None:
        for value in values:
            window.update(value)

    return work
