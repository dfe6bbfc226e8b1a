"""What the bodies and settings in a model call's attributes tell, where no attribute of its own does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest import aliases, bodies, readings
from ingest.draft import Draft, Span
from ingest.messages import structure
from ingest.operations import CACHED_APART
from ingest.times import epoch
from ingest.words import STREAM_EVENTS

_FILLED = ("stream", "user")
_CACHED = ("cache_read_tokens", "cache_write_tokens")
_SOURCES = frozenset((
    "_given", "_taken", "_parameters", "_model", "_usage", "_cost", "_metadata", "_input_details",
    "_output_details",
))  # fmt: skip


def identify(draft: Draft) -> None:
    """Session and user, as applications put them into the metadata of any span."""
    metadata = structure(draft.raw["_metadata"])
    if isinstance(metadata, dict):
        for field, keys in (("session", aliases.SESSION_KEYS), ("user", aliases.USER_KEYS)):
            named = next((metadata[key] for key in keys if metadata.get(key)), None)
            if isinstance(named, str | int):
                draft.fields.setdefault(field, readings.text(named))


def complete(span: Span, draft: Draft) -> None:
    """Fields and ingredients of a model call that its bodies tell."""
    raw, fields = draft.raw, draft.fields
    if not _SOURCES.isdisjoint(raw) or _is_body(raw.get("_input")) or _is_body(raw.get("_output")):
        asked, answered = _asked(raw), _answered(raw)
        _name_models(draft, asked, answered)
        for field in _FILLED:
            if field in asked:
                fields.setdefault(field, asked[field])
        if "response_id" in answered:
            fields.setdefault("response_id", answered["response_id"])
        _say(raw, asked, answered, failed=span.failed)
        for usage in (raw.get("_usage"), _details(raw), answered.get("_usage")):
            _count(fields, bodies.usage(usage))
        _cost(fields, raw.get("_cost"))
    if _streamed(span):
        fields["stream"] = True
    if "_first_token_at" in raw:
        _first_token(span, fields, raw["_first_token_at"])
    if not fields.keys().isdisjoint(_CACHED):
        apart = span.scope.startswith(CACHED_APART) or _without_details(span, fields)
        _include_cached(fields, raw.get("_total_tokens"), apart=apart)


def _is_body(value: Any) -> bool:
    """Whether the messages are a whole request or response, as LangSmith gives them."""
    return isinstance(value, dict) or isinstance(value, str) and value[:1] == "{"


def _asked(raw: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for source in ("_given", "_input", "_parameters", "_metadata"):
        body = structure(raw.get(source))
        if source == "_metadata":
            body = {"ls_model_name": body.get("ls_model_name")} if isinstance(body, dict) else None
        if isinstance(body, dict):
            found = bodies.request(body) | found
    return found


def _answered(raw: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for source in ("_taken", "_output"):
        body = structure(raw[source]) if source in raw else None
        if isinstance(body, dict) or source == "_taken" and isinstance(body, list):
            found = bodies.response(body) | found
    return found


def _name_models(draft: Draft, asked: Mapping[str, Any], answered: Mapping[str, Any]) -> None:
    """A name that does not say whose it is stands for both: for the second only if there was an answer."""
    fields, raw = draft.fields, draft.raw
    named = raw.get("_model", "")
    if named.lower() in _NOBODY:
        named = ""
    model = asked.get("model") or named
    if model:
        fields.setdefault("model", readings.text(model))
    heard = "output_tokens" in fields or not _HEARD.isdisjoint(raw)
    answering = answered.get("response_model") or (named if heard else None)
    if answering:
        fields.setdefault("response_model", readings.text(answering))


_NOBODY = frozenset(("unknown", "none", "null", "-"))  # words where no model is known
_HEARD = frozenset(("_taken", "_output", "_answer", "_calls"))


def _say(raw: dict[str, Any], asked: Mapping[str, Any], answered: Mapping[str, Any], *, failed: bool) -> None:
    """Messages, tools and the reason to stop, as ingredients. Instructions alone are no conversation:
    the rest may come in log records, unless the call failed."""
    if ("_input" not in raw or _is_body(raw["_input"])) and ("_input" in asked or failed):
        for ingredient in ("_system", "_input"):
            if ingredient in asked:
                raw[ingredient] = asked[ingredient]
    if "_tools" in asked:
        raw.setdefault("_tools", asked["_tools"])
    if "_finish" in answered:
        raw.setdefault("_finish", answered["_finish"])


def _count(fields: dict[str, Any], counts: Mapping[str, int]) -> None:
    """Token counts that are not known yet. An input that is the body's own without the cached tokens
    is known too little of."""
    cached = sum(counts.get(name, 0) for name in _CACHED)
    given = fields.get("input_tokens")
    if cached and given is not None and given == counts.get("input_tokens", 0) - cached:
        fields["input_tokens"] = counts["input_tokens"]
    for name, tokens in counts.items():
        fields.setdefault(name, tokens)


def _details(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Details of a count, which LangSmith gives as a Python dict in text."""
    return {
        "input_token_details": structure(raw.get("_input_details")),
        "output_token_details": structure(raw.get("_output_details")),
    }


def _cost(fields: dict[str, Any], costs: Any) -> None:
    costs = structure(costs)
    if isinstance(costs, dict):
        total = readings.number(costs.get("total", costs.get("total_cost")))
        if total:
            fields.setdefault("cost_usd", total)


def _streamed(span: Span) -> bool:
    if span.events and any(name.lower().startswith(STREAM_EVENTS) for name, _ in span.events):
        return True
    operation = span.attributes.get("ai.operationId")
    return isinstance(operation, str) and operation.endswith(".doStream")


def _first_token(span: Span, fields: dict[str, Any], written: str) -> None:
    moment = epoch(written)
    if moment is not None and span.start and moment >= span.start / 1e9:
        fields.setdefault("first_token_ms", (moment - span.start / 1e9) * 1e3)


def _without_details(span: Span, fields: Mapping[str, Any]) -> bool:
    """The Vercel AI SDK took over Anthropic's own count until it began to tell the details."""
    attributes = span.attributes
    if "ai.usage.cachedInputTokens" not in attributes or "anthropic" not in str(fields.get("provider")):
        return False
    return not any(name.startswith("ai.usage.inputTokenDetails.") for name in attributes)


def _include_cached(fields: dict[str, Any], total: int | None, *, apart: bool) -> None:
    """Input tokens include cached ones. Where they are fewer than the cached, or where the total counts
    those once more, they did not."""
    cached = sum(fields.get(name) or 0 for name in _CACHED)
    given, output = fields.get("input_tokens"), fields.get("output_tokens")
    if cached and given is not None:
        apart |= total is not None and output is not None and total == given + output + cached
        if cached > given or apart:
            fields["input_tokens"] = given + cached
