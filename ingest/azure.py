"""Azure: diagnostics of Azure OpenAI, and what API Management logs of language models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest import messages as parse
from ingest.facts import Facts, Paths, between, child
from ingest.leaf import Json, Leaf
from tocsin.model import Decoded

_LLM_LOG = ("GatewayLlmLogs", "ApiManagementGatewayLlmLog")
# What an operation does, by a word in its name. Without one it is a call only if it names a model.
_OPERATIONS: tuple[tuple[str, str], ...] = (
    ("chatcompletion", "chat"),
    ("response", "chat"),
    ("completion", "text_completion"),
    ("embedding", "embeddings"),
    ("image", "image_generation"),
    ("transcription", "transcription"),
    ("translation", "transcription"),
    ("speech", "transcription"),
)
_DIAGNOSTICS: Paths = {
    "time": ("requesttime", "time", "timegenerated"),
    "http_status": ("resultsignature", "resulttype"),
    "duration_ms": ("durationms",),
    "client_ip": ("calleripaddress",),
    "user": ("objectid",),
    "model": ("modeldeploymentname", "modelname"),
}
_GATEWAY: Paths = {
    "time": ("time", "timegenerated"),
    "model": ("deploymentname", "modelname"),
    "response_model": ("modelname",),
    "response_id": ("requestid",),
    "input_tokens": ("prompttokens",),
    "output_tokens": ("completiontokens",),
    "stream": ("isstreamcompletion",),
    "client_ip": ("calleripaddress",),
    "api_key": ("subscriptionid", "apimsubscriptionid"),
    "user": ("userid",),
    "http_status": ("responsecode",),
    "duration_ms": ("durationms",),
}
_NOTED = (
    "operationname",
    "correlationid",
    "location",
    "region",
    "apiname",
    "requestlength",
    "responselength",
)


def _flat(document: Json) -> dict[str, Any]:
    """A record with its properties, by names in lower case: they are camel or Pascal case by the way."""
    inner = child(document, "properties", "Properties", "properties_s")
    lower = {name.lower(): value for name, value in document.items()}
    return {**lower, **{name.lower(): value for name, value in inner.items()}}


def _category(document: Json) -> Any:
    return document.get("category", document.get("Category"))


class AzureOpenAI(Leaf):
    """Diagnostics of an Azure OpenAI resource: who called, never what was said or how many tokens."""

    name = "azure_openai"
    title = "Azure OpenAI diagnostics"
    evidence = "from documentation only"
    marks = frozenset(("category", "Category"))

    @classmethod
    def fits(cls, document: Json) -> bool:
        if _category(document) != "RequestResponse":
            return False
        return isinstance(
            document.get("properties", document.get("Properties", document.get("properties_s"))), str | dict
        )

    def read(self, document: Any) -> Decoded:
        told = _flat(document)
        operation = _operation(told)
        if not operation:
            return Decoded((), 1)
        facts = Facts(self.limits, self.name)
        facts.put("provider", "azure.ai.openai")
        facts.put(
            "duration_ms", told.get("durationms"), between(told.get("requesttime"), told.get("responsetime"))
        )
        facts.take(told, _DIAGNOSTICS)
        facts.put("response_model", _version(told))
        kind = told.get("streamtype")
        facts.put("stream", not kind.lower().startswith("non") if isinstance(kind, str) and kind else None)
        facts.put("service", _resource(told))
        facts.note_all(told, _NOTED)
        return Decoded((facts.model_call(operation),))


def _operation(told: Mapping[str, Any]) -> str:
    """The operation; "": it is no call of a model, but of the service around it."""
    name = str(told.get("operationname") or "").lower().replace("_", "").replace(" ", "")
    found = next((operation for word, operation in _OPERATIONS if word in name), "")
    named = told.get("modelname") or told.get("modeldeploymentname")
    return found or ("chat" if named else "")


def _version(told: Mapping[str, Any]) -> str | None:
    """The model with its version, where that is a date: so providers name it in their answers."""
    name, version = told.get("modelname"), told.get("modelversion")
    return f"{name}-{version}" if name and "-" in str(version) else name


def _resource(told: Mapping[str, Any]) -> str | None:
    """The name at the end of a resource's path."""
    path = told.get("resourceid") or told.get("_resourceid")
    return path.rstrip("/").rsplit("/", 1)[-1].lower() if isinstance(path, str) else None


class ApiManagement(Leaf):
    """Calls through API Management, with tokens, and with messages where it is told to log them."""

    name = "azure_apim"
    title = "Azure API Management LLM logs"
    evidence = "from documentation only"
    marks = frozenset(("category", "Category", "Type"))

    @classmethod
    def fits(cls, document: Json) -> bool:
        return _category(document) in _LLM_LOG or document.get("Type") in _LLM_LOG

    def read(self, document: Any) -> Decoded:
        told = _flat(document)
        facts = Facts(self.limits, self.name)
        facts.take(told, _GATEWAY)
        facts.put("provider", "azure.ai.openai")
        facts.put("service", _resource(told))
        facts.inputs += parse.messages(told.get("requestmessages"), "user")
        facts.outputs += parse.messages(told.get("responsemessages"), "assistant")
        facts.note_all(told, _NOTED)
        identity, number = told.get("correlationid"), told.get("sequencenumber")
        if isinstance(identity, str) and identity:  # long messages are spread over several records
            facts.fields["join"] = f"apim:{identity}"[:256]
            facts.fields["half"] = "part" if number not in (None, 0, "0") else ""
        return Decoded((facts.model_call(_operation(told) or "chat"),))
