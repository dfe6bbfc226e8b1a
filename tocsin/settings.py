"""The settings that belong to no component: each field is the schema, the default and the documentation."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0)]
KEY_BYTES = 32


class GroupSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose events share one state: a group is a tenant plus an application."""

    tenant: Annotated[str, Meta(min_length=1, description="tenant of everything this source delivers")] = (
        "default"
    )
    tenant_from_payload: Annotated[
        bool, Meta(description="believe the tenant that an event names; only where producers are trusted")
    ] = False
    max_groups: Annotated[
        int, Meta(ge=1, le=100_000, description="groups per tenant; the rest share the group `other`")
    ] = 1000
    idle_seconds: Annotated[float, Meta(gt=0, description="a group silent for longer is forgotten")] = (
        30 * 86400.0
    )


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What no input can exceed."""

    record_bytes: Annotated[int, Meta(ge=1024, description="larger records are refused without parsing")] = (
        1 << 20
    )
    depth: Annotated[int, Meta(ge=4, le=512, description="nesting of a record")] = 64
    events_per_record: Annotated[int, Meta(ge=1, description="events one record may hold")] = 20_000
    messages: Annotated[int, Meta(ge=1, description="messages kept per event, the newest")] = 512
    text_characters: Annotated[
        int, Meta(ge=256, description="characters kept of one text while it is read; more is cut and marked")
    ] = 65_536
    attributes: Annotated[int, Meta(ge=0, description="unmapped attributes kept per event")] = 64
    attribute_characters: Annotated[int, Meta(ge=16, description="characters kept of one attribute")] = 512


class ContentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of what was said is stored. Raw text never is."""

    mode: Annotated[
        Literal["none", "features", "excerpt", "full"],
        Meta(
            description="none: nothing; features: lengths and keyed hashes; "
            "excerpt: the first characters, redacted; full: all of it, redacted"
        ),
    ] = "excerpt"
    excerpt_characters: Annotated[int, Meta(ge=16, le=65_536, description="length of an excerpt")] = 256
    key: Annotated[
        str,
        Meta(description="secret for keyed hashes of text: from the environment, the same on all workers"),
    ] = ""


class ReadingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How text is read before it is dropped: by rules, by a learned model, for secrets and personal data."""

    enabled: Annotated[
        bool, Meta(description="without it no text is scored, and detectors of what is said find nothing")
    ] = True
    rules: Annotated[
        tuple[str, ...],
        Meta(description="folders of your own rules: packs (*.toml), Sigma (*.yml), beside the shipped"),
    ] = ()
    disabled: Annotated[tuple[str, ...], Meta(description="ids of rules that are left out")] = ()
    threshold: Annotated[
        float,
        Meta(
            gt=0,
            lt=1,
            description="score from which a text counts as an attack; scores are told so that it lies at 0.5",
        ),
    ] = 0.5
    canaries: Annotated[
        dict[str, str],
        Meta(
            description="name and token of each: a word of 8 to 128 letters, digits, `-`, `_` that you hid "
            "in a prompt or document, from the environment, or its SHA-256 in hex"
        ),
    ] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        from tocsin.reading.canaries import mistake

        for name, token in self.canaries.items():
            if wrong := mistake(token):
                raise ValueError(f"canaries.{name}: {wrong}")


class PrivacySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pseudonyms for those who call. Without keys identities are stored as they came."""

    keys: Annotated[
        dict[str, str],
        Meta(
            description="key id and secret of each; the id begins the pseudonym, as in `u1:...`; secrets "
            "come from the environment and are the same on all workers"
        ),
    ] = msgspec.field(default_factory=dict)
    since: Annotated[
        dict[str, datetime],
        Meta(description="arrival time from which a key is used; every key but the first has one"),
    ] = msgspec.field(default_factory=dict)
    accept_days: Annotated[
        float,
        Meta(ge=0, description="after a key's start, for which states under the pseudonyms before are found"),
    ] = 30.0
    identities: Annotated[
        tuple[Literal["user", "api_key", "client_ip", "session", "agent_id"], ...],
        Meta(description="what is replaced"),
    ] = ("user", "api_key", "client_ip")

    def __post_init__(self) -> None:
        """Every moment has exactly one key."""
        for name in self.keys:
            if not re.fullmatch(r"[a-z][a-z0-9]{0,7}", name):
                raise ValueError(f"keys: {name!r} is no key id: a letter, then up to seven letters or digits")
        if not all(self.keys.values()):
            raise ValueError("keys: a secret is empty")
        if strange := self.since.keys() - self.keys.keys():
            raise ValueError(f"since: {min(strange)!r} is no key")
        if any(moment.tzinfo is None for moment in self.since.values()):
            raise ValueError("since: want a time with its offset, like 2026-12-01T00:00:00Z")
        if self.keys and len(self.keys) - len(set(self.since.values())) != 1:
            raise ValueError("since: every key but the first has a start of its own")


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the loop cuts its work. None of these changes a result."""

    batch_rows: Annotated[int, Meta(ge=1, le=1_000_000, description="rows that trigger a write")] = 5000
    batch_bytes: Annotated[int, Meta(ge=1024, description="record bytes that trigger a write")] = 16 << 20
    linger_ms: Annotated[int, Meta(ge=0, le=10_000, description="longest wait before a write")] = 20
    checkpoint_seconds: Annotated[Seconds, Meta(description="longest work that a crash repeats")] = 5.0
    write_deadline_seconds: Annotated[Seconds, Meta(description="one attempt of a write to a sink")] = 30.0
    give_up_seconds: Annotated[
        Seconds, Meta(description="a source, sink or store down for longer ends the process, code 69")
    ] = 3600.0
    stuck_seconds: Annotated[
        Seconds, Meta(description="no progress inside one step for longer: stacks are printed, exit code 70")
    ] = 60.0
    buffer_bytes: Annotated[
        int, Meta(ge=1 << 20, description="record bytes held while a sink is down; then reading pauses")
    ] = 64 << 20


class HistorySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is remembered to tell new messages from repeated ones and new events from duplicates."""

    conversations: Annotated[int, Meta(ge=16, description="conversations remembered per group")] = 20_000
    messages: Annotated[int, Meta(ge=16, description="messages remembered per conversation")] = 1024
    duplicates: Annotated[int, Meta(ge=0, description="event identities remembered per conversation")] = 256
    idle_seconds: Annotated[Seconds, Meta(description="a conversation silent for longer is forgotten")] = (
        86_400.0
    )


class AssemblySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How halves of one call find each other."""

    hold_seconds: Annotated[
        Seconds, Meta(description="arrival time that a half waits for its other half, then goes on alone")
    ] = 5.0
    held: Annotated[int, Meta(ge=1, description="halves held per group; the oldest goes on first")] = 10_000


class DetectorOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine does for every detector; stands in the detector's own table beside its settings."""

    type: Annotated[str, Meta(description="which detector; default: the table's name")] = ""
    enabled: Annotated[bool, Meta(description="whether it runs")] = True
    cooldown_seconds: Annotated[
        float, Meta(ge=0, description="repeats of a key's finding within this time update one alert")
    ] = 600.0
    max_keys: Annotated[int, Meta(ge=16, description="keys with state per group")] = 100_000
    idle_seconds: Annotated[Seconds, Meta(description="a key silent for longer is forgotten")] = 7 * 86_400.0
    severity: Annotated[
        Literal["", "info", "low", "medium", "high", "critical"],
        Meta(description="overrides what the detector says"),
    ] = ""


class EncryptionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys that seal the raw zones: the exchange, and the journal of the http source."""

    keys: Annotated[
        dict[str, str],
        Meta(
            description="name and value of each, from the environment: 32 random bytes in base64 "
            "(openssl rand -base64 32), the same on all workers; all of them open"
        ),
    ] = msgspec.field(default_factory=dict)
    seal_with: Annotated[
        str, Meta(description="name of the one that seals; to be given where there are several")
    ] = ""

    def __post_init__(self) -> None:
        for name, text in self.keys.items():
            if len(_bytes(text)) != KEY_BYTES:
                remedy = f"openssl rand -base64 {KEY_BYTES}"
                raise ValueError(f"keys.{name}: must be {KEY_BYTES} random bytes in base64: {remedy}")
        if self.seal_with not in self.keys and (self.seal_with or len(self.keys) > 1):
            known = ", ".join(self.keys) or "there is none"
            raise ValueError(f"seal_with: must name one of the keys: {known}")

    @property
    def secrets(self) -> dict[str, bytes]:
        """The keys by name, the one that seals first."""
        secrets = {name: _bytes(text) for name, text in self.keys.items()}
        first = {self.seal_with: secrets[self.seal_with]} if self.seal_with else {}
        return first | secrets


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


class QuarantineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of records that cannot be read."""

    dead_letter_topic: Annotated[
        str, Meta(description="Kafka topic that refused records are copied to as well; empty: none")
    ] = ""
    sample_bytes: Annotated[int, Meta(ge=0, le=4096, description="redacted bytes kept of a record")] = 256
    limit_ratio: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            description="share of undecodable bytes among the last records that pauses a partition",
        ),
    ] = 0.5
    limit_records: Annotated[int, Meta(ge=10, description="how many last records are looked at")] = 1000


class OperationsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator sees."""

    listen: Annotated[str, Meta(description="host:port of /metrics, /healthz and /readyz; empty: none")] = (
        "127.0.0.1:9464"
    )
    log_format: Annotated[
        Literal["json", "text"], Meta(description="one JSON object a line, or lines for people")
    ] = "json"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="what is less grave is not told")
    ] = "info"
