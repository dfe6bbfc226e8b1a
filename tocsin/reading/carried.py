"""What a sketch carries: from the facts of a text to its sketch, and back."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from tocsin.model import Link
from tocsin.reading.facts import Facts
from tocsin.reading.fingerprints import NO_RUNS
from tocsin.reading.pack import Rule
from tocsin.reading.rules import Hit, Reading
from tocsin.reading.sketch import Found, Host, Key, Line, Sketch

_HITS = 64  # told of one text, the heaviest
_PAYLOAD = 1 << 20
_HOST = re.compile(r"[!-~]{1,253}")
_NAME = re.compile(r"[^\x00-\x1f]{1,64}")


def told(facts: Facts, key: Key, *, truncated: bool = False) -> Sketch:
    """The sketch of what was read of a text."""
    reading = facts.reading
    return Sketch(
        facts.digest,
        facts.model,
        facts.data,
        tuple([_found(hit) for hit in _heaviest(reading.hits)]),
        reading.smuggled,
        facts.findings,
        tuple([_host(each) for each in facts.links if _HOST.fullmatch(each.host)]),
        facts.entropy,
        facts.repetition,
        facts.script,
        facts.language,
        key.covered(facts.simhash, facts.digest),
        np.array(facts.shingles, "<u8").tobytes(),
        tuple([name for name in facts.canaries if _NAME.fullmatch(name)]),
        reading.truncated or truncated,
    )


def known(line: Line, key: Key) -> Facts:
    """What a sketch of this installation's says, as if its text had been read."""
    sketch = line.sketch
    return Facts(
        sketch.digest,
        _with(Reading(), sketch),
        sketch.model,
        sketch.data,
        sketch.findings,
        _links(sketch),
        line.length,
        sketch.entropy,
        sketch.repetition,
        sketch.script,
        sketch.language,
        key.uncovered(sketch.simhash, sketch.digest),
        shingles(sketch),
        sketch.canaries,
        NO_RUNS,
    )


def claimed(line: Line, read: Facts) -> Facts:
    """What a sketch under another key adds to what was read of its own line: no fingerprint of it means
    anything here, and it can only make the text look worse."""
    return read._replace(
        reading=_with(read.reading, line.sketch),
        model=max(read.model, line.sketch.model),
        data=max(read.data, line.sketch.data),
        findings=line.sketch.findings,
        links=_links(line.sketch),
        length=line.length,
        entropy=line.sketch.entropy,
        repetition=line.sketch.repetition,
        script=line.sketch.script,
        language=line.sketch.language,
        simhash=0,
        shingles=(),
        runs=NO_RUNS,
    )


def shingles(sketch: Sketch) -> tuple[int, ...]:
    """The shingles that a sketch carries."""
    return tuple(np.frombuffer(sketch.shingles, "<u8").tolist())


def _with(reading: Reading, sketch: Sketch) -> Reading:
    return reading.also(map(_hit, sketch.found), sketch.smuggled, sketch.truncated)


def _heaviest(hits: Sequence[Hit]) -> list[Hit]:
    kept = set(sorted(range(len(hits)), key=lambda at: (-hits[at].weight, at))[:_HITS])
    return [hit for at, hit in enumerate(hits) if at in kept]


def _found(hit: Hit) -> Found:
    return Found(hit.rule.id, hit.rule.family, hit.rule.roles, hit.weight, hit.view, hit.chain)


def _hit(found: Found) -> Hit:
    rule = Rule(
        id=found.rule, title=found.rule, family=found.family, roles=found.roles, positive=(), negative=()
    )
    return Hit(rule, found.view, found.chain, 0, 0, (0, 0), found.weight, False)


def _host(link: Link) -> Host:
    return Host(link.host, link.image, min(link.payload, _PAYLOAD))


def _links(sketch: Sketch) -> tuple[Link, ...]:
    return tuple([Link(each.host, each.image, each.payload) for each in sketch.links])
