"""Numbers that states give to people, with the checksums that tell them from other numbers."""

from __future__ import annotations

_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_ODD = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21,
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
), strict=True))  # fmt: skip
_EVEN = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (*range(10), *range(26)), strict=True))
_CURP = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
_DIHEDRAL = tuple(
    tuple((a + b) % 5 if a < 5 and b < 5 else (a + b - 5) % 5 + 5 if a < 5
          else (a - 5 - b) % 5 + 5 if b < 5 else (a - b) % 5 for b in range(10))
    for a in range(10)
)  # fmt: skip
_PERMUTED = ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
             (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
             (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8))  # fmt: skip


_VALUES = bytes((number - 48) % 256 for number in range(256))
_NO_DIGITS = bytes(number for number in range(256) if not 48 <= number <= 57)
_DOUBLED = bytes((*range(0, 10, 2), *range(1, 10, 2), *range(10, 256)))


def digits_of(text: str) -> list[int]:
    return list(text.encode("utf-8", "replace").translate(_VALUES, _NO_DIGITS))


def luhn(digits: list[int]) -> bool:
    """The checksum of cards and of several states' numbers."""
    return (sum(digits[-1::-2]) + sum(bytes(digits[-2::-2]).translate(_DOUBLED))) % 10 == 0


def weighed(digits: list[int], weights: tuple[int, ...]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=False))


def birthday(month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= 31


def ssn(text: str) -> bool:
    """United States: areas 000, 666 and 900 up, group 00 and serial 0000 were never given out."""
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def cpf(text: str) -> bool:
    """Brazil: two check digits modulo 11."""
    digits = digits_of(text)
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    return all(
        weighed(digits, tuple(range(length + 1, 1, -1))) * 10 % 11 % 10 == digits[length]
        for length in (9, 10)
    )


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


def nino(text: str) -> bool:
    """United Kingdom: prefixes that were never given out."""
    return text[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")


def nhs(text: str) -> bool:
    """England's health service: modulo 11."""
    digits = digits_of(text)
    return len(digits) == 10 and (11 - weighed(digits, tuple(range(10, 1, -1))) % 11) % 11 == digits[9]


def steuer_id(text: str) -> bool:
    """Germany: ISO 7064 modulo 11, 10; among the first ten one digit stands twice or three times."""
    digits = digits_of(text)
    if len(digits) != 11 or not digits[0] or len(set(digits[:10])) not in (8, 9):
        return False
    product = 10
    for digit in digits[:10]:
        product = ((digit + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == digits[10]


def pesel(text: str) -> bool:
    """Poland: a date whose month tells the century, and a check digit modulo 10."""
    digits = digits_of(text)
    month, day = (digits[2] * 10 + digits[3]) % 20, digits[4] * 10 + digits[5]
    total = weighed(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3))
    return birthday(month, day) and (10 - total % 10) % 10 == digits[10]


def personnummer(text: str) -> bool:
    """Sweden: a date (the day plus 60 for residents for a time) and Luhn's checksum."""
    digits = digits_of(text)[-10:]
    month, day = digits[2] * 10 + digits[3], (digits[4] * 10 + digits[5]) % 60
    return birthday(month, day) and luhn(digits)


def hetu(text: str) -> bool:
    """Finland: a character that follows from date and number modulo 31."""
    number = text[:6] + text[7:10]
    return birthday(int(text[2:4]), int(text[:2])) and _HETU[int(number) % 31] == text[10]


def rijksregister(text: str) -> bool:
    """Belgium: 97 minus the number modulo 97, with a 2 in front for those born from 2000 on."""
    digits = "".join(map(str, digits_of(text)))
    check = int(digits[9:])
    return check in (97 - int(digits[:9]) % 97, 97 - int("2" + digits[:9]) % 97)


def aadhaar(text: str) -> bool:
    """India: Verhoeff's checksum."""
    check = 0
    for at, digit in enumerate(reversed(digits_of(text))):
        check = _DIHEDRAL[check][_PERMUTED[at % 8][digit]]
    return check == 0


def sin(text: str) -> bool:
    """Canada: Luhn's checksum; 0 and 8 begin none of a person."""
    digits = digits_of(text)
    return digits[0] not in (0, 8) and luhn(digits)


def shenfenzheng(text: str) -> bool:
    """China: a date and a check character modulo 11 (ISO 7064)."""
    total = weighed(digits_of(text[:17]), (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2))
    return birthday(int(text[10:12]), int(text[12:14])) and "10X98765432"[total % 11] == text[17].upper()


def rrn(text: str) -> bool:
    """Korea: a date; the numbers given out since 2020 have no checksum."""
    return birthday(int(text[2:4]), int(text[4:6]))


def curp(text: str) -> bool:
    """Mexico: a date and a check digit modulo 10."""
    total = sum(_CURP.index(letter) * (18 - at) for at, letter in enumerate(text[:17]))
    return birthday(int(text[6:8]), int(text[8:10])) and str((10 - total % 10) % 10) == text[17]
