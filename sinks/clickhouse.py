"""Settings of the ClickHouse sink: a server over HTTP, or the same engine embedded in this process.

`http(s)://user:password@host:8123/database` names a server, `chdb:///directory/database-files` and
`chdb://memory` the embedded engine (extra `embedded`). Everything after connecting is one code path.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Meta

from tocsin.contracts import Sink, Writer

Days = Annotated[int, Meta(ge=0, le=36_500, description="days that rows are kept; 0: for ever")]


class Place(NamedTuple):
    """What a URL says, once."""

    embedded: bool
    path: str  # of the embedded engine; "" in memory
    secure: bool
    host: str
    port: int
    database: str
    user: str
    password: str


class ClickHouse(Sink, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events, alerts, quarantine and minutes into ClickHouse."""

    url: Annotated[
        str,
        Meta(description="http(s)://user:password@host:8123/database, chdb:///directory or chdb://memory"),
    ] = "http://localhost:8123/tocsin"
    database: Annotated[str, Meta(description="overrides the URL's; default: tocsin")] = ""
    user: Annotated[str, Meta(description="overrides the URL's; default: default")] = ""
    password: Annotated[str, Meta(description="overrides the URL's; best given as ${NAME}")] = ""
    ca_cert: Annotated[str, Meta(description="file of the authority that signed the server's")] = ""
    verify: Annotated[bool, Meta(description="check the server's certificate and name")] = True
    compression: Annotated[
        Literal["lz4", "zstd", "none"], Meta(description="of what travels to a server")
    ] = "lz4"
    connect_seconds: Annotated[float, Meta(gt=0, description="longest wait for a connection")] = 5.0
    reply_seconds: Annotated[float, Meta(gt=0, description="longest wait for an answer")] = 30.0
    engine: Annotated[
        Literal["plain", "replicated"],
        Meta(description="plain: ReplacingMergeTree; replicated: ReplicatedReplacingMergeTree"),
    ] = "plain"
    cluster: Annotated[str, Meta(description="name for ON CLUSTER; empty: none")] = ""
    replica_path: Annotated[
        str, Meta(description="path in Keeper; {table} is filled in, the rest are the server's macros")
    ] = "/clickhouse/tables/{shard}/{database}/{table}"
    replica_name: Annotated[str, Meta(description="name of this replica")] = "{replica}"
    fsync: Annotated[
        Literal["auto", "on", "off"],
        Meta(description="flush each insert to disk; auto: in the embedded engine only"),
    ] = "auto"
    events_days: Days = 30
    excerpts_days: Days = 7
    alerts_days: Days = 400
    quarantine_days: Days = 30
    minutes_days: Days = 400

    def __post_init__(self) -> None:
        """A URL that leads nowhere is a mistake of the configuration."""
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.place().database):
            raise ValueError("database: want a plain name: letters, digits and _")

    def place(self) -> Place:
        """Where the URL leads. Raises ValueError."""
        parts = urlsplit(self.url)
        if parts.scheme == "chdb":
            return self._embedded(parts)
        if parts.scheme in ("http", "https") and parts.hostname:
            return self._server(parts)
        raise ValueError("url: want http://host:8123, https://host:8443, chdb:///directory or chdb://memory")

    def open(self) -> Writer:
        """Connect and check schema and versions. Raises SinkUnavailable or SinkRefused."""
        from sinks.clickhouse_writer import ClickHouseWriter

        return ClickHouseWriter(self)

    def flushes(self) -> bool:
        """Whether an insert is on the disk before it is confirmed."""
        return self.fsync == "on" or (self.fsync == "auto" and self.place().embedded)

    def _embedded(self, parts: SplitResult) -> Place:
        if parts.netloc not in ("", "memory"):
            raise ValueError(f"url: chdb://{parts.netloc}: want chdb:///directory or chdb://memory")
        path = "" if parts.netloc == "memory" else unquote(parts.path)
        if parts.netloc == "" and not path.strip("/"):
            raise ValueError("url: chdb:// names no directory: chdb:///var/lib/tocsin or chdb://memory")
        return Place(True, path, False, "", 0, self.database or "tocsin", "", "")

    def _server(self, parts: SplitResult) -> Place:
        secure = parts.scheme == "https"
        return Place(
            embedded=False,
            path="",
            secure=secure,
            host=parts.hostname or "",
            port=parts.port or (8443 if secure else 8123),
            database=self.database or parts.path.strip("/") or "tocsin",
            user=self.user or unquote(parts.username or "") or "default",
            password=self.password or unquote(parts.password or ""),
        )

    def __repr__(self) -> str:
        """Where it leads, without secrets."""
        place = self.place()
        where = (place.path or "memory") if place.embedded else f"{place.host}:{place.port}"
        return f"ClickHouse({where}, database={place.database!r}, engine={self.engine!r})"
