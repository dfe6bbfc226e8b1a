"""The receiver over real sockets: who may send, and what is answered."""

from __future__ import annotations

import datetime
import gzip
import http.client
import ipaddress
import json
import socket
import ssl
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from parts.served import (
    ACME,
    EVENT,
    JSON_TYPE,
    NEXT,
    TOKENS,
    UMBRELLA,
    Served,
    ask,
    bearer,
    drained,
    request,
    serving,
)

from ingest.http import HttpSource
from tocsin import config
from tocsin.contracts import ConfigError, SourceUnavailable

# What is answered.


def test_accepted_is_what_can_be_read(served: Served) -> None:
    assert served.post("/events", EVENT + b"\n" + EVENT).code == 200
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x"}]}]}]}'
    reply = served.post("/v1/traces", body, JSON_TYPE)
    assert (reply.code, reply.body, reply.headers["content-type"]) == (200, b"{}", "application/json")
    assert served.records == [("", EVENT), ("", EVENT), ("", body)]


def test_protobuf_is_answered_in_protobuf(served: Served) -> None:
    kind = {"Content-Type": "application/x-protobuf"}
    good = served.post("/v1/logs", b"\x0a\x04\x12\x02\x12\x00", kind)
    assert (good.code, good.body, good.headers["content-type"]) == (200, b"", "application/x-protobuf")
    bad = served.post("/v1/logs", b"\x0a\x04\x12", kind)
    assert (bad.code, bad.body[:3], bad.headers["content-type"]) == (
        400,
        b"\x08\x03\x12",
        "application/x-protobuf",
    )
    assert served.records == [("", b"\x0a\x04\x12\x02\x12\x00")]


def test_metrics_are_taken_and_not_kept(served: Served) -> None:
    assert served.post("/v1/metrics", b'{"resourceMetrics":[]}', JSON_TYPE).code == 200
    assert served.records == []


def test_bodies_come_compressed_and_in_chunks(served: Served) -> None:
    packed = gzip.compress(EVENT)
    assert served.post("/events", packed, {"Content-Encoding": "gzip"}).code == 200
    assert served.post("/events", iter([packed[:7], packed[7:]]), {"Content-Encoding": "GZIP"}).code == 200
    assert served.records == [("", EVENT)] * 2


def test_a_connection_serves_many_requests_also_those_that_did_not_wait(served: Served) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", served.reader.port, timeout=10)) as client:
        for _ in range(3):
            assert ask(client, "/events", EVENT).code == 200
        assert ask(client, "/healthz", None, method="GET").code == 200
        assert ask(client, "/events", EVENT).code == 200
    answers = served.raw(request("/events", EVENT) * 3 + request("/events", EVENT, "Connection: close"))
    assert answers.count(b"HTTP/1.1 200") == 4
    assert len(served.records) == 8


def test_the_client_is_told_to_go_on_where_it_asks(served: Served) -> None:
    head = request("/events", b"", "Expect: 100-continue", "Connection: close")
    head = head.replace(b"Content-Length: 0", b"Content-Length: %d" % len(EVENT))
    with socket.create_connection(("127.0.0.1", served.reader.port), timeout=10) as client:
        client.sendall(head)
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        client.sendall(EVENT)
        assert drained(client).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("method", "path", "headers", "code"),
    [
        ("POST", "/v2/traces", JSON_TYPE, 404),
        ("POST", "/", JSON_TYPE, 404),
        ("GET", "/v1/traces", JSON_TYPE, 405),
        ("POST", "/v1/traces", {"Content-Type": "text/plain"}, 415),
        ("POST", "/v1/traces", {}, 415),
        ("POST", "/events", {"Content-Encoding": "br"}, 415),
        ("POST", "/events", {"Content-Encoding": "gzip, gzip"}, 415),
        ("POST", "/events", {"Content-Encoding": "gzip"}, 400),
        ("POST", "/v1/traces?x=1", JSON_TYPE, 400),
        ("POST", "/events", {"Origin": "https://evil.example"}, 403),
    ],
)
def test_what_cannot_be_taken_is_refused_by_name(
    served: Served, method: str, path: str, headers: dict[str, str], code: int
) -> None:
    reply = served.post(path, b"oops", headers, method)
    assert (reply.code, bool(json.loads(reply.body)["message"])) == (code, True)
    assert served.records == []


def test_health_needs_no_token(tmp_path: Path) -> None:
    with serving(tmp_path, tokens=TOKENS) as served:
        assert served.post("/healthz", None, method="GET").code == 200
        assert served.post("/healthz", None, method="HEAD").body == b""


# Whose it is.


def test_a_token_names_its_tenant(tmp_path: Path) -> None:
    with serving(tmp_path, tokens=TOKENS) as served:
        for token in (ACME, NEXT, UMBRELLA):
            assert served.post("/events", EVENT, bearer(token)).code == 200
        assert served.post("/events", EVENT, {"Authorization": f"bearer  {ACME} "}).code == 200
        assert [tenant for tenant, _ in served.records] == ["acme", "acme", "umbrella", "acme"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(""),
        bearer("wrong"),
        bearer(ACME + "x"),
        {"Authorization": ACME},
        {"Authorization": f"Basic {ACME}"},
    ],
)
def test_without_its_token_nothing_is_taken(tmp_path: Path, headers: dict[str, str]) -> None:
    with serving(tmp_path, tokens=TOKENS) as served:
        reply = served.post("/events", EVENT, headers)
        assert (reply.code, reply.headers["www-authenticate"]) == (401, "Bearer")
        assert served.records == []


def test_a_stranger_is_refused_before_the_body_is_read(tmp_path: Path) -> None:
    with serving(tmp_path, tokens=TOKENS) as served:
        head = request("/events", b"").replace(b"Content-Length: 0", b"Content-Length: 5000000")
        assert served.raw(head).startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize("listen", ["0.0.0.0:4318", "[::]:4318", "192.0.2.1:4318", "collector.example:4318"])
def test_it_refuses_to_listen_to_everybody_without_tokens(listen: str) -> None:
    with pytest.raises(ValueError, match="tokens: needed to listen on"):
        HttpSource(listen=listen)
    HttpSource(listen=listen, tokens=TOKENS)
    HttpSource(listen="[::1]:4318")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"listen": "4318"}, "is not host:port"),
        ({"tokens": {"a": "short"}}, "at least 16 characters"),
        ({"tokens": {"": ACME}}, "no empty tenant"),
        ({"tokens": {"a": ACME, "b": (UMBRELLA, ACME)}}, "two tenants"),
        ({"certificate_file": "x"}, "give both"),
        ({"held_bytes": 1 << 20}, "room for one body"),
    ],
)
def test_settings_that_make_no_sense_are_told(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        HttpSource(**settings)
    assert ACME not in str(caught.value)


def test_what_the_tables_say_together_is_checked() -> None:
    tables: dict[str, Any] = {"source": {"type": "http", "record_bytes": 1 << 21}}
    with pytest.raises(ConfigError, match="record_bytes: 2097152, but .* refuses what is above 1048576"):
        config.read(tables | {"sinks": {"clickhouse": {}}}, {})
    made = config.read(tables | {"limits": {"record_bytes": 1 << 21}, "sinks": {"clickhouse": {}}}, {})
    assert isinstance(made.source, HttpSource) and made.keys is None
    with pytest.raises(ConfigError, match=r"\[exchange\] not used"):
        config.read({"source": {"type": "http"}, "exchange": {}, "sinks": {"clickhouse": {}}}, {})


def test_a_token_is_never_shown() -> None:
    tables = {"source": {"type": "http", "tokens": {"a": "${A}", "b": "${A}"}}, "sinks": {"clickhouse": {}}}
    with pytest.raises(ConfigError, match="two tenants") as caught:
        config.read(tables, {"A": ACME})
    assert ACME not in str(caught.value)


def test_an_address_that_is_taken_is_waited_for(tmp_path: Path, served: Served) -> None:
    again = HttpSource(listen=f"127.0.0.1:{served.reader.port}", directory=str(tmp_path / "other"))
    with pytest.raises(SourceUnavailable, match="cannot listen"):
        again.open()


# TLS.


def certificate(directory: Path) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (directory / "cert.pem").write_bytes(made.public_bytes(pem))
    (directory / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(directory / "cert.pem"), str(directory / "key.pem")


def test_tls_is_spoken_where_there_is_a_certificate(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    with serving(tmp_path / "j", certificate_file=chain, key_file=key) as served:
        trusting = ssl.create_default_context(cafile=chain)
        port = served.reader.port
        with closing(http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=trusting)) as client:
            assert ask(client, "/events", EVENT).code == 200
        with (
            closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as plain,
            pytest.raises(OSError),
        ):
            ask(plain, "/events", EVENT)
        assert served.records == [("", EVENT)]


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("no certificate")
    source = HttpSource(
        listen="127.0.0.1:0",
        directory=str(tmp_path / "j"),
        certificate_file=str(tmp_path / "x.pem"),
        key_file=str(tmp_path / "x.pem"),
    )
    with pytest.raises(ConfigError, match="certificate_file"):
        source.open()
