"""Databases and servers for tests of the sinks."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from parts.clickhouse_rows import Database
from parts.clickhouse_server import ClickHouseServer

from sinks.clickhouse import ClickHouse
from sinks.clickhouse_migrate import migrate
from tocsin.contracts import Writer


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with empty tables, to be copied."""
    directory = tmp_path_factory.mktemp("migrated") / "db"
    migrate(ClickHouse(url=f"chdb://{directory}", fsync="off"))
    return directory


@pytest.fixture
def database(tmp_path: Path, migrated: Path) -> Iterator[Database]:
    """The engine in this process, on disk, empty but migrated."""
    shutil.copytree(migrated, tmp_path / "db", symlinks=True)
    database = Database(ClickHouse(url=f"chdb://{tmp_path}/db", fsync="off"))
    yield database
    database.connection.close()


@pytest.fixture
def writer(database: Database) -> Iterator[Writer]:
    """An open writer of the database."""
    with closing(database.settings.open()) as writer:
        yield writer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """One server for the tests of a module; tests use databases of their own."""
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as running:
        yield running


@pytest.fixture
def remote(server: ClickHouseServer, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh database on the server."""
    name = f"t{zlib.crc32(request.node.name.encode())}"
    database = Database(ClickHouse(url=server.url, database=name, connect_seconds=2.0, reply_seconds=10.0))
    yield database
    server.faults()
    database.run(f"DROP DATABASE {name} SYNC")
    database.connection.close()
