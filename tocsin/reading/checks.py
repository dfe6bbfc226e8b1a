"""Tests that tell a number that is somebody's from a number: checksums, ranges, randomness."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from math import log2

_SEPARATORS = str.maketrans("", "", " -.()+")
_PLACEHOLDER = re.compile(
    r"(?:\*+|x+|\.+|<.*|\$\{?.*|%.*|null|none|true|false|undefined|redacted|required|optional|string|example"
    r"|changeme|placeholder|your[_-].*|\[.*)",
    re.IGNORECASE,
)
_DOUBLED = dict(zip("0123456789", (0, 2, 4, 6, 8, 1, 3, 5, 7, 9), strict=True))
_BASE36 = {ord("A") + number: str(10 + number) for number in range(26)}
_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_ODD = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21,
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
), strict=True))  # fmt: skip
_EVEN = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (*range(10), *range(26)), strict=True))


def card(text: str) -> bool:
    """A payment card: its issuer's first digits and Luhn's checksum."""
    digits = text.translate(_SEPARATORS)
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and len(set(digits)) > 1 and _luhn(digits)


def _luhn(digits: str) -> bool:
    return (sum(map(int, digits[-1::-2])) + sum(map(_DOUBLED.__getitem__, digits[-2::-2]))) % 10 == 0


def iban(text: str) -> bool:
    """An account number: remainder 1 modulo 97."""
    compact = text.replace(" ", "")
    return 15 <= len(compact) <= 34 and int((compact[4:] + compact[:4]).translate(_BASE36)) % 97 == 1


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
    return 8 <= len(text.translate(_SEPARATORS)) <= 15


def ssn(text: str) -> bool:
    """United States: areas 000, 666 and 900 up, group 00 and serial 0000 were never given out."""
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def cpf(text: str) -> bool:
    """Brazil: two check digits modulo 11."""
    digits = [int(digit) for digit in text if digit.isdecimal()]
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    for length in (9, 10):
        total = sum(digit * weight for digit, weight in zip(digits, range(length + 1, 1, -1), strict=False))
        if total * 10 % 11 % 10 != digits[length]:
            return False
    return True


def dni(text: str) -> bool:
    """Spain: a letter that follows from the number modulo 23."""
    compact = text.replace("-", "")
    number = compact[:-1].translate(str.maketrans("XYZ", "012"))
    return number.isdecimal() and _DNI[int(number) % 23] == compact[-1]


def nir(text: str) -> bool:
    """France: 97 minus the number modulo 97; Corsica counts as 19 and 18."""
    compact = text.replace(" ", "").replace("2A", "19").replace("2B", "18")
    return compact.isdecimal() and len(compact) == 15 and 97 - int(compact[:13]) % 97 == int(compact[13:])


def codice_fiscale(text: str) -> bool:
    """Italy: a letter that follows from the fifteen before it modulo 26."""
    total = sum(_ODD[letter] for letter in text[0:15:2]) + sum(_EVEN[letter] for letter in text[1:15:2])
    return chr(ord("A") + total % 26) == text[15]


def random(text: str) -> bool:
    """Letters and digits mixed as no word mixes them."""
    return any(letter.isdigit() for letter in text) and entropy(text) >= 3.0


def opaque(text: str) -> bool:
    """A credential rather than a word after `Bearer`: digits or both cases among its letters."""
    mixed = any(map(str.isdigit, text)) or (any(map(str.isupper, text[1:])) and any(map(str.islower, text)))
    return mixed and entropy(text) >= 2.5


def assigned(text: str) -> bool:
    """A value that is meant: no placeholder, no plain word, no small number."""
    if _PLACEHOLDER.fullmatch(text) or text.isdecimal() and len(text) < 8:
        return False
    return not text.isalpha() or entropy(text) >= 3.5 or not (text.islower() or text.istitle())


def entropy(text: str) -> float:
    """Bits for each character, by the frequencies within the text."""
    size = len(text)
    return -sum(count / size * log2(count / size) for count in Counter(text).values()) if size else 0.0


CHECKS: Mapping[str, Callable[[str], bool]] = {
    check.__name__: check
    for check in (card, iban, ip, phone, ssn, cpf, dni, nir, codice_fiscale, random, opaque, assigned)
}
