"""AWS Bedrock: model invocation logs, as CloudWatch and S3 get them."""

from __future__ import annotations

from typing import Any

from ingest import body_bedrock, providers
from ingest.body import Body, body
from ingest.facts import Facts, Paths, at, child
from ingest.leaf import Json, Leaf
from tocsin.model import Decoded

_FIELDS: Paths = {
    "time": ("timestamp",),
    "user": ("requestMetadata.user_id", "requestMetadata.userId", "requestMetadata.user", "identity.arn"),
    "session": ("requestMetadata.session_id", "requestMetadata.sessionId",
                "requestMetadata.conversation_id", "requestMetadata.conversationId"),
    "application": ("requestMetadata.application", "requestMetadata.app", "requestMetadata.project"),
    "agent": ("requestMetadata.agent",),
    "trace_id": ("requestMetadata.traceId", "requestMetadata.trace_id"),
    "api_key": ("identity.arn",),
    "tenant": ("accountId",),
    "input_tokens": ("input.inputTokenCount",),
    "output_tokens": ("output.outputTokenCount",),
    "cache_read_tokens": ("input.cacheReadInputTokenCount",),
    "cache_write_tokens": ("input.cacheWriteInputTokenCount",),
}  # fmt: skip
_NOTED = ("operation", "region", "inferenceRegion", "requestId", "modelId", "status")


class BedrockInvocations(Leaf):
    """One document for each call; its bodies are those of the model's own API."""

    name = "bedrock"
    title = "AWS Bedrock invocation logs"
    evidence = "from documentation only"
    marks = frozenset(("schemaType",))

    @classmethod
    def fits(cls, document: Json) -> bool:
        return document.get("schemaType") == "ModelInvocationLog"

    def read(self, document: Any) -> Decoded:
        facts = Facts(self.limits, self.name)
        facts.take(document, _FIELDS)
        facts.put("provider", "aws.bedrock")
        facts.put("model", _short(document.get("modelId")))
        operation = document.get("operation")
        facts.put("stream", operation.endswith("Stream") if isinstance(operation, str) else None)
        if document.get("errorCode"):
            facts.failed(document["errorCode"], document.get("errorMessage"))
        facts.note_all(document, _NOTED)
        for name, value in list(child(document, "requestMetadata").items())[:16]:
            facts.note(f"requestMetadata.{name}", value)
        kind = _bodies(facts, document)
        executed = facts.hosted()
        return Decoded((facts.model_call(kind), *executed))


def _short(model: Any) -> Any:
    """The model's id in an ARN of one."""
    return model.rsplit("/", 1)[-1] if isinstance(model, str) and model.startswith("arn:") else model


def _bodies(facts: Facts, document: Json) -> str:
    """What was asked and answered; gives the operation. Large bodies stand elsewhere, in S3."""
    asked, answered = child(document, "input"), child(document, "output")
    for side, name in ((asked, "inputBody"), (answered, "outputBody")):
        if side.get(f"{name}S3Path") and side.get(f"{name}Json") is None:
            facts.fields["truncated"] = True
    request, response = body(asked.get("inputBodyJson")), body(answered.get("outputBodyJson"))
    body_bedrock.metrics(facts, response)
    _guardrail(facts, response)
    speaks = _speaks(document, request, response)
    if speaks:
        providers.read(facts, speaks, request, response)
    elif request.value or response.value:
        body_bedrock.native(facts, request.object, response)
    if speaks != "openai":
        facts.include_cached()
    return "embeddings" if body_bedrock.embeds(request.object, response.object) else "chat"


def _speaks(document: Json, request: Body, response: Body) -> providers.Api:
    operation = document.get("operation")
    if isinstance(operation, str) and operation.startswith("Converse"):
        return "converse"
    found = providers.api(request.object, response.first)
    return found or ("openai" if "messages" in request.object else "")


def _guardrail(facts: Facts, response: Body) -> None:
    """What a guardrail did, beside the model's answer."""
    for part in (response.object, *response.chunks[-2:]):
        action = part.get("amazon-bedrock-guardrailAction")
        if action == "INTERVENED" or at(part, "stopReason") == "guardrail_intervened":
            facts.put("guardrail_name", "bedrock-guardrail")
            facts.put("guardrail_status", "guardrail_intervened")
            facts.fields["status"] = "blocked"
