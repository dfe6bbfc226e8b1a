"""The words of the house: what was seen (Event), what it means (Finding), what people are told (Alert)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Literal, NamedTuple, get_args

import msgspec

Kind = Literal["llm", "tool", "retrieval", "agent", "evaluation"]
KINDS: frozenset[Kind] = frozenset(get_args(Kind))
Role = Literal["system", "user", "assistant", "tool", "retrieved"]
Trust = Literal["operator", "user", "model", "tool", "retrieved"]
Status = Literal["ok", "error", "refused", "blocked"]

TRUST: Mapping[Role, Trust] = {
    "system": "operator",
    "user": "user",
    "assistant": "model",
    "tool": "tool",
    "retrieved": "retrieved",
}


class Severity(IntEnum):
    """How much an alert matters; ordered, so that a rise can be compared."""

    info = 1
    low = 2
    medium = 3
    high = 4
    critical = 5


class Partition(NamedTuple):
    """One ordered stream of records: a topic's partition, or a file (number 0)."""

    name: str
    number: int


class Record(msgspec.Struct, frozen=True, gc=False):
    """Bytes as a source handed them out, with their place.

    `offset` grows within the partition (Kafka's offset; the byte offset in a file's decompressed
    stream), `next_offset` is where reading goes on after it. `arrival` is the broker's
    LogAppendTime in epoch seconds, or None where the log has no clock of its own (a file).
    """

    partition: Partition
    offset: int
    next_offset: int
    arrival: float | None
    value: bytes


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A tool that a model asked for in an answer; `arguments` is JSON text as it was sent."""

    id: str = ""
    name: str = ""
    arguments: str = ""


class Message(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One turn of a conversation. Its role says how far its text may be trusted."""

    role: Role
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""

    @property
    def trust(self) -> Trust:
        """Who could have written the text: operator, user, model, tool or a retrieved document."""
        return TRUST[self.role]


class ToolDefinition(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A tool as it was offered to a model; `digest` is stable over name, description and schema."""

    name: str
    digest: str = ""
    description: str = ""


class Document(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One document that a retrieval returned."""

    id: str = ""
    score: float | None = None
    text: str = ""


class Event(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    gc=False,
    tag_field="tocsin",
    tag=1,
):
    """One LLM call, tool call, retrieval, agent step or evaluation: flat, typed, one class for all.

    Every content field is optional. The engine stamps the fields of the first block once
    (`tocsin.core`); the redaction step removes raw text; for everyone else an event is frozen.
    Its JSON form is Tocsin's native wire format, marked by `"tocsin": 1`.
    """

    # Stamped by the engine: identity, place in the log, place in the source.
    id: str = ""
    log_id: str = ""
    log_partition: int = 0
    log_offset: int = 0
    log_index: int = 0
    arrival: float = 0.0  # epoch seconds, the arrival clock
    source: str = ""  # topic or path
    source_partition: int = 0
    source_offset: int = 0
    source_index: int = 0
    source_format: str = ""
    duplicate: bool = False  # the same event was seen before under another position
    backfill: bool = False  # older than the first start: builds baselines, notifies nobody

    # What and when.
    kind: Kind = "llm"
    operation: str = ""  # gen_ai.operation.name, normalised: chat, embeddings, execute_tool, ...
    time: float = 0.0  # epoch seconds, clamped to arrival -24 h .. +5 min
    original_time: float | None = None  # only where clamping changed it
    duration_ms: float | None = None
    first_token_ms: float | None = None

    # Who and where.
    tenant: str = ""
    application: str = ""
    service: str = ""
    service_version: str = ""
    environment: str = ""
    agent: str = ""
    agent_id: str = ""
    session: str = ""
    user: str = ""
    api_key: str = ""  # an identifier or hash of the key, never the key
    client_ip: str = ""
    user_agent: str = ""
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""

    # The model call.
    provider: str = ""
    model: str = ""  # as requested
    response_model: str = ""  # that answered; the requested one where nobody tells
    response_id: str = ""
    input_tokens: int | None = None  # cached tokens included
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    cost_source: Literal["", "reported", "priced"] = ""
    stream: bool | None = None
    finish_reason: str = ""  # stop, length, tool_call, content_filter, refusal, error, ...
    status: Status = "ok"
    error_type: str = ""
    error_message: str = ""
    http_status: int | None = None

    # The tool call.
    tool_name: str = ""
    tool_type: str = ""
    tool_server: str = ""
    tool_call_id: str = ""
    tool_arguments: str | None = None  # JSON text
    tool_result: str | None = None
    tool_decision: str = ""  # accept, reject, ...

    # Content.
    input: tuple[Message, ...] = ()
    output: tuple[Message, ...] = ()
    tool_definitions: tuple[ToolDefinition, ...] = ()
    documents: tuple[Document, ...] = ()
    content_available: bool = False
    truncated: bool = False
    compacted: bool = False  # the conversation was compacted: its history starts anew

    # Verdicts of others.
    evaluation_name: str = ""
    evaluation_score: float | None = None
    evaluation_label: str = ""
    guardrail_name: str = ""
    guardrail_status: str = ""
    guardrail_score: float | None = None

    # What did not fit.
    invalid_fields: tuple[str, ...] = ()  # arrived with an impossible value and were nulled
    attributes: dict[str, str] = msgspec.field(default_factory=dict)  # unmapped, capped

    # Halves of one call (span and log, request and response) share a join key; "" = complete.
    join: str = ""
    half: str = ""

    # After the key of pseudonyms changed: field -> what the key before gives, for as long as it is accepted.
    former: tuple[tuple[str, str], ...] = ()

    @property
    def principal(self) -> str:
        """The best name for who is asking: user, else API key, else agent, else session, else ""."""
        return self.user or self.api_key or self.agent or self.session


class RuleHit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A rule that matched a text: where it stands in the catalogue, how it was found, how much it counts."""

    rule: str
    family: str  # of docs/detectors: A1 .. A13, C1, C3, C7
    weight: float  # in 0..1, damped where the text only talks about such words
    view: str = "raw"
    decodings: tuple[str, ...] = ()  # undone to see it, the outermost first


class Link(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A URL in a text, without what could be private in it."""

    host: str  # lower case, punycode; an address as it stands
    image: bool = False  # loaded without a click: markdown or HTML image
    payload: int = 0  # characters of query, fragment and long path segments: what could carry data out


class TextSignal(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the reading step learnt from one text of an event. No text of it."""

    place: Literal["input", "output", "arguments", "result", "document", "tool"]
    index: int  # of the message, document or tool definition; 0 for arguments and result
    role: Role
    score: float = 0.0  # in 0..1: rules and model together, calibrated
    model_score: float = 0.0
    rules: tuple[RuleHit, ...] = ()  # the heaviest first
    hidden: tuple[str, ...] = ()  # ways of hiding that counted
    findings: tuple[tuple[str, int], ...] = ()  # secrets and personal data: type and how often
    links: tuple[Link, ...] = ()
    length: int = 0  # characters
    entropy: float = 0.0  # bits a byte of lower-case UTF-8
    repetition: float = 0.0  # share of the text that repeats what stood before in it
    script: str = ""  # ISO 15924 of most letters
    language: str = ""  # ISO 639-1 as far as common words tell
    simhash: int = 0  # 64 bits over pairs of words in lower case; the same under every key
    digest: str = ""  # keyed, of the exact text
    shingles: tuple[int, ...] = ()  # keyed hashes of sampled word n-grams: of system text and of outputs
    canaries: tuple[str, ...] = ()  # names of registered canary tokens that stand in it
    truncated: bool = False  # not all of it was read


class Signals(msgspec.Struct, omit_defaults=True, gc=False):
    """What the steps before the detectors learnt from raw text, which is then dropped."""

    new_input: tuple[int, ...] = ()  # indexes of input messages never seen in this conversation
    new_output: tuple[int, ...] = ()
    input_length: int = 0  # characters of all input messages
    output_length: int = 0
    arguments_length: int = 0
    result_length: int = 0
    input_digest: str = ""  # keyed hash of the new input text
    output_digest: str = ""
    refusal: bool = False  # the answer was a refusal, as far as can be told
    texts: tuple[TextSignal, ...] = ()  # of what is new; of tool definitions those that say something
    score: float = 0.0  # the highest of `texts` that is not the model's own output
    system_overlap: float = 0.0  # share of the system instructions of this call that its answer repeats


class Reject(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="tocsin", tag=2
):
    """A record, or a part of one, that could not become an event: it goes to quarantine.

    `sample` is bounded and redacted before it is written anywhere.
    """

    reason: str  # one of the words in tocsin.model.REASONS
    detail: str = ""
    shape: str = ""  # the top-level keys of an unknown record, for counting
    sample: str = ""
    size: int = 0
    sha256: str = ""
    log_id: str = ""
    log_partition: int = 0
    log_offset: int = 0
    log_index: int = 0
    arrival: float = 0.0
    source: str = ""
    source_partition: int = 0
    source_offset: int = 0
    source_index: int = 0
    tenant: str = ""


REASONS: Mapping[str, str] = {
    "undecodable": "the bytes are not the format they claim: broken JSON, protobuf or compression",
    "unrecognised": "well-formed, but of no known shape",
    "invalid": "a known shape whose content cannot be an event",
    "too_large": "above the size limit; refused without parsing",
    "too_deep": "nested deeper than the limit",
    "too_many": "more events, messages or attributes than the limit",
    "observe_failed": "a detector raised on this event; the event itself was stored",
    "unstorable": "the database refused this row and no other",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that a detector says: what, how bad, how unusual, since when."""

    severity: Severity
    summary: str  # one sentence with the value, its baseline and the window; no raw content
    value: float | None = None
    baseline: float | None = None
    window_seconds: float | None = None
    since: float | None = None  # arrival time at which it began
    evidence: dict[str, str | int | float] = msgspec.field(default_factory=dict)
    event_ids: tuple[str, ...] = ()


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A finding with its identity and its life: what is stored and what people are told.

    `id` stays the same over revisions and over every replay; `revision` grows from 1.
    """

    id: str
    revision: int
    status: Literal["new", "updated", "closed"]
    detector: str  # name of the instance
    detector_type: str
    detector_version: int
    tenant: str
    application: str
    key: str
    severity: Severity
    summary: str
    first_seen: float  # arrival time of the first finding; never changes for an id
    last_seen: float
    count: int
    value: float | None = None
    baseline: float | None = None
    window_seconds: float | None = None
    since: float | None = None
    evidence: dict[str, str | int | float] = msgspec.field(default_factory=dict)
    event_ids: tuple[str, ...] = ()
    agent: str = ""
    session: str = ""
    user: str = ""
    api_key: str = ""
    tool: str = ""
    model: str = ""
    owasp: tuple[str, ...] = ()  # with edition year: LLM06:2026, ASI08:2026
    atlas: tuple[str, ...] = ()
    backfill: bool = False
    log_id: str = ""
    log_partition: int = 0
    log_offset: int = 0
    log_index: int = 0
    arrival: float = 0.0


class Batch(msgspec.Struct):
    """Rows that go to the sinks together; `signals[i]` belongs to `events[i]`."""

    events: list[Event] = msgspec.field(default_factory=list)
    signals: list[Signals] = msgspec.field(default_factory=list)
    alerts: list[Alert] = msgspec.field(default_factory=list)
    rejects: list[Reject] = msgspec.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.events) + len(self.alerts) + len(self.rejects)


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """What one record turned out to hold; `ignored` counts parts that are known and no event."""

    items: Sequence[Event | Reject]
    ignored: int = 0
