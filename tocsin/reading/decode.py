"""Encodings undone: runs that are a text in another writing, and whole texts that were turned around.

A run is taken only where it decodes to text, so hashes, keys, images and other blobs give nothing.
"""

from __future__ import annotations

import re
from base64 import b32decode
from binascii import Error, a2b_base64, unhexlify
from collections.abc import Callable, Iterator
from html.entities import html5
from itertools import islice
from urllib.parse import unquote

from tocsin.reading.hidden import Found
from tocsin.reading.stretches import Stretches

RUNS = 64  # of one kind in one stretch of text
_HEAD = 64  # characters that show whether a run is text at all
_QUICK = frozenset({"base64", "base32", "hex"})  # a short head of these is enough
_BASE64 = re.compile(  # full lines go on in the next one
    r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{20,}(?:(?<=[A-Za-z0-9+/]{60})\r?\n[A-Za-z0-9+/]{2,76}(?![A-Za-z0-9+/]))*={0,2}"
)
_BASE32 = re.compile(r"(?<![A-Z2-7])[A-Z2-7]{16,}={0,6}")
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"  # of base64
_LEAST = {"base64": Stretches(_DIGITS, 20), "base32": Stretches(_DIGITS[:26] + "234567", 16)}
_HEX = re.compile(r"[0-9A-Fa-f]{16,}|(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ :,;-]{1,2}){7,}(?:0x|\\x)?[0-9A-Fa-f]{2}")
_NOT_HEX = re.compile(r"0x|\\x|[^0-9A-Fa-f]")
_BINARY = re.compile(r"(?:[01]{8}[ ,\n]{0,2}){4,}")
_CODES = re.compile(r"(?:[0-9]{2,3}[ ,;]{1,2}){7,}[0-9]{2,3}")
_MORSE = re.compile(r"(?:[.\u00b7-]{1,5}[ /|]{1,3}){7,}[.\u00b7-]{1,5}")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
_WORDY = re.compile(r"[^\W\d_]")
_ENTITY = re.compile(r"&(?:#([0-9]{1,7})|#[xX]([0-9A-Fa-f]{1,6})|([A-Za-z]{2,8}));?")
_ESCAPE = re.compile(
    r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|u\{([0-9A-Fa-f]{1,6})\}|([0-7]{3}))"
)
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_WORD = re.compile(r"\S+")
_ROT13 = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm",
)
_VOWELS = "aeiouAEIOU"
_MARK_BEFORE = re.compile(r"(?:^|\s)[.,!?]{1,3}[^\W\d_]")
_MARK_BEHIND = re.compile(r"[^\W\d_][.,!?]{1,3}(?:\s|$)")
_LEET = {ord(sign): letter for sign, letter in zip("034567890@$+", "oeasgtbgoast", strict=True)}
_LEET_I = _LEET | dict.fromkeys(map(ord, "1!|"), "i")
_LEET_L = _LEET | dict.fromkeys(map(ord, "1!|"), "l")
_RESPELT = re.compile(r"(?<![\w@$+!|\\#%])([\w@$+!|]{1,20})(?<![!+|])(?!\w)")
_SIGN = re.compile("[013-9@$+!|]")
_SHORT = 5  # signs that may be a word although no letter is among them
_HASH = re.compile(r"\b(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{4,20}\b", re.IGNORECASE)
_SEVERAL = 2  # words
_MORSE_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_MORSE_CODES = """
.- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --..
----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----.
"""
_DOTS = dict(zip(_MORSE_CODES.split(), _MORSE_LETTERS, strict=True))


def base64(text: str) -> Iterator[Found]:
    """Standard and URL-safe, padded or not, also in lines; and base32, which uses the same letters."""
    for kind, expression, decode in (("base64", _BASE64, _of_base64), ("base32", _BASE32, _of_base32)):
        yield from _runs(kind, expression, decode, text)


def hexadecimal(text: str) -> Iterator[Found]:
    """Digits in one run, or in pairs that stand apart."""
    yield from _runs("hex", _HEX, _of_hex, text)


def numbers(text: str) -> Iterator[Found]:
    """Bits in groups of eight, and codes of characters."""
    yield from _runs("binary", _BINARY, _of_binary, text)
    yield from _runs("codes", _CODES, _of_codes, text)


def morse(text: str) -> Iterator[Found]:
    """Dots and dashes; a stroke or a wide gap ends a word."""
    yield from _runs("morse", _MORSE, _of_morse, text)


def percent(text: str) -> str:
    """URL encoding undone."""
    return unquote(text.replace("+", " ") if " " not in text else text, errors="replace")


def entities(text: str) -> str:
    """HTML's entities undone."""
    return _ENTITY.sub(_entity, text)


def escapes(text: str) -> str:
    r"""`\x41`, `\u0041`, `\U00000041`, `\u{41}`, `\101` undone."""
    return _SURROGATES.sub(_paired, _ESCAPE.sub(_escaped, text))


def rot13(text: str) -> str:
    """Each letter thirteen further."""
    return text.translate(_ROT13)


def rot13_by_vowels(text: str) -> str:
    """The same, where that makes more vowels than there are."""
    return rot13(text) if _many(text, _VOWELS.translate(_ROT13)) > _many(text, _VOWELS) else text


def by_marks(text: str, undo: Callable[[str], str]) -> str:
    """What was turned round, where more words have a mark before than behind them."""
    before, behind = len(_MARK_BEFORE.findall(text)), len(_MARK_BEHIND.findall(text))
    return undo(text) if before > behind else text


def _many(text: str, letters: str) -> int:
    return sum(map(text.count, letters))


def backwards(text: str) -> str:
    """From its end to its beginning."""
    return text[::-1]


def words_backwards(text: str) -> str:
    """Each word from its end to its beginning."""
    return _WORD.sub(lambda match: match[0][::-1], text)


def leet(text: str, words: frozenset[str]) -> str:
    """Digits and signs that stand for letters, where that makes several known words, or half the text has
    them: not where numbers and codes stand here and there."""
    parts = _RESPELT.split(text)
    given = parts[1::2]
    found = {word: _is_mixed(word) for word in set(given)}
    mixed = [found[word] for word in given]
    known = 0
    for at, word in enumerate(given):
        if mixed[at] or (len(word) <= _SHORT and any(mixed[max(0, at - 1) : at + 2])):
            told = parts[2 * at + 1] = _unleet(word, words)
            known += mixed[at] and len(told) > 2 and told.lower() in words
    respelt = sum(mixed) - len(_HASH.findall(text))
    return "".join(parts) if known >= _SEVERAL or 2 * respelt >= max(len(given), 8) else text


def _runs(
    kind: str, expression: re.Pattern[str], decode: Callable[[str], bytes], text: str
) -> Iterator[Found]:
    found = _LEAST[kind].matches(expression, text) if kind in _LEAST else expression.finditer(text)
    for match in islice(found, RUNS):
        if told := _text_of(decode, match[0], quick=kind in _QUICK):
            yield Found(kind, told, *match.span())


def _text_of(decode: Callable[[str], bytes], run: str, *, quick: bool) -> str:
    """The text that a run stands for, or nothing: its head is tried first."""
    try:
        if quick and len(run) > 2 * _HEAD and not _readable(decode(run[:_HEAD])[:-4]):
            return ""
        return _readable(decode(run))
    except (ValueError, Error, OverflowError):
        return ""


def _readable(data: bytes) -> str:
    if len(data) < 6:
        return ""
    wide = len(data) > 7 and data.count(0, 1, 64) * 2 >= min(len(data), 64) - 2
    try:
        text = data[: len(data) & ~1].decode("utf-16-le") if wide else data.decode("utf-8")
    except UnicodeDecodeError as error:
        if wide or error.start < len(data) - 3 or error.start < 6:  # cut within its last character
            return ""
        text = data[: error.start].decode("utf-8")
    if _CONTROL.search(text):
        return ""
    return text if 2 * len(_WORDY.findall(text[:256])) + text[:256].count(" ") >= min(len(text), 256) else ""


def _of_base64(run: str) -> bytes:
    packed = "".join(run.split()).rstrip("=").replace("-", "+").replace("_", "/")
    packed = packed[: len(packed) - (len(packed) % 4 == 1)]
    return a2b_base64(packed + "=" * (-len(packed) % 4))


def _of_base32(run: str) -> bytes:
    packed = run.rstrip("=")
    packed = packed[: len(packed) - {1: 1, 3: 1, 6: 1}.get(len(packed) % 8, 0)]
    return b32decode(packed + "=" * (-len(packed) % 8))


def _of_hex(run: str) -> bytes:
    packed = _NOT_HEX.sub("", run)
    return unhexlify(packed[: len(packed) & ~1])


def _of_binary(run: str) -> bytes:
    return bytes(int(each, 2) for each in re.findall("[01]{8}", run))


def _of_codes(run: str) -> bytes:
    return bytes(int(each) for each in re.findall("[0-9]{2,3}", run))


def _of_morse(run: str) -> bytes:
    words = re.split(r" *[/|] *| {2,}", run.replace("\u00b7", "."))
    return " ".join("".join(_DOTS[code] for code in word.split() if code in _DOTS) for word in words).encode()


def _is_mixed(word: str) -> bool:
    """Whether signs and enough letters make up a word; codes have fewer, blobs mix their cases."""
    if not _SIGN.search(word):
        return False
    letters = "".join(filter(str.isalpha, word))
    rest = letters[1:]
    return 4 * len(letters) >= len(word) and (rest == rest.lower() or rest == rest.upper())


def _unleet(word: str, words: frozenset[str]) -> str:
    """The word with 1 as an i, or as an l where only that is a known word."""
    told, other = word.translate(_LEET_I), word.translate(_LEET_L)
    return other if other.lower() in words and told.lower() not in words else told


def _entity(match: re.Match[str]) -> str:
    decimal, hexa, name = match.groups()
    if name:
        return html5.get(name + ";", match[0])
    code = int(decimal) if decimal else int(hexa, 16)
    return chr(code) if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else match[0]


def _escaped(match: re.Match[str]) -> str:
    octal = match[5]
    code = int(octal, 8) if octal else int(next(each for each in match.groups() if each), 16)
    return chr(code) if code < 0x110000 else match[0]


def _paired(match: re.Match[str]) -> str:
    return match[0].encode("utf-16", "surrogatepass").decode("utf-16")
