"""Use and mention: whether words that attacks consist of are said to a model, or only talked about.

The distinction is that of logic between using and mentioning an expression (Quine, Mathematical Logic,
1940). It is told by what stands before such words, by quotation marks around just them, and by a speaker
named after them.
"""

from __future__ import annotations

import re

NEAR = 160  # bytes before and after the words

# Words before a quotation, or a question, that make what follows the subject of talk rather than an order.
_BEFORE = re.compile(
    rb"(?:such as|like|phrases?|sa(?:ys?|ying|id)|prompts?|strings?|words?|called|named|examples?|e\.g\."
    rb"|attack\w*|detect\w*|inject\w*|jailbreak\w*|titled?|tries to|attempts?|patterns?)"
    rb"[^.!?\n]{0,60}[\"'\x60\xe2\xc2][^\".!?\n]{0,24}$"
    rb"|(?:what (?:is|are|does|do|makes)|why (?:do|does|is|are|would)|explain|define|describe|discuss"
    rb"|research|article|paper|blog)[^.!?\n]{0,80}(?:attack|inject|jailbreak|phrase|prompt|trick|techni|exploit)"
    rb"\w*[^.!?\n]{0,60}$"
    rb"|(?:detect|prevent|defend|block|stop|mitigat|filter|protect|guard)\w*[^.!?\n]{0,60}(?:attack|inject"
    rb"|jailbreak|attempt)\w*[^.!?\n]{0,60}$"
    rb"|\b(?:asked|asks?|told|tells?|ordered|instructed|tricked|tricks?|convinced?|persuaded?)"
    rb" (?:the|an?|our|their|its|some|most) (?:[a-z-]+ ){0,2}(?:model|bot|assistant|ai|agent|chatbot|llm)s?"
    rb"(?: to| into)? [^.!?\n]{0,30}$"
    rb"|(?:^|\n)(?:fix|feat|chore|refactor|docs|test|revert)(?:\([\w-]+\))?!?: [^\n]{0,40}$"
)
_VALUE = re.compile(rb"\"\s?:\s?\"[^\"]{0,24}$")  # of a key in JSON
# A quotation mark with talk or code before it, then a word or two at most.
_OPENED = re.compile(
    rb"(?:[a-z0-9,\[(=\x80-\xff] ?(?:[\"'\x60]|\xe2\x80[\x98\x9c\x9e])"
    rb"|[a-z0-9,:(\x80-\xff] ?(?:\xe2\x80\x9e|\xc2\xab|\xe3\x80[\x8c\x8e]))"
    rb"[%*^ ]{0,2}(?:[a-z\x80-\xff]{1,24} ){0,2}[\x80-\xff]{0,30}$"
)
_CLOSED = re.compile(
    rb"[^\"'\x60\n\xe2\xc2]{0,96}?(?:[\"'\x60]|\xe2\x80[\x99\x9c\x9d]|\xc2\xbb|\xe3\x80[\x8d\x8f])"
)
_AFTER = re.compile(
    rb"[^.!?\n\"]{0,16}[\"',]{1,2} ?(?:says|said|wrote|writes|whispered|explained|shouted|argues|argued) "
)


def mentioned(data: bytes, start: int, end: int) -> bool:
    """Whether the words in that span of a text in lower case seem to be talked about."""
    low = max(0, start - NEAR)
    if _VALUE.search(data, low, start):
        return False
    if _BEFORE.search(data, low, start) or _AFTER.match(data, end, end + NEAR):
        return True
    return bool(_OPENED.search(data, low, start) and _CLOSED.match(data, end, end + NEAR))
