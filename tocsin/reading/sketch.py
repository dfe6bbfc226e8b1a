"""Sketches: what reading a text told, in a short line of its own that stands where the text would.

    tocsin.sketch/1:<key id>:<seal>:<length>[r]:<payload>

The payload is MessagePack in base64url. The seal (BLAKE2b under the key) covers all of the line, so nobody
without the key can pass off a sketch as the installation's own; `r` says that the text opens like a refusal.
Equal texts have equal sketches under one key. Nothing heavy is imported here before a text is read.
"""

from __future__ import annotations

import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from hmac import compare_digest
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from tocsin.contracts import ConfigError
from tocsin.model import Role
from tocsin.settings import ReadingSettings

PREFIX = "tocsin.sketch/1:"
LONGEST = 32_768  # characters of a sketch
VARIABLE = "TOCSIN_CONTENT_KEY"  # of the environment, where no key is given
_LINE = re.compile(re.escape(PREFIX) + r"([0-9a-f]{8}):([0-9a-f]{16}):([0-9]{1,9})(r?):([A-Za-z0-9_-]*)")
_MOST = 64
_SHINGLES = 256

_Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_:.-]{1,64}\Z")]
_Name = Annotated[str, Meta(pattern=r"^[^\x00-\x1f]{1,64}\Z")]
_Share = Annotated[float, Meta(ge=0, le=1)]


class Found(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """A rule that matched, whose text it is about, and where."""

    rule: _Word
    family: Annotated[str, Meta(pattern=r"^[A-Z]{1,6}[0-9]{0,3}\Z")]
    roles: Annotated[tuple[Role, ...], Meta(max_length=5)]
    weight: _Share
    view: _Word
    chain: Annotated[tuple[_Word, ...], Meta(max_length=8)]


class Host(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """A link's host, as in `tocsin.model.Link`."""

    host: Annotated[str, Meta(pattern=r"^[!-~]{1,253}\Z")]
    image: bool
    payload: Annotated[int, Meta(ge=0, le=1 << 20)]


class Sketch(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """What reading one text told; see `tocsin.model.TextSignal`."""

    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    model: _Share
    data: _Share
    found: Annotated[tuple[Found, ...], Meta(max_length=_MOST)]
    smuggled: Annotated[tuple[_Word, ...], Meta(max_length=_MOST)]
    findings: Annotated[
        tuple[tuple[_Word, Annotated[int, Meta(ge=1, le=1 << 30)]], ...], Meta(max_length=_MOST)
    ]
    links: Annotated[tuple[Host, ...], Meta(max_length=_MOST)]
    entropy: Annotated[float, Meta(ge=0, le=32)]
    repetition: _Share
    script: Annotated[str, Meta(pattern=r"^[A-Za-z]{0,4}\Z")]
    language: Annotated[str, Meta(pattern=r"^[a-z]{0,3}\Z")]
    simhash: Annotated[bytes, Meta(min_length=8, max_length=8)]  # covered, see `Key.covered`
    shingles: Annotated[bytes, Meta(max_length=_SHINGLES * 8)]  # eight bytes each, the lowest first
    canaries: Annotated[tuple[_Name, ...], Meta(max_length=_MOST)]
    truncated: bool


class Line(NamedTuple):
    """A sketch with what its line says; `own`: made with the same key."""

    sketch: Sketch
    length: int
    refusal: bool
    own: bool


class Key:
    """One installation's secret, and what is derived from it."""

    def __init__(self, secret: str) -> None:
        derived = blake2b(secret.encode(), digest_size=64, person=b"tocsin.sketch").digest()
        self.id = blake2b(derived, digest_size=4, person=b"tocsin.sketch.id").hexdigest()
        self._seal, self._cover = derived[:32], derived[32:]

    def seal(self, said: str) -> str:
        """What only holders of the key can write under these words."""
        return blake2b(said.encode(), key=self._seal, digest_size=8).hexdigest()

    def covered(self, simhash: int, digest: str) -> bytes:
        """The simhash under bits that only the key and the text's digest give."""
        return (simhash ^ self._bits(digest)).to_bytes(8, "big")

    def uncovered(self, covered: bytes, digest: str) -> int:
        """The simhash itself again."""
        return int.from_bytes(covered, "big") ^ self._bits(digest)

    def _bits(self, digest: str) -> int:
        bits = blake2b(digest.encode(), key=self._cover, digest_size=8).digest()
        return int.from_bytes(bits, "big")


def sketch(text: str, *, key: str | None = None, rules: Sequence[str] = ()) -> str:
    """What Tocsin sees in a text, to be sent in its place.

    `key` is the installation's `content.key`, by default of the environment (TOCSIN_CONTENT_KEY); `rules`
    are folders of rules beside the shipped ones. Raises ConfigError where there is no key. The first call
    in a thread loads rules and model (seconds).
    """
    return sketches([text], key=key, rules=rules)[0]


def sketches(texts: Sequence[str], *, key: str | None = None, rules: Sequence[str] = ()) -> list[str]:
    """Sketches of many texts, read together."""
    held = secret() if key is None else key
    if not held:
        raise ConfigError([f"a sketch wants a key: set {VARIABLE} to the installation's content.key"])
    from tocsin.reading.step import reader  # rules, model and their libraries

    return reader(ReadingSettings(rules=tuple(rules)), held).sketches(texts)


def secret() -> str:
    """The key that the environment of an application holds; "" where it holds none."""
    return os.environ.get(VARIABLE, "")


def written(told: Sketch, length: int, refusal: bool, key: Key) -> str:
    """The line of a sketch."""
    payload = urlsafe_b64encode(_encode(told)).rstrip(b"=").decode()
    said = f"{min(length, 999_999_999)}{'r' if refusal else ''}:{payload}"
    return f"{PREFIX}{key.id}:{key.seal(said)}:{said}"


def read(text: str, key: Key) -> Line | None:
    """What a sketch says; None where it is none, is damaged, or names this key and was not sealed with it."""
    match = _header(text)
    if match is None:
        return None
    own = match[1] == key.id
    if own and not compare_digest(match[2], key.seal(text[match.start(3) :])):
        return None
    try:
        told = _decode(urlsafe_b64decode(match[5] + "=" * (-len(match[5]) % 4)))
    except (ValueError, msgspec.DecodeError):
        return None
    if len(told.shingles) % 8:
        return None
    return Line(told, int(match[3]), bool(match[4]), own)


def is_one(text: str) -> bool:
    """Whether a text has the form of a sketch."""
    return _header(text) is not None


def length(text: str) -> int:
    """Characters of the text that a sketch stands for, as it says; of any other text its own."""
    header = _header(text) if text.startswith(PREFIX) else None
    return int(header[3]) if header else len(text)


def refuses(text: str) -> bool:
    """Whether a sketch says that its text opens like a refusal."""
    header = _header(text)
    return header is not None and bool(header[4])


def _header(text: str) -> re.Match[str] | None:
    return _LINE.fullmatch(text) if len(text) <= LONGEST else None


@cache
def keyed(secret: str) -> Key:
    """The key of a secret, derived once."""
    return Key(secret)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Sketch).decode
