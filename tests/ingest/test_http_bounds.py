"""What nobody can do to the receiver, back-pressure, many clients at once, and the end."""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from parts.served import (
    ACME,
    EVENT,
    JSON_TYPE,
    TOKENS,
    UMBRELLA,
    Served,
    ask,
    bearer,
    drained,
    request,
    serving,
)

from ingest.journal_reader import PARTITION

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
        time.sleep(2.0)  # until the server has begun with both: an idle one would be closed for the third
        reply = served.post("/events", EVENT)
        assert (reply.code, reply.headers["retry-after"]) == (503, "1")
        whole = request("/events", EVENT)  # the answer waits until all was sent, and is not lost to a reset
        assert served.raw(whole[:-5], whole[-5:], pause=0.2).startswith(b"HTTP/1.1 503")
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
        assert time.monotonic() - began < 4
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
