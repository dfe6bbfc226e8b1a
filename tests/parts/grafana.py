"""Grafana without Grafana: the macros of its ClickHouse plugin, and a stand-in for its HTTP API.

Both follow what is documented (and, for the macros, the plugin's source); no Grafana runs here.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]


def expanded(
    sql: str, start: float, end: float, seconds: int = 60, chosen: Mapping[str, Sequence[str]] | None = None
) -> str:
    """SQL as the plugin sends it: conditions of "All" gone, variables quoted, macros replaced."""
    chosen = chosen or {}
    sql = _conditional(sql, chosen)
    sql = re.sub(r"\$\{(\w+):singlequote\}", lambda found: _quoted(chosen[found.group(1)]), sql)
    first, last = int(start), int(end)
    milli = [f"fromUnixTimestamp64Milli({int(moment * 1000)})" for moment in (start, end)]
    for pattern, text in (
        (r"\$__timeFilter_ms\(([^()]+)\)", rf"\1 >= {milli[0]} AND \1 <= {milli[1]}"),
        (r"\$__timeFilter\(([^()]+)\)", rf"\1 >= toDateTime({first}) AND \1 <= toDateTime({last})"),
        (
            r"\$__timeInterval_ms\(([^()]+)\)",
            rf"toStartOfInterval(toDateTime64(\1, 3), INTERVAL {seconds * 1000} millisecond)",
        ),
        (r"\$__timeInterval\(([^()]+)\)", rf"toStartOfInterval(toDateTime(\1), INTERVAL {seconds} second)"),
        (r"\$__interval_s\b", str(seconds)),
    ):
        sql = re.sub(pattern, text, sql)
    assert "$" not in sql, f"not a macro of the plugin: {sql[sql.index('$') :][:40]}"
    return sql


def _conditional(sql: str, chosen: Mapping[str, Sequence[str]]) -> str:
    while (start := sql.find("$__conditionalAll(")) >= 0:
        opening = start + len("$__conditionalAll")
        end = _closing(sql, opening)
        condition, variable = sql[opening + 1 : end].rsplit(",", 1)
        name = variable.strip().removeprefix("$")
        sql = sql[:start] + (condition if name in chosen else "1=1") + sql[end + 1 :]
    return sql


def _closing(sql: str, opening: int) -> int:
    depth = 0
    for place in range(opening, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[place], 0)
        if depth == 0:
            return place
    raise AssertionError("a bracket is never closed")


def _quoted(values: Sequence[str]) -> str:
    return ",".join("'" + value.replace("'", "\\'") + "'" for value in values)


class StandIn:
    """The part of Grafana's API that `push` uses, with its status codes; `requests` keeps what was asked."""

    def __init__(self, *, version: str = "13.2.2", token: str = "right", plugin: bool = True) -> None:
        self.version, self.token, self.plugin = version, token, plugin
        self.datasources: dict[str, Json] = {}
        self.passwords: dict[str, str] = {}
        self.folders: dict[str, Json] = {}
        self.dashboards: dict[str, Json] = {}
        self.provisioned: set[str] = set()
        self.forbidden: set[str] = set()  # paths that the token has no right to
        self.unready = 0  # requests to answer with 503 before being up
        self.reachable = True  # whether ClickHouse answers the data source
        self.requests: list[tuple[str, str]] = []
        self.saved_by_another = False

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [request for request in self.requests if request[0] != "GET"]

    def answer(self, verb: str, path: str, authorization: str, body: Json) -> tuple[int, object]:
        """Status and JSON of one request."""
        self.requests.append((verb, path))
        if self.unready:
            self.unready -= 1
            return 503, {"message": "starting"}
        if path == "/api/health":
            return 200, {"database": "ok", "version": self.version, "commit": "0000000"}
        if authorization != f"Bearer {self.token}":
            return 401, {"message": "Invalid API key"}
        if path in self.forbidden:
            return 403, {"message": "You'll need additional permissions", "accessErrorId": "ACE0"}
        for pattern, serve in (
            (r"/api/plugins/([\w-]+)/settings", self._plugin),
            (r"/api/datasources(?:/uid/([\w-]+)(/health)?)?", self._datasource),
            (r"/api/folders(?:/([\w-]+))?", self._folder),
            (r"/api/dashboards/(?:uid/([\w-]+)|db)", self._dashboard),
        ):
            found = re.fullmatch(pattern, path)
            if found:
                return serve(verb, found, body)
        return 404, {"message": "Not found"}

    def _plugin(self, verb: str, found: re.Match[str], body: Json) -> tuple[int, object]:
        if not self.plugin:
            return 404, {"message": "Plugin not found, no installed plugin with that id"}
        return 200, {"id": found.group(1), "info": {"version": "4.20.0"}}

    def _datasource(self, verb: str, found: re.Match[str], body: Json) -> tuple[int, object]:
        uid = found.group(1) or body.get("uid", "")
        if found.group(2):
            if self.reachable:
                return 200, {"status": "OK", "message": "Data source is working"}
            return 400, {"status": "ERROR", "message": "dial tcp: connection refused"}
        if verb == "POST":
            if any(each["name"] == body["name"] for each in self.datasources.values()):
                return 409, {"message": "data source with the same name already exists"}
            return 200, {"message": "Datasource added", "datasource": self._keep(uid, body, 1)}
        if uid not in self.datasources:
            return 404, {"message": "Data source not found"}
        if verb == "PUT":
            if self.datasources[uid].get("readOnly"):
                return 403, {"message": "Cannot update read-only data source"}
            version = self.datasources[uid]["version"]
            if body.get("version", version) != version:
                return 409, {"message": "Datasource has already been updated by someone else"}
            return 200, {"message": "Datasource updated", "datasource": self._keep(uid, body, version + 1)}
        return 200, self.datasources[uid]

    def _keep(self, uid: str, body: Json, version: int) -> Json:
        model = {key: value for key, value in body.items() if key != "secureJsonData"}
        if password := body.get("secureJsonData", {}).get("password"):
            self.passwords[uid] = password
        secret = {"password": True} if uid in self.passwords else {}
        self.datasources[uid] = model | {
            "id": 7,
            "version": version,
            "secureJsonFields": secret,
            "readOnly": False,
        }
        return self.datasources[uid]

    def _folder(self, verb: str, found: re.Match[str], body: Json) -> tuple[int, object]:
        if verb == "POST":
            if body["uid"] in self.folders:
                return 412, {"message": "The folder has been changed by someone else"}
            self.folders[body["uid"]] = body | {"id": 3}
            return 200, self.folders[body["uid"]]
        if found.group(1) not in self.folders:
            return 404, {"message": "folder not found"}
        return 200, self.folders[found.group(1)]

    def _dashboard(self, verb: str, found: re.Match[str], body: Json) -> tuple[int, object]:
        if verb == "GET":
            return self._shown(found.group(1))
        model, uid = body["dashboard"], body["dashboard"]["uid"]
        if body["folderUid"] not in self.folders:
            return 400, {"message": "folder not found"}
        if uid in self.provisioned:
            return 400, {"message": "Cannot save provisioned dashboard"}
        stored = self.dashboards.get(uid)
        version = stored["dashboard"]["version"] + self.saved_by_another if stored else 0
        if stored and not body["overwrite"] and model.get("version") != version:
            return 412, {
                "message": "The dashboard has been changed by someone else",
                "status": "version-mismatch",
            }
        if stored and model.get("id") != stored["dashboard"]["id"]:
            return 412, {"message": "A dashboard with the same uid already exists", "status": "name-exists"}
        model = model | {"id": 11, "version": version + 1}
        self.dashboards[uid] = {"dashboard": model, "meta": {"folderUid": body["folderUid"]}}
        return 200, {"uid": uid, "id": 11, "version": version + 1, "status": "success"}

    def _shown(self, uid: str) -> tuple[int, object]:
        if uid not in self.dashboards:
            return 404, {"message": "Dashboard not found"}
        stored = self.dashboards[uid]
        return 200, stored | {"meta": stored["meta"] | {"provisioned": uid in self.provisioned}}


@contextmanager
def running(stand_in: StandIn) -> Iterator[str]:
    """The stand-in behind a loopback port; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}") or {}
            path = urlsplit(self.path).path
            status, answer = stand_in.answer(self.command, path, self.headers.get("Authorization", ""), body)
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
