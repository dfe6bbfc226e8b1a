"""What the door costs: requests over loopback into the journal, and what sealing adds.

    python -m bench.receiver [--seconds 3] [--clients 4]

Senders are processes of their own. CPU is that of the receiving process; on a busy machine look at that, and
at the ratios between lines.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import multiprocessing
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, NamedTuple

import zstandard

from ingest.http import HttpSource
from tocsin import frame
from tocsin.health import Health
from tocsin.metrics import Metrics
from tocsin.model import Event, Message, Partition, Record
from tocsin.ports import Lent
from tocsin.sealing import Keys

SPANS = 100
JSON = {"Content-Type": "application/json"}
KEYS = Keys([b"k" * 32])


class Load(NamedTuple):
    """What is sent again and again, and how many events are in it."""

    name: str
    path: str
    body: bytes
    headers: dict[str, str]
    events: int
    keys: Keys | None = None


def words(seed: int, size: int) -> str:
    """Text that compresses about as prompts do."""
    return "".join(random.Random(seed).choices("abcdefgh", k=size))


def export(spans: int) -> bytes:
    """An OTLP/JSON request with eight attributes a span, about 1 KB each."""
    texts = {"gen_ai.request.model": "gpt-4o", "gen_ai.operation.name": "chat"}
    texts |= {f"attribute.{number}": f"value {number}" for number in range(5)}
    attributes = [{"key": key, "value": {"stringValue": text}} for key, text in texts.items()]
    times = {"startTimeUnixNano": "1750000000000000000", "endTimeUnixNano": "1750000001000000000"}
    made: list[dict[str, Any]] = [
        {
            "traceId": f"{n:032x}",
            "spanId": f"{n:016x}",
            "name": "chat",
            "attributes": [*attributes, {"key": "gen_ai.prompt", "value": {"stringValue": words(n, 300)}}],
            **times,
        }
        for n in range(1, spans + 1)
    ]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": made}]}]}).encode()


def loads() -> list[Load]:
    """The lines of the table."""
    line = json.dumps(
        {"tocsin": 1, "kind": "llm", "input": [{"role": "user", "text": "word " * 60}]}
    ).encode()
    body = export(SPANS)
    packed = JSON | {"Content-Encoding": "gzip"}
    return [
        Load("OTLP/JSON, 1 span", "/v1/traces", export(1), JSON, 1),
        Load("OTLP/JSON, 100 spans", "/v1/traces", body, JSON, SPANS),
        Load("the same, gzip", "/v1/traces", gzip.compress(body), packed, SPANS),
        Load("the same, sealed", "/v1/traces", body, JSON, SPANS, KEYS),
        Load("/events, 100 lines", "/events", b"\n".join([line] * SPANS), {}, SPANS),
    ]


def send(port: int, load: Load, seconds: float, replies: Any) -> None:
    """Until the time is over; how many were accepted, and how long each took."""
    took, end = list[float](), time.monotonic() + seconds
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        while time.monotonic() < end:
            began = time.monotonic()
            client.request("POST", load.path, load.body, load.headers)
            response = client.getresponse()
            response.read()
            if response.status == 200:
                took.append(time.monotonic() - began)
    replies.put(took)


def measure(load: Load, clients: int, seconds: float) -> str:
    """One line of the table."""
    with tempfile.TemporaryDirectory(dir=".") as directory:
        source = HttpSource(listen="127.0.0.1:0", directory=directory, journal_bytes=8 << 30)
        reader = source.open_with(Lent(Metrics(), Health(60.0), load.keys))
        context = multiprocessing.get_context("spawn")
        replies = context.Queue()
        bare = load._replace(keys=None)
        senders = [
            context.Process(target=send, args=(reader.port, bare, seconds, replies)) for _ in range(clients)
        ]
        cpu = time.process_time()
        for sender in senders:
            sender.start()
        took = sorted(each for _ in senders for each in replies.get())
        for sender in senders:
            sender.join()
        cpu = time.process_time() - cpu
        reader.close()
    count = len(took)
    rates = f"{count / seconds:8,.0f} {count * load.events / seconds:10,.0f}"
    delays = f"{took[count // 2] * 1e3:8.1f} {took[int(count * 0.99)] * 1e3:8.1f}"
    return f"{load.name:24} {rates} {cpu / count / load.events * 1e6:8.1f} {delays}"


def seconds_of(act: Callable[[], object], times: int = 300) -> float:
    """CPU of one call, in the mean."""
    act()
    began = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - began) / times


def sealing() -> list[str]:
    """CPU of sealing and opening, an event: frames of 64, and a journal's record of 100 spans."""
    place, seal, opener = Partition("exchange.1", 0), frame.Sealer(KEYS), frame.Opener(KEYS)
    words = [
        "".join(random.Random(n).choices("abcdefgh", k=1000)) for n in range(frame.ITEMS)
    ]  # as text does
    items = [Event(user="u", input=(Message("user", text),)) for text in words]
    (plain,) = frame.frames(items)
    sealed = seal(plain, place)

    def read(value: bytes) -> object:
        return opener(Record(place, 0, 1, 0.0, value))

    opened = seconds_of(lambda: read(sealed)) - seconds_of(lambda: read(plain))
    body, pack = export(SPANS), zstandard.ZstdCompressor(level=1).compress
    shut = KEYS.seal(pack(body), "p")
    journal = seconds_of(lambda: KEYS.seal(pack(body), "p"))
    unpack = zstandard.ZstdDecompressor().decompress
    unsealed = seconds_of(lambda: unpack(KEYS.open(shut, "p")))
    return [
        f"frame: seal {seconds_of(lambda: seal(plain, place)) / frame.ITEMS * 1e6:.2f} us an event, "
        f"open {opened / frame.ITEMS * 1e6:.2f}; {len(plain):,} bytes become {len(sealed):,}",
        f"journal: seal {journal / SPANS * 1e6:.2f} us an event, open {unsealed / SPANS * 1e6:.2f}; "
        f"{len(body):,} bytes become {len(shut):,}",
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    print(f"{'':24} {'req/s':>8} {'events/s':>10} {'us/event':>8} {'p50 ms':>8} {'p99 ms':>8}")
    for load in loads():
        print(measure(load, options.clients, options.seconds))
    print("\n".join(sealing()))


if __name__ == "__main__":
    main()
