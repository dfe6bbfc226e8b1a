"""A process that speaks ClickHouse's HTTP interface in front of the real engine, and fails on request.

    python clickhouse_http.py DIRECTORY PORT

What matters to a client is kept: queries have ids, run on when their client leaves, can be killed and
looked up while they run or wait; errors look as ClickHouse writes them; nothing is done with an insert
whose body did not arrive whole. Queries run one after another. `POST /faults` takes a JSON list:

    {"match": "INSERT INTO", "times": 1, "do": "drop_reply", "seconds": 0, "code": 0, "status": 0}

`do`: delay (before running, ends early when killed), slow_reply, drop_reply (both after running), error
(answers `code` without running), status (answers a bare HTTP status), hang_up (closes at once).
`times` -1 means until the list is replaced.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import sys
import tempfile
import threading
import time
import uuid
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import chdb
import lz4.frame  # type: ignore[import-untyped]
import zstandard

TRANSPORT = {
    *("query", "database", "query_id", "session_id", "wait_end_of_query", "client_protocol_version"),
    *("send_progress_in_http_headers", "http_headers_progress_interval_ms", "enable_http_compression"),
    *("compress", "decompress", "buffer_size", "default_format", "quota_key", "role"),
}
STATUS = {60: 404, 81: 404, 241: 500, 497: 403, 516: 403}
NAMES = {242: "TABLE_IS_READ_ONLY", 243: "NOT_ENOUGH_SPACE", 252: "TOO_MANY_PARTS", 497: "ACCESS_DENIED"}
INSERT = re.compile(rb"\s*INSERT\s+INTO\s+[^\n]*?\bFORMAT\s+(\w+)[ \t]*\n", re.IGNORECASE)
KILL = re.compile(r"\s*KILL\s+QUERY\b.*?query_id\s*=\s*'([^']*)'\s*(SYNC)?", re.IGNORECASE | re.DOTALL)
LOOK = re.compile(r"\s*SELECT count\(\) FROM system\.processes WHERE query_id = '([^']*)'\s*$", re.IGNORECASE)


class Refusal(Exception):
    """An answer with an error code, as ClickHouse gives it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Running:
    """A query between its arrival and its end."""

    def __init__(self) -> None:
        self.killed = threading.Event()
        self.over = threading.Event()


class Reply(NamedTuple):
    """What goes back to the client."""

    body: bytes
    format: str
    rows: int = 0


class Engine:
    """The embedded engine behind one lock, with the queries that run or wait and the faults to come."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.first = chdb.connect(directory)
        self.lock = threading.Lock()
        self.guard = threading.Lock()
        self.running: dict[str, Running] = {}
        self.faults: list[dict[str, Any]] = []

    def fault(self, text: str) -> dict[str, Any]:
        """The first fault that matches and is not used up."""
        with self.guard:
            for fault in self.faults:
                if fault.get("times", 1) != 0 and re.search(fault.get("match", ""), text):
                    fault["times"] = fault.get("times", 1) - 1
                    return fault
        return {}

    def run(self, sql: bytes, parameters: dict[str, str], fault: dict[str, Any]) -> Reply:
        """Answer a query; it is listed as running from here to its end."""
        text = sql[:4096].decode(errors="replace")
        if found := KILL.match(text):
            return self.kill(found.group(1), bool(found.group(2)))
        if found := LOOK.match(text):
            return Reply(b"%d\n" % (found.group(1) in self.running), "TabSeparated")
        query_id = parameters.get("query_id") or uuid.uuid4().hex
        query = Running()
        with self.guard:
            if query_id in self.running:
                raise Refusal(216, f"Query with id = {query_id} is already running.")
            self.running[query_id] = query
        try:
            return self.wait(query, sql, parameters, fault)
        finally:
            del self.running[query_id]
            query.over.set()

    def wait(self, query: Running, sql: bytes, parameters: dict[str, str], fault: dict[str, Any]) -> Reply:
        """Run the query when its turn has come, unless it was killed before."""
        if fault.get("do") == "delay":
            query.killed.wait(fault["seconds"])
        with self.lock:
            if query.killed.is_set():
                raise Refusal(394, "Query was cancelled.")
            return self.execute(sql, parameters)

    def kill(self, query_id: str, wait: bool) -> Reply:
        """End a query that waits; one that the engine works on is only waited for."""
        query = self.running.get(query_id)
        if query is None:
            return Reply(b"", "TabSeparated")
        query.killed.set()
        if wait:
            query.over.wait(60)
        return Reply(f"finished\t{query_id}\tdefault\n".encode(), "TabSeparated")

    def execute(self, sql: bytes, parameters: dict[str, str]) -> Reply:
        """One query in a session of its own."""
        session = chdb.connect(self.directory)
        try:
            if database := parameters.get("database"):
                session.query(f"USE `{database}`")
            for name, value in parameters.items():
                if name not in TRANSPORT and not name.startswith("param_"):
                    session.query(f"SET {name} = '{value}'")
            if found := INSERT.match(sql):
                return self.insert(session, sql[: found.end()], sql[found.end() :], found.group(1).decode())
            return self.select(session, sql.decode(), parameters)
        except RuntimeError as error:
            text = str(error)
            code = re.search(r"Code: (\d+)\.", text)
            raise Refusal(
                int(code.group(1)) if code else 1001, text.partition("DB::Exception: ")[2]
            ) from None
        finally:
            session.close()

    def insert(self, session: Any, head: bytes, data: bytes, form: str) -> Reply:
        """An insert whose rows came as a block."""
        statement = head.decode()[: head.decode().rindex("FORMAT")]
        with tempfile.NamedTemporaryFile(dir=self.directory, suffix=".native") as file:
            file.write(data)
            file.flush()
            done = session.query(f"{statement} FROM INFILE '{file.name}' FORMAT {form}", "TabSeparated")
            return Reply(b"", form, done.rows_read())

    def select(self, session: Any, sql: str, parameters: dict[str, str]) -> Reply:
        """Anything else; an answer without rows has no format, as a statement's."""
        bound = {name[6:]: value for name, value in parameters.items() if name.startswith("param_")}
        named = re.search(r"\bFORMAT\s+(\w+)\s*;?\s*$", sql, re.IGNORECASE)
        form = named.group(1) if named else "TabSeparated"
        result = session.query(sql, form, params=bound)
        return Reply(result.bytes() or b"", form)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    engine: Engine

    def do_GET(self) -> None:
        """Liveness, and queries that read."""
        self._query() if "?" in self.path else self._answer(200, b"Ok.\n", {})

    def do_POST(self) -> None:
        """Queries, inserts, and the faults to come."""
        if self.path == "/faults":
            self.engine.faults = json.loads(self._body())
            return self._answer(200, b"", {})
        return self._query()

    def _query(self) -> None:
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        query = parameters.get("query", "").encode()
        try:
            body = self._body()
        except ConnectionError:
            return self._hang_up()
        sql = query + b"\n" + body if query and body else query or body
        fault = self.engine.fault(sql[:4096].decode(errors="replace"))
        if fault.get("do") == "hang_up":
            return self._hang_up()
        if fault.get("do") == "status":
            return self._answer(fault["status"], b"upstream is ill\n", {})
        try:
            if fault.get("do") == "error":
                raise Refusal(fault["code"], "as the test wanted")
            reply = self.engine.run(sql, parameters, fault)
        except Refusal as refusal:
            return self._refuse(refusal)
        if fault.get("do") == "slow_reply":
            time.sleep(fault["seconds"])
        if fault.get("do") == "drop_reply":
            return self._hang_up()
        return self._reply(reply, parameters.get("query_id", ""))

    def _body(self) -> bytes:
        encoding = self.headers.get("Content-Encoding", "identity")
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            raw = b"".join(iter(self._chunk, b""))
        else:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self._exactly(length)
        unpack = {"gzip": gzip.decompress, "lz4": lz4.frame.decompress, "zstd": _zstd}.get(encoding)
        return unpack(raw) if unpack and raw else raw

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().strip() or b"-1", 16)
        if size < 0:
            raise ConnectionError("the client left in the middle")
        chunk = self._exactly(size)
        self.rfile.readline()
        return chunk

    def _exactly(self, length: int) -> bytes:
        data = self.rfile.read(length)
        if len(data) < length:
            raise ConnectionError("the client left in the middle")
        return data

    def _reply(self, reply: Reply, query_id: str) -> None:
        summary = {"read_rows": "0", "written_rows": str(reply.rows), "elapsed_ns": "1"}
        headers = {"X-ClickHouse-Summary": json.dumps(summary), "X-ClickHouse-Query-Id": query_id}
        if reply.body:
            headers["X-ClickHouse-Format"] = reply.format
        self._answer(200, reply.body, headers)

    def _refuse(self, refusal: Refusal) -> None:
        text = str(refusal)
        name = NAMES.get(refusal.code, "")
        tail = "" if "(version" in text or not name else f" ({name}) (version 26.9.2.1)"
        body = f"Code: {refusal.code}. DB::Exception: {text}{tail}\n".encode()
        headers = {"X-ClickHouse-Exception-Code": str(refusal.code)}
        self._answer(STATUS.get(refusal.code, 500), body, headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            fixed = {"X-ClickHouse-Server-Display-Name": "tocsin-test", "X-ClickHouse-Timezone": "UTC"}
            for name, value in (fixed | headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


class Server(ThreadingHTTPServer):
    """Loopback only; a busy port of a killed predecessor is taken over."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that left is no error."""


def main(directory: str, port: int) -> None:
    """Serve until killed; says `ready` once it answers."""
    os.environ["TMPDIR"] = tempfile.tempdir = directory
    Handler.engine = Engine(os.path.join(directory, "engine"))
    server = Server(("127.0.0.1", port), Handler)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
