"""The read step: what raw text says, before it is dropped.

Pure: the signals of an event depend on that event alone, however many are read at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from itertools import chain, islice, repeat
from operator import attrgetter

from tocsin.history import SIZE, Seen
from tocsin.model import Event, Message, Signals
from tocsin.reading.sketch import PREFIX, length, refuses
from tocsin.settings import ContentSettings, ReadingSettings

REFUSED_FINISH = frozenset({"content_filter", "refusal", "safety"})
REFUSED_STATUS = frozenset({"refused", "blocked"})

# How an answer that refuses begins, without leading blanks, in lower case, with straight apostrophes.
_OPENERS = """
i can't assist | i can't help | i can't provide | i can't comply | i can't fulfill | i can't do that |
i cannot assist | i cannot help | i cannot provide | i cannot comply | i cannot fulfill | i am unable to |
i'm unable to | i am not able to | i'm not able to | i must decline | i have to decline |
i won't be able to | i'm sorry, but i can | i am sorry, but i can | sorry, but i can't | sorry, i can't |
i'm sorry, i can't | i apologize, but i can | as an ai language model, i can | i'm really sorry, but i can |
es tut mir leid, aber | tut mir leid, aber | ich kann dabei nicht | ich kann ihnen dabei nicht |
ich kann dir dabei nicht | leider kann ich | je suis désolé, mais | désolé, mais je ne | je ne peux pas |
lo siento, pero no | lo siento, no puedo | no puedo ayudar | mi dispiace, ma non | non posso aiutar |
desculpe, mas não | sinto muito, mas não | não posso ajudar | het spijt me, maar | przepraszam, ale nie |
извините, но я не | к сожалению, я не могу | я не могу помочь | 抱歉,我 | 很抱歉,我 | 对不起,我 | 我无法 |
我不能 | 申し訳ありませんが | 申し訳ございませんが | 죄송하지만
"""
REFUSAL_OPENERS = tuple(opener.strip() for opener in _OPENERS.split("|"))
_text = attrgetter("text")
_HEADS = frozenset(opener[:2] for opener in REFUSAL_OPENERS) | {"i\u2019"}


def read(seen: Sequence[Seen], content: ContentSettings, reading: ReadingSettings) -> list[Signals]:
    """Signals of many events at once, in their order."""
    if content.mode == "none":
        return [_bare(one) for one in seen]
    inputs = _lengths([one.event.input for one in seen])
    outputs = _lengths([one.event.output for one in seen])
    signals = list(map(_read, seen, inputs, outputs))
    if reading.enabled:
        from tocsin.reading.step import reader  # rules and model, which nothing else needs

        reader(reading, content.key).fill(seen, signals)
    return signals


def prepare(content: ContentSettings, reading: ReadingSettings) -> None:
    """Load for this thread what `read` needs, before the first record: rules may have to be compiled."""
    if content.mode != "none" and reading.enabled:
        from tocsin.reading.step import reader

        reader(reading, content.key)


def _read(seen: Seen, inputs: int, outputs: int) -> Signals:
    event, new_input, new_output = seen.event, seen.new_input, seen.new_output
    arguments, result = event.tool_arguments, event.tool_result
    return Signals(
        new_input,
        new_output,
        inputs,
        outputs,
        length(arguments) if arguments else 0,
        length(result) if result else 0,
        _digest(new_input, seen.digests, 0) if new_input else "",
        _digest(new_output, seen.digests, len(event.input)) if new_output else "",
        refused(event),
    )


def _lengths(spoken: Sequence[Sequence[Message]]) -> list[int]:
    """Characters of the messages of each event; those that a sketch stands for count as well."""
    texts = list(map(_text, chain.from_iterable(spoken)))
    sketched = any(map(str.startswith, texts, repeat(PREFIX)))
    lengths = map(length if sketched else len, texts)
    return [sum(islice(lengths, count)) for count in map(len, spoken)]


def _bare(seen: Seen) -> Signals:
    """What may be known of an event whose content must leave no trace."""
    return Signals(new_input=seen.new_input, new_output=seen.new_output, refusal=refused(seen.event))


def _digest(new: tuple[int, ...], digests: str, first: int) -> str:
    """One digest for all that is new; the digests of the messages are keyed already."""
    if len(new) == 1:
        at = (first + new[0]) * SIZE
        return digests[at : at + SIZE]
    joined = "".join([digests[(first + at) * SIZE : (first + at + 1) * SIZE] for at in new])
    return blake2b(joined.encode(), digest_size=SIZE // 2).hexdigest()


def refused(event: Event) -> bool:
    """Whether the answer was a refusal: as its provider says, or as it begins."""
    if event.finish_reason in REFUSED_FINISH or event.status in REFUSED_STATUS:
        return True
    for message in event.output:
        text = message.text
        if (text[:2].lower() in _HEADS or text[:1] < "!") and opens_with_refusal(text):
            return True
        if text.startswith(PREFIX) and refuses(text):
            return True
    return False


def opens_with_refusal(text: str) -> bool:
    """Whether an answer begins as refusals do, in one of several languages."""
    head = text[:60].lstrip().lower().replace("\u2019", "'").replace("\uff0c", ",")
    return head.startswith(REFUSAL_OPENERS)
