"""Use and mention: whether words that attacks consist of are said to a model, or only talked about.

The distinction is that of logic between using and mentioning an expression (Quine, Mathematical Logic,
1940). It is told by quotation marks, by who is said to do what the words order, and by whose the things are
that they are about: an attack tells the model to do something to what the model itself was told.
"""

from __future__ import annotations

import re

NEAR = 160  # bytes before and after the words


def _any(words: str) -> bytes:
    return f"(?:{'|'.join(words.split())})".encode()


_SINGLE = rb"(?:(?<![a-z0-9])['\x60]|\xe2\x80\x98)"
_DOUBLE = rb"(?:(?<![a-z0-9.,!?])\"|\xe2\x80[\x9c\x9e]|\xc2\xab|\xe3\x80[\x8c\x8e])"
# Words before a quotation, or a question, that make what follows the subject of talk rather than an order.
_BEFORE = re.compile(
    rb"(?:such as|like|phrases?|sa(?:ys?|ying|id)|wr(?:ites?|ote)|reads?|prompts?|strings?|words?|called"
    rb"|named"
    rb"|examples?|e\.g\.|attack\w*|detect\w*|inject\w*|jailbreak\w*|titled?|tries to|attempts?|patterns?)"
    rb"[^.!?\n\"]{0,60}(?:" + _SINGLE + rb"[^\".!?\n]{0,24}|" + _DOUBLE + rb"[^\"\n]{0,100})$"
    rb"|(?:what (?:is|are|does|do|makes)|why (?:do|does|is|are|would)|explain|define|describe|discuss"
    rb"|research|article|paper|blog)[^.!?\n]{0,80}(?:attack|inject|jailbreak|phrase|prompt|trick|techni"
    rb"|exploit)\w*[^.!?\n]{0,60}$"
    rb"|(?:detect|prevent|defend|block|stop|mitigat|filter|protect|guard)\w*[^.!?\n]{0,60}(?:attack|inject"
    rb"|jailbreak|attempt)\w*[^.!?\n]{0,60}$"
    rb"|(?:^|\n)(?:fix|feat|chore|refactor|docs|test|revert)(?:\([\w-]+\))?!?: [^\n]{0,40}$"
)
_VALUE = re.compile(rb"\"\s?:\s?\"[^\"]{0,24}$")  # of a key in JSON
# A quotation mark with talk or code before it, or a text that is drafted or reported, then a word or two.
_OPENED = re.compile(
    rb"(?:[a-z0-9,\[(=\x80-\xff] ?(?:[\"\x60]|(?<![a-z])'|\xe2\x80[\x98\x9c\x9e])"
    rb"|[a-z0-9,:(\x80-\xff] ?(?:\xe2\x80\x9e|\xc2\xab|\xe3\x80[\x8c\x8e])"
    rb"|(?:\b(?:re-?(?:write|word|phrase)|proofread|polish|correct|improve|shorten|polite\w*|friendl\w*|draft"
    rb"|slogan|sms|letter|memo|note|sign|poster|reply|customer|visitor|caller|client|student|tester|comment"
    rb"|tweet|e?-?mail|ticket|sentence|line|claim|answer)\b[^\n\"]{0,60}[:?.]|[a-z0-9][).])"
    rb" ?(?:[\"'\x60]|\xe2\x80[\x98\x9c\x9e]))[%*^ ]{0,2}(?:[a-z\x80-\xff]{1,24},? ){0,2}[\x80-\xff]{0,30}$"
)
_CLOSED = re.compile(
    rb"[^\"'\x60\n\xe2\xc2]{0,240}?(?:[\"'\x60]|\xe2\x80[\x99\x9c\x9d]|\xc2\xbb|\xe3\x80[\x8d\x8f])"
)
# An order right behind a mark in the midst of the words: what stands before the mark only leads up to it.
_INNER = re.compile(
    rb"(?<=[a-z0-9,.:)(] )(?:[\"'\x60]|\xe2\x80[\x98\x9c\x9e]|\xc2\xab|\xe3\x80[\x8c\x8e])"
    rb"(?=(?:please |now )?(?:ignore|disregard|forget|override|bypass|reveal|disclose|show|print|repeat"
    rb"|output"
    rb"|tell me|act as|pretend|you are now|do anything|developer mode|enable|disable|stop|drop|send|leak"
    rb"|enter)\b)"
)
_AFTER = re.compile(
    rb"[^.!?\n\"]{0,16}[\"',]{1,2} ?(?:says|said|wrote|writes|whispered|explained|shouted|argues|argued) "
)

# Somebody else who does what the words say, or is told to.
_ONE = (
    rb"(?:i|we|one|he|she|it|they|who|people|nobody|somebody|someone|anyone|everyone|everybody|him|her|them"
    rb"|us|me|staff|users?|(?:the|my|our|his|her|their|its|an?|this) (?:[a-z'-]+ ){0,2}?(?!(?:and|or|then|to"
    rb"|of|has|all|first|last|next|few|one|two|three|four|five|ten)\b)[a-z'-]+)"
)
_OFTEN = rb"(?:(?:ever|really|just|simply|never|always|still|not|have to|need to|want to|be able to|now) )*"
_AUXILIARY = (
    rb"(?:to|must|should|can|could|will|would|may|might|had to|have to|never|always|don't|didn't|can't|cannot"
    rb"|won't)"
)
_DOER = re.compile(
    rb"(?:\b(?:how|when|where|why|what (?:happens|if|do|does|did|should|can|could)|whether"
    rb"|if) [^.!?\n,]{0,40}?\b" + _ONE + rb" " + _OFTEN + rb"(?:list )?$"
    rb"|\b(?:should|can|could|may|might|must|do|would|will) " + _ONE + rb" " + _OFTEN + rb"$"
    rb"|\b(?:does|did) (?:(?!you\b|not\b|and\b)[a-z'\x80-\xff-]+ ){1,5}$"
    rb"|\b(?:i|we|one|people|nobody|seems?|tends?|tri(?:es|ed)|fail(?:s|ed)?|refuses?) "
    rb"(?:[a-z']{2,9} )?" + _AUXILIARY + rb" (?:be able to |not )?$"
    rb"|\b(?:won.{1,3}t|doesn.{1,3}t|keeps?|kept) $"
    rb"|\b(?:tell(?:s|ing)?|told|asks?|asked|asking|orders?|ordered|instruct(?:s|ed|ing)?|remind(?:s|ed|ing)?"
    rb"|advise[sd]?|warn(?:s|ed)?|urge[sd]?|allow(?:s|ed)?|tricks?|tricked|convinced?|persuaded?)"
    rb" " + _ONE + rb" (?:not )?(?:to|into|that) (?:[a-z]+ )?$"
    rb"|\b(?:how to|is it [a-z ]{2,20} (?:to|if i)|tips (?:for|on)|(?:guide|checklist|reminder|note) (?:to"
    rb"|for|on)"
    rb"|what does it (?:cost|mean|take) to|(?:idea|way|right|wrong|rude|common|safe|legal) to|instead of"
    rb"|ways? of|reasons? (?:to|for)|about|without) $)"
)
# What a model is told to do if somebody asks it for that.
_IF = re.compile(
    rb"\b(?:if|when|whenever|once|in case) [^.!?\n]{0,40}\b(?:asks?|tells?|orders?|wants?|tries to get"
    rb"|instructs?) (?:you|the [a-z]+|it|a [a-z]+) to (?:[a-z]+ )?$"
)
# What is forbidden is not ordered.
_NOT = re.compile(
    rb"\b(?:(?:must|may|shall|should|can|do|does)(?:n['\xe2]\W{0,3}t| not|not)|never|not to|forbid(?:s"
    rb"|den)?(?: [a-z]+)? to)"
    rb" (?:(?!forget|fail|hesitate|neglect)[a-z]+ (?:to )?){0,2}(?:[a-z]+, [a-z]+ or )?$"
)
_ADDRESSED = re.compile(rb"\byour?\b|\byourself\b")
_DOES = re.compile(
    rb"(?:always |never )?(?:ignores|disregards|forgets|overrides|bypasses|skips|reveals|shows|prints"
    rb"|repeats|says|obeys|answers|grants|refuses|follows) "
)
_THIRD = re.compile(
    rb"\b(?:he|she|it|nobody|everybody|(?:the|my|our|his|her|their|this) (?!ai\b|assistant|model|bot|chatbot)"
    rb"[a-z-]+(?: [a-z-]+)?) $"
)

# Instructions, rules and the like that are somebody else's.
_THINGS = _any(
    "instructions? rules? orders? commands? guidelines? guidance directions? polic(?:y|ies) restrictions?"
    " prompts? directives? limits filters? protocols? constraints? messages? password codes? flag features"
    " settings measures systems? functions? mechanisms? moderation censorship safeguards? questions?"
    " requests?"
)
_OWNED = re.compile(
    rb"\b(?:my|our|his|her|their|(?!openai|anthropic|google|what|that|it|let|here|there|developer|creator"
    rb"|maker|assistant|chatgpt|model|system|user|operator|company)[a-z]{3,}(?:'|\xe2\x80\x99)s)"
    rb" (?:[a-z-]+ ){0,3}" + _THINGS + rb"$"
)
_OBEYED = re.compile(rb"\b(?:obey|compl|execute|listen|serve|only|follow my|first|grant)")
_OWNER = re.compile(rb"\b(?:his|her|their) (?:[a-z-]+ )?$")
# What instructions of a model are of, for or in, and what one wants them for: all else is of other people.
_MODELS = (
    rb"(?:(?:the|this|that|next|whole|entire|current|first|last|rest of|[a-z]+al|[a-z]+ing|safety|content"
    rb"|one|two|few|[0-9]+|previous|above|your) ){0,2}"
    + _any(
        r"system developers? creators? makers? operators? users? assistant model ai bot chat\w* conversation"
        r" session context prompts? messages? text page document query questions? requests? task answers?"
        r" respon\w+ start beginning top end past rest record moment next following time once now test\w*"
        r" audit\w*"
        r" debug\w* research fun me you\w* this that these those openai anthropic safety harm\w* ethic\w*"
        r" content"
        r" everything all any\w* sake purposes? order turn vendor company minutes? seconds? hours? while"
        r" days? code\w* form\w* language style json reply way full"
    )
    + rb"\b"
)
_OF = re.compile(
    rb"[\"')]{0,2} (?:(?:of|for|about|on) (?!what|how|which|(?:the |a |an |my |our "
    rb"|this )?" + _MODELS + rb")[a-z]"
    rb"|(?:in|from|on|by) (?:the|my|our|his|her|their|an?|this|which) (?!" + _MODELS + rb")[a-z])"
)
_OF_YOURS = re.compile(
    rb"[\"')]{0,2} (?:(?:of|for|about|on) (?!(?:the |a |an |my |our )?" + _MODELS + rb")[a-z]"
    rb"|in (?:the|my|our|an?) (?!" + _MODELS + rb")[a-z]|to (?:its|his|her|their) "
    rb"|(?:when|while) (?:you|i|we) (?!answer|respon|reply|talk|chat|write))"
)
_THING = re.compile(_THINGS + rb"$")
_COMPOUND = re.compile(
    rb"[ -]"
    + _any(
        r"engineering injections? leak\w* extract\w* caching cache librar\w* attacks? cheat writing design"
        r" security hardening management versioning editor length tokens?"
    )
    + rb"\b"
)
_WHO = re.compile(
    rb"(?: to do)? as an? (?!(?:[a-z]+ ){0,2}?" + _any("ai assistant chatbot bot model") + rb"\b)"
)
_TAUGHT = re.compile(rb"(?:told|taught|trained|learn(?:ed|t)|know) ?$")
_PLACE = re.compile(rb"(?:above|preceding|top|beginning|start) ?$")
_PLACED = re.compile(
    rb"-| (?:the|my|our|an?) (?!(?:line|text|message|words?|user)\b)(?:[a-z0-9-]+ ){0,2}"
    + _any(
        r"line row table fold sum figure title door photo picture head(?:ing|er) chart column sea average"
        r" version section comment window"
    )
    + rb"\b| the line (?:in|of|on)\b| (?:row|page|line|column|figure|section|paragraph) [0-9]"
    rb"| (?:into|for|slowly|so that|aloud|again|but)\b"
    rb"| of (?:the|my|our|his|her|an?|each|every|chapter|page) (?!(?:[a-z]+ )?(?:conversation|chat|prompt"
    rb"|session|context|text))"
)


def mentioned(data: bytes, start: int, end: int) -> bool:
    """Whether the words in that span of a text in lower case seem to be talked about, or are not about the
    model: quoted, what somebody else does or was told, or said of somebody else's instructions."""
    low = max(0, start - NEAR)
    if _VALUE.search(data, low, start):
        return False
    if inner := _INNER.search(data, start, end):
        start = inner.end()
    return _quoted(data, low, start, end) or _done(data, low, start, end) or _elsewhere(data, low, start, end)


def _quoted(data: bytes, low: int, start: int, end: int) -> bool:
    if _BEFORE.search(data, low, start) or _AFTER.match(data, end, end + NEAR):
        return True
    return bool(_OPENED.search(data, low, start) and _CLOSED.match(data, start, end + NEAR))


def _done(data: bytes, low: int, start: int, end: int) -> bool:
    """Whether it is somebody else who does it or might ask for it, or it is forbidden."""
    if _IF.search(data, low, start) or _NOT.search(data, low, start):
        return True
    if _ADDRESSED.search(data, start, end):
        return False
    return bool(
        _DOER.search(data, low, start) or _DOES.match(data, start) and _THIRD.search(data, low, start)
    )


def _elsewhere(data: bytes, low: int, start: int, end: int) -> bool:
    """Whether it is done to what is somebody else's, or stands somewhere else."""
    late, after = max(start, end - NEAR), end + NEAR
    if _PLACE.search(data, late, end):
        return bool(_PLACED.match(data, end, after))
    if _TAUGHT.search(data, late, end):
        return bool(_WHO.match(data, end, after))
    addressed = _ADDRESSED.search(data, start, end)
    if not addressed and (_OWNER.search(data, low, start) or _OWNED.search(data, late, end)):
        return not _OBEYED.search(data, low, end)
    if not _THING.search(data, late, end):
        return False
    about = _OF_YOURS if addressed else _OF
    return bool(about.match(data, end, after) or _COMPOUND.match(data, end, after))
