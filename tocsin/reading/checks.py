"""Tests that tell a number that is somebody's from a number: checksums, ranges, randomness."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from math import log2
from typing import Any

from tocsin.reading import ids

_SEPARATORS = str.maketrans("", "", " -.()+")
_PLACEHOLDER = re.compile(
    r"(?:\*+|x+|\.+|<.*|\$[({]?.*|%.*|`.*|null|none|true|false|undefined|redacted|required|optional|string|example"
    r"|changeme|placeholder|your[_-].*|\[.*|.*\.\.\.?|.*\u2026)",
    re.IGNORECASE,
)
_TOLD = re.compile(  # words of somebody who shows what a key looks like
    r"example|placeholder|redacted|dummy|(?:your|some|insert|my|random|access|config|api)[_-]?(?:api|access|secret)?"
    r"[_-]?(?:key|token|secret|string)|(?:key|token|string)[_-]?(?:goes[_-]?)?here",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"[A-Za-z_]\w*(?:(?:\.|->|::)[A-Za-z_]\w*)+")  # a member of something in a program
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:[_-][A-Z0-9]+)*[_-](?:KEY|TOKEN|SECRET|PASSWORD|PASS|PWD)")
_WORDS = re.compile(r"[a-z]+(?:[_-][a-z]+)+", re.IGNORECASE)
_NAMING = re.compile(
    r"password|passwd|secret|token|key|name|value|string|user|test|my|auth|config", re.IGNORECASE
)
_MAESTRO = frozenset({"50", *map(str, range(56, 70))})  # issuers of cards with twelve digits
_IBAN = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR EG PS QA UA",
        30: "JO KW MU YE", 31: "MT SC", 33: "LC RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
_DATE = re.compile(r"[0-9]{2}[ .-][0-9]{2}[ .-][0-9]{4}")
_BASE36 = {ord("A") + number: str(10 + number) for number in range(26)}


def card(text: str) -> bool:
    """A payment card: its issuer's first digits and Luhn's checksum."""
    digits = text.translate(_SEPARATORS)
    issued = digits[0] in "23456" or (len(digits) == 15 and digits.startswith("1800"))
    short = len(digits) == 12 and digits[:2] not in _MAESTRO
    return issued and not short and len(set(digits)) > 1 and ids.luhn(ids.digits_of(digits))


def iban(text: str) -> bool:
    """An account number: remainder 1 modulo 97. More may follow, where its country says how long it is."""
    compact = text.replace(" ", "").upper()
    number = compact[: _IBAN.get(compact[:2], 34)]
    return len(number) >= 15 and int((number[4:] + number[:4]).translate(_BASE36)) % 97 == 1


def ip(text: str) -> bool:
    """An address of a host: neither unspecified nor loopback, which are nobody's, nor `a::b` of a program."""
    if ":" in text and len(text) - text.count(":") < 4:
        return False
    try:
        packed = socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except OSError:
        return False
    if len(packed) == 4:
        return packed[0] not in (0, 127)
    return packed.strip(b"\0") not in (b"", b"\1")


def phone(text: str) -> bool:
    """An international number; what follows it is not told from it."""
    return len(text.translate(_SEPARATORS)) >= 8


def national_phone(text: str) -> bool:
    """A number as it is dialled at home: nine digits or more, and no date."""
    return len(text.translate(_SEPARATORS)) >= 9 and not _DATE.match(text)


def dialled(text: str) -> bool:
    """A number of which somebody says that it is a telephone's."""
    return 7 <= len(text.translate(_SEPARATORS)) <= 16


def grouped_phone(text: str) -> bool:
    """Groups of digits that no date makes and that nobody counts up."""
    return not _DATE.match(text) and _longest_run(text.translate(_SEPARATORS)) < 5 and text[0] != "0"


def varied(text: str) -> bool:
    """A key that was drawn, and none that is written to show the form: no word that says so, no long run
    of one character or of the alphabet, and enough different characters."""
    if _TOLD.search(text) or _longest_run(text) >= max(6, len(text) // 8):
        return False
    return entropy(text) >= (2.9 if len(text) >= 20 else 2.0)


def random(text: str) -> bool:
    """Letters and digits mixed as no word mixes them."""
    return any(map(str.isdigit, text)) and entropy(text) >= 3.0 and not _TOLD.search(text)


def drawn(text: str) -> bool:
    """Random, and none that is written to show the form."""
    return random(text) and varied(text)


def opaque(text: str) -> bool:
    """A credential rather than a word after `Bearer`: digits or both cases among its letters."""
    mixed = any(map(str.isdigit, text)) or (any(map(str.isupper, text[1:])) and any(map(str.islower, text)))
    return mixed and entropy(text) >= 2.5 and not _TOLD.search(text)


def key_like(text: str) -> bool:
    """A drawn key without a form of its own: digits and letters mixed, and no path or version."""
    plain = text.replace("-", "").replace("_", "").rstrip("=")
    mixed = any(map(str.isdigit, plain)) and any(map(str.isalpha, plain))
    return mixed and plain.isalnum() and entropy(plain) >= 3.0 and varied(text) and not _WORDS.match(text)


def assigned(text: str | None) -> bool:
    """A value that is meant: no placeholder, no plain word, no small number, no name of a variable."""
    if not text or _PLACEHOLDER.fullmatch(text) or text.isdecimal() and len(text) < 8:
        return False
    if (
        _REFERENCE.fullmatch(text)
        or _VARIABLE.fullmatch(text)
        or (_WORDS.fullmatch(text) and _NAMING.search(text))
    ):
        return False
    if len(text) >= 14 and not varied(text):
        return False
    return not text.isalpha() or entropy(text) >= 3.5 or not (text.islower() or text.istitle())


def chosen(text: str) -> bool:
    """A password in a sentence: letters mixed with something else."""
    return assigned(text) and any(map(str.isalnum, text)) and not text.rstrip(".!?").isalpha()


def _longest_run(text: str) -> int:
    """Of one character, or of characters that follow one another as in `abcdef` and `123456`."""
    longest = same = next_up = 1
    for before, after in pairwise(text.lower()):
        step = ord(after) - ord(before)
        same = same + 1 if step == 0 else 1
        next_up = next_up + 1 if step == 1 else 1
        longest = max(longest, same, next_up)
    return longest


def entropy(text: str) -> float:
    """Bits for each character, by the frequencies within the text."""
    size = len(text)
    return -sum(count / size * log2(count / size) for count in Counter(text).values()) if size else 0.0


CHECKS: Mapping[str, Callable[[Any], bool]] = {
    check.__name__: check
    for check in (
        *(card, iban, ip, phone, national_phone, dialled, grouped_phone),
        *(varied, random, drawn, opaque, key_like, assigned, chosen),
        *(
            ids.ssn,
            ids.cpf,
            ids.dni,
            ids.nir,
            ids.codice_fiscale,
            ids.nino,
            ids.nhs,
            ids.steuer_id,
            ids.pesel,
        ),
        *(ids.personnummer, ids.hetu, ids.rijksregister, ids.aadhaar, ids.sin, ids.shenfenzheng, ids.rrn),
        ids.curp,
    )
}
