"""A process that replays a fixed log into an embedded database, to be killed at any moment.

    python clickhouse_replay.py DIRECTORY ROWS

Reads back, writes what is missing in batches of 50, and says `wrote` after each. On a full disk it says
so, waits for a line on its input, and goes on. At the end: `complete`, how many
events are stored, and how many rows are doubled.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing

from parts.clickhouse_rows import LOG, Database, batch

from sinks.clickhouse import ClickHouse
from sinks.clickhouse_migrate import migrate
from tocsin.contracts import SinkUnavailable, Writer
from tocsin.testing.sink import missing

BATCH = 50


def main(directory: str, rows: int) -> None:
    """Bring the database to `rows` events, wherever it was left."""
    settings = ClickHouse(url=f"chdb://{directory}/db")
    _insist(lambda: migrate(settings))
    with closing(settings.open()) as writer:
        stored = writer.written(LOG, 0, 0)
        print("open", flush=True)
        for first in range(0, rows, BATCH):
            rest = missing(batch(first, BATCH, user="u" * 200), stored)
            if len(rest):
                _insist(lambda first=first: _write(writer, first))
                print("wrote", flush=True)
        database = Database(settings)
        print("complete", database.one("SELECT count() FROM @events"), database.doubled(), flush=True)
        database.connection.close()


def _write(writer: Writer, first: int) -> None:
    whole = batch(first, BATCH, user="u" * 200)
    writer.write(missing(whole, writer.written(LOG, 0, first)), time.monotonic() + 30)


def _insist(work: object) -> None:
    assert callable(work)
    while True:
        try:
            work()
            return
        except SinkUnavailable as error:
            print(f"unavailable {error}", flush=True)
            sys.stdin.readline()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
