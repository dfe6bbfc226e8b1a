"""The receiver over real sockets: who may send, what is answered, and what nobody can do to it."""

from __future__ import annotations

import datetime
import gzip
import http.client
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ingest.http import HttpReader, HttpSource
from ingest.journal_reader import PARTITION
from tocsin import config
from tocsin.contracts import ConfigError, SourceUnavailable
from tocsin.health import Health
from tocsin.metrics import Metrics
from tocsin.ports import Lent
from tocsin.unpack import Owned

ACME, UMBRELLA, NEXT = "acme-token-0123456789", "umbrella-token-0123456", "acme-token-of-tomorrow"
TOKENS: dict[str, str | tuple[str, ...]] = {"acme": (ACME, NEXT), "umbrella": UMBRELLA}
JSON_TYPE = {"Content-Type": "application/json"}
EVENT = b'{"tocsin":1,"user":"u"}'


class Reply(NamedTuple):
    code: int
    body: bytes
    headers: Mapping[str, str]


class Served:
    """A source that listens, with what it was lent."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.lent = Lent(Metrics(), Health(60.0))
        made = HttpSource(listen="127.0.0.1:0", directory=str(directory), **settings)
        self.reader: HttpReader = made.open_with(self.lent)
        self.reader.changes()
        self.reader.seek(PARTITION, None)

    @property
    def records(self) -> list[tuple[str, bytes]]:
        """What was accepted since this was last asked: tenant and value."""
        found: list[tuple[str, bytes]] = []
        while records := self.reader.poll(0.0):
            found += [(record.tenant, record.value) for record in records if isinstance(record, Owned)]
        return found

    def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Reply:
        with closing(http.client.HTTPConnection("127.0.0.1", self.reader.port, timeout=10)) as client:
            return ask(client, path, body, headers, method)

    def raw(self, *pieces: bytes, pause: float = 0.0) -> bytes:
        """Everything that is answered to these bytes until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.reader.port), timeout=10) as client:
            for piece in pieces:
                client.sendall(piece)
                time.sleep(pause)
            return drained(client)


def ask(
    client: http.client.HTTPConnection,
    path: str,
    body: Any,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
) -> Reply:
    client.request(method, path, body, dict(headers or {}))
    response = client.getresponse()
    return Reply(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})


def drained(client: socket.socket) -> bytes:
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


@contextmanager
def serving(directory: Path, **settings: Any) -> Iterator[Served]:
    served = Served(directory, **settings)
    with closing(served.reader):
        yield served


@pytest.fixture(name="served")
def _served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as served:
        yield served


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def request(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


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


# What nobody can do to it.


def test_a_body_that_is_too_long_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with serving(tmp_path, body_bytes=10_000) as served:
        head = request("/events", b"").replace(b"Content-Length: 0", b"Content-Length: 5000000000")
        assert served.raw(head).startswith(b"HTTP/1.1 413")
        assert served.post("/events", b"x" * 10_001).code == 413
        assert served.post("/events", iter([b"x" * 5000] * 3)).code == 413
        assert (
            served.post("/events", gzip.compress(b'"' + bytes(1 << 20)), {"Content-Encoding": "gzip"}).code
            == 413
        )
        assert served.post("/events", EVENT).code == 200


def test_a_sender_of_too_much_can_read_why(tmp_path: Path) -> None:
    with serving(tmp_path, body_bytes=10_000) as served:
        reply = served.post("/events", b"x" * 3_000_000)
        assert reply.code == 413 and b"smaller batches" in reply.body


def test_bodies_that_are_on_their_way_are_bounded_together(tmp_path: Path) -> None:
    with serving(tmp_path, body_bytes=1 << 20, held_bytes=1 << 20) as served:
        head = request("/events", b"").replace(b"Content-Length: 0", b"Content-Length: 1000000")
        with socket.create_connection(("127.0.0.1", served.reader.port), timeout=10) as slow:
            slow.sendall(head + b"x" * 900_000)
            time.sleep(0.1)
            reply = served.post("/events", b"x" * 200_000)
            assert (reply.code, reply.headers["retry-after"]) == (503, "1")
        deadline = time.monotonic() + 5
        while served.post("/events", b'"' + b"x" * 200_000 + b'"').code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / SMTP\r\n\r\n",
        b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /events HTTP/1.1\r\n" + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
        b"POST /events HTTP/1.1\r\nHost: x\r\nX: a\r\n b\x00\r\n\r\n",
    ],
)
def test_what_is_no_http_is_answered_and_closed(served: Served, sent: bytes) -> None:
    assert served.raw(sent)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 431", b"HTTP/1.1 501")
    assert served.post("/events", EVENT).code == 200


def test_a_client_that_leaves_in_the_middle_is_nobodys_trouble(served: Served) -> None:
    whole = request("/events", EVENT)
    for cut in (1, 20, len(whole) - 1):
        with socket.create_connection(("127.0.0.1", served.reader.port), timeout=10) as client:
            client.sendall(whole[:cut])
    assert served.post("/events", EVENT).code == 200
    assert served.records == [("", EVENT)]


def test_slow_clients_are_sent_away(tmp_path: Path) -> None:
    with serving(tmp_path, head_seconds=0.3, body_seconds=0.3, idle_seconds=0.3) as served:
        whole = request("/events", EVENT)
        began = time.monotonic()
        assert served.raw() == b""  # says nothing
        assert served.raw(*(bytes((byte,)) for byte in whole[:4]), pause=0.2)[:12] == b"HTTP/1.1 408"
        assert served.raw(whole[:-5])[:12] == b"HTTP/1.1 408"
        assert served.raw(whole).count(b"HTTP/1.1 200") == 1  # then idle
        assert time.monotonic() - began < 6
        assert len(served.records) == 1


def test_silent_clients_do_not_keep_others_out(tmp_path: Path) -> None:
    with serving(tmp_path, connections=4) as served:
        silent = [socket.create_connection(("127.0.0.1", served.reader.port)) for _ in range(20)]
        assert served.post("/events", EVENT).code == 200
        for client in silent:
            client.close()


def test_too_many_busy_clients_are_asked_to_come_again(tmp_path: Path) -> None:
    with serving(tmp_path, connections=2) as served:
        busy = [socket.create_connection(("127.0.0.1", served.reader.port)) for _ in range(2)]
        for client in busy:
            client.sendall(request("/events", EVENT)[:-3])
        time.sleep(0.1)
        reply = served.post("/events", EVENT)
        assert (reply.code, reply.headers["retry-after"]) == (503, "1")
        for client in busy:
            client.close()


def test_a_body_in_tiny_chunks_is_given_up(served: Served) -> None:
    head = b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert served.raw(head + b"1\r\nx\r\n" * 20_000)[:12] == b"HTTP/1.1 413"


# Back-pressure.


def test_a_full_journal_asks_to_come_again(tmp_path: Path) -> None:
    with serving(tmp_path, journal_bytes=1 << 20, tokens=TOKENS) as served:
        half = b'"' + b"x" * 400_000 + b'"'
        assert [served.post("/events", half, bearer(ACME)).code for _ in range(2)] == [200, 429]
        reply = served.post("/v1/traces", b"{}", bearer(ACME) | JSON_TYPE)
        assert reply.code == 200  # nothing to keep
        assert served.post("/events", half, bearer(UMBRELLA)).code == 200
        served.reader.commit({PARTITION: 2})
        served.reader.commit({PARTITION: 3})
        deadline = time.monotonic() + 5
        while served.post("/events", EVENT, bearer(ACME)).code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_full_journal_refuses_before_the_body_and_says_when(tmp_path: Path) -> None:
    with serving(tmp_path, journal_bytes=1 << 20) as served:
        assert served.post("/events", b'"' + b"x" * 700_000 + b'"').code == 200
        head = request("/events", b"").replace(b"Content-Length: 0", b"Content-Length: 900000")
        answer = served.raw(head)
        assert answer.startswith(b"HTTP/1.1 429") and b"retry-after: 5" in answer.lower()
        time.sleep(0.7)
        assert "429 is answered" in served.lent.health.reasons()["journal"]


# Many at once, and the end.


def test_many_clients_at_once_lose_and_double_nothing(served: Served) -> None:
    def send(client_number: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", served.reader.port, timeout=20)) as client:
            for number in range(30):
                body = b"\n".join(b'{"n":"%d.%d.%d"}' % (client_number, number, line) for line in range(10))
                assert ask(client, "/events", body).code == 200

    threads = [threading.Thread(target=send, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = [value for _, value in served.records]
    assert len(values) == len(set(values)) == 16 * 30 * 10
    assert served.reader._own.commits < 16 * 30  # they shared syncs


def test_who_is_being_served_at_the_end_is_answered(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        with socket.create_connection(("127.0.0.1", served.reader.port), timeout=10) as client:
            whole = request("/events", EVENT)
            client.sendall(whole[:-3])
            time.sleep(0.1)
            ending = threading.Thread(target=served.reader.close)
            ending.start()
            time.sleep(0.2)
            client.sendall(whole[-3:])
            answer = drained(client)
            ending.join(10)
        assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer.lower()
        assert not ending.is_alive()
    with serving(tmp_path) as served:
        assert served.records == [("", EVENT)]


def test_idle_clients_do_not_hold_the_end_up(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        idle = [socket.create_connection(("127.0.0.1", served.reader.port), timeout=10) for _ in range(5)]
        time.sleep(0.1)
        began = time.monotonic()
        served.reader.close()
        assert time.monotonic() - began < 1
        assert [client.recv(10) for client in idle] == [b""] * 5
        for client in idle:
            client.close()


def test_it_is_not_ready_before_somebody_reads(served: Served) -> None:
    assert "source" in served.lent.health.reasons()
    served.reader.poll(0.0)
    assert "source" not in served.lent.health.reasons()


def test_it_counts_what_it_does(served: Served) -> None:
    served.post("/events", EVENT)
    served.post("/v1/traces", b"oops", JSON_TYPE)
    served.post("/what/ever", b"oops")
    value = served.lent.metrics.value
    assert value("tocsin_http_requests_total", path="/events", code="200") == 1
    assert value("tocsin_http_requests_total", path="/v1/traces", code="400") == 1
    assert value("tocsin_http_requests_total", path="other", code="404") == 1
    assert value("tocsin_http_body_bytes_total", path="/events") == len(EVENT)
    assert value("tocsin_http_accepted_total", path="/events") == 1
    time.sleep(0.7)
    assert value("tocsin_journal_bytes") == len(EVENT)
    assert value("tocsin_journal_records") == 1
