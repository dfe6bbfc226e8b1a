"""Dashboards into a running Grafana through its HTTP API, by uid; pushing twice changes nothing.

grafana-api is used as a thin client on its generic verbs: its own methods address data sources by
numbers, which Grafana 13 no longer answers.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec
from grafana_api.grafana_api import GrafanaAPI, GrafanaException

from dashboards.build import DATASOURCE_UID, FOLDER_TITLE, FOLDER_UID, PLUGIN, dashboards
from tocsin.contracts import TocsinError

Json = dict[str, Any]
OLDEST = (11, 6)
ATTEMPTS, PAUSE_SECONDS = 5, 1.0

REMEDIES: Mapping[int, str] = {
    401: "the token is wrong or expired: make one under Administration > Service accounts",
    403: "the token may not do this: give its service account the role Admin, or Editor for dashboards alone",
    412: "somebody saved another version meanwhile: push again",
}


class PushError(TocsinError):
    """Grafana cannot take the dashboards; the message names the cause and the remedy."""


class Datasource(msgspec.Struct, frozen=True, kw_only=True):
    """How Grafana's server reaches ClickHouse; the password travels when something else changes too."""

    host: str
    port: int = 8123
    protocol: Literal["http", "native"] = "http"
    secure: bool = False
    username: str = "grafana"
    password: str = ""
    database: str = "tocsin"

    def model(self) -> Json:
        """Grafana's form, without the password."""
        return {
            "uid": DATASOURCE_UID,
            "name": "Tocsin ClickHouse",
            "type": PLUGIN,
            "access": "proxy",
            "jsonData": {
                "host": self.host,
                "port": self.port,
                "protocol": self.protocol,
                "secure": self.secure,
                "username": self.username,
                "defaultDatabase": self.database,
            },
        }


class Step(NamedTuple):
    """What became of one thing; `changes` are the places that differed."""

    what: str
    outcome: Literal["created", "updated", "unchanged", "left alone", "failed"]
    changes: Sequence[str] = ()


class Grafana:
    """Grafana's API with errors that name a remedy."""

    def __init__(self, url: str, token: str, *, timeout: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PushError(f"{url!r} is no http(s) address of a Grafana")
        self.url = url
        prefix = parts.path.strip("/")
        self._api = GrafanaAPI(
            auth=token,
            host=parts.hostname,
            port=parts.port,
            url_path_prefix=f"{prefix}/" if prefix else "",
            protocol=parts.scheme,
            timeout=timeout,
        )
        self._api.s.max_redirects = 0  # a redirected POST would arrive as a GET

    def get(self, path: str) -> Json | None:
        """What is there; None where nothing is."""
        try:
            return self.send("GET", path)
        except PushError as error:
            if _status(error) == 404:
                return None
            raise

    def send(self, verb: str, path: str, body: Json | None = None) -> Json:
        """The answer to one request. Raises PushError."""
        try:
            answer = getattr(self._api, verb)(path, json=body)
        except GrafanaException as error:
            reason = REMEDIES.get(error.status_code, str(error.message))
            raise PushError(f"{verb} {path}: {error.status_code}: {reason}") from error
        except (
            OSError,
            ValueError,
            TypeError,
        ) as error:  # TypeError: the client meets an answer it cannot index
            raise PushError(
                f"{self.url} does not answer as Grafana does ({type(error).__name__}: {error})"
            ) from error
        if not isinstance(answer, dict):
            raise PushError(f"{self.url} does not answer as Grafana does: {verb} {path} gave no object")
        return answer


def push(grafana: Grafana, datasource: Datasource | None = None, *, dry_run: bool = False) -> Iterator[Step]:
    """Bring Grafana to the committed state, telling each step. Raises PushError."""
    check(grafana)
    if datasource is not None:
        yield _datasource(grafana, datasource, dry_run)
        if not dry_run:
            yield _answers(grafana)
    yield _folder(grafana, dry_run)
    for model in dashboards().values():
        yield _dashboard(grafana, model, dry_run)


def check(grafana: Grafana) -> str:
    """Grafana's version, once it answers, is new enough and has the plugin. Raises PushError."""
    health = _health(grafana)
    version = str(health.get("version", ""))
    numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers and numbers < OLDEST:
        raise PushError(
            f"Grafana {version} is too old: the ClickHouse plugin needs {OLDEST[0]}.{OLDEST[1]} or newer"
        )
    if grafana.get(f"/plugins/{PLUGIN}/settings") is None:
        raise PushError(
            f"the plugin {PLUGIN} is missing: set GF_PLUGINS_PREINSTALL_SYNC={PLUGIN} or run "
            f"`grafana cli plugins install {PLUGIN}`, then restart Grafana"
        )
    return version


def differences(wanted: Any, found: Any, place: str = "") -> Iterator[str]:
    """Places where `found` lacks what is wanted; what it has besides is Grafana's own business."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            yield from differences(value, found.get(key), f"{place}.{key}" if place else key)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, f"{place}[{number}]")
    elif wanted != found and not (found is None and wanted in ({}, [])):  # an empty thing may be left out
        yield place


def _health(grafana: Grafana) -> Json:
    for _ in range(ATTEMPTS - 1):
        try:
            return grafana.send("GET", "/health")
        except PushError as error:
            if (_status(error) or 503) < 500:
                raise
            time.sleep(PAUSE_SECONDS)
    return grafana.send("GET", "/health")


def _datasource(grafana: Grafana, datasource: Datasource, dry_run: bool) -> Step:
    what, path = f"data source {DATASOURCE_UID}", f"/datasources/uid/{DATASOURCE_UID}"
    model, found = datasource.model(), grafana.get(path)
    secret = {"secureJsonData": {"password": datasource.password}} if datasource.password else {}
    if found is None:
        if not dry_run:
            grafana.send("POST", "/datasources", model | secret)
        return Step(what, "created")
    changes = list(differences(model, found))
    if secret and not (found.get("secureJsonFields") or {}).get("password"):
        changes.append("secureJsonData.password")
    if not changes:
        return Step(what, "unchanged")
    if found.get("readOnly"):
        return Step(what, "left alone", ["provisioned from a file", *changes])
    if not dry_run:
        kept = {"jsonData": {**(found.get("jsonData") or {}), **model["jsonData"]}}
        grafana.send("PUT", path, model | kept | secret | {"version": found.get("version")})
    return Step(what, "updated", changes)


def _answers(grafana: Grafana) -> Step:
    what = "ClickHouse behind it"
    try:
        answer = grafana.send("GET", f"/datasources/uid/{DATASOURCE_UID}/health")
    except PushError as error:
        return Step(what, "failed", [str(error)])
    return Step(what, "unchanged") if answer.get("status") == "OK" else Step(what, "failed", [str(answer)])


def _folder(grafana: Grafana, dry_run: bool) -> Step:
    what = f"folder {FOLDER_UID}"
    if grafana.get(f"/folders/{FOLDER_UID}") is not None:
        return Step(what, "unchanged")
    if not dry_run:
        try:
            grafana.send("POST", "/folders", {"uid": FOLDER_UID, "title": FOLDER_TITLE})
        except PushError as error:
            if _status(error) not in (409, 412):  # made by somebody else meanwhile
                raise
            return Step(what, "unchanged")
    return Step(what, "created")


def _dashboard(grafana: Grafana, model: Json, dry_run: bool) -> Step:
    what = f"dashboard {model['uid']}"
    found = grafana.get(f"/dashboards/uid/{model['uid']}")
    stored = found.get("dashboard", {}) if found else {}
    meta = found.get("meta", {}) if found else {}
    wanted = {key: value for key, value in model.items() if key != "version"}
    changes = list(differences(wanted, stored)) if found else []
    if found and meta.get("folderUid") != FOLDER_UID:
        changes.append("folder")
    if found and not changes:
        return Step(what, "unchanged")
    if meta.get("provisioned"):
        return Step(what, "left alone", ["provisioned from a file", *changes])
    if not dry_run:
        identity = {"id": stored.get("id"), "version": stored.get("version", 0)}
        message = f"tocsin dashboards push: {len(changes)} changes" if found else "tocsin dashboards push"
        body = {
            "dashboard": wanted | identity,
            "folderUid": FOLDER_UID,
            "overwrite": False,
            "message": message,
        }
        grafana.send("POST", "/dashboards/db", body)
    return Step(what, "updated" if found else "created", changes)


def _status(error: PushError) -> int | None:
    cause = error.__cause__
    return cause.status_code if isinstance(cause, GrafanaException) else None


def main(arguments: Sequence[str] | None = None) -> int:
    """`tocsin dashboards push`: 0 when Grafana is as wanted, 1 when it cannot be brought there."""
    options = _parser().parse_args(arguments)
    token = os.environ.get("GRAFANA_TOKEN", "")
    if not token:
        sys.stderr.write("set GRAFANA_TOKEN to the token of a service account\n")
        return 1
    datasource = None
    if options.clickhouse_host:
        datasource = Datasource(
            host=options.clickhouse_host,
            port=options.clickhouse_port,
            secure=options.clickhouse_secure,
            username=options.clickhouse_user,
            password=os.environ.get("GRAFANA_CLICKHOUSE_PASSWORD", ""),
            database=options.database,
        )
    failed = False
    try:
        for step in push(Grafana(options.url, token), datasource, dry_run=options.dry_run):
            failed = failed or step.outcome == "failed"
            sys.stdout.write("\n    ".join([f"{step.outcome:10}  {step.what}", *step.changes]) + "\n")
    except PushError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tocsin dashboards push",
        description=__doc__,
        epilog="GRAFANA_TOKEN: token of a service account. GRAFANA_CLICKHOUSE_PASSWORD: of the reading user.",
    )
    parser.add_argument("--url", default="http://localhost:3000", help="address of Grafana")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.add_argument(
        "--clickhouse-host", help="make the data source too: ClickHouse as Grafana reaches it"
    )
    parser.add_argument("--clickhouse-port", type=int, default=8123)
    parser.add_argument("--clickhouse-secure", action="store_true", help="over TLS")
    parser.add_argument("--clickhouse-user", default="grafana")
    parser.add_argument("--database", default="tocsin")
    return parser


if __name__ == "__main__":
    sys.exit(main())
