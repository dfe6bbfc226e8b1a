"""Invented secrets and identities, written into payloads as producers send them, and looked for."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tocsin.reading import checks, ids

WINDOW = 8  # bytes of a trace by which it is looked for
LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
FIRST = ("anna", "bogdan", "chiara", "dmitri", "elif", "farah", "goran", "hanako", "ines", "jorge")
LAST = ("weber", "nowak", "rossi", "ivanov", "yilmaz", "haddad", "kovac", "tanaka", "costa", "mendez")


class Planted(NamedTuple):
    """What is written, and the parts of it that must be found nowhere."""

    text: str
    traces: tuple[str, ...]


def token(prefix: str, length: int, letters: str = LETTERS, suffix: str = "") -> Callable[..., Planted]:
    """A credential that begins in a known way."""

    def make(chance: random.Random) -> Planted:
        body = "".join(chance.choices(letters, k=length - 2)) + ("7Q" if letters is LETTERS else "73")
        return Planted(prefix + body + suffix, (body[:14], body[-14:]))

    return make


def said(around: str, length: int = 20) -> Callable[..., Planted]:
    """A credential that only the words around it tell."""

    def make(chance: random.Random) -> Planted:
        body = "x7Q" + "".join(chance.choices(LETTERS, k=length))
        return Planted(around.replace("{}", body), (body,))

    return make


def _hex(chance: random.Random, length: int) -> str:
    return "".join(chance.choices(HEX, k=length))


def _digits(chance: random.Random, length: int) -> str:
    return "".join(chance.choices("0123456789", k=length))


def _checked(make: Callable[[random.Random], str], check: Callable[[str], bool]) -> Callable[..., Planted]:
    """A number that passes its checksum: tried until one does."""

    def planted(chance: random.Random) -> Planted:
        while not check(text := make(chance)):
            pass
        return Planted(text, (text,))

    return planted


def email(chance: random.Random) -> Planted:
    local = f"{chance.choice(FIRST)}.{chance.choice(LAST)}{chance.randrange(10**6):06}"
    return Planted(f"{local}@{chance.choice(('example.org', 'mail.example.co.uk'))}", (f"{local}@",))


def phone(chance: random.Random) -> Planted:
    text = f"+49 {chance.randrange(150, 180)} {_digits(chance, 4)} {_digits(chance, 4)}"
    return Planted(text, (text[4:],))


def address(chance: random.Random) -> Planted:
    rest = (chance.randrange(100, 255) for _ in range(3))
    text = ".".join(map(str, (chance.choice((100, 145, 203, 212)), *rest)))
    return Planted(text, (text,))


def jwt(chance: random.Random) -> Planted:
    parts = ["".join(chance.choices(LETTERS, k=size)) for size in (24, 60, 40)]
    return Planted(f"eyJ{parts[0]}.eyJ{parts[1]}.{parts[2]}", (parts[1][:14], parts[2][-14:]))


def private_key(chance: random.Random) -> Planted:
    body = ["".join(chance.choices(LETTERS, k=64)) for _ in range(3)]
    kind = chance.choice(("RSA ", "OPENSSH ", "EC ", ""))
    text = "\n".join((f"-----BEGIN {kind}PRIVATE KEY-----", *body, f"-----END {kind}PRIVATE KEY-----"))
    return Planted(text, tuple(line[:14] for line in body))


def iban(chance: random.Random) -> Planted:
    def number(chance: random.Random) -> str:
        return f"DE{_digits(chance, 20)}"

    return _checked(number, checks.iban)(chance)


SECRETS: Sequence[Callable[[random.Random], Planted]] = (
    token("sk-proj-", 48), token("sk-", 48), token("sk-ant-api03-", 80), token("sk-or-v1-", 64, HEX),
    token("AIza", 35), token("AKIA", 16, string.ascii_uppercase), token("ghp_", 36), token("github_pat_", 60),
    token("glpat-", 20), token("xoxb-123456789012-", 24), token("sk_live_", 24), token("hf_", 34),
    token("gsk_", 52), token("xai-", 80), token("npm_", 36), token("pypi-", 80), token("dckr_pat_", 27),
    token("SK", 32, HEX), token("dop_v1_", 64, HEX), token("dapi", 32, HEX), token("hvs.", 30),
    token("AccountKey=", 86, suffix="=="), token("nvapi-", 64), token("pcsk_", 60), token("ATATT3", 100),
    token("whsec_", 32), token("ya29.", 60), token("r8_", 37), token("pplx-", 48), token("glsa_", 40),
    said("Authorization: Bearer {}"), said('password = "{}"', 9), said("api_key={}"),
    said("aws_secret_access_key={}", 37), said("postgres://app:{}@db.internal/orders", 9),
    said("my password is {} ok", 9), said("curl -u ada:{} https://example.org", 9),
    jwt, private_key, email, email, phone, address, iban,
    _checked(lambda c: "4" + _digits(c, 15), checks.card),
    _checked(lambda c: f"{c.randrange(1, 666):03}-{c.randrange(1, 99):02}-{_digits(c, 4)}", ids.ssn),
    _checked(lambda c: "{}.{}.{}-{}".format(*(_digits(c, n) for n in (3, 3, 3, 2))), ids.cpf),
    _checked(lambda c: _digits(c, 8) + c.choice("TRWAGMYFPDXBNJZSQVHLCKE"), ids.dni),
    _checked(lambda c: f"{c.choice('ABCEHJ')}{c.choice('ABCEH')}{_digits(c, 6)}{c.choice('ABCD')}", ids.nino),
    _checked(lambda c: _digits(c, 11), ids.pesel),
    _checked(lambda c: f"{c.randrange(2, 10)}{_digits(c, 3)} {_digits(c, 4)} {_digits(c, 4)}", ids.aadhaar),
)  # fmt: skip

IDENTITIES: dict[str, Sequence[Callable[[random.Random], Planted]]] = {
    "user": (lambda c: _opaque("emp", c), lambda c: _opaque("u", c), email),
    "api_key": (lambda c: _opaque("key", c), token("sk-proj-", 48)),
    "client_ip": (address,),
}


def _opaque(prefix: str, chance: random.Random) -> Planted:
    text = f"{prefix}-{_hex(chance, 10)}"
    return Planted(text, (text,))


class Planter:
    """Writes secrets into string leaves, wherever a payload has some."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.traces: list[str] = []
        self.planted = 0
        self._kept: set[str] = set()

    def record(self, value: bytes, identities: Sequence[tuple[str, str]], *, alone: bool) -> bytes:
        """The record with some more secrets in it, and with other identities at the place of those given.

        `alone`: it is one event, so what it says may mention who it is from.
        """
        self._kept = {identity for _, identity in identities}
        before, document = _opened(value)
        if document is None:
            return value + b" " + self._new(self._chance.choice(SECRETS)).encode()
        mentions = []
        for field, identity in identities:
            other = self._new(self._chance.choice(IDENTITIES[field]))
            changed = _replaced(document, identity, other)
            alone = alone and changed != document  # not where it is encoded once more
            document = changed
            self._kept.add(other)
            mentions += [f"for {other} again"] if alone else []
        for text in (*mentions, *(self._sentence() for _ in range(self._chance.randrange(2, 6)))):
            document = self._written(document, text)
        return before + json.dumps(document).encode()

    def broken(self, value: bytes) -> bytes:
        """A record that nobody can read."""
        return self.record(value, (), alone=False)[: -self._chance.randrange(1, 4)]

    def _sentence(self) -> str:
        return self._new(self._chance.choice(SECRETS))

    def _new(self, make: Callable[[random.Random], Planted]) -> str:
        planted = make(self._chance)
        self.traces += planted.traces
        self.planted += 1
        return planted.text

    def _written(self, document: Any, text: str) -> Any:
        """The document with the text behind, or instead of, one of its strings."""
        places = [place for place in _leaves(document, ()) if self._free(document, place)]
        if not places:
            return document
        place = self._chance.choice(places)
        old = _at(document, place)
        nested = _json(old)
        if nested is not None:
            return _set(document, place, json.dumps(self._written(nested, text)))
        return _set(document, place, f" {text} " if self._chance.random() < 0.3 else f"{old} {text} ")

    def _free(self, document: Any, place: tuple[str | int, ...]) -> bool:
        """Neither who it is from, nor the label that says so."""
        label = place[-1:] in (("key",), ("name",))
        return not self._kept or not label and _at(document, place) not in self._kept


def _opened(value: bytes) -> tuple[bytes, Any]:
    """The JSON that a record ends with, and what stands before it."""
    start = min((at for at in (value.find(b"{"), value.find(b"[")) if at >= 0), default=-1)
    try:
        return value[:start], json.loads(value[start:]) if start >= 0 else None
    except ValueError:
        return b"", None


def _json(text: str) -> Any:
    try:
        nested = json.loads(text) if text[:1] in ("{", "[") else None
    except ValueError:
        return None
    return nested if isinstance(nested, dict | list) else None


def _leaves(document: Any, place: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if isinstance(document, str):
        yield place
    elif isinstance(document, dict | list):
        pairs = document.items() if isinstance(document, dict) else enumerate(document)
        for key, inner in pairs:
            yield from _leaves(inner, (*place, key))


def _at(document: Any, place: Iterable[str | int]) -> Any:
    for key in place:
        document = document[key]
    return document


def _set(document: Any, place: Sequence[str | int], value: str) -> Any:
    if not place:
        return value
    _at(document, place[:-1])[place[-1]] = value
    return document


def _replaced(document: Any, old: str, new: str) -> Any:
    """The document with every string that is `old` replaced, in JSON inside strings as well."""
    if isinstance(document, str):
        nested = _json(document)
        if nested is not None:
            return json.dumps(_replaced(nested, old, new))
        return new if document == old else document
    if isinstance(document, dict):
        return {key: _replaced(inner, old, new) for key, inner in document.items()}
    return [_replaced(inner, old, new) for inner in document] if isinstance(document, list) else document


def found(blob: bytes, traces: Iterable[str]) -> list[str]:
    """Which of the traces stand in the bytes."""
    by_head: dict[int, list[bytes]] = {}
    for trace in {each.encode() for each in traces}:
        assert len(trace) >= WINDOW, trace
        by_head.setdefault(int.from_bytes(trace[:WINDOW], "little"), []).append(trace)
    heads = np.array(sorted(by_head), dtype="<u8")
    hits: set[str] = set()
    for shift in range(WINDOW):
        words = np.frombuffer(blob[shift : len(blob) - (len(blob) - shift) % WINDOW], dtype="<u8")
        for at in np.flatnonzero(np.isin(words, heads)):
            start = shift + int(at) * WINDOW
            hits.update(t.decode() for t in by_head[int(words[at])] if blob.startswith(t, start))
    return sorted(hits)
