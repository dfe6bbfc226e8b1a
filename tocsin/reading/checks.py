"""Tests that tell a number that is somebody's from a number: checksums, ranges, randomness."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from typing import Any

from tocsin.reading import ids, values

_SEPARATORS = str.maketrans("", "", " -.()+")
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
    return not _DATE.match(text) and values.longest_run(text.translate(_SEPARATORS)) < 5 and text[0] != "0"


CHECKS: Mapping[str, Callable[[Any], bool]] = {
    check.__name__: check
    for check in (
        *(card, iban, ip, phone, national_phone, dialled, grouped_phone),
        *(values.varied, values.random, values.drawn, values.opaque, values.key_like, values.assigned),
        *(values.chosen, values.password, values.meant, values.encoded_values, values.key_material),
        *(values.signed, values.genuine, values.never),
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
