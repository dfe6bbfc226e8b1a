"""Whose API a request and its answer are, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ingest import body_anthropic, body_bedrock, body_gemini, body_openai
from ingest.body import Body
from ingest.facts import Facts

Api = Literal["", "anthropic", "gemini", "converse", "openai"]

# Asked in this order: the later ones are less particular.
_BY_ANSWER: Mapping[Api, Any] = {
    "anthropic": body_anthropic.answers,
    "gemini": body_gemini.answers,
    "converse": body_bedrock.answers,
    "openai": body_openai.answers,
}
_BY_REQUEST: Mapping[Api, Any] = {
    "anthropic": body_anthropic.asks,
    "gemini": body_gemini.asks,
    "converse": body_bedrock.asks,
    "openai": body_openai.asks,
}
_PROVIDERS: Mapping[Api, str] = {
    "anthropic": body_anthropic.PROVIDER,
    "gemini": body_gemini.PROVIDER,
    "converse": body_bedrock.PROVIDER,
    "openai": body_openai.PROVIDER,
}
# Who answers at an address, where it is not whose API it is.
_HOSTS: tuple[tuple[str, str], ...] = (
    (".openai.azure.com", "azure.ai.openai"),
    (".cognitiveservices.azure.com", "azure.ai.openai"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("bedrock-runtime", "aws.bedrock"),
    ("api.mistral.ai", "mistral_ai"),
    ("api.deepseek.com", "deepseek"),
    ("api.groq.com", "groq"),
    ("api.x.ai", "x_ai"),
    ("api.perplexity.ai", "perplexity"),
    ("openrouter.ai", "openrouter"),
    ("api.cohere", "cohere"),
)


def api(request: Mapping[str, Any], answer: Mapping[str, Any], url: str = "") -> Api:
    """Whose API a call speaks: told by its answer, else by its request; "": none that is known."""
    for name, answers in _BY_ANSWER.items():
        if answer and answers(answer):
            return name
    for name, asks in _BY_REQUEST.items():
        if asks(request, url):
            return name
    return ""


def provider(speaks: Api, url: str = "") -> str:
    """Who answers."""
    return next((name for host, name in _HOSTS if host in url), _PROVIDERS.get(speaks, ""))


def read(facts: Facts, speaks: Api, request: Body, response: Body, url: str = "") -> str:
    """What was asked and answered; gives the operation. An answer that was cut is marked so."""
    asked = request.object
    if not (request.whole and response.whole):
        facts.fields["truncated"] = True
    if speaks == "gemini":
        body_gemini.read(facts, asked, response, url)
        return "embeddings" if "mbedContent" in url else "generate_content"
    if speaks == "anthropic":
        body_anthropic.read(facts, asked, response)
    elif speaks == "converse":
        body_bedrock.read(facts, asked, response)
    elif speaks == "openai":
        body_openai.read(facts, asked, response)
        return body_openai.operation(asked, response, url)
    return "chat"
