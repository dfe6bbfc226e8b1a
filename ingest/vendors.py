"""Spans whose producer keeps to no convention: everything stands in a namespace of its own.

What their names end in still says what they mean: `acme.span.type`, `acme.usage.input_tokens`. Such
attributes are given the name that everybody else uses. LiteLLM repeats a provider's request and answer,
member by member, in a span inside the one of the call: `llm.openai.choices`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice

from ingest.draft import Attributes
from ingest.messages import structure
from ingest.operations import GENERIC_KINDS, OPERATIONS, Operation

MOST = 256  # attributes of a span that are looked at
LONGEST = 128  # characters of their names
VENDORS = 4  # of one span
_PART = re.compile(r"[._:/-]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_KIND = frozenset((
    "kind", "type", "spankind", "spantype", "observationtype", "runtype", "eventtype", "logtype", "nodetype",
    "operationtype", "steptype",
))  # fmt: skip
_FOREIGN = frozenset((
    "error", "exception", "http", "db", "rpc", "messaging", "net", "network", "url", "server", "client",
    "process", "host", "os", "k8s", "container", "thread", "code", "otel", "telemetry", "service", "cloud",
    "faas", "peer", "user", "session", "enduser", "gen", "mcp", "jsonrpc", "event", "span",
))  # fmt: skip

# How names end, without case and separators, and the name that everybody else uses.
ENDINGS: Mapping[str, str] = {
    **dict.fromkeys(("model", "modelname", "modelid", "llmmodel"), "llm.model_name"),
    "requestmodel": "gen_ai.request.model",
    "responsemodel": "gen_ai.response.model",
    "responseid": "gen_ai.response.id",
    **dict.fromkeys(("provider", "modelprovider", "vendor"), "gen_ai.provider.name"),
    **dict.fromkeys(("inputtokens", "prompttokens", "inputtokencount", "prompttokencount", "tokensinput",
                     "tokensprompt", "usageinput", "usageprompt"), "gen_ai.usage.input_tokens"),
    **dict.fromkeys(("outputtokens", "completiontokens", "outputtokencount", "completiontokencount",
                     "tokensoutput", "tokenscompletion", "usageoutput", "usagecompletion"),
                    "gen_ai.usage.output_tokens"),
    **dict.fromkeys(("cachedtokens", "cachereadtokens", "cachereadinputtokens", "cachedinputtokens"),
                    "gen_ai.usage.cache_read.input_tokens"),
    **dict.fromkeys(("cachewritetokens", "cachecreationtokens", "cachecreationinputtokens"),
                    "gen_ai.usage.cache_write.input_tokens"),
    "reasoningtokens": "gen_ai.usage.reasoning.output_tokens",
    **dict.fromkeys(("usage", "usagedetails", "tokenusage", "metrics"), "gen_ai.usage.raw"),
    **dict.fromkeys(("cost", "totalcost", "costusd"), "gen_ai.usage.cost"),
    **dict.fromkeys(("input", "inputs", "inputvalue", "request", "requestbody"), "input.value"),
    **dict.fromkeys(("output", "outputs", "outputvalue", "response", "responsebody", "outputscontent"),
                    "output.value"),
    **dict.fromkeys(("messages", "inputmessages", "promptmessages", "requestmessages", "prompt", "prompts",
                     "inputprompt", "chathistory"), "gen_ai.input.messages"),
    **dict.fromkeys(("outputmessages", "responsemessages", "completion", "completions", "responsetext",
                     "answer"), "gen_ai.output.messages"),
    **dict.fromkeys(("systemprompt", "systeminstructions"), "gen_ai.system_instructions"),
    **dict.fromkeys(("tools", "tooldefinitions"), "gen_ai.tool.definitions"),
    **dict.fromkeys(("finishreason", "finishreasons", "stopreason"), "gen_ai.response.finish_reasons"),
    **dict.fromkeys(("sessionid", "threadid", "conversationid"), "session.id"),
    "userid": "user.id",
    **dict.fromkeys(("toolname", "functionname"), "gen_ai.tool.name"),
    **dict.fromkeys(("toolcallid", "callid"), "gen_ai.tool.call.id"),
    **dict.fromkeys(("arguments", "toolarguments", "toolargs", "toolinput", "args"),
                    "gen_ai.tool.call.arguments"),
    **dict.fromkeys(("toolresult", "tooloutput", "result"), "gen_ai.tool.call.result"),
    "agentname": "gen_ai.agent.name",
    **dict.fromkeys(("stream", "streaming", "isstreaming"), "gen_ai.request.stream"),
    **dict.fromkeys(("errormessage", "statusmessage"), "error.message"),
    "errortype": "error.type",
    **dict.fromkeys(("modelparameters", "invocationparameters", "parameters"), "llm.invocation_parameters"),
    "metadata": "metadata",
}  # fmt: skip
_TOKENS = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")


_REPEATED = re.compile(r"llm\.([a-z_0-9]{1,32})\.([a-zA-Z_]{1,64})")
_ASKED = frozenset(("messages", "system", "tools", "input", "contents", "instructions", "stream"))
_CONVENTIONAL = frozenset(("usage", "token_count", "request", "response", "cost", "token", "prompt_template"))


def repeated(attributes: Attributes) -> Attributes | None:
    """The bodies of a call that a span repeats, under known names; None: it repeats none."""
    asked: Attributes = {}
    answered: Attributes = {}
    for key, value in attributes.items():
        found = _REPEATED.fullmatch(key) if key[:4] == "llm." else None
        if found and found[1] not in _CONVENTIONAL and value not in (None, ""):
            (asked if found[2] in _ASKED else answered)[found[2]] = structure(value)
    return None if _ANSWERS.isdisjoint(answered) else {"input.value": asked, "output.value": answered}


_ANSWERS = frozenset(("choices", "content", "candidates", "output", "message"))


def translated(attributes: Attributes) -> tuple[Operation, Attributes] | None:
    """What the span does, and its attributes under known names; None: no vendor says."""
    names = [key for key in islice(attributes, MOST) if len(key) <= LONGEST]
    known = [(key, *found) for key in names if (found := _read(key)) is not None]
    if not known:
        return None
    for key, vendor, ending in known:
        value = attributes[key]
        if ending == "kind" and isinstance(value, str) and (kind := _kind(value)) is not None:
            return kind, {**_renamed(known, vendor, attributes), **attributes}
    for vendor in islice(dict.fromkeys(vendor for _, vendor, ending in known if ending in _TOKENS), VENDORS):
        named = _renamed(known, vendor, attributes)
        if "llm.model_name" in named or "gen_ai.request.model" in named:
            return OPERATIONS["chat"], {**named, **attributes}
    return None


def _kind(word: str) -> Operation | None:
    plain = _HUMP.sub("_", word.strip('"'))[:64].lower().removesuffix("_start").removesuffix("_end")
    found = GENERIC_KINDS.get(plain) or GENERIC_KINDS.get(plain.removesuffix("_call"))
    return found if found is not None and found.kind is not None else None


def _renamed(known: Iterable[tuple[str, str, str]], vendor: str, attributes: Attributes) -> Attributes:
    found: Attributes = {}
    for key, theirs, ending in known:
        if theirs == vendor and ending != "kind" and attributes[key] not in (None, ""):
            found.setdefault(ending, attributes[key])
    return found


@lru_cache(maxsize=4096)
def _read(key: str) -> tuple[str, str] | None:
    """The vendor and the common name of an attribute, or "kind" where it says what a span does."""
    parts = [part for part in _PART.split(_HUMP.sub("_", key).lower()) if part]
    words = [word for part in parts for word in part.split("_") if word]
    if len(words) < 2 or parts[0] in _FOREIGN or words[0] in _FOREIGN:
        return None
    for start in range(1, len(words)):
        ending = "".join(words[start:])
        if ending in _KIND:
            return words[0], "kind"
        if ending in ENDINGS:
            return words[0], ENDINGS[ending]
    return None
