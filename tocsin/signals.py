"""The read step: what raw text says, before it is dropped.

Pure: the signals of an event depend on that event alone, however many are read at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from tocsin.history import SIZE, Seen
from tocsin.model import Event, Message, Signals
from tocsin.settings import ContentSettings

REFUSED_FINISH = frozenset({"content_filter", "refusal", "safety"})
REFUSED_STATUS = frozenset({"refused", "blocked"})

# How an answer that refuses begins, without leading blanks, in lower case, with straight apostrophes.
_OPENERS = """
i can't assist | i can't help | i can't provide | i can't comply | i can't fulfill | i can't do that |
i cannot assist | i cannot help | i cannot provide | i cannot comply | i cannot fulfill | i am unable to |
i'm unable to | i am not able to | i'm not able to | i must decline | i have to decline |
i won't be able to | i won't | i'm sorry, but i | i am sorry, but i | sorry, but i can | sorry, i can |
i'm sorry, i can | i apologize, but i | as an ai language model, i can | i'm really sorry, but i |
es tut mir leid, aber | tut mir leid, aber | ich kann dabei nicht | ich kann ihnen dabei nicht |
ich kann dir dabei nicht | leider kann ich | je suis désolé, mais | désolé, mais je ne | je ne peux pas |
lo siento, pero no | lo siento, no puedo | no puedo ayudar | mi dispiace, ma non | non posso aiutar |
desculpe, mas não | sinto muito, mas não | não posso ajudar | het spijt me, maar | przepraszam, ale nie |
извините, но я не | к сожалению, я не могу | я не могу помочь | 抱歉, | 很抱歉 | 对不起, | 我无法 |
我不能 | 申し訳ありませんが | 申し訳ございませんが | 죄송하지만 | 죄송합니다
"""
REFUSAL_OPENERS = tuple(opener.strip() for opener in _OPENERS.split("|"))
_HEADS = frozenset(opener[:2] for opener in REFUSAL_OPENERS)


def read(seen: Sequence[Seen], content: ContentSettings) -> list[Signals]:
    """Signals of many events at once, in their order."""
    if content.mode == "none":
        return [Signals(new_input=s[1], new_output=s[2], refusal=_refusal(s[0])) for s in seen]
    return [_read(*one) for one in seen]


def _read(
    event: Event, new_input: tuple[int, ...], new_output: tuple[int, ...], inputs: bytes, outputs: bytes
) -> Signals:
    return Signals(
        new_input,
        new_output,
        _length(event.input),
        _length(event.output),
        len(event.tool_arguments or ""),
        len(event.tool_result or ""),
        _digest(new_input, inputs),
        _digest(new_output, outputs),
        _refusal(event),
    )


def _length(messages: Iterable[Message]) -> int:
    length = 0
    for message in messages:
        length += len(message.text)
    return length


def _digest(new: tuple[int, ...], digests: bytes) -> str:
    """One digest for all that is new; the digests of the messages are keyed already."""
    if len(new) == 1:
        return digests[new[0] * SIZE : new[0] * SIZE + SIZE].hex()
    if not new:
        return ""
    joined = b"".join([digests[at * SIZE : at * SIZE + SIZE] for at in new])
    return blake2b(joined, digest_size=SIZE).hexdigest()


def _refusal(event: Event) -> bool:
    if event.finish_reason in REFUSED_FINISH or event.status in REFUSED_STATUS:
        return True
    for message in event.output:
        text = message.text
        if text and _opens_with_refusal(text):
            return True
    return False


def _opens_with_refusal(text: str) -> bool:
    head = text[:60].lstrip().lower()
    return head[:2] in _HEADS and head.replace("\u2019", "'").replace("\uff0c", ",").startswith(
        REFUSAL_OPENERS
    )
