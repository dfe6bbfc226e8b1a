"""A whole Tocsin in a thread, with tables in memory; and what its events say, whatever way they came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from parts.kafka_topics import fresh

from tocsin import config, pipeline
from tocsin.memory import MemorySink, MemoryTables
from tocsin.model import Event, Reject

POSITION = (
    "id", "log_id", "log_partition", "log_offset", "log_index", "arrival", "source", "source_partition",
    "source_offset", "source_index", "duplicate", "backfill", "original_time", "attributes",
)  # fmt: skip


class Tocsin:
    """A whole Tocsin in a thread; with the same directory and tables another one goes on."""

    def __init__(
        self, directory: Path, source: str, *, exchange: bool = True, tables: MemoryTables | None = None
    ) -> None:
        self.tables = tables or MemoryTables()
        topic = f'[exchange]\ntopic = "{fresh("exchange")}"\npartitions = 2\nreplication = 1'
        text = f"""
[source]
{source}
{topic if exchange else ""}
[content]
mode = "full"
[operations]
listen = ""
[checkpoints]
type = "sqlite"
directory = "{directory}/state"
[detectors]
defaults = false
error_burst = {{}}
"""
        path = directory / "tocsin.toml"
        path.write_text(text + '[sinks.clickhouse]\nurl = "chdb:///nowhere"\n')
        settings = msgspec.structs.replace(
            config.load(path), sinks={"memory": MemorySink(tables=self.tables)}
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=pipeline.build(settings).run, args=(self._stop,))

    def __enter__(self) -> Tocsin:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def events(self) -> list[Event]:
        return [event for event, _ in self.tables.events]

    def rejects(self) -> list[Reject]:
        return self.tables.rejects

    def await_events(self, count: int) -> None:
        self._await(lambda: len(self.events()) >= count, lambda: f"{len(self.events())} of {count} events")

    def await_calls(self, count: int) -> None:
        """Until so many different users were seen: a shipper may send a line twice."""
        self._await(
            lambda: len({event.user for event in self.events()}) >= count, lambda: f"of {count} users"
        )

    def await_that(self, holds: Callable[[list[Event]], bool]) -> None:
        self._await(lambda: holds(self.events()), lambda: f"not so with {len(self.events())} events")

    def _await(self, done: Callable[[], bool], what: Callable[[], str]) -> None:
        deadline = time.monotonic() + 90
        while not done():
            assert self._thread.is_alive() and time.monotonic() < deadline, what()
            time.sleep(0.05)


def directly(path: Path, directory: Path) -> list[Event]:
    """The events of the file itself."""
    tables = MemoryTables()
    tree = {
        "source": {"type": "file", "paths": [str(path)]},
        "checkpoints": {"type": "memory"},
        "content": {"mode": "full"},
        "operations": {"listen": ""},
        "detectors": {"defaults": False, "error_burst": {}},
    }
    settings = config.read(tree, {}, embedded=True)
    sinks = {"memory": MemorySink(tables=tables)}
    pipeline.build(msgspec.structs.replace(settings, sinks=sinks)).run(threading.Event())
    return [event for event, _ in tables.events]


def facts(events: list[Event]) -> list[str]:
    """What the events say, whatever way they came and in whatever order."""
    told = [msgspec.structs.replace(event, **_unplaced(event)) for event in events]
    return sorted(msgspec.json.encode(event).decode() for event in told)


def _unplaced(event: Event) -> dict[str, Any]:
    defaults = Event()
    return {name: getattr(defaults, name) for name in POSITION} | {
        "time": round(event.original_time or event.time, 3)
    }
