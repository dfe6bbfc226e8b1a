"""Script and language of a text, as far as its letters and commonest words tell.

Scripts are ISO 15924, languages ISO 639-1. A language that shares its script with others is told by words
that are common in it and rare in those.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tocsin.reading.compiled import compiled

READ = 4096  # characters that a script is told by
ENOUGH = 0.06  # of the words must be of the language
AHEAD = 1.5  # times as many as of the next one
LEAST = 2  # words of it

_COMMON = {
    "en": "the of and to is that it with for this you are your was not have from they which will would",
    "de": "der die und das ist nicht ein eine ich mit sie zu auf für den dem wie auch wird sind bitte",
    "fr": "le les des est une dans que pour vous pas je sur avec au du ce cette qui sont être nous",
    "es": "el los las y una por con para como pero su del lo más este está todo hay muy usted cuando",
    "pt": "o os não um uma você com para são mais também isso esta pelo ele seu ao foi muito dos",
    "it": "il gli che di è non una per sono con della questo anche più nel alla come ho delle dei",
    "nl": "de het een niet van ik je dat op voor zijn met aan ook maar wat heb naar deze worden",
    "pl": "się nie jest na że do jak ale czy od co przez tylko może już dla tego jego oraz proszę",
    "tr": "bir ve bu için çok ile daha gibi ne var olarak ama mi değil kadar sonra ben sen tüm lütfen",
    "id": "yang dan di ini itu dengan untuk tidak dari pada akan saya ada anda adalah juga bisa dalam",
    "vi": "và của là có không được cho một những các này với tôi bạn để trong người đã khi như",
    "ru": "и в не на что с это как по но все он из для вы мы так же от или",
    "uk": "і та що не це як але або ви ми від є його у до бути всі якщо ваш будь",
    "hi": "है और के में की को से यह का हैं पर नहीं कि एक आप था भी लिए तो",
    "ar": "في من على أن إلى هذا التي لا ما عن مع كل هو هذه أو كان الذي قد ذلك",
}
LANGUAGES = tuple(_COMMON)


def common_words() -> list[list[str]]:
    """Words of each of LANGUAGES; one that several would claim belongs to none."""
    claims: dict[str, int] = {}
    for told in _COMMON.values():
        for word in told.split():
            claims[word] = claims.get(word, 0) + 1
    return [[word for word in told.split() if claims[word] == 1] for told in _COMMON.values()]


# First code points of stretches of letters; "" is what belongs to no script.
_STARTS: Mapping[int, str] = {
    0x0000: "", 0x0041: "Latn", 0x005B: "", 0x0061: "Latn", 0x007B: "", 0x00AA: "Latn", 0x00AB: "",
    0x00C0: "Latn", 0x02B0: "", 0x0370: "Grek", 0x0400: "Cyrl", 0x0530: "Armn", 0x0590: "Hebr",
    0x0600: "Arab", 0x0700: "", 0x0750: "Arab", 0x0780: "", 0x08A0: "Arab", 0x0900: "Deva", 0x0980: "Beng",
    0x0A00: "Guru", 0x0A80: "Gujr", 0x0B00: "", 0x0B80: "Taml", 0x0C00: "Telu", 0x0C80: "", 0x0D00: "Mlym",
    0x0D80: "", 0x0E00: "Thai", 0x0E80: "", 0x10A0: "Geor", 0x1100: "Hang", 0x1200: "Ethi", 0x1380: "",
    0x1E00: "Latn", 0x1F00: "Grek", 0x2000: "", 0x2C60: "Latn", 0x2C80: "", 0x3041: "Hira", 0x30A0: "Kana",
    0x3100: "", 0x3130: "Hang", 0x3190: "", 0x3400: "Hani", 0x4DC0: "", 0x4E00: "Hani", 0xA000: "",
    0xAC00: "Hang", 0xD7B0: "", 0xF900: "Hani", 0xFB00: "", 0xFF21: "Latn", 0xFF3B: "", 0xFF41: "Latn",
    0xFF5B: "", 0xFF66: "Kana", 0xFFA0: "", 0x20000: "Hani", 0x32000: "",
}  # fmt: skip
_SCRIPTS = tuple(dict.fromkeys(_STARTS.values()))  # the first is none
_LAST = max(_STARTS)
_SCRIPT = np.repeat(  # of each character
    np.array([_SCRIPTS.index(name) for name in _STARTS.values()], np.uint8), np.diff([*_STARTS, _LAST + 1])
)
_HIRA, _KANA, _HANI = map(_SCRIPTS.index, ("Hira", "Kana", "Hani"))
_SMALL = re.compile(rb"[a-z]")
_OF_SCRIPT = {"Jpan": "ja", "Hang": "ko", "Hani": "zh", "Hebr": "he", "Grek": "el", "Thai": "th"}


def script(text: str, data: bytes) -> str:
    """The script of most letters; "" where there are none. `data` is the text in small-letter UTF-8."""
    if text.isascii():
        return "Latn" if _SMALL.search(data) else ""
    codes = np.frombuffer(text[:READ].encode("utf-32-le", "surrogatepass"), "<u4")
    counts = _counts(codes, len(_SCRIPTS)).tolist()
    counts[0] = japanese = 0
    if counts[_HIRA] + counts[_KANA]:
        japanese = counts[_HIRA] + counts[_KANA] + counts[_HANI]
        counts[_HIRA] = counts[_KANA] = counts[_HANI] = 0
    most = max(counts)
    if japanese > most:
        return "Jpan"
    return _SCRIPTS[counts.index(most)] if most else ""


@compiled
def _counts(codes: NDArray[np.uint32], scripts: int) -> NDArray[np.int64]:
    """Characters of each script."""
    counts = np.zeros(scripts, np.int64)
    for code in codes:
        counts[_SCRIPT[min(code, _LAST)]] += 1
    return counts


def language(script: str, votes: tuple[int, ...], words: int) -> str:
    """The language that the script or enough common words tell; "" where neither does."""
    if script in _OF_SCRIPT:
        return _OF_SCRIPT[script]
    first, second = sorted(votes)[:-3:-1]
    if first < max(LEAST, ENOUGH * words) or first < AHEAD * second:
        return ""
    return LANGUAGES[votes.index(first)]
